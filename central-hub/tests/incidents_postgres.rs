//! [`incidents`](incidents.rs) on PostgreSQL.

#[path = "incidents.rs"]
mod incidents;
