//! [`once`](once.rs) on PostgreSQL.

#[path = "once.rs"]
mod once;
