//! [`scale`](scale.rs) on PostgreSQL.

#[path = "scale.rs"]
mod scale;
