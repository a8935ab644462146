//! The rules for a broker of the operator's own, written from the list of certificates.
//!
//! Owns what is in that folder. The broker reads it at its start and when it is told to (SIGHUP): only
//! then a revoked box is out there. What the embedded broker does besides (asking for clones, holding
//! floods back) no rules can do.

mod link;
pub mod mosquitto;

use std::collections::BTreeSet;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use protocol::enrol::Identity;
use settings::owner;

use crate::ca::{Ca, CaError};
use crate::store::{Store, StoreError};

/// The hub's user name at the broker: the common name of its certificate. No box's has no `/`.
pub const HUB_NAME: &str = "signalbox-hub";
/// What the hub hears and says, its self-test included.
const HUB_TOPICS: &str = "signalbox/#";

/// Why the rules could not be written.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    #[error("cannot {doing} {}: {source}; the folder must be writable for you", path.display())]
    File {
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{} has a character that cannot stand in mosquitto.conf: choose another folder", .0.display())]
    Folder(PathBuf),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Ca(#[from] CaError),
}

/// Writes everything that mosquitto needs into `folder`; how many boxes are let in. `hubs`: where it listens to hubs
/// besides.
pub async fn write_mosquitto(
    store: &Store,
    folder: &Path,
    listen: SocketAddr,
    hubs: Option<SocketAddr>,
    names: &BTreeSet<String>,
) -> Result<usize, RulesError> {
    let folder = owner::as_caller(|| {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(fail("make", folder))?;
        folder.canonicalize().map_err(fail("find", folder))
    })?;
    let shown = folder.to_str().filter(|f| !f.contains(char::is_control) && f.trim() == *f);
    let shown = shown.ok_or_else(|| RulesError::Folder(folder.clone()))?;
    let ca = Ca::open(store).await?;
    let valid = store.valid_certificates().await?;
    // Who is held stays out as well, until an operator has decided.
    let boxes: BTreeSet<_> = valid.into_iter().filter(|c| !c.held).map(|c| ByName(c.identity)).collect();
    let roots: String = ca.roots().await?.into_iter().map(|r| r.pem).collect();
    let (own, hub) = (ca.broker_certificate(names).await?, ca.client_certificate(HUB_NAME).await?);
    let files = [
        ("authority.pem", roots),
        ("revoked.pem", ca.revocation_list().await?),
        ("broker.key", own.key),
        ("broker.pem", own.chain),
        ("hub.key", hub.key),
        ("hub.pem", hub.chain),
        ("acl", mosquitto::acl(boxes.iter().map(|b| &b.0))),
        ("mosquitto.conf", mosquitto::conf(shown, listen, hubs)),
    ];
    owner::as_caller(|| files.iter().try_for_each(|(name, text)| put(&folder, name, text)))?;
    Ok(boxes.len())
}

#[derive(PartialEq, Eq)]
struct ByName(Identity);

impl Ord for ByName {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (&self.0.site, &self.0.agent).cmp(&(&other.0.site, &other.0.agent))
    }
}

impl PartialOrd for ByName {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// There whole or not at all, and for its owner alone.
fn put(folder: &Path, name: &str, text: &str) -> Result<(), RulesError> {
    let (next, path) = (folder.join(format!("{name}.part")), folder.join(name));
    let write = || {
        let _ = std::fs::remove_file(&next);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&next)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&next, &path)?;
        File::open(folder)?.sync_all()
    };
    write().map_err(fail("write", &path))
}

fn fail(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> RulesError + use<> {
    let path = path.to_owned();
    move |source| RulesError::File { doing, path, source }
}
