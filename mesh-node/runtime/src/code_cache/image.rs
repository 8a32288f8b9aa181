//! What a file holds: the code as the engine wrote it, then a tail that says what is known of it and carries a tag
//! over all of it. The code comes first, so that it can be mapped as it is.
//!
//! ```text
//! code │ note │ length of the code: u64 │ of the note: u32 │ initialised: u8 │ globals: u8 │ tag: 32 bytes
//! ```
//!
//! 255 globals say that its instances can't be rewound. The tag is HMAC-SHA256 over the file's name and all before the tag: a file under another name is none.

use std::fs::File;
use std::os::unix::fs::FileExt;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::Unusable;
use super::name::CodeName;
use crate::limits;
use crate::prepared::Preparation;

const TAG_BYTES: usize = 32;
const LENGTHS_BYTES: usize = 8 + 4 + 1 + 1;
/// What is written where no globals are rewound.
const NOT_REWOUND: u8 = u8::MAX;
/// What is at the end of every file.
const FOOTER_BYTES: usize = LENGTHS_BYTES + TAG_BYTES;

/// What a file says of its code.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sealed {
    pub(super) preparation: Preparation,
    pub(super) note: Vec<u8>,
}

/// Returns what follows `code` in its file; `None` where that is too large for one.
pub(super) fn tail(
    code: &[u8],
    sealed: &Sealed,
    secret: &[u8],
    name: &CodeName,
) -> Option<Vec<u8>> {
    let Sealed { preparation, note } = sealed;
    let note_bytes = u32::try_from(note.len()).ok()?;
    if code.len() > limits::CODE_FILE_BYTES_MAX || note.len() > limits::CODE_NOTE_BYTES_MAX {
        return None;
    }
    let mut tail = note.clone();
    tail.extend_from_slice(&(code.len() as u64).to_le_bytes());
    tail.extend_from_slice(&note_bytes.to_le_bytes());
    tail.push(u8::from(preparation.is_initialised));
    tail.push(preparation.rewound_globals.unwrap_or(NOT_REWOUND));
    let tag = mac(secret, name)?.chain_update(code).chain_update(&tail).finalize();
    tail.extend_from_slice(&tag.into_bytes());
    Some(tail)
}

/// Checks that a file is what this user's nodes wrote under `name`, and returns what it says of its code.
///
/// # Errors
/// [`Unusable`] when it is not, or can't be read.
pub(super) fn check(file: &File, secret: &[u8], name: &CodeName) -> Result<Sealed, Unusable> {
    let size = file.metadata()?.len();
    let most = limits::CODE_FILE_BYTES_MAX + limits::CODE_NOTE_BYTES_MAX + FOOTER_BYTES;
    let footer_at = size.checked_sub(FOOTER_BYTES as u64).ok_or(TRUNCATED)?;
    if size > most as u64 {
        return Err(Unusable::Image("it is too large"));
    }
    let mut footer = [0; FOOTER_BYTES];
    file.read_exact_at(&mut footer, footer_at)?;
    let (lengths, tag) = footer.split_at(LENGTHS_BYTES);
    let (code_bytes, note_bytes, preparation) = read_lengths(lengths).ok_or(TRUNCATED)?;
    let note_at = footer_at.checked_sub(note_bytes).ok_or(TRUNCATED)?;
    if code_bytes != note_at || note_bytes > limits::CODE_NOTE_BYTES_MAX as u64 {
        return Err(TRUNCATED);
    }
    let mut mac = mac(secret, name).ok_or(TRUNCATED)?;
    let mut chunk = vec![0; limits::CODE_READ_BYTES];
    let mut at = 0;
    while at < code_bytes {
        let wanted = usize::try_from(code_bytes - at).unwrap_or(usize::MAX).min(chunk.len());
        let part = chunk.get_mut(..wanted).ok_or(TRUNCATED)?;
        file.read_exact_at(part, at)?;
        mac.update(part);
        at += wanted as u64;
    }
    let mut note = vec![0; usize::try_from(note_bytes).unwrap_or_default()];
    file.read_exact_at(&mut note, note_at)?;
    mac.update(&note);
    mac.update(lengths);
    mac.verify_slice(tag).map_err(|_| FOREIGN)?;
    Ok(Sealed { preparation, note })
}

const TRUNCATED: Unusable = Unusable::Image("it is no whole file of compiled code");
const FOREIGN: Unusable =
    Unusable::Image("its tag is not that of this folder: it was changed, or comes from elsewhere");

fn mac(secret: &[u8], name: &CodeName) -> Option<Hmac<Sha256>> {
    Some(Hmac::<Sha256>::new_from_slice(secret).ok()?.chain_update(name.as_bytes()))
}

fn read_lengths(bytes: &[u8]) -> Option<(u64, u64, Preparation)> {
    let (code, rest) = bytes.split_first_chunk::<8>()?;
    let (note, rest) = rest.split_first_chunk::<4>()?;
    let (is_initialised, globals) = match rest {
        [0, globals] => (false, *globals),
        [1, globals] => (true, *globals),
        _ => return None,
    };
    let rewound_globals = (globals != NOT_REWOUND).then_some(globals);
    let preparation = Preparation { is_initialised, rewound_globals };
    Some((u64::from_le_bytes(*code), u32::from_le_bytes(*note).into(), preparation))
}
