//! A member of a queue group leaves over a link with a delay: nothing is lost.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_nats::Message;
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use integration::harness::{NatsServer, wait_until};
use integration::proxy::FaultProxy;
use integration::testbed::{SOON, Testbed};
use lattice_client::serve::{Delivery, Handler, ServeOptions, Serving};
use lattice_client::{ConnectOptions, Lattice};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

const ONE_WAY: Duration = Duration::from_millis(2);
const REPLACEMENTS: usize = 25;
/// Messages of one step of the stream, and the time between two: 4,000 a second.
const STEP_MESSAGES: usize = 8;
const STEP_MS: u64 = 2;
const MESSAGES_MAX: usize = 400_000;
const SUBJECT: &str = "fence.numbers";
const GROUP: &str = "members";

/// How often each number arrived.
#[derive(Clone)]
struct Arrived(Arc<Vec<AtomicU32>>);

impl Arrived {
    fn new() -> Self {
        Self(Arc::new((0..MESSAGES_MAX).map(|_| AtomicU32::new(0)).collect()))
    }

    fn count(&self, message: &Message) {
        let number: usize = std::str::from_utf8(&message.payload).unwrap().parse().unwrap();
        self.0[number].fetch_add(1, Ordering::Relaxed);
    }

    fn of(&self, sent: usize, times: impl Fn(u32) -> bool) -> usize {
        self.0[..sent].iter().filter(|count| times(count.load(Ordering::Relaxed))).count()
    }
}

impl Handler for Arrived {
    async fn handle(&self, delivery: Delivery) {
        let message = delivery.message;
        self.count(&message);
    }

    async fn refuse(&self, _message: Message) {
        panic!("there is room for all");
    }
}

/// A stream of numbers that runs until it is told to stop.
struct Numbers {
    stop: CancellationToken,
    task: JoinHandle<(usize, Duration)>,
}

impl Numbers {
    fn start(from: async_nats::Client) -> Self {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            let mut steps = interval(Duration::from_millis(STEP_MS));
            // A machine that is late catches up: the rate is what the test is about.
            steps.set_missed_tick_behavior(MissedTickBehavior::Burst);
            let (mut sent, begun) = (0, std::time::Instant::now());
            while !stopped.is_cancelled() && sent + STEP_MESSAGES <= MESSAGES_MAX {
                steps.tick().await;
                for _ in 0..STEP_MESSAGES {
                    from.publish(SUBJECT, sent.to_string().into()).await.unwrap();
                    sent += 1;
                }
            }
            let took = begun.elapsed();
            from.flush().await.unwrap();
            (sent, took)
        });
        Self { stop, task }
    }

    /// Returns how many were sent, at no less than the rate that the test promises.
    async fn stop(self) -> usize {
        self.stop.cancel();
        let (sent, took) = self.task.await.unwrap();
        let rate = sent as f64 / took.as_secs_f64();
        assert!(rate >= 3_000.0, "only {rate:.0} messages a second");
        sent
    }
}

/// A server behind a link with a delay, and a client before it.
async fn link() -> (NatsServer, FaultProxy, async_nats::Client) {
    let server = NatsServer::start().await.unwrap();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()));
    let proxy = FaultProxy::start(address).await.unwrap();
    proxy.delay(ONE_WAY);
    let near = server.connect().await.unwrap();
    (server, proxy, near)
}

/// Waits until `client`'s server has sent it at least so many messages of the stream more.
async fn let_some_arrive(arrived: &Arrived) {
    let before = arrived.of(MESSAGES_MAX, |count| count > 0);
    wait_until("some messages", SOON, async || {
        arrived.of(MESSAGES_MAX, |count| count > 0) >= before + 100
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_is_replaced_loses_nothing() {
    let (_server, proxy, near) = link().await;
    let arrived = Arrived::new();
    let join = async || -> (Lattice, Serving) {
        let member = Lattice::connect(ConnectOptions::url(proxy.url())).await.unwrap();
        let options = ServeOptions {
            subject: SUBJECT.to_owned(),
            queue_group: Some(GROUP.to_owned()),
            in_flight_max: MESSAGES_MAX,
            sheds: false,
        };
        let serving = member.serve(options, Arc::new(arrived.clone())).await.unwrap();
        (member, serving)
    };
    let mut members = vec![join().await, join().await];
    let numbers = Numbers::start(near);
    for _ in 0..REPLACEMENTS {
        let_some_arrive(&arrived).await;
        members.push(join().await);
        let (member, serving) = members.remove(0);
        let drained = serving.drain(SOON).await;
        assert!(drained.fenced && drained.unfinished == 0, "{drained:?}");
        member.close().await;
    }
    let sent = numbers.stop().await;
    for (member, serving) in members {
        serving.drain(SOON).await;
        member.close().await;
    }
    assert_eq!(arrived.of(sent, |count| count == 0), 0, "of {sent} messages were lost");
    assert_eq!(arrived.of(sent, |count| count > 1), 0, "of {sent} messages came twice");
}

/// Holds up who reads at its first message, so that the others wait to be read.
struct HeldUp {
    arrived: AtomicU32,
    held: std::sync::Barrier,
}

impl Handler for HeldUp {
    async fn handle(&self, _delivery: Delivery) {
        if self.arrived.fetch_add(1, Ordering::SeqCst) == 0 {
            // Twice: it has begun, and it may go on.
            self.held.wait();
            self.held.wait();
        }
    }

    async fn refuse(&self, _message: Message) {
        panic!("there is room for all");
    }
}

/// More than one turn of a task may read, and more than one batch.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_drain_handles_all_that_waits_however_much_it_is() {
    const WAITING: u32 = 5_000;
    let bed = Testbed::start("backlog").await.unwrap();
    let held = HeldUp { arrived: AtomicU32::new(0), held: std::sync::Barrier::new(2) };
    let held = Arc::new(held);
    let options = ServeOptions {
        subject: SUBJECT.to_owned(),
        queue_group: Some(GROUP.to_owned()),
        in_flight_max: MESSAGES_MAX,
        sheds: false,
    };
    let serving = bed.lattice().serve(options, held.clone()).await.unwrap();
    let far = bed.another_client().await.unwrap();
    far.nats().publish(SUBJECT, "first".into()).await.unwrap();
    far.nats().flush().await.unwrap();
    let wait =
        |held: Arc<HeldUp>| tokio::task::spawn_blocking(move || held.held.wait().is_leader());
    wait(held.clone()).await.unwrap();
    for _ in 0..WAITING {
        far.nats().publish(SUBJECT, "more".into()).await.unwrap();
    }
    assert!(far.fence().await);
    let drain = tokio::spawn(serving.drain(SOON));
    tokio::task::yield_now().await;
    wait(held.clone()).await.unwrap();
    let drained = drain.await.unwrap();
    assert!(drained.fenced && drained.unfinished == 0, "{drained:?}");
    assert_eq!(held.arrived.load(Ordering::SeqCst), WAITING + 1);
}

/// What async-nats offers by itself, on the very same link: it is why the fence exists, and why
/// the test above can fail.
#[tokio::test(flavor = "multi_thread")]
async fn the_drain_of_the_nats_client_alone_loses_messages() {
    let (_server, proxy, near) = link().await;
    let arrived = Arrived::new();
    let join = async || {
        let member = async_nats::connect(proxy.url()).await.unwrap();
        let mut messages = member.queue_subscribe(SUBJECT, GROUP.to_owned()).await.unwrap();
        // Behind the subscription on the same connection: the server knows it now.
        member.request("nobody", Bytes::new()).await.unwrap_err();
        let leave = CancellationToken::new();
        let (left, arrived) = (leave.clone(), arrived.clone());
        let task = tokio::spawn(async move {
            loop {
                tokio::select! {
                    message = messages.next() => arrived.count(&message.unwrap()),
                    () = left.cancelled() => break,
                }
            }
            messages.drain().await.unwrap();
            while let Some(message) = messages.next().await {
                arrived.count(&message);
            }
        });
        (leave, task, member)
    };
    let mut members = vec![join().await, join().await];
    let numbers = Numbers::start(near);
    for _ in 0..REPLACEMENTS {
        let_some_arrive(&arrived).await;
        members.push(join().await);
        let (leave, task, _member) = members.remove(0);
        leave.cancel();
        task.await.unwrap();
    }
    let sent = numbers.stop().await;
    for (leave, task, member) in members {
        // Behind all that was sent: what is lost from here on would not be the drain's fault.
        member.request("nobody", Bytes::new()).await.unwrap_err();
        leave.cancel();
        task.await.unwrap();
    }
    let lost = arrived.of(sent, |count| count == 0);
    assert!(lost > 0, "it lost none of {sent}: is the fence still needed?");
}

/// What `lattice-client/src/fence.rs` relies on: a server that read more digits would go on
/// sending, and every drain would end in its bound.
#[tokio::test]
async fn the_server_stops_sending_at_a_count_that_it_can_not_read() {
    let bed = Testbed::start("stop").await.unwrap();
    let far = bed.another_client().await.unwrap();
    let (client, other) = (bed.lattice().nats(), far.nats());

    // A count that it can read leaves the subscription in place until then.
    let mut counted = client.subscribe("counted").await.unwrap();
    counted.unsubscribe_after(2).await.unwrap();
    assert!(bed.lattice().fence().await);
    other.publish("counted", "1".into()).await.unwrap();
    other.publish("counted", "2".into()).await.unwrap();
    other.publish("counted", "3".into()).await.unwrap();
    let (first, second) = (counted.next().await.unwrap(), counted.next().await.unwrap());
    assert_eq!((&first.payload[..], &second.payload[..]), (&b"1"[..], &b"2"[..]));
    assert!(counted.next().await.is_none());

    // One that it can't ends it there and then, and only there.
    let mut stopped = client.subscribe("stopped").await.unwrap();
    assert!(bed.lattice().fence().await);
    other.publish("stopped", "before".into()).await.unwrap();
    assert!(far.fence().await);
    stopped.unsubscribe_after(u64::MAX).await.unwrap();
    assert!(bed.lattice().fence().await);
    let refused = other.request("stopped", "after".into()).await.unwrap_err();
    assert_eq!(refused.kind(), async_nats::RequestErrorKind::NoResponders);
    assert!(bed.lattice().fence().await);
    assert_eq!(stopped.next().await.unwrap().payload, "before");
    assert!(stopped.next().now_or_never().is_none(), "the client keeps it open, and empty");
}
