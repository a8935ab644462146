//! Incidents: the hub's edge of hub-core's rules. Their settings; their tables are the store's.

pub mod settings;
