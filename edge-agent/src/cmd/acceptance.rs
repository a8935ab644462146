//! `edge-agent acceptance`: the report that an installer hands over.

use std::io::{IsTerminal, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use settings::owner;

use super::settings::Settings;
use crate::acceptance::{self, Acceptance, AcceptanceError};
use crate::control::AskError;
use crate::doctor::{Check, State};
use crate::service::by_hand::Act;
use crate::wording::{Language, Speech, Text, table};

/// Try every camera to the hub and back, and write the report that is handed over.
///
/// Raises one alert of each camera that is marked as a test. The agent must be running. Ends with 0 when
/// everything passed, with 2 when something did not, and with 1 when nothing could be tried. Standard error says
/// what is being waited for.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    settings: Settings,
    /// Where acceptance.html and acceptance.json go.
    #[arg(long, value_name = "FOLDER", default_value = "acceptance")]
    out: PathBuf,
    /// Print the JSON on standard output as well, instead of a list.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    speech: Speech,
}

/// Something did not pass.
const FAILED: i32 = 2;

pub fn execute(args: Args) -> anyhow::Result<()> {
    let language = args.speech.language();
    // A program that reads the JSON wants no second text, unless somebody watches.
    let aloud = !args.json || std::io::stderr().is_terminal();
    let say = |text: &Text| {
        if aloud {
            eprintln!("{}", text.of(language));
        }
    };
    let taken = args.settings.take().map(drop);
    // Before an alarm is raised that nobody would be shown the result of.
    let made = if taken.is_ok() { make(&args.out)? } else { false };
    let tried = taken.map(|()| acceptance::run(args.settings.file(), &say));
    if made && !matches!(tried, Ok(Ok(_))) {
        let _ = owner::as_caller(|| std::fs::remove_dir(&args.out));
    }
    let acceptance = match tried {
        Ok(Err(AcceptanceError::Agent(AskError::NotRunning))) => {
            let why = language
                .pick("验收不能进行：本盒上没有盒子端在运行", "no acceptance: no agent runs on this box");
            anyhow::bail!("{why}\n-> {}", Act::Start.here().of(language))
        }
        Ok(Ok(acceptance)) => acceptance,
        Ok(Err(AcceptanceError::NoHub(check))) => {
            let cure = check.cure.as_ref().map_or("", |cure| cure.of(language));
            let (why, hub) = (check.reason.of(language), language.pick("验收不能进行", "no acceptance"));
            anyhow::bail!("{hub}: {why}\n-> {cure}")
        }
        other => other.and_then(|ended| Ok(ended?)).context(language.pick(
            "验收不能进行；服务必须正在运行，盒子必须已登记",
            "no acceptance: the service must run, and the box must be enrolled",
        ))?,
    };
    let json = serde_json::to_string(&acceptance)?;
    let page = args.out.join("acceptance.html");
    owner::as_caller(|| {
        write(&page, &acceptance::html(&acceptance))?;
        write(&args.out.join("acceptance.json"), &json)
    })?;
    let text = if args.json { format!("{json}\n") } else { list(&acceptance, &page, language) };
    let _ = std::io::stdout().write_all(text.as_bytes());
    if !acceptance.passed {
        std::process::exit(FAILED);
    }
    Ok(())
}

/// Makes the folder of the report, and sees that it can be written to. Whether it is new.
fn make(out: &Path) -> anyhow::Result<bool> {
    owner::as_caller(|| {
        let is_new = !out.exists();
        let mut folder = std::fs::DirBuilder::new();
        folder.recursive(true).mode(0o700);
        folder.create(out).with_context(|| format!("cannot make {}", out.display()))?;
        let trial = out.join(".acceptance-trial");
        write(&trial, "")?;
        std::fs::remove_file(&trial).with_context(|| format!("cannot remove {}", trial.display()))?;
        Ok(is_new)
    })
}

/// Pictures of a public place: for the owner's eyes.
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    settings::write_private(path, text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
}

fn list(acceptance: &Acceptance, page: &Path, language: Language) -> String {
    let ms = |leg: Option<u64>| leg.map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms"));
    let heads = match language {
        Language::Zh => ["摄像机", "结果", "盒子存下", "中心确认", "中心可见", "图片到达"],
        Language::En => ["camera", "result", "stored", "acknowledged", "at the hub", "still"],
    };
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    for camera in &acceptance.cameras {
        let legs = camera.alarm.as_ref();
        rows.push(vec![
            camera.name.clone().unwrap_or_else(|| camera.camera.to_string()),
            word(camera.passed, language).to_owned(),
            ms(legs.map(|a| a.stored_ms)),
            ms(legs.and_then(|a| a.settled_ms)),
            ms(legs.and_then(|a| a.shown_ms)),
            ms(legs.and_then(|a| a.still_ms)),
        ]);
    }
    let mut text = table(&rows);
    for camera in &acceptance.cameras {
        if let Some(reason) = &camera.reason {
            text += &format!("{}: {}\n", camera.camera, reason.of(language));
        }
    }
    // A camera that can raise no alarm passes, and is told.
    let told = |c: &&Check| c.state == State::Broken || (c.name == "rules" && c.state == State::Warning);
    for check in acceptance.checks.iter().filter(told) {
        text += &format!("{}: {}\n", check.title.of(language), check.reason.of(language));
        if let ("rules", Some(cure)) = (check.name, &check.cure) {
            text += &format!("  -> {}\n", cure.of(language));
        }
    }
    let (label, file) = (language.pick("总结果", "result"), language.pick("报告", "report"));
    text + &format!("{label}: {}\n{file}: {}\n", word(acceptance.passed, language), page.display())
}

fn word(passed: bool, language: Language) -> &'static str {
    match passed {
        true => language.pick("合格", "pass"),
        false => language.pick("不合格", "fail"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_takes_no_report_is_refused_beforehand() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("a/b");
        assert!(make(&out).unwrap() && !make(&out).unwrap());
        assert_eq!(std::fs::read_dir(&out).unwrap().count(), 0);
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(format!("{:#}", make(&file.join("x")).unwrap_err()).contains("cannot make"));
    }
}
