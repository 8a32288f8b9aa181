//! `mesh:messaging` on NATS.
//!
//! The suite opens links in a [`Lab`], listens with a [`Recorder`], and stands with `lattice` where
//! everybody else of the broker does: it publishes, subscribes and looks into streams. It uses
//! subjects under `suite.` and streams that it makes and deletes.

mod desk;
mod durable;
mod groups;
mod letters;
mod publishing;
mod receiving;
mod sharing;

use lattice_client::Lattice;

use crate::{Lab, Recorder, Report};
use desk::Desk;

/// Examines a provider; takes about a minute.
pub async fn suite(lab: &dyn Lab, actor: &Recorder, lattice: &Lattice) -> Report {
    let desk = Desk { lab, actor, lattice };
    let mut report = Report::default();
    publishing::checks(&desk, &mut report).await;
    receiving::checks(&desk, &mut report).await;
    sharing::checks(&desk, &mut report).await;
    durable::checks(&desk, &mut report).await;
    groups::checks(&desk, &mut report).await;
    letters::checks(&desk, &mut report).await;
    report
}

/// Examines what becomes of a durable message whose process dies: `lab` must be able to end the one
/// that calls, and another one must be there. It can't be used for anything else afterwards.
pub async fn takeover_suite(lab: &dyn Lab, actor: &Recorder, lattice: &Lattice) -> Report {
    let desk = Desk { lab, actor, lattice };
    let mut report = Report::default();
    let check = durable::takeover(&desk);
    report.check("what a process that died had taken is delivered by another", check).await;
    report
}
