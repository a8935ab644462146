//! `redeemed`: by which token the box was let in, so that a second run can tell it from another one. Only its
//! SHA-256 is kept; by then it is worth nothing.

use ring::digest::{SHA256, digest};

use super::{Folder, IdentityError, failed, file};

const FILE: &str = "redeemed";

impl Folder {
    /// Before generation `number` is kept, so that a run that stops in between goes on.
    pub fn note_token(&self, number: u32, secret: &str) -> Result<(), IdentityError> {
        let path = self.path.join(FILE);
        let line = format!("{number:04} {}\n", hash(secret));
        file::write_whole(&path, line.as_bytes()).map_err(failed("writing", &path))
    }

    /// Whether that token let the box in; `None` where nobody knows.
    pub fn is_of_token(&self, secret: &str) -> Option<bool> {
        let bytes = file::read_whole(&self.path.join(FILE)).ok()??;
        let text = String::from_utf8(bytes).ok()?;
        let (number, known) = text.trim().split_once(' ')?;
        let newest = self.complete().last().copied()?;
        // A note for a generation that never came says nothing of those before it.
        (number.parse::<u32>().ok()? <= newest).then(|| known == hash(secret))
    }
}

fn hash(secret: &str) -> String {
    digest(&SHA256, secret.as_bytes()).as_ref().iter().map(|b| format!("{b:02x}")).collect()
}
