//! Each step is cut before each of its statements, on both engines: the database is old or new, never between.

use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};

use super::*;
use crate::store::{Settings, Store};

#[path = "../../../../tests/cluster/mod.rs"]
#[allow(dead_code)]
mod cluster;

/// The statements of a step. A trigger's own statements belong to it.
fn statements(text: &str) -> Vec<String> {
    let code: Vec<_> = text.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
    let mut statements: Vec<String> = Vec::new();
    let mut open = false;
    for part in code.join("\n").split(";\n").map(str::trim).filter(|part| !part.is_empty()) {
        let part = part.trim_end_matches(';');
        match statements.last_mut() {
            Some(trigger) if open => *trigger += &format!(";\n{part}"),
            _ => statements.push(part.to_owned()),
        }
        let last = statements.last().unwrap();
        open = last.starts_with("CREATE TRIGGER") && !last.ends_with("END");
    }
    statements
}

async fn cut_everywhere<C: Migrate>(
    connection: &mut C,
    steps: &[Step],
    dump: impl AsyncFn(&mut C) -> Vec<String>,
) -> usize {
    let mut cuts = 0;
    for (k, (number, name, text)) in steps.iter().enumerate() {
        bring_up_to_date(connection, &steps[..k]).await.unwrap();
        let old = dump(connection).await;
        let statements = statements(text);
        for cut in 0..=statements.len() {
            let done: String = statements[..cut].iter().map(|s| format!("{s};\n")).collect();
            let text: &'static str = Box::leak((done + "SELECT cut_here();").into_boxed_str());
            let tried = [&steps[..k], &[(*number, *name, text)]].concat();
            let error = bring_up_to_date(connection, &tried).await.unwrap_err().to_string();
            assert!(error.contains("cut_here"), "{name}, cut before statement {cut}: {error}");
            assert_eq!(dump(connection).await, old, "{name}, cut before statement {cut}");
            cuts += 1;
        }
        bring_up_to_date(connection, &steps[..=k]).await.unwrap();
        let new = dump(connection).await;
        assert_ne!(new, old);
        bring_up_to_date(connection, &steps[..=k]).await.unwrap();
        assert_eq!(dump(connection).await, new, "done twice");
    }
    cuts
}

async fn sqlite_dump(connection: &mut SqliteConnection) -> Vec<String> {
    let text = "SELECT coalesce(sql, name) FROM sqlite_master WHERE name NOT LIKE '_sqlx%' ORDER BY 1";
    let mut dump: Vec<String> = sqlx::query_scalar(text).fetch_all(&mut *connection).await.unwrap();
    let text = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '%sqlite%' ORDER BY 1";
    let tables: Vec<String> = sqlx::query_scalar(text).fetch_all(&mut *connection).await.unwrap();
    for table in tables {
        let text = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        let rows: i64 = sqlx::query_scalar(text).fetch_one(&mut *connection).await.unwrap();
        dump.push(format!("{table}: {rows}"));
    }
    dump
}

async fn postgres_dump(connection: &mut PgConnection) -> Vec<String> {
    let text =
        "SELECT concat(table_name, '.', column_name, ' ', data_type, ' ', is_nullable, ' ', column_default)
        FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE '_sqlx%'
        UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename NOT LIKE '_sqlx%'
        ORDER BY 1";
    let mut dump: Vec<String> = sqlx::query_scalar(text).fetch_all(&mut *connection).await.unwrap();
    let text = "SELECT concat(version, success) FROM _sqlx_migrations ORDER BY 1";
    dump.extend(sqlx::query_scalar::<_, String>(text).fetch_all(&mut *connection).await.unwrap());
    dump
}

async fn file(folder: &std::path::Path, name: &str) -> SqliteConnection {
    SqliteConnectOptions::new().filename(folder.join(name)).create_if_missing(true).connect().await.unwrap()
}

#[tokio::test]
async fn a_step_that_is_cut_on_sqlite_never_was() {
    let folder = tempfile::tempdir().unwrap();
    let mut connection = file(folder.path(), "hub.db").await;
    let cuts = cut_everywhere(&mut connection, SQLITE, sqlite_dump).await;
    println!("{cuts} cuts");
}

#[tokio::test]
async fn a_step_that_is_cut_on_postgres_never_was() {
    let mut connection = PgConnection::connect(&cluster::cluster().database()).await.unwrap();
    let cuts = cut_everywhere(&mut connection, POSTGRES, postgres_dump).await;
    println!("{cuts} cuts");
}

/// A database of the first version: its rows are kept, it is copied before, and an older hub refuses the newer one.
#[tokio::test]
async fn an_older_database_is_copied_and_keeps_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let mut old = file(folder.path(), "hub.db").await;
    bring_up_to_date(&mut old, &SQLITE[..2]).await.unwrap();
    let rows = "INSERT INTO meta VALUES ('hub_epoch', 'e0');
        INSERT INTO users VALUES ('admin', 'hash', 1);
        INSERT INTO changes (change, agent, epoch, seq) VALUES (41, 'gate', 'e1', 7), (42, 'gate', NULL, NULL);
        INSERT INTO audit (at, action, actor, detail) VALUES (1, 'held', 'hub', 'first'), (2, 'held', 'hub', 'second')";
    sqlx::raw_sql(rows).execute(&mut old).await.unwrap();
    old.close().await.unwrap();

    let store = Store::open(folder.path(), &Settings::default()).await.unwrap();
    assert_eq!((store.hub_epoch().as_str(), store.latest_change().await.unwrap()), ("e0", 42));
    let changes = store.changes_after(40, 10).await.unwrap().unwrap();
    assert_eq!(changes.iter().map(|c| c.number).collect::<Vec<_>>(), [41, 42]);
    assert_eq!(store.proofs("admin").await.unwrap().unwrap().password_hash, "hash");
    let audited = store.audited("held", 10).await.unwrap();
    assert_eq!(audited.iter().map(|row| row.detail.as_str()).collect::<Vec<_>>(), ["second", "first"]);
    store.close().await;
    let copies: Vec<_> = std::fs::read_dir(folder.path().join("backup")).unwrap().flatten().collect();
    assert_eq!(copies.len(), 1);
    let mut copy = file(&folder.path().join("backup"), &copies[0].file_name().to_string_lossy()).await;
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM changes WHERE agent = 'gate'")
        .fetch_one(&mut copy)
        .await
        .unwrap();
    assert_eq!(kept, 2);

    // Opened again there is nothing to copy.
    Store::open(folder.path(), &Settings::default()).await.unwrap().close().await;
    assert_eq!(std::fs::read_dir(folder.path().join("backup")).unwrap().count(), 1);
    let mut new = file(folder.path(), "hub.db").await;
    let refused = bring_up_to_date(&mut new, &SQLITE[..2]).await.unwrap_err();
    assert!(matches!(refused, StoreError::Newer { found: 3, known: 2 }), "{refused}");
    assert!(refused.to_string().contains("更新的版本"), "{refused}");
}

/// Measured: `cargo test -p central-hub --lib a_million -- --ignored --nocapture`
#[tokio::test]
#[ignore = "measures"]
async fn a_million_rows_are_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let mut old = file(folder.path(), "hub.db").await;
    bring_up_to_date(&mut old, &SQLITE[..2]).await.unwrap();
    let rows = "INSERT INTO meta VALUES ('hub_epoch', 'e0');
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)
        INSERT INTO records SELECT 'gate', 'e1', i, randomblob(32), NULL FROM n;
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)
        INSERT INTO alerts (agent, epoch, seq, site, camera, kind, rule, severity, test, at, time_source, not_durable,
            received_at, still_state, raw)
        SELECT 'gate', 'e1', i, 'market', 'c' || (i % 16), 'LineDetector/Crossed', 'line-a', 'high', 0, i * 1000, 'synced', 0,
            i * 1000, 'pending', hex(randomblob(150)) FROM n;
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
        INSERT INTO changes (agent, epoch, seq) SELECT 'gate', 'e1', i FROM n";
    sqlx::raw_sql(rows).execute(&mut old).await.unwrap();
    old.close().await.unwrap();
    let begun = std::time::Instant::now();
    Store::open(folder.path(), &Settings::default()).await.unwrap().close().await;
    println!("1,000,000 alerts: copied and brought up to date in {:.1?}", begun.elapsed());
}
