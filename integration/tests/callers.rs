//! What the callers in other languages send, and what they make of each sort of answer. They
//! talk to this test, which reads and writes the wire with the protocol's own crate.

use futures_util::StreamExt;
use integration::harness::{Caller, NatsServer, actor_module_bytes};
use integration::testbed::Testbed;
use lattice_protocol::keys::{ActorKey, TargetKey};
use lattice_protocol::subjects::Subject;
use lattice_protocol::{Error, ErrorCode, Invocation, Reply};

const LATTICE: &str = "callers";

/// Answers one call as `answer` says while `caller` makes it, and returns what the caller said.
async fn one_call(
    caller: Caller,
    operation: &str,
    payload: &str,
    answer: impl Fn(&Invocation<'_>) -> Result<Vec<u8>, Error>,
) -> (i32, String, String) {
    let server = NatsServer::start().await.unwrap();
    let client = server.connect().await.unwrap();
    let (target, _) = ActorKey::generate().unwrap();
    let target = TargetKey::from(target);
    let subject = Subject::Call(LATTICE.parse().unwrap(), target.clone()).to_string();
    let mut calls = client.subscribe(subject).await.unwrap();
    client.flush().await.unwrap();

    let serve = async {
        let message = calls.next().await.unwrap();
        let invocation = Invocation::decode(&message.payload).unwrap();
        assert_eq!(invocation.target, target.as_str());
        let outcome = answer(&invocation);
        let outcome = outcome.as_deref().map_err(Clone::clone);
        let mut reply = Reply::new(invocation.id, "", outcome);
        reply.revision = Some(1_700_000_000);
        let bytes = reply.encode().unwrap();
        client.publish(message.reply.unwrap(), bytes.into()).await.unwrap();
        client.flush().await.unwrap();
    };
    let url = server.url();
    let call = caller.call(&url, LATTICE, target.as_str(), operation, payload);
    let ((), outcome) = tokio::join!(serve, call);
    let outcome = outcome.unwrap();
    (outcome.code, outcome.stdout, outcome.stderr)
}

#[tokio::test]
async fn every_caller_prints_the_answer() {
    for caller in Caller::ALL {
        // Long enough that a caller must read every width of length.
        for text in ["ä".to_owned(), "x".repeat(40), "y".repeat(70_000)] {
            let payload = format!(r#"{{"hello": "{text}"}}"#);
            let (code, stdout, stderr) = one_call(caller, "echo", &payload, |call| {
                assert_eq!(call.operation, "echo");
                Ok(call.msg.to_vec())
            })
            .await;
            assert_eq!((code, stderr.as_str()), (0, ""), "{caller:?}");
            let printed: serde_json::Value = serde_json::from_str(&stdout).unwrap();
            assert_eq!(printed["hello"], text.as_str(), "{caller:?}");
        }
    }
}

#[tokio::test]
async fn every_caller_fails_with_the_code_and_the_message_of_an_error() {
    for caller in Caller::ALL {
        let (code, stdout, stderr) = one_call(caller, "greet", "{}", |_| {
            let error = Error::started(ErrorCode::ActorError, "no greeting today");
            Err(error)
        })
        .await;
        assert_ne!(code, 0, "{caller:?}");
        assert_eq!((stdout.as_str(), stderr.trim()), ("", "actor_error: no greeting today"));
    }
}

#[tokio::test]
async fn every_caller_says_that_nobody_serves_the_target() {
    let server = NatsServer::start().await.unwrap();
    let url = server.url();
    let (target, _) = ActorKey::generate().unwrap();
    for caller in Caller::ALL {
        let call = caller.call(&url, LATTICE, target.as_str(), "echo", "{}");
        let outcome = call.await.unwrap();
        assert_ne!(outcome.code, 0, "{caller:?}");
        assert!(outcome.stderr.starts_with("not_found: "), "{caller:?}: {}", outcome.stderr);
    }
}

/// The same against a real actor on a real node.
#[tokio::test(flavor = "multi_thread")]
async fn every_caller_calls_a_real_actor() {
    let bed = Testbed::start(LATTICE).await.unwrap();
    let _node = bed.start_node().await.unwrap();
    let echo = bed.deploy("echo", &actor_module_bytes("echo").unwrap(), &[]).await.unwrap();
    let (url, target) = (bed.url(), echo.key().as_str());
    for caller in [Caller::Python, Caller::JavaScript] {
        let greet = caller.call(&url, LATTICE, target, "greet", r#"{"name": "Ada"}"#);
        let said = greet.await.unwrap();
        assert_eq!((said.code, said.stdout.trim()), (0, r#""Hello, Ada!""#), "{}", said.stderr);
        let nobody = caller.call(&url, LATTICE, target, "greet", r#"{"name": " "}"#);
        let said = nobody.await.unwrap();
        assert_ne!(said.code, 0);
        assert_eq!(said.stderr.trim(), "actor_error: there is no name to greet", "{caller:?}");
    }
    let said = Caller::Raw.call(&url, LATTICE, target, "echo", "as it is").await.unwrap();
    assert_eq!((said.code, said.stdout.trim()), (0, "as it is"), "{}", said.stderr);
}
