//! `audit verify`, `audit export`: for whoever answers for the hub. Both work beside a running hub.

use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Subcommand;
use hub_core::plain::plain_json;
use protocol::Timestamp;

use super::words::{Language, print_line, print_text};
use crate::audit::{self, Published};
use crate::config::Config;
use crate::store::Store;
use crate::store::audit::{Note, OPERATOR};

#[derive(Subcommand)]
pub enum Command {
    /// Walk the whole audit; find what was deleted, altered, inserted, reordered or cut off
    Verify {
        /// The published heads to hold it against; without it the file of the settings
        #[arg(long, value_name = "FILE")]
        heads: Option<PathBuf>,
    },
    /// Write entries to standard output, one JSON object a line; this is an entry too
    Export {
        /// From this day on, like 2026-11-25
        #[arg(long, value_name = "DAY")]
        from: Option<String>,
        /// Up to this day
        #[arg(long, value_name = "DAY")]
        to: Option<String>,
        /// What it is for; stands in the audit
        #[arg(long)]
        reason: String,
    },
}

pub async fn execute(store: &Store, config: &Config, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Verify { heads } => verify(store, config, heads).await,
        Command::Export { from, to, reason } => export(store, from, to, &reason).await,
    }
}

async fn verify(store: &Store, config: &Config, heads: Option<PathBuf>) -> anyhow::Result<()> {
    let language = Language::of_environment();
    let path = match (&heads, &config.audit.heads) {
        (Some(named), _) if !named.is_file() => {
            bail!("{} {}", named.display(), language.say("不存在", "is not there"))
        }
        (Some(named), _) => Some(named),
        (None, settings) => settings.as_ref(),
    };
    // Before the audit itself: what is published meanwhile is newer than what is read.
    let Published { heads, unreadable } = match path {
        Some(path) => audit::published(path)?,
        None => Published::default(),
    };
    let verdict = store.verify_audit(heads).await?;
    for fault in &verdict.faults.told {
        print_line(fault);
    }
    let untold = verdict.faults.count - verdict.faults.told.len() as u64;
    if untold > 0 {
        print_text(language.say(format!("另有 {untold} 处"), format!("and {untold} more")));
    }
    if verdict.strays > 0 {
        let strays = verdict.strays;
        let zh = format!("有 {strays} 条记录不属于任何一天的链");
        print_text(language.say(zh, format!("{strays} entries belong to no day's chain")));
    }
    if unreadable > 0 {
        let zh = format!("链头文件有 {unreadable} 行无法读取（断电截断或被改动）");
        let en = format!(
            "{unreadable} lines of the published heads cannot be read (cut by a power failure, or changed)"
        );
        print_text(language.say(zh, en));
    }
    let (days, entries, published) = (verdict.days, verdict.entries, verdict.published);
    if !verdict.is_good() {
        let zh = format!("审计记录不完整：{days} 天、{entries} 条中发现 {} 处问题", verdict.faults.count);
        let en = format!(
            "the audit is not whole: {} faults in {entries} entries of {days} days",
            verdict.faults.count
        );
        bail!("{}", language.say(zh, en));
    }
    let zh = format!("审计记录完整：{days} 天，{entries} 条；与 {published} 个已发布的链头一致");
    let en =
        format!("the audit is whole: {entries} entries of {days} days, as {published} published heads say");
    print_text(language.say(zh, en));
    if published == 0 {
        let zh = "没有已发布的链头可供核对：能写数据库的人可以重做整条链。请设置 [audit] heads。";
        let en = "no published heads to hold it against: whoever can write the database could have made it anew; set [audit] heads";
        print_text(language.say(zh, en));
    }
    Ok(())
}

async fn export(store: &Store, from: Option<String>, to: Option<String>, reason: &str) -> anyhow::Result<()> {
    let language = Language::of_environment();
    for day in [&from, &to].into_iter().flatten() {
        let parsed: Result<Timestamp, _> = format!("{day}T00:00:00.000Z").parse();
        parsed.with_context(|| {
            let zh = format!("`{day}` 不是日期：请写成 2026-11-25");
            language.say(zh, format!("`{day}` is no day: write it like 2026-11-25"))
        })?;
    }
    if reason.trim().is_empty() {
        bail!("{}", language.say("请用 --reason 写明用途", "--reason must say what it is for"));
    }
    let (from, to) = (from.unwrap_or_default(), to.unwrap_or_else(|| "9999-99-99".to_owned()));
    let detail =
        format!("Exported the audit from {} to {to}.", if from.is_empty() { "its beginning" } else { &from });
    store.note(Note::new("exported", OPERATOR, &detail).to("audit").for_reason(Some(reason))).await?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    for (head, algorithm) in store.audit_heads().await? {
        if head.day < from || head.day > to {
            continue;
        }
        let mut failed = None;
        store
            .each_entry(&head.day, head.count, |entry, digest| {
                let line = serde_json::json!({
                    "day": entry.day, "number": entry.number, "at": Timestamp::from_unix_ms(entry.at),
                    "action": entry.action, "actor": entry.actor, "site": entry.site, "object": entry.object,
                    "detail": entry.detail, "reason": entry.reason,
                    "algorithm": algorithm.as_str(), "digest": digest.to_string(),
                });
                if failed.is_none() {
                    failed = writeln!(out, "{}", plain_json(&line.to_string())).err();
                }
            })
            .await?;
        if let Some(error) = failed {
            return ended(Err(error));
        }
    }
    ended(out.flush())
}

/// A reader that has seen enough is no fault.
fn ended(written: io::Result<()>) -> anyhow::Result<()> {
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write the entries"),
    }
}
