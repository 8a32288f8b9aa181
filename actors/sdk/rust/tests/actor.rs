//! An actor as the host sees it: operations by name, payloads as bytes, errors as text.

use std::fmt;

use mesh_actor::prelude::*;
use mesh_actor::testing::Lattice;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Pair {
    left: u32,
    right: u32,
}

#[derive(Debug)]
struct Refusal;

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refused in its own type")
    }
}

struct Sample;

#[actor]
impl Sample {
    #[operation]
    fn add(pair: Pair) -> Result<u32> {
        let sum = pair.left.checked_add(pair.right);
        Ok(sum.ok_or("the sum is too large")?)
    }

    #[operation("Sample.Swap")]
    fn swap(pair: Pair) -> Result<Pair> {
        Ok(Pair { left: pair.right, right: pair.left })
    }

    #[operation]
    fn nothing() -> Result<()> {
        Ok(())
    }

    #[operation]
    fn refuse() -> Result<(), Refusal> {
        Err(Refusal)
    }

    #[cfg(not(test))]
    #[operation]
    fn absent(_: Pair) -> Result<()> {
        Ok(())
    }

    #[operation]
    fn ask(name: String) -> Result<Raw> {
        Target::actor(&name).link("second").call("question", &Raw(vec![1]))
    }
}

fn call(operation: &str, payload: &[u8]) -> Result<Vec<u8>> {
    Sample::handle(operation, payload.to_vec())
}

#[test]
fn operations_are_listed_in_order() {
    assert_eq!(Sample::OPERATIONS, ["add", "Sample.Swap", "nothing", "refuse", "ask"]);
}

#[test]
fn payloads_are_maps_with_named_fields() {
    let pair = b"\x82\xa4left\x01\xa5right\x02";
    assert_eq!(call("add", pair), Ok(vec![3]));
    assert_eq!(call("Sample.Swap", pair), Ok(b"\x82\xa4left\x02\xa5right\x01".to_vec()));
}

#[test]
fn an_operation_without_payload_ignores_what_comes() {
    assert_eq!(call("nothing", b""), Ok(vec![0xc0]));
    assert_eq!(call("nothing", b"\xc0"), Ok(vec![0xc0]));
}

#[test]
fn an_unknown_operation_is_told_which_there_are() {
    let error = call("swap", b"").expect_err("there is none").to_string();
    assert_eq!(error, "no operation `swap`; there are: add, Sample.Swap, nothing, refuse, ask");
}

#[test]
fn a_bad_payload_is_told_what_is_wrong() {
    let error = call("add", b"\x81\xa4left\x01").expect_err("a field is missing").to_string();
    assert_eq!(error, "the payload of operation `add` is not as expected: missing field `right`");
}

#[test]
fn errors_of_any_type_reach_the_caller_as_text() {
    assert_eq!(call("refuse", b""), Err(Error::Actor("refused in its own type".to_owned())));
    let most = Pair { left: u32::MAX, right: 1 }.into_payload().expect("encodes");
    assert_eq!(call("add", &most), Err(Error::Actor("the sum is too large".to_owned())));
}

#[test]
fn a_host_error_keeps_its_code() {
    let lattice = Lattice::new();
    let error = lattice.run(|| Sample::ask("nobody".to_owned())).expect_err("nobody is there");
    let Error::Host(error) = &error else { panic!("{error}") };
    assert_eq!(error.code, ErrorCode::NotFound);
    assert_eq!(lattice.calls(), ["second/nobody/question"]);
}

#[test]
fn an_answer_of_another_type_names_its_source() {
    let lattice = Lattice::new().answer("text", |_, _: Raw| Ok("no number"));
    let error =
        lattice.run(|| Target::actor("text").call::<_, u32>("number", &())).expect_err("no");
    assert_eq!(
        error.to_string(),
        "the payload of the answer to `number` of `text` is not as expected: \
         a value has another type than expected: msgpack FixStr(9)"
    );
}

#[test]
fn without_a_lattice_a_host_call_says_how_to_get_one() {
    let error = Sample::ask("nobody".to_owned()).expect_err("there is no host").to_string();
    assert!(error.contains("mesh_actor::testing::Lattice"), "{error}");
}
