//! Reads incidents as other systems get them: with names, place, codes, and no word that somebody wrote.

use std::collections::{BTreeMap, BTreeSet};

use hub_core::cap::{self, Message, Reference};
use protocol::exchange::{self, Camera, Circle, Codes, EXCHANGE_VERSION, Incident, Place, Point};
use protocol::{SiteId, Timestamp, kinds};
use serde::de::DeserializeOwned;

use super::{Read, Store, StoreError, Tx, sql, sql_for};
use crate::clock::now_ms;

/// Most cameras that are named, and most incidents that an absorbing one names.
const CAMERAS: usize = 100;
const ABSORBED: i64 = 100;
/// Most alerts that are asked for their rules.
const RULED: i64 = 1_000;
/// How far around a camera an incident may be: it says where its camera is, not where its people are.
const CAMERA_RADIUS_M: f64 = 50.0;
/// Earlier messages that a CAP message refers to.
const REFERENCES: i64 = 50;

/// What people call things, and what time it is for them.
#[derive(Debug, Clone, Default)]
pub struct Names {
    pub sites: BTreeMap<SiteId, String>,
    /// Kinds of a site's own list.
    pub kinds: BTreeMap<String, exchange::Names>,
    /// Sites that hold an exercise.
    pub exercises: BTreeSet<SiteId>,
    pub offset_minutes: i16,
    /// CAP's `sender` and `senderName`.
    pub sender: String,
    pub sender_name: Option<String>,
    /// The wall's address as other departments reach it.
    pub wall: Option<String>,
}

/// An incident for others, and what figures and searches need besides.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    pub incident: Incident,
    /// When its clock began.
    pub clock_from: i64,
    /// When it was acknowledged, dispatched, resolved.
    pub reached: [Option<i64>; 3],
    /// Agent and rule of its alerts, where it is over.
    pub rules: Vec<(String, String)>,
    /// More words under which it is found.
    pub texts: Vec<String>,
}

#[derive(sqlx::FromRow)]
struct IncidentRow {
    site: String,
    incident: String,
    origin: String,
    kind: String,
    test: bool,
    opened_at: i64,
    last_at: i64,
    clock_from: i64,
    alerts: i64,
    cameras: String,
    severity: i64,
    alias_of: Option<String>,
    state: String,
    version: i64,
    opener_agent: String,
    opener_camera: Option<String>,
    place: Option<String>,
    lat: Option<f64>,
    lon: Option<f64>,
}

/// Where statements run: within somebody's transaction, or on what is committed.
enum On<'a> {
    Tx(&'a mut Tx),
    Read(Read<'a>),
}

impl On<'_> {
    async fn all<R: super::Row>(&mut self, statement: super::Sql<'_>) -> Result<Vec<R>, StoreError> {
        match self {
            Self::Tx(tx) => tx.all(statement).await,
            Self::Read(read) => read.all(statement).await,
        }
    }
}

/// An incident as it is in a transaction; `None` where there is none.
pub(super) async fn told(
    tx: &mut Tx,
    names: &Names,
    site: &str,
    incident: &str,
) -> Result<Option<Told>, StoreError> {
    load(On::Tx(tx), names, site, incident).await
}

/// Names of incidents behind one, in their order.
pub(super) async fn ids_after(
    tx: &mut Tx,
    site: &str,
    incident: &str,
    most: i64,
) -> Result<Vec<(String, String)>, StoreError> {
    let statement = sql("SELECT site, incident FROM incidents WHERE (site, incident) > ($1, $2)
        ORDER BY site, incident LIMIT $3");
    tx.all(statement.bind(site).bind(incident).bind(most)).await
}

impl Store {
    /// An incident as it is now.
    pub async fn told(&self, names: &Names, site: &str, incident: &str) -> Result<Option<Told>, StoreError> {
        load(On::Read(self.read()), names, site, incident).await
    }

    /// An incident as a CAP message. That it was made is noted: later messages refer to it.
    pub async fn cap(&self, names: &Names, incident: &Incident) -> Result<String, StoreError> {
        let (site, id) = (incident.site.as_str(), incident.incident.as_str());
        let version = incident.version.cast_signed();
        let mut tx = self.write().await?;
        let statement =
            sql("INSERT INTO cap_messages (site, incident, version, sent_at) VALUES ($1, $2, $3, $4)
            ON CONFLICT (site, incident, version) DO NOTHING");
        tx.execute(statement.bind(site).bind(id).bind(version).bind(now_ms())).await?;
        let mut ids = incident.absorbed.clone();
        ids.push(id.to_owned());
        let statement = sql_for(
            "SELECT incident, version, sent_at FROM cap_messages
            WHERE site = $1 AND incident IN (SELECT value FROM json_each($2)) ORDER BY sent_at DESC, version DESC LIMIT $3",
            "SELECT incident, version, sent_at FROM cap_messages
            WHERE site = $1 AND incident = ANY($2) ORDER BY sent_at DESC, version DESC LIMIT $3",
        );
        let mut made: Vec<(String, i64, i64)> =
            tx.all(statement.bind(site).bind(ids).bind(REFERENCES)).await?;
        tx.commit().await?;
        made.reverse();
        let is_this = |row: &&(String, i64, i64)| row.0 == id && row.1 == version;
        let sent = made.iter().find(is_this).map_or_else(now_ms, |row| row.2);
        let earlier =
            made.iter().filter(|row| !is_this(row) && row.2 <= sent).map(|(incident, version, at)| {
                Reference {
                    identifier: cap::identifier(site, incident, version.cast_unsigned()),
                    sent: Timestamp::from_unix_ms(*at),
                }
            });
        let message = Message {
            sender: names.sender.clone(),
            sender_name: names.sender_name.clone(),
            sent: Timestamp::from_unix_ms(sent),
            earlier: earlier.collect(),
            offset_minutes: names.offset_minutes,
            web: names.wall.as_ref().map(|wall| format!("{wall}/incidents/{site}/{id}")),
        };
        Ok(cap::xml(incident, &message))
    }
}

async fn load(mut on: On<'_>, names: &Names, site: &str, incident: &str) -> Result<Option<Told>, StoreError> {
    let statement = sql(
        "SELECT i.site, i.incident, i.origin, i.kind, i.test, i.opened_at, i.last_at, i.clock_from, i.alerts,
            i.cameras, i.severity, i.alias_of, i.state, i.version, i.opener_agent,
            a.camera AS opener_camera, p.name AS place, p.lat, p.lon
        FROM incidents i
        LEFT JOIN alerts a ON a.agent = i.opener_agent AND a.epoch = i.opener_epoch AND a.seq = i.opener_seq
        LEFT JOIN places p ON p.site = i.site AND p.agent = a.agent AND p.camera = a.camera
        WHERE i.site = $1 AND i.incident = $2",
    );
    let rows: Vec<IncidentRow> = on.all(statement.bind(site).bind(incident)).await?;
    let Some(row) = rows.into_iter().next() else { return Ok(None) };
    let cameras = cameras(&mut on, &row).await?;
    let statement =
        sql("SELECT incident FROM incidents WHERE site = $1 AND alias_of = $2 ORDER BY incident LIMIT $3");
    let absorbed: Vec<(String,)> = on.all(statement.bind(site).bind(incident).bind(ABSORBED)).await?;
    let state: exchange::State = word("incidents.state", &row.state)?;
    let mut rules = Vec::new();
    if state.is_over() {
        let statement = sql("SELECT DISTINCT agent, rule FROM (
            SELECT agent, rule FROM alerts WHERE site = $1 AND incident = $2 ORDER BY at LIMIT $3) AS first");
        rules = on.all(statement.bind(site).bind(incident).bind(RULED)).await?;
        rules.sort();
    }
    let absorbed: Vec<String> = absorbed.into_iter().map(|(incident,)| incident).collect();
    let statement = sql("SELECT place, words, lat, lon FROM reports WHERE site = $1 AND incident = $2");
    let reports: Vec<ReportRow> = on.all(statement.bind(site).bind(incident)).await?;
    let milestones = milestones(&mut on, site, incident, &absorbed).await?;
    let mut told = tell(names, row, state, cameras, absorbed, rules)?;
    told.reached = milestones.reached;
    told.incident.changed_at = milestones.last.map(Timestamp::from_unix_ms);
    if let Some(report) = reports.into_iter().next() {
        told.incident.place = report.place_of(told.incident.place);
        // What somebody wrote is found by its words and told to nobody.
        told.texts.push(report.words);
    }
    Ok(Some(told))
}

/// What people said who opened it by hand.
#[derive(sqlx::FromRow)]
struct ReportRow {
    place: Option<String>,
    words: String,
    lat: Option<f64>,
    lon: Option<f64>,
}

impl ReportRow {
    /// Where it is, unless a camera knows better.
    fn place_of(&self, known: Option<Place>) -> Option<Place> {
        let circle = self.lat.zip(self.lon).map(|(latitude, longitude)| Circle {
            centre: Point { latitude, longitude },
            radius_m: CAMERA_RADIUS_M,
        });
        let own = Place { name: self.place.clone(), circle, polygon: Vec::new() };
        known.or_else(|| (own.name.is_some() || own.circle.is_some()).then_some(own))
    }
}

/// When work on it got how far, for the first time.
struct Milestones {
    /// Acknowledged, dispatched, resolved.
    reached: [Option<i64>; 3],
    /// The last step that changed its state.
    last: Option<i64>,
}

/// By the steps written down for it and for what it absorbed. Whoever does a later step has done the earlier
/// ones with it.
async fn milestones(
    on: &mut On<'_>,
    site: &str,
    incident: &str,
    absorbed: &[String],
) -> Result<Milestones, StoreError> {
    const DISPATCHED: [&str; 3] = ["dispatch", "accept", "arrive"];
    const RESOLVED: [&str; 2] = ["resolve", "close"];
    const ACKNOWLEDGED: [&str; 2] = ["acknowledge", "false_alarm"];
    let mut incidents = absorbed.to_vec();
    incidents.push(incident.to_owned());
    let statement = sql_for(
        "SELECT kind, min(at), max(at) FROM steps
            WHERE site = $1 AND incident IN (SELECT value FROM json_each($2)) GROUP BY kind",
        "SELECT kind, min(at), max(at) FROM steps WHERE site = $1 AND incident = ANY($2) GROUP BY kind",
    );
    let steps: Vec<(String, i64, i64)> = on.all(statement.bind(site).bind(incidents)).await?;
    let first = |of: &dyn Fn(&str) -> bool| steps.iter().filter(|s| of(&s.0)).map(|s| s.1).min();
    let acknowledges =
        |kind: &str| [&ACKNOWLEDGED[..], &DISPATCHED, &RESOLVED].iter().any(|kinds| kinds.contains(&kind));
    let last = steps.iter().filter(|s| acknowledges(&s.0) || s.0 == "reopen").map(|s| s.2).max();
    Ok(Milestones {
        reached: [
            first(&acknowledges),
            first(&|kind| DISPATCHED.contains(&kind)),
            first(&|kind| RESOLVED.contains(&kind)),
        ],
        last,
    })
}

/// The cameras that saw it with their names, the one that opened it first.
async fn cameras(on: &mut On<'_>, row: &IncidentRow) -> Result<Vec<Camera>, StoreError> {
    let unreadable = || StoreError::Unreadable { what: "incidents.cameras", value: row.cameras.clone() };
    let mut pairs: Vec<(String, String)> = serde_json::from_str(&row.cameras).map_err(|_| unreadable())?;
    let opened = |agent: &String, camera: &String| {
        *agent == row.opener_agent && Some(camera) == row.opener_camera.as_ref()
    };
    pairs.sort_by_key(|(agent, camera)| !opened(agent, camera));
    pairs.truncate(CAMERAS);
    let mut agents: Vec<String> = pairs.iter().map(|(agent, _)| agent.clone()).collect();
    agents.sort();
    agents.dedup();
    let statement = sql_for(
        "SELECT agent, camera, name FROM cameras WHERE agent IN (SELECT value FROM json_each($1))",
        "SELECT agent, camera, name FROM cameras WHERE agent = ANY($1)",
    );
    let known: Vec<(String, String, Option<String>)> = on.all(statement.bind(agents)).await?;
    let name = |agent: &str, camera: &str| known.iter().find(|k| k.0 == agent && k.1 == camera)?.2.clone();
    let read = |(agent, camera): (String, String)| {
        let name = name(&agent, &camera);
        Some(Camera { agent: agent.parse().ok()?, camera: camera.parse().ok()?, name })
    };
    Ok(pairs.into_iter().filter_map(read).collect())
}

fn tell(
    names: &Names,
    row: IncidentRow,
    state: exchange::State,
    cameras: Vec<Camera>,
    absorbed: Vec<String>,
    rules: Vec<(String, String)>,
) -> Result<Told, StoreError> {
    let unreadable = |what, value: &str| StoreError::Unreadable { what, value: value.to_owned() };
    let site: SiteId = row.site.parse().map_err(|_| unreadable("incidents.site", &row.site))?;
    let severity = match row.severity {
        ..=1 => exchange::Severity::Low,
        2 => exchange::Severity::Medium,
        3 => exchange::Severity::High,
        4.. => exchange::Severity::Critical,
    };
    let circle = row.lat.zip(row.lon).map(|(latitude, longitude)| Circle {
        centre: Point { latitude, longitude },
        radius_m: CAMERA_RADIUS_M,
    });
    let place = (row.place.is_some() || circle.is_some()).then(|| Place {
        name: row.place.clone(),
        circle,
        polygon: Vec::new(),
    });
    let terms = kinds::terms(&row.kind);
    let own_kind = names.kinds.get(&row.kind).cloned();
    let incident = Incident {
        v: EXCHANGE_VERSION,
        site_name: names.sites.get(&site).cloned(),
        version: version(&row),
        kind_name: own_kind
            .unwrap_or_else(|| exchange::Names { zh: terms.zh.to_owned(), en: terms.en.to_owned() }),
        severity,
        state,
        origin: word("incidents.origin", &row.origin)?,
        test: row.test,
        exercise: names.exercises.contains(&site),
        opened_at: Timestamp::from_unix_ms(row.opened_at),
        last_at: Timestamp::from_unix_ms(row.last_at),
        changed_at: None,
        alerts: row.alerts.max(0).cast_unsigned(),
        cameras,
        place,
        absorbed,
        absorbed_by: row.alias_of,
        codes: Codes::of(&row.kind, severity),
        kind: row.kind,
        incident: row.incident,
        site,
    };
    Ok(Told { incident, clock_from: row.clock_from, reached: [None; 3], rules, texts: Vec::new() })
}

/// Counts up with whatever changes an incident: above all what people do, then its alerts, then that it was
/// absorbed (taking it out again is something that people do).
fn version(row: &IncidentRow) -> u64 {
    let of_people = row.version.clamp(0, 1_000_000_000).cast_unsigned();
    let of_alerts = row.alerts.clamp(0, 499_999).cast_unsigned();
    of_people * 1_000_000 + of_alerts * 2 + u64::from(row.alias_of.is_some())
}

fn word<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T, StoreError> {
    let unreadable = |_| StoreError::Unreadable { what, value: text.to_owned() };
    serde_json::from_value(serde_json::Value::String(text.to_owned())).map_err(unreadable)
}
