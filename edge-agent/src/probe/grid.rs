//! The grid that an installer points with: 13 columns A to M and 10 rows 1 to 10 of points over the
//! picture, `A1` its top left corner, `M10` its bottom right. Pure. Lines and zones are given by points;
//! here they become shares of the picture's width and height. Drawing is `still`'s.

use std::fmt;

use protocol::{RuleId, Severity};
use settings::Span;

use crate::pipeline::{DirectionFilter, Line, Zone};

/// Cells across and down; there is one more point each way.
pub const ACROSS: u8 = 12;
pub const DOWN: u8 = 9;
/// Most corners of a zone.
const MOST_CORNERS: usize = 32;

/// A point of the grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GridPoint {
    /// 0 is the left edge.
    pub column: u8,
    /// 0 is the upper edge.
    pub row: u8,
}

/// Why a rule can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GridError {
    #[error("`{0}` is no point of the grid: use A1 (top left) to M10 (bottom right)")]
    Point(String),
    #[error("`{0}` is no line: write it like \"gate:C4-F7\" or \"gate:C4-F7:left\" (left, right or any)")]
    Line(String),
    #[error(
        "`{0}` is no zone: write it like \"yard:B2,D2,D6,B6\" with 3 to {MOST_CORNERS} points, or \"yard:B2,D2,D6,B6:15s\" for those who stay"
    )]
    Zone(String),
}

impl GridError {
    /// The same in Chinese.
    pub fn zh(&self) -> String {
        match self {
            Self::Point(text) => format!("`{text}` 不是网格上的点：用 A1（左上）到 M10（右下）"),
            Self::Line(text) => {
                format!("`{text}` 不是线：写成 \"门口:C4-F7\" 或 \"门口:C4-F7:left\"（left、right 或 any）")
            }
            Self::Zone(text) => format!(
                "`{text}` 不是区域：写成 \"院子:B2,D2,D6,B6\"，3 到 {MOST_CORNERS} 个点；要停留才算的写 \"院子:B2,D2,D6,B6:15s\""
            ),
        }
    }
}

impl std::str::FromStr for GridPoint {
    type Err = GridError;
    fn from_str(text: &str) -> Result<Self, GridError> {
        let wrong = || GridError::Point(crate::wording::plain(text, 20));
        let mut letters = text.trim().chars();
        let column = letters.next().map(|c| c.to_ascii_uppercase()).filter(char::is_ascii_uppercase);
        let column = column.map(|c| c as u8 - b'A').filter(|c| *c <= ACROSS).ok_or_else(wrong)?;
        let digits = letters.as_str();
        let is_number = !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit());
        let row = digits.parse::<u8>().ok().filter(|n| is_number && (1..=DOWN + 1).contains(n));
        Ok(Self { column, row: row.ok_or_else(wrong)? - 1 })
    }
}

impl fmt::Display for GridPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", char::from(b'A' + self.column), self.row + 1)
    }
}

impl GridPoint {
    /// Shares of width and height, to four places.
    pub fn normalised(self) -> [f32; 2] {
        let share = |n: u8, of: u8| (f32::from(n) / f32::from(of) * 10_000.0).round() / 10_000.0;
        [share(self.column, ACROSS), share(self.row, DOWN)]
    }
}

/// `name:C4-F7[:left|right|any]`; `number` names a line whose name is no identifier (a Chinese one).
pub fn line(text: &str, number: usize) -> Result<Line, GridError> {
    let wrong = || GridError::Line(crate::wording::plain(text, 80));
    let (name, points, rest) = parts(text).ok_or_else(wrong)?;
    let (a, b) = points.split_once('-').ok_or_else(wrong)?;
    let (a, b): (GridPoint, GridPoint) = (a.parse()?, b.parse()?);
    let direction = match rest.map(str::to_ascii_lowercase).as_deref() {
        None | Some("both" | "any") => DirectionFilter::Any,
        Some("left") => DirectionFilter::Left,
        Some("right") => DirectionFilter::Right,
        Some(_) => return Err(wrong()),
    };
    let (name, title) = named(name, "line", number).ok_or_else(wrong)?;
    let defaults = edge_core::LineRule::MARGIN;
    Ok(Line {
        name,
        title,
        a: a.normalised(),
        b: b.normalised(),
        direction,
        severity: Severity::Medium,
        classes: Vec::new(),
        margin: defaults,
        settle: Span(edge_core::LineRule::SETTLE),
    })
}

/// `name:B2,D2,D6,B6`: an alert for each who enters; with `:15s` for each who stays so long.
pub fn zone(text: &str, number: usize) -> Result<Zone, GridError> {
    let wrong = || GridError::Zone(crate::wording::plain(text, 80));
    let (name, points, rest) = parts(text).ok_or_else(wrong)?;
    let corners: Result<Vec<GridPoint>, GridError> = points.split(',').map(str::parse).collect();
    let polygon: Vec<[f32; 2]> = corners?.into_iter().map(GridPoint::normalised).collect();
    if !(3..=MOST_CORNERS).contains(&polygon.len()) {
        return Err(wrong());
    }
    let loitering = match rest {
        None | Some("entry") => None,
        Some(time) => Some(time.parse::<Span>().map_err(|_| wrong())?),
    };
    let (name, title) = named(name, "zone", number).ok_or_else(wrong)?;
    Ok(Zone {
        name,
        title,
        polygon,
        entry: loitering.is_none(),
        loitering,
        severity: Severity::Medium,
        classes: Vec::new(),
        settle: Span(edge_core::ZoneRule::SETTLE),
        bridge: Span(edge_core::ZoneRule::BRIDGE),
    })
}

/// Name, points, and what may follow.
fn parts(text: &str) -> Option<(&str, &str, Option<&str>)> {
    let mut parts = text.split(':').map(str::trim);
    let (name, points, rest) = (parts.next()?, parts.next()?, parts.next());
    (parts.next().is_none() && !name.is_empty()).then_some((name, points, rest))
}

/// An identifier, and a title where the name is none.
fn named(name: &str, kind: &str, number: usize) -> Option<(RuleId, Option<String>)> {
    match name.parse() {
        Ok(id) => Some((id, None)),
        Err(_) => {
            let title = crate::wording::plain(name, 100);
            (!title.is_empty()).then_some(())?;
            Some((format!("{kind}-{number}").parse().ok()?, Some(title)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_is_read_as_it_is_written_and_the_corners_are_the_pictures() {
        let mut count = 0;
        for column in 0..=ACROSS {
            for row in 0..=DOWN {
                let point = GridPoint { column, row };
                assert_eq!(point.to_string().parse(), Ok(point));
                count += 1;
            }
        }
        assert_eq!(count, 130);
        assert_eq!("A1".parse::<GridPoint>().unwrap().normalised(), [0.0, 0.0]);
        assert_eq!("m10".parse::<GridPoint>().unwrap().normalised(), [1.0, 1.0]);
        assert_eq!("G4".parse::<GridPoint>().unwrap().normalised(), [0.5, 0.3333]);
        for wrong in ["", "A", "A0", "A11", "N1", "1A", "A01", "A+1", "AA1", "甲1", "A-1"] {
            assert!(wrong.parse::<GridPoint>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn lines_and_zones_are_read_with_directions_times_and_chinese_names() {
        let gate = line("gate:C4-F7", 1).unwrap();
        assert_eq!((gate.a, gate.b), ([0.1667, 0.3333], [0.4167, 0.6667]));
        assert_eq!((gate.direction, gate.title), (DirectionFilter::Any, None));
        assert_eq!(line("gate: C4-F7 :LEFT", 1).unwrap().direction, DirectionFilter::Left);
        let chinese = line("东门线:A5-M5:right", 3).unwrap();
        assert_eq!((chinese.name.as_str(), chinese.title.as_deref()), ("line-3", Some("东门线")));
        let yard = zone("yard:B2,D2,D6,B6", 1).unwrap();
        assert!(yard.entry && yard.loitering.is_none() && yard.polygon.len() == 4);
        let stay = zone("院子:B2,D2,D6:15s", 2).unwrap();
        assert!(!stay.entry && stay.loitering == Some("15s".parse().unwrap()));
    }

    #[test]
    fn what_is_wrong_is_answered_with_an_example() {
        for text in ["gate", "gate:C4", "gate:C4-F7:up", ":C4-F7", "gate:C4-F7:left:x", "gate:C4-N7"] {
            let error = line(text, 1).unwrap_err().to_string();
            assert!(error.contains("gate:C4-F7") || error.contains("A1 (top left)"), "{text}: {error}");
        }
        for text in ["yard", "yard:B2,D2", "yard:B2,D2,D6:soon", "yard:B2,,D6"] {
            let error = zone(text, 1).unwrap_err().to_string();
            assert!(error.contains("yard:B2") || error.contains("A1 (top left)"), "{text}: {error}");
        }
    }
}
