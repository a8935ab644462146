//! A copy of SQLite's file from before its tables change.

use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use sqlx::SqliteConnection;

use crate::clock::now_ms;
use crate::store::{StoreError, closed_file};

/// How many are kept; the oldest go.
const KEPT: usize = 3;
const FOLDER: &str = "backup";

/// Writes `backup/hub-TIME.db`, whole or not at all.
pub(super) async fn write(connection: &mut SqliteConnection, data: &Path) -> Result<(), StoreError> {
    let folder = data.join(FOLDER);
    let fail = |doing, path: &Path| {
        let path = path.to_owned();
        move |source| StoreError::File { doing, path, source }
    };
    DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(fail("make", &folder))?;
    let part = folder.join("hub.part");
    // What a cut left behind. SQLite writes into an empty file only; made here, it is nobody else's to read.
    let _ = std::fs::remove_file(&part);
    drop(closed_file(&part).map_err(fail("make", &part))?);
    sqlx::query("VACUUM INTO $1").bind(part.to_string_lossy().as_ref()).execute(&mut *connection).await?;
    let path = folder.join(format!("hub-{:013}.db", now_ms()));
    let keep = || {
        File::open(&part)?.sync_all()?;
        std::fs::rename(&part, &path)?;
        File::open(&folder)?.sync_all()
    };
    keep().map_err(fail("keep", &path))?;
    tracing::info!(backup = %path.display(), "database copied before its tables change");
    drop_oldest(&folder).map_err(fail("tidy", &folder))
}

fn drop_oldest(folder: &Path) -> std::io::Result<()> {
    let mut kept: Vec<_> = std::fs::read_dir(folder)?
        .filter_map(|entry| entry.ok().map(|e| e.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "db"))
        .collect();
    kept.sort();
    let surplus = kept.len().saturating_sub(KEPT);
    kept.iter().take(surplus).try_for_each(std::fs::remove_file)
}
