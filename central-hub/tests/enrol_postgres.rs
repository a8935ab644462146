//! [`enrol`](enrol.rs) on PostgreSQL.

#[path = "enrol.rs"]
mod enrol;
