//! What is about times, or about what a node can bear: run with nothing beside it. The tests of the other
//! files run two at a time.

mod fail_over;
mod faults;
mod frozen;
mod http_abuse;
mod overload;
mod replace;
