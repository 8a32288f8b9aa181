//! Whose containers a link sees.

use lattice_protocol::Error;
use mesh_provider::{Link, wrong};

use crate::limits;

/// Returns the tenant of a link: the setting `prefix`, or else its actor.
///
/// # Errors
/// `bad_request` naming the setting.
pub fn tenant(link: &Link) -> Result<String, Error> {
    let Some(prefix) = link.config.text("prefix") else {
        // Longer than a prefix may be, so that none leads to another actor's containers.
        return Ok(link.id.source.as_str().to_ascii_lowercase());
    };
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if prefix.len() > limits::TENANT_BYTES_MAX || !prefix.bytes().all(allowed) {
        let most = limits::TENANT_BYTES_MAX;
        return Err(wrong("prefix", format!("must be 1 to {most} characters of a-z, 0-9 and -")));
    }
    Ok(prefix.to_owned())
}

#[cfg(test)]
mod tests {
    use lattice_protocol::names::LinkName;
    use mesh_provider::{Config, LinkId};

    use super::*;

    fn of(prefix: &str) -> Result<String, Error> {
        let (source, _) = lattice_protocol::keys::ActorKey::generate().unwrap();
        let id = LinkId { source, name: LinkName::default_link() };
        tenant(&Link { id, config: Config::of([("prefix", prefix)]), generation: 1 })
    }

    #[test]
    fn actors_are_apart_unless_they_name_a_prefix() {
        assert_eq!(of("shop-1"), Ok("shop-1".into()));
        let own = of("").unwrap();
        assert!(own.len() > limits::TENANT_BYTES_MAX && own != of("").unwrap());
        for wrong in ["a_b", "A", "a/b", "..", "a.b", &"a".repeat(33)] {
            assert!(of(wrong).unwrap_err().message.contains("prefix"), "{wrong}");
        }
    }
}
