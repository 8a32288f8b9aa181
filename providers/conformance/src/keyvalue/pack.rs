//! Messages as another program may send them: without what has a default, or wrong.

/// A text.
pub fn text(text: &str) -> Vec<u8> {
    head(text.as_bytes(), 0xdb)
}

/// Bytes.
pub fn bin(bytes: &[u8]) -> Vec<u8> {
    head(bytes, 0xc6)
}

/// An unsigned number.
pub fn number(number: u64) -> Vec<u8> {
    [&[0xcf][..], &number.to_be_bytes()].concat()
}

/// A list.
pub fn array(values: &[Vec<u8>]) -> Vec<u8> {
    let mut packed = sized(0xdd, values.len());
    packed.extend(values.concat());
    packed
}

/// A map with named fields.
pub fn map(fields: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut packed = sized(0xdf, fields.len());
    for (name, value) in fields {
        packed.extend(text(name));
        packed.extend(value);
    }
    packed
}

fn head(bytes: &[u8], marker: u8) -> Vec<u8> {
    let mut packed = sized(marker, bytes.len());
    packed.extend(bytes);
    packed
}

/// A marker with a length of 32 bits.
fn sized(marker: u8, length: usize) -> Vec<u8> {
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    [&[marker][..], &length.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use lattice_protocol::contract::Message;
    use lattice_protocol::contract::keyvalue::{ListPush, ListSide, Set};

    use super::*;

    #[test]
    fn what_is_packed_is_read() {
        let push = map(&[("key", text("k")), ("values", array(&[bin(b"v"), text("w")]))]);
        let push = ListPush::decode(&push).unwrap();
        assert_eq!((push.side, push.values.len()), (ListSide::Back, 2));
        let set = map(&[("ttl_ms", number(7)), ("value", bin(b"")), ("key", text("k"))]);
        assert_eq!(Set::decode(&set).unwrap().ttl_ms, Some(7));
    }
}
