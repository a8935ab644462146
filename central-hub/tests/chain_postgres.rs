//! [`chain`](chain.rs) on PostgreSQL.

#[path = "chain.rs"]
mod chain;
