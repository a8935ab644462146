//! The operators' queries on a large database: `cargo test -p central-hub --test scale -- --ignored --nocapture`, and
//! `--test scale_postgres`. `ALERTS=10000000` by default, ten to an incident, over a year; takes minutes and some gigabytes.

mod world;

use std::future::Future;
use std::time::{Duration, Instant};

use central_hub::store::incidents::{Filter, Order, States};
use central_hub::store::{Sql, Store, alerts, sql, sql_for};
use hub_core::rights::Sites;
use serde_json::json;

const SITES: i64 = 50;
const YEAR_MS: i64 = 365 * 86_400_000;
/// 2026-01-01.
const START: i64 = 1_767_225_600_000;
const PORTION: i64 = 200_000;
/// Of a thousand incidents so many are open.
const OPEN: i64 = 5;
const RUNS: usize = 100;

/// `$1` to `$2` are numbers of incidents, `$3` is the milliseconds between two, `$4` the number of sites.
fn make_incidents() -> Sql<'static> {
    macro_rules! make {
        ($id:literal, $test:literal, $from:literal) => {
            concat!(
                "INSERT INTO incidents (site, incident, origin, kind, family, test, opened_at, last_at, clock_from,
                    alerts, cameras, peak, severity, urgency, opener_agent, opener_epoch, opener_seq, root, state)
                SELECT 'site-' || (n % $4), ", $id, ", 'alerts',
                    CASE n % 3 WHEN 0 THEN 'LineDetector/Crossed' WHEN 1 THEN 'FieldDetector/ObjectsInside'
                        ELSE 'LoiteringDetector/ObjectIsLoitering' END,
                    'perimeter', ", $test, ", 1767225600000 + n * $3, 1767225600000 + n * $3 + 9000,
                    1767225600000 + n * $3 + 200, 10,
                    '[[\"box-' || (n % $4) || '\",\"camera-' || (n / $4 % 8) || '\"]]',
                    1 + n % 3, 1 + n % 4, 3 - n % 4, 'box-' || (n % $4), 'e', n * 10, ", $id, ",
                    CASE WHEN n % 1000 < 5 THEN 'new' ELSE 'closed' END
                FROM ", $from
            )
        };
    }
    sql_for(
        make!(
            "printf('%08x-0000-7000-8000-%012x', n, n)",
            "0",
            "(WITH RECURSIVE t (n) AS (SELECT $1 UNION ALL SELECT n + 1 FROM t WHERE n + 1 < $2) SELECT n FROM t)"
        ),
        make!(
            "lpad(to_hex(n), 8, '0') || '-0000-7000-8000-' || lpad(to_hex(n), 12, '0')",
            "false",
            "generate_series($1::bigint, $2::bigint - 1) AS t (n)"
        ),
    )
}

fn make_alerts() -> Sql<'static> {
    macro_rules! make {
        ($id:literal, $yes:literal, $from:literal) => {
            concat!(
                "INSERT INTO alerts (agent, epoch, seq, site, camera, kind, rule, severity, test, at, time_source,
                    not_durable, received_at, still_state, raw, incident)
                SELECT 'box-' || (n % $4), 'e', n * 10 + m, 'site-' || (n % $4), 'camera-' || (n / $4 % 8),
                    'LineDetector/Crossed', 'line-a', 'medium', ", $yes, ", 1767225600000 + n * $3 + m * 1000, 'camera',
                    ", $yes, ", 1767225600000 + n * $3 + m * 1000 + 200, 'pending',
                    '{\"epoch\":\"e\",\"type\":\"raised\",\"kind\":\"LineDetector/Crossed\",\"severity\":\"medium\"}', ", $id, "
                FROM ", $from
            )
        };
    }
    sql_for(
        make!(
            "printf('%08x-0000-7000-8000-%012x', n, n)",
            "0",
            "(WITH RECURSIVE t (n) AS (SELECT $1 UNION ALL SELECT n + 1 FROM t WHERE n + 1 < $2),
                u (m) AS (SELECT 0 UNION ALL SELECT m + 1 FROM u WHERE m < 9) SELECT n, m FROM t CROSS JOIN u)"
        ),
        make!(
            "lpad(to_hex(n), 8, '0') || '-0000-7000-8000-' || lpad(to_hex(n), 12, '0')",
            "false",
            "generate_series($1::bigint, $2::bigint - 1) AS t (n), generate_series(0, 9) AS u (m)"
        ),
    )
}

fn incident_id(n: i64) -> String {
    format!("{n:08x}-0000-7000-8000-{n:012x}")
}

async fn fill(store: &Store, incidents: i64) {
    let begun = Instant::now();
    let step = YEAR_MS / incidents;
    for from in (0..incidents).step_by(PORTION as usize / 10) {
        let until = (from + PORTION / 10).min(incidents);
        let mut tx = store.write().await.unwrap();
        for statement in [make_incidents(), make_alerts()] {
            tx.execute(statement.bind(from).bind(until).bind(step).bind(SITES)).await.unwrap();
        }
        tx.commit().await.unwrap();
    }
    let mut tx = store.write().await.unwrap();
    tx.execute(sql("ANALYZE")).await.unwrap();
    tx.commit().await.unwrap();
    println!("{incidents} incidents with ten alerts each made in {:.0?}", begun.elapsed());
}

/// p50 and p95 in milliseconds.
async fn measure<F: Future<Output = usize>>(what: &str, mut query: impl FnMut(i64) -> F) -> (f64, f64) {
    let mut took = Vec::new();
    let mut found = 0;
    for run in 0..RUNS {
        let begun = Instant::now();
        // A different one each time: large steps over all of them.
        found += query(run as i64 * 7919).await;
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    let ms = |at: usize| took[at].as_secs_f64() * 1e3;
    let (p50, p95) = (ms(RUNS / 2), ms(RUNS * 95 / 100));
    println!("{what:44} p50 {p50:9.2} ms   p95 {p95:9.2} ms   {:7.1} rows", found as f64 / RUNS as f64);
    (p50, p95)
}

#[tokio::test]
#[ignore = "a measurement"]
async fn operators_find_what_they_look_for() {
    let wanted = std::env::var("ALERTS").ok().and_then(|v| v.parse().ok()).unwrap_or(10_000_000i64);
    let incidents = (wanted / 10).max(1000);
    let folder = tempfile::tempdir().unwrap();
    let settings = world::store_settings();
    let engine = if settings.url.is_some() { "postgres" } else { "sqlite" };
    let store = Store::open(&folder.path().join("data"), &settings).await.unwrap();
    fill(&store, incidents).await;
    let store = &store;
    let page = |filter: Filter, order: Order| async move {
        store.incidents(&Sites::All, &filter, order, None, 50).await.unwrap().0.len()
    };
    let site = |n: i64| format!("site-{}", n.rem_euclid(SITES));
    let all = || Filter { states: States::All, ..Filter::default() };
    let mut figures = serde_json::Map::new();
    let mut note = |what: &str, (p50, p95): (f64, f64)| {
        figures.insert(format!("{what}_p50_ms"), json!((p50 * 100.0).round() / 100.0));
        figures.insert(format!("{what}_p95_ms"), json!((p95 * 100.0).round() / 100.0));
    };
    note("open_list", measure("open list", |_| page(Filter::default(), Order::Urgent)).await);
    let of_site = |n| Filter { site: Some(site(n)), ..Filter::default() };
    note("open_list_site", measure("open list of a site", |n| page(of_site(n), Order::Urgent)).await);
    note("newest", measure("newest of all", |_| page(all(), Order::Newest)).await);
    let newest = |n| Filter { site: Some(site(n)), ..all() };
    note("newest_site", measure("newest of a site", |n| page(newest(n), Order::Newest)).await);
    let camera = |n: i64| Filter {
        camera: Some((format!("box-{}", n.rem_euclid(SITES)), format!("camera-{}", n % 8))),
        ..newest(n)
    };
    note("newest_camera", measure("newest of a camera", |n| page(camera(n), Order::Newest)).await);
    let one = |n: i64| async move {
        let k = n.wrapping_mul(31).rem_euclid(incidents);
        let (site, id) = (format!("site-{}", k % SITES), incident_id(k));
        assert!(store.incident_now(&site, &id).await.unwrap().is_some());
        store.alerts_of(&site, &id, None, 50).await.unwrap().0.len()
    };
    note("one_incident", measure("one incident with its alerts", one).await);
    let newest_alerts = |_| async move {
        store.alerts(&Sites::All, &alerts::Filter::default(), None, 50).await.unwrap().0.len()
    };
    note("newest_alerts", measure("newest alerts", newest_alerts).await);
    let day = |n: i64| async move {
        let from = START + n % 365 * 86_400_000;
        let text = "SELECT (opened_at - $1) / 3600000, kind, count(*) FROM incidents
            WHERE alias_of IS NULL AND opened_at >= $1 AND opened_at < $2 GROUP BY 1, 2 ORDER BY 1, 2";
        let statement = sql(text).bind(from).bind(from + 86_400_000);
        store.read().all::<(i64, String, i64)>(statement).await.unwrap().len()
    };
    note("day_figures", measure("figures of a day, by hour and kind", day).await);
    let map = |_| async move {
        let text = "SELECT site, cameras, count(*), max(severity) FROM incidents
            WHERE alias_of IS NULL AND state NOT IN ('resolved', 'closed', 'false_alarm') GROUP BY site, cameras";
        store.read().all::<(String, String, i64, i64)>(sql(text)).await.unwrap().len()
    };
    note("map", measure("map: what is open where", map).await);
    assert_eq!(incidents / 1000 * OPEN, open_count(store).await);
    let name = format!("hub-queries-{engine}");
    let bench = json!({ "name": name, "runs": RUNS, "figures": figures,
        "against": { "bar_p95_ms": 200, "incidents": incidents, "alerts": incidents * 10 } });
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench");
    std::fs::create_dir_all(&path).unwrap();
    std::fs::write(path.join(format!("{name}.json")), format!("{bench:#}\n")).unwrap();
    tokio::time::timeout(Duration::from_secs(10), store.close()).await.unwrap();
}

async fn open_count(store: &Store) -> i64 {
    store.read().one::<(i64,)>(sql("SELECT count(*) FROM incidents WHERE state = 'new'")).await.unwrap().0
}
