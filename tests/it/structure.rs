//! The data has one direction: a module imports only from those that `lib.rs` lists before it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// One source file, without its comments and strings.
struct Source {
    /// Below `src`, such as `stage/send.rs`.
    path: PathBuf,
    /// The module of `lib.rs` that it belongs to.
    module: String,
    code: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The modules in the order of `lib.rs`.
fn order() -> Vec<String> {
    let lib = fs::read_to_string(root().join("lib.rs")).unwrap();
    let name = |line: &str| Some(line.strip_prefix("pub mod ")?.strip_suffix(';')?.to_owned());
    lib.lines().filter_map(name).collect()
}

/// Every file of the modules.
fn sources() -> Vec<Source> {
    let mut sources = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                sources.push(Source::read(&path));
            }
        }
    }
    sources.retain(|source| !matches!(source.module.as_str(), "lib" | "main"));
    assert!(sources.len() > 100, "the sources were found");
    sources
}

impl Source {
    fn read(path: &Path) -> Self {
        let below = path.strip_prefix(root()).unwrap().to_owned();
        let first = below.iter().next().unwrap().to_string_lossy();
        Self {
            module: first.strip_suffix(".rs").unwrap_or(&first).to_owned(),
            code: code(&fs::read_to_string(path).unwrap()),
            path: below,
        }
    }

    /// Of `modules`, those that the code reaches by way of the crate's root.
    fn imports(&self, modules: &[String]) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for after in self.code.split("crate::").skip(1) {
            let paths = match after.trim_start().strip_prefix('{') {
                Some(group) => heads(group),
                None => vec![word(after)],
            };
            found.extend(paths.into_iter().map(str::to_owned));
        }
        let to_root = "super::".repeat(self.depth());
        for after in self.code.split(&to_root).skip(1) {
            found.insert(word(after).to_owned());
        }
        found.retain(|name| modules.contains(name));
        found
    }

    /// How many `super`s lead from this file to the crate's root.
    fn depth(&self) -> usize {
        let parts = self.path.iter().count();
        if self.path.ends_with("mod.rs") {
            parts - 1
        } else {
            parts
        }
    }

    fn names(&self, name: &str) -> bool {
        let part = |sign: char| sign.is_alphanumeric() || sign == '_';
        self.code
            .split(|sign| !part(sign))
            .any(|found| found == name)
    }
}

/// The identifier at the beginning of `text`.
fn word(text: &str) -> &str {
    let text = text.trim_start();
    let end = text.find(|sign: char| !(sign.is_alphanumeric() || sign == '_'));
    &text[..end.unwrap_or(text.len())]
}

/// The first identifier of each path in a `{…}`, whose opening brace has been read.
fn heads(group: &str) -> Vec<&str> {
    let mut heads = vec![word(group)];
    let mut depth = 1;
    for (at, sign) in group.char_indices() {
        match sign {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => heads.push(word(&group[at + 1..])),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    heads
}

/// `text` without comments and without what stands in plain string literals.
fn code(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['/', '"', '\'']) {
        code.push_str(&rest[..at]);
        rest = &rest[at..];
        rest = match rest.as_bytes() {
            [b'/', b'/', ..] => &rest[rest.find('\n').unwrap_or(rest.len())..],
            [b'"', ..] => after_string(rest),
            [b'\'', b'"', b'\'', ..] => &rest[3..],
            [b'\'', b'\\', _, b'\'', ..] => &rest[4..],
            _ => {
                code.push_str(&rest[..1]);
                &rest[1..]
            }
        };
    }
    code + rest
}

fn after_string(text: &str) -> &str {
    let mut signs = text.char_indices().skip(1);
    while let Some((at, sign)) = signs.next() {
        match sign {
            '\\' => drop(signs.next()),
            '"' => return &text[at + 1..],
            _ => {}
        }
    }
    ""
}

#[test]
fn a_module_imports_only_from_those_before_it() {
    let order = order();
    let place = |name: &str| order.iter().position(|module| module == name);
    let mut wrong = BTreeSet::new();
    for source in sources() {
        let own = place(&source.module);
        let own = own.unwrap_or_else(|| panic!("lib.rs does not list {}", source.module));
        for import in source.imports(&order) {
            if place(&import) > Some(own) {
                wrong.insert(format!(
                    "{} imports {import}, which comes after {}",
                    source.path.display(),
                    source.module
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The order of the design, of which `lib.rs` may only be a longer form.
#[test]
fn the_modules_stand_in_the_order_of_the_data_s_way() {
    let order = order();
    let way = [
        "model", "fetch", "parse", "guard", "plan", "ledger", "cloud", "firewall", "stage",
        "status", "serve", "daemon", "cli",
    ];
    let places: Vec<_> = way
        .iter()
        .map(|name| order.iter().position(|module| module == name))
        .collect();
    assert!(places.iter().all(Option::is_some), "{order:?}");
    assert!(places.is_sorted(), "{order:?}");
}

#[test]
fn the_simulator_shares_nothing_with_what_it_checks() {
    let order = order();
    for source in sources().iter().filter(|source| source.module == "sim") {
        let mut imports = source.imports(&order);
        imports.remove("sim");
        assert!(
            imports.is_empty(),
            "{} imports {imports:?}",
            source.path.display()
        );
    }
}

#[test]
fn what_must_not_know_of_each_other_does_not() {
    let forbidden = [
        ("parse", "ledger"),
        ("plan", "ledger"),
        ("parse", "Ledger"),
        ("plan", "Ledger"),
        ("cloud", "Indicator"),
        ("cloud", "Entry"),
        ("model", "sqlx"),
        ("plan", "sqlx"),
        ("stage", "sqlx"),
        ("daemon", "sqlx"),
        ("cli", "sqlx"),
        ("status", "sqlx"),
        ("serve", "sqlx"),
        ("serve", "Client"),
    ];
    for source in sources() {
        for (module, name) in forbidden {
            let found = source.module == module && source.names(name);
            assert!(!found, "{} names {name}", source.path.display());
        }
    }
}

#[test]
fn the_wall_clock_is_read_in_one_file() {
    for source in sources() {
        for reading in [
            "Timestamp::now",
            "SystemTime::now",
            "Zoned::now",
            "Utc::now",
        ] {
            let found = source.code.contains(reading);
            let at = source.path.display();
            assert!(
                !found || source.path == Path::new("clock.rs"),
                "{at} calls {reading}"
            );
        }
    }
}

#[test]
fn the_reader_of_sources_sees_what_is_code() {
    let text = r#"
        use crate::{cloud::{self, Keys}, ledger, model::Name}; // crate::cli
        /// crate::daemon
        let quoted = "crate::stage"; let sign = '"'; crate::plan::plan(); let other = '\'';
        use super::super::fetch;
    "#;
    let source = |path: &str| Source {
        path: path.into(),
        module: "x".to_owned(),
        code: code(text),
    };
    let modules = [
        "cli", "cloud", "daemon", "fetch", "ledger", "model", "plan", "stage",
    ];
    let modules = modules.map(str::to_owned);
    let imports = |path: &str| {
        source(path)
            .imports(&modules)
            .into_iter()
            .collect::<Vec<_>>()
    };
    assert_eq!(
        imports("x/y.rs"),
        ["cloud", "fetch", "ledger", "model", "plan"]
    );
    assert_eq!(imports("x/y/z.rs"), ["cloud", "ledger", "model", "plan"]);
    assert!(source("x.rs").names("Keys") && !source("x.rs").names("Key"));
}
