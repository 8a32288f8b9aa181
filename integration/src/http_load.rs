//! A load of HTTP requests over connections that are kept, each answer checked.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;

/// Time that one request may take before it counts as failed.
const REQUEST_TIMEOUT_MS: u64 = 10_000;
/// Requests of one load; it ends by itself then.
const REQUESTS_MAX: u64 = 20_000_000;
/// Reasons that are told apart.
const REASONS_MAX: usize = 50;

/// What an answer is taken for: how it is counted, or why it is wrong.
pub type Judge = fn(status: u16, body: &[u8]) -> Result<String, String>;

/// What a load saw.
#[derive(Clone, Debug, Default)]
pub struct HttpTally {
    /// Requests that were made.
    pub requests: u64,
    /// Those that got no answer, or a wrong one.
    pub failed: u64,
    /// Why, and how often.
    pub errors: BTreeMap<String, u64>,
    /// The others, by what they were taken for.
    pub kinds: BTreeMap<String, u64>,
    /// Microseconds of each request that did not fail, sorted.
    pub latencies_us: Vec<u32>,
    /// How long the load ran.
    pub took: Duration,
}

impl HttpTally {
    /// Returns the requests a second.
    pub fn rate(&self) -> f64 {
        self.requests as f64 / self.took.as_secs_f64().max(f64::EPSILON)
    }

    /// Returns the latency that `share` (0..=1) of the requests did not exceed, in microseconds.
    pub fn quantile_us(&self, share: f64) -> u32 {
        crate::report::quantile(&self.latencies_us, share)
    }

    fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.failed += other.failed;
        for (reason, count) in other.errors {
            *self.errors.entry(reason).or_default() += count;
        }
        for (kind, count) in other.kinds {
            *self.kinds.entry(kind).or_default() += count;
        }
        self.latencies_us.extend(other.latencies_us);
    }

    fn fail(&mut self, reason: String) {
        self.failed += 1;
        let reason = if self.errors.len() < REASONS_MAX { reason } else { "others".to_owned() };
        *self.errors.entry(reason).or_default() += 1;
    }
}

/// A load that runs.
pub struct HttpLoad {
    workers: JoinSet<HttpTally>,
    stop: CancellationToken,
    answered: Arc<AtomicU64>,
    begun: Instant,
}

impl HttpLoad {
    /// Starts asking for `path` over `connections` connections, one request at a time on each.
    pub fn start(address: SocketAddr, path: &str, connections: usize, judge: Judge) -> Self {
        let stop = CancellationToken::new();
        let answered = Arc::<AtomicU64>::default();
        let mut workers = JoinSet::new();
        for _ in 0..connections {
            let (path, stop, answered) = (path.to_owned(), stop.clone(), answered.clone());
            let share = REQUESTS_MAX.div_ceil(connections.max(1) as u64);
            workers.spawn(worker(address, path, judge, stop, answered, share));
        }
        Self { workers, stop, answered, begun: Instant::now() }
    }

    /// Returns how many requests have an answer so far.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Ends the load after the requests under way, and returns what it saw.
    ///
    /// # Errors
    /// When a worker panicked.
    pub async fn stop(mut self) -> anyhow::Result<HttpTally> {
        self.stop.cancel();
        let mut total = HttpTally { took: self.begun.elapsed(), ..HttpTally::default() };
        while let Some(tally) = self.workers.join_next().await {
            total.add(tally?);
        }
        total.latencies_us.sort_unstable();
        Ok(total)
    }
}

async fn worker(
    address: SocketAddr,
    path: String,
    judge: Judge,
    stop: CancellationToken,
    answered: Arc<AtomicU64>,
    share: u64,
) -> HttpTally {
    let mut tally = HttpTally::default();
    let mut connection = None;
    while tally.requests < share && !stop.is_cancelled() {
        let sent = Instant::now();
        let bound = Duration::from_millis(REQUEST_TIMEOUT_MS);
        let asked = tokio::time::timeout(bound, ask(&mut connection, address, &path)).await;
        tally.requests += 1;
        let outcome = match asked {
            Ok(Ok((status, body))) => judge(status, &body),
            Ok(Err(error)) => Err(format!("{error:#}")),
            Err(_) => Err(format!("no answer within {bound:?}")),
        };
        match outcome {
            Ok(kind) => {
                *tally.kinds.entry(kind).or_default() += 1;
                let took = sent.elapsed().as_micros();
                tally.latencies_us.push(u32::try_from(took).unwrap_or(u32::MAX));
                answered.fetch_add(1, Ordering::Relaxed);
            }
            Err(reason) => {
                tally.fail(reason);
                connection = None;
                // Whoever refuses at once must not be asked as fast as this loop runs.
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }
    tally
}

/// A connection, and the task that drives it.
struct Kept {
    sender: SendRequest<Empty<Bytes>>,
    driver: AbortHandle,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

async fn ask(
    connection: &mut Option<Kept>,
    address: SocketAddr,
    path: &str,
) -> anyhow::Result<(u16, Bytes)> {
    // A server may close a connection that is kept, and says so in its last answer.
    if connection.as_ref().is_some_and(|kept| kept.sender.is_closed()) {
        *connection = None;
    }
    if connection.is_none() {
        let stream = TcpStream::connect(address).await.context("connect")?;
        stream.set_nodelay(true)?;
        let (sender, driver) = http1::handshake(TokioIo::new(stream)).await?;
        // It ends with the connection, or when the connection is dropped.
        let driver = tokio::spawn(async move { drop(driver.await) }).abort_handle();
        *connection = Some(Kept { sender, driver });
    }
    let kept = connection.as_mut().context("there is a connection")?;
    kept.sender.ready().await?;
    let request = Request::get(path)
        .header("host", address.to_string())
        .body(Empty::<Bytes>::new())
        .context("a request")?;
    let response = kept.sender.send_request(request).await?;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await?.to_bytes();
    Ok((status, body))
}

/// Asks once, over a connection of its own.
///
/// # Errors
/// When there is no answer.
pub async fn get(address: SocketAddr, path: &str) -> anyhow::Result<(u16, Bytes)> {
    let bound = Duration::from_millis(REQUEST_TIMEOUT_MS);
    tokio::time::timeout(bound, ask(&mut None, address, path)).await.context("no answer in time")?
}
