//! What a link is like right now.

use std::time::Duration;

/// A way that bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From whoever connected to the address behind the proxy.
    There,
    /// Back.
    Back,
}

impl Direction {
    /// Both of them.
    pub const BOTH: [Direction; 2] = [Direction::There, Direction::Back];
}

/// What becomes of the bytes of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flow {
    /// They are handed on.
    #[default]
    On,
    /// They wait, the end of the connection too, and go on when healed.
    Held,
    /// They are taken and never handed on, the end of the connection too.
    Swallowed,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cut {
    /// In order: either side reads its end.
    #[default]
    Close,
    /// By a reset: either side has an error.
    Reset,
}

/// All of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Conditions {
    pub delay: Duration,
    pub jitter: Duration,
    pub bytes_per_second: Option<u64>,
    pub refusing: bool,
    /// Grows with each cut: a connection that was made before one ends.
    pub cuts: u64,
    pub how: Cut,
    pub there: Flow,
    pub back: Flow,
}

impl Conditions {
    pub fn flow(&self, direction: Direction) -> Flow {
        match direction {
            Direction::There => self.there,
            Direction::Back => self.back,
        }
    }

    pub fn flow_mut(&mut self, direction: Direction) -> &mut Flow {
        match direction {
            Direction::There => &mut self.there,
            Direction::Back => &mut self.back,
        }
    }
}
