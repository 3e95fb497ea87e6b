//! Why a row was not taken.

use serde_json::error::Category;
use thiserror::Error;

use crate::model::IndicatorError;

/// Why a row was not taken: one sentence fragment each, so that rejects can be counted by reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Error)]
pub enum Reason {
    /// More than [`Reason::LONGEST`] bytes without an end of line.
    #[error("the line is longer than {} KiB", Self::LONGEST / 1024)]
    TooLong,
    /// The last line has no end, and nothing says that the body ends there.
    #[error("the body stops inside this line, so that it may be cut short")]
    CutShort,
    /// An error page, a login page, an RSS feed.
    #[error("the body is a web page or XML, and no list")]
    Markup,
    /// `auto` alone.
    #[error(
        "the body is JSON, and `auto` finds no indicators in it: name its format and its field (`format`, `items`, `column`) in the config"
    )]
    Json,
    /// `auto` alone.
    #[error(
        "the body is a warninglist of MISP, which says what must not be blocked: it belongs in a [[guard.list]], and can be tried with `--format misp-warninglist`"
    )]
    Warninglist,
    /// `auto` alone.
    #[error(
        "most of the body's rows make no sense in any format: name its format (`format` in the config, `feeds try --format text` here)"
    )]
    UnknownFormat,
    /// Another charset, or no text at all.
    #[error("the line is not UTF-8")]
    NotUtf8,
    /// UTF-16, or no text at all.
    #[error("the line holds a NUL byte")]
    Nul,
    /// It is no indicator by the rules of indicators.
    #[error(transparent)]
    Indicator(#[from] IndicatorError),
    /// DESIGN: a line is taken whole, and holds one indicator.
    #[error("a second indicator stands in the same line")]
    SecondIndicator,
    /// A range with an end missing, or a table's word for "nothing".
    #[error("a lone dash stands in the line")]
    LoneDash,
    /// RFC 4007 §11: a zone means something on one machine only.
    #[error("the address has a zone (%), which means nothing on another machine")]
    ZoneId,
    /// `host:port` with something else than a port.
    #[error("the port is no number from 0 to 65535")]
    Port,
    /// `a-b` where one of the two is no address, or they are of two families.
    #[error("the ends of the range are not two addresses of one family")]
    RangeEnds,
    /// `b-a`.
    #[error("the range ends before it starts")]
    RangeOrder,
    /// Judged before it is split into networks.
    #[error("the range is wider than the /{0} that min_prefix allows")]
    RangeWidth(u8),
    /// `/busybotnet`: the path of a URL whose host nobody knows.
    #[error("a path stands without its host")]
    PathAlone,
    /// `file:///x`, `http://`.
    #[error("the URL names no host")]
    NoHost,
    /// `\` divides a URL in browsers and nowhere else.
    #[error("the URL holds a backslash, so that readers disagree about its host")]
    Backslash,
    /// One bad page must not block its host.
    #[error("the URL names a page, not its host (urls = \"host\" would take the host)")]
    Page,
    /// Code, file and page hosting, shorteners and the like.
    #[error("the URL's host is one that many share")]
    SharedHost,
    /// A mailbox is not a host.
    #[error("it is a mail address")]
    Mail,
    /// RFC 4180 §2: a quoted cell ends with a quote, and then the cell ends.
    #[error("a quoted cell does not end, or does not end at its quote")]
    Quotes,
    /// The config names columns.
    #[error("no header before this row names the columns that are asked for")]
    NoHeader,
    /// Fewer cells than the column's place.
    #[error("the row has no such column")]
    NoCell,
    /// `where = { score = ">=75" }` over something else than a number.
    #[error("`where` compares the cell with a number, and it holds none")]
    NotANumber,
    /// Read wrong, it would be worse than none.
    #[error("the confidence is no percentage from 0 to 100, and none of low, medium, high")]
    Confidence,
    /// Read wrong, it would be worse than none.
    #[error("the date is not in RFC 3339, `yyyy-mm-dd hh:mm:ss`, nor in seconds since 1970")]
    Date,
    /// `hosts`: an address, and nothing behind it.
    #[error("no name stands behind the address")]
    NoName,
    /// `hosts`: the name is given an address, not hidden.
    #[error("the name is sent to an address, not to nowhere")]
    Somewhere,
    /// `adblock`: `@@`
    #[error("the rule is an exception, which allows; allow feeds are lists of their own")]
    Exception,
    /// `adblock`: `##` and its kin.
    #[error("the rule hides a part of a page")]
    Cosmetic,
    /// `adblock`: `$`
    #[error("the rule has options, so that it blocks a part of the traffic only")]
    Options,
    /// `adblock`: anything but `||name^`.
    #[error("the rule is about a part of a URL, not about a whole domain")]
    PartOfUrl,
    /// `rpz`: `CNAME rpz-passthru.`
    #[error("the rule lets the name pass; allow feeds are lists of their own")]
    PassThru,
    /// `rpz`: any other data.
    #[error("the rule gives another answer instead of none")]
    Rewrites,
    /// `rpz`: who asks, or which server answers.
    #[error("the rule is about the client or a name server, not about an answer")]
    Trigger,
    /// `rpz`: an absolute owner that does not end in the zone's name.
    #[error("the owner lies outside the zone, or the zone's name is not known yet")]
    OutOfZone,
    /// RFC 1035 §5.1.
    #[error("it is no line of a zone file, or one that policy zones do not have")]
    ZoneSyntax,
    /// Beside an address.
    #[error("the mask is neither a prefix length nor a netmask")]
    Mask,
    /// First and last address are not those of the network that the mask makes.
    #[error("start, end and mask of the block do not agree")]
    Disagree,
    /// Inside a value.
    #[error("the JSON ends early, so that the body is cut short")]
    JsonEnds,
    /// Above the items, where there is no telling what follows.
    #[error("the JSON is broken here, and what follows was not read")]
    JsonBroken,
    /// RFC 8259 §2: one value and blanks.
    #[error("more follows after the end of the JSON")]
    JsonGoesOn,
    /// RFC 8259 §4: readers disagree about which of the two counts.
    #[error("a key on the way to the items stands twice")]
    KeyTwice,
    /// More than [`Reason::LARGEST`] bytes.
    #[error("the item is larger than {} MiB", Self::LARGEST >> 20)]
    TooLarge,
    /// The item alone; what follows is read.
    #[error("the item is no JSON")]
    NotJson,
    /// What the config or the format asks for.
    #[error("a field that counts is missing, stands twice, or is of another kind than it must be")]
    BadField,
    /// More than [`Reason::LONGEST`] bytes.
    #[error("a field that counts is longer than {} KiB", Self::LONGEST / 1024)]
    LongField,
    /// The config or the format asks for it.
    #[error("the item has no such field")]
    NoField,
    /// An error's message in the place of a list.
    #[error("there is nothing where the items should be")]
    NoItems,
    /// `stix`: nor is it a bundle or an envelope.
    #[error("the object has no type, so that it is no STIX")]
    NoType,
    /// `stix`: STIX 2.1 §9.
    #[error("the pattern is no STIX pattern")]
    Pattern,
    /// `stix`: `AND`, `FOLLOWEDBY`.
    #[error("the pattern accuses a host only together with something else, not by itself")]
    Together,
    /// `stix`: `REPEATS 5 TIMES`.
    #[error("the pattern accuses a host only if it is met more than once")]
    Repeated,
    /// `stix`: `LIKE`, `MATCHES`, `!=`, `NOT`, `EXISTS` and the like.
    #[error("the pattern compares a host with something else than =, IN or ISSUBSET")]
    Compares,
    /// `misp`: `ip-dst|port` and the like.
    #[error("the attribute is of two parts, and no | divides them")]
    Parts,
    /// `misp-warninglist`: no list, or none of a type that is known.
    #[error("it is no warninglist of type string, hostname or cidr")]
    NoWarninglist,
    /// `misp-warninglist`: `substring`, `regex`.
    #[error(
        "the warninglist holds parts of names or regular expressions, and a guard needs whole names"
    )]
    Fragments,
    /// `misp-warninglist` of a type whose names reach below themselves: `com`, `co.uk`.
    #[error(
        "it is a public suffix: a guard of all below it would let every domain there pass, and the suffix itself is never blocked anyway"
    )]
    SuffixGuard,
}

impl Reason {
    /// The longest line that is read, in bytes; a longer one is rejected and skipped.
    pub const LONGEST: usize = 64 * 1024;

    /// The largest item of a JSON body that is read, in bytes; a larger one is rejected and skipped.
    pub const LARGEST: usize = 1024 * 1024;

    /// Whether it is said of a whole body, by its beginning, and not of one row.
    #[must_use]
    pub const fn is_of_the_body(self) -> bool {
        matches!(
            self,
            Self::Markup | Self::Json | Self::Warninglist | Self::UnknownFormat
        )
    }

    /// Why an item could not be read.
    pub(super) fn of_json(error: &serde_json::Error) -> Self {
        match error.classify() {
            Category::Data => Self::BadField,
            Category::Io | Category::Syntax | Category::Eof => Self::NotJson,
        }
    }
}
