//! Writes the JSON Schema of every message into `protocol/schema`.

fn main() -> std::io::Result<()> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schema");
    for (name, schema) in protocol::schema::schemas() {
        let text = serde_json::to_string_pretty(&schema).map_err(std::io::Error::other)?;
        std::fs::write(folder.join(name), text + "\n")?;
        println!("wrote protocol/schema/{name}");
    }
    Ok(())
}
