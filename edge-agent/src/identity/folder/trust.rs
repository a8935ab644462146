//! `trust.json`: which authorities the box believes, and how new a certificate its hub has shown.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};

use super::{Folder, IdentityError, failed, file};

/// More authorities than this at once are never named by a hub in its right mind.
const MOST_ROOTS: usize = 8;
const FILE: &str = "trust.json";

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Believed {
    /// PEM.
    pub roots: Vec<String>,
    /// When the newest certificate that the hub has shown was issued, seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_hub_certificate: Option<i64>,
}

impl Believed {
    /// The authorities in DER; what cannot be read is left out.
    pub fn ders(&self) -> Vec<CertificateDer<'static>> {
        self.roots.iter().filter_map(|pem| CertificateDer::from_pem_slice(pem.as_bytes()).ok()).collect()
    }
}

impl Folder {
    /// What is believed. A damaged file is put aside: the generations know their authorities too.
    pub fn believed(&self) -> Result<Believed, IdentityError> {
        let path = self.path.join(FILE);
        let bytes = file::read_whole(&path).map_err(failed("reading", &path))?;
        match bytes.as_deref().map(serde_json::from_slice::<Believed>) {
            Some(Ok(believed)) if !believed.ders().is_empty() => return Ok(believed),
            None => {}
            Some(read) => {
                let error = read.err().map_or_else(|| "no authority in it".to_owned(), |e| e.to_string());
                tracing::error!(error, path = %path.display(), "damaged; the authorities named with the certificate count");
                let aside = self.path.join("trust.json.damaged");
                std::fs::rename(&path, aside).map_err(failed("renaming", &path))?;
            }
        }
        let mut believed = Believed::default();
        for generation in self.complete().into_iter().filter_map(|n| self.read(n).ok()) {
            believed.roots.extend(generation.home.roots);
        }
        believed.roots.dedup();
        Ok(believed)
    }

    /// From now on exactly these authorities. A list without any readable one is not taken.
    pub fn believe(&self, roots: &[String]) -> Result<(), IdentityError> {
        let before = self.believed()?;
        let believed = Believed { roots: roots.iter().take(MOST_ROOTS).cloned().collect(), ..before.clone() };
        if believed.ders().is_empty() {
            return Err(IdentityError::Answer("it names no authority that can be read".into()));
        }
        if believed == before {
            return Ok(());
        }
        self.write_believed(&believed)
    }

    /// Notes when the newest certificate of the hub was issued; never goes back.
    pub fn note_hub_certificate(&self, issued: i64) -> Result<(), IdentityError> {
        let mut believed = self.believed()?;
        if believed.newest_hub_certificate.is_some_and(|newest| newest >= issued) {
            return Ok(());
        }
        believed.newest_hub_certificate = Some(issued);
        self.write_believed(&believed)
    }

    /// Another hub starts anew: what the one before has shown says nothing about it.
    pub fn forget_hub(&self) -> Result<(), IdentityError> {
        let mut believed = self.believed()?;
        believed.newest_hub_certificate = None;
        self.write_believed(&believed)
    }

    fn write_believed(&self, believed: &Believed) -> Result<(), IdentityError> {
        let path = self.path.join(FILE);
        let bytes = serde_json::to_vec_pretty(believed).map_err(|e| IdentityError::Answer(e.to_string()))?;
        file::write_whole(&path, &bytes).map_err(failed("writing", &path))
    }
}
