//! HTTP/1.1 on a connection that came in: requests carry where they come from and what was shown.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::response::IntoResponse;
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio_util::sync::CancellationToken;

use super::accept::Arrival;
use crate::agent_api::caller::Caller;
use crate::ca;
use crate::web::Refusal;

/// How long a request's headers may take, and a connection may wait for its next request.
const HEADERS: Duration = Duration::from_secs(5);
/// Largest head of a request.
const HEAD_BYTES: usize = 64 * 1024;

/// Serves until the connection ends, or `stop`.
pub async fn serve(arrival: Arrival, router: Router, stop: CancellationToken) {
    let Arrival { stream, from, certificate, place } = arrival;
    let serial = certificate.and_then(|c| ca::serial_of(&c));
    let place = Arc::new(Mutex::new(place));
    let inner = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        // A request is there: it is no longer one of those who only hold a connection.
        let may_stay = place.lock().unwrap_or_else(PoisonError::into_inner).stay();
        request.extensions_mut().insert(ConnectInfo::<SocketAddr>(from));
        request.extensions_mut().insert(Caller { from, serial: serial.clone() });
        let inner = inner.clone();
        async move { if may_stay { inner.call(request).await } else { Ok(Refusal::busy().into_response()) } }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%from, %error, "connection ended");
    }
}
