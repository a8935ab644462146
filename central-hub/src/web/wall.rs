//! The wall's files: the built front end, and its one page for every path that a page may have.

use std::path::PathBuf;

use axum::Router;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use tower_http::services::{ServeDir, ServeFile};
use tower_http::set_header::SetResponseHeaderLayer;

const NOT_BUILT: &str = "The hub is running, but the wall's page is not built.\n\
    Build it (npm run build in central-hub/wall), or name its folder under [wall] in the settings.\n";

/// Where the built front end is looked for when the settings name no folder.
pub fn find() -> Option<PathBuf> {
    let beside = std::env::current_exe().ok().and_then(|p| Some(p.parent()?.join("wall")));
    beside
        .into_iter()
        .chain(["central-hub/wall/dist".into(), "/usr/share/signalbox/wall".into()])
        .find(|folder| folder.join("index.html").is_file())
}

/// Adds the wall behind the API's routes.
pub(super) fn serve(router: Router, folder: Option<PathBuf>) -> Router {
    match folder {
        Some(folder) => {
            let page = ServeFile::new(folder.join("index.html"));
            // Vite names assets by their content: what was there once is never another, and what is
            // missing is missing. The page itself is asked for anew each time.
            let assets = Router::new()
                .fallback_service(ServeDir::new(folder.join("assets")).fallback(any(missing)))
                .layer(SetResponseHeaderLayer::overriding(header::CACHE_CONTROL, for_ever));
            let pages = Router::new().fallback_service(ServeDir::new(folder).fallback(page)).layer(
                SetResponseHeaderLayer::overriding(
                    header::CACHE_CONTROL,
                    HeaderValue::from_static("no-cache"),
                ),
            );
            router.nest("/assets", assets).fallback_service(pages)
        }
        None => router.fallback(get(not_built)),
    }
}

fn for_ever(answer: &Response) -> Option<HeaderValue> {
    answer.status().is_success().then(|| HeaderValue::from_static("max-age=31536000, immutable"))
}

async fn missing() -> StatusCode {
    StatusCode::NOT_FOUND
}

async fn not_built() -> impl IntoResponse {
    (StatusCode::NOT_FOUND, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], NOT_BUILT)
}
