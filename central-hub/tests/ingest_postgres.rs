//! [`ingest`](ingest.rs) on PostgreSQL.

#[path = "ingest.rs"]
mod ingest;
