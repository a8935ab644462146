//! An account that locks itself after some wrong passwords, as cameras' accounts do: from then on the right
//! one is refused as well.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use gstreamer::glib;
use gstreamer::glib::translate::{IntoGlib, ToGlibPtr};
use gstreamer_rtsp::ffi as rtsp;
use gstreamer_rtsp_server::ffi::GstRTSPContext;

/// The account's state, over restarts of the server.
#[derive(Debug)]
pub struct Lock {
    /// 0: never.
    after: u64,
    wrong: AtomicU64,
    refused: AtomicU64,
    locks: AtomicU64,
    locked: AtomicBool,
}

impl Lock {
    pub fn new(after: u64) -> Self {
        let (wrong, refused, locks) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
        Self { after, wrong, refused, locks, locked: AtomicBool::new(false) }
    }

    pub fn is_locked(&self) -> bool {
        self.locked.load(Ordering::Acquire)
    }

    pub fn open(&self) {
        self.wrong.store(0, Ordering::Release);
        self.locked.store(false, Ordering::Release);
    }

    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Acquire)
    }

    pub fn locks(&self) -> u64 {
        self.locks.load(Ordering::Acquire)
    }

    /// Looks at what the server is about to answer; `true` when this answer locks the account.
    pub fn answering(&self, values: &[glib::Value]) -> bool {
        if !refuses_a_password(values) {
            return false;
        }
        self.refused.fetch_add(1, Ordering::AcqRel);
        let wrong = self.wrong.fetch_add(1, Ordering::AcqRel) + 1;
        let locks = self.after > 0 && wrong >= self.after && !self.locked.swap(true, Ordering::AcqRel);
        self.locks.fetch_add(u64::from(locks), Ordering::AcqRel);
        locks
    }
}

/// `GstRTSPClient::send-message`: client, context, message. Whether the request held a password and the
/// answer is 401.
fn refuses_a_password(values: &[glib::Value]) -> bool {
    let pointer = |n: usize| {
        let value: &glib::Value = values.get(n)?;
        // SAFETY: both are pointer values of the signal; what is no pointer gives null.
        let pointer = unsafe {
            if glib::gobject_ffi::g_type_check_value_holds(
                value.to_glib_none().0.cast_mut(),
                glib::Type::POINTER.into_glib(),
            ) == 0
            {
                return None;
            }
            glib::gobject_ffi::g_value_get_pointer(value.to_glib_none().0)
        };
        (!pointer.is_null()).then_some(pointer)
    };
    let (Some(context), Some(answer)) = (pointer(1), pointer(2)) else { return false };
    let (context, answer) = (context.cast::<GstRTSPContext>(), answer.cast::<rtsp::GstRTSPMessage>());
    let mut code = 0;
    // SAFETY: context and message live as long as the signal's call, and are only read.
    unsafe {
        let (none, no_version) = (std::ptr::null_mut(), std::ptr::null_mut());
        let parsed = rtsp::gst_rtsp_message_parse_response(answer, &raw mut code, none, no_version);
        let request = (*context).request;
        parsed == rtsp::GST_RTSP_OK
            && code == rtsp::GST_RTSP_STS_UNAUTHORIZED
            && !request.is_null()
            && rtsp::gst_rtsp_message_get_header(
                request,
                rtsp::GST_RTSP_HDR_AUTHORIZATION,
                std::ptr::null_mut(),
                0,
            ) == rtsp::GST_RTSP_OK
    }
}
