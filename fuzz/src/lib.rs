//! The checks behind the targets: what holds for every body, every archive and every text, whatever they are.
//!
//! The package's own tests read this file, too, and put the seeds through it.

mod archive;

use std::io::{BufReader, Read};

use feedwall::model::{DomainName, Indicator};
use feedwall::parse::{
    Column, Condition, Fields, Filter, Format, Path, Recipe, Record, Reject, Sink, Snapshot, Take,
    Tally, Text, Urls, parse,
};

/// A check of any bytes.
pub type Check = fn(&[u8]);

/// Every check, by the name of its target and of the folder with its seeds.
pub const CHECKS: [(&str, Check); 7] = [
    ("auto", auto),
    ("csv", csv),
    ("items", items),
    ("lines", lines),
    ("normalize", normalize),
    ("stix", stix),
    ("unpack", unpack),
];

/// Whatever it is.
pub fn auto(data: &[u8]) {
    body(&[Format::Auto], data);
}

/// Tables.
pub fn csv(data: &[u8]) {
    body(&[Format::Csv], data);
}

/// The formats of JSON items, but for STIX.
pub fn items(data: &[u8]) {
    const FORMATS: [Format; 4] = [
        Format::Json,
        Format::Ndjson,
        Format::Misp,
        Format::MispWarninglist,
    ];
    body(&FORMATS, data);
}

/// The formats of one row a line.
pub fn lines(data: &[u8]) {
    const FORMATS: [Format; 5] = [
        Format::Text,
        Format::Hosts,
        Format::Adblock,
        Format::Dshield,
        Format::Rpz,
    ];
    body(&FORMATS, data);
}

/// STIX bundles and TAXII envelopes, with their patterns.
pub fn stix(data: &[u8]) {
    body(&[Format::Stix], data);
}

/// Archives: any bytes end in plain bytes within the limit, or in an error that says what is wrong.
pub fn unpack(data: &[u8]) {
    archive::check(data);
}

/// Normalization: what is taken is in its one form, and what that form says is taken again.
pub fn normalize(data: &[u8]) {
    let _ = Indicator::from_key(data).map(|read| assert_eq!(read.key(), data));
    let text = String::from_utf8_lossy(data);
    if let Ok(indicator) = Indicator::try_new(&text) {
        canonical(&indicator);
    }
    if let Ok(name) = DomainName::try_new(&text) {
        assert_eq!(DomainName::try_new(name.as_str()).as_ref(), Ok(&name));
        assert_eq!(
            DomainName::from_canonical(name.as_str()).as_ref(),
            Ok(&name)
        );
        assert!(name.as_str().len() <= 253);
        assert_eq!(name.self_and_parents().next(), Some(name.as_str()));
    }
    // What the config says of columns, conditions and ways is read by hand, too.
    let _ = (
        Column::from_key(&text),
        Condition::try_new(&text),
        Path::try_new(&text),
    );
}

/// Reads a body in one of `formats`, chosen by its first byte; the second one sets the options.
fn body(formats: &[Format], data: &[u8]) {
    let [which, options, body @ ..] = data else {
        return;
    };
    let format = formats[usize::from(*which) % formats.len()];
    let recipe = recipe(format, *options);
    let surely = options & 1 == 0;
    let all = read(&recipe, &mut &body[..], surely);
    check(body, &all);
    // However the bytes come, the same is read from them.
    let drip = usize::from(*which >> 4) + 1;
    let slowly = &mut BufReader::with_capacity(drip, Drip(body, drip));
    assert_eq!(read(&recipe, slowly, surely), all, "read {drip} at a time");
    let again = read(&recipe, &mut &body[..], surely);
    assert_eq!(again, all, "read twice");
    sorted(&recipe, body, surely, &all);
    surely_or_not(&recipe, body, surely, &all);
}

/// The recipe with the options that the bits of `options` stand for.
fn recipe(format: Format, options: u8) -> Recipe {
    let mut recipe = Recipe::new(format);
    if options & 2 != 0 {
        recipe.urls = Urls::Host;
    }
    recipe.observables = options & 4 != 0;
    recipe.all_attributes = options & 4 != 0;
    if format == Format::Text {
        recipe.separator =
            [None, Some(b','), Some(b';'), Some(b' ')][usize::from(options >> 3 & 3)];
    }
    if !format.has_fields() {
        return recipe;
    }
    recipe.fields = match (options >> 3) & 7 {
        0 => Fields::default(),
        1 => named(),
        2 => taken(Take::Network {
            address: Column::Number(1),
            length: Column::Number(2),
        }),
        3 => taken(Take::Range {
            start: Column::Number(1),
            end: Column::Number(2),
        }),
        4 => taken(Take::Block {
            start: Column::Number(1),
            end: Column::Number(2),
            length: Column::Number(3),
        }),
        5 => taken(Take::One(Column::Name("ip".into()))),
        6 => taken(Take::One(Column::Number(3))),
        _ => taken(Take::One(Column::Name("/a/b".into()))),
    };
    recipe.delimiter = match options >> 6 {
        0 => None,
        1 => Some(b'#'),
        2 => Some(b','),
        _ => Some(b'\t'),
    };
    if format == Format::Json && options >> 6 == 1 {
        recipe.items = Path::try_new("/data").unwrap();
    }
    if matches!(format, Format::Json | Format::Ndjson) && options >> 7 == 1 {
        recipe.made_at = Some(Path::try_new("/timestamp").unwrap());
    }
    recipe
}

fn taken(indicator: Take) -> Fields {
    Fields {
        indicator,
        ..Fields::default()
    }
}

/// Every field, and filters of each kind.
fn named() -> Fields {
    let column = |word: &str| Column::Name(word.into());
    let filter = |word: &str, condition: &str| Filter {
        column: column(word),
        condition: Condition::try_new(condition).unwrap(),
    };
    Fields {
        indicator: Take::One(column("ip")),
        filters: vec![filter("kind", "!=md5"), filter("score", ">=50")],
        confidence: Some(column("score")),
        dated: Some(column("seen")),
        valid_until: Some(column("until")),
    }
}

/// Everything that was read, in the body's order.
#[derive(Debug, Default, PartialEq)]
struct All {
    records: Vec<Record>,
    rejects: Vec<Reject>,
    tally: Tally,
}

impl Sink for All {
    fn record(&mut self, record: Record) {
        self.records.push(record);
    }

    fn reject(&mut self, reject: Reject) {
        self.rejects.push(reject);
    }
}

fn read(recipe: &Recipe, body: &mut dyn std::io::BufRead, ends_surely: bool) -> All {
    let mut all = All::default();
    let text = Text { body, ends_surely };
    all.tally = parse(recipe, text, &mut all).expect("bytes in memory can be read");
    all
}

/// What every record and every reject keeps to.
fn check(body: &[u8], all: &All) {
    let length = body.len() as u64;
    let ends = body.iter().filter(|byte| matches!(byte, b'\n' | b'\r'));
    let lines = ends.count() as u64 + 1;
    assert!(all.tally.bytes <= length);
    assert!(all.tally.lines <= lines);
    assert!(all.rejects.len() as u64 <= all.tally.rows);
    for record in &all.records {
        canonical(&record.indicator);
        assert!(record.confidence.is_none_or(|percent| percent <= 100));
    }
    for reject in &all.rejects {
        assert!((1..=lines).contains(&reject.line), "{reject:?}");
        assert!(reject.byte <= length, "{reject:?}");
        // Each of 200 bytes may have become the three of a replacement character.
        assert!(reject.text.len() <= 600, "{reject:?}");
        assert!(!reject.reason.to_string().is_empty());
    }
}

/// An indicator's text and key are those of itself.
fn canonical(indicator: &Indicator) {
    let text = indicator.to_string();
    assert_eq!(Indicator::try_new(&text).as_ref(), Ok(indicator), "{text}");
    let key = indicator.key();
    assert_eq!(Indicator::from_key(&key).as_ref(), Ok(indicator), "{text}");
    assert_eq!(&indicator.borrowed().to_owned(), indicator);
}

/// A snapshot holds what was read, each once, in the order of the keys.
fn sorted(recipe: &Recipe, body: &[u8], ends_surely: bool, all: &All) {
    const MOST: usize = 100_000;
    let text = Text {
        body: &mut &body[..],
        ends_surely,
    };
    let snapshot = Snapshot::read(recipe, text, MOST).expect("bytes in memory can be read");
    assert_eq!(snapshot.rejects().total(), all.rejects.len() as u64);
    if snapshot.overflowed() {
        return;
    }
    let keys: Vec<_> = snapshot
        .rows()
        .map(|row| row.indicator.to_owned().key())
        .collect();
    assert!(keys.is_sorted_by(|one, other| one < other));
    let mut read: Vec<_> = all.records.iter().map(|one| one.indicator.key()).collect();
    read.sort();
    read.dedup();
    assert_eq!(keys, read);
    assert_eq!(snapshot.len(), keys.len());
}

/// A body whose end is not sure gives nothing that it does not give when its end is.
fn surely_or_not(recipe: &Recipe, body: &[u8], surely: bool, all: &All) {
    if recipe.format == Format::Auto {
        return;
    }
    let other = read(recipe, &mut &body[..], !surely);
    let (more, less) = if surely { (all, &other) } else { (&other, all) };
    assert!(more.records.starts_with(&less.records), "{less:?} {more:?}");
}

/// Gives so many bytes at a time.
struct Drip<'a>(&'a [u8], usize);

impl Read for Drip<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let most = into.len().min(self.1).min(self.0.len());
        let (head, rest) = self.0.split_at(most);
        into[..most].copy_from_slice(head);
        self.0 = rest;
        Ok(most)
    }
}
