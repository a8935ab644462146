//! `camera list`: the cameras of this box, and whether they can be reached. No session is begun.

use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use serde_json::{Value, json};

use super::{Common, print};
use crate::camera::CameraConfig;
use crate::onvif::address;
use crate::wording::{Language, table};

const CONNECT: Duration = Duration::from_secs(2);
/// Cameras that are tried at a time.
const AT_ONCE: usize = 16;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    common: Common,
}

pub(super) fn execute(args: Args) -> anyhow::Result<()> {
    let language = args.common.language();
    let config = args.common.read()?;
    let mut reachable = Vec::new();
    for some in config.cameras.chunks(AT_ONCE) {
        reachable.extend(std::thread::scope(|scope| {
            let tries: Vec<_> = some.iter().map(|camera| scope.spawn(|| is_reachable(camera))).collect();
            tries.into_iter().map(|t| t.join().unwrap_or(false)).collect::<Vec<bool>>()
        }));
    }
    let cameras: Vec<_> = config.cameras.iter().zip(reachable).collect();
    if args.common.json {
        let all: Vec<Value> = cameras
            .iter()
            .map(|(camera, reachable)| {
                let mut value = shown(camera);
                value["reachable"] = json!(reachable);
                value
            })
            .collect();
        print(&format!("{}\n", json!({ "cameras": all })));
        return Ok(());
    }
    let heads = match language {
        Language::Zh => ["编号", "名称", "状态", "网址", "用户", "密码", "规则", "来源"],
        Language::En => ["ID", "NAME", "STATE", "URL", "USER", "PASSWORD", "RULES", "FROM"],
    };
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    rows.extend(cameras.iter().map(|(camera, reachable)| row(camera, *reachable, language)));
    print(&table(&rows));
    Ok(())
}

fn row(camera: &CameraConfig, reachable: bool, language: Language) -> Vec<String> {
    let state = match reachable {
        true => language.pick("可连接", "reachable"),
        false => language.pick("连不上", "unreachable"),
    };
    let password = match password(camera) {
        "sealed" => language.pick("已加密", "sealed"),
        "file" => language.pick("文件", "file"),
        _ => language.pick("无", "none"),
    };
    let from = match &camera.file {
        Some(file) => file.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        None => "[[camera]]".to_owned(),
    };
    vec![
        camera.id.to_string(),
        camera.name.clone(),
        state.to_owned(),
        camera.url.as_str().to_owned(),
        camera.user.clone(),
        password.to_owned(),
        (camera.lines.len() + camera.zones.len()).to_string(),
        from,
    ]
}

/// A camera as programs read it, without secrets.
pub(super) fn shown(camera: &CameraConfig) -> Value {
    json!({
        "id": camera.id, "name": camera.name, "url": camera.url.as_str(), "user": camera.user,
        "password": password(camera), "analyse_fps": camera.analyse_fps, "locked": camera.locked,
        "lines": camera.lines.iter().map(|l| l.name.as_str()).collect::<Vec<_>>(),
        "zones": camera.zones.iter().map(|z| z.name.as_str()).collect::<Vec<_>>(),
        "file": camera.file,
    })
}

fn password(camera: &CameraConfig) -> &'static str {
    match (&camera.password_file, &camera.secrets) {
        (Some(_), _) => "file",
        (None, Some(secrets)) if secrets.has(&camera.id) => "sealed",
        _ => "none",
    }
}

fn is_reachable(camera: &CameraConfig) -> bool {
    let url = camera.url.as_str();
    let Some(host) = address::host_of(url) else { return false };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = address::port_of(url).unwrap_or(554);
    let Ok(mut all) = (host, port).to_socket_addrs() else { return false };
    all.next().is_some_and(|to| TcpStream::connect_timeout(&to, CONNECT).is_ok())
}
