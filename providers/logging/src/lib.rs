//! The `mesh:logging` provider: lines of actors go to the log of the process that runs it, under
//! the target `actor`, with who wrote them.
//!
//! | setting | meaning | default |
//! |---|---|---|
//! | `level` | `error`, `warn`, `info`, `debug` or `trace`: lines that matter less are left out | `trace` |
//!
//! The filter of the process's own log (`RUST_LOG`, such as `info,actor=debug`) comes after it. A
//! line has the fields `actor`, `link`, `fields` (what the actor added, as a JSON object) and
//! `traceparent` where the call has one. Time and node are those of the log.

mod line;

use std::sync::Arc;

use lattice_protocol::Error;
use lattice_protocol::contract::Empty;
use lattice_protocol::contract::logging::{CONTRACT, Level, Line};
use mesh_provider::contract::{Logging, ServedLogging};
use mesh_provider::{About, Answers, BoxFuture, CallInfo, Config, Context, Link, LinkId, Provider};

/// What the provider is.
pub const ABOUT: About = About {
    name: "logging",
    contract: CONTRACT,
    version: env!("CARGO_PKG_VERSION"),
    description: "lines of actors in the log of their node",
};

/// The setting of a link.
const LEVEL: &str = "level";

/// Makes the provider.
pub fn provider(_context: &Context) -> Arc<dyn Provider> {
    Arc::new(LoggingProvider)
}

/// The provider.
#[derive(Clone, Copy, Debug)]
pub struct LoggingProvider;

impl Provider for LoggingProvider {
    fn about(&self) -> About {
        ABOUT
    }

    fn open<'a>(&'a self, link: &'a Link) -> BoxFuture<'a, Result<Arc<dyn Answers>, Error>> {
        let opened = level(&link.config).map(|level| {
            let log = Log { link: link.id.clone(), level };
            Arc::new(ServedLogging(log)) as Arc<dyn Answers>
        });
        Box::pin(std::future::ready(opened))
    }
}

/// Reads the least level that a link's lines must have.
fn level(config: &Config) -> Result<Level, Error> {
    config.only(&[LEVEL])?;
    match config.text(LEVEL) {
        None | Some("trace") => Ok(Level::Trace),
        Some("error") => Ok(Level::Error),
        Some("warn") => Ok(Level::Warn),
        Some("info") => Ok(Level::Info),
        Some("debug") => Ok(Level::Debug),
        Some(other) => Err(mesh_provider::wrong(
            LEVEL,
            format!("of {other:?} is none of error, warn, info, debug, trace"),
        )),
    }
}

/// The log as one link writes it.
struct Log {
    link: LinkId,
    level: Level,
}

impl Logging for Log {
    async fn write(&self, line: Line, info: &CallInfo) -> Result<Empty, Error> {
        if line.level <= self.level {
            line::write(&self.link, &line, info.trace.traceparent.as_deref());
        }
        Ok(Empty {})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_one_of_five() {
        let read = |text: &str| level(&Config::of([(LEVEL, text)]));
        assert_eq!(level(&Config::default()), Ok(Level::Trace));
        assert_eq!(read("warn"), Ok(Level::Warn));
        assert!(read("loud").unwrap_err().message.contains("level"));
        assert!(level(&Config::of([("levle", "warn")])).unwrap_err().message.contains("levle"));
        assert!(Level::Error < Level::Trace, "what matters more comes first");
    }
}
