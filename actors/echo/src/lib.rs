//! Answers with what it was sent.

use std::hint::black_box;

use mesh_actor::prelude::*;

/// What `info` answers. Of a fixed length and kept in one piece, so that a test makes a revision
/// that answers differently by replacing these bytes in the module, without a compiler.
pub const INFO: &str = "echo of the mesh, an example actor, text 0000000000000000";

/// Whom to greet.
#[derive(Debug, Serialize, Deserialize)]
pub struct Greeting {
    /// The name to greet.
    pub name: String,
}

/// The actor.
pub struct Echo;

#[actor]
impl Echo {
    /// Returns the payload's bytes as they are.
    #[operation]
    fn echo(payload: Raw) -> Result<Raw> {
        Ok(payload)
    }

    /// Returns a greeting.
    #[operation]
    fn greet(greeting: Greeting) -> Result<String> {
        match greeting.name.trim() {
            "" => Err(Error::actor("there is no name to greet")),
            name => Ok(format!("Hello, {name}!")),
        }
    }

    /// Returns [`INFO`], by which a revision is told from others.
    #[operation]
    fn info() -> Result<String> {
        Ok(black_box(INFO).to_owned())
    }
}

#[cfg(test)]
mod tests {
    use mesh_actor::Actor;

    use super::*;

    #[test]
    fn echo_leaves_every_byte_as_it_is() {
        for payload in [vec![], vec![0xc1], (0..=255).collect::<Vec<u8>>()] {
            assert_eq!(Echo::handle("echo", payload.clone()), Ok(payload));
        }
    }

    #[test]
    fn greet_says_the_name() {
        let payload = b"\x81\xa4name\xa3Ada".to_vec();
        assert_eq!(Echo::handle("greet", payload), Ok(b"\xabHello, Ada!".to_vec()));
    }

    #[test]
    fn greet_wants_a_name() {
        let error = Echo::greet(Greeting { name: "  ".to_owned() }).expect_err("nobody");
        assert_eq!(error.to_string(), "there is no name to greet");
    }

    #[test]
    fn info_is_the_text_that_was_compiled_in() {
        assert_eq!(Echo::info(), Ok(INFO.to_owned()));
    }
}
