//! Says hello over HTTP: the least that an actor can do there.

use mesh_actor::prelude::*;

/// The actor.
pub struct Hello;

#[actor]
impl Hello {
    /// Answers any request with a word.
    #[operation]
    fn handle(_request: http::Request) -> Result<http::Response> {
        Ok(http::Response::new(200).with_body("hello"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_hello() {
        let response = Hello::handle(http::Request::new("GET", "/any")).unwrap();
        assert_eq!((response.status, &response.body[..]), (200, &b"hello"[..]));
    }
}
