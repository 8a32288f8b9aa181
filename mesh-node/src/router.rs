//! Where a host call leads: an actor by key or by name, or over a link of a contract to whatever it
//! is bound to; in process where this node serves it, else over NATS. The same checks, limits and
//! errors either way.

use std::time::Instant;

use bytes::Bytes;
use lattice_client::Call;
use lattice_protocol::contract::Contract;
use lattice_protocol::contract::older::contract_of as older_contract;
use lattice_protocol::keys::{ActorKey, TargetKey};
use lattice_protocol::names::{ActorName, ContractName, LinkName};
use lattice_protocol::{Error, ErrorCode, limits as wire, names};
use mesh_provider::{CallInfo, Origin, ProviderCall};
use mesh_runtime::HostCall;
use tracing::Instrument;

use crate::actor_host::Request;
use crate::call_host::CallHost;
use crate::compute::Patience;
use crate::older::{self, Step};
use crate::permit;

/// Routes a call that an actor asks its host to make, in whatever words it does so.
pub(crate) async fn route(from: &CallHost, call: HostCall) -> Result<Bytes, Error> {
    if from.module.dialect.is_none() || older_contract(&call.namespace).is_none() {
        return route_one(from, call).await;
    }
    let HostCall { link, namespace, operation, payload } = call;
    let sequence = &from.shared.sequence;
    let mut step = older::from_actor(&namespace, &operation, &payload, sequence)?;
    loop {
        let asked = match step {
            Step::Done(answer) => return Ok(answer.into()),
            Step::Call(asked) => asked,
        };
        let call = HostCall {
            link: link.clone(),
            namespace: asked.contract.to_owned(),
            operation: asked.operation.to_owned(),
            payload: asked.payload.clone(),
        };
        step = asked.answered(&Box::pin(route_one(from, call)).await?)?;
    }
}

async fn route_one(from: &CallHost, call: HostCall) -> Result<Bytes, Error> {
    if !names::is_operation(&call.operation) {
        return Err(Error::not_started(
            ErrorCode::BadRequest,
            format!(
                "an operation is 1 to {} bytes without control characters",
                wire::OPERATION_BYTES_MAX
            ),
        ));
    }
    let route = resolve(from, &call)?;
    if from.hops >= wire::HOPS_MAX {
        return Err(Error::not_started(
            ErrorCode::LimitExceeded,
            format!("more than {} calls follow from one another", wire::HOPS_MAX),
        ));
    }
    if from.shared.traced {
        let span = mesh_program::telemetry::call_span(&from.trace, &route.target, &call.operation);
        let trace = mesh_program::telemetry::context_of(&span, &from.trace);
        return Box::pin(send(from, &route, &call, trace).instrument(span)).await;
    }
    send(from, &route, &call, from.trace.clone()).await
}

/// Whom a host call reaches.
struct Route {
    target: TargetKey,
    /// The contract and the link that lead there, where the target was not called by itself.
    over: Option<(ContractName, LinkName)>,
}

async fn send(
    from: &CallHost,
    route: &Route,
    call: &HostCall,
    trace: lattice_client::TraceContext,
) -> Result<Bytes, Error> {
    let hops = from.hops + 1;
    if let TargetKey::Actor(key) = &route.target
        && let Some(host) = from.shared.host(key)
    {
        let request = Request {
            operation: &call.operation,
            payload: &call.payload,
            deadline: from.deadline,
            hops,
            min_revision: None,
            origin: Some(from.origin.as_str()),
            patience: Patience::Long,
            trace,
        };
        return host.serve(request).await.outcome;
    }
    if let (TargetKey::Provider(key), Some((_, name))) = (&route.target, &route.over)
        && let Some(host) = from.shared.providers().and_then(|providers| providers.host(key))
    {
        let asked = ProviderCall {
            operation: &call.operation,
            payload: &call.payload,
            info: CallInfo { deadline: from.deadline, trace },
        };
        return host.call(Origin { source: &from.origin, link: name }, asked).await;
    }
    let link = match &route.over {
        Some((_, name)) => Some(name.to_string()),
        None => (!call.link.is_empty()).then(|| call.link.clone()),
    };
    let idempotent = route.over.as_ref().is_some_and(|(contract, _)| {
        let contract = Contract::named(contract.as_str());
        contract.and_then(|one| one.operation(&call.operation)).is_some_and(|one| one.idempotent)
    });
    let call = Call {
        idempotent,
        timeout: from.deadline.saturating_duration_since(Instant::now()),
        origin: Some(from.origin.as_str().to_owned()),
        link,
        hops,
        trace,
        ..Call::new(route.target.clone(), call.operation.clone(), call.payload.clone())
    };
    let answer = from.shared.lattice.call(call).await;
    answer.map(|answer| answer.payload).map_err(|error| away(route, error))
}

/// What a link leads to may be gone: its caller knows a contract, and no key that was not found.
fn away(route: &Route, error: Error) -> Error {
    match &route.over {
        Some((contract, name)) if error.code == ErrorCode::NotFound => Error {
            code: ErrorCode::ProviderUnavailable,
            message: format!(
                "nobody answers for {}, to which the link {name} for {contract} leads",
                route.target
            ),
            ..error
        },
        _ => error,
    }
}

/// Finds out whom the namespace of a host call means, and whether the caller may call it.
fn resolve(from: &CallHost, call: &HostCall) -> Result<Route, Error> {
    let capabilities = &from.module.capabilities;
    let direct = |key: ActorKey| Ok(Route { target: key.into(), over: None });
    match call.namespace.parse::<TargetKey>() {
        Ok(TargetKey::Actor(key)) => {
            permit::actor_call(capabilities, &key, || from.shared.names.of(&key))?;
            return direct(key);
        }
        Ok(TargetKey::Provider(key)) => {
            return Err(Error::not_started(
                ErrorCode::Unauthorized,
                format!("provider {key} is called by contract, over a link, and not by its key"),
            ));
        }
        Err(_) => {}
    }
    if let Ok(contract) = call.namespace.parse::<ContractName>() {
        permit::contract(capabilities, &contract)?;
        let name = link_name(&call.link)?;
        let target = from.shared.links().target(&from.origin, &contract, &name)?;
        return Ok(Route { target, over: Some((contract, name)) });
    }
    let name: ActorName = call.namespace.parse().map_err(|_| {
        Error::not_started(
            ErrorCode::BadRequest,
            "the namespace of a host call is a contract, or an actor's key or name",
        )
    })?;
    let key = from.shared.names.actor(&name)?;
    permit::actor_call(capabilities, &key, || Some(name))?;
    direct(key)
}

/// Reads the link that a host call names; none means the default one.
fn link_name(text: &str) -> Result<LinkName, Error> {
    if text.is_empty() {
        return Ok(LinkName::default_link());
    }
    text.parse().map_err(|error: lattice_protocol::names::NameError| {
        Error::not_started(ErrorCode::BadRequest, error.to_string())
    })
}
