//! How long agents and cameras were up, as the hub's store counts it: over restarts, losses of the broker, silent
//! boxes, clocks that are set, and midnight. On both engines alike.

mod world;

use central_hub::ingest::read;
use central_hub::store::figures::Span;
use central_hub::store::records::SettledCache;
use central_hub::store::uptime::{Day, Wanted};
use central_hub::store::{Settings, Store, sql};
use serde_json::{Value, json};

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// 2026-11-25T00:00:00 at +08:00.
const MIDNIGHT: i64 = 1_795_536_000_000;
const TODAY: i64 = 20_782;
/// Rarer than the hub does it, and often enough.
const TICK: i64 = 30 * SECOND;

struct Hub {
    store: Store,
    cache: SettledCache,
    settings: Settings,
    folder: tempfile::TempDir,
}

impl Hub {
    /// It starts at midnight.
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = world::store_settings();
        let store = open(&folder, &settings).await;
        world::enrol(&store, "market", "gate").await;
        store.forget_presence(MIDNIGHT).await.unwrap();
        Self { store, cache: SettledCache::default(), settings, folder }
    }

    /// Its next process, or the next to lead: what it knows is in the database.
    async fn restart(&mut self) {
        self.store.close().await;
        self.store = open(&self.folder, &self.settings).await;
        self.cache = SettledCache::default();
    }

    async fn hear(&mut self, agent: &str, channel: &str, message: &Value, at: i64) {
        let topic = format!("signalbox/v1/market/{agent}/{channel}");
        let arrival = read(&topic, message.to_string().as_bytes(), at).unwrap();
        let committed = self.store.commit(&mut self.cache, &[arrival]).await.unwrap();
        assert_eq!((committed.counts.rejected, committed.counts.stranger), (0, 0));
    }

    async fn online(&mut self, cameras: &[(&str, &str)], at: i64) {
        // Its own clock is wrong; it does not count.
        let since = "2001-01-01T00:00:00Z";
        let cameras: Vec<_> = cameras
            .iter()
            .map(|(camera, state)| json!({ "camera": camera, "state": state, "since": since }))
            .collect();
        let status = json!({ "v": 1, "state": "online", "since": since, "cameras": cameras });
        self.hear("gate", "status", &status, at).await;
    }

    async fn will(&mut self, at: i64) {
        self.hear("gate", "status", &json!({ "v": 1, "state": "offline" }), at).await;
    }

    async fn health(&mut self, at: i64) {
        let health = json!({ "v": 1, "at": "2001-01-01T00:00:00Z", "cpu_cores": 0.5, "memory_bytes": 1,
            "spool_bytes": 1, "spool_open_records": 0, "stills_waiting": 0 });
        self.hear("gate", "health", &health, at).await;
    }

    /// Ticks from one time to the other, both included; the box is heard before each where it is well.
    async fn run(&mut self, well: bool, from: i64, to: i64) {
        let mut at = from;
        while at <= to {
            if well {
                self.health(at).await;
            }
            self.store.tick_uptime(at).await.unwrap();
            at += TICK;
        }
    }

    async fn days(&self, wanted: &Wanted) -> Vec<Day> {
        self.store.figure_uptime(wanted, 1_000).await.unwrap()
    }

    /// Up, down and unknown of a camera of the box, or of itself.
    async fn times(&self, camera: &str, day: i64) -> (i64, i64, i64) {
        let days = self.days(&all()).await;
        let found = days.iter().find(|d| d.agent == "gate" && d.camera == camera && d.day == day);
        found.map_or((0, 0, 0), |d| (d.times.up_ms, d.times.down_ms, d.times.unknown_ms))
    }
}

async fn open(folder: &tempfile::TempDir, settings: &Settings) -> Store {
    let store = Store::open(&folder.path().join("data"), settings).await.unwrap();
    store.count_days_at(480);
    store
}

fn all() -> Wanted {
    Wanted { span: Span { first_day: 0, last_day: 30_000, sites: None }, agent: None, camera: None }
}

const CAMERAS: &[(&str, &str)] = &[("c1", "live"), ("c2", "stalled")];

#[tokio::test]
async fn a_box_by_day_with_cameras_that_come_and_go() {
    let mut hub = Hub::new().await;
    let evening = MIDNIGHT + 23 * HOUR;
    hub.store.tick_uptime(evening).await.unwrap();
    assert_eq!(hub.days(&all()).await, [], "nothing counts before its first word");
    hub.online(CAMERAS, evening).await;
    hub.run(true, evening, MIDNIGHT + DAY + HOUR).await;
    let open: Vec<(i64,)> = hub.store.read().all(sql("SELECT at FROM uptime_open")).await.unwrap();
    assert_eq!(open, [(MIDNIGHT + DAY,)], "what is of yesterday is in the table of days");
    hub.online(&[("c1", "credentials"), ("c3", "live")], MIDNIGHT + DAY + HOUR).await;
    hub.run(true, MIDNIGHT + DAY + HOUR, MIDNIGHT + DAY + 2 * HOUR).await;
    hub.will(MIDNIGHT + DAY + 2 * HOUR).await;
    hub.run(false, MIDNIGHT + DAY + 2 * HOUR, MIDNIGHT + DAY + 5 * HOUR).await;
    assert_eq!(hub.times("", TODAY).await, (HOUR, 0, 0));
    assert_eq!(hub.times("", TODAY + 1).await, (2 * HOUR, 3 * HOUR, 0));
    assert_eq!(hub.times("c1", TODAY).await, (HOUR, 0, 0));
    assert_eq!(hub.times("c1", TODAY + 1).await, (HOUR, HOUR, 3 * HOUR), "who knows of it without its box?");
    assert_eq!(hub.times("c2", TODAY).await, (0, HOUR, 0));
    assert_eq!(hub.times("c2", TODAY + 1).await, (0, HOUR, 0), "gone");
    assert_eq!(hub.times("c3", TODAY + 1).await, (HOUR, 0, 3 * HOUR));
    // It is back, and its cameras with it.
    hub.online(&[("c1", "live")], MIDNIGHT + DAY + 5 * HOUR).await;
    hub.run(true, MIDNIGHT + DAY + 5 * HOUR, MIDNIGHT + DAY + 6 * HOUR).await;
    assert_eq!(hub.times("c1", TODAY + 1).await, (2 * HOUR, HOUR, 3 * HOUR));
}

#[tokio::test]
async fn a_hub_that_was_down_knows_nothing_of_that_time() {
    let mut hub = Hub::new().await;
    hub.online(CAMERAS, MIDNIGHT).await;
    hub.run(true, MIDNIGHT, MIDNIGHT + HOUR).await;
    // Killed; its power comes back a day later, and the box is heard a minute after that.
    hub.restart().await;
    let back = MIDNIGHT + DAY + HOUR;
    hub.store.forget_presence(back).await.unwrap();
    hub.run(false, back, back + MINUTE).await;
    hub.online(CAMERAS, back + MINUTE).await;
    hub.run(true, back + MINUTE, back + HOUR).await;
    assert_eq!(hub.times("", TODAY).await, (HOUR, 0, 23 * HOUR));
    assert_eq!(hub.times("c2", TODAY).await, (0, HOUR, 23 * HOUR));
    assert_eq!(hub.times("", TODAY + 1).await, (59 * MINUTE, 0, HOUR + MINUTE));
    // Once more, but only a moment: a restart. Nobody knows until the box says that it is there.
    let again = back + HOUR + 2 * SECOND;
    hub.store.forget_presence(again).await.unwrap();
    hub.online(CAMERAS, again + 3 * SECOND).await;
    hub.run(true, again + 3 * SECOND, again + 3 * SECOND).await;
    assert_eq!(hub.times("", TODAY + 1).await, (59 * MINUTE, 0, HOUR + MINUTE + 5 * SECOND));
    // Off for a year: of that, a month.
    let year = again + 365 * DAY;
    hub.store.forget_presence(year).await.unwrap();
    let days = hub.days(&all()).await;
    let unknown: i64 = days.iter().filter(|d| d.camera.is_empty()).map(|d| d.times.unknown_ms).sum();
    assert_eq!(unknown, 24 * HOUR + MINUTE + 5 * SECOND + 31 * DAY);
}

#[tokio::test]
async fn a_box_that_falls_silent_without_a_word_is_unknown_after_a_minute() {
    let mut hub = Hub::new().await;
    hub.online(CAMERAS, MIDNIGHT).await;
    hub.run(true, MIDNIGHT, MIDNIGHT + HOUR).await;
    let last = MIDNIGHT + HOUR;
    hub.run(false, last + TICK, last + 10 * MINUTE).await;
    assert_eq!(hub.times("", TODAY).await, (HOUR + MINUTE, 0, 9 * MINUTE));
    assert_eq!(hub.times("c1", TODAY).await, (HOUR + MINUTE, 0, 9 * MINUTE));
    // It was only its network: it is heard again, without a new status.
    let heard = last + 10 * MINUTE + SECOND;
    hub.run(true, heard, heard + 5 * MINUTE).await;
    assert_eq!(hub.times("c1", TODAY).await, (HOUR + 6 * MINUTE, 0, 9 * MINUTE + SECOND));
    // Silent once more, and then its last will after all.
    let last = heard + 5 * MINUTE;
    hub.run(false, last + TICK, last + 3 * MINUTE).await;
    hub.will(last + 4 * MINUTE).await;
    hub.run(false, last + 4 * MINUTE, last + 6 * MINUTE).await;
    let unknown = 9 * MINUTE + SECOND + 3 * MINUTE;
    assert_eq!(hub.times("", TODAY).await, (HOUR + 7 * MINUTE, 2 * MINUTE, unknown));
}

#[tokio::test]
async fn without_a_broker_nobody_is_heard_and_retained_words_count_from_when_they_are_heard() {
    let mut hub = Hub::new().await;
    world::enrol(&hub.store, "market", "yard").await;
    hub.online(CAMERAS, MIDNIGHT).await;
    hub.hear("yard", "status", &json!({ "v": 1, "state": "offline" }), MIDNIGHT).await;
    hub.run(true, MIDNIGHT, MIDNIGHT + HOUR).await;
    let lost = MIDNIGHT + HOUR;
    hub.store.deaf_since(lost).await.unwrap();
    // One word of the time before was still on its way; while the broker is away the loss is said again.
    hub.online(CAMERAS, lost - 5).await;
    hub.store.deaf_since(lost).await.unwrap();
    hub.run(false, lost, lost + HOUR).await;
    hub.store.deaf_since(lost).await.unwrap();
    let back = lost + HOUR;
    hub.online(CAMERAS, back).await;
    hub.hear("yard", "status", &json!({ "v": 1, "state": "offline" }), back).await;
    hub.run(true, back, back + HOUR).await;
    assert_eq!(hub.times("", TODAY).await, (2 * HOUR, 0, HOUR));
    assert_eq!(hub.times("c2", TODAY).await, (0, 2 * HOUR, HOUR));
    let yard = Wanted { agent: Some("yard".into()), ..all() };
    let yard = hub.days(&yard).await.remove(0).times;
    assert_eq!((yard.up_ms, yard.down_ms, yard.unknown_ms), (0, 2 * HOUR, HOUR));
    // A retained `online` of a box that is not there any more: a minute, no more.
    hub.store.deaf_since(back + HOUR).await.unwrap();
    hub.online(CAMERAS, back + HOUR).await;
    hub.run(false, back + HOUR, back + 2 * HOUR).await;
    assert_eq!(hub.times("", TODAY).await, (2 * HOUR + MINUTE, 0, HOUR + 59 * MINUTE));
}

#[tokio::test]
async fn a_clock_that_is_set_makes_no_uptime() {
    let mut hub = Hub::new().await;
    hub.online(CAMERAS, MIDNIGHT).await;
    hub.run(true, MIDNIGHT, MIDNIGHT + HOUR).await;
    // Ahead by three hours; the first that is heard by the new clock is a status.
    let ahead = MIDNIGHT + 4 * HOUR;
    hub.online(CAMERAS, ahead).await;
    hub.run(true, ahead + SECOND, ahead + HOUR + SECOND).await;
    let (up, down, unknown) = hub.times("", TODAY).await;
    assert_eq!((down, up + unknown), (0, 5 * HOUR + SECOND));
    assert!((2 * HOUR - TICK..=2 * HOUR + SECOND).contains(&up), "{up}");
    // Back by two hours: these are lived through once more.
    let set_back = ahead + HOUR - 2 * HOUR;
    hub.run(true, set_back, set_back + HOUR).await;
    hub.will(set_back + HOUR).await;
    hub.run(false, set_back + HOUR, set_back + 2 * HOUR).await;
    assert_eq!(hub.times("", TODAY).await, (up + HOUR, HOUR, unknown));
    // To another century and back: a month of days at most, and it goes on.
    let century = MIDNIGHT + 100 * 365 * DAY;
    hub.online(CAMERAS, century).await;
    hub.run(true, century, century + TICK).await;
    let back = set_back + 3 * HOUR;
    hub.run(false, back, back).await;
    hub.online(CAMERAS, back).await;
    hub.run(true, back, back + HOUR).await;
    assert!(hub.days(&all()).await.len() < 3 * 40);
    let (later, _, _) = hub.times("", TODAY).await;
    assert!((up + 2 * HOUR..=up + 2 * HOUR + 2 * TICK).contains(&later), "{later}");
    // Silence is noticed by the new clock too.
    hub.run(false, back + HOUR + TICK, back + 2 * HOUR).await;
    assert_eq!(hub.times("", TODAY).await.0, later + MINUTE);
}

#[tokio::test]
async fn who_is_taken_away_or_moves_is_no_longer_counted_where_it_was() {
    let mut hub = Hub::new().await;
    hub.online(CAMERAS, MIDNIGHT).await;
    hub.run(true, MIDNIGHT, MIDNIGHT + HOUR).await;
    // An operator's clock is the real one; what counts is that it ends.
    hub.store.revoke_agent(&"gate".parse().unwrap(), "test").await.unwrap();
    hub.store.tick_uptime(MIDNIGHT + HOUR + SECOND).await.unwrap();
    let ended = hub.times("", TODAY).await;
    hub.store.tick_uptime(MIDNIGHT + 5 * HOUR).await.unwrap();
    assert_eq!(hub.times("", TODAY).await, ended);
    assert_eq!(hub.store.read().one::<(i64,)>(sql("SELECT count(*) FROM uptime_open")).await.unwrap(), (0,));
    // Let in again, it counts again from its first word; at another site, there.
    let mut tx = hub.store.write().await.unwrap();
    tx.execute(sql("UPDATE agents SET revoked_at = NULL")).await.unwrap();
    tx.commit().await.unwrap();
    hub.online(CAMERAS, MIDNIGHT + 6 * HOUR).await;
    hub.run(true, MIDNIGHT + 6 * HOUR, MIDNIGHT + 7 * HOUR).await;
    assert_eq!(hub.times("", TODAY).await, (ended.0 + HOUR, 0, ended.2));
    let mut tx = hub.store.write().await.unwrap();
    tx.execute(sql("UPDATE agents SET site = 'school'")).await.unwrap();
    tx.commit().await.unwrap();
    let topic = "signalbox/v1/school/gate/status";
    let arrival = read(topic, br#"{ "v": 1, "state": "online" }"#, MIDNIGHT + 8 * HOUR).unwrap();
    hub.store.commit(&mut hub.cache, &[arrival]).await.unwrap();
    hub.store.tick_uptime(MIDNIGHT + 8 * HOUR).await.unwrap();
    let at = |site: &str| Span { first_day: 0, last_day: 30_000, sites: Some(vec![site.to_owned()]) };
    let market = hub.days(&Wanted { span: at("market"), ..all() }).await;
    hub.store.tick_uptime(MIDNIGHT + 8 * HOUR + MINUTE).await.unwrap();
    assert_eq!(hub.days(&Wanted { span: at("market"), ..all() }).await, market);
    let school = hub.days(&Wanted { span: at("school"), ..all() }).await;
    assert_eq!(school.iter().map(|d| d.times.up_ms).collect::<Vec<_>>(), [MINUTE]);
}

#[tokio::test]
async fn many_boxes_are_counted_and_found_by_what_is_asked_for() {
    let hub = Hub::new().await;
    let mut tx = hub.store.write().await.unwrap();
    for n in 0..1_203 {
        let (site, agent) = (if n % 2 == 0 { "market" } else { "school" }, format!("box-{n:04}"));
        let text =
            "INSERT INTO agents (agent, site, created_at, state, last_seen) VALUES ($1, $2, 0, 'online', $3)";
        tx.execute(sql(text).bind(&agent).bind(site).bind(MIDNIGHT)).await.unwrap();
        let text = "INSERT INTO uptime_open (site, agent, at, state, cameras)
            VALUES ($1, $2, $3, 'up', '{\"c1\": \"up\", \"c2\": \"down\"}')";
        tx.execute(sql(text).bind(site).bind(&agent).bind(MIDNIGHT - HOUR)).await.unwrap();
    }
    tx.commit().await.unwrap();
    // All are looked at, though not in one transaction: yesterday's hour is in the days.
    hub.store.tick_uptime(MIDNIGHT + SECOND).await.unwrap();
    let stored = sql("SELECT count(*) FROM uptime_days WHERE up_ms + down_ms = $1").bind(HOUR);
    assert_eq!(hub.store.read().one::<(i64,)>(stored).await.unwrap(), (3 * 1_203,));
    hub.store.forget_presence(MIDNIGHT + 2 * SECOND).await.unwrap();

    let count = async |wanted: &Wanted| hub.store.figure_uptime(wanted, 100_000).await.unwrap().len();
    let span = |sites: Option<Vec<String>>| Span { first_day: TODAY - 1, last_day: TODAY - 1, sites };
    let yesterday = Wanted { span: span(None), ..all() };
    assert_eq!(count(&yesterday).await, 3 * 1_203);
    assert_eq!(count(&all()).await, 2 * 3 * 1_203);
    assert_eq!(hub.store.figure_uptime(&all(), 7).await.unwrap().len(), 7);
    assert_eq!(count(&Wanted { span: span(Some(vec!["school".into()])), ..all() }).await, 3 * 601);
    assert_eq!(count(&Wanted { span: span(Some(vec![])), ..all() }).await, 0);
    assert_eq!(count(&Wanted { agent: Some("box-0007".into()), ..yesterday.clone() }).await, 3);
    let one = Wanted { agent: Some("box-0007".into()), camera: Some("c2".into()), ..yesterday };
    let one = hub.days(&one).await;
    assert_eq!((one.len(), one[0].times.down_ms, one[0].site.as_str()), (1, HOUR, "school"));
}
