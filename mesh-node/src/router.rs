//! Where a host call leads: an actor by key or by name, in process where this node serves it,
//! else over NATS. The same checks, limits and errors either way.

use std::time::Instant;

use bytes::Bytes;
use lattice_client::Call;
use lattice_protocol::keys::{ActorKey, TargetKey};
use lattice_protocol::names::{ActorName, ContractName};
use lattice_protocol::{Error, ErrorCode, limits as wire, names};
use mesh_runtime::HostCall;
use tracing::Instrument;

use crate::actor_host::Request;
use crate::call_host::CallHost;
use crate::permit;
use crate::telemetry;

/// Routes a call that an actor asks its host to make.
pub(crate) async fn route(from: &CallHost, call: HostCall) -> Result<Bytes, Error> {
    if !names::is_operation(&call.operation) {
        return Err(Error::not_started(
            ErrorCode::BadRequest,
            format!(
                "an operation is 1 to {} bytes without control characters",
                wire::OPERATION_BYTES_MAX
            ),
        ));
    }
    let key = target(from, &call)?;
    if from.hops >= wire::HOPS_MAX {
        return Err(Error::not_started(
            ErrorCode::LimitExceeded,
            format!("more than {} calls follow from one another", wire::HOPS_MAX),
        ));
    }
    if from.shared.traced {
        let span = telemetry::call_span(&from.trace, &key, &call.operation);
        let trace = telemetry::context_of(&span, &from.trace);
        return Box::pin(send(from, &key, &call, trace).instrument(span)).await;
    }
    send(from, &key, &call, from.trace.clone()).await
}

async fn send(
    from: &CallHost,
    key: &ActorKey,
    call: &HostCall,
    trace: lattice_client::TraceContext,
) -> Result<Bytes, Error> {
    let hops = from.hops + 1;
    if let Some(host) = from.shared.host(key) {
        let request = Request {
            operation: &call.operation,
            payload: &call.payload,
            deadline: from.deadline,
            hops,
            min_revision: None,
            trace,
        };
        if !from.shared.traced {
            return host.invoke(request).await.outcome;
        }
        let span = telemetry::serve_span(key, &request);
        let answered = Box::pin(host.invoke(request).instrument(span.clone())).await;
        telemetry::finish(&span, &answered);
        return answered.outcome;
    }
    let call = Call {
        timeout: from.deadline.saturating_duration_since(Instant::now()),
        origin: Some(from.origin.as_str().to_owned()),
        link: (!call.link.is_empty()).then(|| call.link.clone()),
        hops,
        trace,
        ..Call::new(key.clone(), call.operation.clone(), call.payload.clone())
    };
    from.shared.lattice.call(call).await.map(|answer| answer.payload)
}

/// Finds out whom the namespace of a host call means, and whether the caller may call it.
fn target(from: &CallHost, call: &HostCall) -> Result<ActorKey, Error> {
    let capabilities = &from.revision.capabilities;
    match call.namespace.parse::<TargetKey>() {
        Ok(TargetKey::Actor(key)) => {
            permit::actor_call(capabilities, &key, || from.shared.name_of(&key))?;
            return Ok(key);
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
        return Err(Error::not_started(
            ErrorCode::NoLink,
            format!("{} has no link for contract {contract}", from.revision.name),
        ));
    }
    let name: ActorName = call.namespace.parse().map_err(|_| {
        Error::not_started(
            ErrorCode::BadRequest,
            "the namespace of a host call is a contract, or an actor's key or name",
        )
    })?;
    let key = from.shared.actor_named(&name)?;
    permit::actor_call(capabilities, &key, || Some(name))?;
    Ok(key)
}
