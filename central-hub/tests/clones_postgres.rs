//! [`clones`](clones.rs) on PostgreSQL.

#[path = "clones.rs"]
mod clones;
