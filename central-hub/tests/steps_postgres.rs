//! [`steps`](steps.rs) on PostgreSQL.

#[path = "steps.rs"]
mod steps;
