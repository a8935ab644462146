//! Memory shared with a decoding process: one place for a packet, then slots for pictures.
//!
//! Owns the mapping and its `unsafe`. The memory can't shrink (sealed), and geometry is checked here
//! before a byte is read, so a hijacked worker can spoil pixels and nothing else.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::picture::{Chroma, Matrix, Planes};

/// Geometry of a picture; in a slot its planes lie one after the other without padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Picture {
    pub width: u32,
    pub height: u32,
    /// NV12 instead of I420.
    pub interleaved: bool,
    pub bt709: bool,
    pub full_range: bool,
}

impl Picture {
    /// Bytes of the packed picture: width x height and two quarters, rounded up.
    pub fn bytes(&self) -> Option<usize> {
        let (w, h) = (self.width as usize, self.height as usize);
        let chroma = w.div_ceil(2).checked_mul(h.div_ceil(2))?.checked_mul(2)?;
        w.checked_mul(h)?.checked_add(chroma).filter(|_| w > 0 && h > 0)
    }

    /// The packed planes in `bytes`, which hold at least [`Picture::bytes`].
    pub fn planes<'a>(&self, bytes: &'a [u8]) -> Planes<'a> {
        let (width, height) = (self.width as usize, self.height as usize);
        let (half, rows) = (width.div_ceil(2), height.div_ceil(2));
        let (y, rest) = bytes.split_at(width * height);
        let chroma = if self.interleaved {
            Chroma::Interleaved { uv: &rest[..2 * half * rows], stride: 2 * half }
        } else {
            let (u, v) = rest.split_at(half * rows);
            Chroma::Planar { u, v: &v[..half * rows], stride: half }
        };
        let matrix = if self.bt709 { Matrix::Bt709 } else { Matrix::Bt601 };
        Planes { width, height, y, y_stride: width, chroma, matrix, full_range: self.full_range }
    }

    /// Writes planes of any stride as packed ones. `to` holds at least [`Picture::bytes`].
    pub fn pack(&self, from: &Planes<'_>, to: &mut [u8]) {
        let (width, height) = (self.width as usize, self.height as usize);
        let (half, rows) = (width.div_ceil(2), height.div_ceil(2));
        let (y, rest) = to.split_at_mut(width * height);
        copy_rows(from.y, from.y_stride, y, width);
        match from.chroma {
            Chroma::Interleaved { uv, stride } => {
                copy_rows(uv, stride, &mut rest[..2 * half * rows], 2 * half)
            }
            Chroma::Planar { u, v, stride } => {
                let (to_u, to_v) = rest.split_at_mut(half * rows);
                copy_rows(u, stride, to_u, half);
                copy_rows(v, stride, &mut to_v[..half * rows], half);
            }
        }
    }
}

fn copy_rows(from: &[u8], stride: usize, to: &mut [u8], width: usize) {
    if stride == width && from.len() >= to.len() {
        to.copy_from_slice(&from[..to.len()]);
        return;
    }
    for (row, to) in to.chunks_exact_mut(width).enumerate() {
        if let Some(from) = from.get(row * stride..row * stride + width) {
            to.copy_from_slice(from);
        }
    }
}

/// How the shared memory is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Layout {
    pub packet_bytes: usize,
    pub slot_bytes: usize,
    pub slots: u32,
}

impl Layout {
    pub fn bytes(&self) -> usize {
        self.packet_bytes + self.slot_bytes * self.slots as usize
    }
}

/// One mapping of the shared memory, in the agent or in the worker.
pub(super) struct Ring {
    start: NonNull<u8>,
    layout: Layout,
    /// Bit n: slot n is held by a frame of the agent.
    held: AtomicU64,
}

// SAFETY: the mapping belongs to no thread; who may touch which slot when is ruled by `held` and the
// strict alternation of request and reply.
unsafe impl Send for Ring {}
// SAFETY: as above; shared access only reads.
unsafe impl Sync for Ring {}

impl Ring {
    /// Makes the memory (pages are taken as they are touched) and maps it.
    pub fn create(layout: Layout) -> io::Result<(Arc<Self>, OwnedFd)> {
        // SAFETY: a constant, terminated name; the result is checked before it is owned.
        let fd = unsafe {
            libc::memfd_create(c"signalbox-pictures".as_ptr(), libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING)
        };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `fd` is new and ours.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        let file = File::from(fd.try_clone()?);
        file.set_len(layout.bytes() as u64)?;
        let seals = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;
        // SAFETY: plain integers on an open descriptor. Without the seals a worker could cut the
        // memory under the agent's feet (SIGBUS).
        if unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_ADD_SEALS, seals) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok((Arc::new(Self::map(&fd, layout)?), fd))
    }

    /// Maps memory that the agent made.
    pub fn map(fd: &impl AsRawFd, layout: Layout) -> io::Result<Self> {
        let flags = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new shared mapping of a file of that length; nothing else is touched.
        let start = unsafe {
            libc::mmap(std::ptr::null_mut(), layout.bytes(), flags, libc::MAP_SHARED, fd.as_raw_fd(), 0)
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or_else(io::Error::last_os_error)?;
        Ok(Self { start, layout, held: AtomicU64::new(0) })
    }

    /// Bit n: slot n may be drawn into.
    pub fn free(&self) -> u64 {
        let all = u64::MAX >> (64 - self.layout.slots.clamp(1, 64));
        all & !self.held.load(Ordering::Acquire)
    }

    /// Takes a slot that the worker says it has filled; `None` if it lies.
    pub fn lease(self: &Arc<Self>, slot: u32, picture: &Picture) -> Option<Lease> {
        let fits = picture.bytes().is_some_and(|n| n <= self.layout.slot_bytes);
        if slot >= self.layout.slots || !fits {
            return None;
        }
        let bit = 1 << slot;
        let before = self.held.fetch_or(bit, Ordering::AcqRel);
        (before & bit == 0).then(|| Lease { ring: self.clone(), slot })
    }

    /// The packet's place, for whoever's turn it is.
    #[allow(clippy::mut_from_ref)]
    pub fn packet(&self) -> &mut [u8] {
        // SAFETY: inside the mapping; the agent writes before it sends a request and the worker
        // reads after, each side through one borrow at a time.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.layout.packet_bytes) }
    }

    /// A slot to draw into, in the worker. `None` if there is no such slot or the picture is too large.
    #[allow(clippy::mut_from_ref)]
    pub fn canvas(&self, slot: u32, picture: &Picture) -> Option<&mut [u8]> {
        let bytes = picture.bytes().filter(|n| *n <= self.layout.slot_bytes)?;
        if slot >= self.layout.slots {
            return None;
        }
        let at = self.layout.packet_bytes + slot as usize * self.layout.slot_bytes;
        // SAFETY: inside the mapping; the agent does not read a slot before the reply that names it.
        Some(unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr().add(at), bytes) })
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: our own mapping, of exactly this length; leases keep the ring alive.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.layout.bytes()) };
    }
}

/// A slot held by a frame; given back when dropped.
pub(super) struct Lease {
    ring: Arc<Ring>,
    slot: u32,
}

impl Lease {
    pub fn bytes(&self) -> &[u8] {
        let layout = &self.ring.layout;
        let at = layout.packet_bytes + self.slot as usize * layout.slot_bytes;
        // SAFETY: inside the mapping. A well-behaved worker does not touch a held slot; a hijacked
        // one changes pixels while they are read, and every value of a byte is a valid pixel.
        unsafe { std::slice::from_raw_parts(self.ring.start.as_ptr().add(at), layout.slot_bytes) }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.ring.held.fetch_and(!(1 << self.slot), Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: Layout = Layout { packet_bytes: 4096, slot_bytes: 64, slots: 2 };

    fn picture(width: u32, height: u32) -> Picture {
        Picture { width, height, interleaved: false, bt709: false, full_range: false }
    }

    #[test]
    fn a_lying_worker_gets_no_lease() {
        let (ring, _fd) = Ring::create(LAYOUT).unwrap();
        assert!(ring.lease(2, &picture(2, 2)).is_none(), "no such slot");
        assert!(ring.lease(0, &picture(8, 8)).is_none(), "96 bytes in 64");
        assert!(ring.lease(0, &picture(u32::MAX, u32::MAX)).is_none());
        assert!(ring.lease(0, &picture(0, 2)).is_none());
        let held = ring.lease(0, &picture(4, 4)).unwrap();
        assert!(ring.lease(0, &picture(4, 4)).is_none(), "already held");
        assert_eq!(ring.free(), 0b10);
        drop(held);
        assert_eq!(ring.free(), 0b11);
    }

    #[test]
    fn odd_sizes_survive_packing() {
        let from_y: Vec<u8> = (0..24).collect();
        let from_u: Vec<u8> = (100..108).collect();
        let from = Planes {
            width: 5,
            height: 3,
            y: &from_y,
            y_stride: 8,
            chroma: Chroma::Planar { u: &from_u, v: &from_u, stride: 4 },
            matrix: Matrix::Bt601,
            full_range: false,
        };
        let picture = picture(5, 3);
        let mut to = vec![0; picture.bytes().unwrap()];
        picture.pack(&from, &mut to);
        let planes = picture.planes(&to);
        assert_eq!(planes.y, [0, 1, 2, 3, 4, 8, 9, 10, 11, 12, 16, 17, 18, 19, 20]);
        let u: &[u8] = &[100, 101, 102, 104, 105, 106];
        assert_eq!(planes.chroma, Chroma::Planar { u, v: u, stride: 3 });
    }

    #[test]
    fn the_memory_cannot_be_cut_under_the_agent() {
        let (_ring, fd) = Ring::create(LAYOUT).unwrap();
        assert!(File::from(fd).set_len(0).is_err());
    }
}
