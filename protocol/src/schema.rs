//! The JSON Schema of every message and of the exchange, by file name. `cargo run -p protocol --example schema` writes them.

use schemars::{Schema, schema_for};

pub fn schemas() -> [(&'static str, Schema); 8] {
    [
        ("alert.schema.json", schema_for!(crate::AlertMessage)),
        ("ack.schema.json", schema_for!(crate::Ack)),
        ("status.schema.json", schema_for!(crate::Status)),
        ("health.schema.json", schema_for!(crate::Health)),
        ("config.schema.json", schema_for!(crate::DesiredConfig)),
        ("command.schema.json", schema_for!(crate::Command)),
        ("incident.schema.json", schema_for!(crate::exchange::Incident)),
        ("reply.schema.json", schema_for!(crate::Reply)),
    ]
}
