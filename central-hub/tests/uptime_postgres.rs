//! [`uptime`](uptime.rs) on PostgreSQL.

#[path = "uptime.rs"]
mod uptime;
