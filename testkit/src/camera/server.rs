//! One RTSP server on its own thread: listens when made, closes everything when dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use gstreamer as gst;
use gstreamer::glib;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_rtsp as gst_rtsp;
use gstreamer_rtsp_server as rtsp;
use rtsp::prelude::*;

use super::clip::caps;
use super::feed::Feed;
use super::lock::Lock;
use super::{Counters, Error, PATH, Spec};

/// Pictures kept for a client that connected and has not said PLAY yet.
const LAUNCH: &str = "( appsrc name=feed is-live=true format=time max-buffers=50 leaky-type=downstream \
                      ! rtph264pay name=pay0 pt=96 config-interval=-1 )";
/// Steps of the main context after the end.
const MAX_LAST_STEPS: usize = 1000;
const ROLE: &str = "viewer";

#[derive(Debug)]
pub struct Server {
    port: u16,
    context: glib::MainContext,
    main_loop: glib::MainLoop,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub fn start(
        spec: &Spec,
        port: u16,
        refuses: bool,
        feed: &Arc<Feed>,
        counters: &Arc<Counters>,
        lock: &Arc<Lock>,
    ) -> Result<Self, Error> {
        let fail = |reason: String| Error::Listen { camera: spec.id.clone(), port, reason };
        gst::init().map_err(|e| fail(e.to_string()))?;
        let context = glib::MainContext::new();
        let main_loop = glib::MainLoop::new(Some(&context), false);
        let server = rtsp::RTSPServer::new();
        server.set_address("127.0.0.1");
        server.set_service(&port.to_string());
        let auth = digest_only(spec, refuses);
        server.set_auth(Some(&auth));
        watch_passwords(&server, &auth, spec, lock);
        let pool = rtsp::RTSPSessionPool::new();
        pool.set_max_sessions(spec.max_sessions);
        // Clients live on this thread too: closing one from another thread races with its reader.
        let threads = rtsp::RTSPThreadPool::new();
        threads.set_max_threads(0);
        server.set_thread_pool(Some(&threads));
        server.set_session_pool(Some(&pool));
        let mounts = server.mount_points().ok_or_else(|| fail("no mount points".to_owned()))?;
        mounts.add_factory(PATH, media(feed));
        count(&server, counters);
        let source = server.create_source(rtsp::gio::Cancellable::NONE).map_err(|e| fail(e.to_string()))?;
        source.attach(Some(&context));
        let port = u16::try_from(server.bound_port()).map_err(|e| fail(e.to_string()))?;
        let (own_loop, own_context) = (main_loop.clone(), context.clone());
        let thread = std::thread::Builder::new()
            .name(format!("rtsp {}", spec.id))
            .spawn(move || {
                let serve = || {
                    own_loop.run();
                    source.destroy();
                    server.client_filter(Some(&mut |_, _| rtsp::RTSPFilterResult::Remove));
                    pool.filter(Some(&mut |_, _| rtsp::RTSPFilterResult::Remove));
                    // What was closed leaves through the context.
                    for _ in 0..MAX_LAST_STEPS {
                        if !own_context.iteration(false) {
                            break;
                        }
                    }
                };
                if let Err(error) = own_context.with_thread_default(serve) {
                    tracing::error!(%error, "camera has no main context");
                }
            })
            .map_err(|source| Error::Thread { camera: spec.id.clone(), source })?;
        Ok(Self { port, context, main_loop, thread: Some(thread) })
    }

    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Through the context: a plain quit is lost when the loop has not begun to run yet.
        let main_loop = self.main_loop.clone();
        self.context.invoke(move || main_loop.quit());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn digest_only(spec: &Spec, refuses: bool) -> rtsp::RTSPAuth {
    let auth = rtsp::RTSPAuth::new();
    auth.set_supported_methods(gst_rtsp::RTSPAuthMethod::Digest);
    let token = rtsp::RTSPToken::builder().field(rtsp::RTSP_TOKEN_MEDIA_FACTORY_ROLE.as_str(), ROLE).build();
    let password = if refuses { format!("not {}", spec.password) } else { spec.password.clone() };
    auth.add_digest(&spec.user, &password, &token);
    auth
}

/// An account that locks loses its password in the running server.
fn watch_passwords(server: &rtsp::RTSPServer, auth: &rtsp::RTSPAuth, spec: &Spec, lock: &Arc<Lock>) {
    let (auth, user, lock) = (auth.downgrade(), spec.user.clone(), Arc::clone(lock));
    server.connect_client_connected(move |_, client| {
        let (auth, user, lock) = (auth.clone(), user.clone(), Arc::clone(&lock));
        client.connect("send-message", false, move |values| {
            if lock.answering(values)
                && let Some(auth) = auth.upgrade()
            {
                auth.remove_digest(&user);
            }
            None
        });
    });
}

fn media(feed: &Arc<Feed>) -> rtsp::RTSPMediaFactory {
    let factory = rtsp::RTSPMediaFactory::new();
    factory.set_launch(LAUNCH);
    factory.set_shared(true);
    factory.set_protocols(gst_rtsp::RTSPLowerTrans::TCP | gst_rtsp::RTSPLowerTrans::UDP);
    let may = gst::Structure::builder(ROLE)
        .field(rtsp::RTSP_PERM_MEDIA_FACTORY_ACCESS.as_str(), true)
        .field(rtsp::RTSP_PERM_MEDIA_FACTORY_CONSTRUCT.as_str(), true)
        .build();
    factory.add_role_from_structure(&may);
    let feed = Arc::clone(feed);
    factory.connect_media_configure(move |_, media| {
        let source = media.element().downcast::<gst::Bin>().ok().and_then(|bin| bin.by_name("feed"));
        if let Some(source) = source.and_then(|s| s.downcast::<gst_app::AppSrc>().ok()) {
            source.set_caps(Some(&caps()));
            feed.add(source);
        }
    });
    factory
}

fn count(server: &rtsp::RTSPServer, counters: &Arc<Counters>) {
    let counters = Arc::clone(counters);
    server.connect_client_connected(move |_, client| {
        let one = |n: &AtomicU64| n.fetch_add(1, Ordering::Relaxed);
        one(&counters.connections);
        let c = Arc::clone(&counters);
        client.connect_setup_request(move |_, _| {
            one(&c.setups);
        });
        let c = Arc::clone(&counters);
        client.connect_play_request(move |_, _| {
            one(&c.plays);
        });
        let c = Arc::clone(&counters);
        client.connect_teardown_request(move |_, _| {
            one(&c.teardowns);
        });
    });
}
