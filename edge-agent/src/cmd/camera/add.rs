//! `camera add`: ask, measure, propose, show, and write it down when the installer agrees.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use protocol::CameraId;
use serde_json::{Value, json};
use settings::{Span, owner};

use super::target::{self, Place, Target};
use super::{Common, announce, keep, measure, password, print, report};
use crate::camera::{CameraConfig, Credentials, RtspUrl, Transport};
use crate::config::{Config, cameras};
use crate::discover::Network;
use crate::onvif::{self, Device, Profile, address};
use crate::probe::advice::{self, Advice};
use crate::probe::{Measured, still};
use crate::secrets::Secrets;
use crate::wording::{Language, Text, plain};

/// Most letters of a camera's name.
const LONGEST_NAME: usize = 60;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The camera's address (asked by ONVIF), or the rtsp:// url of a stream.
    #[arg(value_name = "URL-or-ADDRESS")]
    target: String,
    /// Its id at this box; by default the next free of cam-1, cam-2, ...
    #[arg(long)]
    id: Option<CameraId>,
    /// The name that people read, for example 东门; at most 60 letters.
    #[arg(long, default_value = "")]
    name: String,
    /// User at the camera; the password is asked for, or read from --password-file.
    #[arg(long)]
    user: Option<String>,
    /// A file whose first line is the password (mode 600), or - for standard input.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Which stream of an ONVIF camera: main, sub, or a profile's token or name; by default the one that
    /// suits.
    #[arg(long, value_name = "main|sub|PROFILE")]
    stream: Option<String>,
    /// A line between two points of the grid: "NAME:C4-F7" or "NAME:C4-F7:left" (left, right, any).
    #[arg(long, value_name = "RULE")]
    line: Vec<String>,
    /// A zone around points of the grid: "NAME:B2,D2,D6,B6", or with ":15s" for those who stay so long.
    #[arg(long, value_name = "RULE")]
    zone: Vec<String>,
    /// The pipeline of this camera; by default the agent's.
    #[arg(long, value_name = "FILE")]
    pipeline: Option<PathBuf>,
    /// Pictures by UDP, for cameras that can do nothing else.
    #[arg(long)]
    udp: bool,
    /// Nobody may change this camera from afar.
    #[arg(long)]
    locked: bool,
    /// Write a covered picture with the grid and the rules on it.
    #[arg(long, value_name = "FILE")]
    still: Option<PathBuf>,
    /// How long to measure.
    #[arg(long, default_value = "5s")]
    measure: Span,
    /// Add it without asking.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    common: Common,
}

/// A stream that was measured.
struct Stream {
    label: String,
    camera: CameraConfig,
    measured: Measured,
}

pub(super) fn execute(args: Args) -> anyhow::Result<()> {
    let language = args.common.language();
    let target: Target =
        args.target.parse().map_err(|e: target::TargetError| anyhow::anyhow!("{}", e.text().of(language)))?;
    let config = args.common.read()?;
    announce::refuse_on_trial(&config, language)?;
    let mut said = Said { language, quiet: args.common.json };
    let id = free_id(&config, args.id.clone(), language)?;
    let draft = draft(&args, &id, &config.agent.camera_networks)?;
    let has_rules =
        keep::check_rules(&config, &draft, &cameras::path_of(&args.common.base(), &id), language)?;
    let credentials = credentials(&args, &target, &mut said)?;
    let device = match &target.place {
        Place::Device { host, port, path } => {
            Some(ask(host, *port, path.as_deref(), credentials.as_ref(), language)?)
        }
        Place::Stream(_) => None,
    };
    if let Some(device) = &device {
        said.line(&report::device(device, language));
    }
    let credentials = credentials.as_ref();
    let (chosen, others) = match (&device, &target.place) {
        (Some(device), _) => choose(&args, &config, &draft, device, credentials, &mut said)?,
        (None, Place::Stream(url)) => {
            let label = language.pick("视频流", "stream");
            (stream(&args, &config, &draft, url.clone(), label, credentials, &mut said)?, Vec::new())
        }
        (None, Place::Device { .. }) => unreachable!("a device was asked"),
    };
    let mut camera = chosen.camera.clone();
    refuse_twice(&config, &camera, language)?;
    let mut advice = consider(&chosen, &others, &mut camera);
    if !has_rules {
        advice.push(advice::without_rules(&camera.id));
    }
    said.line(&report::advice(&advice, language));
    let covered = picture(&args, &config, &camera, &chosen, &mut said)?;
    agree(&args, &camera, language)?;
    let file = write(&args.common.base(), &config, &camera, credentials)?;
    let next = announce::announce_change(&config, Some(&camera));
    said.line(&match language {
        Language::Zh => format!("已添加摄像机 {}：{}\n{}\n", camera.id, file.display(), next.zh),
        Language::En => format!("camera {} added: {}\n{}\n", camera.id, file.display(), next.en),
    });
    if args.common.json {
        let streams: Vec<Value> = std::iter::once(&chosen)
            .chain(&others)
            .map(
                |s| json!({ "stream": s.label, "url": s.camera.url.as_str(), "figures": s.measured.figures }),
            )
            .collect();
        let still = args.still.as_ref().map(|file| json!({ "file": file, "covered": covered }));
        print(&format!(
            "{}\n",
            json!({
                "camera": super::list::shown(&camera), "file": file, "device": device, "streams": streams,
                "advice": advice, "still": still, "next": next,
            })
        ));
    }
    Ok(())
}

/// What is said to people; nothing when a program reads.
struct Said {
    language: Language,
    quiet: bool,
}

impl Said {
    fn line(&mut self, text: &str) {
        if !self.quiet {
            print(text);
            let _ = std::io::stdout().flush();
        }
    }
}

fn free_id(config: &Config, wanted: Option<CameraId>, language: Language) -> anyhow::Result<CameraId> {
    let taken = |id: &CameraId| config.cameras.iter().any(|c| c.id == *id);
    match wanted {
        Some(id) if taken(&id) => anyhow::bail!(
            "{}",
            match language {
                Language::Zh =>
                    format!("编号 {id} 已被使用：换一个 --id，或先删除：edge-agent camera remove {id}"),
                Language::En => format!(
                    "the id {id} is taken: give another --id, or remove it first: edge-agent camera remove {id}"
                ),
            }
        ),
        Some(id) => Ok(id),
        None => {
            let free = (1..=config.cameras.len() + 1).map(|n| format!("cam-{n}"));
            let free = free.filter_map(|id| id.parse().ok()).find(|id| !taken(id));
            free.context("no free id: give --id")
        }
    }
}

/// The camera without its stream.
fn draft(args: &Args, id: &CameraId, networks: &[Network]) -> anyhow::Result<CameraConfig> {
    let (lines, zones) = keep::read_rules(&args.line, &args.zone)?;
    let name = name(&args.name, args.common.language())?;
    let named = args.pipeline.as_deref();
    let pipeline = owner::as_caller(|| named.map(Path::canonicalize).transpose());
    let user = args.user.clone().unwrap_or_default();
    Ok(CameraConfig {
        id: id.clone(),
        name,
        url: RtspUrl::try_from("rtsp://192.0.2.1/".to_owned())?,
        user,
        password_file: None,
        pipeline: pipeline
            .with_context(|| format!("--pipeline {}", named.unwrap_or(Path::new("")).display()))?,
        transport: if args.udp { Transport::Udp } else { Transport::Tcp },
        analyse_fps: None,
        live: Default::default(),
        locked: args.locked,
        lines,
        zones,
        file: None,
        rules_wished: false,
        secrets: None,
        networks: networks.to_vec(),
    })
}

/// Without what a terminal would take for a command.
fn name(typed: &str, language: Language) -> anyhow::Result<String> {
    let name = plain(typed, usize::MAX);
    let letters = name.chars().count();
    anyhow::ensure!(
        letters <= LONGEST_NAME,
        "{}",
        match language {
            Language::Zh => format!("--name 有 {letters} 个字：最多 {LONGEST_NAME} 个"),
            Language::En => format!("--name has {letters} letters: at most {LONGEST_NAME} are allowed"),
        }
    );
    Ok(name)
}

fn credentials(args: &Args, target: &Target, said: &mut Said) -> anyhow::Result<Option<Credentials>> {
    let language = said.language;
    if let Some((user, password)) = &target.credentials {
        said.line(language.pick(
            "网址中的用户名和密码已取出，密码将加密保存；它仍留在命令历史中，请清除该条历史\n",
            "user and password were taken out of the url, and the password will be sealed; it is still in your shell's history: remove it there\n",
        ));
        let user = args.user.clone().unwrap_or_else(|| user.clone());
        let password = match &args.password_file {
            Some(_) => password::get(args.password_file.as_deref(), &user, language)?,
            None if password.expose().is_empty() => password::get(None, &user, language)?,
            None => password.clone(),
        };
        return Ok(Some(Credentials { user, password }));
    }
    let Some(user) = args.user.clone().filter(|user| !user.is_empty()) else {
        let why = language.pick("有 --password-file 时还要 --user", "--password-file needs --user");
        anyhow::ensure!(args.password_file.is_none(), "{why}");
        return Ok(None);
    };
    let password = password::get(args.password_file.as_deref(), &user, language)?;
    Ok(Some(Credentials { user, password }))
}

fn ask(
    host: &str,
    port: Option<u16>,
    path: Option<&str>,
    credentials: Option<&Credentials>,
    language: Language,
) -> anyhow::Result<Device> {
    let told = |text: Text| anyhow::anyhow!("{}", text.of(language));
    let url = target::device_service(host, port, path).map_err(|error| told(error.text()))?;
    onvif::look(&url, credentials).map_err(|error| told(target::plainly(&url, &error)))
}

/// The stream that was asked for; else the largest, or a smaller one where that one does not suit.
fn choose(
    args: &Args,
    config: &Config,
    draft: &CameraConfig,
    device: &Device,
    credentials: Option<&Credentials>,
    said: &mut Said,
) -> anyhow::Result<(Stream, Vec<Stream>)> {
    let language = said.language;
    let measure = |profile: &Profile, said: &mut Said| {
        let url = RtspUrl::try_from(profile.url.clone())?;
        stream(args, config, draft, url, &profile.token, credentials, said)
    };
    let profiles = &device.profiles;
    let at = |n: usize| profiles.get(n);
    let asked = match args.stream.as_deref() {
        None => None,
        Some("main") => at(0),
        Some("sub") => at(1).or(at(0)),
        Some(name) => profiles.iter().find(|p| p.token == name || p.name == name),
    };
    if let Some(name) = args.stream.as_deref() {
        let profile = asked.with_context(|| {
            let all: Vec<&str> = profiles.iter().map(|p| p.token.as_str()).collect();
            match language {
                Language::Zh => format!("没有码流 {name}；现有：{}", all.join(", ")),
                Language::En => format!("there is no stream {name}; there are: {}", all.join(", ")),
            }
        })?;
        return Ok((measure(profile, said)?, Vec::new()));
    }
    let main = measure(at(0).context("the camera offers no stream")?, said)?;
    let reasons = advice::against(&main.measured.figures);
    let Some(smaller) = at(1).filter(|_| !reasons.is_empty()) else { return Ok((main, Vec::new())) };
    // A second session; a camera that allows only one keeps its main stream.
    let Ok(sub) = measure(smaller, said) else { return Ok((main, Vec::new())) };
    let figures = &sub.measured.figures;
    let is_better = advice::against(figures).len() < reasons.len() && advice::is_large_enough(figures);
    Ok(if is_better { (sub, vec![main]) } else { (main, vec![sub]) })
}

fn stream(
    args: &Args,
    config: &Config,
    draft: &CameraConfig,
    url: RtspUrl,
    label: &str,
    credentials: Option<&Credentials>,
    said: &mut Said,
) -> anyhow::Result<Stream> {
    let user = credentials.map(|c| c.user.clone()).unwrap_or_default();
    let camera = CameraConfig { url, user, ..draft.clone() };
    let measured = measure::session(config, &camera, credentials, args.measure, said.language)?;
    said.line(&report::figures(label, &measured.figures, said.language));
    Ok(Stream { label: label.to_owned(), camera, measured })
}

/// What to know about the choice; sets how many frames are analysed.
fn consider(chosen: &Stream, others: &[Stream], camera: &mut CameraConfig) -> Vec<Advice> {
    let figures = &chosen.measured.figures;
    let mut all: Vec<Advice> = others
        .iter()
        .filter(|other| advice::against(&other.measured.figures).len() > advice::against(figures).len())
        .flat_map(|other| advice::against(&other.measured.figures))
        .map(|reason| Advice {
            text: crate::wording::Text::new(
                format!("改用 {}，因为另一路 {}", chosen.label, reason.text.zh),
                format!("{} is used, because the other stream is not: {}", chosen.label, reason.text.en),
            ),
            ..reason
        })
        .collect();
    all.extend(advice::against(figures));
    let (fps, why) = advice::analyse_fps(figures);
    camera.analyse_fps = fps;
    all.push(why);
    all.extend(advice::remarks(figures));
    all
}

fn refuse_twice(config: &Config, camera: &CameraConfig, language: Language) -> anyhow::Result<()> {
    let path =
        |url: &str| url.split_once("://").map(|(_, r)| r.split_once('/').map_or("", |(_, p)| p).to_owned());
    let same = |c: &&CameraConfig| {
        let (a, b) = (c.url.as_str(), camera.url.as_str());
        let port = |url| address::port_of(url).unwrap_or(554);
        address::host_of(a) == address::host_of(b) && port(a) == port(b) && path(a) == path(b)
    };
    let Some(known) = config.cameras.iter().find(same) else { return Ok(()) };
    let id = &known.id;
    anyhow::bail!(
        "{}",
        match language {
            Language::Zh => format!("这路视频流已经添加，编号 {id}"),
            Language::En => format!("this stream is a camera of this box already: {id}"),
        }
    )
}

fn picture(
    args: &Args,
    config: &Config,
    camera: &CameraConfig,
    chosen: &Stream,
    said: &mut Said,
) -> anyhow::Result<Option<usize>> {
    let Some(path) = &args.still else { return Ok(None) };
    let frame = chosen.measured.frame.as_ref().context("no picture of the stream could be decoded whole")?;
    let covered = still::write(config, frame, &camera.lines, &camera.zones, path)?;
    said.line(&report::still(path, said.language));
    Ok(Some(covered))
}

fn agree(args: &Args, camera: &CameraConfig, language: Language) -> anyhow::Result<()> {
    if args.yes {
        return Ok(());
    }
    let nothing = language.pick("没有添加", "nothing was added");
    if args.common.json || !std::io::stdin().is_terminal() {
        let ask = language.pick("确认添加请加 --yes", "say --yes to add it");
        anyhow::bail!("{nothing}: {ask}");
    }
    let question = match language {
        Language::Zh => format!("添加为 {}？[y/N] ", camera.id),
        Language::En => format!("Add it as {}? [y/N] ", camera.id),
    };
    print(&question);
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    anyhow::ensure!(matches!(answer.trim(), "y" | "Y" | "yes" | "是"), "{nothing}");
    Ok(())
}

/// The password first: a camera without its password would be tried in vain.
fn write(
    base: &Path,
    config: &Config,
    camera: &CameraConfig,
    credentials: Option<&Credentials>,
) -> anyhow::Result<PathBuf> {
    let secrets = Secrets::open(&config.agent.data);
    if let Some(Credentials { password, .. }) = credentials {
        secrets.seal(&camera.id, password)?;
    } else {
        secrets.remove(&camera.id)?;
    }
    let written = cameras::write(base, camera);
    if written.is_err() {
        let _ = secrets.remove(&camera.id);
    }
    Ok(written?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_whole_or_refused_with_the_limit() {
        let longest = "门".repeat(LONGEST_NAME);
        assert_eq!(name(&format!(" {longest}\n"), Language::Zh).unwrap(), longest);
        let error = name(&format!("{longest}口"), Language::En).unwrap_err().to_string();
        assert!(error.contains("61 letters: at most 60"), "{error}");
    }
}
