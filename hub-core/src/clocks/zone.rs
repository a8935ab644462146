//! Local time: which offset from UTC counts from when on.

/// A time zone as the list of its offsets. China has one entry: +08:00.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// (from, offset), both ms, in order; the first counts from the beginning.
    offsets: Vec<(i64, i64)>,
}

impl Zone {
    pub fn fixed(offset_minutes: i32) -> Self {
        Self { offsets: vec![(i64::MIN, i64::from(offset_minutes) * 60_000)] }
    }

    /// From the first offset and the later changes: (from when, ms; offset, ms). What is out of order is left out.
    pub fn changing(first_offset: i64, changes: impl IntoIterator<Item = (i64, i64)>) -> Self {
        let mut offsets = vec![(i64::MIN, first_offset)];
        for (from, offset) in changes {
            let (last_from, last_offset) = offsets[offsets.len() - 1];
            if from > last_from && offset != last_offset {
                offsets.push((from, offset));
            }
        }
        Self { offsets }
    }

    /// What a clock on the wall there shows, as ms since 1970 of the local calendar.
    pub fn local(&self, utc: i64) -> i64 {
        let n = self.offsets.partition_point(|(from, _)| *from <= utc);
        utc.saturating_add(self.offsets[n.saturating_sub(1)].1)
    }

    /// The stretches of one offset that end after `utc`: (from, to, offset), in order.
    pub(super) fn stretches(&self, utc: i64) -> impl Iterator<Item = (i64, i64, i64)> + '_ {
        let ends = self.offsets.iter().skip(1).map(|(from, _)| *from).chain([i64::MAX]);
        let all = self.offsets.iter().zip(ends).map(|((from, offset), to)| (*from, to, *offset));
        all.filter(move |(_, to, _)| *to > utc)
    }
}
