//! [`retention`](retention.rs) on PostgreSQL.

#[path = "retention.rs"]
mod retention;
