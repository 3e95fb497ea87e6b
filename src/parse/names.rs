//! Many domain names in little memory: one string of all of them, and a sortable key of each.

use std::cmp::Ordering;

use super::column::{Column, Extra};

/// Names in one string.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    text: String,
    keys: Column<Key>,
}

/// Where a name lies, and its first eight bytes, which decide most comparisons without looking there.
#[derive(Clone, Copy, Debug)]
struct Key {
    head: u64,
    start: u32,
    length: u8,
}

impl Names {
    /// Adds a name; `false` where there is no room for it (4 GiB of names, or a name of more than 255
    /// bytes, which no domain has).
    pub(super) fn push(&mut self, name: &str, extra: Extra) -> bool {
        let (Ok(start), Ok(length)) = (self.text.len().try_into(), name.len().try_into()) else {
            return false;
        };
        self.text.push_str(name);
        let head = head(name.as_bytes());
        self.keys.push(
            Key {
                head,
                start,
                length,
            },
            extra,
        );
        true
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, Extra)> {
        self.keys
            .iter()
            .map(|(key, extra)| (name(&self.text, key), extra))
    }

    /// Sorts the names, makes one row of each, and lets go of the text of those that fell away.
    pub(super) fn settle(&mut self) {
        let text = &self.text;
        self.keys.settle(|one, two| order(text, *one, *two));
        let live: usize = self
            .keys
            .iter()
            .map(|(key, _)| usize::from(key.length))
            .sum();
        if live < text.len() / 2 {
            self.pack(live);
        }
    }

    pub(super) fn shrink_to_fit(&mut self) {
        self.text.shrink_to_fit();
        self.keys.shrink_to_fit();
    }

    fn pack(&mut self, live: usize) {
        let mut packed = String::with_capacity(live);
        for key in self.keys.keys_mut() {
            let start = u32::try_from(packed.len()).unwrap_or(u32::MAX);
            packed.push_str(name(&self.text, *key));
            key.start = start;
        }
        self.text = packed;
    }
}

fn head(name: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    let length = name.len().min(8);
    bytes[..length].copy_from_slice(&name[..length]);
    u64::from_be_bytes(bytes)
}

fn name(text: &str, key: Key) -> &str {
    let start = key.start as usize;
    &text[start..start + usize::from(key.length)]
}

fn order(text: &str, one: Key, two: Key) -> Ordering {
    let heads = one.head.cmp(&two.head);
    heads.then_with(|| name(text, one).cmp(name(text, two)))
}
