use super::*;
use crate::parse::{Condition, Filter, Format, Record, Reject, Sink, Take, Tally, parse as read};

#[derive(Default)]
struct Kept(Vec<String>, Vec<(u64, Reason)>);

impl Sink for Kept {
    fn record(&mut self, record: Record) {
        self.0.push(record.indicator.to_string());
    }

    fn reject(&mut self, reject: Reject) {
        self.1.push((reject.line, reject.reason));
    }
}

fn name(word: &str) -> Column {
    Column::Name(word.into())
}

fn recipe(indicator: Take) -> Recipe {
    let mut recipe = Recipe::new(Format::Csv);
    recipe.fields.indicator = indicator;
    recipe
}

fn kept(recipe: &Recipe, body: &str) -> (Vec<String>, Vec<(u64, Reason)>, Tally) {
    kept_of(recipe, body, true)
}

fn kept_of(
    recipe: &Recipe,
    body: &str,
    ends_surely: bool,
) -> (Vec<String>, Vec<(u64, Reason)>, Tally) {
    let mut kept = Kept::default();
    let text = Text {
        body: &mut body.as_bytes(),
        ends_surely,
    };
    let tally = read(recipe, text, &mut kept).unwrap();
    (kept.0, kept.1, tally)
}

#[test]
fn the_header_is_found_wherever_it_stands() {
    let recipe = recipe(Take::One(name("dst_ip")));
    for body in [
        "seen,dst_ip\nx,192.0.2.7\n",
        "# note\n# seen,dst_ip\nx,192.0.2.7\n",
        "#\"seen\", \"dst_ip\"\n\"x\", \"192.0.2.7\"\n",
        "# note\n\nseen;DST_IP\nx;192.0.2.7\n",
        "seen\tdst_ip\nx\t192.0.2.7\n# the end",
        "\u{feff}seen | dst_ip\r\nx | 192.0.2.7\r\n",
    ] {
        let (taken, rejected, _) = kept(&recipe, body);
        assert_eq!(taken, ["192.0.2.7"], "{body}");
        assert_eq!(rejected, [], "{body}");
    }
    let (taken, rejected, _) = kept(
        &recipe,
        "made today\nx,192.0.2.6\nseen,dst_ip\nx,192.0.2.7\n",
    );
    assert_eq!(taken, ["192.0.2.7"]);
    assert_eq!(rejected, [(1, Reason::NoHeader), (2, Reason::NoHeader)]);
}

#[test]
fn places_need_no_header_and_pass_over_one() {
    let recipe = recipe(Take::One(Column::Number(2)));
    for body in [
        "x,192.0.2.7\n",
        "seen,dst_ip\nx,192.0.2.7\n",
        "x;192.0.2.7;a,b\n",
    ] {
        let (taken, rejected, _) = kept(&recipe, body);
        assert_eq!((taken.len(), rejected.len()), (1, 0), "{body}");
    }
    let (_, rejected, _) = kept(&recipe, "x,192.0.2.7\nx\n");
    assert_eq!(rejected, [(2, Reason::NoCell)]);
}

#[test]
fn columns_that_make_one_indicator() {
    let network = recipe(Take::Network {
        address: Column::Number(1),
        length: Column::Number(2),
    });
    let (taken, rejected, _) = kept(
        &network,
        "192.0.2.9,24\n192.0.2.9,/25\n192.0.2.9,255.255.255.192\n2001:db8::1,32\n192.0.2.9,255.0.255.0\n192.0.2.9,33\n192.0.2.9,\n2001:db8::,255.0.0.0\n",
    );
    assert_eq!(
        taken,
        [
            "192.0.2.0/24",
            "192.0.2.0/25",
            "192.0.2.0/26",
            "2001:db8::/32"
        ]
    );
    assert_eq!(rejected, [5, 6, 7, 8].map(|line| (line, Reason::Mask)));

    let range = recipe(Take::Range {
        start: name("first"),
        end: name("last"),
    });
    let (taken, rejected, _) = kept(
        &range,
        "first,last\n192.0.2.0,192.0.2.2\n192.0.2.2,192.0.2.0\n0.0.0.0,9.0.0.0\n",
    );
    assert_eq!(taken, ["192.0.2.0/31", "192.0.2.2"]);
    assert_eq!(
        rejected,
        [(3, Reason::RangeOrder), (4, Reason::RangeWidth(8))]
    );
}

#[test]
fn where_passes_over_rows_without_rejecting_them() {
    let mut recipe = recipe(Take::One(name("ioc")));
    recipe.fields.filters = [("type", "ip:port"), ("confidence", ">=75")]
        .map(|(column, condition)| Filter {
            column: name(column),
            condition: Condition::try_new(condition).unwrap(),
        })
        .to_vec();
    let body = "ioc,type,confidence\n192.0.2.1:80,ip:port,100\n192.0.2.2:80,ip:port,50\nevil.example,domain,100\n192.0.2.3:80,IP:port,75\n192.0.2.4:80,ip:port,lots\n";
    let (taken, rejected, tally) = kept(&recipe, body);
    assert_eq!(taken, ["192.0.2.1", "192.0.2.3"]);
    assert_eq!(rejected, [(6, Reason::NotANumber)]);
    assert_eq!((tally.rows, tally.passed_over), (3, 2));
}

#[test]
fn a_quoted_cell_may_go_on_over_lines_and_an_open_one_costs_its_line_alone() {
    let recipe = recipe(Take::One(Column::Number(1)));
    let (taken, rejected, _) = kept(&recipe, "192.0.2.1,\"a\n192.0.2.66\nb\"\n192.0.2.2,c\n");
    assert_eq!(taken, ["192.0.2.1", "192.0.2.2"]);
    assert_eq!(rejected, []);

    let (taken, rejected, _) = kept(
        &recipe,
        "192.0.2.1,\"a\n192.0.2.2,b\n\"192.0.2.3\",c\n192.0.2.4,d\n",
    );
    assert_eq!(taken, ["192.0.2.2", "192.0.2.3", "192.0.2.4"]);
    assert_eq!(rejected, [(1, Reason::Quotes)]);

    let (taken, rejected, _) = kept(&recipe, "192.0.2.1,\"a\n192.0.2.2,b\n192.0.2.3,c");
    assert_eq!(taken, ["192.0.2.2", "192.0.2.3"]);
    assert_eq!(rejected, [(1, Reason::Quotes)]);
}

/// Each of these once asked for the square of the body's length.
#[test]
fn the_inside_of_a_cell_is_no_row_where_the_body_may_go_on() {
    let recipe = recipe(Take::One(name("ip")));
    let body = "ip,why\n45.155.205.7,\"seen\n45.155.206.8,with\n";
    let (indicators, rejects, _) = kept_of(&recipe, body, false);
    assert!(indicators.is_empty(), "{indicators:?}");
    assert_eq!(rejects, [(2, Reason::CutShort), (3, Reason::CutShort)]);
    // Where it surely ends, the quote never closes, and costs its own line alone.
    let (indicators, rejects, _) = kept(&recipe, body);
    assert_eq!(indicators, ["45.155.206.8"]);
    assert_eq!(rejects, [(2, Reason::Quotes)]);
}

#[test]
fn quotes_that_mean_harm_are_read_in_linear_time() {
    let recipe = recipe(Take::One(Column::Number(1)));
    for (line, times) in [
        ("x,\"y\n", 20_000),
        ("\"\n", 20_000),
        ("\"\"\"\n", 20_000),
        ("\",\"\n", 20_000),
        ("a\n", 20_000),
    ] {
        let body = format!("192.0.2.1,\"\n{}192.0.2.2\n", line.repeat(times));
        let (_, rejected, tally) = kept(&recipe, &body);
        assert!(!rejected.is_empty() || tally.rows > 0);
        assert_eq!(tally.bytes, body.len() as u64);
    }
}
