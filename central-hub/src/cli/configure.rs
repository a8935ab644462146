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

use super::tokens;
use super::words::{Language, print_json, print_line};
use crate::store::agents::AgentView;
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
    println!("{}", words.wished(agent, generation));
    Ok(())
}

/// What is known of one agent.
pub async fn show(store: &Store, agent: &AgentId, json: bool) -> anyhow::Result<()> {
    let language = Language::of_environment();
    let words = Words::of(language);
    let open = store.open_tokens(Some(agent)).await?;
    let view = store.agents(Some(agent.as_str())).await?.into_iter().next();
    if json {
        print_json(shown(view.as_ref(), &open)?.with_context(|| words.no_agent(agent))?);
        return Ok(());
    }
    let mut all = match (&view, open.first()) {
        (Some(view), _) => lines(&words, view),
        (None, Some(token)) => vec![
            (words.title("agent"), format!("{}/{}", token.site, token.agent)),
            (words.title("name"), token.name.clone().unwrap_or_default()),
            (words.title("state"), words.not_enrolled().to_owned()),
        ],
        (None, None) => bail!("{}", words.no_agent(agent)),
    };
    all.extend(open.iter().map(|token| (words.title("token"), tokens::said(token, language))));
    for (title, value) in all {
        print_line(format!("{title}{value}"));
    }
    Ok(())
}

/// One object; `None` where nothing is known of such an agent.
fn shown(view: Option<&AgentView>, open: &[Open]) -> anyhow::Result<Option<Value>> {
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
            "expires_at": time(t.expires_at), "created_at": time(t.created_at), "created_by": t.created_by,
        })
    });
    shown["open_tokens"] = tokens.collect();
    Ok(Some(shown))
}

fn lines(words: &Words, view: &AgentView) -> Vec<(String, String)> {
    let time = |t: Option<Timestamp>| t.map_or_else(|| words.never().to_owned(), |t| t.to_string());
    let mut lines = vec![
        (words.title("agent"), format!("{}/{}", view.site, view.agent)),
        (words.title("name"), view.name.clone().unwrap_or_default()),
        (words.title("state"), words.state(&view.state).to_owned()),
        (words.title("seen"), time(view.last_seen)),
        (words.title("version"), view.version.clone().unwrap_or_default()),
    ];
    lines.extend(config_lines(words, view.config.as_ref()));
    for camera in &view.cameras {
        let state = words.state(&camera.state);
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
