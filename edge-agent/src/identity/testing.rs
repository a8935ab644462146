//! For tests: an authority that enrols boxes and makes a hub's certificate, without a hub.

use std::path::Path;
use std::sync::Arc;

use protocol::Timestamp;
use protocol::enrol::{Enrolment, Trust};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, CertifiedIssuer, DnType, IsCa,
    KeyPair,
};

use super::{Folder, HUB_NAME, Pass};

pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        // A name of its own: where subject and issuer are called the same, OpenSSL takes a certificate for its own root.
        params.distinguished_name.push(DnType::CommonName, "Test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// What a hub answers to the waiting key.
    pub fn answer(&self, folder: &Folder, number: u32, mqtt: &str) -> Enrolment {
        let csr = folder.read_key(number).unwrap().signing_request().unwrap();
        let certificate =
            CertificateSigningRequestParams::from_pem(&csr).unwrap().signed_by(&self.0).unwrap();
        Enrolment {
            v: 1,
            site: "town".parse().unwrap(),
            agent: "box".parse().unwrap(),
            name: Some("市场".into()),
            certificate: certificate.pem(),
            not_before: Timestamp::from_unix_ms(0),
            not_after: Timestamp::from_unix_ms(1),
            mqtt: mqtt.into(),
            trust: Trust { v: 1, roots: vec![self.pem()], renew: false },
        }
    }

    /// One more generation.
    pub fn enrol(&self, folder: &Folder, hub: &str, mqtt: &str) -> u32 {
        let (number, _) = folder.make_key().unwrap();
        folder.keep(number, &self.answer(folder, number, mqtt), hub, true).unwrap();
        number
    }

    /// A box that knows a hub at these addresses.
    pub fn pass(&self, data: &Path, hub: &str, mqtt: &str) -> Arc<Pass> {
        let folder = Folder::hold(data).unwrap();
        self.enrol(&folder, hub, mqtt);
        Arc::new(Pass::of(&folder.newest().unwrap(), &folder.believed().unwrap()).unwrap())
    }

    /// A hub's certificate and key, PEM and DER.
    pub fn hub(&self) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([HUB_NAME.to_owned()]).unwrap();
        (params.signed_by(&key, &self.0).unwrap(), key)
    }
}
