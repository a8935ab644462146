//! [`outside`](outside.rs) on PostgreSQL.

#[path = "outside.rs"]
mod outside;
