//! A fence around each session: no socket of `rtspsrc` connects anywhere but to its camera's own address.
//!
//! A camera can name other places in many ways (a redirect, the addresses in its session description, a
//! transport), and `rtspsrc` follows most of them by itself. It connects through GIO, which tells of every
//! connection just before it is made, with the address as it was resolved: one that the session may not use
//! loses its socket there, before a packet has left. What speaks through GIO outside of any session is
//! refused as well. See ADR 12.

use std::cell::RefCell;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once};

use gio::prelude::*;
use gst::glib;
use gst::glib::translate::IntoGlib;
use gst::prelude::*;
use gstreamer as gst;

use super::reach::Reach;

thread_local! {
    /// The session that this thread works for.
    static HERE: RefCell<Option<Arc<Fence>>> = const { RefCell::new(None) };
}

/// One session's.
#[derive(Debug)]
pub(super) struct Fence {
    reach: Reach,
    crossed: AtomicBool,
    bare: AtomicBool,
}

impl Fence {
    /// Around an `rtspsrc` that is in `pipeline` and not started yet.
    pub fn around(rtsp: &gst::Element, pipeline: &gst::Pipeline, reach: Reach) -> Arc<Self> {
        static WATCHED: Once = Once::new();
        WATCHED.call_once(watch_connections);
        let fence = Arc::new(Self { reach, crossed: AtomicBool::new(false), bare: AtomicBool::new(false) });
        if let Some(bus) = pipeline.bus() {
            let (own, source) = (fence.clone(), rtsp.downgrade());
            // It says that it connects on the very thread that will.
            bus.set_sync_handler(move |_, message| {
                let source = source.upgrade();
                if source.is_some_and(|s| message.src() == Some(s.upcast_ref())) {
                    HERE.with_borrow_mut(|here| *here = Some(own.clone()));
                }
                gst::BusSyncReply::Pass
            });
        }
        if let Some(bin) = rtsp.downcast_ref::<gst::Bin>() {
            let own = fence.clone();
            bin.connect_element_added(move |_, element| own.hold_datagrams(element));
        }
        fence
    }

    /// Whether the camera tried to lead the session elsewhere.
    pub fn is_crossed(&self) -> bool {
        self.crossed.load(Ordering::Acquire)
    }

    /// Of the session that this thread works for.
    pub fn here() -> Option<Arc<Self>> {
        HERE.with_borrow(Clone::clone)
    }

    /// The camera asked for the password in the open.
    pub fn note_bare(&self) {
        self.bare.store(true, Ordering::Release);
    }

    pub fn is_bare(&self) -> bool {
        self.bare.load(Ordering::Acquire)
    }

    /// A camera's answer to SETUP can name another receiver for our reports (RFC 2326, 12.39, `source`).
    fn hold_datagrams(&self, element: &gst::Element) {
        if element.factory().is_none_or(|f| f.name() != "udpsink") {
            return;
        }
        let host = element.property::<Option<String>>("host").unwrap_or_default();
        if !host.parse::<IpAddr>().is_ok_and(|address| self.reach.has(address)) {
            self.crossed.store(true, Ordering::Release);
            element.set_property("host", self.reach.addresses[0].to_string());
        }
    }
}

/// Has GIO ask us before each connection of this process, from now on.
fn watch_connections() {
    let kind = gio::SocketClient::static_type();
    // SAFETY: the class is kept for good, so that its signal exists and stays; the hook keeps no data and is
    // never removed.
    unsafe {
        glib::gobject_ffi::g_type_class_ref(kind.into_glib());
        let signal = glib::gobject_ffi::g_signal_lookup(c"event".as_ptr(), kind.into_glib());
        glib::gobject_ffi::g_signal_add_emission_hook(signal, 0, Some(on_event), std::ptr::null_mut(), None);
    }
}

/// `GSocketClient::event`: client, event, where to, connection.
unsafe extern "C" fn on_event(
    _: *mut glib::gobject_ffi::GSignalInvocationHint,
    count: u32,
    values: *const glib::gobject_ffi::GValue,
    _: glib::ffi::gpointer,
) -> glib::ffi::gboolean {
    // SAFETY: GObject hands over `count` values for the time of this call; `Value` is a `GValue`.
    let values = unsafe { std::slice::from_raw_parts(values.cast::<glib::Value>(), count as usize) };
    let event = values.get(1).and_then(|v| v.get::<gio::SocketClientEvent>().ok());
    let stream = values.get(3).and_then(|v| v.get::<Option<gio::IOStream>>().ok()).flatten();
    let connection = stream.and_then(|s| s.downcast::<gio::SocketConnection>().ok());
    if let (Some(gio::SocketClientEvent::Connecting), Some(connection)) = (event, connection) {
        let to = connection.remote_address().ok().and_then(|a| a.downcast::<gio::InetSocketAddress>().ok());
        let to = to.and_then(|a| Some((a.address().to_str().parse::<IpAddr>().ok()?, a.port())));
        let allowed = HERE.with_borrow(|here| {
            let allowed = here
                .as_ref()
                .zip(to)
                .is_some_and(|(fence, (address, port))| fence.reach.holds(address, port));
            if let (Some(fence), false) = (here, allowed) {
                fence.crossed.store(true, Ordering::Release);
            }
            allowed
        });
        if !allowed {
            // GIO then finds a closed socket and gives up before it connects.
            let _ = connection.socket().close();
        }
    }
    glib::ffi::GTRUE
}

#[cfg(test)]
pub(crate) mod tests;
