//! Shortens URLs: `POST /` with a URL gives a short path, `GET` of which leads there. Each visit is
//! published as a message.

use mesh_actor::prelude::*;
use sha2::{Digest, Sha256};

/// Length of a URL.
pub const URL_BYTES_MAX: usize = 2_048;
/// Characters of a short path; more only where the shorter ones are taken by other URLs.
const CODE_CHARACTERS: std::ops::Range<usize> = 7..16;
/// What a code is written with.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnopqrstuvwxyz2345679";
/// Subject under which visits are published; the code follows.
pub const VISITS: &str = "shortener.visits";

/// What is asked for, as JSON; a plain text that is the URL will do, too.
#[derive(Debug, Serialize, Deserialize)]
struct Wish {
    url: String,
}

/// What is answered.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Short {
    /// The last part of the short URL.
    pub code: String,
    /// Where it leads.
    pub url: String,
}

/// A visit, as it is published.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visit {
    /// The code.
    pub code: String,
    /// Where it led.
    pub url: String,
}

/// The actor.
pub struct Shortener;

#[actor]
impl Shortener {
    /// Shortens, or leads on.
    #[operation]
    fn handle(request: http::Request) -> Result<http::Response> {
        let code = request.path.rsplit('/').next().unwrap_or_default();
        let outcome = match (request.method.as_str(), code) {
            ("POST", "") => shorten(&request),
            ("GET" | "HEAD", "") => return Ok(http::Response::text(200, USAGE)),
            ("GET", code) => lead_on(code),
            // To look is not to visit.
            ("HEAD", code) => find(code).map(|found| answer(found.as_deref())),
            _ => return Ok(http::Response::method_not_allowed("GET, HEAD, POST")),
        };
        outcome.or_else(|error| match error.code() {
            // What stands behind is away: that is no fault of whoever asks.
            Some(_) => Ok(http::Response::text(503, format!("not now: {error}\n"))),
            None => Err(error),
        })
    }
}

const USAGE: &str = "POST a URL to this path to shorten it; GET the short one to be led on.\n";

fn shorten(request: &http::Request) -> Result<http::Response> {
    let url = match request.body_json::<Wish>() {
        Ok(wish) => wish.url,
        Err(_) => match request.body_text() {
            Ok(text) => text.trim().to_owned(),
            Err(error) => return Ok(http::Response::text(400, format!("{error}\n"))),
        },
    };
    if let Err(why) = check(&url) {
        return Ok(http::Response::text(400, format!("{why}\n")));
    }
    let store = keyvalue::Store::default();
    let digest = Sha256::digest(url.as_bytes());
    for length in CODE_CHARACTERS {
        let code = code(&digest, length);
        let key = key(&code);
        // The same URL has the same code; another one with that code has it first.
        let ours = store.set_if_absent(&key, &url)? || store.get_text(&key)?.as_ref() == Some(&url);
        if ours {
            let base = request.path.trim_end_matches('/');
            let location = format!("{base}/{code}");
            let made = http::Response::json(201, &Short { code, url })?;
            return Ok(made.with_header("location", location));
        }
    }
    Err(Error::actor("every code of this URL is taken"))
}

fn lead_on(code: &str) -> Result<http::Response> {
    let found = find(code)?;
    if let Some(url) = &found {
        let visit = Visit { code: code.to_owned(), url: url.clone() };
        let body = serde_json::to_vec(&visit).map_err(Error::actor)?;
        // Whoever follows a link must not wait for those who count.
        if let Err(error) = messaging::publish(&format!("{VISITS}.{code}"), body) {
            log::warn!("a visit of {code} is not told: {error}");
        }
    }
    Ok(answer(found.as_deref()))
}

fn find(code: &str) -> Result<Option<String>> {
    match is_code(code) {
        true => keyvalue::Store::default().get_text(&key(code)),
        false => Ok(None),
    }
}

fn answer(url: Option<&str>) -> http::Response {
    match url {
        Some(url) => http::Response::redirect(url),
        None => http::Response::text(404, "there is no such short URL\n"),
    }
}

fn key(code: &str) -> String {
    format!("url:{code}")
}

fn is_code(text: &str) -> bool {
    text.len() < CODE_CHARACTERS.end && text.bytes().all(|byte| ALPHABET.contains(&byte))
}

fn code(digest: &[u8], length: usize) -> String {
    let characters = digest.iter().filter_map(|byte| ALPHABET.get(usize::from(byte % 32)));
    characters.take(length).map(|byte| char::from(*byte)).collect()
}

/// Checks that a text is a URL that others may be led to.
fn check(url: &str) -> Result<(), String> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let host = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    if host.is_none_or(str::is_empty) {
        return Err("a URL begins with http:// or https:// and a host".to_owned());
    }
    if url.len() > URL_BYTES_MAX {
        return Err(format!("a URL has at most {URL_BYTES_MAX} bytes"));
    }
    if !url.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("a URL is printable ASCII without blanks".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use mesh_actor::testing::{KeyValue, Lattice};

    use super::*;

    fn lattice(store: &KeyValue) -> Lattice {
        Lattice::new().keyvalue(store).answer("mesh:messaging", |_, Raw(_)| Ok(()))
    }

    fn ask(lattice: &Lattice, method: &str, path: &str, body: &str) -> http::Response {
        let request = http::Request::new(method, path).with_body(body);
        lattice.run(|| Shortener::handle(request)).unwrap()
    }

    fn short(lattice: &Lattice, body: &str) -> Short {
        let made = ask(lattice, "POST", "/s/", body);
        assert_eq!(made.status, 201);
        let short: Short = serde_json::from_slice(&made.body).unwrap();
        assert_eq!(made.headers.text("location"), Some(format!("/s/{}", short.code).as_str()));
        short
    }

    #[test]
    fn a_url_is_shortened_once_and_leads_on() {
        let lattice = lattice(&KeyValue::new());
        let first = short(&lattice, "https://example.org/a?b=c");
        assert_eq!(short(&lattice, r#"{"url":"https://example.org/a?b=c"}"#), first);
        let led = ask(&lattice, "GET", &format!("/s/{}", first.code), "");
        assert_eq!((led.status, led.headers.text("location")), (302, Some(first.url.as_str())));
        let published = lattice.calls().iter().filter(|call| call.ends_with("publish")).count();
        assert_eq!(published, 1);
        ask(&lattice, "HEAD", &format!("/s/{}", first.code), "");
        assert_eq!(lattice.calls().iter().filter(|call| call.ends_with("publish")).count(), 1);
    }

    #[test]
    fn a_code_that_is_taken_is_made_longer() {
        let store = KeyValue::new();
        let first = short(&lattice(&store), "https://example.org/");
        let other = KeyValue::new();
        let around = lattice(&other);
        let taken = keyvalue::Store::default();
        around.run(|| taken.set(&key(&first.code), "https://other.example/")).unwrap();
        assert_eq!(short(&around, "https://example.org/").code.len(), first.code.len() + 1);
    }

    #[test]
    fn what_is_no_url_is_refused() {
        let lattice = lattice(&KeyValue::new());
        for body in ["", "ftp://a", "https://", "https://a b", "javascript:alert(1)", "https:///x"]
        {
            assert_eq!(ask(&lattice, "POST", "/", body).status, 400, "{body}");
        }
        let long = format!("https://a/{}", "b".repeat(URL_BYTES_MAX));
        assert_eq!(ask(&lattice, "POST", "/", &long).status, 400);
        assert_eq!(ask(&lattice, "GET", "/nothing-of-ours", "").status, 404);
        assert_eq!(ask(&lattice, "DELETE", "/", "").status, 405);
    }

    #[test]
    fn without_a_store_it_says_so() {
        let error = HostError::new(ErrorCode::ProviderUnavailable, "gone");
        let lattice = Lattice::new().refuse("mesh:keyvalue", error);
        assert_eq!(ask(&lattice, "POST", "/", "https://example.org/").status, 503);
    }
}
