//! Grid areas: whose ground a place is on.
//!
//! Knows outlines only, in whatever plane coordinates they are drawn in: a site's plan, or longitude and latitude
//! (a grid area is far too small for the earth's roundness to matter). Names, members and maps are the shell's.

/// Most corners of an outline.
pub const MOST_CORNERS: usize = 500;

/// Why corners make no outline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoOutline {
    /// There are less than three, or more than [`MOST_CORNERS`].
    Corners(usize),
    /// One is no number.
    NotFinite,
    /// They lie on a line.
    Empty,
}

/// A closed outline; the last corner joins the first.
#[derive(Debug, Clone, PartialEq)]
pub struct Outline {
    corners: Vec<[f64; 2]>,
}

impl Outline {
    pub fn new(corners: Vec<[f64; 2]>) -> Result<Self, NoOutline> {
        if corners.len() < 3 || corners.len() > MOST_CORNERS {
            return Err(NoOutline::Corners(corners.len()));
        }
        if corners.iter().flatten().any(|v| !v.is_finite()) {
            return Err(NoOutline::NotFinite);
        }
        let outline = Self { corners };
        if outline.size() > 0.0 { Ok(outline) } else { Err(NoOutline::Empty) }
    }

    /// Even-odd rule. A point on an edge that two areas share is in one of them.
    pub fn contains(&self, [x, y]: [f64; 2]) -> bool {
        let meets = |([ax, ay], [bx, by]): &([f64; 2], [f64; 2])| {
            (*ay > y) != (*by > y) && x < (bx - ax) * (y - ay) / (by - ay) + ax
        };
        self.edges().filter(meets).count() % 2 == 1
    }

    /// The enclosed area, by the shoelace formula from the first corner on (far from 0, 0 this keeps its digits).
    pub fn size(&self) -> f64 {
        let [ox, oy] = self.corners[0];
        let doubled: f64 =
            self.edges().map(|([ax, ay], [bx, by])| (ax - ox) * (by - oy) - (bx - ox) * (ay - oy)).sum();
        doubled.abs() / 2.0
    }

    fn edges(&self) -> impl Iterator<Item = ([f64; 2], [f64; 2])> + '_ {
        let next = self.corners.iter().cycle().skip(1);
        self.corners.iter().copied().zip(next.copied())
    }
}

/// The smallest area around a point: a market inside a grid goes before the grid. The first of equal ones.
pub fn around<'a, T>(areas: impl IntoIterator<Item = (&'a Outline, T)>, point: [f64; 2]) -> Option<T> {
    let hit = areas.into_iter().filter(|(outline, _)| outline.contains(point));
    hit.min_by(|(a, _), (b, _)| a.size().total_cmp(&b.size())).map(|(_, whose)| whose)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(left: f64, top: f64, side: f64) -> Outline {
        let (right, bottom) = (left + side, top + side);
        Outline::new(vec![[left, top], [right, top], [right, bottom], [left, bottom]]).unwrap()
    }

    #[test]
    fn neighbours_share_no_point_and_leave_no_gap() {
        let (west, east) = (square(120.15, 30.25, 0.01), square(120.16, 30.25, 0.01));
        for y in [30.25, 30.253, 30.2599999] {
            let point = [120.15 + 0.01, y];
            assert_eq!([&west, &east].iter().filter(|a| a.contains(point)).count(), 1, "{point:?}");
        }
    }

    #[test]
    fn the_smallest_area_goes_first() {
        let (grid, market) = (square(0.0, 0.0, 10.0), square(2.0, 2.0, 1.0));
        let areas = [(&grid, "grid"), (&market, "market")];
        assert_eq!(around(areas, [2.5, 2.5]), Some("market"));
        assert_eq!(around(areas, [5.0, 5.0]), Some("grid"));
        assert_eq!(around(areas, [11.0, 5.0]), None);
        assert_eq!(around(areas, [f64::NAN, 5.0]), None);
    }

    #[test]
    fn a_dent_is_outside() {
        let dented = vec![[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [2.0, 1.0], [0.0, 4.0]];
        let dented = Outline::new(dented).unwrap();
        assert!(dented.contains([0.5, 2.0]) && !dented.contains([2.0, 2.0]));
    }

    #[test]
    fn what_encloses_nothing_is_refused() {
        let refused = |corners: &[[f64; 2]]| Outline::new(corners.to_vec()).unwrap_err();
        assert_eq!(refused(&[[0.0, 0.0], [1.0, 1.0]]), NoOutline::Corners(2));
        assert_eq!(refused(&[[0.0, 0.0]; 501]), NoOutline::Corners(501));
        assert_eq!(refused(&[[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]]), NoOutline::Empty);
        assert_eq!(refused(&[[0.0, 0.0], [1.0, f64::NAN], [2.0, 0.0]]), NoOutline::NotFinite);
    }
}
