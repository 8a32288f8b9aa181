//! The operations of the contract on the tables: reads on a snapshot, writes in a transaction. Each
//! write checks everything before it changes anything: one that is refused leaves no trace.

pub mod keys;
pub mod lists;
pub mod sets;
pub mod sweep;
pub mod values;
