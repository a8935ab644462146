//! Who is who: the pairing of greatest total similarity.

/// Pairs rows with columns so that the sum of similarities is greatest; a pair below its row's `least`
/// is never made. `similarity` gives 0..1; the answer is in row order, ties go to the lower index.
///
/// The shortest augmenting path form of the Hungarian method (Jonker and Volgenant, 1987), O(rows^2 *
/// columns), on a matrix in which each row has a private column that leaves it alone.
pub(crate) fn pairs(
    rows: usize,
    columns: usize,
    least: f32,
    similarity: impl Fn(usize, usize) -> f32,
) -> Vec<(usize, usize)> {
    if rows == 0 || columns == 0 {
        return Vec::new();
    }
    let width = columns + rows;
    let mut cost = vec![FORBIDDEN; rows * width];
    for row in 0..rows {
        for column in 0..columns {
            let s = similarity(row, column);
            if s >= least && s > 0.0 {
                cost[row * width + column] = -f64::from(s);
            }
        }
        cost[row * width + columns + row] = 0.0;
    }
    let owner = solve(rows, width, &cost);
    let mut found: Vec<_> = (0..columns)
        .filter_map(|column| Some((owner[column]?, column)))
        .filter(|&(row, column)| cost[row * width + column] < 0.0)
        .collect();
    found.sort_unstable();
    found
}

const FORBIDDEN: f64 = 1e6;

/// For each column, the row it belongs to in the cheapest assignment of all rows (`rows <= width`).
fn solve(rows: usize, width: usize, cost: &[f64]) -> Vec<Option<usize>> {
    let mut row_price = vec![0.0; rows];
    let mut column_price = vec![0.0; width];
    let mut owner: Vec<Option<usize>> = vec![None; width];
    for start in 0..rows {
        let mut distance = vec![f64::INFINITY; width];
        let mut from: Vec<Option<usize>> = vec![None; width];
        let mut done = vec![false; width];
        let (mut row, mut at) = (start, None);
        let free = loop {
            let base = at.map_or(0.0, |column: usize| distance[column]);
            let mut nearest: Option<usize> = None;
            for column in 0..width {
                if done[column] {
                    continue;
                }
                let d = base + cost[row * width + column] - row_price[row] - column_price[column];
                if d < distance[column] {
                    distance[column] = d;
                    from[column] = at;
                }
                if nearest.is_none_or(|n| distance[column] < distance[n]) {
                    nearest = Some(column);
                }
            }
            let Some(column) = nearest else { return owner };
            done[column] = true;
            match owner[column] {
                Some(next) => (row, at) = (next, Some(column)),
                None => break column,
            }
        };
        let length = distance[free];
        for column in (0..width).filter(|&c| done[c]) {
            column_price[column] += distance[column] - length;
            if let Some(row) = owner[column] {
                row_price[row] += length - distance[column];
            }
        }
        row_price[start] += length;
        let mut column = free;
        while let Some(before) = from[column] {
            owner[column] = owner[before];
            column = before;
        }
        owner[column] = Some(start);
    }
    owner
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_best_sum_wins_over_the_best_single_pair() {
        let s = [[0.9, 0.8], [0.8, 0.1]];
        assert_eq!(pairs(2, 2, 0.0, |r, c| s[r][c]), [(0, 1), (1, 0)]);
    }

    #[test]
    fn what_is_not_alike_enough_stays_alone() {
        let s = [[0.9, 0.0], [0.8, 0.1]];
        assert_eq!(pairs(2, 2, 0.2, |r, c| s[r][c]), [(0, 0)]);
        assert_eq!(pairs(2, 0, 0.2, |_, _| 1.0), []);
        assert_eq!(pairs(1, 1, 0.0, |_, _| f32::NAN), []);
    }

    fn best_by_trying(s: &[Vec<f32>], row: usize, taken: u32) -> f32 {
        if row == s.len() {
            return 0.0;
        }
        let alone = best_by_trying(s, row + 1, taken);
        (0..s[row].len())
            .filter(|c| taken & (1 << c) == 0)
            .map(|c| s[row][c] + best_by_trying(s, row + 1, taken | 1 << c))
            .fold(alone, f32::max)
    }

    proptest! {
        #[test]
        fn no_other_pairing_is_better(
            s in (1usize..5, 1usize..5).prop_flat_map(|(r, c)| {
                proptest::collection::vec(proptest::collection::vec(0f32..1.0, c), r)
            })
        ) {
            let found = pairs(s.len(), s[0].len(), 0.0, |r, c| s[r][c]);
            let sum: f32 = found.iter().map(|&(r, c)| s[r][c]).sum();
            prop_assert!((sum - best_by_trying(&s, 0, 0)).abs() < 1e-4);
            for (i, a) in found.iter().enumerate() {
                prop_assert!(found[i + 1..].iter().all(|b| a.0 != b.0 && a.1 != b.1));
            }
        }
    }
}
