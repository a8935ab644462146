//! `place import`, `place list`: where cameras are.

use std::path::PathBuf;

use anyhow::Context;
use clap::Subcommand;
use protocol::SiteId;

use super::words::{Language, print_line, print_text};
use crate::places::{Place, read_list};
use crate::store::Store;

/// Largest list of places.
const LIST_BYTES: u64 = 4 * 1024 * 1024;

#[derive(Subcommand)]
pub enum Command {
    /// Take places over from a CSV file: all of it, or nothing where a line is wrong
    Import {
        /// Columns: site, agent, camera, and any of name, x, y, lat, lon, heading, field_of_view, sensitive, neighbours
        file: PathBuf,
    },
    /// All places
    List {
        #[arg(long)]
        site: Option<SiteId>,
    },
}

pub async fn execute(store: &Store, command: Command) -> anyhow::Result<()> {
    let language = Language::of_environment();
    match command {
        Command::Import { file } => {
            let about = || format!("{} {}", language.say("无法读取", "cannot read"), file.display());
            let size = std::fs::metadata(&file).with_context(about)?.len();
            let large = language.say("超过 4 MiB", "is larger than 4 MiB");
            anyhow::ensure!(size <= LIST_BYTES, "{} {large}", file.display());
            let text = std::fs::read_to_string(&file).with_context(about)?;
            let places = read_list(&text).with_context(|| format!("{}", file.display()))?;
            store.put_places(&places).await?;
            let count = places.len();
            print_text(
                language.say(format!("已导入 {count} 个位置。"), format!("{count} places taken over")),
            );
        }
        Command::List { site } => {
            let head = language.say(
                ["站点", "盒子", "摄像机", "位置", "敏感", "名称"],
                ["SITE", "AGENT", "CAMERA", "POSITION", "SENSITIVE", "NAME"],
            );
            print_text(line(head));
            for place in store.places(site.as_ref()).await? {
                let sensitive = match place.said.sensitive {
                    true => language.say("是", "yes"),
                    false => "-",
                };
                let name = place.said.name.clone().unwrap_or_default();
                let (site, agent) = (place.site.as_str(), place.agent.as_str());
                print_line(line([site, agent, place.camera.as_str(), &position(&place), sensitive, &name]));
            }
        }
    }
    Ok(())
}

fn line([site, agent, camera, position, sensitive, name]: [&str; 6]) -> String {
    format!("{site:<16} {agent:<24} {camera:<20} {position:<24} {sensitive:<10} {name}")
}

fn position(place: &Place) -> String {
    let said = &place.said;
    match (said.x.zip(said.y), said.lat.zip(said.lon)) {
        (Some((x, y)), _) => format!("{x} m, {y} m"),
        (None, Some((lat, lon))) => format!("{lat:.6}, {lon:.6}"),
        (None, None) => "-".to_owned(),
    }
}
