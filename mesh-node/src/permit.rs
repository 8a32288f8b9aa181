//! Whether an actor may make a call: a pure decision over what it was signed for.

use lattice_protocol::contract::{Contract, Side};
use lattice_protocol::keys::ActorKey;
use lattice_protocol::names::{ActorName, ContractName};
use lattice_protocol::{Error, ErrorCode};

/// The capability to call any other actor.
const ANY_ACTOR: &str = "mesh:actor";

/// Decides whether an actor signed with `capabilities` may call the actor `key`, deployed as
/// `name`. `mesh:actor` permits every call, `mesh:actor:NAME` and
/// `mesh:actor:KEY` one target.
///
/// # Errors
/// `unauthorized`, with the capability that would permit it.
pub(crate) fn actor_call(
    capabilities: &[String],
    key: &ActorKey,
    name: impl FnOnce() -> Option<ActorName>,
) -> Result<(), Error> {
    if capabilities.iter().any(|capability| capability == ANY_ACTOR) {
        return Ok(());
    }
    let name = name();
    let permitted = capabilities.iter().any(|capability| {
        capability.strip_prefix(ANY_ACTOR).and_then(|rest| rest.strip_prefix(':')).is_some_and(
            |one| one == key.as_str() || name.as_ref().is_some_and(|name| name.as_str() == one),
        )
    });
    if permitted {
        return Ok(());
    }
    let shown = name.as_ref().map_or(key.as_str(), ActorName::as_str);
    Err(Error::not_started(
        ErrorCode::Unauthorized,
        format!(
            "this actor was not signed to call {shown}: sign it with --cap {ANY_ACTOR} \
             or --cap {ANY_ACTOR}:{shown}"
        ),
    ))
}

/// Decides whether an actor signed with `capabilities` may use a contract over its links.
///
/// # Errors
/// `unauthorized`, with the capability that would permit it.
pub(crate) fn contract(capabilities: &[String], contract: &ContractName) -> Result<(), Error> {
    if capabilities.iter().any(|capability| capability == contract.as_str()) {
        return Ok(());
    }
    Err(Error::not_started(
        ErrorCode::Unauthorized,
        format!("this actor was not signed to use {contract}: sign it with --cap {contract}"),
    ))
}

/// Decides whether a provider may call an operation of an actor signed with `capabilities`: where a
/// contract has providers call it, the actor must have been signed for that contract.
///
/// # Errors
/// `unauthorized`, with the capability that would permit it.
pub(crate) fn provider_call(capabilities: &[String], operation: &str) -> Result<(), Error> {
    let of = |one: &&Contract| one.operation(operation).is_some_and(|one| one.by == Side::Actor);
    let Some(contract) = Contract::ALL.iter().find(of) else {
        return Err(Error::not_started(
            ErrorCode::Unauthorized,
            format!("no contract has providers call {operation:?}"),
        ));
    };
    if capabilities.iter().any(|capability| capability == contract.name) {
        return Ok(());
    }
    Err(Error::not_started(
        ErrorCode::Unauthorized,
        format!(
            "this actor was not signed for {c}, by which a provider calls it: sign it with --cap {c}",
            c = contract.name
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permitted(capabilities: &[&str], key: &ActorKey, name: &str) -> bool {
        let capabilities: Vec<_> = capabilities.iter().map(ToString::to_string).collect();
        actor_call(&capabilities, key, || Some(name.parse().unwrap())).is_ok()
    }

    #[test]
    fn deny_is_the_default_and_each_capability_permits_what_it_names() {
        let (key, _) = ActorKey::generate().unwrap();
        let (other, _) = ActorKey::generate().unwrap();
        assert!(!permitted(&[], &key, "pong"));
        assert!(!permitted(&["mesh:keyvalue", "mesh:actors", "mesh:actor:"], &key, "pong"));
        assert!(permitted(&["mesh:actor"], &key, "pong"));
        assert!(permitted(&["mesh:actor:pong"], &key, "pong"));
        assert!(!permitted(&["mesh:actor:pong"], &key, "pong2"));
        assert!(permitted(&[&format!("mesh:actor:{key}")], &key, "pong"));
        assert!(!permitted(&[&format!("mesh:actor:{other}")], &key, "pong"));
    }

    #[test]
    fn a_contract_is_permitted_by_its_own_name_alone() {
        let wanted: ContractName = "mesh:keyvalue".parse().unwrap();
        let signed = |capability: &str| contract(&[capability.to_owned()], &wanted);
        assert!(signed("mesh:keyvalue").is_ok());
        for other in ["mesh:keyvalu", "mesh:keyvalue:read", "mesh", "mesh:actor", ""] {
            let error = signed(other).unwrap_err();
            assert_eq!(error.code, ErrorCode::Unauthorized);
            assert!(error.message.contains("--cap mesh:keyvalue"), "{}", error.message);
        }
    }

    #[test]
    fn a_provider_calls_what_the_actor_was_signed_for() {
        let signed = |capability: &str, operation| {
            provider_call(&[capability.to_owned()], operation).map_err(|error| error.code)
        };
        assert_eq!(signed("mesh:http", "handle"), Ok(()));
        assert_eq!(signed("mesh:timer", "tick"), Ok(()));
        for (capability, operation) in
            [("mesh:timer", "handle"), ("mesh:keyvalue", "get"), ("mesh:http", "other"), ("", "")]
        {
            assert_eq!(signed(capability, operation), Err(ErrorCode::Unauthorized), "{operation}");
        }
    }

    #[test]
    fn the_refusal_names_the_capability_that_is_missing() {
        let (key, _) = ActorKey::generate().unwrap();
        let error = actor_call(&[], &key, || Some("pong".parse().unwrap())).unwrap_err();
        assert_eq!(error.code, ErrorCode::Unauthorized);
        assert!(error.message.contains("--cap mesh:actor:pong"), "{}", error.message);
    }
}
