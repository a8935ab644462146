//! Where cameras are. Each change counts up at the site's row, so that rules made of places are made anew.

use hub_core::correlate::Topology;
use protocol::SiteId;
use sqlx::FromRow;

use super::{Store, StoreError, Tx, sql};
use crate::incidents::Rules;
use crate::places::{Neighbour, Place, Said};

#[derive(FromRow)]
struct PlaceRow {
    site: String,
    agent: String,
    camera: String,
    name: Option<String>,
    x: Option<f64>,
    y: Option<f64>,
    lat: Option<f64>,
    lon: Option<f64>,
    heading: Option<f64>,
    field_of_view: Option<f64>,
    sensitive: bool,
    neighbours: String,
}

macro_rules! select_places {
    ($rest:literal) => {
        concat!(
            "SELECT site, agent, camera, name, x, y, lat, lon, heading, field_of_view, sensitive, neighbours
            FROM places ",
            $rest
        )
    };
}

impl Store {
    /// The sites that have agents, or places of cameras.
    pub async fn known_sites(&self) -> Result<Vec<String>, StoreError> {
        let text = "SELECT site FROM agents UNION SELECT site FROM sites ORDER BY site";
        let rows: Vec<(String,)> = self.read().all(sql(text)).await?;
        Ok(rows.into_iter().map(|(site,)| site).collect())
    }

    /// All places of a site, or of all.
    pub async fn places(&self, site: Option<&SiteId>) -> Result<Vec<Place>, StoreError> {
        let rows: Vec<PlaceRow> = match site {
            Some(site) => {
                let text = select_places!("WHERE site = $1 ORDER BY agent, camera");
                self.read().all(sql(text).bind(site.as_str())).await?
            }
            None => self.read().all(sql(select_places!("ORDER BY site, agent, camera"))).await?,
        };
        rows.into_iter().map(Place::try_from).collect()
    }

    /// Puts places, each in the stead of what was said of its camera before; all or none.
    pub async fn put_places(&self, places: &[Place]) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let mut sites: Vec<&SiteId> = places.iter().map(|p| &p.site).collect();
        sites.sort_unstable();
        sites.dedup();
        for site in sites {
            touch(&mut tx, site).await?;
        }
        for place in places {
            put(&mut tx, place).await?;
        }
        tx.commit().await
    }

    /// Forgets a place; whether there was one.
    pub async fn remove_place(&self, site: &SiteId, agent: &str, camera: &str) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        touch(&mut tx, site).await?;
        let text = "DELETE FROM places WHERE site = $1 AND agent = $2 AND camera = $3";
        let gone = tx.execute(sql(text).bind(site.as_str()).bind(agent).bind(camera)).await?;
        tx.commit().await?;
        Ok(gone > 0)
    }
}

/// A site's neighbours and sensitive places.
pub(super) async fn topology(tx: &mut Tx, site: &str, reach_m: f64) -> Result<Topology, StoreError> {
    let rows: Vec<PlaceRow> = tx.all(sql(select_places!("WHERE site = $1")).bind(site)).await?;
    let places = rows.into_iter().map(Place::try_from).collect::<Result<Vec<_>, _>>()?;
    let named: Vec<_> = places.iter().flat_map(Place::named).collect();
    let places: Vec<_> = places
        .iter()
        .map(|p| hub_core::correlate::Place {
            camera: p.key(),
            position: p.position(),
            sensitive: p.said.sensitive,
        })
        .collect();
    Ok(Topology::new(&places, &named, reach_m))
}

impl Store {
    /// The rules of a site, as of the `places`th change of its places.
    pub(super) async fn site_rules(
        &self,
        tx: &mut Tx,
        site: &str,
        places: i64,
    ) -> Result<std::sync::Arc<Rules>, StoreError> {
        if let Some(rules) = self.rule_book().find(site, places) {
            return Ok(rules);
        }
        let id: SiteId = site
            .parse()
            .map_err(|_| StoreError::Unreadable { what: "a site's id", value: site.to_owned() })?;
        let site_rules = self.rule_book().settings().rules(&id);
        let topology = topology(tx, site, site_rules.reach_m).await?;
        Ok(self.rule_book().keep(site, places, Rules { site: site_rules, topology }))
    }
}

async fn touch(tx: &mut Tx, site: &SiteId) -> Result<(), StoreError> {
    let text = "INSERT INTO sites (site, places) VALUES ($1, 1)
        ON CONFLICT (site) DO UPDATE SET places = sites.places + 1";
    tx.execute(sql(text).bind(site.as_str())).await?;
    Ok(())
}

async fn put(tx: &mut Tx, place: &Place) -> Result<(), StoreError> {
    let Said { name, x, y, lat, lon, heading, field_of_view, sensitive, neighbours } = &place.said;
    let neighbours: Vec<String> = neighbours.iter().cloned().map(String::from).collect();
    let text = "INSERT INTO places (site, agent, camera, name, x, y, lat, lon, heading, field_of_view, sensitive, neighbours)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        ON CONFLICT (site, agent, camera) DO UPDATE SET name = excluded.name, x = excluded.x, y = excluded.y,
            lat = excluded.lat, lon = excluded.lon, heading = excluded.heading,
            field_of_view = excluded.field_of_view, sensitive = excluded.sensitive,
            neighbours = excluded.neighbours";
    let statement = sql(text)
        .bind(place.site.as_str())
        .bind(place.agent.as_str())
        .bind(place.camera.as_str())
        .bind(name)
        .bind(x)
        .bind(y)
        .bind(lat)
        .bind(lon)
        .bind(heading)
        .bind(field_of_view)
        .bind(*sensitive)
        .bind(serde_json::json!(neighbours).to_string());
    tx.execute(statement).await?;
    Ok(())
}

impl TryFrom<PlaceRow> for Place {
    type Error = StoreError;
    fn try_from(row: PlaceRow) -> Result<Self, StoreError> {
        let unreadable = |value: &str| StoreError::Unreadable { what: "a place", value: value.to_owned() };
        let neighbours: Vec<Neighbour> =
            serde_json::from_str(&row.neighbours).map_err(|_| unreadable(&row.neighbours))?;
        Ok(Self {
            site: row.site.parse().map_err(|_| unreadable(&row.site))?,
            agent: row.agent.parse().map_err(|_| unreadable(&row.agent))?,
            camera: row.camera.parse().map_err(|_| unreadable(&row.camera))?,
            said: Said {
                name: row.name,
                x: row.x,
                y: row.y,
                lat: row.lat,
                lon: row.lon,
                heading: row.heading,
                field_of_view: row.field_of_view,
                sensitive: row.sensitive,
                neighbours,
            },
        })
    }
}
