//! The real door: TLS, the hub's authority, the list; and boxes with keys of their own.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use central_hub::ca::{Ca, Request, serial_of};
use central_hub::door::accept::Door;
use central_hub::door::crowd::{Crowd, Places};
use central_hub::door::mqtt::ToBroker;
use central_hub::door::tls::Tls;
use central_hub::store::Store;
use central_hub::store::tokens::Redeemed;
use protocol::enrol::Identity;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use super::Hub;
use super::raw::Dial;

pub struct TlsDoor {
    pub ca: Ca,
    pub address: SocketAddr,
}

/// A box that was enrolled.
pub struct Box {
    pub identity: Identity,
    pub dial: Dial,
}

impl Box {
    pub fn topic(&self, channel: &str) -> String {
        format!("signalbox/v1/{}/{}/{channel}", self.identity.site, self.identity.agent)
    }
}

impl TlsDoor {
    pub async fn open(hub: &Hub) -> Self {
        let ca = Ca::open(&hub.store).await.unwrap();
        let tls = Tls::open(ca.clone(), BTreeSet::new()).await.unwrap();
        let places = Places { waiting: 64, waiting_an_address: 64, open: 64, open_an_address: 64 };
        let at = "127.0.0.1:0".parse().unwrap();
        let door = Door::listen("mqtt", at, Some(tls.for_boxes(true).unwrap()), Crowd::new(places)).unwrap();
        let address = door.address().unwrap();
        let to_broker = ToBroker::new(hub.store.clone(), hub.peers.clone(), hub.broker.address());
        let stop = hub.stop.clone();
        let serve = move |arrival| to_broker.clone().serve(arrival, stop.clone());
        tokio::spawn(door.run(hub.stop.clone(), serve));
        Self { ca, address }
    }

    pub async fn enrol(&self, hub: &Hub, site: &str, agent: &str) -> Box {
        enrol(&hub.store, &self.ca, self.address, site, agent).await
    }
}

/// A key, a certificate by the hub's authority, and the way to `address` with it.
pub async fn enrol(store: &Store, ca: &Ca, address: SocketAddr, site: &str, agent: &str) -> Box {
    let identity = Identity { site: site.parse().unwrap(), agent: agent.parse().unwrap() };
    enrol_again(store, ca, address, &identity).await
}

/// A new box in the place of one, or the first there.
pub async fn enrol_again(store: &Store, ca: &Ca, address: SocketAddr, identity: &Identity) -> Box {
    let identity = identity.clone();
    let key = rcgen::KeyPair::generate().unwrap();
    let csr = rcgen::CertificateParams::default().serialize_request(&key).unwrap();
    let issued = ca.issue(&identity, &Request::read(&csr.pem().unwrap()).unwrap(), 90).await.unwrap();
    let secret = issued.serial.clone();
    store.put_token(secret.as_bytes(), &identity, None, i64::MAX, "test").await.unwrap();
    assert_eq!(store.redeem(secret.as_bytes(), &issued, "here").await.unwrap(), Redeemed::New);
    let certificate = CertificateDer::from_pem_slice(issued.pem.as_bytes()).unwrap();
    assert_eq!(serial_of(&certificate).as_ref(), Some(&issued.serial));
    let config = client(ca, Some((vec![certificate], key.serialize_pem()))).await;
    Box { identity, dial: dial(address, config) }
}

/// Believes the hub's authority, and shows this certificate.
pub async fn client(ca: &Ca, own: Option<(Vec<CertificateDer<'static>>, String)>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    for root in ca.roots().await.unwrap() {
        roots.add(root.der.clone()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_root_certificates(roots);
    match own {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => {
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    }
}

pub fn dial(address: SocketAddr, config: ClientConfig) -> Dial {
    let name = ServerName::try_from("signalbox-hub").unwrap();
    Dial { address, tls: Some((TlsConnector::from(Arc::new(config)), name)) }
}
