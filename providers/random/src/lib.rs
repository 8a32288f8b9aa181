//! The `mesh:random` provider: GUIDs, bytes and integers by chance, from the randomness of the
//! operating system.
//!
//! A link has no settings. Each answer comes from a generator of its own (ChaCha12) that the
//! operating system seeds, so that no answer tells anything about another one.

use std::sync::Arc;

use lattice_protocol::contract::Empty;
use lattice_protocol::contract::random::{Bytes, BytesRequest, CONTRACT, Guid, Integer, Range};
use lattice_protocol::{Error, ErrorCode};
use mesh_provider::contract::{Random, ServedRandom};
use mesh_provider::{About, Answers, BoxFuture, CallInfo, Context, Link, Provider};
use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};

/// What the provider is.
pub const ABOUT: About = About {
    name: "random",
    contract: CONTRACT,
    version: env!("CARGO_PKG_VERSION"),
    description: "GUIDs, bytes and integers from the randomness of the operating system",
};

/// Makes the provider.
pub fn provider(_context: &Context) -> Arc<dyn Provider> {
    Arc::new(RandomProvider)
}

/// The provider.
#[derive(Clone, Copy, Debug)]
pub struct RandomProvider;

impl Provider for RandomProvider {
    fn about(&self) -> About {
        ABOUT
    }

    fn open<'a>(&'a self, link: &'a Link) -> BoxFuture<'a, Result<Arc<dyn Answers>, Error>> {
        let opened = link.config.only(&[]);
        let opened = opened.map(|()| Arc::new(ServedRandom(Chance)) as Arc<dyn Answers>);
        Box::pin(std::future::ready(opened))
    }
}

/// What answers over a link: it keeps nothing.
struct Chance;

/// Returns a generator that nobody else uses.
fn generator() -> Result<StdRng, Error> {
    StdRng::try_from_os_rng().map_err(|error| {
        Error::not_started(
            ErrorCode::Internal,
            format!("the operating system gives no randomness: {error}"),
        )
    })
}

impl Random for Chance {
    async fn guid(&self, _: Empty, _: &CallInfo) -> Result<Guid, Error> {
        let mut bytes = [0; 16];
        generator()?.fill_bytes(&mut bytes);
        let guid = uuid::Builder::from_random_bytes(bytes).into_uuid();
        Ok(Guid { guid: guid.as_hyphenated().to_string() })
    }

    async fn bytes(&self, request: BytesRequest, _: &CallInfo) -> Result<Bytes, Error> {
        let length = usize::try_from(request.length).unwrap_or(usize::MAX);
        let mut bytes = vec![0; length];
        generator()?.fill_bytes(&mut bytes);
        Ok(Bytes { bytes })
    }

    async fn integer(&self, Range { min, max }: Range, _: &CallInfo) -> Result<Integer, Error> {
        Ok(Integer { value: generator()?.random_range(min..=max) })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use lattice_client::TraceContext;
    use lattice_protocol::contract::Message;

    use super::*;

    fn info() -> CallInfo {
        CallInfo { deadline: Instant::now(), trace: TraceContext::default() }
    }

    #[tokio::test]
    async fn what_is_made_is_what_the_contract_says() {
        let guid = Chance.guid(Empty {}, &info()).await.unwrap();
        assert_eq!(guid.check(), Ok(()));
        assert_eq!(guid.guid.as_bytes()[14], b'4');
        let bytes = Chance.bytes(BytesRequest { length: 65_536 }, &info()).await.unwrap().bytes;
        assert_eq!(bytes.len(), 65_536);
        assert!((0..=u8::MAX).all(|byte| bytes.contains(&byte)));
    }

    #[tokio::test]
    async fn an_integer_is_within_its_bounds_both_included() {
        let mut seen = [false; 3];
        for _ in 0..1_000 {
            let integer = Chance.integer(Range { min: -1, max: 1 }, &info()).await.unwrap();
            seen[usize::try_from(integer.value + 1).unwrap()] = true;
        }
        assert_eq!(seen, [true; 3]);
        for edge in [i64::MIN, i64::MAX] {
            let only = Chance.integer(Range { min: edge, max: edge }, &info()).await.unwrap();
            assert_eq!(only.value, edge);
        }
        assert!(Chance.integer(Range { min: i64::MIN, max: i64::MAX }, &info()).await.is_ok());
    }
}
