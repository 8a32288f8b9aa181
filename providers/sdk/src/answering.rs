//! Calls over NATS to a provider: the same host, links and errors as in process.

use lattice_client::answer::{Answered, Answering, Incoming};
use lattice_protocol::keys::ActorKey;
use lattice_protocol::names::LinkName;
use lattice_protocol::{Error, ErrorCode, reserved};

use crate::host::{Origin, ProviderHost};
use crate::limits;
use crate::provider::{CallInfo, ProviderCall};

impl Answering for ProviderHost {
    async fn answer(&self, call: Incoming<'_>) -> Answered {
        if call.operation.starts_with(reserved::PREFIX) {
            return Answered::from(reserved::answer(call.operation).map(Into::into));
        }
        let from = origin(&call);
        let (source, link) = match from {
            Ok(from) => from,
            Err(error) => return Answered::from(Err(error)),
        };
        let info = CallInfo { deadline: call.deadline, trace: call.trace };
        let call = ProviderCall { operation: call.operation, payload: call.payload, info };
        Answered::from(self.call(Origin { source: &source, link: &link }, call).await)
    }

    fn overloaded(&self) -> Error {
        Error::not_started(
            ErrorCode::Busy,
            format!("{} calls of the provider run already", limits::CALLS_IN_FLIGHT_MAX),
        )
    }
}

/// Reads whose call it is, and over which link.
fn origin(call: &Incoming<'_>) -> Result<(ActorKey, LinkName), Error> {
    let denied = |why: String| Error::not_started(ErrorCode::Unauthorized, why);
    let source = call.origin.ok_or_else(|| {
        denied("a provider is called over a link of an actor, which the call's origin names".into())
    })?;
    let source = source.parse().map_err(|error| denied(format!("the call's origin: {error}")))?;
    let link = match call.link {
        None | Some("") => LinkName::default_link(),
        Some(name) => name.parse().map_err(|error: lattice_protocol::names::NameError| {
            Error::not_started(ErrorCode::BadRequest, error.to_string())
        })?,
    };
    Ok((source, link))
}
