//! `token create`: what an installer carries to a box, as text and as a picture for a phone or scanner.

use std::fs::OpenOptions;
use std::io::{ErrorKind, IsTerminal, Write};
use std::net::Ipv6Addr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use clap::{Args, Subcommand};
use hub_core::plain::is_plain;
use protocol::enrol::{Identity, Token};
use protocol::{AgentId, SiteId, Timestamp};
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use settings::owner;
use url::Host;

use super::note_unless_running;
use super::words::{Language, print_json, print_text};
use crate::agent_api::enrol;
use crate::ca::{self, Ca};
use crate::clock::now_ms;
use crate::config::Config;
use crate::credential;
use crate::ports::Ports;
use crate::store::{Store, audit};

/// Longest life of a token.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// Longest name that people read.
const NAME_CHARS: usize = 80;

#[derive(Subcommand)]
pub enum Command {
    /// Make a token that lets one box in, once
    Create(Create),
}

#[derive(Args)]
pub struct Create {
    #[arg(long)]
    site: SiteId,
    #[arg(long)]
    agent: AgentId,
    /// The name that people read
    #[arg(long)]
    name: Option<String>,
    /// How long it is good for, like 90s, 15m or 2h
    #[arg(long, default_value = "15m", value_parser = duration)]
    valid: Duration,
    /// Write the token to this file (mode 600) in place of the screen
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Draw the picture even where this is no terminal
    #[arg(long)]
    qr: bool,
    /// How the box reaches the hub, HOST or HOST:PORT; by default as [agents] in the settings says
    #[arg(long, value_name = "HOST", value_parser = reached_at)]
    hub: Option<(Host, Option<u16>)>,
}

pub async fn execute(store: &Store, config: &Config, command: Command) -> anyhow::Result<()> {
    let Command::Create(wish) = command;
    let language = Language::of_environment();
    if !wish.name.as_deref().is_none_or(is_name) {
        let zh = format!("--name 应为 1 到 {NAME_CHARS} 个字符，不能含换行、控制字符或改变书写方向的字符");
        let en = format!(
            "--name must have 1 to {NAME_CHARS} characters, and no line break, control character or mark that turns the direction of text"
        );
        bail!("{}", language.say(zh, en));
    }
    let ca = Ca::open(store).await?;
    // The hub still shows its oldest root; that is the one by which a box that knows nothing finds it.
    let roots = ca.roots().await?;
    let root = roots.first().context("the hub has no authority")?;
    let mut secret = [0u8; 16];
    getrandom::fill(&mut secret).map_err(credential::CredentialError::Random)?;
    let token = Token { secret, authority: root.token_half() };
    let text = token.to_string();
    if let Some(file) = &wish.file {
        owner::as_caller(|| write(file, &text))?;
    }
    let identity = Identity { site: wish.site, agent: wish.agent };
    let valid_ms = i64::try_from(wish.valid.as_millis()).unwrap_or(i64::MAX);
    let expires_at = now_ms().saturating_add(valid_ms);
    let there = store.list_agents().await?.into_iter().find(|a| a.agent == identity.agent.as_str());
    let hash = enrol::hash_of(&token);
    let made = store.put_token(&hash, &identity, wish.name.as_deref(), expires_at, audit::OPERATOR).await;
    if let (Err(_), Some(file)) = (&made, &wish.file) {
        let _ = owner::as_caller(|| std::fs::remove_file(file));
    }
    made?;
    let hub = hub_address(config, wish.hub.as_ref());
    let expires = Timestamp::from_unix_ms(expires_at);
    let picture = format!("signalbox:enrol?hub={hub}&token={text}");
    let shown = wish.file.is_none();
    note_unless_running(config);
    if wish.json {
        let json = serde_json::json!({
            "site": identity.site, "agent": identity.agent, "name": wish.name, "hub": hub,
            "expires_at": expires, "token": shown.then_some(&text), "enrol": shown.then_some(&picture),
        });
        print_json(json);
        return Ok(());
    }
    let draw = shown && (wish.qr || std::io::stdout().is_terminal());
    print_text(sheet(language, &identity, &text, &hub, expires, wish.file.as_deref()).trim_end());
    if draw {
        print_text(format_args!("\n{}", drawn(&picture)?));
    }
    if let Some(there) = there.filter(|a| !a.revoked) {
        print_text(already_there(language, &there.site, &identity));
    }
    if let Some(note) = only_here(language, config) {
        print_text(note);
    }
    Ok(())
}

fn sheet(
    language: Language,
    who: &Identity,
    token: &str,
    hub: &str,
    expires: Timestamp,
    file: Option<&Path>,
) -> String {
    let who = who.common_name();
    let from_file = file.map(|f| format!(" --token-file {}", name_of(f))).unwrap_or_default();
    let command = format!("sudo edge-agent provision --hub {hub}{from_file}");
    let shown = match file {
        None => token.to_owned(),
        Some(file) => file.display().to_string(),
    };
    let (zh, en) = match file {
        None => ("命令会要求输入令牌。", "The command asks for the token."),
        Some(_) => ("先把这个文件带到盒子上。", "Carry the file to the box first."),
    };
    language.say(
        format!(
            "{who} 的入网令牌（只能用一次，{expires} 前有效）：\n\n  {shown}\n\n在盒子上输入：\n\n  {command}\n\n{zh}\n"
        ),
        format!(
            "Token for {who} (good once, until {expires}):\n\n  {shown}\n\nAt the box, type:\n\n  {command}\n\n{en}\n"
        ),
    )
}

fn already_there(language: Language, site: &str, who: &Identity) -> String {
    let agent = &who.agent;
    language.say(
        format!("注意：盒子 {agent}（站点 {site}）已入网；令牌被使用时，它现有的证书立即失效。"),
        format!(
            "Note: box {agent} (site {site}) is enrolled already; its present certificate ends when this token is used."
        ),
    )
}

/// Which settings keep boxes on other machines out, with the ports that are set; none if none does.
fn only_here(language: Language, config: &Config) -> Option<String> {
    let broker = config.broker.external.is_none().then_some(("[broker]", config.broker.listen));
    let near = [Some(("[agents]", config.agents.listen)), broker].into_iter().flatten();
    let wider: Vec<String> = near
        .filter(|(_, listen)| listen.ip().is_loopback())
        .map(|(section, listen)| format!("{section} listen = \"0.0.0.0:{}\"", listen.port()))
        .collect();
    let zh = format!(
        "注意：中心现在只接受本机的连接。要让其他机器上的盒子入网，请在设置中写明 {}，然后重启中心。",
        wider.join(" 和 ")
    );
    let en = format!(
        "Note: the hub takes connections from this machine only. For boxes on other machines set {}, and start the hub again.",
        wider.join(" and ")
    );
    (!wider.is_empty()).then(|| language.say(zh, en))
}

/// Whether people can read it on one line.
fn is_name(name: &str) -> bool {
    !name.trim().is_empty() && name.chars().count() <= NAME_CHARS && is_plain(name)
}

/// A file's own name: it lies elsewhere on the box.
fn name_of(file: &Path) -> String {
    file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned()
}

fn drawn(text: &str) -> anyhow::Result<String> {
    let code = QrCode::new(text).context("the token cannot be drawn")?;
    // Light on dark, as most terminals are; scanners read both.
    Ok(code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build())
}

/// `https://HOST:PORT`, as boxes reach the hub.
fn hub_address(config: &Config, told: Option<&(Host, Option<u16>)>) -> String {
    let listen = config.agents.listen;
    let running = Ports::read(&config.hub.data).map(|p| p.agents).filter(|p| *p > 0);
    let port = running.unwrap_or(listen.port());
    if let Some((host, named)) = told {
        return format!("https://{host}:{}", named.unwrap_or(port));
    }
    let host = match config.agents.names.first() {
        Some(name) => name.clone(),
        None if !listen.ip().is_unspecified() => listen.ip().to_string(),
        None => ca::primary_addresses().first().map_or_else(|| "127.0.0.1".to_owned(), ToString::to_string),
    };
    format!("https://{}:{port}", bracketed(&host))
}

/// `HOST`, `HOST:PORT` or either as an https URL, and nothing more: host name, IPv4 or IPv6 address.
fn reached_at(text: &str) -> Result<(Host, Option<u16>), String> {
    let wrong = || {
        let zh = "请写 https://主机:端口，端口可省略，例如 https://192.0.2.5:8443";
        let en =
            "write it as https://HOST:PORT, with or without the port, for example https://192.0.2.5:8443";
        Language::of_environment().say(zh, en).to_owned()
    };
    let bare = text.strip_prefix("https://").unwrap_or(text);
    let bare = bare.strip_suffix('/').unwrap_or(bare);
    if let Ok(address) = bare.parse::<Ipv6Addr>() {
        return Ok((Host::Ipv6(address), None));
    }
    let (host, port) = match bare.rsplit_once(':') {
        Some((host, port)) if !bare.ends_with(']') => (host, Some(port)),
        _ => (bare, None),
    };
    let port = port.map(|p| p.parse::<u16>().ok().filter(|p| *p > 0).ok_or_else(wrong)).transpose()?;
    let written = host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.:[]".contains(&b));
    let host = Host::parse(host).map_err(|_| wrong())?;
    if written { Ok((host, port)) } else { Err(wrong()) }
}

fn bracketed(host: &str) -> String {
    if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() }
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no duration of 1 s to 24 h; write it like 90s, 15m or 2h");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        _ => return Err(wrong()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    let duration = Duration::from_secs(number.saturating_mul(seconds));
    if duration.is_zero() || duration > LONGEST { Err(wrong()) } else { Ok(duration) }
}

fn write(path: &Path, token: &str) -> anyhow::Result<()> {
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        writeln!(file, "{token}")?;
        file.sync_all()
    };
    let language = Language::of_environment();
    let path = path.display();
    write().map_err(|error| {
        anyhow!(match error.kind() {
            ErrorKind::AlreadyExists => language.say(
                format!("{path} 已存在，没有覆盖：请换一个文件名，或先删除它"),
                format!(
                    "{path} is there already and was not overwritten: name another file, or delete it first"
                ),
            ),
            _ => language.say(
                format!("无法把令牌写入 {path}：{error}"),
                format!("cannot write the token to {path}: {error}"),
            ),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit_and_a_bound() {
        assert_eq!(duration("15m"), Ok(Duration::from_secs(900)));
        assert_eq!(duration("24h"), Ok(LONGEST));
        for wrong in ["", "m", "15", "0s", "25h", "1d", "-1m", "99999999999999999999h", "分"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_name_is_one_line_that_can_be_read() {
        assert!(is_name("东街市场 2 号"));
        for wrong in ["", " ", "a\nb", "a\u{1b}[2J", "a\u{202e}b", &"长".repeat(NAME_CHARS + 1)] {
            assert!(!is_name(wrong), "{wrong:?}");
        }
    }

    #[test]
    fn the_address_is_written_as_a_url_has_it() {
        let mut config = Config::default();
        config.hub.data = "/nowhere".into();
        assert_eq!(hub_address(&config, None), "https://127.0.0.1:8443");
        let told = |text| hub_address(&config, Some(&reached_at(text).unwrap()));
        assert_eq!(told("hub.example"), "https://hub.example:8443");
        assert_eq!(told("hub.example:9"), "https://hub.example:9");
        assert_eq!(told("https://192.0.2.5/"), "https://192.0.2.5:8443");
        assert_eq!(told("https://[fd00::1]:9/"), "https://[fd00::1]:9");
        assert_eq!(told("[fd00::1]"), "https://[fd00::1]:8443");
        assert_eq!(told("fd00::1"), "https://[fd00::1]:8443");
        config.agents.names = vec!["10.0.0.5".into()];
        assert_eq!(hub_address(&config, None), "https://10.0.0.5:8443");
    }

    #[test]
    fn what_keeps_other_machines_out_is_named_with_its_port() {
        let mut config = Config::default();
        config.broker.listen.set_port(28883);
        for language in [Language::Zh, Language::En] {
            let note = only_here(language, &config).unwrap();
            assert!(note.contains("[agents] listen = \"0.0.0.0:8443\""), "{note}");
            assert!(note.contains("[broker] listen = \"0.0.0.0:28883\""), "{note}");
        }
        config.agents.listen.set_ip([0, 0, 0, 0].into());
        assert!(!only_here(Language::En, &config).unwrap().contains("[agents]"));
        config.broker.external = Some("broker.example:8883".to_owned());
        assert_eq!(only_here(Language::En, &config), None);
    }

    #[test]
    fn what_is_no_address_of_a_hub_is_refused() {
        let wrong = [
            "",
            " ",
            "ev il\"x",
            "http://hub",
            "https://",
            "https://hub/path",
            "hub?x",
            "user@hub",
            "hub:0",
            "hub:70000",
            "hub:",
            "hub:x",
            ":8443",
            "[fd00::1",
            "a&token=b",
            "$(reboot)",
            "h\u{1b}[2J",
            "https://https://hub",
        ];
        for wrong in wrong {
            assert!(reached_at(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_sheet_is_in_the_operators_language_and_the_token_in_no_command() {
        let who = Identity { site: "market".parse().unwrap(), agent: "box-1".parse().unwrap() };
        for language in [Language::Zh, Language::En] {
            let text = sheet(language, &who, "SB1-X", "https://h:1", Timestamp::from_unix_ms(0), None);
            let command = text.lines().find(|l| l.contains("provision")).unwrap();
            assert!(text.contains("SB1-X") && !command.contains("SB1"), "{text}");
            let file = sheet(
                language,
                &who,
                "SB1-X",
                "https://h:1",
                Timestamp::from_unix_ms(0),
                Some(Path::new("carried/t")),
            );
            assert!(!file.contains("SB1-X") && file.contains("--token-file t"), "{file}");
        }
    }
}
