//! The checks, in the order in which an installer would mend things.

use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

use super::{Check, State, Text};
use crate::config::Config;
use crate::hardware::Profile;
use crate::identity::Folder;
use crate::model::{Engine, EngineConfig, Model, Store};
use crate::pipeline::Pipeline;

const CONNECT: Duration = Duration::from_secs(3);
/// 2025-01-01: a clock before this was never set.
const EARLIEST_MS: i64 = 1_735_689_600_000;
const DISK_WARN: u64 = 1 << 30;
const DISK_BROKEN: u64 = 128 << 20;

pub fn all(path: &Path) -> Vec<Check> {
    let config = match Config::load(path) {
        Ok(config) => config,
        Err(error) => {
            return vec![
                clock(),
                broken(CONFIG, error, "按提示改正配置文件", "mend the configuration as it says"),
            ];
        }
    };
    let mut checks = vec![clock(), ok(CONFIG, &path.display().to_string())];
    checks.extend(identity(&config));
    checks.push(disk(&config));
    checks.extend(decoder(&config));
    checks.extend(models(&config));
    checks.extend(config.cameras.iter().map(camera));
    checks
}

/// A check's name and its title in both languages.
type Subject = (&'static str, &'static str, &'static str);
const CLOCK: Subject = ("clock", "时钟", "Clock");
const CONFIG: Subject = ("config", "配置", "Configuration");
const IDENTITY: Subject = ("identity", "身份", "Identity");
const DISK: Subject = ("disk", "磁盘", "Disk");
const HUB_MQTT: Subject = ("hub_mqtt", "中心（消息）", "Hub (MQTT)");
const HUB_HTTP: Subject = ("hub_http", "中心（图片上传）", "Hub (still upload)");
const HARDWARE: Subject = ("decoder", "解码器", "Decoder");
const MODELS: Subject = ("models", "模型", "Models");
const PIPELINE: Subject = ("pipeline", "方案", "Pipeline");
const CAMERA: Subject = ("camera", "摄像机", "Camera");

fn check(subject: Subject, state: State, reason: Text, cure: Option<Text>) -> Check {
    Check { name: subject.0, title: Text::new(subject.1, subject.2), state, reason, cure }
}

fn ok(subject: Subject, what: &str) -> Check {
    check(subject, State::Ok, Text::new(what, what), None)
}

fn broken(subject: Subject, error: impl std::fmt::Display, zh: &str, en: &str) -> Check {
    let error = error.to_string();
    check(subject, State::Broken, Text::new(&error, &error), Some(Text::new(zh, en)))
}

fn clock() -> Check {
    let now = crate::alerts::now();
    if now.unix_ms() < EARLIEST_MS {
        return broken(
            CLOCK,
            now,
            "设置时间或启用 NTP：timedatectl set-ntp true",
            "set the time or enable NTP: timedatectl set-ntp true",
        );
    }
    ok(CLOCK, &now.to_string())
}

/// Who the box is by its certificate, and whether the hub's two doors can be reached.
fn identity(config: &Config) -> Vec<Check> {
    let home = match Folder::look(&config.agent.data).newest() {
        Ok(newest) => newest.home,
        Err(error) => {
            return vec![broken(
                IDENTITY,
                error,
                "用中心给出的令牌运行 edge-agent provision",
                "run `edge-agent provision` with a token from the hub",
            )];
        }
    };
    let who = format!("{}/{}", home.site, home.agent);
    let known = match config.agrees_with(&home) {
        Ok(()) => ok(IDENTITY, &who),
        Err(error) => broken(IDENTITY, error, "改正配置文件", "mend the configuration"),
    };
    let door = home.hub.trim_start_matches("https://").to_owned();
    let cure = ("检查中心是否运行、网络和防火墙", "check that the hub runs, the network and the firewall");
    vec![known, reach(HUB_MQTT, &home.mqtt, cure), reach(HUB_HTTP, &door, cure)]
}

fn disk(config: &Config) -> Check {
    let data = &config.agent.data;
    if let Err(error) = std::fs::create_dir_all(data).and_then(|()| probe_write(data)) {
        let error = format!("{}: {error}", data.display());
        return broken(DISK, error, "让盒子端能写入该目录", "make the folder writable for the agent");
    }
    let free = free_bytes(data);
    let reason = Text::new(
        format!("{} 可用 {} MiB", data.display(), free >> 20),
        format!("{}: {} MiB free", data.display(), free >> 20),
    );
    let cure = Text::new("清理磁盘或换更大的磁盘", "free space or use a larger disk");
    match free {
        free if free < DISK_BROKEN => check(DISK, State::Broken, reason, Some(cure)),
        free if free < DISK_WARN => check(DISK, State::Warning, reason, Some(cure)),
        _ => check(DISK, State::Ok, reason, None),
    }
}

fn probe_write(folder: &Path) -> std::io::Result<()> {
    let probe = folder.join(".doctor");
    std::fs::write(&probe, b"ok")?;
    std::fs::remove_file(&probe)
}

/// Bytes that this user may still write in the folder's file system.
#[allow(unsafe_code)]
fn free_bytes(folder: &Path) -> u64 {
    use std::os::unix::ffi::OsStrExt;
    let Ok(path) = std::ffi::CString::new(folder.as_os_str().as_bytes()) else { return 0 };
    let mut stat = std::mem::MaybeUninit::<libc::statvfs>::zeroed();
    // SAFETY: the kernel writes one statvfs and reads a terminated path; a zeroed statvfs is valid.
    let stat = unsafe {
        libc::statvfs(path.as_ptr(), stat.as_mut_ptr());
        stat.assume_init()
    };
    stat.f_bavail.saturating_mul(stat.f_frsize)
}

/// Whether a TCP connection to `host:port` can be made.
fn reach(subject: Subject, address: &str, cure: (&str, &str)) -> Check {
    let connected = address
        .to_socket_addrs()
        .and_then(|mut all| all.next().ok_or_else(|| std::io::Error::other("no such host")))
        .and_then(|to| TcpStream::connect_timeout(&to, CONNECT));
    match connected {
        Ok(_) => ok(subject, address),
        Err(error) => broken(subject, format!("{address}: {error}"), cure.0, cure.1),
    }
}

fn decoder(config: &Config) -> Vec<Check> {
    let profile = match &config.agent.hardware {
        Some(path) => Profile::load(path),
        None => Profile::builtin(),
    };
    let checked = profile.and_then(|profile| Ok(profile.check_elements().map(|()| profile)?));
    vec![match checked {
        Ok(profile) => ok(HARDWARE, &profile.name),
        Err(error) => broken(HARDWARE, error, "安装所列软件包", "install the package it names"),
    }]
}

fn models(config: &Config) -> Vec<Check> {
    let store = Store::locate(config.models.folder.clone(), None);
    let engine = match Engine::start(EngineConfig::new(&store, 1)) {
        Ok(engine) => engine,
        Err(error) => {
            return vec![broken(MODELS, error, "运行 make setup 准备模型", "prepare the models: make setup")];
        }
    };
    let mut names = vec![config.models.faces.clone()];
    let mut checks = Vec::new();
    for camera in &config.cameras {
        match Pipeline::load(config.pipeline_of(camera)) {
            Ok(pipeline) => names.push(pipeline.detector().card.clone()),
            Err(error) => {
                checks.push(broken(PIPELINE, error, "按提示改正方案文件", "mend the pipeline as it says"))
            }
        }
    }
    names.sort();
    names.dedup();
    for name in names {
        checks.push(match store.card(&name).and_then(|card| Model::open(&engine, &card)) {
            Ok(_) => ok(MODELS, &name),
            Err(error) => {
                broken(MODELS, error, "运行 make setup 重新准备模型", "prepare the models again: make setup")
            }
        });
    }
    checks
}

fn camera(camera: &crate::camera::CameraConfig) -> Check {
    let title = if camera.name.is_empty() { camera.id.as_str() } else { &camera.name };
    let mut result = match camera.credentials() {
        Err(error) => broken(CAMERA, error, "改正密码文件", "mend the password file"),
        Ok(_) => {
            let cure = ("检查摄像机的电源、网线和网址", "check the camera's power, its cable and the url");
            reach(CAMERA, &address(camera.url.as_str()), cure)
        }
    };
    result.title = Text::new(format!("摄像机 {title}"), format!("Camera {title}"));
    result
}

/// `host:port` of a checked RTSP address.
fn address(url: &str) -> String {
    let host = url.trim_start_matches("rtsp://").split(['/', '?', '#']).next().unwrap_or("");
    if host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
        host.to_owned()
    } else {
        format!("{host}:554")
    }
}
