//! `agent list`, `agent revoke`, `agent release`: which boxes may come in. What their configuration shall be is
//! `configure`'s.

use std::path::PathBuf;

use anyhow::bail;
use clap::Subcommand;
use protocol::AgentId;

use super::words::{Language, print_line, print_text};
use super::{configure, tokens};
use crate::ca::timestamp;
use crate::clock::now_ms;
use crate::store::agents::Listed;
use crate::store::{Store, audit};

#[derive(Subcommand)]
pub enum Command {
    /// All agents
    List,
    /// Take an agent's certificates and open tokens away; it is cut at once
    Revoke {
        #[arg(long)]
        agent: AgentId,
    },
    /// Let an agent connect again that was held because two boxes were seen with its certificate
    Release {
        #[arg(long)]
        agent: AgentId,
    },
    /// Wish an agent's configuration to be what a TOML file says
    Configure {
        #[arg(long)]
        agent: AgentId,
        /// Cameras, rules, stills, spool; never a secret
        file: PathBuf,
    },
    /// What is known of an agent, and what became of its configuration
    Show {
        #[arg(long)]
        agent: AgentId,
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
}

pub async fn execute(store: &Store, command: Command) -> anyhow::Result<()> {
    let language = Language::of_environment();
    match command {
        Command::List => {
            let head = language.say(
                ["站点", "盒子", "状态", "证书有效期至", "准入", "名称"],
                ["SITE", "AGENT", "STATE", "CERTIFICATE UNTIL", "ACCESS", "NAME"],
            );
            print_text(line(head));
            for a in store.list_agents().await? {
                let (until, access) = (until(&a), access(&a, language, now_ms()));
                let state = language.state(&a.state);
                let name = a.name.unwrap_or_default();
                print_line(line([&a.site, &a.agent, state, &until, access, &name]));
            }
            tokens::list(store, language).await?;
        }
        Command::Configure { agent, file } => configure::configure(store, &agent, &file).await?,
        Command::Show { agent, json } => configure::show(store, &agent, json).await?,
        Command::Revoke { agent } => {
            if !store.revoke_agent(&agent, audit::OPERATOR).await? {
                bail!(
                    "{}",
                    language.say(
                        format!("盒子 {agent} 没有可收回的证书或令牌：请用 `central-hub agent list` 查看"),
                        format!("agent {agent} has nothing to take away: see `central-hub agent list`"),
                    )
                );
            }
            print_text(language.say(
                format!("盒子 {agent} 的证书和令牌已收回。"),
                format!("agent {agent} revoked: its certificates and open tokens are worth nothing now"),
            ));
        }
        Command::Release { agent } => {
            if !store.release_agent(&agent, audit::OPERATOR).await? {
                bail!(
                    "{}",
                    language.say(
                        format!("盒子 {agent} 不在待裁定状态：请用 `central-hub agent list` 查看"),
                        format!("agent {agent} is not held: see `central-hub agent list`"),
                    )
                );
            }
            print_text(language.say(
                format!("盒子 {agent} 可以重新连接。"),
                format!("agent {agent} released: it may connect again"),
            ));
        }
    }
    Ok(())
}

fn line([site, agent, state, until, access, name]: [&str; 6]) -> String {
    format!("{site:<16} {agent:<24} {state:<8} {until:<24} {access:<10} {name}")
}

fn until(a: &Listed) -> String {
    a.valid_until.map_or_else(|| "-".to_owned(), |ms| timestamp(ms).to_string())
}

/// Whether it may come in.
pub(super) fn access(a: &Listed, language: Language, now: i64) -> &'static str {
    match (a.revoked, &a.held_why, a.valid_until) {
        (true, _, _) => language.say("已收回", "revoked"),
        (false, Some(_), _) => language.say("待裁定", "held"),
        (false, None, None) => language.say("未入网", "none"),
        (false, None, Some(until)) if until <= now => language.say("已过期", "expired"),
        (false, None, Some(_)) => language.say("有效", "valid"),
    }
}

/// The same, and of a box that is held what decides it.
pub(super) fn access_said(a: &Listed, language: Language, now: i64) -> String {
    let (access, agent) = (access(a, language, now), &a.agent);
    let Some(why) = a.held_why.as_ref().filter(|_| !a.revoked) else { return access.to_owned() };
    language.say(
        format!(
            "{access}：疑似两台盒子使用同一张证书（英文原文：{why}）。放行：central-hub agent release --agent {agent}；收回：central-hub agent revoke --agent {agent}"
        ),
        format!(
            "{access}: {why} Let it in: central-hub agent release --agent {agent}; shut it out: central-hub agent revoke --agent {agent}"
        ),
    )
}
