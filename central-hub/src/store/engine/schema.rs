//! The tables of both engines, and how an older database gets them.

use std::borrow::Cow;

use sqlx::migrate::{Migrate, Migration, MigrationType, Migrator};
use sqlx::{Acquire, SqlSafeStr};

use crate::store::StoreError;

/// (number, name, text). A number that is on somebody's disk never changes its text.
pub(super) type Step = (i64, &'static str, &'static str);

macro_rules! steps {
    ($engine:literal: $($number:literal $name:literal),* $(,)?) => {
        [$(($number, $name, include_str!(concat!("../../../migrations/", $engine, "/", $name, ".sql")))),*]
    };
}

pub(super) const SQLITE: &[Step] = &steps!("sqlite": 1 "0001_first", 2 "0002_enrolment", 3 "0003_engines", 10 "0010_incidents", 40 "0040_outside");
pub(super) const POSTGRES: &[Step] =
    &steps!("postgres": 3 "0003_engines", 10 "0010_incidents", 40 "0040_outside");

/// Does what is missing, each step in one transaction.
pub(super) async fn bring_up_to_date<'a, A>(database: A, steps: &[Step]) -> Result<(), StoreError>
where
    A: Acquire<'a>,
    <A::Connection as std::ops::Deref>::Target: Migrate,
{
    let migrations = steps.iter().map(|(number, name, text)| {
        Migration::new(*number, Cow::from(&name[5..]), MigrationType::Simple, text.into_sql_str(), false)
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    // CockroachDB has no advisory locks.
    migrator.set_locking(false);
    Ok(migrator.run(database).await?)
}
