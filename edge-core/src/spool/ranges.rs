//! A set of sequence numbers as ascending, inclusive ranges that never touch.

use std::collections::BTreeMap;

/// First number of a range -> its last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ranges(BTreeMap<u64, u64>);

impl Ranges {
    /// Adds `first..=last`; an empty range (`first > last`) adds nothing.
    pub fn insert(&mut self, first: u64, last: u64) {
        if first > last {
            return;
        }
        let (mut first, mut last) = (first, last);
        // Ranges that begin before the new one's end (or right behind it) may touch it.
        while let Some((&a, &b)) = self.0.range(..=last.saturating_add(1)).next_back() {
            if b.saturating_add(1) < first {
                break;
            }
            self.0.remove(&a);
            first = first.min(a);
            last = last.max(b);
        }
        self.0.insert(first, last);
    }

    pub fn contains(&self, seq: u64) -> bool {
        self.0.range(..=seq).next_back().is_some_and(|(_, &last)| seq <= last)
    }

    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.0.iter().map(|(&a, &b)| (a, b))
    }

    pub fn extend(&mut self, other: &Ranges) {
        for (a, b) in other.iter() {
            self.insert(a, b);
        }
    }

    /// The parts of `first..=last` that are not in the set.
    pub fn missing(&self, first: u64, last: u64) -> Vec<(u64, u64)> {
        let mut holes = Vec::new();
        let mut from = first;
        let begin = self.0.range(..=first).next_back().map_or(first, |(&a, _)| a);
        for (&a, &b) in self.0.range(begin..) {
            if from > last || a > last {
                break;
            }
            if a > from {
                holes.push((from, a - 1));
            }
            from = from.max(b.saturating_add(1));
        }
        if from <= last && !self.contains(from) {
            holes.push((from, last));
        }
        holes
    }

    pub fn last(&self) -> Option<u64> {
        self.0.values().next_back().copied()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ranges_are_a_set(spans in prop::collection::vec((1u64..80, 0u64..12), 0..30)) {
            let (mut ranges, mut model) = (Ranges::default(), BTreeSet::new());
            for (first, length) in spans {
                ranges.insert(first, first + length);
                model.extend(first..=first + length);
            }
            for seq in 0..100 {
                prop_assert_eq!(ranges.contains(seq), model.contains(&seq));
            }
            let missing: Vec<u64> = ranges.missing(1, 99).into_iter().flat_map(|(a, b)| a..=b).collect();
            prop_assert_eq!(missing, (1..=99).filter(|s| !model.contains(s)).collect::<Vec<_>>());
            let list: Vec<_> = ranges.iter().collect();
            prop_assert!(list.windows(2).all(|w| w[0].1 + 1 < w[1].0));
        }
    }
}
