//! Which addresses belong to the public internet, and which lead to machines, networks or services
//! beside this one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A range of addresses: the leading bits that they share.
struct Range<T> {
    base: T,
    bits: u32,
}

const fn v4(a: u8, b: u8, c: u8, d: u8, bits: u32) -> Range<Ipv4Addr> {
    Range { base: Ipv4Addr::new(a, b, c, d), bits }
}

const fn v6(a: u16, b: u16, c: u16, bits: u32) -> Range<Ipv6Addr> {
    Range { base: Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), bits }
}

/// What is not public, by the registry of special addresses (RFC 6890) and those like it.
const NOT_PUBLIC_V4: [Range<Ipv4Addr>; 17] = [
    v4(0, 0, 0, 0, 8),          // this host
    v4(10, 0, 0, 0, 8),         // private
    v4(100, 64, 0, 0, 10),      // carrier-grade NAT; metadata of a cloud too
    v4(127, 0, 0, 0, 8),        // loopback
    v4(168, 63, 129, 16, 32),   // a cloud's own services, behind a public address
    v4(169, 254, 0, 0, 16),     // link-local; metadata of most clouds
    v4(172, 16, 0, 0, 12),      // private
    v4(192, 0, 0, 0, 24),       // protocol assignments
    v4(192, 0, 2, 0, 24),       // documentation
    v4(192, 88, 99, 0, 24),     // relays of 6to4
    v4(192, 168, 0, 0, 16),     // private
    v4(198, 18, 0, 0, 15),      // benchmarks
    v4(198, 51, 100, 0, 24),    // documentation
    v4(203, 0, 113, 0, 24),     // documentation
    v4(224, 0, 0, 0, 4),        // multicast
    v4(240, 0, 0, 0, 4),        // reserved
    v4(255, 255, 255, 255, 32), // broadcast
];

/// The one range of public IPv6 addresses.
const GLOBAL_V6: Range<Ipv6Addr> = v6(0x2000, 0, 0, 3);
/// What in it is not public.
const NOT_PUBLIC_V6: [Range<Ipv6Addr>; 3] = [
    v6(0x2001, 0, 0, 23),     // protocol assignments, Teredo among them
    v6(0x2001, 0xdb8, 0, 32), // documentation
    v6(0x3fff, 0, 0, 20),     // documentation
];
/// Translation to IPv4 (RFC 6052): the last 32 bits are reached.
const NAT64: Range<Ipv6Addr> = v6(0x64, 0xff9b, 0, 96);
/// 6to4 (RFC 3056): the 32 bits after the first 16 are reached.
const SIX_TO_FOUR: Range<Ipv6Addr> = v6(0x2002, 0, 0, 16);

impl Range<Ipv4Addr> {
    fn has(&self, address: Ipv4Addr) -> bool {
        let differ = address.to_bits() ^ self.base.to_bits();
        differ.leading_zeros() >= self.bits
    }
}

impl Range<Ipv6Addr> {
    fn has(&self, address: Ipv6Addr) -> bool {
        let differ = address.to_bits() ^ self.base.to_bits();
        differ.leading_zeros() >= self.bits
    }
}

/// Returns the address that a URL's host is, where it is one: URLs write those of IPv6 in brackets.
pub fn of_host(host: &str) -> Option<IpAddr> {
    host.trim_matches(['[', ']']).parse().ok()
}

/// Returns whether `address` belongs to the public internet. One that stands for an IPv4 address is
/// judged by that.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match embedded(address) {
            Some(inner) => is_public_v4(inner),
            None => GLOBAL_V6.has(address) && !NOT_PUBLIC_V6.iter().any(|range| range.has(address)),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !NOT_PUBLIC_V4.iter().any(|range| range.has(address))
}

/// Returns the IPv4 address that an IPv6 address leads to.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [_, first, second, .., seventh, eighth] = address.segments();
    let of = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    if NAT64.has(address) {
        return Some(of(seventh, eighth));
    }
    if SIX_TO_FOUR.has(address) {
        return Some(of(first, second));
    }
    address.to_ipv4_mapped()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn public(text: &str) -> bool {
        is_public(text.parse().unwrap())
    }

    #[test]
    fn addresses_of_the_internet_are_public() {
        for text in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:4860:4860::8888",
            "2001:200::1",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
            "2002:101:101::1",
        ] {
            assert!(public(text), "{text}");
        }
    }

    #[test]
    fn whatever_leads_beside_this_machine_is_not() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.0",
            "10.255.255.255",
            "100.64.0.0",
            "100.100.100.200",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.0",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.0",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::1.1.1.1",
            "::ffff:127.0.0.1",
            "::ffff:10.1.2.3",
            "::ffff:169.254.169.254",
            "::ffff:0:1.1.1.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::1.1.1.1",
            "100::1",
            "2001::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "2002:c0a8:101::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!public(text), "{text}");
        }
    }
}
