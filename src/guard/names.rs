//! The guarded names: a lookup of a name, of the names above it, and of what is guarded below it.

use std::collections::HashMap;

use super::allowlist::Matching;
use super::roll::Id;

/// Every guarded name, and every name above one.
#[derive(Debug, Default)]
pub(super) struct Names {
    nodes: HashMap<Box<str>, Node>,
}

/// Which guards stand at a name.
#[derive(Clone, Copy, Debug, Default)]
struct Node {
    /// Guards this name alone.
    exact: Option<Id>,
    /// Guards this name and all below it.
    tree: Option<Id>,
    /// Guards a name below this one.
    below: Option<Id>,
}

impl Names {
    /// Takes a guarded name. Of several guards in one place, the least by `prefer` is named.
    pub(super) fn add<K: Ord>(
        &mut self,
        name: &str,
        matching: Matching,
        id: Id,
        prefer: impl Fn(Id) -> K,
    ) {
        let node = self.node(name);
        let here = match matching {
            Matching::Exact => &mut node.exact,
            Matching::Subdomains => &mut node.tree,
        };
        keep(here, id, &prefer);
        for above in upwards(name).skip(1) {
            keep(&mut self.node(above).below, id, &prefer);
        }
    }

    fn node(&mut self, name: &str) -> &mut Node {
        self.nodes.entry(name.into()).or_default()
    }

    /// The guards that cover `name`: its own, then those of the names above it.
    pub(super) fn covering(&self, name: &str) -> impl Iterator<Item = Id> {
        let exact = self.nodes.get(name).and_then(|node| node.exact);
        let trees = upwards(name).filter_map(|above| self.nodes.get(above)?.tree);
        exact.into_iter().chain(trees)
    }

    /// The guard of a name below `name`.
    pub(super) fn below(&self, name: &str) -> Option<Id> {
        self.nodes.get(name)?.below
    }
}

fn keep<K: Ord>(place: &mut Option<Id>, id: Id, prefer: impl Fn(Id) -> K) {
    let held = place.get_or_insert(id);
    if prefer(id) < prefer(*held) {
        *held = id;
    }
}

/// A name, then each name above it, down to its last label alone.
fn upwards(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |here| {
        here.split_once('.').map(|(_, above)| above)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lies_below(name: &str, above: &str) -> bool {
        name.strip_suffix(above)
            .is_some_and(|head| head.ends_with('.'))
    }

    #[test]
    fn upwards_ends_at_the_last_label() {
        let names: Vec<&str> = upwards("a.b.example.co.uk").collect();
        assert_eq!(
            names,
            [
                "a.b.example.co.uk",
                "b.example.co.uk",
                "example.co.uk",
                "co.uk",
                "uk"
            ]
        );
    }

    proptest! {
        #[test]
        fn names_are_covered_and_held_as_the_naive_model_says(
            guards in prop::collection::vec(("([ab]\\.){0,3}[cd]", any::<bool>()), 0..8),
            name in "([ab]\\.){0,4}[cd]",
        ) {
            let mut names = Names::default();
            for (id, (guarded, exact)) in (0..).zip(&guards) {
                let matching = if *exact { Matching::Exact } else { Matching::Subdomains };
                names.add(guarded, matching, id, |id| id);
            }
            let covers = |(guarded, exact): &&(String, bool)| {
                *guarded == name || (!exact && lies_below(&name, guarded))
            };
            let by_least = names.covering(&name).min();
            let expected = guards.iter().position(|guard| covers(&guard));
            prop_assert_eq!(by_least.map(|id| id as usize), expected);
            let below = guards.iter().position(|(guarded, _)| lies_below(guarded, &name));
            prop_assert_eq!(names.below(&name).map(|id| id as usize), below);
        }
    }
}
