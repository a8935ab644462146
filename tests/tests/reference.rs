//! `docs/ref/config.md` is what the settings structs say: every section and field of both programs, with the
//! comment that stands there. After a change: `SIGNALBOX_WRITE=1 cargo test -p system-tests --test reference`.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use testkit::workspace;

/// A struct as its source shows it.
struct Section {
    doc: String,
    fields: Vec<Field>,
}

struct Field {
    name: String,
    of: String,
    doc: String,
    is_list: bool,
}

/// The sources of one program.
struct Sources(Vec<(PathBuf, String)>);

impl Sources {
    fn of(program: &str) -> Self {
        let mut files = Vec::new();
        let root = workspace().join(program).join("src");
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|e| e == "rs") {
                    let text = std::fs::read_to_string(&path).unwrap();
                    files.push((path.strip_prefix(&root).unwrap().to_owned(), text));
                }
            }
        }
        files.sort();
        Self(files)
    }

    /// The settings struct of that name, written like `Hub` or `store::Settings`.
    fn section(&self, name: &str) -> Option<Section> {
        let (module, name) = name.rsplit_once("::").unwrap_or(("", name));
        let head = format!("pub struct {name} {{\n");
        let of_module = |path: &Path| {
            module.is_empty() || path.iter().any(|part| part.to_string_lossy().starts_with(module))
        };
        self.0.iter().filter(|(path, _)| of_module(path)).find_map(|(_, text)| {
            let at = text.find(&head)?;
            let before: Vec<&str> = text[..at]
                .lines()
                .rev()
                .take_while(|l| l.starts_with("#[") || l.starts_with("///"))
                .collect();
            // What is written as one text is a value and no section.
            let reads = before.iter().any(|l| l.contains("Deserialize"))
                && !before.iter().any(|l| l.contains("from = "));
            let doc: Vec<&str> =
                before.iter().rev().filter_map(|l| l.strip_prefix("///")).map(str::trim).collect();
            let body = &text[at + head.len()..];
            let body = &body[..body.find("\n}").map_or(0, |end| end + 1)];
            reads.then(|| Section { doc: doc.join(" "), fields: fields(body) })
        })
    }
}

fn fields(body: &str) -> Vec<Field> {
    let (mut all, mut doc, mut marks) = (Vec::new(), String::new(), String::new());
    for line in body.lines().map(str::trim) {
        if let Some(more) = line.strip_prefix("///") {
            write!(doc, "{}{}", if doc.is_empty() { "" } else { " " }, more.trim()).unwrap();
        } else if line.starts_with("#[") {
            marks += line;
        } else if let Some((name, of)) = line.strip_prefix("pub ").and_then(|l| l.split_once(": ")) {
            let renamed = marks.split("rename = \"").nth(1).and_then(|r| r.split('"').next());
            let of = of.trim_end_matches(',').to_owned();
            if !marks.contains("serde(skip)") {
                let is_list = of.starts_with("Vec<");
                let of = of.trim_start_matches("Vec<").trim_end_matches('>').to_owned();
                all.push(Field { name: renamed.unwrap_or(name).to_owned(), of, doc: doc.clone(), is_list });
            }
            (doc, marks) = (String::new(), String::new());
        }
    }
    all
}

/// A section and those within it; `place` as TOML writes it.
fn describe(page: &mut String, sources: &Sources, section: &Section, place: &str) {
    if !place.is_empty() {
        writeln!(page, "### `{place}`\n\n{}\n", section.doc).unwrap();
    }
    let inner = |field: &Field| sources.section(&field.of);
    let plain: Vec<&Field> = section.fields.iter().filter(|f| inner(f).is_none()).collect();
    if !plain.is_empty() {
        if place.is_empty() {
            page.push_str("Before the first section:\n\n");
        }
        page.push_str("| setting | what it says |\n| --- | --- |\n");
        for field in plain {
            assert!(
                !field.doc.is_empty(),
                "{place} {}: a setting needs a comment that says what it does",
                field.name
            );
            writeln!(page, "| `{}` | {} |", field.name, field.doc.replace('|', "\\|")).unwrap();
        }
        page.push('\n');
    }
    for field in &section.fields {
        if let Some(within) = inner(field) {
            let above = place.trim_matches(['[', ']']);
            let name = if above.is_empty() { field.name.clone() } else { format!("{above}.{}", field.name) };
            let name = if field.is_list { format!("[[{name}]]") } else { format!("[{name}]") };
            describe(page, sources, &within, &name);
        }
    }
}

#[test]
fn the_reference_of_settings_is_what_the_programs_read() {
    let mut page = String::from(
        "# Settings\n\nGenerated from the programs' sources by `tests/tests/reference.rs`; changed there and not here. \
         Lengths of time are written like `5s` or `48h`, sizes like `64MiB`; paths are taken from the folder of the file. \
         Unknown settings are refused.\n\n",
    );
    for (program, file) in [("edge-agent", "edge-agent.toml"), ("central-hub", "central-hub.toml")] {
        let sources = Sources::of(program);
        let root = sources.section("Config").expect("the settings of the program");
        writeln!(page, "## `{file}`\n").unwrap();
        describe(&mut page, &sources, &root, "");
    }
    let path = workspace().join("docs/ref/config.md");
    if std::env::var_os("SIGNALBOX_WRITE").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == page,
        "docs/ref/config.md is not what the sources say: SIGNALBOX_WRITE=1 cargo test -p system-tests --test reference"
    );
}
