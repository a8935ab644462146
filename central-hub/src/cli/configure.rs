//! `central-hub agent configure` and `agent show`.

mod words;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, bail};
use protocol::{AgentId, Timestamp};
use serde_json::{Value, json};
use settings::{MAX_WISH_BYTES, check_wish, owner};

use words::Words;

use super::agent::access_said;
use super::tokens;
use super::words::{Language, print_json, print_line, print_text};
use crate::clock::now_ms;
use crate::store::agents::{AgentView, Listed};
use crate::store::configs::ConfigView;
use crate::store::tokens::Open;
use crate::store::{Store, audit};

/// Checks a file as far as the hub can and makes it the agent's next wish.
pub async fn configure(store: &Store, agent: &AgentId, file: &Path) -> anyhow::Result<()> {
    let words = Words::of(Language::of_environment());
    let mut bytes = Vec::new();
    owner::as_caller(|| File::open(file))
        .and_then(|f| f.take(MAX_WISH_BYTES as u64 + 1).read_to_end(&mut bytes))
        .with_context(|| words.cannot_read(file))?;
    check_wish(&bytes).with_context(|| file.display().to_string())?;
    let text = String::from_utf8(bytes).with_context(|| file.display().to_string())?;
    let Some(generation) = store.put_config(agent, &text, audit::OPERATOR).await? else {
        bail!("{}", words.no_agent(agent));
    };
    print_text(words.wished(agent, generation));
    Ok(())
}

/// What is known of one agent.
pub async fn show(store: &Store, agent: &AgentId, json: bool) -> anyhow::Result<()> {
    let language = Language::of_environment();
    let words = Words::of(language);
    let open = store.open_tokens(Some(agent)).await?;
    let listed = store.list_agents().await?.into_iter().find(|a| a.agent == agent.as_str());
    let view = store.agents(Some(agent.as_str())).await?.into_iter().next();
    if json {
        print_json(shown(view.as_ref(), listed.as_ref(), &open)?.with_context(|| words.no_agent(agent))?);
        return Ok(());
    }
    let mut all = match (&view, open.first()) {
        (Some(view), _) => lines(&words, language, view, listed.as_ref()),
        (None, Some(token)) => vec![
            (words.title("agent"), format!("{}/{}", token.site, token.agent)),
            (words.title("name"), token.name.clone().unwrap_or_default()),
            (words.title("state"), words.not_enrolled().to_owned()),
        ],
        (None, None) => bail!("{}", words.no_agent(agent)),
    };
    all.extend(open.iter().map(|token| {
        (words.title("token"), format!("{}/{}  {}", token.site, token.agent, tokens::said(token, language)))
    }));
    for (title, value) in all {
        print_line(format!("{title}{value}"));
    }
    Ok(())
}

/// One object; `None` where nothing is known of such an agent.
fn shown(view: Option<&AgentView>, listed: Option<&Listed>, open: &[Open]) -> anyhow::Result<Option<Value>> {
    let mut shown = match (view, open.first()) {
        (Some(view), _) => serde_json::to_value(view)?,
        (None, Some(token)) => json!({
            "site": token.site, "agent": token.agent, "name": token.name, "state": "not_enrolled",
        }),
        (None, None) => return Ok(None),
    };
    let time = Timestamp::from_unix_ms;
    let tokens = open.iter().map(|t| {
        json!({
            "site": t.site, "expires_at": time(t.expires_at), "created_at": time(t.created_at),
            "created_by": t.created_by,
        })
    });
    shown["open_tokens"] = tokens.collect();
    shown["held_why"] = json!(listed.and_then(|a| a.held_why.as_ref()));
    Ok(Some(shown))
}

fn lines(
    words: &Words,
    language: Language,
    view: &AgentView,
    listed: Option<&Listed>,
) -> Vec<(String, String)> {
    let time = |t: Option<Timestamp>| t.map_or_else(|| words.never().to_owned(), |t| t.to_string());
    let mut lines = vec![
        (words.title("agent"), format!("{}/{}", view.site, view.agent)),
        (words.title("name"), view.name.clone().unwrap_or_default()),
        (words.title("state"), language.state(&view.state).to_owned()),
        (words.title("seen"), time(view.last_seen)),
        (words.title("version"), view.version.clone().unwrap_or_default()),
    ];
    let access = listed.map(|a| access_said(a, language, now_ms()));
    lines.extend(access.map(|access| (words.title("access"), access)));
    lines.extend(config_lines(words, view.config.as_ref()));
    for camera in &view.cameras {
        let state = language.state(&camera.state);
        let name = camera.name.clone().unwrap_or_default();
        lines.push((words.title("camera"), format!("{}  {state}  {name}", camera.camera)));
    }
    lines
}

fn config_lines(words: &Words, config: Option<&ConfigView>) -> Vec<(String, String)> {
    let Some(config) = config else {
        return vec![(words.title("config"), words.nothing_wished().to_owned())];
    };
    let mut lines = vec![(words.title("config"), words.config(config))];
    if let Some(reason) = &config.reason {
        lines.push((words.title("reason"), words.why(config.why.as_ref(), reason)));
    }
    if let Some(local) = &config.local {
        lines.push((words.title("reason"), local.clone()));
    }
    lines
}
