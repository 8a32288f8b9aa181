//! A folder as a store: blobs' names as names of files, and what a file says at its end.
//!
//! `a/b` is the file `b` in the folder `a+`, so that there may be a blob `a`, too. What a file
//! system could misunderstand is written as `=` and two hexadecimal digits, capital letters
//! included: some file systems do not tell them apart. A long part is cut into folders that end in `,`.

use bytes::Bytes;
use lattice_protocol::contract::Message;
use lattice_protocol::contract::blobstore::Info;
use lattice_protocol::{Error, ErrorCode};
use object_store::path::Path;

use crate::fault::bad;
use crate::limits;

/// Ends every file of a blob.
const MAGIC: &[u8; 8] = b"meshblob";
const LENGTH: usize = 4;

/// Returns where the file of a blob is.
pub fn path(container: &Path, name: &str) -> Result<Path, Error> {
    let mut path = container.to_string();
    let mut parts = name.split('/').peekable();
    while let Some(part) = parts.next() {
        let mut file = String::new();
        for byte in part.bytes() {
            if file.len() >= limits::FILE_NAME_BYTES_MAX {
                file.push(',');
                path = format!("{path}/{file}");
                file.clear();
            }
            match byte {
                b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-' => file.push(char::from(byte)),
                _ => file.push_str(&format!("={byte:02x}")),
            }
        }
        if parts.peek().is_some() {
            file.push('+');
        }
        // The rest of a long part may be what no file can be called.
        if matches!(file.as_str(), "." | "..") {
            file = "=2e".repeat(file.len());
        }
        path = format!("{path}/{file}");
    }
    Path::parse(&path).map_err(|error| bad(format!("the blob's name is none of a file: {error}")))
}

/// Returns the name of the blob whose file is at `below`; nothing where that is none of ours.
pub fn name(below: &str) -> Option<String> {
    let mut name = Vec::new();
    let mut files = below.split('/').peekable();
    while let Some(file) = files.next() {
        let (text, end) = match files.peek() {
            None => (file, None),
            Some(_) if file.ends_with('+') => (file.strip_suffix('+')?, Some(b'/')),
            Some(_) => (file.strip_suffix(',')?, None),
        };
        let mut bytes = text.bytes();
        while let Some(byte) = bytes.next() {
            match byte {
                b'=' => {
                    let digits = [bytes.next()?, bytes.next()?];
                    name.extend(data_encoding::HEXLOWER.decode(&digits).ok()?);
                }
                b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-' => name.push(byte),
                _ => return None,
            }
        }
        name.extend(end);
    }
    String::from_utf8(name).ok()
}

/// Returns what a file ends in: what the blob is, for whoever reads it later.
pub fn footer(info: &Info) -> Result<Bytes, Error> {
    let internal = |why: String| Error::not_started(ErrorCode::Internal, why);
    let mut bytes = info.encode().map_err(|error| internal(error.to_string()))?;
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let room = limits::FOOTER_BYTES - LENGTH - MAGIC.len();
    if bytes.len() > room {
        return Err(internal(format!("what is said about a blob has {length} bytes")));
    }
    bytes.resize(room, 0);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(MAGIC);
    Ok(bytes.into())
}

/// Reads what a file ends in; nothing where it is no blob's.
pub fn read_footer(bytes: &[u8]) -> Option<Info> {
    let (rest, magic) = bytes.split_at_checked(bytes.len().checked_sub(MAGIC.len())?)?;
    let (rest, length) = rest.split_at_checked(rest.len().checked_sub(LENGTH)?)?;
    let length = usize::try_from(u32::from_be_bytes(length.try_into().ok()?)).ok()?;
    let info = rest.get(..length).filter(|_| magic == MAGIC && bytes.len() == limits::FOOTER_BYTES);
    Info::decode(info?).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use lattice_protocol::contract::limits::blobstore;

    use super::*;

    const _: () = assert!(limits::FILE_NAME_BYTES_MAX + 5 < 255);

    #[test]
    fn any_name_is_a_path_below_the_container_and_comes_back() {
        let container = Path::from("t/abc");
        let long = "x".repeat(1024);
        let dots = ".".repeat(1024);
        let wide = "ü".repeat(512);
        let names = [
            "a",
            "A",
            "a/b",
            "a+",
            "a+/b",
            "a,",
            "a,/b",
            "=61",
            "...",
            "..a/b..",
            ".mesh",
            " ",
            "é/✓",
            "C:\\x",
            "a#1",
            "con",
            "%2e%2e",
            "-",
            &long,
            &dots,
            &wide,
            &["s"; 512].join("/"),
        ];
        let mut paths = BTreeSet::new();
        for name in names {
            let path = path(&container, name).unwrap();
            let below = path.as_ref().strip_prefix("t/abc/").unwrap().to_owned();
            for file in below.split('/') {
                assert!(!matches!(file, "" | "." | "..") && file.len() < 255, "{name}: {file}");
                assert!(file.bytes().all(|b| b.is_ascii_graphic() && b != b'\\'), "{file}");
            }
            assert_eq!(super::name(&below).as_deref(), Some(name));
            assert!(paths.insert(below.to_ascii_lowercase()), "{name}");
        }
        // No file is where another blob needs a folder.
        for path in &paths {
            assert!(!paths.iter().any(|other| other.starts_with(&format!("{path}/"))), "{path}");
        }
        for foreign in ["a/b", "A", "a b", "=6", "=zz", "=ff", "a#1"] {
            assert_eq!(super::name(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn the_most_that_can_be_said_about_a_blob_fits() {
        let share = blobstore::METADATA_BYTES_MAX / blobstore::METADATA_ENTRIES_MAX;
        let key = |n: usize| format!("k{n:02}");
        let metadata: BTreeMap<String, String> =
            (0..blobstore::METADATA_ENTRIES_MAX).map(|n| (key(n), "v".repeat(share - 3))).collect();
        let info = Info {
            name: "n".repeat(blobstore::BLOB_NAME_BYTES_MAX),
            size: u64::MAX,
            version: "v".repeat(32),
            modified_at_ms: u64::MAX,
            digest: Some(lattice_protocol::names::Digest::of(b"")),
            content_type: Some("t".repeat(blobstore::CONTENT_TYPE_BYTES_MAX)),
            metadata,
        };
        let footer = footer(&info).unwrap();
        assert_eq!(footer.len(), limits::FOOTER_BYTES);
        assert_eq!(read_footer(&footer), Some(info));
        for foreign in [&b""[..], &[0; 12], &[0; limits::FOOTER_BYTES], &footer[1..]] {
            assert_eq!(read_footer(foreign), None);
        }
    }
}
