//! Guests that mean harm, through the mesh: each costs its own call, and another actor keeps answering.

use std::time::Duration;

use integration::guests::{guest, guest_of};
use integration::harness::{MeshNode, actor_module_bytes, wait_for, wait_until};
use integration::load::{Load, LoadOptions};
use integration::publisher::Publisher;
use integration::testbed::{Replied, SOON, Testbed};
use lattice_client::Call;
use lattice_protocol::event::EventKind;
use lattice_protocol::{Error, ErrorCode};
use tokio::time::timeout;

const TIME: Duration = Duration::from_millis(200);
/// How late the error of a call may be.
const LATENESS_MAX: Duration = Duration::from_millis(50);
/// Tries for what is a matter of time: the machine may be busy with other things.
const TRIES: usize = 8;

/// Pointers and lengths that lead out of four pages of memory.
const BAD: [(i64, i64); 6] = [
    (0, 0xffff_ffff),
    (0xffff_ffff, 0xffff_ffff),
    (0xffff_ffff, 1),
    (262_143, 2),
    (262_144, 1),
    (0x8000_0000, 0x8000_0000),
];

/// A node with an echo that is called all the while.
struct Attacked {
    load: Load,
    node: MeshNode,
    bed: Testbed,
}

impl Attacked {
    async fn start(name: &str) -> Self {
        let bed = Testbed::start(name).await.unwrap();
        let node = bed.start_node().await.unwrap();
        let echo = bed.deploy("echo", &actor_module_bytes("echo").unwrap(), &[]).await.unwrap();
        let options = LoadOptions {
            pause: Duration::from_millis(5),
            ..LoadOptions::new(echo.key().clone(), 2)
        };
        let load = Load::start(bed.lattice(), &options);
        Self { load, node, bed }
    }

    async fn send(&self, hostile: &Publisher, payload: &[u8]) -> (Error, Duration) {
        let sent = self.bed.send(hostile.key().clone(), "Op", payload, TIME).await.unwrap();
        let Replied { outcome, took, .. } = sent;
        (outcome.unwrap_err(), took)
    }

    /// Asserts that a call ends in time with an error.
    async fn assert_ends(&self, wasm: &[u8], code: ErrorCode, containing: &str) {
        let hostile = self.bed.deploy("hostile", wasm, &[]).await.unwrap();
        let mut shortest = Duration::MAX;
        for _ in 0..TRIES {
            let (error, took) = self.send(&hostile, b"payload").await;
            assert_eq!(error.code, code, "{error}");
            assert!(error.message.contains(containing), "{containing:?} is not in {error}");
            shortest = shortest.min(took);
            if shortest <= TIME + LATENESS_MAX {
                break;
            }
        }
        assert!(shortest <= TIME + LATENESS_MAX, "it took {shortest:?}");
        self.bed.wait_until_idle_but_for_load(&self.node).await;
        hostile.undeploy().await.unwrap();
    }

    /// Ends the attack: the echo answered every call.
    async fn end(mut self) {
        wait_until("the echo's answers", SOON, async || self.load.answered() > 20).await.unwrap();
        let tally = self.load.stop().await.unwrap();
        assert_eq!(tally.failed, 0, "{:?}", tally.errors);
        assert!(!self.node.log().unwrap().contains("panicked"));
        assert!(self.node.terminate().await.unwrap().success());
    }
}

trait Idle {
    async fn wait_until_idle_but_for_load(&self, node: &MeshNode);
}

impl Idle for Testbed {
    /// Waits until nothing runs but at most the two calls of the load.
    async fn wait_until_idle_but_for_load(&self, node: &MeshNode) {
        wait_for("the hostile call to end", SOON, async || {
            let running = self.inventory(node.key()).await?.heartbeat.in_flight;
            anyhow::ensure!(running <= 2, "{running} calls run");
            Ok(())
        })
        .await
        .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_guests_cost_their_own_call_only() {
    use ErrorCode::{ActorTrapped, DeadlineExceeded, LimitExceeded};
    let attacked = Attacked::start("hostile").await;
    let log = "(call $console_log (i32.const 48) (i32.const 0))";
    let ask = "(drop (call $host_call (i32.const 0) (i32.const 7) (i32.const 16) (i32.const 9)
      (i32.const 32) (i32.const 2) (i32.const 0) (i32.const 7)))";
    let deep = "(func $deep (param i64) (result i64)
      (i64.add (local.get 0) (call $deep (i64.add (local.get 0) (i64.const 1)))))";
    let grow = "(loop $again
      (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable";
    let again = |body: &str| guest(&format!("(loop $again {body} (br $again)) (i32.const 1)"));
    for (wasm, code, containing) in [
        (again(""), DeadlineExceeded, "time"),
        (again(log), DeadlineExceeded, "time"),
        (again(ask), DeadlineExceeded, "time"),
        (again("(drop (memory.grow (i32.const 1)))"), DeadlineExceeded, "time"),
        (guest(grow), LimitExceeded, "limit"),
        (
            guest_of(deep, "(i32.wrap_i64 (call $deep (i64.const 0)))"),
            ActorTrapped,
            "call stack exhausted",
        ),
        (guest("unreachable"), ActorTrapped, "unreachable"),
        (guest("(i32.load (i32.const -4))"), ActorTrapped, "out of bounds"),
        (
            guest("(call $guest_response (i32.const 0) (i32.const -1)) (i32.const 1)"),
            ActorTrapped,
            "outside the actor's memory",
        ),
    ] {
        attacked.assert_ends(&wasm.unwrap(), code, containing).await;
    }
    attacked.end().await;
}

/// Runs a call with arguments from the payload: which call, then three numbers.
fn dispatcher(calls: &[String]) -> String {
    let cases = calls.iter().enumerate().map(|(case, call)| {
        format!("(if (i32.eq (i32.load (i32.const 8192)) (i32.const {case})) (then {call}))")
    });
    format!(
        "(call $guest_request (i32.const 512) (i32.const 8192)) {} (i32.const 1)",
        cases.collect::<Vec<_>>().join("\n")
    )
}

fn payload(case: usize, pointer: i64, length: i64) -> Vec<u8> {
    [case as i64, pointer, length].iter().flat_map(|n| (*n as u32).to_le_bytes()).collect()
}

const POINTER: &str = "(i32.load (i32.const 8196))";
const LENGTH: &str = "(i32.load (i32.const 8200))";

#[tokio::test(flavor = "multi_thread")]
async fn bad_pointers_in_every_import_are_traps_that_name_it() {
    let attacked = Attacked::start("pointers").await;
    let zero = |count: usize| "(i32.const 0) ".repeat(count);
    let host_call = |place: usize| {
        let before = "(i32.const 0) (i32.const 1) ".repeat(place);
        let after = "(i32.const 0) (i32.const 1) ".repeat(3 - place);
        format!("(drop (call $host_call {before} {POINTER} {LENGTH} {after}))")
    };
    // Ranges: a pointer and a length.
    let mut ranges = vec![
        ("__guest_response", format!("(call $guest_response {POINTER} {LENGTH})")),
        ("__guest_error", format!("(call $guest_error {POINTER} {LENGTH})")),
        ("__console_log", format!("(call $console_log {POINTER} {LENGTH})")),
        ("random_get", format!("(drop (call $random_get {POINTER} {LENGTH}))")),
    ];
    ranges.extend((0..4).map(|place| ("__host_call", host_call(place))));
    // Places: a pointer that something is written to, or read from.
    let one = |import: &'static str, call: String| (import, format!("(drop {call})"));
    let places = vec![
        ("__guest_request", format!("(call $guest_request {POINTER} (i32.const 0))")),
        ("__guest_request", format!("(call $guest_request (i32.const 0) {POINTER})")),
        one("args_sizes_get", format!("(call $args_sizes_get {POINTER} (i32.const 0))")),
        one("environ_sizes_get", format!("(call $environ_sizes_get (i32.const 0) {POINTER})")),
        one(
            "clock_time_get",
            format!("(call $clock_time_get (i32.const 0) (i64.const 0) {POINTER})"),
        ),
        one("fd_fdstat_get", format!("(call $fd_fdstat_get (i32.const 1) {POINTER})")),
        one(
            "fd_write",
            format!("(call $fd_write (i32.const 1) {POINTER} (i32.const 1) (i32.const 0))"),
        ),
        one(
            "fd_write",
            format!("(call $fd_write (i32.const 1) (i32.const 0) (i32.const 0) {POINTER})"),
        ),
        one("fd_read", format!("(call $fd_read {} {POINTER})", zero(3))),
        one(
            "poll_oneoff",
            format!("(call $poll_oneoff {POINTER} (i32.const 0) (i32.const 1) (i32.const 0))"),
        ),
        one(
            "poll_oneoff",
            format!("(call $poll_oneoff (i32.const 0) {POINTER} (i32.const 1) (i32.const 0))"),
        ),
    ];
    // A text of AssemblyScript, whose length is before it.
    let texts = [("env.abort", format!("(call $abort {POINTER} {})", zero(3)))];
    let wasi = |name: &str, kinds: &str| {
        format!(
            r#"(import "wasi_snapshot_preview1" "{name}"
                 (func ${name} (param {kinds}) (result i32)))"#
        )
    };
    let items = [
        r#"(import "env" "abort" (func $abort (param i32 i32 i32 i32)))"#.to_owned(),
        wasi("random_get", "i32 i32"),
        wasi("args_sizes_get", "i32 i32"),
        wasi("environ_sizes_get", "i32 i32"),
        wasi("clock_time_get", "i32 i64 i32"),
        wasi("fd_fdstat_get", "i32 i32"),
        wasi("fd_write", "i32 i32 i32 i32"),
        wasi("fd_read", "i32 i32 i32 i32"),
        wasi("poll_oneoff", "i32 i32 i32 i32"),
    ]
    .join("\n");
    let all = ranges.iter().chain(&places).chain(&texts);
    let calls: Vec<String> = all.map(|(_, call)| call.clone()).collect();
    let wasm = guest_of(&items, &dispatcher(&calls)).unwrap();
    let hostile = attacked.bed.deploy("hostile", &wasm, &[]).await.unwrap();

    let check = async |case: usize, import: &str, (pointer, length): (i64, i64)| {
        let (error, _) = attacked.send(&hostile, &payload(case, pointer, length)).await;
        let what = format!("{import} with {pointer:#x}, {length:#x}: {error}");
        assert_eq!(error.code, ErrorCode::ActorTrapped, "{what}");
        assert!(error.message.contains(import), "{what}");
    };
    for (case, (import, _)) in ranges.iter().enumerate() {
        for bad in BAD {
            check(case, import, bad).await;
        }
    }
    for (case, (import, _)) in places.iter().enumerate() {
        for pointer in [0xffff_ffff, 262_144, 262_143, 0x8000_0000] {
            check(ranges.len() + case, import, (pointer, 0)).await;
        }
    }
    for pointer in [0xffff_ffff, 262_146, 0x8000_0000, 1] {
        check(ranges.len() + places.len(), texts[0].0, (pointer, 0)).await;
    }
    attacked.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_does_not_start_is_refused_and_the_one_before_serves_on() {
    let attacked = Attacked::start("init").await;
    let bed = &attacked.bed;
    let mut events = bed.lattice().events().await.unwrap();
    let actor = bed.deploy("guest", &actor_module_bytes("echo").unwrap(), &[]).await.unwrap();
    for (revision, items) in [
        (2, r#"(func (export "wapc_init") unreachable)"#),
        (3, "(start $s) (func $s unreachable)"),
        (4, r#"(func (export "_initialize") (drop (i32.load (i32.const -4))))"#),
    ] {
        let wasm = guest_of(items, "(i32.const 1)").unwrap();
        actor.deploy(&actor.sign(&wasm, revision, &[]).unwrap(), revision).await.unwrap();
        let refused = async {
            loop {
                let event = events.next().await.unwrap();
                let of = event.data.get("revision").is_some_and(|of| *of == revision.to_string());
                if event.event_kind() == Some(EventKind::ActorRefused) && of {
                    return event;
                }
            }
        };
        let refused = timeout(SOON, refused).await.unwrap();
        assert_eq!(refused.subject, actor.key().as_str());
        assert_eq!(refused.data["code"], "actor_trapped");
        assert!(refused.data["reason"].contains("does not start"), "{refused:?}");
        let refusals = bed.inventory(attacked.node.key()).await.unwrap().refused;
        let found = refusals.iter().find(|refusal| refusal.key == *actor.key()).unwrap();
        assert_eq!((found.revision, found.error.code), (revision, ErrorCode::ActorTrapped));
        assert!(attacked.node.log().unwrap().contains(&found.error.message));
        let call = Call::new(actor.key().clone(), "echo", b"still".as_slice());
        let answer = bed.lattice().call(call).await.unwrap();
        assert_eq!((&answer.payload[..], answer.revision), (&b"still"[..], Some(1)));
    }
    attacked.end().await;
}
