//! Proposes what alerts opened to whose ground it is on.
//!
//! It happens where the hub looks at a new incident, a moment after its alerts were stored: storing pays nothing, and
//! a site's areas and places are read once for all that are looked at together. The place is that of the
//! camera that saw it first, by the alerts' own times, among those that stand in somebody's area: alerts
//! that come late or in another order end in the same proposal. As soon as somebody works on it, it is theirs.

use std::collections::BTreeMap;

use hub_core::workflow::{Assignee, State};
use serde_json::json;

use super::Case;
use super::facts::{Written, add};
use crate::store::ground::Ground;
use crate::store::reports::Point;
use crate::store::{StoreError, Tx, audit, sql, sql_for};
use crate::work::Rules;

/// Most cameras of an incident that are asked about.
const CAMERAS: i64 = 100;

/// What was read of the sites so far.
#[derive(Default)]
pub(super) struct Sites(BTreeMap<String, Site>);

struct Site {
    ground: Ground,
    places: BTreeMap<(String, String), Point>,
}

/// A camera, the area it stands in, and whose that is.
struct Found {
    camera: String,
    area: String,
    to: Assignee,
}

impl Sites {
    pub(super) async fn propose(
        &mut self,
        tx: &mut Tx,
        rules: &Rules,
        case: &mut Case,
    ) -> Result<(), StoreError> {
        // What people opened was proposed by where they said it is.
        if case.row.test || case.reporter.is_some() || case.standing.state != State::New || is_given(case) {
            return Ok(());
        }
        let site = self.site(tx, &case.row.site).await?;
        if site.ground.is_empty() {
            return Ok(());
        }
        let Some(Found { camera, area, to }) = site.first(tx, case).await? else { return Ok(()) };
        if case.standing.assigned.as_ref() == Some(&to) {
            return Ok(());
        }
        let why = json!({ "area": area, "camera": camera });
        let proposed = Written { to: Some(&to), ..Written::by_hub(case.next_time(), "assign", why) };
        add(tx, case, &proposed).await?;
        case.stand(rules);
        Ok(())
    }

    async fn site(&mut self, tx: &mut Tx, site: &str) -> Result<&Site, StoreError> {
        if !self.0.contains_key(site) {
            let ground = Ground::of(tx, site).await?;
            let places = if ground.is_empty() { BTreeMap::new() } else { places(tx, site).await? };
            self.0.insert(site.to_owned(), Site { ground, places });
        }
        Ok(&self.0[site])
    }
}

/// Whether somebody has given it to somebody.
fn is_given(case: &Case) -> bool {
    let gives = |kind: &str| matches!(kind, "assign" | "dispatch" | "accept");
    case.history.iter().any(|row| gives(&row.kind) && row.actor != audit::HUB)
}

impl Site {
    async fn first(&self, tx: &mut Tx, case: &Case) -> Result<Option<Found>, StoreError> {
        let text = sql_for(
            "SELECT agent, camera, min(first) FROM runs
                WHERE site = $1 AND incident IN (SELECT value FROM json_each($2))
                GROUP BY agent, camera ORDER BY 3, 1, 2 LIMIT $3",
            "SELECT agent, camera, min(first) FROM runs WHERE site = $1 AND incident = ANY($2)
                GROUP BY agent, camera ORDER BY 3, 1, 2 LIMIT $3",
        );
        let parts: Vec<String> = case.parts.iter().map(|part| part.incident.clone()).collect();
        let cameras: Vec<(String, String, i64)> =
            tx.all(text.bind(&case.row.site).bind(parts).bind(CAMERAS)).await?;
        let found = |(agent, camera, _): (String, String, i64)| {
            let name = format!("{agent}/{camera}");
            let (area, to) = self.ground.around(*self.places.get(&(agent, camera))?)?;
            Some(Found { camera: name, area: area.to_owned(), to: to? })
        };
        Ok(cameras.into_iter().find_map(found))
    }
}

async fn places(tx: &mut Tx, site: &str) -> Result<BTreeMap<(String, String), Point>, StoreError> {
    type Row = (String, String, Option<f64>, Option<f64>, Option<f64>, Option<f64>);
    let text = "SELECT agent, camera, x, y, lat, lon FROM places WHERE site = $1";
    let rows: Vec<Row> = tx.all(sql(text).bind(site)).await?;
    let point = |(agent, camera, x, y, lat, lon): Row| {
        let plan = x.zip(y).map(|(x, y)| Point::Plan { x, y });
        let point = plan.or(lat.zip(lon).map(|(lat, lon)| Point::Earth { lat, lon }))?;
        Some(((agent, camera), point))
    };
    Ok(rows.into_iter().filter_map(point).collect())
}
