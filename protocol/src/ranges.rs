//! Sets of sequence numbers, as inclusive ranges: what is settled, what was given up.
//!
//! Pure; agent and hub share it, because an [`crate::Ack`] is one such set written down.
//! Invariant: ranges ascend and never touch, so that one set has exactly one form.

use std::collections::BTreeMap;

/// A set of sequence numbers (1 and up), kept as ranges.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RangeSet {
    /// first -> last, both inclusive.
    ranges: BTreeMap<u64, u64>,
}

impl RangeSet {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one number; whether it was new.
    pub fn insert(&mut self, seq: u64) -> bool {
        let new = !self.contains(seq);
        if new {
            self.insert_range(seq, seq);
        }
        new
    }

    /// Adds `first..=last`, merging with whatever it overlaps or touches. An empty range adds nothing.
    pub fn insert_range(&mut self, first: u64, last: u64) {
        if first > last {
            return;
        }
        let (mut first, mut last) = (first, last);
        if let Some((&f, &l)) = self.ranges.range(..first).next_back()
            && l >= first - 1
        {
            first = f;
            last = last.max(l);
        }
        while let Some((&f, &l)) = self.ranges.range(first..=last.saturating_add(1)).next() {
            self.ranges.remove(&f);
            last = last.max(l);
        }
        self.ranges.insert(first, last);
    }

    pub fn contains(&self, seq: u64) -> bool {
        self.range_of(seq).is_some()
    }

    /// The range that holds `seq`.
    pub fn range_of(&self, seq: u64) -> Option<(u64, u64)> {
        let (&first, &last) = self.ranges.range(..=seq).next_back()?;
        (seq <= last).then_some((first, last))
    }

    /// Every number from 1 up to and including this one is in the set; 0 when 1 is not.
    pub fn settled_through(&self) -> u64 {
        self.range_of(1).map_or(0, |(_, last)| last)
    }

    /// The ranges beyond [`Self::settled_through`], ascending.
    pub fn beyond(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let through = self.settled_through();
        self.iter().filter(move |(first, _)| *first > through)
    }

    /// Adds every number of another set.
    pub fn extend(&mut self, other: &RangeSet) {
        other.iter().for_each(|(first, last)| self.insert_range(first, last));
    }

    /// The parts of `first..=last` that are not in the set, ascending.
    pub fn missing(&self, first: u64, last: u64) -> Vec<(u64, u64)> {
        let mut holes = Vec::new();
        let mut from = first;
        let begin = self.range_of(first).map_or(first, |(begin, _)| begin);
        for (&a, &b) in self.ranges.range(begin..) {
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

    /// The largest number.
    pub fn last(&self) -> Option<u64> {
        self.ranges.values().next_back().copied()
    }

    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// All ranges, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.ranges.iter().map(|(f, l)| (*f, *l))
    }

    /// How many ranges there are (not how many numbers).
    pub fn range_count(&self) -> usize {
        self.ranges.len()
    }
}

impl FromIterator<(u64, u64)> for RangeSet {
    fn from_iter<I: IntoIterator<Item = (u64, u64)>>(ranges: I) -> Self {
        let mut set = Self::new();
        for (first, last) in ranges {
            set.insert_range(first, last);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn numbers(set: &RangeSet) -> BTreeSet<u64> {
        set.iter().flat_map(|(f, l)| f..=l).collect()
    }

    #[test]
    fn a_backlog_that_arrives_last_closes_the_hole() {
        let mut set = RangeSet::new();
        for seq in [4, 5, 6, 9] {
            assert!(set.insert(seq));
        }
        assert_eq!(set.settled_through(), 0);
        assert_eq!(set.beyond().collect::<Vec<_>>(), [(4, 6), (9, 9)]);
        set.insert_range(1, 3);
        assert_eq!(set.settled_through(), 6);
        assert_eq!(set.beyond().collect::<Vec<_>>(), [(9, 9)]);
        assert!(!set.insert(5), "a duplicate is not new");
    }

    #[test]
    fn the_largest_number_does_not_overflow() {
        let mut set = RangeSet::new();
        set.insert(u64::MAX);
        set.insert(u64::MAX - 1);
        set.insert(0);
        assert_eq!(set.iter().collect::<Vec<_>>(), [(0, 0), (u64::MAX - 1, u64::MAX)]);
    }

    proptest! {
        /// Against a plain set of numbers: same members, canonical form, order does not matter.
        #[test]
        fn it_is_a_set_in_canonical_form(ranges in prop::collection::vec((1u64..200, 0u64..12), 0..60)) {
            let mut set = RangeSet::new();
            let mut model = BTreeSet::new();
            for (first, length) in &ranges {
                if *length == 0 {
                    prop_assert_eq!(set.insert(*first), model.insert(*first));
                } else {
                    set.insert_range(*first, first + length);
                    model.extend(*first..=first + length);
                }
            }
            prop_assert_eq!(&numbers(&set), &model);
            let all: Vec<_> = set.iter().collect();
            for pair in all.windows(2) {
                prop_assert!(pair[0].1 + 1 < pair[1].0, "{:?} touch", pair);
            }
            let through = (1..).take_while(|n| model.contains(n)).last().unwrap_or(0);
            prop_assert_eq!(set.settled_through(), through);
            prop_assert_eq!(set.last(), model.last().copied());
            let holes: Vec<u64> = set.missing(3, 199).into_iter().flat_map(|(a, b)| a..=b).collect();
            prop_assert_eq!(holes, (3..=199).filter(|n| !model.contains(n)).collect::<Vec<_>>());
            let back: RangeSet = all.into_iter().rev().collect();
            prop_assert_eq!(back, set);
        }
    }
}
