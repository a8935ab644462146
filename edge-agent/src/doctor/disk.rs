//! The data folder: writable, with room for alerts, and not filled by the spool.
#![allow(unsafe_code)]

use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::{Check, Patient, State, Subject, words};
use ::settings::Size;

use crate::wording::Text;

pub(super) const SUBJECT: Subject = Subject("disk", "磁盘", "Disk");
const SPOOL: Subject = Subject("spool", "待发缓存", "Spool");
const WARN_BYTES: u64 = 1 << 30;
const BROKEN_BYTES: u64 = 128 << 20;
/// More than a file system keeps beside the name.
const PROBE_BYTES: usize = 16 << 10;
/// Less takes no identity.
const LEAST_BYTES: u64 = 1 << 20;
const LEAST_INODES: u64 = 50;
/// Files that may still be made.
const WARN_INODES: u64 = 10_000;
const BROKEN_INODES: u64 = 500;

pub(super) fn checks(patient: &Patient) -> Vec<Check> {
    let data = &patient.config.agent.data;
    if data.exists() && !data.is_dir() {
        let shown = data.display();
        let reason =
            Text::new(format!("数据目录 {shown} 不是目录"), format!("the data folder {shown} is no folder"));
        let cure = Text::new(
            "把 [agent] data 改为一个目录，例如 /var/lib/signalbox-agent",
            "let [agent] data name a folder, for example /var/lib/signalbox-agent",
        );
        return vec![SUBJECT.broken(reason, cure)];
    }
    if !data.is_dir() {
        let cure = Text::new(
            "第一次启动时会自动建立；若不会，检查上级目录的权限",
            "the agent makes it when it first starts; if it does not, check the rights of the folder above",
        );
        let reason = Text::new(
            format!("数据目录 {} 还不存在", data.display()),
            format!("the data folder {} does not exist yet", data.display()),
        );
        return vec![SUBJECT.warning(reason, cure)];
    }
    let mut checks = vec![room(data)];
    let spool_folder = data.join("spool");
    let probed =
        std::iter::once(data.as_path()).chain(spool_folder.is_dir().then_some(spool_folder.as_path()));
    for folder in probed {
        if let Err(error) = probe_write(folder) {
            let why = words::io(&error);
            let reason = Text::new(
                format!("不能写入 {}：{}", folder.display(), why.zh),
                format!("cannot write into {}: {}", folder.display(), why.en),
            );
            let cure = match error.kind() {
                std::io::ErrorKind::PermissionDenied => words::rights(folder),
                _ => Text::new(
                    "若磁盘变为只读，查看 dmesg：磁盘可能损坏；否则清理空间",
                    "if the disk turned read-only, look at dmesg: it may be failing; else free space",
                ),
            };
            checks[0] = SUBJECT.broken(reason, cure);
        }
    }
    checks.push(spool(patient, &spool_folder));
    let cap = patient.config.spool.cap;
    checks.extend(statvfs(data).ok().filter(|room| cap.0 > room.size).map(|room| beyond(cap, room.size)));
    checks
}

/// The disk is full long before the spool is.
fn beyond(cap: Size, size: u64) -> Check {
    let size = Size((size >> 20) << 20);
    SPOOL.warning(
        Text::new(
            format!("[spool] cap = {cap}，比磁盘（{size}）还大：磁盘会先满"),
            format!("[spool] cap = {cap} is more than the disk has ({size}): the disk will be full first"),
        ),
        Text::new(
            "把 [spool] cap 改到磁盘的一半以下（图片另占同样多）",
            "set [spool] cap to less than half of the disk (stills take as much again)",
        ),
    )
}

/// Whether an identity and the first records have room at `data`; why not.
pub fn room_to_begin(data: &Path) -> Result<(), Text> {
    let full = |why: Text| {
        Text::new(format!("{}：{}", data.display(), why.zh), format!("{}: {}", data.display(), why.en))
    };
    let room = statvfs(data).map_err(|error| full(words::io(&error)))?;
    if room.bytes < LEAST_BYTES || room.inodes.is_some_and(|n| n < LEAST_INODES) {
        let kib = room.bytes >> 10;
        return Err(full(Text::new(
            format!("没有空间了（可用 {kib} KiB）"),
            format!("no space is left ({kib} KiB free)"),
        )));
    }
    probe_write(data).map_err(|error| full(words::io(&error)))
}

/// What the file system still takes.
struct Room {
    /// Of all of it.
    size: u64,
    bytes: u64,
    /// `None`: the file system has no fixed number of files.
    inodes: Option<u64>,
    read_only: bool,
}

fn room(data: &Path) -> Check {
    let cure = Text::new("清理磁盘或换更大的磁盘", "free space, or use a larger disk");
    match statvfs(data) {
        Ok(room) => {
            let (state, reason) = judge(&room, data);
            SUBJECT.check(state, reason, (state != State::Ok).then_some(cure))
        }
        Err(error) => {
            let why = words::io(&error);
            let reason = Text::new(
                format!("不能查看 {}：{}", data.display(), why.zh),
                format!("cannot look at {}: {}", data.display(), why.en),
            );
            SUBJECT.broken(reason, cure)
        }
    }
}

fn judge(room: &Room, data: &Path) -> (State, Text) {
    let data = data.display();
    if room.read_only {
        let reason = Text::new(
            format!("{data} 所在的文件系统是只读的"),
            format!("the file system of {data} is mounted read-only"),
        );
        return (State::Broken, reason);
    }
    let level = |value: u64, broken: u64, warn: u64| match value {
        v if v < broken => State::Broken,
        v if v < warn => State::Warning,
        _ => State::Ok,
    };
    let inodes = room.inodes.map_or(State::Ok, |n| level(n, BROKEN_INODES, WARN_INODES));
    if inodes != State::Ok {
        let left = room.inodes.unwrap_or(0);
        let reason = Text::new(
            format!("{data} 只能再建 {left} 个文件"),
            format!("{data} takes only {left} more files"),
        );
        return (inodes, reason);
    }
    let reason = Text::new(
        format!("{data} 可用 {} MiB", room.bytes >> 20),
        format!("{data}: {} MiB free", room.bytes >> 20),
    );
    (level(room.bytes, BROKEN_BYTES, WARN_BYTES), reason)
}

fn spool(patient: &Patient, folder: &Path) -> Check {
    let cap = patient.config.spool.cap.0.max(1);
    let (bytes, waiting, given_up, durable) = match &patient.report {
        Some(report) => {
            let s = report.spool;
            (s.bytes, Some(s.open_records), s.given_up.iter().sum::<u64>() + s.stills_given_up, s.durable)
        }
        None => (folder_bytes(&folder.join("segments")), None, 0, true),
    };
    let share = bytes.saturating_mul(100) / cap;
    let waiting = waiting.map_or_else(
        || Text::new("", ""),
        |n| Text::new(format!("，{n} 条待发"), format!(", {n} records wait for the hub")),
    );
    let reason = Text::new(
        format!("用了上限的 {share}%{}", waiting.zh),
        format!("{share} % of its limit in use{}", waiting.en),
    );
    if !durable {
        return SPOOL.broken(
            Text::new(
                "告警只保存在内存里，断电会丢失",
                "alerts are kept in memory only: a power cut loses them",
            ),
            Text::new("让数据目录可写并腾出空间", "make the data folder writable and free space"),
        );
    }
    if given_up > 0 {
        return SPOOL.warning(
            Text::new(
                format!("缓存满，启动以来已放弃 {given_up} 条记录或图片"),
                format!("it is full: {given_up} records or stills were given up since the start"),
            ),
            Text::new(
                "恢复与中心的连接，或加大 [spool] cap",
                "restore the link to the hub, or raise [spool] cap",
            ),
        );
    }
    if share >= 90 {
        let cure = Text::new(
            "恢复与中心的连接，或加大 [spool] cap",
            "restore the link to the hub, or raise [spool] cap",
        );
        return SPOOL.warning(reason, cure);
    }
    SPOOL.ok(reason.zh, reason.en)
}

fn folder_bytes(folder: &Path) -> u64 {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    files.filter_map(|f| f.metadata().ok()).filter(std::fs::Metadata::is_file).map(|m| m.len()).sum()
}

/// Writes, syncs and removes a file of a name that nobody else uses.
fn probe_write(folder: &Path) -> std::io::Result<()> {
    let path: PathBuf = folder.join(format!(".doctor-{}", std::process::id()));
    let written = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .and_then(|mut file| file.write_all(&[0; PROBE_BYTES]).and_then(|()| file.sync_data()));
    let removed = std::fs::remove_file(&path);
    written.and(removed)
}

fn statvfs(folder: &Path) -> std::io::Result<Room> {
    let path = std::ffi::CString::new(folder.as_os_str().as_bytes())?;
    let mut stat = std::mem::MaybeUninit::<libc::statvfs>::zeroed();
    // SAFETY: the kernel writes one statvfs and reads a terminated path; a zeroed statvfs is valid.
    let (answer, stat) = unsafe { (libc::statvfs(path.as_ptr(), stat.as_mut_ptr()), stat.assume_init()) };
    if answer != 0 {
        return Err(std::io::Error::last_os_error());
    }
    Ok(Room {
        size: stat.f_blocks.saturating_mul(stat.f_frsize),
        bytes: stat.f_bavail.saturating_mul(stat.f_frsize),
        inodes: (stat.f_files > 0).then_some(stat.f_favail),
        read_only: stat.f_flag & libc::ST_RDONLY != 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_judged_by_bytes_files_and_the_mount() {
        let state = |bytes, inodes, read_only| {
            judge(&Room { size: u64::MAX, bytes, inodes, read_only }, Path::new("/data")).0
        };
        assert_eq!(state(2 << 30, Some(100_000), false), State::Ok);
        assert_eq!(state(2 << 30, None, false), State::Ok);
        assert_eq!(state(512 << 20, None, false), State::Warning);
        assert_eq!(state(1 << 20, None, false), State::Broken);
        assert_eq!(state(2 << 30, Some(600), false), State::Warning);
        assert_eq!(state(2 << 30, Some(3), false), State::Broken);
        assert_eq!(state(2 << 30, None, true), State::Broken);
    }

    #[test]
    fn a_spool_larger_than_the_disk_is_told() {
        let check = beyond(Size(4 << 30), (1 << 30) + 7);
        assert!(check.reason.en.contains("4GiB") && check.reason.zh.contains("1GiB"), "{check:?}");
    }

    #[test]
    fn whether_there_is_room_to_begin_is_tried() {
        let folder = tempfile::tempdir().unwrap();
        room_to_begin(folder.path()).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        // A file system that takes nothing.
        let why = room_to_begin(Path::new("/proc")).unwrap_err();
        assert!(why.zh.starts_with("/proc：") && why.en.starts_with("/proc: "), "{why:?}");
    }

    #[test]
    fn a_probe_leaves_nothing_behind_and_finds_no_place_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        probe_write(folder.path()).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(probe_write(&folder.path().join("nowhere")).is_err());
    }
}
