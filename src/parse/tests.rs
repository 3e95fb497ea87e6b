//! One harness for every format: five bodies each under `tests/data/parse/FORMAT`, whose records and
//! rejects, in the body's order, are snapshotted beside them.

use std::fmt::Write;
use std::path::PathBuf;

use proptest::prelude::*;

use super::*;

/// What the five bodies show: the format as it should be, comments and blanks, rows that are broken among
/// rows that are not, a body of another kind, and a body that means harm.
const BODIES: [&str; 5] = [
    "basic",
    "comments",
    "recoverable-errors",
    "unrelated",
    "hostile",
];

/// Writes down what it is given.
#[derive(Default)]
struct Listing(String);

impl Sink for Listing {
    fn record(&mut self, record: Record) {
        self.0.push_str(&record.indicator.to_string());
        if let Some(percent) = record.confidence {
            let _ = write!(self.0, "  {percent} %");
        }
        if let Some(date) = record.dated {
            let _ = write!(self.0, "  dated {date}");
        }
        if let Some(end) = record.valid_until {
            let _ = write!(self.0, "  until {end}");
        }
        self.0.push('\n');
    }

    fn reject(&mut self, reject: Reject) {
        let Reject {
            line,
            byte,
            text,
            reason,
        } = reject;
        let _ = writeln!(self.0, "! line {line}, byte {byte}: {reason}: {text:?}");
    }
}

fn listing(recipe: &Recipe, mut body: &[u8], ends_surely: bool) -> String {
    let mut listing = Listing::default();
    let text = Text {
        body: &mut body,
        ends_surely,
    };
    let tally = parse(recipe, text, &mut listing).unwrap();
    let _ = writeln!(
        listing.0,
        "= {} lines, {} rows, {} bytes",
        tally.lines, tally.rows, tally.bytes
    );
    if tally.passed_over > 0 {
        let _ = writeln!(listing.0, "= {} passed over", tally.passed_over);
    }
    if let Some(reach) = tally.reach {
        let _ = writeln!(listing.0, "= names reach: {reach:?}");
    }
    if tally.broken {
        listing.0.push_str("= broken\n");
    }
    listing.0
}

fn five_bodies(format: &str, extension: &str, recipe: &Recipe) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/parse")
        .join(format);
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(&folder);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for name in BODIES {
        let body = std::fs::read(folder.join(format!("{name}.{extension}"))).unwrap();
        settings.bind(|| insta::assert_snapshot!(name, listing(recipe, &body, true)));
    }
}

#[test]
fn text() {
    five_bodies("text", "txt", &Recipe::new(Format::Text));
}

#[test]
fn hosts() {
    five_bodies("hosts", "txt", &Recipe::new(Format::Hosts));
}

#[test]
fn adblock() {
    five_bodies("adblock", "txt", &Recipe::new(Format::Adblock));
}

#[test]
fn dshield() {
    five_bodies("dshield", "txt", &Recipe::new(Format::Dshield));
}

#[test]
fn rpz() {
    five_bodies("rpz", "txt", &Recipe::new(Format::Rpz));
}

#[test]
fn csv() {
    five_bodies("csv", "csv", &with_fields(Format::Csv, "seen"));
}

#[test]
fn json() {
    let recipe = Recipe {
        items: Path::try_new("/data").unwrap(),
        ..with_fields(Format::Json, "/seen/last")
    };
    five_bodies("json", "json", &recipe);
}

#[test]
fn ndjson() {
    five_bodies("ndjson", "json", &with_fields(Format::Ndjson, "seen"));
}

#[test]
fn stix() {
    five_bodies("stix", "json", &Recipe::new(Format::Stix));
}

#[test]
fn misp() {
    five_bodies("misp", "json", &Recipe::new(Format::Misp));
}

#[test]
fn misp_warninglist() {
    five_bodies(
        "misp-warninglist",
        "json",
        &Recipe::new(Format::MispWarninglist),
    );
}

/// Every field and every kind of filter.
fn with_fields(format: Format, dated: &str) -> Recipe {
    let column = |word: &str| Column::Name(word.into());
    let filter = |word: &str, condition: &str| Filter {
        column: column(word),
        condition: Condition::try_new(condition).unwrap(),
    };
    Recipe {
        fields: Fields {
            indicator: Take::One(column("ioc")),
            filters: vec![filter("type", "!=md5"), filter("score", ">=50")],
            confidence: Some(column("score")),
            dated: Some(column(dated)),
            valid_until: Some(column("until")),
        },
        ..Recipe::new(format)
    }
}

proptest! {
    /// No body panics, and every row is either taken or rejected, however the body is cut.
    #[test]
    fn no_body_panics(body in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(b"0123456789./:-#;,|^$\"@{}\\ \t\r\n[]()*%abcxn".as_slice())], 0..300), surely: bool) {
        for format in [Format::Auto, Format::Text, Format::Csv, Format::Hosts, Format::Adblock, Format::Dshield, Format::Rpz, Format::Json, Format::Ndjson, Format::Stix, Format::Misp, Format::MispWarninglist] {
            listing(&Recipe::new(format), &body, surely);
        }
    }

    /// What is listed reads as itself: the text of a snapshot's rows is a body that gives that snapshot.
    #[test]
    fn a_snapshot_written_out_reads_back(body in "([12]\\.2\\.3\\.[0-9](/3[0-2]|-1\\.2\\.3\\.200)?|[a-c]\\.example|2001:db8::[0-9]{1,2}(/1[01][0-9])?|x\n){0,20}") {
        let read = |mut body: &[u8]| {
            let text = Text { body: &mut body, ends_surely: true };
            Snapshot::read(&Recipe::new(Format::Text), text, 1_000).unwrap()
        };
        let once = read(body.replace('x', "\n").as_bytes());
        let written: String = once.rows().map(|row| format!("{}\n", row.indicator)).collect();
        let twice = read(written.as_bytes());
        prop_assert!(once.rows().eq(twice.rows()));
        prop_assert_eq!(twice.rejects().total(), 0);
    }
}
