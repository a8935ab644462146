//! `ca status`, `ca rotate`, `ca retire`: the hub's authority, and how it is replaced.

use anyhow::bail;
use clap::Subcommand;

use super::words::{Language, print_text};
use crate::ca::{Ca, timestamp};
use crate::store::authorities::Retired;
use crate::store::{Store, audit};

/// Boxes that are named before a list is cut off.
const NAMED: usize = 20;

#[derive(Subcommand)]
pub enum Command {
    /// The authorities that are believed, and how many boxes have a certificate of each
    Status,
    /// Begin to replace the authority: make a second one; boxes change over by themselves
    Rotate,
    /// Finish it: believe the older one no longer
    Retire {
        /// Even while boxes have certificates of it; they must be enrolled anew
        #[arg(long)]
        force: bool,
    },
}

pub async fn execute(store: &Store, command: Command) -> anyhow::Result<()> {
    let language = Language::of_environment();
    let ca = Ca::open(store).await?;
    match command {
        Command::Status => status(store, &ca, language).await,
        Command::Rotate => {
            let fingerprint = ca.rotate(audit::OPERATOR).await?;
            print_text(language.say(
                    format!(
                        "已生成第二个签发根 {fingerprint}。\n盒子会自行换发证书；用 `central-hub ca status` 查看进度，全部换完后运行 `central-hub ca retire`。"
                    ),
                    format!(
                        "Made a second authority, {fingerprint}.\nBoxes change over by themselves: `central-hub ca status` shows how far they are; when all have, run `central-hub ca retire`."
                    ),
                )
            );
            Ok(())
        }
        Command::Retire { force } => retire(store, &ca, language, force).await,
    }
}

async fn status(store: &Store, ca: &Ca, language: Language) -> anyhow::Result<()> {
    let roots = ca.roots().await?;
    for (at, root) in roots.iter().enumerate() {
        let boxes = store.valid_under(&root.fingerprint).await?.len();
        let (fingerprint, until) = (&root.fingerprint, timestamp(root.not_after));
        let newest = at + 1 == roots.len();
        let part = match (newest, roots.len()) {
            (true, 1) => language.say("使用中", "in use"),
            (true, _) => language.say("新根，签发证书", "new, signs certificates"),
            (false, _) => language.say("旧根，待停用", "old, to be retired"),
        };
        print_text(language.say(
            format!("{fingerprint}\n  {part}；有效期至 {until}；有效证书 {boxes} 张"),
            format!("{fingerprint}\n  {part}; until {until}; {boxes} valid certificates"),
        ));
    }
    Ok(())
}

async fn retire(store: &Store, ca: &Ca, language: Language, force: bool) -> anyhow::Result<()> {
    let roots = ca.roots().await?;
    match ca.retire(force, audit::OPERATOR).await? {
        Retired::Done(ended) => {
            print_text(language.say(
                format!("旧签发根已停用；{ended} 张证书随之失效。"),
                format!("The older authority is retired; {ended} certificates ended with it."),
            ));
            Ok(())
        }
        Retired::NoOther => bail!(
            "{}",
            language.say(
                "只有一个签发根：请先用 `central-hub ca rotate` 生成新的",
                "there is one authority only: `central-hub ca rotate` makes its successor",
            )
        ),
        Retired::Needed(count) => {
            if let Some(old) = roots.first() {
                let bearers = store.valid_under(&old.fingerprint).await?;
                for b in bearers.iter().take(NAMED) {
                    print_text(format_args!(
                        "{}/{}  {}  {}",
                        b.site,
                        b.agent,
                        b.serial,
                        timestamp(b.not_after)
                    ));
                }
                if bearers.len() > NAMED {
                    print_text(format_args!("... {}", bearers.len() - NAMED));
                }
            }
            bail!("{}", language.say(
                format!("旧签发根还有 {count} 张有效证书（见上）：请等这些盒子换发完毕，收回已不用的，或加 --force 后让它们重新入网"),
                format!(
                    "{count} certificates of the older authority are still valid (above): wait until these boxes \
                     have renewed, revoke those that are gone, or add --force and enrol them anew"
                ),
            ))
        }
    }
}
