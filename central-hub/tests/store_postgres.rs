//! [`store`](store.rs) on PostgreSQL.

#[path = "store.rs"]
mod store;
