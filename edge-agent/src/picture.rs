//! Pictures as they pass through the agent: a decoder's planes, borrowed.
//!
//! Planes never leave the box. What may leave is made in `redact`, and only there.

/// How chroma samples lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chroma<'a> {
    /// Two planes of quarter size (I420).
    Planar { u: &'a [u8], v: &'a [u8], stride: usize },
    /// One plane of U, V pairs (NV12).
    Interleaved { uv: &'a [u8], stride: usize },
}

/// Which luma and chroma mean which colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matrix {
    /// ITU-R BT.601: standard definition.
    Bt601,
    /// ITU-R BT.709: high definition.
    Bt709,
}

/// One decoded picture, 4:2:0, 8 bit, as the decoder left it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planes<'a> {
    pub width: usize,
    pub height: usize,
    pub y: &'a [u8],
    pub y_stride: usize,
    pub chroma: Chroma<'a>,
    pub matrix: Matrix,
    /// 0..255 instead of 16..235.
    pub full_range: bool,
}
