use std::io::{BufRead, BufReader, Read};

use proptest::prelude::*;

use super::super::{Record, Reject, Sink, Tally};
use super::*;

/// Keeps rejects; takes no record.
#[derive(Default)]
struct Rejected(Vec<(u64, u64, Reason)>);

impl Sink for Rejected {
    fn record(&mut self, _: Record) {}

    fn reject(&mut self, reject: Reject) {
        assert!(
            reject.text.len() <= 600,
            "200 bytes, each at most three once decoded"
        );
        self.0.push((reject.line, reject.byte, reject.reason));
    }
}

type Seen = Vec<(u64, u64, Vec<u8>)>;

fn read(body: &mut dyn BufRead, ends_surely: bool) -> (Seen, Rejected, Tally) {
    let mut rejected = Rejected::default();
    let mut seen = Vec::new();
    let mut out = Out {
        sink: &mut rejected,
        tally: Tally::default(),
    };
    each_line(Text { body, ends_surely }, &mut out, |_, line| {
        seen.push((line.place.line, line.place.byte, line.bytes.to_vec()));
    })
    .unwrap();
    let tally = out.tally;
    (seen, rejected, tally)
}

#[test]
fn every_kind_of_line_end() {
    let (seen, rejected, tally) = read(&mut &b"\xef\xbb\xbfa\nb\r\nc\rd\n\n\r\ne"[..], true);
    let seen: Vec<_> = seen
        .iter()
        .map(|(line, byte, text)| (*line, *byte, text.as_slice()))
        .collect();
    assert_eq!(
        seen,
        [
            (1, 0, &b"a"[..]),
            (2, 5, b"b"),
            (3, 8, b"c"),
            (4, 10, b"d"),
            (5, 12, b""),
            (6, 13, b""),
            (7, 15, b"e"),
        ]
    );
    assert_eq!(rejected.0, []);
    assert_eq!((tally.lines, tally.bytes), (7, 16));
}

#[test]
fn a_last_line_without_an_end_counts_only_where_the_body_surely_ends() {
    let (seen, rejected, _) = read(&mut &b"5.6.7.8\n5.6.7.8"[..], false);
    assert_eq!(seen.len(), 1);
    assert_eq!(rejected.0, [(2, 8, Reason::CutShort)]);
    let (seen, rejected, _) = read(&mut &b"5.6.7.8\r"[..], false);
    assert_eq!((seen.len(), rejected.0.len()), (1, 0));
}

#[test]
fn a_line_of_fifty_megabytes_costs_no_memory() {
    let long = std::io::repeat(b'1').take(50_000_000);
    let body = b"before\n".chain(long).chain(&b"\nafter\n"[..]);
    let mut lines = Lines::default();
    let mut rejected = Rejected::default();
    let mut out = Out {
        sink: &mut rejected,
        tally: Tally::default(),
    };
    let mut seen = Vec::new();
    let mut each = |_: &mut Out<'_>, line: Line<'_>| seen.push(line.place.byte);
    let mut body = BufReader::new(body);
    let mut most = 0;
    loop {
        let chunk = body.fill_buf().unwrap();
        if chunk.is_empty() {
            break;
        }
        lines.chunk(chunk, &mut out, &mut each);
        most = most.max(lines.carry.capacity());
        let read = chunk.len();
        body.consume(read);
    }
    assert_eq!(seen, [0, 50_000_008]);
    assert!(most <= 4 * Reason::LONGEST, "{most}");
    assert_eq!(rejected.0, [(2, 7, Reason::TooLong)]);
}

#[test]
fn the_longest_line_is_read_and_one_byte_more_is_not() {
    for (extra, taken) in [(0, 1), (1, 0)] {
        let mut body = vec![b'x'; Reason::LONGEST + extra];
        body.push(b'\n');
        assert_eq!(read(&mut body.as_slice(), true).0.len(), taken);
        assert_eq!(
            read(&mut BufReader::with_capacity(999, body.as_slice()), true)
                .0
                .len(),
            taken
        );
    }
}

proptest! {
    /// The size of the reader's buffer decides nothing.
    #[test]
    fn chunks_do_not_matter(body in "([a-c]{0,5}(\n|\r\n|\r)){0,12}[a-c]{0,3}", size in 1..9_usize, surely: bool) {
        let whole = read(&mut body.as_bytes(), surely);
        let parts = read(&mut BufReader::with_capacity(size, body.as_bytes()), surely);
        prop_assert_eq!(&whole.0, &parts.0);
        prop_assert_eq!(&whole.1.0, &parts.1.0);
        prop_assert_eq!(whole.2, parts.2);
        prop_assert_eq!(whole.2.bytes, body.len() as u64);
        for (_, byte, text) in &whole.0 {
            let start = usize::try_from(*byte).unwrap();
            prop_assert_eq!(&body.as_bytes()[start..start + text.len()], text.as_slice());
        }
    }
}
