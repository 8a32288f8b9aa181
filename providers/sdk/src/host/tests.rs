//! Links of a provider that come, change, are refused and go, while calls use them.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;

use lattice_client::TraceContext;
use lattice_protocol::contract::random::CONTRACT;

use super::*;
use crate::provider::{BoxFuture, CallInfo};

/// Opens links whose setting `say` is there: their handles answer with it. `fail` is refused,
/// `wait` never ends, `later` fails for a passing reason the first time.
#[derive(Default)]
struct Says {
    closed: Arc<AtomicUsize>,
    released: Arc<AtomicUsize>,
    tried: AtomicUsize,
}

struct Said {
    what: String,
    closed: Arc<AtomicUsize>,
    released: Arc<AtomicUsize>,
}

impl Answers for Said {
    fn answer<'a>(&'a self, call: ProviderCall<'a>) -> BoxFuture<'a, Result<Bytes, Error>> {
        Box::pin(async move {
            assert_ne!(call.operation, "panic");
            if call.operation == "hang" {
                std::future::pending::<()>().await;
            }
            Ok(Bytes::from(self.what.clone()))
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.closed.fetch_add(1, Ordering::Relaxed);
        Box::pin(std::future::ready(()))
    }

    fn release(&self) -> BoxFuture<'_, ()> {
        self.released.fetch_add(1, Ordering::Relaxed);
        Box::pin(std::future::ready(()))
    }
}

impl Provider for Says {
    fn about(&self) -> About {
        About { name: "says", contract: CONTRACT, version: "1", description: "a test's" }
    }

    fn open<'a>(&'a self, link: &'a Link) -> BoxFuture<'a, Result<Arc<dyn Answers>, Error>> {
        Box::pin(async move {
            match link.config.required("say")? {
                "fail" => Err(Error::not_started(ErrorCode::BadRequest, "not that")),
                "panic" => panic!("on purpose"),
                "later" if self.tried.fetch_add(1, Ordering::Relaxed) == 0 => {
                    Err(Error::not_started(ErrorCode::ProviderUnavailable, "not yet"))
                }
                what => {
                    let (closed, released) = (self.closed.clone(), self.released.clone());
                    let said = Said { what: what.to_owned(), closed, released };
                    Ok(Arc::new(said) as Arc<dyn Answers>)
                }
            }
        })
    }
}

struct Case {
    host: ProviderHost,
    provider: Arc<Says>,
    id: LinkId,
    at: u64,
}

impl Case {
    fn new() -> Self {
        let provider = Arc::new(Says::default());
        let host = ProviderHost::new(ProviderKey::generate().unwrap().0, provider.clone(), false);
        let source = ActorKey::generate().unwrap().0;
        Self { host, provider, id: LinkId { source, name: LinkName::default_link() }, at: 0 }
    }

    fn record(&self, say: &str) -> LinkRecord {
        LinkRecord {
            v: 1,
            source: self.id.source.clone(),
            contract: CONTRACT.name.parse().unwrap(),
            name: self.id.name.clone(),
            target: self.host.key().clone().into(),
            config: BTreeMap::from([("say".to_owned(), say.to_owned())]),
            generation: self.at,
            writer: String::new(),
        }
    }

    /// Puts the link and returns what becomes of it.
    async fn put(&mut self, say: &str) -> LinkStatus {
        self.at += 1;
        self.host.put_link(&self.record(say), self.at);
        let settled = self.host.settled(&self.id, self.at);
        tokio::time::timeout(Duration::from_secs(5), settled).await.unwrap()
    }

    async fn call(&self, operation: &str, time: Duration) -> Result<String, ErrorCode> {
        let info = CallInfo { deadline: Instant::now() + time, trace: TraceContext::default() };
        let call = ProviderCall { operation, payload: b"", info };
        let from = Origin { source: &self.id.source, link: &self.id.name };
        let answer = self.host.call(from, call).await.map_err(|error| error.code)?;
        Ok(String::from_utf8(answer.to_vec()).unwrap())
    }

    async fn says(&self) -> Result<String, ErrorCode> {
        self.call("say", Duration::from_secs(5)).await
    }
}

#[tokio::test]
async fn a_generation_that_is_refused_leaves_the_one_before_at_work() {
    let mut case = Case::new();
    assert_eq!(case.put("one").await.running, Some(1));
    assert_eq!(case.says().await, Ok("one".to_owned()));
    for wrong in ["fail", "panic", ""] {
        let status = case.put(wrong).await;
        assert_eq!(status.running, Some(1), "{wrong}");
        assert!(status.refused.is_some(), "{wrong}");
        assert_eq!(case.says().await, Ok("one".to_owned()));
    }
    assert_eq!(case.host.links().1.len(), 1);
    let status = case.put("two").await;
    assert_eq!((status.running, status.refused), (Some(5), None));
    assert_eq!(case.says().await, Ok("two".to_owned()));
    // In a task of its own.
    tokio::task::yield_now().await;
    assert_eq!(case.provider.closed.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn what_fails_for_a_passing_reason_is_opened_again() {
    let mut case = Case::new();
    let status = case.put("later").await;
    assert_eq!(status.refused.unwrap().code, ErrorCode::ProviderUnavailable);
    assert_eq!(case.says().await, Err(ErrorCode::ProviderUnavailable));
    let end = Instant::now() + Duration::from_secs(5);
    while case.says().await.is_err() {
        assert!(Instant::now() < end, "it is not opened again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(case.says().await, Ok("later".to_owned()));
}

#[tokio::test]
async fn a_call_waits_for_a_link_that_comes_and_no_longer() {
    let mut case = Case::new();
    assert_eq!(case.call("say", Duration::from_secs(5)).await, Err(ErrorCode::NoLink));
    case.at += 1;
    let (said, ()) = tokio::join!(case.says(), async {
        tokio::task::yield_now().await;
        case.host.put_link(&case.record("one"), case.at);
    });
    assert_eq!(said, Ok("one".to_owned()));
    case.host.remove_link(&case.id);
    assert_eq!(case.says().await, Err(ErrorCode::NoLink));
    assert_eq!(case.provider.closed.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_link_that_leads_elsewhere_leads_here_no_more() {
    let mut case = Case::new();
    case.put("one").await;
    let other = ProviderKey::generate().unwrap().0;
    case.host.put_link(&LinkRecord { target: other.into(), ..case.record("one") }, 9);
    assert_eq!(case.says().await, Err(ErrorCode::NoLink));
    // A link of another contract is none of this provider's.
    case.put("one").await;
    let contract = "mesh:keyvalue".parse().unwrap();
    case.host.put_link(&LinkRecord { contract, ..case.record("fail") }, 10);
    assert_eq!(case.says().await, Ok("one".to_owned()));
}

#[tokio::test]
async fn a_call_that_panics_or_hangs_harms_no_other() {
    let mut case = Case::new();
    case.put("one").await;
    let soon = Duration::from_millis(50);
    assert_eq!(case.call("panic", soon).await, Err(ErrorCode::Internal));
    assert_eq!(case.call("hang", soon).await, Err(ErrorCode::DeadlineExceeded));
    assert_eq!(case.says().await, Ok("one".to_owned()));
    assert_eq!(case.host.calls(), (3, 0));
}

#[tokio::test]
async fn a_drain_waits_for_calls_and_takes_no_more() {
    let mut case = Case::new();
    case.put("one").await;
    assert_eq!(case.host.quiet(Duration::from_secs(1)).await, 0);
    assert_eq!(case.provider.closed.load(Ordering::Relaxed), 1);
    assert_eq!(case.says().await, Ok("one".to_owned()), "calls are still answered");
    assert_eq!(case.provider.released.load(Ordering::Relaxed), 0);
    // What is opened from now on is not opened.
    case.host.put_link(&case.record("two"), 2);
    assert_eq!(case.says().await, Ok("one".to_owned()));
    let hang = case.call("hang", Duration::from_millis(300));
    let finish = async {
        tokio::task::yield_now().await;
        (
            case.host.finish(Duration::from_millis(20)).await,
            case.host.finish(Duration::from_secs(5)).await,
        )
    };
    let (hung, left) = tokio::join!(hang, finish);
    assert_eq!((hung, left), (Err(ErrorCode::DeadlineExceeded), (1, 0)));
    assert!(case.provider.released.load(Ordering::Relaxed) > 0);
    assert_eq!(case.says().await, Err(ErrorCode::Draining));
}
