//! SHA-256 that can be put aside between two chunks and taken up by another process.

use data_encoding::HEXLOWER;
use sha2::digest::generic_array::GenericArray;

const BLOCK: usize = 64;
/// FIPS 180-4, 5.3.3.
const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// How far a hash is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hash {
    state: [u32; 8],
    /// Bytes that do not fill a block yet.
    rest: Vec<u8>,
    length: u64,
}

impl Default for Hash {
    fn default() -> Self {
        Self { state: INITIAL, rest: Vec::new(), length: 0 }
    }
}

impl Hash {
    /// Returns how many bytes there were.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Adds bytes.
    pub fn update(&mut self, mut bytes: &[u8]) {
        self.length = self.length.wrapping_add(bytes.len() as u64);
        if !self.rest.is_empty() {
            let (head, tail) = bytes.split_at(bytes.len().min(BLOCK - self.rest.len()));
            self.rest.extend_from_slice(head);
            bytes = tail;
            if self.rest.len() < BLOCK {
                return;
            }
            let block = std::mem::take(&mut self.rest);
            self.compress(&block);
        }
        let (blocks, rest) = bytes.split_at(bytes.len() - bytes.len() % BLOCK);
        self.compress(blocks);
        self.rest = rest.to_vec();
    }

    fn compress(&mut self, blocks: &[u8]) {
        for block in blocks.chunks_exact(BLOCK) {
            let block = GenericArray::from_slice(block);
            sha2::compress256(&mut self.state, std::slice::from_ref(block));
        }
    }

    /// Returns the hash of all bytes.
    pub fn finish(mut self) -> [u8; 32] {
        let bits = self.length.wrapping_mul(8);
        let mut last = std::mem::take(&mut self.rest);
        last.push(0x80);
        while last.len() % BLOCK != BLOCK - 8 {
            last.push(0);
        }
        last.extend_from_slice(&bits.to_be_bytes());
        self.compress(&last);
        let mut sum = [0; 32];
        for (to, word) in sum.chunks_exact_mut(4).zip(self.state) {
            to.copy_from_slice(&word.to_be_bytes());
        }
        sum
    }

    /// Writes down how far it is.
    pub fn save(&self) -> String {
        let mut bytes = Vec::with_capacity(40 + self.rest.len());
        for word in self.state {
            bytes.extend_from_slice(&word.to_be_bytes());
        }
        bytes.extend_from_slice(&self.length.to_be_bytes());
        bytes.extend_from_slice(&self.rest);
        HEXLOWER.encode(&bytes)
    }

    /// Takes up what was written down.
    pub fn load(text: &str) -> Option<Self> {
        let bytes = HEXLOWER.decode(text.as_bytes()).ok()?;
        let (words, tail) = bytes.split_at_checked(32)?;
        let (length, rest) = tail.split_at_checked(8)?;
        let mut state = [0; 8];
        for (word, bytes) in state.iter_mut().zip(words.chunks_exact(4)) {
            *word = u32::from_be_bytes(bytes.try_into().ok()?);
        }
        let length = u64::from_be_bytes(length.try_into().ok()?);
        let fits = rest.len() as u64 == length % BLOCK as u64;
        fits.then(|| Self { state, rest: rest.to_vec(), length })
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn it_is_sha_256_wherever_it_is_put_aside() {
        let bytes: Vec<u8> = (0..1000_u32).map(|n| (n * 7) as u8).collect();
        for step in [1, 3, 55, 56, 63, 64, 65, 128, 1000] {
            let mut hash = Hash::default();
            for part in bytes.chunks(step) {
                hash.update(part);
                hash = Hash::load(&hash.save()).unwrap();
            }
            assert_eq!(hash.finish()[..], Sha256::digest(&bytes)[..], "{step}");
        }
        assert_eq!(Hash::default().finish()[..], Sha256::digest(b"")[..]);
    }

    #[test]
    fn what_was_not_written_by_it_is_refused() {
        let saved = Hash::default().save();
        for wrong in ["", "zz", &saved[2..], &format!("{saved}00")] {
            assert_eq!(Hash::load(wrong), None, "{wrong}");
        }
    }
}
