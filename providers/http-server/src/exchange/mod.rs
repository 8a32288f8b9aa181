//! One request: from its head to the response.

mod body;
mod headers;
mod message;
mod problem;
mod response;
mod target;
mod trace;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONNECTION;
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, Version};
use hyper::body::{Body, Incoming};
use lattice_protocol::contract::http::operation;
use lattice_protocol::{Error, ErrorCode};
use mesh_provider::ActorCall;

use message::Message;
use problem::Problem;
use target::Target;

use crate::connection::{Entered, Outgoing, Peer};
use crate::limits;
use crate::routes::Route;
use crate::server::Shared;

/// Answers a request: the actor does, or the server says why not.
pub async fn answer(peer: Arc<Peer>, request: Request<Incoming>) -> Response<Outgoing> {
    let http2 = request.version() == Version::HTTP_2;
    let entered = Entered::begin(peer, http2);
    let peer = entered.peer();
    let (head, body) = request.into_parts();
    let mut unread = !body.is_end_stream();
    let mut response = match exchange(peer, &head, body, &mut unread).await {
        Ok(response) => response,
        Err(problem) if unread => problem.last().response(),
        Err(problem) => problem.response(),
    };
    if unread {
        peer.activity.leave_unread();
    }
    if http2 {
        response.headers_mut().remove(CONNECTION);
    }
    response::fit(&mut response, head.method == Method::HEAD);
    response.map(|bytes| Outgoing::new(bytes, entered))
}

/// Gives a request to its actor. `unread` becomes false once its body was read.
async fn exchange(
    peer: &Peer,
    head: &Parts,
    body: Incoming,
    unread: &mut bool,
) -> Result<Response<Bytes>, Problem> {
    let shared = &*peer.shared;
    let target = Target::read(head)?;
    let route = route(shared, &target)?;
    body::check(&body, route.body_bytes_max)?;
    let mut message = Message::begin(head, &target, peer.scheme, &peer.remote)?;
    let most = route.body_bytes_max;
    let held = body::read(body, &mut message, most, &shared.limits, &shared.memory).await?;
    *unread = false;
    // Not before: who is slow with a body must not keep others from their actors.
    let _slot = Slot::take(shared)?;
    let call = ActorCall {
        link: route.link.clone(),
        operation: operation::HANDLE,
        payload: held.tie(message.finish()),
        timeout: route.timeout,
        trace: trace::read(&head.headers),
    };
    let payload = match call_actor(shared, call).await {
        Ok(payload) => payload,
        Err(error) => {
            tracing::debug!(link = %route.link, %error, "a request failed");
            return Err(Problem::of_call(&error, route.timeout));
        }
    };
    respond(shared, &route, payload).await
}

fn route(shared: &Shared, target: &Target<'_>) -> Result<Arc<Route>, Problem> {
    if let Some(route) = shared.routes.find(target.host.as_deref(), target.path) {
        return Ok(route);
    }
    if shared.stop.is_cancelled() {
        // Its links are closed one by one: what they led to is elsewhere now.
        let detail = "The server is leaving. Try again: another one answers.";
        let status = StatusCode::SERVICE_UNAVAILABLE;
        return Err(Problem::new(status, ErrorCode::Draining.as_str(), detail).passing().last());
    }
    let detail = "No application answers at this host and path.";
    Err(Problem::new(StatusCode::NOT_FOUND, ErrorCode::NotFound.as_str(), detail))
}

async fn call_actor(shared: &Shared, call: ActorCall) -> Result<Bytes, Error> {
    let bound = call.timeout + Duration::from_millis(limits::CALL_GRACE_MS);
    let call = shared.actors.call(call);
    tokio::time::timeout(bound, call)
        .await
        .unwrap_or_else(|_| Err(Error::started(ErrorCode::DeadlineExceeded, "nothing was heard")))
}

async fn respond(
    shared: &Shared,
    route: &Route,
    payload: Bytes,
) -> Result<Response<Bytes>, Problem> {
    let mut response = response::read(&payload).map_err(|error| {
        tracing::debug!(link = %route.link, %error, "an actor answered what is no response");
        Problem::bad_gateway()
    })?;
    let body = std::mem::take(response.body_mut());
    // The body is a part of the answer, all of which it keeps in memory.
    let size = if body.is_empty() { 0 } else { payload.len() };
    let held = shared.memory.hold(size).await.map_err(|_| Problem::no_room_for_answer())?;
    *response.body_mut() = held.tie(body);
    Ok(response)
}

/// One of the requests that actors work on at once.
struct Slot<'a>(&'a Shared);

impl<'a> Slot<'a> {
    fn take(shared: &'a Shared) -> Result<Self, Problem> {
        let running = shared.requests.fetch_add(1, Relaxed);
        let slot = Self(shared);
        if running >= shared.limits.requests_max {
            let detail = "The server has too many requests already. Try again later.";
            let status = StatusCode::TOO_MANY_REQUESTS;
            return Err(Problem::new(status, ErrorCode::Busy.as_str(), detail).passing());
        }
        Ok(slot)
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Relaxed);
    }
}
