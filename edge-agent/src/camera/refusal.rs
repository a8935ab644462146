//! One password a session: `rtspsrc` alone would repeat a refused one eight times, and lock the
//! camera's account.
//!
//! The first request of a kind goes without a password, the second with it; a third means that it was
//! refused. (A redirect would be a third as well: credentials are for one camera, so it is not followed.)

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use gst::glib;
use gst::glib::translate::ToGlibPtr;
use gst::prelude::*;
use gstreamer as gst;
use gstreamer_rtsp as gst_rtsp;

/// Set once the camera has refused the password.
pub(super) fn watch(rtsp: &gst::Element) -> Arc<AtomicBool> {
    let refused = Arc::new(AtomicBool::new(false));
    let (told, options, describes) = (refused.clone(), AtomicU32::new(0), AtomicU32::new(0));
    rtsp.connect("before-send", false, move |values| {
        let sent = match values.get(1).and_then(method) {
            Some(gst_rtsp::ffi::GST_RTSP_OPTIONS) => options.fetch_add(1, Ordering::AcqRel),
            Some(gst_rtsp::ffi::GST_RTSP_DESCRIBE) => describes.fetch_add(1, Ordering::AcqRel),
            _ => 0,
        };
        if sent >= 2 {
            told.store(true, Ordering::Release);
        }
        Some((sent < 2).to_value())
    });
    refused
}

/// The method of an RTSP request; `None` for anything else.
fn method(value: &glib::Value) -> Option<gst_rtsp::ffi::GstRTSPMethod> {
    let mut method = 0;
    // SAFETY: the signal's second value is a boxed RTSP message that lives as long as the call, and
    // parsing a request only reads it; anything else is refused by the type check.
    unsafe {
        if value.type_() != glib::Type::from_name("GstRTSPMessage")? {
            return None;
        }
        let message = glib::gobject_ffi::g_value_get_boxed(value.to_glib_none().0);
        let message = message.cast::<gst_rtsp::ffi::GstRTSPMessage>();
        if message.is_null() {
            return None;
        }
        let (no_uri, no_version) = (std::ptr::null_mut(), std::ptr::null_mut());
        let result =
            gst_rtsp::ffi::gst_rtsp_message_parse_request(message, &raw mut method, no_uri, no_version);
        (result == gst_rtsp::ffi::GST_RTSP_OK).then_some(method)
    }
}
