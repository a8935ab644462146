//! The operators' queries on a large database: `cargo test -p central-hub --test scale -- --ignored --nocapture`, and
//! `--test scale_postgres`. `ALERTS=10000000` by default, about ten to an incident; takes minutes and some gigabytes.
//!
//! Nothing is done to the database that the hub itself, or PostgreSQL by itself, would not do.

mod plans;
mod town;
mod world;

use std::future::Future;
use std::time::{Duration, Instant};

use central_hub::store::figures::{By, Span};
use central_hub::store::incidents::{Filter, Order, States};
use central_hub::store::search::Wanted;
use central_hub::store::{Settings, Store, alerts, sql};
use central_hub::work::{Rules, Workflow};
use futures::{StreamExt, TryStreamExt, stream};
use hub_core::rights::Sites;
use hub_core::{figures, words};
use serde_json::{Value, json};
use town::{DAYS, OFFSET_MINUTES, SITES, START, Town, incident_id, site_id};

const RUNS: i64 = 100;
/// An answer takes no longer than this, nineteen times of twenty.
const BAR_P95_MS: f64 = 200.0;

/// Everything an operator asks, by name: p50 and p95 in milliseconds, and rows.
struct Asked<'a> {
    store: &'a Store,
    town: Town,
    runs: i64,
    took: Vec<(&'static str, f64, f64, f64)>,
}

impl Asked<'_> {
    async fn all(&mut self) {
        let (store, town) = (self.store, self.town);
        let some = Sites::Only((0..5).map(|s| site_id(s * 9).parse().unwrap()).collect());
        let site = |n: i64| site_id(n.rem_euclid(SITES));
        let page = |filter: Filter, order: Order| async move {
            store.incidents(&Sites::All, &filter, order, None, 50).await.unwrap().0.len()
        };
        let every = || Filter { states: States::All, ..Filter::default() };
        self.time("open_list", |_| page(Filter::default(), Order::Urgent)).await;
        let of_site = |n| Filter { site: Some(site(n)), ..Filter::default() };
        self.time("open_list_site", |n| page(of_site(n), Order::Urgent)).await;
        self.time("open_list_some_sites", |_| async {
            store.incidents(&some, &Filter::default(), Order::Urgent, None, 50).await.unwrap().0.len()
        })
        .await;
        self.time("newest", |_| page(every(), Order::Newest)).await;
        self.time("newest_site", |n| page(Filter { site: Some(site(n)), ..every() }, Order::Newest)).await;
        let camera = |n: i64| Filter {
            site: Some(site(n)),
            camera: Some((format!("box-{:02}-{}", n.rem_euclid(SITES), n % 2), format!("camera-{}", n % 8))),
            ..every()
        };
        self.time("newest_camera", |n| page(camera(n), Order::Newest)).await;
        let false_alarms =
            |n| Filter { states: States::One("false_alarm".into()), site: Some(site(n)), ..every() };
        self.time("false_alarms_site", |n| page(false_alarms(n), Order::Newest)).await;
        let resolved = || Filter { states: States::One("resolved".into()), ..every() };
        self.time("resolved", |_| page(resolved(), Order::Newest)).await;
        let dispatched = || Filter { states: States::One("dispatched".into()), ..every() };
        self.time("dispatched", |_| page(dispatched(), Order::Newest)).await;

        let rules = Rules::check(&Workflow::default()).unwrap();
        let one = |n: i64| {
            let (rules, k) = (&rules, n.wrapping_mul(31).rem_euclid(town.incidents));
            async move {
                let (site, id) = (town.site_of(k), incident_id(k));
                let now = store.incident_now(&site, &id).await.unwrap().unwrap();
                let case = store.case(rules, &site, &now.incident).await.unwrap().unwrap();
                let told = store.told(&Town::names(), &site, &now.incident).await.unwrap();
                let alerts = store.alerts_of(&site, &now.incident, None, 50).await.unwrap().0;
                case.history.len() + alerts.len() + usize::from(told.is_some())
            }
        };
        self.time("one_incident", one).await;
        self.time("newest_alerts", |_| async {
            store.alerts(&Sites::All, &alerts::Filter::default(), None, 50).await.unwrap().0.len()
        })
        .await;
        self.time("newest_alerts_site", |n| async move {
            let filter = alerts::Filter { site: Some(site(n)), ..alerts::Filter::default() };
            store.alerts(&Sites::All, &filter, None, 50).await.unwrap().0.len()
        })
        .await;

        let few = || Some((0..5).map(|s| site_id(s * 9)).collect());
        self.search("search_word", &["越线"], &[]).await;
        self.search_in("search_word_some_sites", &["越线"], &[], few()).await;
        self.search_in("search_rare_some_sites", &["广告牌"], &[], few()).await;
        self.search("search_words", &["东街市场 徘徊"], &[]).await;
        self.search("search_camera_name", &["东门一号"], &[]).await;
        self.search("search_rare", &["广告牌"], &[("state", "false_alarm")]).await;
        self.search("search_open", &["越线"], &[("open", "yes")]).await;
        self.search("search_none", &["不存在的词"], &[]).await;
        self.search("search_everything", &[], &[]).await;

        let day = |first: i64, last: i64, sites| {
            let at = |day| figures::day_and_hour(START + day * town::DAY_MS, OFFSET_MINUTES).0;
            Span { first_day: at(first), last_day: at(last), sites }
        };
        let counts = |by, span: Span| async move { store.figure_counts(by, &span).await.unwrap().len() };
        self.time("day_hours", |n| counts(By::Hour, day(n % DAYS, n % DAYS, None))).await;
        self.time("day_kinds", |n| counts(By::Kind, day(n % DAYS, n % DAYS, None))).await;
        self.time("month_days", |n| counts(By::Day, day(n % 150, n % 150 + 30, None))).await;
        self.time("month_cameras", |n| counts(By::Camera, day(n % 150, n % 150 + 30, None))).await;
        self.time("month_days_site", |n| counts(By::Day, day(n % 150, n % 150 + 30, Some(vec![site(n)]))))
            .await;
        self.time("month_durations", |n| async move {
            store.figure_durations(&day(n % 150, n % 150 + 30, None)).await.unwrap().len()
        })
        .await;
        self.time("half_year_days", |_| counts(By::Day, day(0, DAYS, None))).await;
        self.time("map", |_| async {
            let places = store.places(None).await.unwrap().len();
            let open =
                store.incidents(&Sites::All, &Filter::default(), Order::Urgent, None, 200).await.unwrap();
            places + open.0.len()
        })
        .await;
        self.time("handover", |n| async move {
            let to = START + (n % DAYS + 1) * town::DAY_MS;
            let sheet = store.handover(&site(n), to - town::DAY_MS / 3, to).await.unwrap();
            sheet.open.len() + sheet.settled.len()
        })
        .await;
        self.time("given_to", |_| async { store.given_to("wang").await.unwrap().len() }).await;
    }

    async fn search(&mut self, name: &'static str, texts: &[&str], facets: &[(&str, &str)]) {
        self.search_in(name, texts, facets, None).await;
    }

    async fn search_in(
        &mut self,
        name: &'static str,
        texts: &[&str],
        facets: &[(&str, &str)],
        sites: Option<Vec<String>>,
    ) {
        let mut tokens: Vec<String> = texts.iter().flat_map(|t| words::of_question(t).unwrap()).collect();
        tokens.extend(facets.iter().map(|(name, value)| words::facet(name, value)));
        let (store, tokens, sites) = (self.store, &tokens, &sites);
        // As the page does it: what was found is read as it stands now.
        self.time(name, |_| async move {
            let wanted = Wanted { tokens: tokens.clone(), sites: sites.clone(), ..Wanted::default() };
            let found = store.search(&wanted, 50).await.unwrap();
            let names = Town::names();
            let told: Vec<_> = found.iter().map(|one| store.told(&names, &one.site, &one.incident)).collect();
            let told: Vec<_> = stream::iter(told).buffered(4).try_collect().await.unwrap();
            told.iter().flatten().count()
        })
        .await;
    }

    async fn time<F: Future<Output = usize>>(&mut self, name: &'static str, mut query: impl FnMut(i64) -> F) {
        let mut took = Vec::new();
        let mut found = 0;
        for run in 0..self.runs {
            let begun = Instant::now();
            // A different one each time: large steps over all of them.
            found += query(run * 7919).await;
            took.push(begun.elapsed());
        }
        took.sort_unstable();
        let ms = |percent: usize| took[(took.len() * percent / 100).min(took.len() - 1)].as_secs_f64() * 1e3;
        self.took.push((name, ms(50), ms(95), found as f64 / self.runs as f64));
    }
}

async fn open(alerts: i64) -> (Store, Settings, Town, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let settings = world::store_settings();
    if settings.url.is_some() {
        // Only the filling is quicker by it.
        let more = "ALTER SYSTEM SET max_wal_size = '2GB'";
        for statement in [more, "SELECT pg_reload_conf()"] {
            assert!(world::cluster::cluster().sql("postgres", statement).status.success());
        }
    }
    let store = Store::open(&folder.path().join("data"), &settings).await.unwrap();
    let town = Town { incidents: (alerts / 10).max(1_000) };
    town::fill::fill(&store, town).await;
    (store, settings, town, folder)
}

#[tokio::test]
async fn the_town_is_as_the_hub_would_have_it_and_nothing_is_looked_through_from_end_to_end() {
    let (store, settings, town, _folder) = open(10_000).await;
    town::fill::check(&store, town).await;
    let statements = plans::Statements::listen();
    let mut asked = Asked { store: &store, town, runs: 5, took: Vec::new() };
    asked.all().await;
    // So few are not of every camera and every word.
    let may_find_none = ["newest_camera", "search_none", "search_rare", "search_rare_some_sites", "given_to"];
    for (name, _, _, found) in &asked.took {
        assert!(*found > 0.0 || may_find_none.contains(name), "{name} found nothing");
    }
    if settings.url.is_none() {
        let scans = plans::scans(&store, &statements.taken()).await;
        assert!(scans.is_empty(), "{scans:#?}");
    }
    store.close().await;
}

#[tokio::test]
#[ignore = "a measurement"]
async fn operators_find_what_they_look_for() {
    let wanted = std::env::var("ALERTS").ok().and_then(|v| v.parse().ok()).unwrap_or(10_000_000i64);
    let (store, settings, town, folder) = open(wanted).await;
    let engine = if settings.url.is_some() { "postgres" } else { "sqlite" };
    if let Some(url) = &settings.url {
        // What its own autovacuum would have done in half a year.
        let database = url.rsplit('/').next().and_then(|rest| rest.split('?').next());
        let database = database.filter(|name| name.starts_with("hub")).unwrap_or("hub0");
        assert!(world::cluster::cluster().sql(database, "VACUUM ANALYZE").status.success());
    }
    let (alerts,): (i64,) = store.read().one(sql("SELECT count(*) FROM alerts")).await.unwrap();
    let mut asked = Asked { store: &store, town, runs: RUNS, took: Vec::new() };
    asked.all().await;
    let mut figures = serde_json::Map::new();
    for (name, p50, p95, found) in &asked.took {
        println!("{name:24} p50 {p50:9.2} ms   p95 {p95:9.2} ms   {found:7.1} rows");
        let rounded = |ms: f64| Value::from((ms * 100.0).round() / 100.0);
        figures.insert(format!("{name}_p50_ms"), rounded(*p50));
        figures.insert(format!("{name}_p95_ms"), rounded(*p95));
    }
    let slow: Vec<_> = asked.took.iter().filter(|(_, _, p95, _)| *p95 > BAR_P95_MS).map(|t| t.0).collect();
    println!("over {BAR_P95_MS} ms: {slow:?}");
    let swept = sweep(&store).await;
    println!("{swept:.0} alerts a second deleted for their age");
    figures.insert("swept_per_s".to_owned(), swept.round().into());
    let name = format!("hub-queries-{engine}");
    let bench = json!({ "name": name, "runs": RUNS, "figures": figures,
        "against": { "bar_p95_ms": BAR_P95_MS, "incidents": town.incidents, "alerts": alerts } });
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench");
    std::fs::create_dir_all(&path).unwrap();
    std::fs::write(path.join(format!("{name}.json")), format!("{bench:#}\n")).unwrap();
    println!("the data folder: {} MB", size_of(folder.path()) / 1_000_000);
    tokio::time::timeout(Duration::from_secs(60), store.close()).await.unwrap();
}

/// How many alerts retention deletes in a second, of one site, where there are no files.
async fn sweep(store: &Store) -> f64 {
    let begun = Instant::now();
    let mut count = 0;
    while begun.elapsed() < Duration::from_secs(20) {
        match store.sweep_alerts(&site_id(7), START + 60 * town::DAY_MS).await.unwrap() {
            0 => break,
            swept => count += swept,
        }
    }
    count as f64 / begun.elapsed().as_secs_f64()
}

fn size_of(folder: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|e| if e.path().is_dir() { size_of(&e.path()) } else { e.metadata().map_or(0, |m| m.len()) })
        .sum()
}
