//! Units, their members, and grid areas.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use super::audit::Note;
use super::{Store, StoreError, sql};

/// Who is sent out together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Unit")]
pub struct UnitView {
    pub site: String,
    pub unit: String,
    pub name: String,
    pub members: Vec<String>,
}

/// A piece of ground, and whose it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Area")]
pub struct AreaView {
    pub site: String,
    pub area: String,
    pub name: String,
    /// `plan`: metres on the site's plan; `wgs84`: longitude, latitude.
    pub plane: String,
    pub outline: Vec<[f64; 2]>,
    pub unit: Option<String>,
    pub member: Option<String>,
}

#[derive(FromRow)]
struct AreaRow {
    site: String,
    area: String,
    name: String,
    plane: String,
    outline: String,
    unit: Option<String>,
    member: Option<String>,
}

impl Store {
    pub async fn units(&self, site: &str) -> Result<Vec<UnitView>, StoreError> {
        let text = "SELECT site, unit, name FROM units WHERE site = $1 ORDER BY unit";
        let units: Vec<(String, String, String)> = self.read().all(sql(text).bind(site)).await?;
        let text = "SELECT unit, account FROM unit_members WHERE site = $1 ORDER BY unit, account";
        let members: Vec<(String, String)> = self.read().all(sql(text).bind(site)).await?;
        let of = |unit: &str| members.iter().filter(|(u, _)| u == unit).map(|(_, who)| who.clone()).collect();
        let view = |(site, unit, name): (String, String, String)| {
            let members = of(&unit);
            UnitView { site, unit, name, members }
        };
        Ok(units.into_iter().map(view).collect())
    }

    /// Makes a unit, or makes it as given.
    pub async fn put_unit(&self, unit: &UnitView, actor: &str) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let text = "INSERT INTO units (site, unit, name) VALUES ($1, $2, $3)
            ON CONFLICT (site, unit) DO UPDATE SET name = excluded.name";
        tx.execute(sql(text).bind(&unit.site).bind(&unit.unit).bind(&unit.name)).await?;
        let gone = "DELETE FROM unit_members WHERE site = $1 AND unit = $2";
        tx.execute(sql(gone).bind(&unit.site).bind(&unit.unit)).await?;
        for account in &unit.members {
            let text = "INSERT INTO unit_members (site, unit, account) VALUES ($1, $2, $3)";
            tx.execute(sql(text).bind(&unit.site).bind(&unit.unit).bind(account)).await?;
        }
        let detail = format!("Unit {} of site {}: {}.", unit.unit, unit.site, unit.members.join(", "));
        tx.audit(Note::new("unit_set", actor, &detail).at_site(&unit.site));
        tx.commit().await
    }

    /// Takes a unit away; whether it was there. Incidents that are given to it keep its name.
    pub async fn remove_unit(&self, site: &str, unit: &str, actor: &str) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        let text = "DELETE FROM unit_members WHERE site = $1 AND unit = $2";
        tx.execute(sql(text).bind(site).bind(unit)).await?;
        let text = "UPDATE areas SET unit = NULL WHERE site = $1 AND unit = $2";
        tx.execute(sql(text).bind(site).bind(unit)).await?;
        let text = "DELETE FROM units WHERE site = $1 AND unit = $2";
        let gone = tx.execute(sql(text).bind(site).bind(unit)).await? > 0;
        if gone {
            let detail = format!("Unit {unit} of site {site} was removed.");
            tx.audit(Note::new("unit_removed", actor, &detail).at_site(site));
        }
        tx.commit().await?;
        Ok(gone)
    }

    pub async fn areas(&self, site: &str) -> Result<Vec<AreaView>, StoreError> {
        let text =
            "SELECT site, area, name, plane, outline, unit, member FROM areas WHERE site = $1 ORDER BY area";
        let rows: Vec<AreaRow> = self.read().all(sql(text).bind(site)).await?;
        let view = |row: AreaRow| {
            let AreaRow { site, area, name, plane, outline: text, unit, member } = row;
            let outline = serde_json::from_str(&text)
                .map_err(|_| StoreError::Unreadable { what: "areas.outline", value: text })?;
            Ok(AreaView { site, area, name, plane, outline, unit, member })
        };
        rows.into_iter().map(view).collect()
    }

    pub async fn put_area(&self, area: &AreaView, actor: &str) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let text = "INSERT INTO areas (site, area, name, plane, outline, unit, member)
            VALUES ($1, $2, $3, $4, $5, $6, $7)
            ON CONFLICT (site, area) DO UPDATE SET name = excluded.name, plane = excluded.plane,
                outline = excluded.outline, unit = excluded.unit, member = excluded.member";
        let outline = serde_json::json!(area.outline).to_string();
        let statement = sql(text)
            .bind(&area.site)
            .bind(&area.area)
            .bind(&area.name)
            .bind(&area.plane)
            .bind(&outline)
            .bind(&area.unit)
            .bind(&area.member);
        tx.execute(statement).await?;
        let detail = format!("Grid area {} of site {} was drawn.", area.area, area.site);
        tx.audit(Note::new("area_set", actor, &detail).at_site(&area.site));
        tx.commit().await
    }

    pub async fn remove_area(&self, site: &str, area: &str, actor: &str) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        let text = "DELETE FROM areas WHERE site = $1 AND area = $2";
        let gone = tx.execute(sql(text).bind(site).bind(area)).await? > 0;
        if gone {
            let detail = format!("Grid area {area} of site {site} was removed.");
            tx.audit(Note::new("area_removed", actor, &detail).at_site(site));
        }
        tx.commit().await?;
        Ok(gone)
    }
}
