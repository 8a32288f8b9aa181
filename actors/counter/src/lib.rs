//! Counts how often each path was asked for: HTTP and a key-value store.

use mesh_actor::prelude::*;

/// What is answered.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// The path that was asked for.
    pub path: String,
    /// How often, this time included.
    pub count: i64,
}

/// The actor.
pub struct Counter;

#[actor]
impl Counter {
    /// Counts a `GET` of a path.
    #[operation]
    fn handle(request: http::Request) -> Result<http::Response> {
        if !matches!(request.method.as_str(), "GET" | "HEAD") {
            return Ok(http::Response::method_not_allowed("GET, HEAD"));
        }
        let store = keyvalue::Store::default();
        let counted = match request.method.as_str() {
            "GET" => store.increment(&key(&request.path), 1),
            // To look is not to count.
            _ => store.increment(&key(&request.path), 0),
        };
        match counted {
            Ok(count) => http::Response::json(200, &Count { path: request.0.path, count }),
            Err(error) => Ok(without_memory(&error)),
        }
    }
}

/// Returns the key of a path, which may be longer than a key.
fn key(path: &str) -> String {
    const PATH_BYTES_MAX: usize = 400;
    let end = path.floor_char_boundary(PATH_BYTES_MAX.min(path.len()));
    format!("count:{}", path.get(..end).unwrap_or_default())
}

/// Answers in the actor's own words where the store does not.
fn without_memory(error: &Error) -> http::Response {
    log::warn!("no count: {error}");
    #[derive(Serialize)]
    struct Sorry {
        error: String,
    }
    let sorry = Sorry { error: format!("the counter has no memory right now: {error}") };
    let response = http::Response::json(503, &sorry);
    response.unwrap_or_else(|_| http::Response::new(503)).with_header("retry-after", "1")
}

#[cfg(test)]
mod tests {
    use mesh_actor::testing::{KeyValue, Lattice};

    use super::*;

    fn ask(lattice: &Lattice, method: &str, path: &str) -> http::Response {
        lattice.run(|| Counter::handle(http::Request::new(method, path))).unwrap()
    }

    #[test]
    fn each_path_is_counted_and_a_look_is_not() {
        let lattice = Lattice::new().keyvalue(&KeyValue::new());
        for (method, path, count) in
            [("GET", "/a", 1), ("GET", "/a", 2), ("GET", "/b", 1), ("HEAD", "/a", 2)]
        {
            let response = ask(&lattice, method, path);
            let answered: Count = serde_json::from_slice(&response.body).unwrap();
            assert_eq!(
                (response.status, answered.count, answered.path.as_str()),
                (200, count, path)
            );
        }
    }

    #[test]
    fn what_is_no_look_is_refused() {
        let lattice = Lattice::new().keyvalue(&KeyValue::new());
        let response = ask(&lattice, "POST", "/a");
        assert_eq!((response.status, response.headers.text("allow")), (405, Some("GET, HEAD")));
    }

    #[test]
    fn without_a_store_it_says_so_in_its_own_words() {
        let error = HostError::new(ErrorCode::NoLink, "there is none");
        let response = ask(&Lattice::new().refuse("mesh:keyvalue", error), "GET", "/a");
        let text = String::from_utf8(response.body.clone()).unwrap();
        assert_eq!(response.status, 503);
        assert!(text.contains("no memory") && text.contains("no_link"), "{text}");
    }

    #[test]
    fn a_long_path_has_a_key_all_the_same() {
        let lattice = Lattice::new().keyvalue(&KeyValue::new());
        let path = format!("/{}", "ü".repeat(600));
        assert_eq!(ask(&lattice, "GET", &path).status, 200);
    }
}
