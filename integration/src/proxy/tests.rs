//! The proxy between two real sockets.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::{Cut, Direction, FaultProxy, Flow};

const SOON: Duration = Duration::from_secs(10);
/// Long enough for what is handed on to have arrived.
const SILENCE: Duration = Duration::from_millis(150);

/// Both ends of one connection through a proxy.
struct Pair {
    proxy: FaultProxy,
    near: TcpStream,
    far: TcpStream,
    listener: TcpListener,
}

async fn pair() -> Pair {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to: SocketAddr = listener.local_addr().unwrap();
    let proxy = FaultProxy::start(to).await.unwrap();
    let near = TcpStream::connect(proxy.address()).await.unwrap();
    let (far, _) = timeout(SOON, listener.accept()).await.unwrap().unwrap();
    Pair { proxy, near, far, listener }
}

async fn read(stream: &mut TcpStream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    timeout(SOON, stream.read_exact(&mut bytes)).await.unwrap().unwrap();
    bytes
}

async fn is_silent(stream: &mut TcpStream) -> bool {
    timeout(SILENCE, stream.read_u8()).await.is_err()
}

#[tokio::test]
async fn it_is_faithful_both_ways_and_to_the_end() {
    let Pair { proxy, mut near, mut far, .. } = pair().await;
    let much: Vec<u8> = (0..300_000u32).map(|number| number as u8).collect();
    near.write_all(&much).await.unwrap();
    assert_eq!(read(&mut far, much.len()).await, much);
    far.write_all(b"back").await.unwrap();
    assert_eq!(read(&mut near, 4).await, b"back");
    assert_eq!((proxy.open(), proxy.made()), (1, 1));
    drop(near);
    assert_eq!(timeout(SOON, far.read(&mut [0; 1])).await.unwrap().unwrap(), 0);
}

#[tokio::test]
async fn a_delay_is_each_ways_and_can_change() {
    let Pair { proxy, mut near, mut far, .. } = pair().await;
    for ms in [40, 0, 80] {
        let one_way = Duration::from_millis(ms);
        proxy.delay(one_way);
        let begun = Instant::now();
        near.write_all(b"a").await.unwrap();
        read(&mut far, 1).await;
        assert!(begun.elapsed() >= one_way);
        far.write_all(b"b").await.unwrap();
        read(&mut near, 1).await;
        assert!(begun.elapsed() >= 2 * one_way, "{:?}", begun.elapsed());
        assert!(begun.elapsed() < 2 * one_way + Duration::from_secs(2));
    }
}

/// Timers of whole milliseconds would make a quarter of all ways there and back take 0.7 ms more, every time.
#[tokio::test]
async fn a_delay_of_less_than_a_millisecond_is_hardly_longer_than_that() {
    const WAYS: usize = 48;
    let Pair { proxy, mut near, mut far, .. } = pair().await;
    for one_way in [0, 500].map(Duration::from_micros) {
        proxy.delay(one_way);
        let mut quarter = async || {
            let mut took = Vec::new();
            for _ in 0..WAYS {
                let begun = Instant::now();
                near.write_all(b"a").await.unwrap();
                read(&mut far, 1).await;
                far.write_all(b"b").await.unwrap();
                read(&mut near, 1).await;
                took.push(begun.elapsed());
            }
            took.sort();
            assert!(took[0] >= 2 * one_way, "{took:?}");
            took[WAYS / 4]
        };
        let most = 2 * one_way + Duration::from_micros(500);
        // A machine that does other things may hold up any of them, but not for ever.
        for attempt in 1.. {
            let took = quarter().await;
            if took < most {
                break;
            }
            assert!(attempt < 20, "{took:?} instead of {most:?}");
        }
    }
}

#[tokio::test]
async fn bandwidth_bounds_what_arrives_in_a_time() {
    let Pair { proxy, mut near, mut far, .. } = pair().await;
    proxy.bandwidth(Some(1_000_000));
    let begun = Instant::now();
    let much = vec![1; 200_000];
    near.write_all(&much).await.unwrap();
    read(&mut far, much.len()).await;
    assert!(begun.elapsed() >= Duration::from_millis(190), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn what_is_held_goes_on_whole_and_in_order() {
    let Pair { proxy, mut near, mut far, .. } = pair().await;
    proxy.flow(Direction::There, Flow::Held);
    for part in [b"one".as_slice(), b"two", b"three"] {
        near.write_all(part).await.unwrap();
    }
    assert!(is_silent(&mut far).await);
    // The other direction is another matter.
    far.write_all(b"back").await.unwrap();
    assert_eq!(read(&mut near, 4).await, b"back");
    proxy.heal();
    assert_eq!(read(&mut far, 11).await, b"onetwothree");
}

#[tokio::test]
async fn the_end_of_a_connection_is_held_too() {
    let Pair { proxy, mut near, far, .. } = pair().await;
    proxy.flow(Direction::Back, Flow::Held);
    drop(far);
    assert!(is_silent(&mut near).await, "it was told of the end");
    proxy.heal();
    assert!(timeout(SOON, near.read_u8()).await.unwrap().is_err());
}

#[tokio::test]
async fn a_half_open_connection_swallows_one_way_and_is_reset_when_healed() {
    let Pair { proxy, mut near, mut far, listener } = pair().await;
    proxy.flow(Direction::There, Flow::Swallowed);
    near.write_all(b"gone").await.unwrap();
    assert!(is_silent(&mut far).await);
    far.write_all(b"back").await.unwrap();
    assert_eq!(read(&mut near, 4).await, b"back");
    proxy.heal();
    let error = timeout(SOON, near.read_u8()).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert!(timeout(SOON, far.read_u8()).await.unwrap().is_err(), "and never a byte after it");
    // A new one is whole.
    let mut near = TcpStream::connect(proxy.address()).await.unwrap();
    let (mut far, _) = timeout(SOON, listener.accept()).await.unwrap().unwrap();
    near.write_all(b"new").await.unwrap();
    assert_eq!(read(&mut far, 3).await, b"new");
}

#[tokio::test]
async fn a_cut_ends_what_there_is_and_nothing_later() {
    for how in [Cut::Close, Cut::Reset] {
        let Pair { proxy, mut near, mut far, listener } = pair().await;
        proxy.cut(how);
        for stream in [&mut near, &mut far] {
            let error = timeout(SOON, stream.read_u8()).await.unwrap().unwrap_err();
            let expected = match how {
                Cut::Close => ErrorKind::UnexpectedEof,
                Cut::Reset => ErrorKind::ConnectionReset,
            };
            assert_eq!(error.kind(), expected);
        }
        let mut near = TcpStream::connect(proxy.address()).await.unwrap();
        let (mut far, _) = timeout(SOON, listener.accept()).await.unwrap().unwrap();
        near.write_all(b"new").await.unwrap();
        assert_eq!(read(&mut far, 3).await, b"new");
    }
}

#[tokio::test]
async fn who_is_refused_is_so_until_healed() {
    let Pair { proxy, mut near, mut far, listener } = pair().await;
    proxy.refuse();
    let mut refused = TcpStream::connect(proxy.address()).await.unwrap();
    assert!(timeout(SOON, refused.read_u8()).await.unwrap().is_err());
    assert_eq!(proxy.refused(), 1);
    // What there is stays.
    near.write_all(b"old").await.unwrap();
    assert_eq!(read(&mut far, 3).await, b"old");
    proxy.heal();
    let _near = TcpStream::connect(proxy.address()).await.unwrap();
    timeout(SOON, listener.accept()).await.unwrap().unwrap();
}
