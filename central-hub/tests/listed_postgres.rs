//! [`listed`](listed.rs) on PostgreSQL.

#[path = "listed.rs"]
mod listed;
