//! What is wrong with a settings file or a command line, in Chinese. Names, paths and values stay as they are, and
//! what is said by nobody here is quoted.

use clap::error::ErrorKind;

use crate::Error;

/// Where a settings file is wrong, and what is.
pub fn of_error(error: &Error) -> String {
    match error {
        Error::Read { path, source } => format!("不能读取 {}：{}", path.display(), of_io(source)),
        Error::Invalid { path, line, column, message } => {
            format!("{} 第 {line} 行第 {column} 列：{}", path.display(), of_message(message))
        }
    }
}

/// An error of the operating system.
pub fn of_io(error: &std::io::Error) -> String {
    use std::io::ErrorKind as Kind;
    let known = match error.kind() {
        Kind::NotFound => "不存在",
        Kind::PermissionDenied => "没有权限",
        Kind::ReadOnlyFilesystem => "文件系统是只读的",
        Kind::StorageFull | Kind::QuotaExceeded => "没有空间了",
        Kind::ConnectionRefused => "对方拒绝连接（没有程序在该端口监听）",
        Kind::TimedOut | Kind::WouldBlock => "超时没有应答",
        Kind::HostUnreachable | Kind::NetworkUnreachable => "网络不可达",
        Kind::InvalidInput => "不是普通文件（是管道、设备或目录）：请改指一个普通文件",
        Kind::InvalidData => "不是 UTF-8 文本：请用编辑器另存为 UTF-8 编码",
        Kind::IsADirectory => "是目录，不是文件",
        Kind::NotADirectory => "路径中有一段是文件，不是目录",
        Kind::AlreadyExists => "已经存在，而且不是目录",
        Kind::AddrInUse => "地址或端口已被占用",
        Kind::ConnectionReset | Kind::ConnectionAborted | Kind::UnexpectedEof => "连接被对方中断",
        _ => return format!("系统错误（{}）", error.raw_os_error().unwrap_or(0)),
    };
    known.to_owned()
}

/// What is wrong with the words after a program's name; what exactly, the message itself says.
pub fn of_arguments(error: &clap::Error) -> &'static str {
    match error.kind() {
        ErrorKind::UnknownArgument => "命令行中有不认识的参数（--help 列出可用的参数）：",
        ErrorKind::InvalidSubcommand => "没有这个命令（--help 列出可用的命令）：",
        ErrorKind::MissingRequiredArgument => "命令行缺少必需的参数：",
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            "请写明要执行的命令："
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => "命令行中有一个参数的值不对：",
        ErrorKind::ArgumentConflict => "命令行中有不能同时使用的参数：",
        ErrorKind::TooFewValues | ErrorKind::NoEquals | ErrorKind::WrongNumberOfValues => {
            "命令行中有一个参数缺少值："
        }
        ErrorKind::TooManyValues => "命令行中有多余的值：",
        _ => "命令行写得不对：",
    }
}

/// A message of the reader of TOML files, as [`crate::parse`] gives it.
fn of_message(message: &str) -> String {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let nearest = match message.rsplit_once("did you mean `") {
        Some((_, name)) => format!("；是不是 `{}`？", name.trim_end_matches("`?")),
        None if quoted.len() > 1 => format!("；可以写：{}", quoted[1..].join("、")),
        None => String::new(),
    };
    let first = quoted.first().copied().unwrap_or_default();
    let is = |beginning: &str| message.starts_with(beginning);
    match () {
        () if is("unknown field `") => format!("没有名为 `{first}` 的设置{nearest}"),
        () if is("unknown variant `") => format!("`{first}` 不是可用的值{nearest}"),
        () if is("missing field `") => format!("缺少设置 `{first}`"),
        () if is("duplicate key") => "同一个设置写了两次".to_owned(),
        () if is("invalid type: ") => format!("值的类型不对（{message}）"),
        () if is("invalid value: ") => format!("值不对（{message}）"),
        () => format!("写法有误（{message}）"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::{Arg, Command};
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Listen {
        host: String,
        port: u16,
        kind: Option<Kind>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        Fast,
        Slow,
    }

    #[test]
    fn what_is_wrong_in_a_file_is_said_with_its_place() {
        for (text, said) in [
            ("host = \"a\"\nprot = 1\n", "hub.toml 第 2 行第 1 列：没有名为 `prot` 的设置；是不是 `port`？"),
            ("host = \"a\"\nzzzzzzzzzzzz = 1\n", "可以写：host、port、kind"),
            ("host = \"a\"\n", "缺少设置 `port`"),
            ("host = \"a\"\nport = 1\nkind = \"fats\"\n", "`fats` 不是可用的值；是不是 `fast`？"),
            ("host = 1\nport = 1\n", "值的类型不对"),
            ("host = \"a\"\nhost = \"b\"\n", "写了两次"),
            ("host = \n", "写法有误"),
        ] {
            let found = of_error(&crate::parse::<Listen>(text, Path::new("hub.toml")).unwrap_err());
            assert!(found.contains(said), "{text}: {found}");
        }
    }

    #[test]
    fn a_file_in_another_encoding_is_told_as_such() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hub.toml");
        std::fs::write(&path, b"\xff\xfeh\0o\0s\0t\0").unwrap();
        let error = crate::load::<Listen>(&path).unwrap_err();
        assert!(of_error(&error).contains("另存为 UTF-8"), "{error}");
        assert!(crate::in_one_line(&error).contains("UTF-16"), "{error:?}");
        std::fs::write(&path, b"host = \"\xb6\xab\"\n").unwrap();
        let error = crate::load::<Listen>(&path).unwrap_err();
        assert!(crate::in_one_line(&error).contains("save it as UTF-8"), "{error:?}");
        std::fs::write(&path, "\u{feff}host = \"东\"\nport = 1\n").unwrap();
        assert_eq!(crate::load::<Listen>(&path).unwrap().host, "东");
    }

    #[test]
    fn a_wrong_command_line_has_a_head_line() {
        let program = Command::new("x").arg(Arg::new("port").long("port").value_parser(["1", "2"]));
        for (line, said) in [("x --prot", "不认识"), ("x --port 3", "值不对"), ("x more", "不认识")]
        {
            let error = program.clone().try_get_matches_from(line.split(' ')).unwrap_err();
            assert!(of_arguments(&error).contains(said), "{line}: {error}");
        }
    }
}
