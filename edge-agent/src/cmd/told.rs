//! How a command that failed ends: what is wrong and what to do, in the language of whoever reads. What has no
//! Chinese of its own is quoted after a Chinese head.

use std::io::ErrorKind;

use crate::doctor;
use crate::wording::Language;

/// The lines to print.
pub fn told(error: &anyhow::Error, language: Language) -> Vec<String> {
    let whole = settings::in_one_line(error.as_ref());
    let explained = doctor::explain(error);
    let cure = explained.as_ref().and_then(|(_, cure)| cure.as_ref());
    let cure = cure.map(|cure| cure.of(language).to_owned());
    let mut lines = match (language, explained) {
        (Language::Zh, Some((reason, _))) if !is_chinese(&whole) => {
            vec![reason, format!("英文原文：{whole}")]
        }
        (Language::Zh, None) if !is_chinese(&whole) => vec![format!("命令没有完成，英文原文：{whole}")],
        _ => vec![whole],
    };
    lines.extend(cure);
    if lacks_rights(error) {
        lines.push(language.pick("请加 sudo 再运行", "run it again with sudo").to_owned());
    }
    lines
}

fn is_chinese(text: &str) -> bool {
    text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
}

/// Whether a file was closed to this user. Root's commands work as the service's user: for them it is no cure.
fn lacks_rights(error: &anyhow::Error) -> bool {
    let denied = |cause: &(dyn std::error::Error + 'static)| {
        let io = cause.downcast_ref::<std::io::Error>();
        io.is_some_and(|e| e.kind() == ErrorKind::PermissionDenied)
    };
    !crate::identity::is_root() && !settings::owner::is_for_root() && error.chain().any(denied)
}

/// A wrong command line: a Chinese head line, then what the reader of command lines says.
pub fn misused(error: &clap::Error, language: Language) -> Option<&'static str> {
    (error.use_stderr() && language == Language::Zh).then(|| settings::chinese::of_arguments(error))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::config::Config;
    use crate::control::DoorError;
    use crate::desired::keeper::Stranded;
    use crate::identity::IdentityError;
    use crate::run::Unready;
    use crate::spool::SpoolError;

    fn settings(text: &str) -> anyhow::Error {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("edge-agent.toml");
        std::fs::write(&path, text).unwrap();
        Config::load(&path).unwrap_err().into()
    }

    #[test]
    fn whatever_run_can_end_with_is_said_in_chinese_first() {
        let path = PathBuf::from("/data");
        let camera = "[agent]\npipeline = \"p\"\n[[camera]]\nid = \"gate\"\nurl = \"rtsp://192.0.2.1/s\"\n";
        let io = || std::io::Error::from(ErrorKind::StorageFull);
        let errors = [
            Config::load("/nowhere/edge-agent.toml".as_ref()).unwrap_err().into(),
            settings("[agnt]\n"),
            settings(""),
            settings("[stills]\nquality = 0\n"),
            settings("[desired]\ntrial = \"0s\"\n"),
            settings(&format!("{camera}[[camera]]\nid = \"gate\"\nurl = \"rtsp://192.0.2.1/t\"\n")),
            settings(&format!("{camera}analyse_fps = 5000.0\n")),
            settings(&camera.replace("pipeline", "hardware")),
            settings(&camera.replace("rtsp://", "rtsp://guard:secret@")),
            settings(&camera.replace("[agent]", "[agent]\ncamera_networks = [\"10.0.0.0/8\"]")),
            IdentityError::None { path: path.clone() }.into(),
            IdentityError::Busy { path: path.clone() }.into(),
            IdentityError::Damaged { path: path.clone(), what: "cut".into() }.into(),
            IdentityError::File { doing: "making", path: path.clone(), source: io() }.into(),
            DoorError::Taken { data: path.clone() }.into(),
            SpoolError::InUse { folder: path.clone() }.into(),
            Unready("no model".into()).into(),
            ::settings::SecretError::Open { path: path.clone(), mode: 0o644 }.into(),
            crate::discover::DiscoverError::from(crate::discover::NetworkError::Large { asked: 1 << 24 })
                .into(),
            Stranded::test("thread").into(),
            anyhow::Error::from(io()).context("agent.data: cannot make the folder"),
        ];
        for error in errors {
            let error: anyhow::Error = error;
            let zh = told(&error, Language::Zh);
            assert!(is_chinese(&zh[0]) && !zh[0].starts_with("命令没有完成"), "{zh:?}");
            let en = told(&error, Language::En);
            assert!(!en.iter().any(|line| is_chinese(line)), "{en:?}");
        }
    }

    #[test]
    fn a_password_in_the_url_is_told_in_chinese_alone() {
        let camera = "[[camera]]\nid = \"gate\"\nurl = \"rtsp://guard:secret@192.0.2.1/s\"\n";
        let zh = told(&settings(camera), Language::Zh);
        assert!(zh[0].contains("去掉用户名和密码") && !zh[0].contains("take user"), "{zh:?}");
    }

    #[test]
    fn what_is_missing_was_not_forbidden() {
        let error = |kind| anyhow::Error::from(std::io::Error::from(kind)).context("cannot make x");
        assert!(!told(&error(ErrorKind::NotFound), Language::Zh)[0].contains("不允许"));
        assert!(told(&error(ErrorKind::PermissionDenied), Language::Zh)[0].contains("不允许"));
    }

    #[test]
    fn what_is_chinese_already_is_not_said_twice() {
        let error = anyhow::anyhow!("没有编号为 x 的摄像机");
        assert_eq!(told(&error, Language::Zh), ["没有编号为 x 的摄像机"]);
        let foreign = told(&anyhow::anyhow!("at most 8 ports"), Language::Zh);
        assert!(foreign[0].contains("英文原文：at most 8 ports"), "{foreign:?}");
    }
}
