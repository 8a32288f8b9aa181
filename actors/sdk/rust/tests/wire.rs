//! The SDK repeats a little of the wire, so that guests stay small: here it is held to the original.

use mesh_actor::{ErrorCode, HostError, limits};

#[test]
fn the_error_codes_are_those_of_the_wire() {
    let ours: Vec<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    let wire: Vec<_> = lattice_protocol::ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(ours, wire);
}

#[test]
fn the_text_of_a_wire_error_is_understood() {
    let wire = lattice_protocol::Error::not_started(lattice_protocol::ErrorCode::NoLink, "none");
    let error = HostError::parse(&wire.to_string());
    assert_eq!((error.code, error.message.as_str()), (ErrorCode::NoLink, "none"));
}

#[test]
fn the_limits_are_those_of_the_wire() {
    assert_eq!(limits::NESTING_LEVELS_MAX, lattice_protocol::limits::NESTING_LEVELS_MAX);
    assert_eq!(limits::HOPS_MAX, lattice_protocol::limits::HOPS_MAX);
}
