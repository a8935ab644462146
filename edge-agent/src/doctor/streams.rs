//! Each camera: as the running agent sees it, else by one session with one try of its password.

use std::time::Duration;

use protocol::{CameraState, CameraStatus};

use super::{Check, Patient, Subject};
use crate::camera::CameraConfig;
use crate::hardware::Profile;
use crate::probe;
use crate::service::by_hand::Act;
use crate::wording::Text;

pub(super) const SUBJECT: Subject = Subject("camera", "摄像机", "Camera");

pub(super) fn check(patient: &Patient, number: usize) -> Check {
    let Some(camera) = patient.config.cameras.get(number) else {
        return SUBJECT.broken(Text::new("没有这台摄像机", "no such camera"), Text::new("", ""));
    };
    let known = patient
        .report
        .as_ref()
        .and_then(|report| report.status.cameras.as_ref()?.iter().find(|c| c.camera == camera.id).cloned());
    let mut check = match known {
        Some(status) => of_status(&status, camera),
        None if patient.report.is_some() => SUBJECT.warning(
            Text::new("正在运行的服务还不认识它", "the running service does not know it yet"),
            Act::Restart.here(),
        ),
        None => of_session(camera, patient),
    };
    let name = if camera.name.is_empty() { camera.id.as_str() } else { &camera.name };
    check.title = Text::new(format!("摄像机 {name}"), format!("Camera {name}"));
    check
}

fn power() -> Text {
    Text::new("检查摄像机的电源、网线和网址", "check the camera's power, its cable and the url")
}

fn password(camera: &CameraConfig) -> Text {
    if let Some(file) = &camera.password_file {
        let no_file = file.exists() && !file.is_file();
        let file = file.display();
        if no_file {
            return Text::new(
                format!("{file} 不是文件：让 password_file 指向一个只有属主可读、第一行是密码的文件"),
                format!(
                    "{file} is no file: let password_file name one with the password in its first line, which only its owner can read"
                ),
            );
        }
        return Text::new(
            format!("在摄像机上核对用户和密码，然后把密码写入 {file}（权限 600）"),
            format!("check user and password at the camera, then write the password into {file} (mode 600)"),
        );
    }
    let camera = &camera.id;
    Text::new(
        format!("在摄像机上核对用户和密码，然后运行：sudo edge-agent camera password {camera}"),
        format!("check user and password at the camera, then run: sudo edge-agent camera password {camera}"),
    )
}

/// What the running agent knows of it.
fn of_status(status: &CameraStatus, camera: &CameraConfig) -> Check {
    let english = |text: &str| match &status.reason {
        Some(reason) => format!("{text}: {reason}"),
        None => text.to_owned(),
    };
    let broken = |zh: &str, en: &str, cure| SUBJECT.broken(Text::new(zh, english(en)), cure);
    match status.state {
        CameraState::Live => {
            let size = match (status.width, status.height) {
                (Some(width), Some(height)) => format!("{width} x {height}"),
                _ => String::new(),
            };
            SUBJECT.ok(format!("有画面 {size}"), format!("pictures come {size}"))
        }
        CameraState::Connecting => SUBJECT.warning(
            Text::new("正在连接", "connecting"),
            Text::new("过半分钟再运行一次", "run this again in half a minute"),
        ),
        CameraState::Stalled => broken(
            "已连接，但没有画面",
            "connected, but no picture comes",
            Text::new(
                "检查摄像机的码流设置，或重启摄像机",
                "check the camera's stream settings, or restart it",
            ),
        ),
        CameraState::Offline => broken("连不上", "cannot be reached", power()),
        CameraState::Credentials => broken("用户名或密码错误", "wrong user or password", password(camera)),
        CameraState::Unsupported => broken(
            "码流不能使用",
            "its stream cannot be used",
            Text::new("在摄像机上把编码改为 H.264", "set the camera's encoding to H.264"),
        ),
        CameraState::Unknown => broken("状态不明", "in an unknown state", power()),
    }
}

fn of_session(camera: &CameraConfig, patient: &Patient) -> Check {
    let credentials = match camera.credentials() {
        Ok(credentials) => credentials,
        Err(error) => {
            let reason = Text::new("保存的密码不能使用", settings::in_one_line(&error));
            return SUBJECT.broken(reason, password(camera));
        }
    };
    let profile = patient.config.agent.hardware.as_deref().map_or_else(Profile::builtin, Profile::load);
    let profile = match profile.or_else(|_| Profile::builtin()) {
        Ok(profile) => profile,
        Err(error) => {
            return SUBJECT.broken(Text::new("硬件配置不能使用", error.to_string()), power());
        }
    };
    match probe::measure(camera, credentials.as_ref(), &profile, Duration::ZERO) {
        Ok(measured) => {
            let f = measured.figures;
            let what = format!("{} x {}, {}", f.width, f.height, f.codec);
            SUBJECT.ok(format!("有画面：{what}"), format!("pictures come: {what}"))
        }
        Err(error @ probe::ProbeError::Refused) => {
            let mut reason = error.text();
            reason.zh = format!("用户名或密码错误：{}", reason.zh);
            reason.en = format!("wrong user or password: {}", reason.en);
            SUBJECT.broken(reason, password(camera))
        }
        Err(error) => SUBJECT.broken(error.text(), power()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn a_wrong_password_is_told_as_such_in_both_languages() {
        let mut status = CameraStatus {
            camera: "gate".parse().unwrap(),
            name: None,
            state: CameraState::Credentials,
            since: crate::alerts::now(),
            reason: Some("401".into()),
            width: None,
            height: None,
        };
        let text = "id = \"gate\"\nurl = \"rtsp://192.0.2.1/s\"\n";
        let mut camera: CameraConfig = settings::parse(text, std::path::Path::new("gate.toml")).unwrap();
        let check = of_status(&status, &camera);
        assert_eq!(check.reason, Text::new("用户名或密码错误", "wrong user or password: 401"));
        assert!(check.cure.unwrap().zh.contains("camera password gate"));
        // Where the password is in a file of its own, the sealed one is not asked for.
        camera.password_file = Some("gate.password".into());
        assert!(of_status(&status, &camera).cure.unwrap().en.contains("into gate.password (mode 600)"));
        // Nobody is told to close a folder that others need.
        camera.password_file = Some(std::env::temp_dir());
        let cure = of_status(&status, &camera).cure.unwrap();
        assert!(cure.en.contains("is no file") && !cure.en.contains("600"), "{cure:?}");
        status.state = CameraState::Live;
        assert_eq!(of_status(&status, &camera).state, State::Ok);
    }
}
