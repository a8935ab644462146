//! `make demo`: four cameras, an agent, a hub and the wall, until Ctrl-C or for a while.

mod check;

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::stage::{CAMERAS, Stage};
use crate::{cache, workspace};

/// How long after the last second a still may take to reach the hub.
const GRACE: Duration = Duration::from_secs(20);

/// What the demo was asked for.
#[derive(Debug, Clone, Copy, clap::Parser)]
#[command(about = "Cameras, agent, hub and wall on this machine")]
pub struct Options {
    /// Run for a while, check that every camera's alerts and stills arrive, and end.
    #[arg(long)]
    pub headless: bool,
    /// How long, once all is up.
    #[arg(long, default_value_t = 60)]
    pub seconds: u64,
}

/// Whether somebody asked to stop; blocks for at most `bound`.
pub type Stopped<'a> = &'a dyn Fn(Duration) -> bool;

/// Runs the demo on the calling thread; Ok(false) when the check found something missing.
pub fn run(options: Options, stopped: Stopped) -> anyhow::Result<bool> {
    let begun = Instant::now();
    let clip = cache().join("clips/vtest.mp4");
    if !clip.is_file() {
        bail!("the demo clip is missing: run `make setup`（缺少演示视频：请先运行 make setup）");
    }
    let folder = workspace().join("target/demo");
    let _only = only_demo(&folder.with_extension("lock"))?;
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    let mut stage = Stage::new(&folder)?;
    stage.prefer_http_port(8080);
    let shown = show(options, &mut stage, &clip, begun, stopped);
    println!("stopping 正在停止 ...");
    let open = stage.stop()?;
    if !open.is_empty() {
        bail!("ports {open:?} are still open");
    }
    println!("all stopped 已全部停止; logs 日志: {}", folder.display());
    shown
}

/// A second demo would empty the folder under the first. Held as long as the file is open.
fn only_demo(lock: &Path) -> anyhow::Result<File> {
    if let Some(folder) = lock.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let file = File::create(lock).with_context(|| format!("cannot open {}", lock.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!("a demo is running already: end it with Ctrl-C first（演示已在运行：请先按 Ctrl-C 结束它）")
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", lock.display()))
        }
    }
}

fn show(
    options: Options,
    stage: &mut Stage,
    clip: &Path,
    begun: Instant,
    stopped: Stopped,
) -> anyhow::Result<bool> {
    let done = |what: &str| println!("  [{:5.1} s] {what}", begun.elapsed().as_secs_f32());
    println!("starting 正在启动");
    stage.start_cameras(clip)?;
    done(&format!("{} cameras 摄像机: {}", CAMERAS.len(), CAMERAS.map(|(_, name, _)| name).join(" ")));
    stage.start_hub()?;
    done("hub and wall 中心与大屏");
    stage.start_agent()?;
    done("agent 边缘盒");
    if options.headless {
        let bound = Duration::from_secs(options.seconds);
        println!("running for {} s 运行中", bound.as_secs());
        return match watch(stage, Some(bound), stopped)? {
            true => bail!("stopped before the check"),
            false => check::check(stage, GRACE, stopped),
        };
    }
    invite(&stage.login_link()?);
    watch(stage, None, stopped)?;
    Ok(true)
}

/// Until told to stop (true), the time is over (false), or a program falls.
fn watch(stage: &mut Stage, bound: Option<Duration>, stopped: Stopped) -> anyhow::Result<bool> {
    let begun = Instant::now();
    loop {
        if stopped(Duration::from_millis(200)) {
            return Ok(true);
        }
        if let Some(text) = stage.fallen()? {
            bail!("{text}");
        }
        if bound.is_some_and(|bound| begun.elapsed() >= bound) {
            return Ok(false);
        }
    }
}

fn invite(link: &str) {
    let line = "=".repeat(72);
    println!("\n{line}\n\n  Open the wall, this link works once:\n  打开大屏（链接仅可使用一次）：\n");
    println!("      {link}\n\n  Ctrl-C ends the demo.  按 Ctrl-C 结束演示。\n\n{line}\n");
}

#[cfg(test)]
mod tests {
    use super::only_demo;

    #[test]
    fn a_second_demo_is_refused_while_the_first_runs() {
        let folder = tempfile::tempdir().unwrap();
        let lock = folder.path().join("target/demo.lock");
        let first = only_demo(&lock).unwrap();
        assert!(only_demo(&lock).unwrap_err().to_string().contains("running already"));
        drop(first);
        only_demo(&lock).unwrap();
    }
}
