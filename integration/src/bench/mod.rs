//! What a run of the bench found: figures of things measured in turns, the goals beside them, and
//! how both are shown.
//!
//! A thing and its baseline are measured in turns ([`turns`]), so that what else the machine does
//! strikes both. What is quoted are ratios of one round, their median and how far they spread:
//! absolute figures are this machine's.

pub mod document;
pub mod findings;
pub mod goals;
pub mod machine;
pub mod plot;
pub mod spread;
pub mod turns;
