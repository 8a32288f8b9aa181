//! What a link says.

use lattice_protocol::Error;
use lattice_protocol::names::LatticeName;
use lattice_protocol::subjects;
use mesh_provider::{Link, keyvalue, wrong};

use crate::keys::Space;
use crate::limits;

/// What a link says.
#[derive(Debug)]
pub struct Settings {
    /// The bucket.
    pub bucket: String,
    /// The keys of the link.
    pub space: Space,
}

impl Settings {
    /// Reads the settings of a link.
    ///
    /// # Errors
    /// `bad_request` naming the setting that is wrong.
    pub fn read(link: &Link, lattice: &LatticeName) -> Result<Self, Error> {
        let config = &link.config;
        config.only(&["bucket", "prefix"])?;
        let bucket = match config.text("bucket") {
            None => subjects::keyvalue_bucket(lattice),
            Some(name) => bucket_name(name)?.to_owned(),
        };
        Ok(Self { bucket, space: Space::new(&keyvalue::prefix(link)?) })
    }
}

fn bucket_name(name: &str) -> Result<&str, Error> {
    let plain = name.len() <= limits::BUCKET_NAME_BYTES_MAX
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if !plain {
        let most = limits::BUCKET_NAME_BYTES_MAX;
        return Err(wrong("bucket", format!("is letters, digits, - and _, at most {most}")));
    }
    // The registry is a bucket too, and no actor's.
    if subjects::is_mesh_bucket(name) {
        return Err(wrong("bucket", "is one of the mesh's own"));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_link_leads_to_the_registry() {
        assert_eq!(bucket_name("orders-1_a"), Ok("orders-1_a"));
        for name in ["mesh_default", "mesh_default_keyvalue", "a.b", "a b", "a>", &"a".repeat(65)] {
            assert!(bucket_name(name).is_err(), "{name}");
        }
    }
}
