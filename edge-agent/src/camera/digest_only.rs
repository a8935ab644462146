//! A camera's password is never said in the open: Digest or nothing (ADR 13).
//!
//! `rtspsrc` answers a challenge of Basic with user and password as they are, and no setting of it forbids
//! that; whoever takes a camera's address would only have to ask. It enters them by one function of
//! GStreamer's RTSP library, which this program defines anew: symbols of the program come before those of
//! its libraries. [`in_force`] tells whether that is so; where it is not, no password is given away.
#![allow(unsafe_code)]

use std::ffi::{c_char, c_void};
use std::sync::OnceLock;

use gstreamer_rtsp::ffi::{
    GST_RTSP_AUTH_DIGEST, GST_RTSP_EINVAL, GstRTSPAuthMethod, GstRTSPConnection, GstRTSPResult,
};

use super::fence::Fence;

type SetAuth = unsafe extern "C" fn(
    *mut GstRTSPConnection,
    GstRTSPAuthMethod,
    *const c_char,
    *const c_char,
) -> GstRTSPResult;

/// In the place of GStreamer's own, which it hands Digest to.
///
/// # Safety
///
/// As GStreamer's: a live connection and two strings.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gst_rtsp_connection_set_auth(
    connection: *mut GstRTSPConnection,
    method: GstRTSPAuthMethod,
    user: *const c_char,
    password: *const c_char,
) -> GstRTSPResult {
    match original() {
        // SAFETY: what the caller promised.
        Some(original) if method == GST_RTSP_AUTH_DIGEST => unsafe {
            original(connection, method, user, password)
        },
        _ => {
            if let Some(fence) = Fence::here() {
                fence.note_bare();
            }
            GST_RTSP_EINVAL
        }
    }
}

/// Whether passwords go through here.
pub(super) fn in_force() -> bool {
    static IS: OnceLock<bool> = OnceLock::new();
    // SAFETY: a search by a name that ends with NUL.
    let first = || unsafe { libc::dlsym(libc::RTLD_DEFAULT, NAME.as_ptr()) };
    *IS.get_or_init(|| {
        original().is_some() && std::ptr::eq(first(), gst_rtsp_connection_set_auth as *mut c_void)
    })
}

const NAME: &std::ffi::CStr = c"gst_rtsp_connection_set_auth";

fn original() -> Option<SetAuth> {
    static FOUND: OnceLock<Option<SetAuth>> = OnceLock::new();
    *FOUND.get_or_init(|| {
        // SAFETY: a search by a name that ends with NUL, in the libraries behind this program.
        let found = unsafe { libc::dlsym(libc::RTLD_NEXT, NAME.as_ptr()) };
        // SAFETY: GStreamer's function of this name is of this type since 1.0.
        (!found.is_null()).then(|| unsafe { std::mem::transmute::<*mut c_void, SetAuth>(found) })
    })
}
