//! Writes the JSON Schema of every message into `protocol/schema`, and the table of kinds into `docs/ref/kinds.md`.

fn main() -> std::io::Result<()> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schema");
    for (name, schema) in protocol::schema::schemas() {
        let text = serde_json::to_string_pretty(&schema).map_err(std::io::Error::other)?;
        std::fs::write(folder.join(name), text + "\n")?;
        println!("wrote protocol/schema/{name}");
    }
    let table = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/ref/kinds.md");
    std::fs::write(table, protocol::kinds::markdown())?;
    println!("wrote docs/ref/kinds.md");
    Ok(())
}
