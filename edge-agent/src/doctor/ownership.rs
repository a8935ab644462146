//! Whose the service's files are: what somebody else left in its folders, the service cannot read or replace.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{Check, Patient, Subject};
use crate::config::cameras;
use crate::wording::Text;

pub(super) const SUBJECT: Subject = Subject("ownership", "文件归属", "Ownership of files");
/// Entries that are looked at; a spool has far fewer files.
const MOST: usize = 10_000;

/// Nothing where all is well.
pub(super) fn check(patient: &Patient) -> Option<Check> {
    let data = &patient.config.agent.data;
    let owner = std::fs::metadata(data).ok()?.uid();
    let base = patient.config.file.parent().unwrap_or(Path::new(""));
    let stranger = stranger(&[data.clone(), base.join(cameras::FOLDER)], owner)?;
    let (stranger, data) = (stranger.display(), data.display());
    let reason = Text::new(
        format!("{stranger} 属于另一个用户，服务无法使用它"),
        format!("{stranger} belongs to another user: the service cannot work with it"),
    );
    let cure = format!("chown -R --reference={data} {stranger}");
    Some(SUBJECT.broken(
        reason,
        Text::new(
            format!("把它交还给服务的用户：{cure}"),
            format!("give it back to the service's user: {cure}"),
        ),
    ))
}

/// The first that somebody else owns; links are not followed.
fn stranger(folders: &[PathBuf], owner: u32) -> Option<PathBuf> {
    let mut open: Vec<PathBuf> = folders.to_vec();
    let mut looked = 0;
    while let Some(path) = open.pop() {
        looked += 1;
        let Ok(found) = std::fs::symlink_metadata(&path) else { continue };
        if found.uid() != owner {
            return Some(path);
        }
        if found.is_dir() && looked < MOST {
            let inside = std::fs::read_dir(&path).into_iter().flatten().flatten();
            open.extend(inside.map(|entry| entry.path()).take(MOST));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_root_left_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let own = std::fs::metadata(folder.path()).unwrap().uid();
        let left = folder.path().join("secrets/gate.sealed");
        std::fs::create_dir(left.parent().unwrap()).unwrap();
        std::fs::write(&left, "").unwrap();
        let folders = [folder.path().to_owned(), folder.path().join("none")];
        assert_eq!(stranger(&folders, own), None);
        if !crate::identity::is_root() {
            return println!("skipped: needs root to give a file away");
        }
        std::os::unix::fs::chown(&left, Some(own + 1), None).unwrap();
        assert_eq!(stranger(&folders, own), Some(left));
    }
}
