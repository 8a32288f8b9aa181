//! The custom section that holds the claims, and the hash of what is left without it.
//!
//! Only the outermost sections are walked, with the reader that the engine itself uses, so that
//! both see the same sections. A module inside a section is data here.

use sha2::{Digest as _, Sha256};
use wasm_encoder::Encode as _;
use wasmparser::{BinaryReader, BinaryReaderError};

use super::ClaimsError;
use crate::limits;

/// Name of the section that signing writes.
const CLAIMS_SECTION: &str = "wasmcloud_jwt";
/// Name that tools wrote before wascap 0.9; read, never written.
const LEGACY_CLAIMS_SECTION: &str = "jwt";

const CUSTOM_SECTION_ID: u8 = 0;
const MODULE_HEADER: [u8; 8] = *b"\0asm\x01\0\0\0";
const COMPONENT_LAYER: [u8; 2] = [1, 0];

/// One section of a module.
struct Section<'a> {
    id: u8,
    /// What the section holds, without id and length.
    content: &'a [u8],
    /// The same with id and length, as they are in the module.
    framed: &'a [u8],
}

impl Section<'_> {
    /// Returns the id and the length in its shortest form: what the section starts with after
    /// any tool rewrote the module.
    fn canonical_head(&self) -> Vec<u8> {
        let mut head = vec![self.id];
        self.content.len().encode(&mut head);
        head
    }
}

/// A module taken apart: its claims on one side, all other sections on the other.
pub(super) struct Sections<'a> {
    code: Vec<Section<'a>>,
    tokens: Vec<&'a [u8]>,
}

impl<'a> Sections<'a> {
    /// Walks the sections of `wasm`.
    pub(super) fn read(wasm: &'a [u8]) -> Result<Self, ClaimsError> {
        if wasm.len() > limits::MODULE_BYTES_MAX {
            return Err(too_large("a module", wasm.len(), limits::MODULE_BYTES_MAX));
        }
        let (header, body) = wasm
            .split_first_chunk::<8>()
            .ok_or_else(|| ClaimsError::NotAModule("it is shorter than a header".into()))?;
        check_header(header)?;
        walk(body).map_err(|error| ClaimsError::NotAModule(error.to_string()))
    }

    /// Returns the one token that the module carries.
    pub(super) fn token(&self) -> Result<&'a [u8], ClaimsError> {
        match self.tokens.as_slice() {
            [] => Err(ClaimsError::Unsigned),
            [token] if token.len() > limits::CLAIMS_BYTES_MAX => {
                Err(too_large("the claims", token.len(), limits::CLAIMS_BYTES_MAX))
            }
            [token] => Ok(token),
            tokens => Err(ClaimsError::SignedTwice(tokens.len())),
        }
    }

    /// Returns the hash that wascap signs: section lengths in their shortest form.
    pub(super) fn hash(&self) -> String {
        self.hash_of(|section, sum| {
            sum.update(section.canonical_head());
            sum.update(section.content);
        })
    }

    /// Returns the hash that other tools signed: the bytes as they are.
    pub(super) fn hash_as_framed(&self) -> String {
        self.hash_of(|section, sum| sum.update(section.framed))
    }

    fn hash_of(&self, add: impl Fn(&Section<'_>, &mut Sha256)) -> String {
        let mut sum = Sha256::new_with_prefix(MODULE_HEADER);
        for section in &self.code {
            add(section, &mut sum);
        }
        data_encoding::HEXUPPER.encode(&sum.finalize())
    }

    /// Returns the module with `token` as its only claims, section lengths in their shortest form.
    pub(super) fn with_token(&self, token: &str) -> Vec<u8> {
        let content: usize = self.code.iter().map(|section| section.framed.len()).sum();
        let mut wasm = Vec::with_capacity(MODULE_HEADER.len() + content + token.len() + 32);
        wasm.extend_from_slice(&MODULE_HEADER);
        for section in &self.code {
            wasm.extend_from_slice(&section.canonical_head());
            wasm.extend_from_slice(section.content);
        }
        let claims = wasm_encoder::CustomSection {
            name: CLAIMS_SECTION.into(),
            data: token.as_bytes().into(),
        };
        wasm_encoder::Section::append_to(&claims, &mut wasm);
        wasm
    }
}

fn check_header(header: &[u8; 8]) -> Result<(), ClaimsError> {
    if *header == MODULE_HEADER {
        return Ok(());
    }
    Err(ClaimsError::NotAModule(if !header.starts_with(b"\0asm") {
        "it does not start with \\0asm".into()
    } else if header.ends_with(&COMPONENT_LAYER) {
        "it is a component of the component model, and components are not modules: build it for \
         wasm32-unknown-unknown or wasm32-wasip1"
            .into()
    } else {
        "its version is not 1".into()
    }))
}

fn walk(body: &[u8]) -> Result<Sections<'_>, BinaryReaderError> {
    let mut sections = Sections { code: Vec::new(), tokens: Vec::new() };
    let mut reader = BinaryReader::new(body, MODULE_HEADER.len());
    while !reader.eof() {
        let start = reader.current_position();
        let id = reader.read_u8()?;
        let length = reader.read_var_u32()?;
        let offset = reader.original_position();
        let content = reader.read_bytes(length as usize)?;
        if id == CUSTOM_SECTION_ID {
            let mut custom = BinaryReader::new(content, offset);
            let name = custom.read_string()?;
            if name == CLAIMS_SECTION || name == LEGACY_CLAIMS_SECTION {
                sections.tokens.push(custom.read_bytes(custom.bytes_remaining())?);
                continue;
            }
        }
        let framed = body.get(start..reader.current_position()).unwrap_or(content);
        sections.code.push(Section { id, content, framed });
    }
    Ok(sections)
}

pub(super) fn too_large(what: &'static str, found: usize, limit: usize) -> ClaimsError {
    ClaimsError::TooLarge { what, found, limit }
}
