//! S3 as a store: blobs' names as keys, and what is said about a blob as metadata of the object.
//!
//! A header carries ASCII alone: percent signs and what is beyond it are written as `%` and two
//! hexadecimal digits.

use std::collections::BTreeMap;

use lattice_protocol::Error;
use lattice_protocol::contract::Message;
use lattice_protocol::contract::blobstore::Info;
use lattice_protocol::names::Digest;
use object_store::path::Path;
use object_store::{Attribute, Attributes};

use crate::fault::{bad, too_large};
use crate::limits;

/// What the keys of the mesh begin with; those of an actor that do get more in front.
const OWN: &str = "mesh-";
const OF_ACTOR: &str = "mesh-x-";
const DIGEST: &str = "mesh-sha256";
/// What S3 says where nobody said anything.
const DEFAULT_TYPE: &str = "binary/octet-stream";

/// Returns the key of a blob.
pub fn path(container: &Path, name: &str) -> Result<Path, Error> {
    let key = format!("{container}/{name}");
    if key.len() > limits::S3_KEY_BYTES_MAX {
        let (found, most) = (key.len(), limits::S3_KEY_BYTES_MAX);
        return Err(too_large(format!(
            "with tenant and container the name has {found} bytes: S3 takes {most}"
        )));
    }
    Path::parse(&key).map_err(|error| bad(format!("the blob's name is none on S3: {error}")))
}

/// Returns what is said about a blob as metadata of its object.
pub fn attributes(info: &Info) -> Result<Attributes, Error> {
    let mut attributes = Attributes::new();
    let mut bytes = 0;
    let mut add = |key: String, value: String| {
        bytes += key.len() + value.len();
        attributes.insert(Attribute::Metadata(key.into()), value.into());
    };
    for (key, value) in &info.metadata {
        let key = key.to_ascii_lowercase();
        let key = if key.starts_with(OWN) { format!("{OF_ACTOR}{key}") } else { key };
        add(key, escape(value));
    }
    if let Some(digest) = &info.digest {
        add(DIGEST.to_owned(), digest.to_string());
    }
    if bytes > limits::S3_METADATA_BYTES_MAX {
        let most = limits::S3_METADATA_BYTES_MAX;
        return Err(too_large(format!("the metadata has {bytes} bytes on S3, which takes {most}")));
    }
    let content_type = info.content_type.as_deref().map_or(DEFAULT_TYPE.to_owned(), escape);
    attributes.insert(Attribute::ContentType, content_type.into());
    Ok(attributes)
}

/// Adds what an object's metadata say.
pub fn read_attributes(info: &mut Info, attributes: &Attributes) {
    let mut metadata = BTreeMap::new();
    for (attribute, value) in attributes {
        match attribute {
            Attribute::ContentType if value.as_ref() != DEFAULT_TYPE => {
                info.content_type = Some(unescape(value.as_ref()));
            }
            Attribute::Metadata(key) if key == DIGEST => {
                info.digest = value.as_ref().parse::<Digest>().ok();
            }
            Attribute::Metadata(key) => {
                let key = key.strip_prefix(OF_ACTOR).unwrap_or(key);
                metadata.insert(key.to_owned(), unescape(value.as_ref()));
            }
            _ => {}
        }
    }
    info.metadata = metadata;
    // Another program's object may say more than the contract has room for.
    if info.check().is_err() {
        (info.metadata, info.content_type) = (BTreeMap::new(), None);
    }
}

fn escape(text: &str) -> String {
    let end = text.trim().len();
    let outer = end != text.len();
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        let plain = byte.is_ascii_graphic() && byte != b'%' || byte == b' ' && !outer;
        if plain {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let digits = (*byte == b'%').then(|| after.get(..2)).flatten();
        let code = digits.and_then(|two| data_encoding::HEXUPPER_PERMISSIVE.decode(two).ok());
        match code {
            Some(code) => {
                bytes.extend(code);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(metadata: &[(&str, &str)]) -> Info {
        Info {
            name: "n".into(),
            size: 1,
            version: "1".into(),
            modified_at_ms: 0,
            digest: Some(Digest::of(b"1")),
            content_type: Some("text/plain; charset=utf-8".into()),
            metadata: metadata.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
        }
    }

    #[test]
    fn what_is_said_about_a_blob_comes_back() {
        let said = info(&[
            ("owner", "ada"),
            ("umlaut", "grün ✓"),
            ("percent", "100%25 %"),
            ("outer", " a b "),
            ("empty", ""),
            ("mesh-sha256", "mine"),
            ("mesh-x-y", "z"),
        ]);
        let attributes = attributes(&said).unwrap();
        for (_, value) in &attributes {
            assert!(value.bytes().all(|b| b.is_ascii_graphic() || b == b' '), "{value:?}");
            assert_eq!(value.trim(), value.as_ref());
        }
        let mut read = Info { digest: None, content_type: None, ..info(&[]) };
        read_attributes(&mut read, &attributes);
        assert_eq!(read, said);
    }

    #[test]
    fn what_s3_has_no_room_for_is_refused() {
        let container = Path::from("t/abc");
        assert!(path(&container, &"n".repeat(limits::S3_KEY_BYTES_MAX - 6)).is_ok());
        assert!(path(&container, &"n".repeat(limits::S3_KEY_BYTES_MAX - 5)).is_err());
        let digest = DIGEST.len() + 64;
        let most = "v".repeat(limits::S3_METADATA_BYTES_MAX - digest - 1);
        assert!(attributes(&info(&[("k", &most)])).is_ok());
        assert!(attributes(&info(&[("kk", &most)])).is_err());
        for name in ["ü ..x", "a#1", "~", "100%25", "a\\b"] {
            assert_eq!(path(&container, name).unwrap().as_ref(), format!("t/abc/{name}"));
        }
    }
}
