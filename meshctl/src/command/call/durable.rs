//! `meshctl call --durable`.

use lattice_client::Lattice;
use lattice_client::queue::Durable;
use lattice_protocol::keys::TargetKey;
use serde_json::json;

use super::CallArgs;
use crate::exit::Failure;
use crate::session::Session;

/// Stores the call, and says so.
pub(super) async fn store(
    args: &CallArgs,
    session: &Session,
    lattice: &Lattice,
    payload: Vec<u8>,
) -> Result<(), Failure> {
    let TargetKey::Actor(target) = args.target(lattice).await? else {
        return Err(Failure::usage("only actors are called durably, and this is a provider"));
    };
    let mut durable = Durable::new(target.clone(), args.operation.clone(), payload);
    durable.timeout = args.timeout;
    durable.attempts_max = args.attempts;
    durable.message_id.clone_from(&args.id);
    durable.min_revision = args.min_revision;
    durable.trace = super::trace();
    let stored = lattice.enqueue(durable).await?;
    let value = json!({
        "stored": true,
        "target": target,
        "stream": stored.stream,
        "sequence": stored.sequence,
        "id": stored.id,
        "duplicate": stored.duplicate,
    });
    session.output.data(&value, || {
        let how = if stored.duplicate { "was stored already, as" } else { "is stored as" };
        format!("the call {how} message {} of {} ({})", stored.sequence, stored.stream, stored.id)
    })
}
