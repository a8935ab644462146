//! Whose ground a place is on: a site's grid areas, read once for as many places as are asked about.

use hub_core::area::{Outline, around};
use hub_core::workflow::Assignee;
use sqlx::FromRow;

use super::reports::Point;
use super::{StoreError, Tx, sql};

/// The grid areas of a site.
#[derive(Debug)]
pub(super) struct Ground(Vec<(Outline, AreaRow)>);

#[derive(Debug, FromRow)]
struct AreaRow {
    area: String,
    plane: String,
    outline: String,
    unit: Option<String>,
    member: Option<String>,
}

impl Ground {
    pub(super) async fn of(tx: &mut Tx, site: &str) -> Result<Self, StoreError> {
        let text = "SELECT area, plane, outline, unit, member FROM areas WHERE site = $1 ORDER BY area";
        let rows: Vec<AreaRow> = tx.all(sql(text).bind(site)).await?;
        let outlined = |row: AreaRow| {
            let corners = serde_json::from_str(&row.outline).ok()?;
            Some((Outline::new(corners).ok()?, row))
        };
        Ok(Self(rows.into_iter().filter_map(outlined).collect()))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The smallest area around a point, and whom it belongs to.
    pub(super) fn around(&self, point: Point) -> Option<(&str, Option<Assignee>)> {
        let (plane, at) = point.on_plane();
        let on_plane = self.0.iter().filter(|(_, row)| row.plane == plane);
        let row = around(on_plane.map(|(outline, row)| (outline, row)), at)?;
        let unit = row.unit.clone().map(Assignee::Unit);
        Some((&row.area, unit.or_else(|| row.member.clone().map(Assignee::Member))))
    }
}
