//! What follows from an incident's change: search, figures, webhooks' messages. On both engines alike.

mod world;

use std::collections::BTreeMap;

use central_hub::store::deliveries::After;
use central_hub::store::exchange::Names;
use central_hub::store::figures::{By, Span};
use central_hub::store::outside::Pass;
use central_hub::store::search::Wanted;
use central_hub::store::{Store, Tx, changes::Subject, sql, sql_for};
use central_hub::webhooks::Webhook;
use hub_core::words;

/// 2026-11-25T04:00:00Z, noon at +08:00.
const NOON: i64 = 1_795_579_200_000;
const DAY_MS: i64 = 86_400_000;

struct Open {
    store: Store,
    names: Names,
    _folder: tempfile::TempDir,
}

async fn open() -> Open {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("data"), &world::store_settings()).await.unwrap();
    let sites = BTreeMap::from([("market".parse().unwrap(), "东街市场".to_owned())]);
    let names = Names { sites, offset_minutes: 480, sender: "hub.example".into(), ..Names::default() };
    Open { store, names, _folder: folder }
}

fn receiver() -> Webhook {
    let text =
        "name = \"city\"\nurl = \"https://city.example/\"\nsecret_file = \"x\"\nat_least = \"medium\"\n";
    settings::parse(text, std::path::Path::new("test")).unwrap()
}

/// An incident as ingest would write it, with its change, in one transaction.
struct Row {
    site: &'static str,
    incident: String,
    kind: &'static str,
    at: i64,
    severity: i64,
    state: &'static str,
    version: i64,
    test: bool,
    alias_of: Option<String>,
}

fn row(n: i64) -> Row {
    Row {
        site: "market",
        incident: id(n),
        kind: "LineDetector/Crossed",
        at: NOON + n * 1_000,
        severity: 3,
        state: "new",
        version: 0,
        test: false,
        alias_of: None,
    }
}

fn id(n: i64) -> String {
    format!("01936f0a-7c00-7000-8000-{n:012}")
}

async fn put(store: &Store, row: &Row) {
    let mut tx = store.write().await.unwrap();
    let text = "INSERT INTO incidents (site, incident, origin, kind, family, test, opened_at, last_at, clock_from,
            alerts, cameras, peak, severity, urgency, root, alias_of, state, version)
        VALUES ($1, $2, 'alerts', $3, 'perimeter', $4, $5, $5, $5, 1, '[[\"gate\", \"c1\"]]', $6, $6, 0, $2, $7, $8, $9)
        ON CONFLICT (site, incident) DO UPDATE SET severity = excluded.severity, state = excluded.state,
            version = excluded.version, alias_of = excluded.alias_of, opened_at = excluded.opened_at";
    let statement = sql(text).bind(row.site).bind(&row.incident).bind(row.kind).bind(row.test).bind(row.at);
    let statement = statement.bind(row.severity).bind(&row.alias_of).bind(row.state).bind(row.version);
    tx.execute(statement).await.unwrap();
    tx.changed(Subject::Incident { site: row.site.into(), incident: row.incident.clone() });
    tx.commit().await.unwrap();
}

impl Open {
    async fn follow(&self, receivers: &[Webhook]) {
        while self.store.follow_outside(&self.names, receivers).await.unwrap() == Pass::More {}
    }

    async fn find(&self, question: &str, facets: &[(&str, &str)]) -> Vec<String> {
        let mut tokens = if question.is_empty() { Vec::new() } else { words::of_question(question).unwrap() };
        tokens.extend(facets.iter().map(|(name, value)| words::facet(name, value)));
        let wanted = Wanted { tokens, ..Wanted::default() };
        self.store.search(&wanted, 50).await.unwrap().into_iter().map(|f| f.incident).collect()
    }
}

#[tokio::test]
async fn incidents_are_found_by_words_and_facets_newest_first() {
    let open = open().await;
    for n in 1..=3 {
        put(&open.store, &row(n)).await;
    }
    put(&open.store, &Row { kind: "LoiteringDetector/ObjectIsLoitering", site: "school", ..row(4) }).await;
    open.follow(&[]).await;
    assert_eq!(open.find("越线", &[]).await, [id(3), id(2), id(1)]);
    assert_eq!(open.find("徘徊", &[]).await, [id(4)]);
    assert_eq!(open.find("街", &[]).await.len(), 3, "one character");
    assert_eq!(open.find("东街 line", &[]).await.len(), 3);
    assert_eq!(open.find("", &[("site", "school")]).await, [id(4)]);
    assert_eq!(open.find("", &[]).await.len(), 4);
    assert!(open.find("徘徊", &[("site", "market")]).await.is_empty());
    assert!(open.find("\" OR \"", &[]).await.is_empty());

    // What people do moves it from one facet to the other; what is absorbed is found no more.
    put(&open.store, &Row { state: "closed", version: 3, ..row(2) }).await;
    put(&open.store, &Row { alias_of: Some(id(2)), ..row(3) }).await;
    put(&open.store, &Row { at: NOON - DAY_MS, ..row(1) }).await;
    open.follow(&[]).await;
    assert_eq!(open.find("越线", &[("open", "yes")]).await, [id(1)]);
    assert_eq!(open.find("越线", &[]).await, [id(2), id(1)]);
    assert_eq!(open.find("已办结", &[]).await, [id(2)]);

    // Only what somebody may see, in pages.
    let all = Wanted {
        tokens: words::of_question("new").unwrap(),
        sites: Some(vec!["market".into(), "school".into()]),
        ..Wanted::default()
    };
    let first = open.store.search(&all, 1).await.unwrap();
    let rest = open.store.search(&Wanted { below: Some(first[0].doc), ..all.clone() }, 50).await.unwrap();
    assert_eq!((first[0].incident.clone(), rest.len(), rest[0].incident.clone()), (id(4), 1, id(1)));
    for sites in [vec![], vec!["MARKET".to_owned()], vec!["mar".to_owned()]] {
        let none = open.store.search(&Wanted { sites: Some(sites), ..all.clone() }, 50).await.unwrap();
        assert!(none.is_empty());
    }
    let day = Wanted { from: Some(NOON), before: Some(NOON + 4_000), ..Wanted::default() };
    assert_eq!(open.store.search(&day, 50).await.unwrap().len(), 1, "the second alone");
}

#[tokio::test]
async fn a_receiver_is_told_each_version_once_and_the_latest_one_at_last() {
    let open = open().await;
    let (store, receivers) = (&open.store, [receiver()]);
    // What was there before it was set up is not told.
    put(store, &row(1)).await;
    open.follow(&[]).await;
    put(store, &Row { severity: 1, ..row(2) }).await;
    put(store, &row(3)).await;
    open.follow(&receivers).await;
    open.follow(&receivers).await;
    let now = NOON * 2;
    let taken = store.take_due("city", now, now + 1_000, 10).await.unwrap();
    assert_eq!(taken.iter().map(|d| d.incident.clone()).collect::<Vec<_>>(), [id(3)], "not severe enough");
    assert!(store.take_due("city", now, now + 1_000, 10).await.unwrap().is_empty(), "taken on already");

    // A newer version comes while the older is on its way: it waits for its own turn.
    put(store, &Row { state: "acknowledged", version: 1, ..row(3) }).await;
    open.follow(&receivers).await;
    store.attempted("city", &taken[0], taken[0].version, &After::Told, now).await.unwrap();
    let newer = store.take_due("city", now, now + 1_000, 10).await.unwrap();
    assert!(newer[0].version > taken[0].version);
    let again = After::Again { due: now + 5_000, error: "answered 503" };
    store.attempted("city", &newer[0], newer[0].version, &again, now).await.unwrap();
    assert!(store.take_due("city", now + 4_999, now, 10).await.unwrap().is_empty());
    assert_eq!(store.receiver_error("city").await.unwrap().as_deref(), Some("answered 503"));
    let last = store.take_due("city", now + 5_000, now + 9_000, 10).await.unwrap();
    assert_eq!(last[0].attempts, 2);
    store.attempted("city", &last[0], last[0].version, &After::Told, now).await.unwrap();
    let standing = store.receiver_standing("city").await.unwrap();
    assert_eq!((standing.told, standing.waiting, standing.given_up), (1, 0, 0));
    assert_eq!(store.next_due("city").await.unwrap(), None);

    // The same change again is no new version.
    put(store, &Row { state: "acknowledged", version: 1, ..row(3) }).await;
    open.follow(&receivers).await;
    assert_eq!(store.next_due("city").await.unwrap(), None);
}

#[tokio::test]
async fn figures_follow_what_incidents_become() {
    let open = open().await;
    let store = &open.store;
    for n in 1..=4 {
        put(store, &row(n)).await;
    }
    put(store, &Row { test: true, ..row(5) }).await;
    put(store, &Row { at: NOON + DAY_MS, site: "school", ..row(6) }).await;
    open.follow(&[]).await;
    put(store, &Row { state: "false_alarm", version: 1, ..row(2) }).await;
    put(store, &Row { alias_of: Some(id(1)), ..row(3) }).await;
    open.follow(&[]).await;
    let span = |sites| Span { first_day: 20_000, last_day: 30_000, sites };
    let days = store.figure_counts(By::Day, &span(None)).await.unwrap();
    let counts: Vec<_> = days.iter().map(|d| (d.incidents, d.false_alarms)).collect();
    assert_eq!(counts, [(3, 1), (1, 0)]);
    let hours = store.figure_counts(By::Hour, &span(Some(vec!["market".into()]))).await.unwrap();
    assert_eq!((hours.len(), hours[0].name.as_str(), hours[0].incidents), (1, "12", 3));
    let sites = store.figure_counts(By::Site, &span(None)).await.unwrap();
    assert_eq!(
        sites.iter().map(|s| (s.name.as_str(), s.incidents)).collect::<Vec<_>>(),
        [("market", 3), ("school", 1)]
    );
    assert!(store.figure_counts(By::Kind, &span(Some(vec![]))).await.unwrap().is_empty());

    // How long it took, from the steps.
    for (n, (kind, after)) in
        [("acknowledge", 30), ("dispatch", 120), ("arrive", 300), ("resolve", 600)].iter().enumerate()
    {
        let mut tx = store.write().await.unwrap();
        let text = "INSERT INTO steps (site, incident, step, at, kind, actor, role) VALUES ('market', $1, $2, $3, $4, 'a', 'operator')";
        let statement =
            sql(text).bind(id(1)).bind(n.to_string()).bind(NOON + 1_000 + after * 1_000).bind(*kind);
        tx.execute(statement).await.unwrap();
        tx.commit().await.unwrap();
    }
    put(store, &Row { state: "resolved", version: 4, ..row(1) }).await;
    open.follow(&[]).await;
    let durations = store.figure_durations(&span(None)).await.unwrap();
    let seconds: Vec<_> = durations.iter().map(|d| (d.until.as_str(), d.count, d.p50_ms / 1_000)).collect();
    assert_eq!(seconds, [("acknowledge", 1, 30), ("dispatch", 1, 120), ("resolve", 1, 623)], "within 4.5 %");
    let told = open.store.told(&open.names, "market", &id(1)).await.unwrap().unwrap();
    assert_eq!(told.incident.changed_at.unwrap().unix_ms(), NOON + 601_000);

    // Read anew, everything is the same.
    let days = store.figure_counts(By::Day, &span(None)).await.unwrap();
    store.follow_anew().await.unwrap();
    open.follow(&[]).await;
    assert_eq!(store.figure_counts(By::Day, &span(None)).await.unwrap(), days);
}

#[tokio::test]
async fn cap_messages_refer_to_those_that_were_made_before() {
    let open = open().await;
    put(&open.store, &row(1)).await;
    let cap = async || {
        let told = open.store.told(&open.names, "market", &id(1)).await.unwrap().unwrap();
        open.store.cap(&open.names, &told.incident).await.unwrap()
    };
    let first = cap().await;
    assert!(first.contains("<msgType>Alert</msgType>") && !first.contains("<references>"));
    assert_eq!(cap().await, first, "the same version is the same message");
    put(&open.store, &Row { state: "resolved", version: 2, ..row(1) }).await;
    let second = cap().await;
    assert!(second.contains("<msgType>Update</msgType>"), "{second}");
    assert!(second.contains(&format!("<references>hub.example,market.{}.", id(1))), "{second}");
    put(&open.store, &Row { state: "false_alarm", version: 3, ..row(1) }).await;
    assert!(cap().await.contains("<msgType>Cancel</msgType>"));
    assert_eq!(open.store.told(&open.names, "market", &id(9)).await.unwrap(), None);
}

/// A measurement, not a check: `cargo test -p central-hub --test outside -- --ignored --nocapture`; the same of
/// `outside_postgres`. `SIGNALBOX_INCIDENTS=1000000` is the default.
#[tokio::test]
#[ignore = "a measurement"]
async fn search_over_a_million_incidents() {
    let incidents: i64 = std::env::var("SIGNALBOX_INCIDENTS").map_or(1_000_000, |n| n.parse().unwrap());
    let open = open().await;
    fill_index(&open.store, incidents).await;
    let mut questions = Vec::new();
    for words in
        ["越线", "门", "东街", "徘徊 北门", "广场17", "南门 越线", "camera 23", "停车场", "没有的词", "区"]
    {
        questions.push((words, Vec::new(), None));
    }
    questions.push(("越线", vec![words::facet("state", "new")], None));
    questions.push(("", vec![words::facet("site", "s17"), words::facet("open", "yes")], None));
    questions.push(("徘徊", vec![words::facet("site", "s3")], Some(vec!["s3".to_owned(), "s4".to_owned()])));
    let mut all = Vec::new();
    println!("{:<28} {:>6} {:>9} {:>9}", "question", "found", "first ms", "worst ms");
    for (words, facets, sites) in questions {
        let mut tokens = if words.is_empty() { Vec::new() } else { words::of_question(words).unwrap() };
        tokens.extend(facets.clone());
        let wanted = Wanted { tokens, sites, ..Wanted::default() };
        let (mut times, mut found) = (Vec::new(), 0);
        for _ in 0..20 {
            let begun = std::time::Instant::now();
            found = open.store.search(&wanted, 50).await.unwrap().len();
            times.push(begun.elapsed().as_secs_f64() * 1_000.0);
        }
        let worst = times.iter().copied().fold(0.0, f64::max);
        println!("{:<28} {found:>6} {:>9.1} {worst:>9.1}", format!("{words} {}", facets.join(" ")), times[0]);
        all.extend(times);
    }
    all.sort_by(f64::total_cmp);
    println!(
        "{incidents} incidents, {} searches: p50 {:.1} ms, p95 {:.1} ms",
        all.len(),
        all[all.len() / 2],
        all[all.len() * 95 / 100]
    );
}

/// Two years of incidents at 50 sites with 40 cameras each, one of a hundred still open.
async fn fill_index(store: &Store, incidents: i64) {
    const PLACES: [&str; 6] = ["东街市场", "北门", "南门广场", "停车场", "学校西区", "河边步道"];
    const KINDS: [(&str, &str); 3] =
        [("越线", "Line crossed"), ("进入区域", "Zone entered"), ("徘徊逗留", "Loitering")];
    let span = 2 * 365 * DAY_MS / incidents;
    for first in (0..incidents).step_by(10_000) {
        let (mut docs, mut ids, mut texts) = (Vec::new(), Vec::new(), Vec::new());
        for n in first..(first + 10_000).min(incidents) {
            let mixed = usize::try_from(n.wrapping_mul(2_654_435_761) >> 7 & 0xff_ffff).unwrap();
            let (site, camera, kind) = (mixed % 50, mixed / 50 % 40, KINDS[mixed / 2_000 % 3]);
            let state =
                if mixed % 100 == 0 { ("未处理", "new", "yes") } else { ("已办结", "closed", "no") };
            let place = format!("{}{camera} camera {camera} gate广场{camera}", PLACES[(site + camera) % 6]);
            let mut tokens = words::of_texts([kind.0, kind.1, state.0, state.1, &place, "高"]);
            let at = NOON - 2 * 365 * DAY_MS + n * span;
            tokens.push(words::facet("site", &format!("s{site}")));
            tokens.push(words::facet("state", state.1));
            tokens.push(words::facet("open", state.2));
            tokens.push(words::facet("month", &(at / (30 * DAY_MS)).to_string()));
            docs.push((at << 20) + n % 1_000);
            ids.push(format!("s{site}/{}", id(n)));
            texts.push(tokens.join(" "));
        }
        let mut tx = store.write().await.unwrap();
        // SQLite joins the lists by their places: short ones, or it takes for ever.
        for ((docs, ids), texts) in docs.chunks(200).zip(ids.chunks(200)).zip(texts.chunks(200)) {
            put_docs(&mut tx, docs, ids, texts).await;
        }
        tx.commit().await.unwrap();
    }
    let mut tx = store.write().await.unwrap();
    let statement = sql_for("SELECT 1 WHERE 1 = 0", "ANALYZE search_docs");
    tx.execute(statement).await.unwrap();
    tx.commit().await.unwrap();
}

async fn put_docs(tx: &mut Tx, docs: &[i64], ids: &[String], texts: &[String]) {
    let statement = sql_for(
        "INSERT INTO search_docs (site, incident, doc, digest)
            SELECT substr(i.value, 1, instr(i.value, '/') - 1), substr(i.value, instr(i.value, '/') + 1), d.value, x''
            FROM json_each($1) d JOIN json_each($2) i ON i.key = d.key WHERE $3 IS NOT NULL",
        "INSERT INTO search_docs (site, incident, doc, digest, words)
            SELECT split_part(i, '/', 1), split_part(i, '/', 2), d, '', string_to_array(w, ' ')
            FROM unnest($1::bigint[], $2::text[], $3::text[]) AS t (d, i, w)",
    );
    tx.execute(statement.bind(docs).bind(ids).bind(texts)).await.unwrap();
    let statement = sql_for(
        "INSERT INTO search_words (rowid, words) SELECT d.value, w.value
            FROM json_each($1) d JOIN json_each($2) w ON w.key = d.key",
        "SELECT 1 WHERE $1::bigint[] IS NULL AND $2::text[] IS NULL",
    );
    tx.execute(statement.bind(docs).bind(texts)).await.unwrap();
}
