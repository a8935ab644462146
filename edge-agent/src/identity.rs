//! Who this box is at the hub: its key, its certificate, the authorities that it believes.
//!
//! Owns the folder `DATA/identity` and everything that is decided from it: what is shown at the hub's
//! doors ([`Pass`]), by what the hub is recognised, when and how the certificate is replaced. What
//! travels over HTTPS is `hub`'s, over MQTT `uplink`'s. The reasons are in
//! `docs/adr/0006-who-is-who.md`.

mod clock;
mod file;
mod folder;
mod keeper;
mod key;
mod pass;
mod recognise;
mod renewal;
mod seal;
#[cfg(test)]
pub mod testing;
mod tls;

pub use clock::{HubClock, build_day, http_date, now_seconds};
pub use folder::{Believed, Folder, Generation, Home, IdentityError};
pub use keeper::{Keeper, KeeperTask, Nudge, Round};
pub use key::{Key, KeyError};
pub use pass::Pass;
pub use recognise::{HUB_NAME, Recognition, Stranger, in_words};
pub use renewal::{Renewal, Step, Trouble, next_step};
pub use seal::{Sealing, is_root};
pub use tls::first_contact;

use std::path::{Path, PathBuf};

/// Where the identity is kept below a box's data folder.
pub fn folder_in(data: &Path) -> PathBuf {
    data.join("identity")
}
