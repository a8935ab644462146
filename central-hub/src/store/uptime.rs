//! How long agents and cameras were up: what is open, and the sums by day.
//!
//! What counts as what is [`hub_core::uptime`]'s. A status costs two statements more; everything else of an agent
//! costs nothing, for that it was heard stands in `agents.last_seen` already. The hub that hears the agents notes
//! every few seconds that it runs ([`Store::tick_uptime`]): so the next one knows since when nobody did.

use std::collections::BTreeMap;

use hub_core::figures::{day_and_hour, day_begins};
use hub_core::uptime::{self, Open, SILENT_MS, State, Sums, Times};
use protocol::Status;
use serde_json::{Value, json};
use sqlx::FromRow;

use super::{Sql, Store, StoreError, Tx, sql, sql_for};

mod read;

pub use read::{Day, Wanted};

/// Agents looked at in one transaction.
const PORTION: usize = 500;
/// Up to when a hub has noted that it runs, among the counters.
const THROUGH: &str = "uptime";

/// What was open of an agent before a status, read along with it.
#[derive(Debug, FromRow)]
pub(super) struct Before {
    site: String,
    at: Option<i64>,
    open: Option<String>,
    cameras: Option<String>,
    through: Option<i64>,
}

/// What the statement that writes a status down gives back as [`Before`].
macro_rules! before {
    ($text:literal) => {
        concat!(
            $text,
            " RETURNING site,
                (SELECT u.at FROM uptime_open u WHERE u.site = agents.site AND u.agent = agents.agent) AS at,
                (SELECT u.state FROM uptime_open u WHERE u.site = agents.site AND u.agent = agents.agent) AS open,
                (SELECT u.cameras FROM uptime_open u WHERE u.site = agents.site AND u.agent = agents.agent) AS cameras,
                (SELECT value FROM counters WHERE name = 'uptime') AS through"
        )
    };
}
pub(super) use before;

/// An agent said something about itself.
pub(super) async fn said(
    tx: &mut Tx,
    agent: &str,
    before: &Before,
    status: &Status,
    now: i64,
    offset_minutes: i16,
) -> Result<(), StoreError> {
    let read = |at| open(at, before.open.as_deref(), before.cameras.as_deref());
    let mut open = before.at.map_or_else(|| Open::new(now), read);
    let known_to = before.through.filter(|through| !uptime::has_run(*through, now)).unwrap_or(now);
    let mut sums = Sums::new();
    open.pass(known_to, now, offset_minutes, &mut sums);
    open.said(status);
    let mut rows = Rows::default();
    rows.add(&before.site, agent, &sums, Some(&open));
    rows.write(tx).await
}

/// An agent with what is open of it, and what else is known.
#[derive(Debug, FromRow)]
struct Row {
    site: String,
    agent: String,
    at: i64,
    state: String,
    cameras: String,
    /// Where it belongs now.
    home: String,
    online: bool,
    last_seen: Option<i64>,
    revoked_at: Option<i64>,
}

/// What is to be written.
#[derive(Debug, Default)]
struct Rows {
    days: Vec<Value>,
    open: Vec<Value>,
    ended: Vec<(String, String)>,
}

/// What became of the time since the last look.
#[derive(Debug, Clone, Copy)]
enum Turn {
    /// The hub ran all the time.
    Ran,
    /// Nobody ran since then.
    Lapsed { through: i64 },
    /// The same, and nobody was heard yet.
    Forgot { through: i64 },
    /// No agent can be heard any more.
    Deaf,
}

impl Store {
    /// The local time's distance from UTC by which days are counted; once.
    pub fn count_days_at(&self, offset_minutes: i16) {
        let _ = self.0.offset_minutes.set(offset_minutes);
    }

    pub(super) fn offset_minutes(&self) -> i16 {
        self.0.offset_minutes.get().copied().unwrap_or_default()
    }

    /// The hub that hears the agents runs at `now`: looks for those that are silent, and counts what is of
    /// yesterday. For that hub alone, every few seconds.
    pub async fn tick_uptime(&self, now: i64) -> Result<(), StoreError> {
        let turn = match self.uptime_through().await? {
            Some(through) if !uptime::has_run(through, now) => {
                self.heard_by_now(now).await?;
                Turn::Lapsed { through }
            }
            _ => Turn::Ran,
        };
        self.turn(turn, now).await?;
        self.note_uptime(now).await
    }

    /// After a start, or in a new lead, nobody has been heard yet.
    pub(super) async fn forget_uptime(&self, now: i64) -> Result<(), StoreError> {
        let through = self.uptime_through().await?.unwrap_or(now);
        self.turn(Turn::Forgot { through }, now).await?;
        self.note_uptime(now).await
    }

    /// The hub hears no agent any more since `at`, until each says anew what it is. The same may be said again.
    pub async fn deaf_since(&self, at: i64) -> Result<(), StoreError> {
        self.turn(Turn::Deaf, at).await
    }

    async fn uptime_through(&self) -> Result<Option<i64>, StoreError> {
        let statement = sql("SELECT value FROM counters WHERE name = $1").bind(THROUGH);
        Ok(self.read().optional::<(i64,)>(statement).await?.map(|(through,)| through))
    }

    /// Where the clock was set back, nobody was heard after it: or silence would not be noticed for so long.
    async fn heard_by_now(&self, now: i64) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        tx.execute(sql("UPDATE agents SET last_seen = $1 WHERE last_seen > $1").bind(now)).await?;
        tx.commit().await
    }

    async fn note_uptime(&self, now: i64) -> Result<(), StoreError> {
        let text = "INSERT INTO counters (name, value) VALUES ($1, $2)
            ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        let mut tx = self.write().await?;
        tx.execute(sql(text).bind(THROUGH).bind(now)).await?;
        tx.commit().await
    }

    /// Looks at every agent of which something is to be counted. Where that ends half-way it can be done anew: what
    /// is counted is open since `now`.
    async fn turn(&self, turn: Turn, now: i64) -> Result<(), StoreError> {
        let mut after = String::new();
        loop {
            let from = after.as_str();
            let portion = self.retrying(|| self.turn_portion(turn, now, from)).await?;
            match portion {
                Some(last) => after = last,
                None => return Ok(()),
            }
        }
    }

    /// The next agents behind `after`; the last of them, where there may be more.
    async fn turn_portion(&self, turn: Turn, now: i64, after: &str) -> Result<Option<String>, StoreError> {
        let offset = self.offset_minutes();
        let (today, _) = day_and_hour(now, offset);
        let statement = due().bind(after).bind(!matches!(turn, Turn::Ran)).bind(day_begins(today, offset));
        let statement = statement.bind(now.saturating_sub(SILENT_MS)).bind(PORTION as i64);
        let mut tx = self.write().await?;
        let due: Vec<Row> = tx.all(statement).await?;
        let mut rows = Rows::default();
        // While the hub stays deaf it says so again and again.
        let same = |row: &&Row| matches!(turn, Turn::Deaf) && State::parse(&row.state) == State::Unknown;
        for row in due.iter().filter(|row| !same(row)) {
            let mut sums = Sums::new();
            let open = row.turned(turn, now, offset, &mut sums);
            rows.add(&row.site, &row.agent, &sums, open.as_ref());
        }
        rows.write(&mut tx).await?;
        tx.commit().await?;
        Ok(due.last().filter(|_| due.len() == PORTION).map(|row| row.agent.clone()))
    }
}

impl Row {
    /// What is open of it from now on; none where it is not counted any more.
    fn turned(&self, turn: Turn, now: i64, offset: i16, sums: &mut Sums) -> Option<Open> {
        let mut open = open(self.at, Some(&self.state), Some(&self.cameras));
        if self.revoked_at.is_some() || self.site != self.home {
            let until = self.revoked_at.unwrap_or(now).min(now);
            let known_to = match turn {
                Turn::Lapsed { through } | Turn::Forgot { through } => through.min(until),
                Turn::Ran | Turn::Deaf => until,
            };
            open.pass(known_to, until, offset, sums);
            return None;
        }
        match turn {
            Turn::Ran => open.look(self.online, self.last_seen, now, offset, sums),
            Turn::Lapsed { through } => open.lapse(through, now, offset, sums),
            Turn::Forgot { through } => {
                open.lapse(through, now, offset, sums);
                open.agent = State::Unknown;
            }
            Turn::Deaf => {
                open.pass(now, now, offset, sums);
                open.agent = State::Unknown;
            }
        }
        Some(open)
    }
}

impl Rows {
    fn add(&mut self, site: &str, agent: &str, sums: &Sums, open: Option<&Open>) {
        for ((camera, day), times) in sums {
            let Times { up_ms, down_ms, unknown_ms } = times;
            self.days.push(json!([site, day, agent, camera, up_ms, down_ms, unknown_ms]));
        }
        match open {
            Some(open) => {
                let states =
                    open.cameras.iter().map(|(camera, state)| (camera.clone(), json!(state.as_str())));
                let cameras = Value::Object(states.collect()).to_string();
                self.open.push(json!([site, agent, open.at, open.agent.as_str(), cameras]));
            }
            None => self.ended.push((site.to_owned(), agent.to_owned())),
        }
    }

    async fn write(self, tx: &mut Tx) -> Result<(), StoreError> {
        if !self.days.is_empty() {
            tx.execute(add_days().bind(Value::from(self.days).to_string())).await?;
        }
        if !self.open.is_empty() {
            tx.execute(put_open().bind(Value::from(self.open).to_string())).await?;
        }
        for (site, agent) in &self.ended {
            let statement = sql("DELETE FROM uptime_open WHERE site = $1 AND agent = $2");
            tx.execute(statement.bind(site).bind(agent)).await?;
        }
        Ok(())
    }
}

/// What was written; a camera that cannot be read begins anew with the next status.
fn open(at: i64, state: Option<&str>, cameras: Option<&str>) -> Open {
    let cameras: BTreeMap<String, String> =
        cameras.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let cameras = cameras.into_iter().map(|(camera, state)| (camera, State::parse(&state))).collect();
    Open { at, agent: State::parse(state.unwrap_or_default()), cameras }
}

/// Agents that are to be looked at, behind `$1`: all where `$2`; else those of which something is open since before
/// `$3`, or whose last word before or after `$4` changes something, or that are not there any more.
fn due() -> Sql<'static> {
    macro_rules! due {
        ($locked:literal) => {
            concat!(
                "SELECT u.site, u.agent, u.at, u.state, u.cameras, a.site AS home, a.state = 'online' AS online,
                    a.last_seen, a.revoked_at
                FROM uptime_open u JOIN agents a ON a.agent = u.agent
                WHERE u.agent > $1 AND ($2 = TRUE OR u.at < $3 OR a.revoked_at IS NOT NULL OR a.site <> u.site
                    OR (u.state = 'up' AND a.last_seen < $4)
                    OR (u.state = 'unknown' AND a.state = 'online' AND a.last_seen > u.at AND a.last_seen >= $4))
                ORDER BY u.agent LIMIT $5",
                $locked
            )
        };
    }
    // A status is written with the agent's row held.
    sql_for(due!(""), due!(" FOR UPDATE"))
}

fn add_days() -> Sql<'static> {
    macro_rules! add {
        ($select:literal) => {
            concat!(
                "INSERT INTO uptime_days (site, day, agent, camera, up_ms, down_ms, unknown_ms) ",
                $select,
                " ON CONFLICT (site, day, agent, camera) DO UPDATE SET
                    up_ms = uptime_days.up_ms + excluded.up_ms,
                    down_ms = uptime_days.down_ms + excluded.down_ms,
                    unknown_ms = uptime_days.unknown_ms + excluded.unknown_ms"
            )
        };
    }
    sql_for(
        add!(
            "SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6
            FROM json_each($1) WHERE TRUE"
        ),
        add!(
            "SELECT value ->> 0, (value ->> 1)::bigint, value ->> 2, value ->> 3, (value ->> 4)::bigint,
                (value ->> 5)::bigint, (value ->> 6)::bigint
            FROM jsonb_array_elements($1::text::jsonb) AS t (value)"
        ),
    )
}

fn put_open() -> Sql<'static> {
    macro_rules! put {
        ($select:literal) => {
            concat!(
                "INSERT INTO uptime_open (site, agent, at, state, cameras) ",
                $select,
                " ON CONFLICT (site, agent) DO UPDATE SET at = excluded.at, state = excluded.state,
                    cameras = excluded.cameras"
            )
        };
    }
    sql_for(
        put!(
            "SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each($1) WHERE TRUE"
        ),
        put!(
            "SELECT value ->> 0, value ->> 1, (value ->> 2)::bigint, value ->> 3, value ->> 4
            FROM jsonb_array_elements($1::text::jsonb) AS t (value)"
        ),
    )
}
