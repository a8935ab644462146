//! Writes the township into a store, in large transactions, and checks a sample of what it made up for the hub.

use std::collections::BTreeMap;
use std::time::Instant;

use central_hub::store::changes::Subject;
use central_hub::store::outside::Pass;
use central_hub::store::{Sql, Store, Tx, sql, sql_for};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use super::index::{Sums, search_row};
use super::{Made, START, Town};

const PORTION: i64 = 20_000;

/// Fills an empty store.
pub async fn fill(store: &Store, town: Town) {
    let begun = Instant::now();
    sites(store).await;
    let mut sums = Sums::default();
    let mut seqs: BTreeMap<String, i64> = BTreeMap::new();
    for from in (0..town.incidents).step_by(PORTION as usize) {
        let made: Vec<Made> =
            (from..(from + PORTION).min(town.incidents)).map(|n| town.incident(n)).collect();
        let mut tx = store.write().await.unwrap();
        portion(&mut tx, &made, &mut seqs).await;
        put(&mut tx, "search_docs", SEARCH_DOCS, made.iter().filter(alone).map(search_row)).await;
        let parts = made.iter().filter(alone).map(|made| sums.add(made));
        put(&mut tx, "figured", "site text, incident text, part text", parts).await;
        tx.commit().await.unwrap();
    }
    let mut tx = store.write().await.unwrap();
    for (table, columns, rows) in sums.rows() {
        for rows in rows.chunks(PORTION as usize) {
            put(&mut tx, table, columns, rows.iter().cloned()).await;
        }
    }
    let settled = seqs.iter().map(|(agent, next)| json!([agent, "e1", 1, next - 1]));
    put(&mut tx, "settled", "agent text, epoch text, first bigint, last bigint", settled).await;
    tx.execute(sql("UPDATE followers SET scan = NULL")).await.unwrap();
    tx.commit().await.unwrap();
    println!("{} incidents made in {:.0?}", town.incidents, begun.elapsed());
}

/// What the hub itself makes of some incidents must be what is there already.
pub async fn check(store: &Store, town: Town) {
    let standing = async || {
        let docs: Vec<(String, i64, Vec<u8>)> =
            store.read().all(sql("SELECT incident, doc, digest FROM search_docs ORDER BY 1")).await.unwrap();
        let sums: Vec<(String, i64, i64, i64)> = store
            .read()
            .all(sql("SELECT kind, CAST(sum(incidents) AS BIGINT), CAST(sum(alerts) AS BIGINT), CAST(sum(false_alarms) AS BIGINT)
                FROM figure_by_kind GROUP BY kind ORDER BY kind"))
            .await
            .unwrap();
        let parts: Vec<(String, String)> =
            store.read().all(sql("SELECT incident, part FROM figured ORDER BY 1")).await.unwrap();
        (docs, sums, parts)
    };
    let before = standing().await;
    let mut tx = store.write().await.unwrap();
    for n in (0..town.incidents).step_by((town.incidents / 200).max(1) as usize) {
        tx.changed(Subject::Incident { site: town.site_of(n), incident: super::incident_id(n) });
    }
    tx.commit().await.unwrap();
    while store.follow_outside(&Town::names(), &[]).await.unwrap() == Pass::More {}
    let after = standing().await;
    for (before, after) in before.0.iter().zip(&after.0) {
        assert_eq!(before, after, "search");
    }
    assert!(before == after, "figures");
}

fn alone(made: &&Made) -> bool {
    made.alias_of.is_none()
}

async fn sites(store: &Store) {
    let mut tx = store.write().await.unwrap();
    let agents = Town::agents().map(|(site, agent)| json!([agent, site, START]));
    put(&mut tx, "agents", "agent text, site text, created_at bigint", agents).await;
    let cameras: Vec<_> = Town::cameras().collect();
    let rows = cameras.iter().map(|(_, agent, camera, name)| json!([agent, camera, name, "running", START]));
    put(&mut tx, "cameras", "agent text, camera text, name text, state text, since bigint", rows).await;
    let rows = cameras.iter().enumerate().map(|(n, (site, agent, camera, name))| {
        let n = n as f64;
        json!([site, agent, camera, name, 30.0 + n * 1e-4, 120.0 + n * 1e-4, false, "[]"])
    });
    let columns = "site text, agent text, camera text, name text, lat double precision, lon double precision, sensitive boolean, neighbours text";
    put(&mut tx, "places", columns, rows).await;
    tx.commit().await.unwrap();
}

const SEARCH_DOCS: &str = "site text, incident text, doc bigint, digest bytes, words tokens";
const INCIDENTS: &str = "site text, incident text, origin text, kind text, family text, test boolean, opened_at bigint,
    last_at bigint, clock_from bigint, alerts bigint, cameras text, peak bigint, severity bigint, urgency bigint,
    opener_agent text, opener_epoch text, opener_seq bigint, root text, alias_of text, state text, version bigint";
const RUNS: &str =
    "site text, family text, agent text, camera text, pin bigint, first bigint, last bigint, incident text";
const STEPS: &str =
    "site text, incident text, step text, at bigint, kind text, actor text, role text, note text, unit text";

async fn portion(tx: &mut Tx, made: &[Made], seqs: &mut BTreeMap<String, i64>) {
    let mut incidents = Vec::new();
    for m in made {
        let next = seqs.entry(m.agent.clone()).or_insert(1);
        let (epoch, first) = if m.alerts > 0 { ("e1", *next) } else { ("", 0) };
        *next += 2 * m.alerts;
        let family = if m.alerts > 0 { "perimeter" } else { "by_hand" };
        let root = m.alias_of.as_ref().unwrap_or(&m.incident);
        incidents.push(json!([
            m.site,
            m.incident,
            m.origin,
            m.kind,
            family,
            false,
            m.opened_at,
            m.last_at,
            m.clock_from,
            m.alerts,
            m.pairs().to_string(),
            m.severity,
            m.severity,
            4 - m.severity,
            m.agent,
            epoch,
            first,
            root,
            m.alias_of,
            m.state,
            m.steps.len()
        ]));
    }
    put(tx, "incidents", INCIDENTS, incidents.iter().cloned()).await;
    let with_alerts = |m: &&Made| m.alerts > 0;
    let runs = made.iter().filter(with_alerts).flat_map(|m| {
        let run = |c| json!([m.site, "perimeter", m.agent, c, 0, m.opened_at, m.last_at, m.incident]);
        m.cameras.iter().map(run)
    });
    put(tx, "runs", RUNS, runs).await;
    let steps = made.iter().flat_map(|m| {
        m.steps.iter().enumerate().map(|(k, (at, kind, note))| {
            let step = format!("{:012x}-{k:02}-{}", at, &m.incident[24..]);
            let unit = (*kind == "dispatch").then_some("patrol");
            json!([m.site, m.incident, step, at, kind, "wang", "operator", note, unit])
        })
    });
    put(tx, "steps", STEPS, steps).await;
    let reports = made.iter().filter_map(|m| Some(json!([m.site, m.incident, "li", m.words?])));
    put(tx, "reports", "site text, incident text, reporter text, words text", reports).await;
    let rows = made.iter().zip(&incidents).filter(|(m, _)| m.alerts > 0).map(|(m, row)| {
        let severity = ["low", "medium", "high", "critical"][m.severity as usize - 1];
        json!([
            m.site,
            m.incident,
            m.kind,
            severity,
            m.opened_at,
            m.alerts,
            m.agent,
            row[16],
            m.cameras[0],
            m.cameras[m.cameras.len() - 1]
        ])
    });
    let rows = Value::from_iter(rows).to_string();
    for statement in [alerts(), courses(), stills(), records()] {
        tx.execute(statement.bind(&rows)).await.unwrap();
    }
}

/// For each alert of each incident: incidents as `t`, the alert's number as `m`.
macro_rules! expand {
    ($into:literal, $count:literal, $sqlite:literal, $postgres:literal) => {
        sql_for(
            concat!(
                "WITH RECURSIVE u (m) AS (SELECT 0 UNION ALL SELECT m + 1 FROM u WHERE m < 39),
                t AS MATERIALIZED (SELECT value ->> 0 AS site, value ->> 1 AS incident, value ->> 2 AS kind,
                    value ->> 3 AS severity, value ->> 4 AS opened, value ->> 5 AS alerts, value ->> 6 AS agent,
                    value ->> 7 AS seq, value ->> 8 AS one, value ->> 9 AS two FROM json_each($1))
                INSERT INTO ", $into, " SELECT ", $sqlite, " FROM t CROSS JOIN u WHERE m < alerts * ", $count
            ),
            concat!(
                "WITH t AS MATERIALIZED (SELECT value ->> 0 AS site, value ->> 1 AS incident, value ->> 2 AS kind,
                    value ->> 3 AS severity, (value ->> 4)::bigint AS opened, (value ->> 5)::bigint AS alerts,
                    value ->> 6 AS agent, (value ->> 7)::bigint AS seq, value ->> 8 AS one, value ->> 9 AS two
                    FROM jsonb_array_elements($1::text::jsonb) AS e (value))
                INSERT INTO ", $into, " SELECT ", $postgres,
                " FROM t CROSS JOIN LATERAL generate_series(0, alerts * ", $count, " - 1) AS u (m)"
            ),
        )
    };
}

fn alerts() -> Sql<'static> {
    expand!(
        "alerts (agent, epoch, seq, site, camera, kind, rule, severity, test, at, time_source, not_durable,
            received_at, still_state, raw, incident, because)",
        "1",
        "agent, 'e1', seq + 2 * m, site, CASE WHEN m % 2 = 1 THEN two ELSE one END, kind, 'rule-a', severity, 0,
            opened + m * 4000, 'synced', 0, opened + m * 4000 + 300, 'sent', printf('%0350d', m), incident,
            CASE WHEN m > 0 THEN '{\"how\":\"linked\",\"agent\":\"box-00-0\",\"camera\":\"camera-0\",\"relation\":\"same\",\"gap_ms\":4000,\"first\":1777564800000,\"last\":1777564804000}' END",
        "agent, 'e1', seq + 2 * m, site, CASE WHEN m % 2 = 1 THEN two ELSE one END, kind, 'rule-a', severity, false,
            opened + m * 4000, 'synced', false, opened + m * 4000 + 300, 'sent', lpad(m::text, 350, '0'), incident,
            CASE WHEN m > 0 THEN '{\"how\":\"linked\",\"agent\":\"box-00-0\",\"camera\":\"camera-0\",\"relation\":\"same\",\"gap_ms\":4000,\"first\":1777564800000,\"last\":1777564804000}' END"
    )
}

fn courses() -> Sql<'static> {
    expand!(
        "courses (agent, epoch, of_seq, ended_at)",
        "1",
        "agent, 'e1', seq + 2 * m, opened + m * 4000 + 3000",
        "agent, 'e1', seq + 2 * m, opened + m * 4000 + 3000"
    )
}

fn stills() -> Sql<'static> {
    expand!(
        "stills (agent, epoch, seq, bytes, sha256, received_at)",
        "1",
        "agent, 'e1', seq + 2 * m, 60000, randomblob(32), opened + m * 4000 + 900",
        "agent, 'e1', seq + 2 * m, 60000, decode(md5(seq::text) || md5(m::text), 'hex'), opened + m * 4000 + 900"
    )
}

/// An alert is raised and ends.
fn records() -> Sql<'static> {
    expand!(
        "records (agent, epoch, seq, hash)",
        "2",
        "agent, 'e1', seq + m, randomblob(32)",
        "agent, 'e1', seq + m, decode(md5(seq::text) || md5(m::text), 'hex')"
    )
}

/// Rows as JSON arrays; `columns` are names with PostgreSQL's types.
pub async fn put(tx: &mut Tx, table: &str, columns: &str, rows: impl Iterator<Item = Value>) {
    let rows = Value::from_iter(rows);
    let columns: Vec<(&str, &str)> = columns.split(',').map(|c| c.trim().split_once(' ').unwrap()).collect();
    let names = |of: &dyn Fn(&(&str, &str)) -> bool| {
        columns.iter().filter(|c| of(c)).map(|c| c.0).collect::<Vec<_>>().join(", ")
    };
    let mut sqlite = Vec::new();
    let mut postgres = Vec::new();
    for (n, (_, kind)) in columns.iter().enumerate() {
        match *kind {
            "bytes" => {
                sqlite.push(format!("unhex(value ->> {n})"));
                postgres.push(format!("decode(value ->> {n}, 'hex')"));
            }
            // SQLite keeps them in a table of their own.
            "tokens" => postgres.push(format!("string_to_array(value ->> {n}, ' ')")),
            kind => {
                sqlite.push(format!("value ->> {n}"));
                postgres.push(format!("(value ->> {n})::{kind}"));
            }
        }
    }
    let plain = names(&|(_, kind)| *kind != "tokens");
    let sqlite = format!("INSERT INTO {table} ({plain}) SELECT {} FROM json_each($1)", sqlite.join(", "));
    let postgres = format!(
        "INSERT INTO {table} ({}) SELECT {} FROM jsonb_array_elements($1::text::jsonb) AS t (value)",
        names(&|_| true),
        postgres.join(", ")
    );
    let text = rows.to_string();
    tx.execute(sql_for(AssertSqlSafe(sqlite), AssertSqlSafe(postgres)).bind(&text)).await.unwrap();
    if columns.iter().any(|c| c.1 == "tokens") {
        let words =
            "INSERT INTO search_words (rowid, words) SELECT value ->> 2, value ->> 4 FROM json_each($1)";
        tx.execute(sql_for(words, "SELECT 1 WHERE $1::text IS NULL").bind(&text)).await.unwrap();
    }
}
