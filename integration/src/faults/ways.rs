//! The ways in which a link is cut that a network knows.

use crate::proxy::{Cut, Direction, FaultProxy, Flow};

/// How a link is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Bytes wait, either way.
    Stall,
    /// Bytes are lost, either way.
    Blackhole,
    /// What comes back to who connected is lost.
    Deaf,
    /// What is sent by who connected is lost.
    Mute,
    /// The connection is reset, and none can be made.
    Cut,
}

impl Way {
    /// All of them.
    pub const ALL: [Way; 5] = [Way::Stall, Way::Blackhole, Way::Deaf, Way::Mute, Way::Cut];

    /// Cuts a link; [`FaultProxy::heal`] undoes it.
    pub fn apply(self, link: &FaultProxy) {
        let both = |flow| {
            for direction in Direction::BOTH {
                link.flow(direction, flow);
            }
        };
        match self {
            Way::Stall => both(Flow::Held),
            Way::Blackhole => both(Flow::Swallowed),
            Way::Deaf => link.flow(Direction::Back, Flow::Swallowed),
            Way::Mute => link.flow(Direction::There, Flow::Swallowed),
            Way::Cut => {
                link.refuse();
                link.cut(Cut::Reset);
            }
        }
    }
}
