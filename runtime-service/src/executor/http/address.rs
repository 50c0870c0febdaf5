//! Which addresses actions may call: public ones, and what the operator allows. Checked after names are resolved; the connection
//! then goes to the address that was checked.

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
    sync::Arc,
};

/// A network such as `10.1.0.0/16`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: u128,
    mask: u128,
}

impl Network {
    fn contains(self, ip: IpAddr) -> bool {
        bits(ip) & self.mask == self.address
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let malformed = || format!("{text:?} is not a network such as 10.1.0.0/16 or fd00::/8");
        let (address, length) = text.split_once('/').map_or((text, None), |(a, l)| (a, Some(l)));
        let address: IpAddr = address.trim().parse().map_err(|_| malformed())?;
        let width: u32 = if address.is_ipv4() { 32 } else { 128 };
        let length: u32 = match length {
            Some(it) => it.trim().parse().map_err(|_| malformed())?,
            None => width,
        };
        if length > width {
            return Err(malformed());
        }
        // IPv4 networks are kept in their IPv6-mapped form, below 96 fixed bits.
        let mask = u128::MAX.checked_shl(width - length).unwrap_or(0);
        let mask = if address.is_ipv4() { mask | (u128::MAX << 32) } else { mask };
        Ok(Self { address: bits(address) & mask, mask })
    }
}

fn bits(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(it) => it.to_ipv6_mapped().to_bits(),
        IpAddr::V6(it) => it.to_bits(),
    }
}

/// The rules of this process.
#[derive(Clone, Debug, Default)]
pub struct AddressRules {
    allowed: Arc<[Network]>,
}

impl AddressRules {
    pub fn new(allowed: &[String]) -> Result<Self, String> {
        let networks = allowed.iter().filter(|it| !it.trim().is_empty());
        Ok(Self { allowed: networks.map(|it| it.trim().parse()).collect::<Result<_, _>>()? })
    }

    /// Whether actions may connect to `ip`.
    pub fn permit(&self, ip: IpAddr) -> bool {
        let effective = effective(ip);
        self.allowed.iter().any(|it| it.contains(effective) || it.contains(ip))
            || match effective {
                IpAddr::V4(it) => is_public_v4(it),
                IpAddr::V6(it) => is_public_v6(it),
            }
    }
}

/// The IPv4 address that an IPv6 one stands for: mapped, compatible, NAT64 and 6to4 all lead there.
fn effective(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(it) = ip else { return ip };
    let [head @ .., high, low] = it.segments();
    let v4 = |high: u16, low: u16| {
        IpAddr::V4(Ipv4Addr::from_bits((u32::from(high) << 16) | u32::from(low)))
    };
    match head {
        // Unspecified and loopback look like compatible addresses.
        [0, 0, 0, 0, 0, 0] if matches!((high, low), (0, 0 | 1)) => ip,
        [0, 0, 0, 0, 0, 0xffff | 0] | [0, 0, 0, 0, 0xffff, 0] | [0x64, 0xff9b, 0, 0, 0, 0] => {
            v4(high, low)
        }
        [0x2002, high, low, ..] => v4(high, low),
        _ => ip,
    }
}

#[expect(clippy::unnested_or_patterns, reason = "one line for each of the registries' ranges")]
fn is_public_v4(ip: Ipv4Addr) -> bool {
    !matches!(
        ip.octets(),
        // This network; private; shared by carriers; loopback; link-local and metadata.
        [0 | 10 | 127, ..]
            | [100, 64..=127, ..]
            | [169, 254, ..]
            | [172, 16..=31, ..]
            | [192, 168, ..]
            // Protocol assignments and documentation, 6to4 relays, benchmarks, documentation again.
            | [192, 0, 0 | 2, _]
            | [192, 88, 99, _]
            | [198, 18..=19, ..]
            | [198, 51, 100, _]
            | [203, 0, 113, _]
            // Multicast, reserved, broadcast; Azure's metadata service hides among the public ones.
            | [224..=255, ..]
            | [168, 63, 129, 16]
    )
}

/// Of the global unicast range `2000::/3`, what is not set aside.
fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [a, b, ..] = ip.segments();
    match (a, b) {
        // Protocol assignments with Teredo and ORCHID (2001::/23); documentation (2001:db8::/32, 3fff::/20).
        (0x2001, 0..=0x01ff | 0x0db8) | (0x3fff, 0..=0x0fff) => false,
        (0x2000..=0x3fff, _) => true,
        _ => false,
    }
}

/// An address was refused, by name or by number.
#[derive(Debug)]
pub struct Refused {
    pub host: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} is a private, reserved or metadata address, which actions may not call; the operator can allow a network with --http-allow",
            self.host
        )
    }
}

impl std::error::Error for Refused {}

/// Resolves names to permitted addresses only, so that the connection can not go to another.
#[derive(Clone, Debug)]
pub struct Resolver(pub AddressRules);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let rules = self.0.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let none = found.is_empty();
            let permitted: Vec<_> = found.into_iter().filter(|it| rules.permit(it.ip())).collect();
            if permitted.is_empty() && !none {
                return Err(Refused { host: name.as_str().to_owned() }.into());
            }
            Ok(Box::new(permitted.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use url::{Host, Url};

    fn host(url: &str) -> IpAddr {
        match Url::parse(url).unwrap().host().unwrap() {
            Host::Ipv4(it) => it.into(),
            Host::Ipv6(it) => it.into(),
            Host::Domain(it) => panic!("{it} is a name"),
        }
    }

    #[test]

    fn no_notation_of_an_address_that_is_not_public_is_permitted() {
        let rules = AddressRules::default();
        for url in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0177.0.0.1/",
            "http://127.0.0.1./",
            "http://0/",
            "http://0.0.0.0/",
            "http://10.0.0.1/",
            "http://172.16.0.1/",
            "http://172.31.255.255/",
            "http://192.168.1.1/",
            "http://100.64.0.1/",
            "http://100.100.100.200/",
            "http://169.254.169.254/",
            "http://0xa9fea9fe/",
            "http://2852039166/",
            "http://168.63.129.16/",
            "http://192.0.0.192/",
            "http://192.0.2.1/",
            "http://198.18.0.1/",
            "http://198.51.100.1/",
            "http://203.0.113.1/",
            "http://224.0.0.1/",
            "http://240.0.0.1/",
            "http://255.255.255.255/",
            "http://[::]/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:7f00:1]/",
            "http://[::127.0.0.1]/",
            "http://[::ffff:0:127.0.0.1]/",
            "http://[64:ff9b::10.0.0.1]/",
            "http://[64:ff9b:1::1]/",
            "http://[2002:7f00:1::]/",
            "http://[2002:a9fe:a9fe::1]/",
            "http://[2001::1]/",
            "http://[2001:db8::1]/",
            "http://[3fff::1]/",
            "http://[fc00::1]/",
            "http://[fd00:ec2::254]/",
            "http://[fe80::1]/",
            "http://[fec0::1]/",
            "http://[ff02::1]/",
            "http://[100::1]/",
            "http://[5f00::1]/",
            "http://[::ffff:169.254.169.254]/",
            "http://[4000::1]/",
        ] {
            assert!(!rules.permit(host(url)), "{url}");
        }
    }

    #[test]
    fn public_addresses_are_permitted() {
        let rules = AddressRules::default();
        for url in [
            "http://1.1.1.1/",
            "http://8.8.8.8/",
            "http://100.63.0.1/",
            "http://100.128.0.1/",
            "http://172.32.0.1/",
            "http://192.1.0.1/",
            "http://168.63.129.17/",
            "http://223.255.255.255/",
            "http://[2606:4700::1111]/",
            "http://[2a00:1450::1]/",
            "http://[64:ff9b::8.8.8.8]/",
            "http://[::ffff:8.8.8.8]/",
            "http://[2002:808:808::]/",
        ] {
            assert!(rules.permit(host(url)), "{url}");
        }
    }

    #[test]
    fn an_operator_allows_networks_and_nothing_beside_them() {
        let allowed =
            ["10.1.0.0/16".to_owned(), "127.0.0.1".to_owned(), " fd00:1::/32 ".to_owned()];
        let rules = AddressRules::new(&allowed).unwrap();
        for url in [
            "http://10.1.2.3/",
            "http://127.0.0.1/",
            "http://[::ffff:10.1.0.9]/",
            "http://[fd00:1::5]/",
        ] {
            assert!(rules.permit(host(url)), "{url}");
        }
        for url in ["http://10.2.0.1/", "http://127.0.0.2/", "http://[fd00:2::5]/", "http://[::1]/"]
        {
            assert!(!rules.permit(host(url)), "{url}");
        }
        let all = AddressRules::new(&["0.0.0.0/0".to_owned()]).unwrap();
        assert!(all.permit(host("http://127.0.0.1/")) && !all.permit(host("http://[::1]/")));
        for wrong in ["10.0.0.0/33", "localhost", "10.0.0.0/x", "/8"] {
            assert!(AddressRules::new(&[wrong.to_owned()]).is_err(), "{wrong}");
        }
    }
}
