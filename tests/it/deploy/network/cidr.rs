//! Networks such as `10.0.0.0/8`. Families stay apart: a mapped IPv4 address is one of IPv6.

use std::{net::IpAddr, ops::RangeInclusive};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cidr {
    is_v4: bool,
    first: u128,
    last: u128,
}

impl Cidr {
    /// Panics where the text is none, or where its address is not the first of the network.
    pub(super) fn parse(text: &str) -> Self {
        let (address, length) =
            text.split_once('/').unwrap_or_else(|| panic!("{text} is no network"));
        let address: IpAddr = address.parse().unwrap_or_else(|_| panic!("{text} is no network"));
        let width = if address.is_ipv4() { 32 } else { 128 };
        let length: u32 = length.parse().unwrap();
        assert!(length <= width, "{text}");
        let rest = 1_u128.checked_shl(width - length).unwrap_or(0).wrapping_sub(1);
        let first = bits(address);
        assert_eq!(first & rest, 0, "{text} has bits behind its length");
        Self { is_v4: address.is_ipv4(), first, last: first | rest }
    }

    pub(super) fn contains(self, ip: IpAddr) -> bool {
        self.is_v4 == ip.is_ipv4() && (self.first..=self.last).contains(&bits(ip))
    }

    /// Whether it is a part of another, which it is not itself: what Kubernetes asks of an exception.
    pub(super) fn is_within(self, other: Self) -> bool {
        self.is_v4 == other.is_v4
            && self != other
            && (other.first..=other.last).contains(&self.first)
            && (other.first..=other.last).contains(&self.last)
    }

    /// The addresses around both of its ends.
    pub(super) fn edges(self) -> Vec<IpAddr> {
        let most = if self.is_v4 { u128::from(u32::MAX) } else { u128::MAX };
        let all: RangeInclusive<u128> = 0..=most;
        [self.first.wrapping_sub(1), self.first, self.last, self.last.wrapping_add(1)]
            .into_iter()
            .filter(|it| all.contains(it))
            .map(|it| address(it, self.is_v4))
            .collect()
    }
}

fn bits(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(it) => it.to_bits().into(),
        IpAddr::V6(it) => it.to_bits(),
    }
}

fn address(bits: u128, is_v4: bool) -> IpAddr {
    if is_v4 {
        u32::try_from(bits).unwrap().to_be_bytes().into()
    } else {
        bits.to_be_bytes().into()
    }
}

#[test]
fn a_network_has_the_addresses_between_its_ends() {
    let has = |network: &str, ip: &str| Cidr::parse(network).contains(ip.parse().unwrap());
    assert!(has("172.16.0.0/12", "172.31.255.255") && !has("172.16.0.0/12", "172.32.0.0"));
    assert!(has("0.0.0.0/0", "255.255.255.255") && !has("0.0.0.0/0", "::1"));
    assert!(has("2000::/3", "3fff:ffff::1") && !has("2000::/3", "::ffff:1.1.1.1"));
    assert!(has("::/0", "::ffff:1.1.1.1") && has("192.0.2.10/32", "192.0.2.10"));
    assert!(Cidr::parse("10.0.0.0/8").is_within(Cidr::parse("0.0.0.0/0")));
    assert!(!Cidr::parse("0.0.0.0/0").is_within(Cidr::parse("0.0.0.0/0")));
    assert!(!Cidr::parse("fc00::/7").is_within(Cidr::parse("2000::/3")));
    assert_eq!(Cidr::parse("224.0.0.0/4").edges().len(), 4);
    assert_eq!(
        Cidr::parse("0.0.0.0/8").edges(),
        ["0.0.0.0", "0.255.255.255", "1.0.0.0"].map(|it| it.parse::<IpAddr>().unwrap())
    );
}
