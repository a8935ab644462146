//! Reads the change log on, for everybody outside the incident itself: search, figures, webhooks' receivers.
//!
//! An incident's change is in the log by the transaction that made it, so nothing is missed; what follows from
//! it is written in one transaction with how far the log was read, so nothing is done twice. Ingest pays nothing.
//! One process reads at a time; whoever comes later finds it done.

use std::collections::BTreeSet;

use hub_core::figures::{self, Until};
use hub_core::words;

use super::changes::Subject;
use super::exchange::{self, Names, Told};
use super::figures::Part;
use super::{Store, StoreError, Tx, deliveries, search, sql};
use crate::clock::now_ms;
use crate::webhooks::Webhook;

/// Whose place in the log it is.
const FOLLOWER: &str = "outside";
/// Changes read at a time, and incidents worked on: the database's only writer on SQLite is held meanwhile.
const CHANGES: i64 = 10_000;
const INCIDENTS: usize = 100;

/// What one pass came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// Everything that is committed was read, and there was something.
    Done,
    /// Nothing was new.
    Idle,
    /// There is more.
    More,
}

impl Store {
    /// Reads the log on a bit.
    pub async fn follow_outside(&self, names: &Names, receivers: &[Webhook]) -> Result<Pass, StoreError> {
        let place = "SELECT through, scan FROM followers WHERE name = $1";
        let (through, scan): (i64, Option<String>) = self.read().one(sql(place).bind(FOLLOWER)).await?;
        if scan.is_none() && through == self.latest_change().await? {
            return Ok(Pass::Idle);
        }
        let mut tx = self.write().await?;
        tx.lock(FOLLOWER).await?;
        // Another process may have read on meanwhile.
        let (through, scan): (i64, Option<String>) = tx.one(sql(place).bind(FOLLOWER)).await?;
        let pass = match scan {
            Some(scan) => read_anew(&mut tx, names, through, &scan).await?,
            None => read_on(&mut tx, names, receivers, through).await?,
        };
        tx.commit().await?;
        Ok(pass)
    }

    /// Reads everything anew from the next pass on. Receivers are not told again.
    pub async fn follow_anew(&self) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        tx.lock(FOLLOWER).await?;
        let statement = sql("UPDATE followers SET scan = '' WHERE name = $1");
        tx.execute(statement.bind(FOLLOWER)).await?;
        tx.commit().await
    }
}

async fn read_on(
    tx: &mut Tx,
    names: &Names,
    receivers: &[Webhook],
    through: i64,
) -> Result<Pass, StoreError> {
    let statement = sql("SELECT change, subject FROM changes WHERE change > $1 ORDER BY change LIMIT $2");
    let rows: Vec<(i64, String)> = tx.all(statement.bind(through).bind(CHANGES)).await?;
    let Some((first, _)) = rows.first() else { return Ok(Pass::Idle) };
    if *first != through + 1 {
        // Some were dropped, or the database was restored: whatever they were about, it is read anew.
        tracing::warn!(through, first, "the change log was read too late, incidents are read anew");
        let statement = sql("UPDATE followers SET scan = '', through = $2 WHERE name = $1");
        tx.execute(statement.bind(FOLLOWER).bind(first - 1)).await?;
        return Ok(Pass::More);
    }
    let mut reached = through;
    let mut changed = BTreeSet::new();
    for (number, subject) in &rows {
        if let Some(Subject::Incident { site, incident }) = Subject::parse(subject) {
            if changed.len() >= INCIDENTS && !changed.contains(&(site.clone(), incident.clone())) {
                break;
            }
            changed.insert((site, incident));
        }
        reached = *number;
    }
    let now = now_ms();
    for (site, incident) in changed {
        let Some(told) = exchange::told(tx, names, &site, &incident).await? else {
            search::forget(tx, &site, &incident).await?;
            super::figures::put(tx, &site, &incident, None).await?;
            continue;
        };
        note(tx, names, &told).await?;
        let version = told.incident.version.cast_signed();
        for receiver in receivers.iter().filter(|r| r.wants(&site, told.incident.severity)) {
            deliveries::note(tx, &receiver.name, &site, &incident, version, now).await?;
        }
    }
    let statement = sql("UPDATE followers SET through = $2 WHERE name = $1");
    tx.execute(statement.bind(FOLLOWER).bind(reached)).await?;
    Ok(if rows.len() as i64 == CHANGES || reached < rows[rows.len() - 1].0 { Pass::More } else { Pass::Done })
}

/// Incidents of the time before, in the order of their names; changes that come meanwhile wait in the log.
async fn read_anew(tx: &mut Tx, names: &Names, through: i64, scan: &str) -> Result<Pass, StoreError> {
    let (site, incident) = scan.split_once('/').unwrap_or(("", ""));
    let most = INCIDENTS as i64;
    let ids = exchange::ids_after(tx, site, incident, most).await?;
    for (site, incident) in &ids {
        if let Some(told) = exchange::told(tx, names, site, incident).await? {
            note(tx, names, &told).await?;
        }
    }
    let next =
        ids.last().filter(|_| ids.len() == INCIDENTS).map(|(site, incident)| format!("{site}/{incident}"));
    if next.is_none() {
        tracing::info!(through, "incidents are read, the change log is followed");
    }
    let statement = sql("UPDATE followers SET scan = $2 WHERE name = $1");
    tx.execute(statement.bind(FOLLOWER).bind(next)).await?;
    Ok(Pass::More)
}

/// What search and figures make of an incident.
async fn note(tx: &mut Tx, names: &Names, told: &Told) -> Result<(), StoreError> {
    let incident = &told.incident;
    let (site, id) = (incident.site.as_str(), incident.incident.as_str());
    if incident.absorbed_by.is_some() {
        search::forget(tx, site, id).await?;
        return super::figures::put(tx, site, id, None).await;
    }
    search::put(tx, site, id, incident.opened_at.unix_ms(), tokens(told)).await?;
    // Test alarms are nothing that happened.
    let part = (!incident.test).then(|| part(names, told));
    super::figures::put(tx, site, id, part.as_ref()).await
}

/// Under which words and facets it is found.
fn tokens(told: &Told) -> Vec<String> {
    let incident = &told.incident;
    let (state_zh, state_en) = incident.state.names();
    let place = incident.place.as_ref().and_then(|p| p.name.as_deref());
    let cameras = incident.cameras.iter();
    let texts = [
        incident.site.as_str(),
        &incident.kind_name.zh,
        &incident.kind_name.en,
        incident.severity.zh(),
        state_zh,
        state_en,
    ]
    .into_iter()
    .chain(incident.site_name.as_deref())
    .chain(place)
    .chain(
        cameras
            .clone()
            .flat_map(|c| [Some(c.camera.as_str()), Some(c.agent.as_str()), c.name.as_deref()])
            .flatten(),
    )
    .chain(told.texts.iter().map(String::as_str));
    let mut tokens = words::of_texts(texts);
    let open = if incident.state.is_over() { "no" } else { "yes" };
    tokens.extend([
        words::facet("site", incident.site.as_str()),
        words::facet("kind", &incident.kind),
        words::facet("state", incident.state.as_str()),
        words::facet("severity", incident.severity.as_str()),
        words::facet("open", open),
    ]);
    tokens.extend(cameras.map(|c| words::facet("camera", &format!("{}/{}", c.agent, c.camera))));
    tokens
}

fn part(names: &Names, told: &Told) -> Part {
    let incident = &told.incident;
    let (day, hour) = figures::day_and_hour(incident.opened_at.unix_ms(), names.offset_minutes);
    let opener = incident.cameras.first();
    let since = told.clock_from;
    let step =
        |until: Until, at: &Option<i64>| Some((until.as_str().to_owned(), figures::step_of((*at)? - since)));
    Part {
        day,
        hour,
        kind: incident.kind.clone(),
        agent: opener.map(|c| c.agent.to_string()).unwrap_or_default(),
        camera: opener.map(|c| c.camera.to_string()).unwrap_or_default(),
        alerts: incident.alerts.cast_signed(),
        false_alarm: incident.state == protocol::exchange::State::FalseAlarm,
        times: Until::ALL.iter().zip(&told.reached).filter_map(|(until, at)| step(*until, at)).collect(),
        rules: told.rules.clone(),
    }
}
