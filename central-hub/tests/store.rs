//! What the store promises, on both engines alike.

mod world;

use std::collections::BTreeSet;
use std::sync::Arc;

use central_hub::store::changes::Subject;
use central_hub::store::{Store, StoreError, sql, sql_for};
use tokio::task::JoinSet;

struct Open {
    store: Store,
    _folder: tempfile::TempDir,
}

async fn open() -> Open {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("data"), &world::store_settings()).await.unwrap();
    Open { store, _folder: folder }
}

#[derive(Debug, PartialEq, sqlx::FromRow)]
struct Everything {
    agent: String,
    epoch: Option<String>,
    seq: Option<i64>,
    raw: Vec<u8>,
}

async fn put(store: &Store, row: &Everything) {
    let text =
        "INSERT INTO dead_letters (id, site, agent, channel, epoch, seq, reason, why, raw, received_at)
        VALUES ($1, 'market', $2, 'alert', $3, $4, 'other', '', $5, 0)";
    let statement = sql(text).bind(format!("{:?}", row.seq)).bind(&row.agent);
    let mut tx = store.write().await.unwrap();
    assert_eq!(tx.execute(statement.bind(&row.epoch).bind(row.seq).bind(&row.raw)).await.unwrap(), 1);
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn what_is_written_is_read_and_text_loses_only_its_nuls() {
    let Open { store, .. } = &open().await;
    let full = Everything {
        agent: "东\0门".into(),
        epoch: Some(String::new()),
        seq: Some(i64::MIN),
        raw: vec![0, 255],
    };
    let bare = Everything { agent: "".into(), epoch: None, seq: None, raw: vec![] };
    put(store, &full).await;
    put(store, &bare).await;
    let all = "SELECT agent, epoch, seq, raw FROM dead_letters ORDER BY seq IS NULL";
    let rows: Vec<Everything> = store.read().all(sql(all)).await.unwrap();
    assert_eq!(rows, [Everything { agent: "东\u{fffd}门".into(), ..full }, bare]);
    let none: Option<(i64,)> =
        store.read().optional(sql("SELECT seq FROM dead_letters WHERE seq = 7")).await.unwrap();
    assert_eq!(none, None);
    assert!(matches!(store.read().one::<(i64,)>(sql("SELECT seq FROM gaps")).await, Err(StoreError::Sql(_))));
}

#[tokio::test]
async fn lists_are_bound_whole_and_texts_compare_by_their_bytes() {
    let Open { store, .. } = &open().await;
    let names = ["Zoo", "a-b", "ab", "alley", "z", "é", "门"].map(str::to_owned);
    let mut tx = store.write().await.unwrap();
    let insert = sql_for(
        "INSERT INTO meta (name, value) SELECT value, 'x' FROM json_each($1)",
        "INSERT INTO meta (name, value) SELECT name, 'x' FROM unnest($1) AS name",
    );
    assert_eq!(tx.execute(insert.bind(&names[..])).await.unwrap(), 7);
    tx.commit().await.unwrap();
    let sorted: Vec<(String,)> =
        store.read().all(sql("SELECT name FROM meta WHERE value = 'x' ORDER BY name")).await.unwrap();
    assert_eq!(sorted.into_iter().map(|(name,)| name).collect::<Vec<_>>(), names);
    let some = sql_for(
        "SELECT count(*) FROM meta WHERE name IN (SELECT value FROM json_each($1))",
        "SELECT count(*) FROM meta WHERE name = ANY($1)",
    );
    let (count,): (i64,) = store.read().one(some.bind(vec!["门".to_owned(), "nobody".into()])).await.unwrap();
    assert_eq!(count, 1);
}

#[tokio::test]
async fn what_is_not_committed_never_was() {
    let Open { store, .. } = &open().await;
    let before = store.latest_change().await.unwrap();
    let mut tx = store.write().await.unwrap();
    tx.execute(sql("INSERT INTO meta (name, value) VALUES ('a', 'b')")).await.unwrap();
    tx.changed(Subject::Agent("gate".into()));
    drop(tx);
    assert_eq!(
        store.read().all::<(String,)>(sql("SELECT value FROM meta WHERE name = 'a'")).await.unwrap(),
        []
    );
    assert_eq!(store.latest_change().await.unwrap(), before);
    assert_eq!(*store.follow().borrow(), before);
}

/// Many write at once: who sees a number sees everything up to it, and there is no hole.
#[tokio::test(flavor = "multi_thread")]
async fn changes_are_numbered_in_the_order_of_commits() {
    let open = open().await;
    let start = open.store.latest_change().await.unwrap();
    let mut tasks = JoinSet::new();
    for writer in 0..8 {
        let store = open.store.clone();
        tasks.spawn(async move {
            for n in 0..25 {
                let mut tx = store.write().await.unwrap();
                for part in 0..=n % 3 {
                    tx.changed(Subject::Agent(format!("w{writer}-{n}-{part}")));
                }
                tx.commit().await.unwrap();
            }
        });
    }
    let (mut at, mut seen) = (start, BTreeSet::new());
    let all = 8 * (0..25).map(|n| n % 3 + 1).sum::<i64>();
    let mut news = open.store.follow();
    while at < start + all {
        let changes = open.store.changes_after(at, 7).await.unwrap().expect("nothing is dropped yet");
        for change in changes {
            assert_eq!(change.number, at + 1);
            at = change.number;
            assert!(seen.insert(change.subject));
        }
        if at < start + all && at == *news.borrow_and_update() {
            news.changed().await.unwrap();
        }
    }
    tasks.join_all().await;
    assert_eq!(open.store.latest_change().await.unwrap(), start + all);
}

/// Read, decide, write: with the lock nobody decides on what is no longer so.
#[tokio::test(flavor = "multi_thread")]
async fn who_holds_a_lock_decides_alone() {
    let open = Arc::new(open().await);
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let open = open.clone();
        tasks.spawn(async move {
            for _ in 0..10 {
                let mut tx = open.store.write().await.unwrap();
                tx.lock("counting").await.unwrap();
                let row: Option<(String,)> =
                    tx.optional(sql("SELECT value FROM meta WHERE name = 'count'")).await.unwrap();
                let next = row.map_or(0, |(n,)| n.parse::<u32>().unwrap()) + 1;
                let text = "INSERT INTO meta (name, value) VALUES ('count', $1)
                    ON CONFLICT (name) DO UPDATE SET value = excluded.value";
                tx.execute(sql(text).bind(next.to_string())).await.unwrap();
                tx.commit().await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    let (count,): (String,) =
        open.store.read().one(sql("SELECT value FROM meta WHERE name = 'count'")).await.unwrap();
    assert_eq!(count, "80");
}

/// Two that take two locks in opposite order: one loses, begins anew and succeeds. (On SQLite none can lose.)
#[tokio::test(flavor = "multi_thread")]
async fn who_loses_against_another_transaction_begins_anew() {
    let open = Arc::new(open().await);
    let mut tasks = JoinSet::new();
    for names in [["a", "b"], ["b", "a"]] {
        let open = open.clone();
        tasks.spawn(async move {
            let store = &open.store;
            for _ in 0..20 {
                let once = || async {
                    let mut tx = store.write().await?;
                    for name in names {
                        tx.lock(name).await?;
                    }
                    tx.changed(Subject::Agent(names.concat()));
                    tx.commit().await
                };
                store.retrying(once).await.unwrap();
            }
        });
    }
    let start = open.store.latest_change().await.unwrap();
    tasks.join_all().await;
    assert!(open.store.latest_change().await.unwrap() <= start + 40);
    let changes = open.store.changes_after(0, 100).await.unwrap().unwrap();
    assert_eq!(changes.len(), 40);
}
