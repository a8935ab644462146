//! Who asks: the certificate that was shown at the door, and what the list says of it now.

use std::net::SocketAddr;

use axum::http::StatusCode;
use protocol::enrol::RefusalCode;

use crate::clock::now_ms;
use crate::store::Store;
use crate::store::certificates::{Certificate, State};
use crate::web::Refusal;

/// What the door knows of a connection.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Where it really comes from.
    pub from: SocketAddr,
    /// The serial number of the certificate that was shown, where one was.
    pub serial: Option<String>,
}

/// The caller's certificate, which must be good for everything.
pub(super) async fn present(store: &Store, caller: &Caller) -> Result<Certificate, Refusal> {
    let certificate = valid(store, caller).await?;
    if certificate.not_after <= now_ms() {
        let message = "this certificate has expired; renew it first";
        return Err(refused(RefusalCode::Expired, message));
    }
    Ok(certificate)
}

/// The caller's certificate, which may have expired.
pub(super) async fn valid(store: &Store, caller: &Caller) -> Result<Certificate, Refusal> {
    let Some(serial) = &caller.serial else {
        return Err(refused(RefusalCode::NoCertificate, "show the agent's certificate"));
    };
    let Some(certificate) = store.certificate(serial).await? else {
        let message = "this certificate is not on the hub's list; enrol the box again";
        return Err(refused(RefusalCode::Revoked, message));
    };
    match certificate.state {
        State::Superseded => {
            let message = "a newer certificate of this box has taken its place";
            Err(refused(RefusalCode::Superseded, message))
        }
        State::Revoked => {
            let message = "an operator has taken this certificate away; a new token lets the box in again";
            Err(refused(RefusalCode::Revoked, message))
        }
        State::Pending | State::Active if certificate.held => {
            let message = "two boxes were seen with this certificate; an operator must decide";
            Err(refused(RefusalCode::Held, message))
        }
        State::Pending | State::Active => Ok(certificate),
    }
}

/// A refusal of the protocol's.
pub(super) fn refused(code: RefusalCode, message: impl Into<String>) -> Refusal {
    let (status, code) = match code {
        RefusalCode::TokenUnknown => (StatusCode::FORBIDDEN, "token_unknown"),
        RefusalCode::TokenExpired => (StatusCode::FORBIDDEN, "token_expired"),
        RefusalCode::TokenUsed => (StatusCode::CONFLICT, "token_used"),
        RefusalCode::BadRequest => (StatusCode::BAD_REQUEST, "bad_request"),
        RefusalCode::NoCertificate => (StatusCode::UNAUTHORIZED, "no_certificate"),
        RefusalCode::Revoked => (StatusCode::FORBIDDEN, "revoked"),
        RefusalCode::Expired => (StatusCode::FORBIDDEN, "expired"),
        RefusalCode::Held => (StatusCode::FORBIDDEN, "held"),
        RefusalCode::Superseded => (StatusCode::FORBIDDEN, "superseded"),
        RefusalCode::Busy => (StatusCode::TOO_MANY_REQUESTS, "busy"),
        RefusalCode::Other => (StatusCode::FORBIDDEN, "other"),
    };
    Refusal::new(status, code, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_written_as_the_protocol_reads_it() {
        use RefusalCode::*;
        for code in [
            TokenUnknown,
            TokenExpired,
            TokenUsed,
            BadRequest,
            NoCertificate,
            Revoked,
            Expired,
            Held,
            Superseded,
            Busy,
        ] {
            let read: RefusalCode = serde_json::from_value(refused(code, "").code.into()).unwrap();
            assert_eq!(read, code);
        }
    }
}
