//! Calls other actors: ponger by its name, any target that it is told, itself without an end.

use mesh_actor::prelude::*;

/// The name that ponger is deployed under.
const PONGER: &str = "ponger";

/// Calls of ponger that one `ping` may ask for.
pub const PINGS_MAX: u32 = 1_000;

/// What to say to ponger, and how often.
#[derive(Debug, Serialize, Deserialize)]
pub struct PingRequest {
    /// A few words.
    pub message: String,
    /// How often to say it, at most [`PINGS_MAX`]; once where it is left out.
    #[serde(default = "once")]
    pub times: u32,
}

fn once() -> u32 {
    1
}

/// What came of it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct PingResponse {
    /// What ponger said last.
    pub said: String,
    /// How often it answered.
    pub count: u32,
}

/// What ponger takes.
#[derive(Serialize)]
struct Ping<'a> {
    message: &'a str,
}

/// What ponger says.
#[derive(Deserialize)]
struct Pong {
    said: String,
}

/// A call to pass on.
#[derive(Debug, Serialize, Deserialize)]
pub struct ForwardRequest {
    /// An actor's name or key, or a contract.
    pub target: String,
    /// The operation to call there.
    pub operation: String,
    /// The payload, passed on as it is.
    #[serde(default)]
    pub payload: ByteBuf,
    /// The name of the link; the default one where it is left out.
    #[serde(default)]
    pub link: Option<String>,
    /// How often to call, one after the other; once where it is left out.
    #[serde(default = "once")]
    pub times: u32,
}

/// Where to chase.
#[derive(Debug, Serialize, Deserialize)]
pub struct ChaseRequest {
    /// The name or key that pinger itself is deployed under.
    #[serde(default = "pinger")]
    pub target: String,
    /// How many calls went before this one.
    #[serde(default)]
    pub depth: u32,
}

fn pinger() -> String {
    "pinger".to_owned()
}

/// The actor.
pub struct Pinger;

#[actor]
impl Pinger {
    /// Calls ponger as often as asked; returns its last answer and the count.
    #[operation]
    fn ping(request: PingRequest) -> Result<PingResponse> {
        if !(1..=PINGS_MAX).contains(&request.times) {
            return Err(Error::actor(format!(
                "`times` is {}, and must be from 1 to {PINGS_MAX}",
                request.times
            )));
        }
        let mut response = PingResponse { said: String::new(), count: 0 };
        while response.count < request.times {
            let ping = Ping { message: &request.message };
            let pong: Pong = Target::actor(PONGER).call("ping", &ping)?;
            response.said = pong.said;
            response.count += 1;
        }
        Ok(response)
    }

    /// Calls any operation of any target and returns its answer as it came: the last one, where it
    /// is to call more than once.
    #[operation]
    fn forward(request: ForwardRequest) -> Result<Raw> {
        let link = request.link.as_deref().unwrap_or(Target::DEFAULT_LINK);
        let target = Target::actor(&request.target).link(link);
        for _ in 1..request.times {
            target.call_raw(&request.operation, &request.payload)?;
        }
        target.call_raw(&request.operation, &request.payload).map(Raw)
    }

    /// Calls itself, which calls itself, until the mesh refuses the next hop. The error says so.
    #[operation]
    fn chase(request: ChaseRequest) -> Result<()> {
        let next = ChaseRequest { depth: request.depth + 1, ..request };
        log::debug!("hop {}", next.depth);
        Target::actor(&next.target).call("chase", &next)
    }
}

#[cfg(test)]
mod tests {
    use mesh_actor::testing::Lattice;
    use ponger::Ponger;

    use super::*;

    fn lattice() -> Lattice {
        Lattice::new().actor::<Ponger>("ponger").actor::<Pinger>("pinger")
    }

    #[test]
    fn ping_returns_what_ponger_said_and_the_count() {
        let lattice = lattice();
        let request = PingRequest { message: "hi".to_owned(), times: 3 };
        let response = lattice.run(|| Pinger::ping(request));
        assert_eq!(response, Ok(PingResponse { said: "pong: hi".to_owned(), count: 3 }));
        assert_eq!(lattice.calls(), ["default/ponger/ping"; 3]);
    }

    #[test]
    fn ping_without_ponger_is_an_error_with_its_code() {
        let request = PingRequest { message: "hi".to_owned(), times: 1 };
        let error = Lattice::new().run(|| Pinger::ping(request)).expect_err("nobody is there");
        let Error::Host(error) = error else { panic!("{error}") };
        assert_eq!(error.code, ErrorCode::NotFound);
    }

    #[test]
    fn the_count_is_bounded() {
        for times in [0, PINGS_MAX + 1, u32::MAX] {
            let request = PingRequest { message: String::new(), times };
            let error = lattice().run(|| Pinger::ping(request)).expect_err("out of bounds");
            assert!(error.to_string().contains("from 1 to 1000"), "{error}");
        }
    }

    #[test]
    fn forward_passes_payload_and_answer_on_as_they_are() {
        let lattice = Lattice::new().answer("MTARGET", |operation, Raw(payload)| {
            Ok(Raw([operation.as_bytes(), &payload].concat()))
        });
        let request = ForwardRequest {
            target: "MTARGET".to_owned(),
            operation: "any".to_owned(),
            payload: ByteBuf::from(vec![0xc1]),
            link: Some("other".to_owned()),
            times: 2,
        };
        let answer = lattice.run(|| Pinger::forward(request));
        assert_eq!(answer, Ok(Raw(b"any\xc1".to_vec())));
        assert_eq!(lattice.calls(), ["other/MTARGET/any"; 2]);
    }

    #[test]
    fn a_chase_ends_at_the_hop_limit() {
        let lattice = lattice();
        let request = ChaseRequest { target: pinger(), depth: 0 };
        let error = lattice.run(|| Pinger::chase(request)).expect_err("it never ends well");
        // Each actor on the way back wraps the error of the one after it.
        assert!(error.to_string().contains("actor_error: limit_exceeded: more than 16"), "{error}");
        assert_eq!(lattice.calls().len(), usize::from(mesh_actor::limits::HOPS_MAX) + 1);
    }
}
