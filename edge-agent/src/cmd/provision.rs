//! `edge-agent provision`: from a token to a box that the hub knows, in numbered steps.
//!
//! Owns the course and what is printed of it, in Chinese and English. Each step can be run again: a second
//! run goes on where the first stopped. What is written where is `identity`'s.

mod already;
mod failing;
mod invitation;
mod reading;
mod report;
mod service;
mod steps;

use std::path::{Path, PathBuf};

use crate::config::{self, Config};
use crate::doctor;
use crate::identity::Folder;
use crate::wording::{Speech, Text};
use report::{Failure, Report};
use steps::Enrolling;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The hub's agents' door, `https://HOST:PORT`; the text of the QR code has it already, and with --again it is
    /// that of the identity which is replaced.
    #[arg(long, value_name = "URL")]
    hub: Option<String>,
    /// A file with the token or the text of the QR code, or - for standard input; without it, it is typed in.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The settings that name the data folder.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data folder; by default as the settings say.
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Replace the identity that the box already has, by a new token.
    #[arg(long)]
    again: bool,
    #[command(flatten)]
    speech: Speech,
}

/// Exit code 0 when every step is done or was not needed.
pub fn execute(args: Args) -> anyhow::Result<()> {
    let language = args.speech.language();
    let mut report = Report::new(language);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match runtime.block_on(course(&args, &mut report)) {
        Ok(()) => Ok(()),
        Err(failure) => {
            report.failed(&failure);
            anyhow::bail!("{}", report.stopped())
        }
    }
}

async fn course(args: &Args, report: &mut Report) -> Result<(), Failure> {
    let settings = settings_of(args)?;
    let data = args.data.clone().or_else(|| settings.as_ref().map(|c| c.agent.data.clone()));
    let data = data.unwrap_or_else(|| config::DEFAULT_DATA.into());
    let (token, hub) = (args.token_file.as_deref(), args.hub.as_deref());
    let Some(folder) = steps::take_folder(&data, args.again, report)? else {
        let beside = Folder::look(&data);
        let home = beside.newest().map_err(|e| failing::disk(report::Stage::Data, &e))?.home;
        already::refuse_other(&beside, &home, token, hub, report)?;
        already::refuse_shut_out(&beside).await?;
        report.say(&Text::new(
            "本盒已登记，盒子端正在运行，无需改动。",
            "This box is already provisioned and its agent is running; nothing is changed.",
        ));
        return Ok(());
    };
    let known = folder.usable().ok().filter(|_| !args.again);
    if let Some(known) = &known {
        let who = &known[0].home;
        already::refuse_other(&folder, who, token, hub, report)?;
        already::refuse_shut_out(&folder).await?;
        let (site, agent) = (&who.site, &who.agent);
        report.say(&Text::new(
            format!("本盒已登记为 {site}/{agent}（中心 {}），不再重复登记。换新令牌请加 --again。", who.hub),
            format!("This box is already known as {site}/{agent} at {}; nothing is changed. With a new token: --again.", who.hub),
        ));
    } else {
        let invitation = {
            let before = folder.newest().ok().map(|g| g.home.hub);
            invitation::obtain(token, hub, before.as_deref(), report)?
        };
        let enrolling = Enrolling::new(&folder, invitation);
        let key = enrolling.key(report)?;
        enrolling.reach(report).await?;
        let door = enrolling.recognise(report).await?;
        let answer = enrolling.redeem(&door, key, report).await?;
        enrolling.write(&door, key, &answer, settings.as_ref(), report)?;
    }
    let home = steps::broker(&folder, settings.as_ref(), report).await?;
    // The service takes the folder's lock.
    drop(folder);
    service::start(&data, args.again, report)?;
    let (site, agent) = (home.site, home.agent);
    report.say(&Text::new(
        format!("完成：本盒是 {site}/{agent}。"),
        format!("Done: this box is {site}/{agent}."),
    ));
    Ok(())
}

/// The settings, if there are any: provisioning needs none.
fn settings_of(args: &Args) -> Result<Option<Config>, Failure> {
    let path = match &args.config {
        Some(path) => path.as_path(),
        None if args.data.is_none() && Path::new(config::DEFAULT_FILE).exists() => {
            Path::new(config::DEFAULT_FILE)
        }
        None => return Ok(None),
    };
    Config::read(path).map(Some).map_err(|error| {
        let why = settings::in_one_line(&error);
        let error = anyhow::Error::from(error);
        let zh = doctor::explain(&error).map_or_else(|| why.clone(), |(zh, _)| zh);
        Failure::because(
            report::Stage::Data,
            Text::new("读不懂配置文件", "the settings cannot be used"),
            Text::new(zh, why),
            Text::new(
                "按提示改正，或用 --data 指定数据目录",
                "mend them as it says, or name the data folder by --data",
            ),
        )
    })
}
