//! Which link a request belongs to. Readers take a snapshot without a lock; a change makes the next.

mod host;
mod table;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use lattice_protocol::contract::http::config;
use lattice_protocol::{Error, ErrorCode};
use mesh_provider::{Link, LinkId, wrong};

use host::HostPattern;
pub use host::host_of;
use table::Table;

use crate::limits;
use crate::options::Limits;

/// Setting of a link: time for a call.
pub const TIMEOUT_MS: &str = "timeout_ms";
/// Setting of a link: size of a request's body.
pub const BODY_MAX_BYTES: &str = "body_max_bytes";

/// What a link routes by, and what its requests get.
#[derive(Debug)]
pub struct Route {
    /// The link whose source is called.
    pub link: LinkId,
    /// Time for a call.
    pub timeout: Duration,
    /// Size of a body.
    pub body_bytes_max: usize,
    host: HostPattern,
    path: Box<str>,
}

impl Route {
    /// Reads the settings of a link.
    ///
    /// # Errors
    /// `bad_request` naming the setting that is wrong.
    pub fn read(link: &Link, limits: &Limits) -> Result<Self, Error> {
        let settings = &link.config;
        settings.only(&[config::HOST, config::PATH, TIMEOUT_MS, BODY_MAX_BYTES])?;
        let timeout = settings.duration_ms(TIMEOUT_MS, 1, limits::CALL_TIMEOUT_MAX_MS)?;
        let most = limits::BODY_BYTES_LINK_MAX.min(limits.bodies_held_bytes_max);
        let body_bytes_max = settings.within(BODY_MAX_BYTES, 0, most)?;
        Ok(Self {
            link: link.id.clone(),
            timeout: timeout.unwrap_or(Duration::from_millis(limits::CALL_TIMEOUT_DEFAULT_MS)),
            body_bytes_max: body_bytes_max.unwrap_or(limits.body_bytes_max),
            host: HostPattern::read(config::HOST, settings.text(config::HOST))?,
            path: read_path(settings.text(config::PATH).unwrap_or("/"))?,
        })
    }
}

fn read_path(text: &str) -> Result<Box<str>, Error> {
    let wrong = |why: String| Err(wrong(config::PATH, why));
    let text = text.trim();
    if text.len() > limits::ROUTE_PATH_BYTES_MAX {
        return wrong(format!("is longer than {} bytes", limits::ROUTE_PATH_BYTES_MAX));
    }
    let path = text.strip_suffix('/').unwrap_or(text);
    if path.is_empty() && text == "/" {
        return Ok("/".into());
    }
    let sound = |part: &str| {
        !matches!(part, "" | "." | "..")
            && part.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#'))
    };
    let Some(parts) = path.strip_prefix('/') else {
        return wrong(format!("of {text:?} does not begin with /"));
    };
    if !parts.split('/').all(sound) {
        return wrong(format!(
            "of {text:?} is no prefix of a path: give whole parts as they are sent, such as \
             /orders or /v1/orders (other than printable ASCII as %…)"
        ));
    }
    if parts.split('/').count() > limits::ROUTE_PATH_PARTS_MAX {
        return wrong(format!("has more than {} parts", limits::ROUTE_PATH_PARTS_MAX));
    }
    Ok(path.into())
}

/// The routes of all links.
#[derive(Default)]
pub struct Routes {
    table: ArcSwap<Table<Route>>,
    changing: Mutex<()>,
}

impl Routes {
    /// Returns the route that fits best.
    pub fn find(&self, host: Option<&str>, path: &str) -> Option<Arc<Route>> {
        self.table.load().find(host, path).cloned()
    }

    /// Adds a route; one of the same link is replaced.
    ///
    /// # Errors
    /// `bad_request` naming the link that has the same host and path.
    pub fn add(&self, route: Route) -> Result<Arc<Route>, Error> {
        let route = Arc::new(route);
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut table = Table::clone(&self.table.load());
        if let Some(other) = table.get(&route.host, &route.path)
            && other.link != route.link
        {
            let (link, actor) = (&other.link.name, &other.link.source);
            return Err(Error::not_started(
                ErrorCode::BadRequest,
                format!(
                    "requests for host {} and path {} go over the link {link} of {actor} already",
                    route.host, route.path
                ),
            ));
        }
        table.set(&route.host, &route.path, Some(route.clone()));
        self.table.store(Arc::new(table));
        Ok(route)
    }

    /// Takes out a route, unless another one is in its place.
    pub fn remove(&self, route: &Arc<Route>) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut table = Table::clone(&self.table.load());
        if table.get(&route.host, &route.path).is_some_and(|there| Arc::ptr_eq(there, route)) {
            table.set(&route.host, &route.path, None);
            self.table.store(Arc::new(table));
        }
    }
}

#[cfg(test)]
mod tests {
    use lattice_protocol::keys::ActorKey;
    use mesh_provider::Config;

    use super::*;

    fn link(actor: &ActorKey, name: &str, config: &[(&str, &str)]) -> Link {
        let id = LinkId { source: actor.clone(), name: name.parse().unwrap() };
        Link { id, config: Config::of(config.iter().copied()), generation: 1 }
    }

    fn actor() -> ActorKey {
        ActorKey::generate().unwrap().0
    }

    fn read(config: &[(&str, &str)]) -> Result<Route, Error> {
        Route::read(&link(&actor(), "default", config), &Limits::default())
    }

    #[test]
    fn settings_have_defaults_and_bounds() {
        let route = read(&[]).unwrap();
        assert_eq!((&route.host, &*route.path), (&HostPattern::Any, "/"));
        assert_eq!(route.timeout, Duration::from_secs(10));
        assert_eq!(route.body_bytes_max, limits::BODY_BYTES_MAX);
        let route =
            read(&[("path", "/a/b/"), ("timeout_ms", "5"), ("body_max_bytes", "0")]).unwrap();
        assert_eq!((&*route.path, route.body_bytes_max), ("/a/b", 0));
        assert_eq!(route.timeout, Duration::from_millis(5));
        for (key, value) in [
            ("path", "a"),
            ("path", "//"),
            ("path", "/a//b"),
            ("path", "/a/../b"),
            ("path", "/a?b"),
            ("path", "/ü"),
            ("host", "http://a"),
            ("timeout_ms", "0"),
            ("timeout_ms", "300001"),
            ("body_max_bytes", "66060289"),
            ("port", "80"),
        ] {
            let error = read(&[(key, value)]).unwrap_err();
            assert_eq!(error.code, ErrorCode::BadRequest);
            assert!(error.message.contains(key), "{error}");
        }
        assert!(read(&[("path", &"/a".repeat(limits::ROUTE_PATH_PARTS_MAX + 1))]).is_err());
        assert!(
            read(&[("path", &format!("/{}", "a".repeat(limits::ROUTE_PATH_BYTES_MAX)))]).is_err()
        );
    }

    #[test]
    fn a_place_that_is_taken_is_refused_until_it_is_free() {
        let (routes, one, other) = (Routes::default(), actor(), actor());
        let of = |actor, config: &[(&str, &str)]| {
            Route::read(&link(actor, "web", config), &Limits::default()).unwrap()
        };
        let first = routes.add(of(&one, &[("host", "A.example"), ("path", "/x/")])).unwrap();
        let error = routes.add(of(&other, &[("host", "a.example"), ("path", "/x")])).unwrap_err();
        assert_eq!(error.code, ErrorCode::BadRequest);
        assert!(error.message.contains(one.as_str()), "{error}");
        routes.add(of(&other, &[("path", "/x")])).unwrap();
        routes.remove(&first);
        let found = |routes: &Routes| routes.find(Some("a.example"), "/x").unwrap().link.clone();
        assert_eq!(found(&routes).source, other);
        routes.add(of(&other, &[("host", "a.example"), ("path", "/x")])).unwrap();
    }

    #[test]
    fn a_newer_generation_takes_the_place_and_keeps_it() {
        let (routes, actor) = (Routes::default(), actor());
        let of = |timeout: &str, path: &str| {
            let link = link(&actor, "web", &[("timeout_ms", timeout), ("path", path)]);
            Route::read(&link, &Limits::default()).unwrap()
        };
        let first = routes.add(of("1", "/a")).unwrap();
        let second = routes.add(of("2", "/a")).unwrap();
        routes.remove(&first);
        let found = |path: &str| routes.find(None, path).map(|route| route.timeout.as_millis());
        assert_eq!(found("/a"), Some(2));
        let third = routes.add(of("3", "/b")).unwrap();
        assert_eq!(
            (found("/a"), found("/b")),
            (Some(2), Some(3)),
            "both until the older is closed"
        );
        routes.remove(&second);
        routes.remove(&second);
        assert_eq!((found("/a"), found("/b")), (None, Some(3)));
        routes.remove(&third);
        assert_eq!(found("/b"), None);
    }
}
