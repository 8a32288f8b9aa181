//! WASI's error numbers, as far as they are used.

/// No error.
pub(crate) const SUCCESS: i32 = 0;
/// No such file descriptor.
pub(crate) const BADF: i32 = 8;
/// A parameter makes no sense.
pub(crate) const INVAL: i32 = 28;
/// Nothing that can be done here.
pub(crate) const NOTSUP: i32 = 58;
/// The descriptor is a stream: it has no position.
pub(crate) const SPIPE: i32 = 70;
