//! [`serve`](serve.rs) on PostgreSQL.

#[path = "serve.rs"]
mod serve;
