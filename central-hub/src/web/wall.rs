//! The wall's files: the built front end, and its one page for every path that a page may have.

use std::path::PathBuf;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tower_http::services::{ServeDir, ServeFile};

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
            router.fallback_service(ServeDir::new(folder).fallback(page))
        }
        None => router.fallback(get(not_built)),
    }
}

async fn not_built() -> impl IntoResponse {
    (StatusCode::NOT_FOUND, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], NOT_BUILT)
}
