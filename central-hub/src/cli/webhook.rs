//! `central-hub webhook`: a new secret, how receivers stand, and a test message to one of them.

use anyhow::{anyhow, bail};
use clap::Subcommand;
use hub_core::delivery::Outcome;
use protocol::Timestamp;
use protocol::exchange::{Codes, EXCHANGE_VERSION, Incident, Names, Origin, Severity, State};

use super::words::{Language, print_json, print_line, print_text};
use crate::clock::now_ms;
use crate::config::Config;
use crate::store::Store;
use crate::uuid::uuid7;
use crate::webhooks::{Webhook, run, sign, target};

#[derive(Subcommand)]
pub enum Command {
    /// Print a new secret; put it into a file of mode 600, and give it to the receiver
    Secret,
    /// How each receiver stands: what was told, what waits, and why
    List {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Send a test message to a receiver now, and say what it answered
    Test { name: String },
}

pub async fn execute(store: &Store, config: &Config, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Secret => secret(),
        Command::List { json } => list(store, config, json).await,
        Command::Test { name } => test(store, config, &name).await,
    }
}

/// Needs no hub.
pub fn secret() -> anyhow::Result<()> {
    print_text(sign::new_secret()?);
    Ok(())
}

async fn list(store: &Store, config: &Config, json: bool) -> anyhow::Result<()> {
    let say = Language::of_environment();
    if config.webhooks.is_empty() && !json {
        print_text(say.say("没有设置 webhook", "no webhooks are set up"));
    }
    for Webhook { name, url, .. } in &config.webhooks {
        let standing = store.receiver_standing(name).await?;
        let error = store.receiver_error(name).await?;
        if json {
            let oldest = standing.oldest.map(Timestamp::from_unix_ms);
            let line = serde_json::json!({
                "name": name, "url": url, "told": standing.told, "waiting": standing.waiting,
                "given_up": standing.given_up, "oldest": oldest, "error": error,
            });
            print_json(line);
            continue;
        }
        let counts = say.say(
            format!("已送达 {}，等待 {}，已放弃 {}", standing.told, standing.waiting, standing.given_up),
            format!("{} told, {} waiting, {} given up", standing.told, standing.waiting, standing.given_up),
        );
        print_text(format_args!("{name}  {url}\n  {counts}"));
        if let Some(error) = error {
            print_line(format!("  {}: {error}", say.say("最近的错误", "last error")));
        }
    }
    Ok(())
}

async fn test(store: &Store, config: &Config, name: &str) -> anyhow::Result<()> {
    let say = Language::of_environment();
    let found = config.webhooks.iter().find(|webhook| webhook.name == name);
    let Some(webhook) = found else {
        let known: Vec<_> = config.webhooks.iter().map(|w| w.name.as_str()).collect();
        let known = known.join(", ");
        bail!(
            "{}",
            say.say(
                format!("设置中没有 webhook {name}；已有：{known}"),
                format!("there is no webhook {name} in the settings; there are: {known}"),
            )
        );
    };
    let sender = webhook.open(target::system())?;
    let names = config.names(store.hub_epoch());
    let message = run::message(store, &names, webhook.format, &test_incident(webhook)?).await?;
    let answer = sender.send(&message, now_ms() / 1_000).await?;
    match answer.outcome {
        Outcome::Taken => {
            print_text(say.say(
                format!("{name} 已收下测试消息：{}", answer.status),
                format!("{name} took the test message: {}", answer.status),
            ));
            Ok(())
        }
        Outcome::Away { .. } | Outcome::Refused => Err(anyhow!(say.say(
            format!("{name} 没有收下测试消息：回答 {}", answer.status),
            format!("{name} did not take the test message: it answered {}", answer.status),
        ))),
    }
}

/// Marked as a test; of no alert and in no database.
fn test_incident(webhook: &Webhook) -> anyhow::Result<Incident> {
    let now = Timestamp::from_unix_ms(now_ms());
    let site = webhook.sites.first().cloned().map_or_else(|| "test".parse(), Ok)?;
    Ok(Incident {
        v: EXCHANGE_VERSION,
        site,
        site_name: None,
        incident: uuid7()?,
        version: 1,
        kind: "test".to_owned(),
        kind_name: Names { zh: "测试消息".to_owned(), en: "Test message".to_owned() },
        severity: Severity::Low,
        state: State::New,
        origin: Origin::Operator,
        test: true,
        exercise: false,
        opened_at: now,
        last_at: now,
        changed_at: None,
        alerts: 0,
        cameras: Vec::new(),
        place: None,
        absorbed: Vec::new(),
        absorbed_by: None,
        codes: Codes::of("test", Severity::Low),
    })
}
