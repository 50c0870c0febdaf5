//! Hosts of their own on this machine: network namespaces, joined by veth pairs and bridges as the containers of a compose file are.
//!
//! A machine in the middle has a bridge for each network and passes packets on from one to another, unless the rules keep it from
//! that: with nftables, as a container engine does it. They follow from `networks` of the file and nothing else.

mod compose;
mod host;

pub use compose::Compose;
pub use host::Host;
pub(crate) use host::channel;

use crate::{database::TestDatabase, proxy::Proxy};
use anyhow::{Context, Result};
use std::{
    collections::BTreeMap,
    fs,
    net::{IpAddr, Ipv4Addr},
    process::Command,
};
use tokio::net::TcpListener;

/// What a machine must have, and who one must be.
const TOOLS: [&str; 2] = ["ip", "nft"];
/// Addresses that are nobody's: a documentation network stands for the world.
const WORLD: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 10);
const WAY_OUT: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
const WAY_OUT_NAME: &str = "out";

/// The hosts of a compose file and what joins them. They go with this value.
#[derive(Debug)]
pub struct Networks {
    /// By the name of the service. `caller` is on the network that web listens on.
    pub hosts: BTreeMap<String, Host>,
    /// What is beyond all of them.
    pub world: Host,
    /// Of a host on a network.
    addresses: BTreeMap<(String, String), Ipv4Addr>,
    between: Host,
}

/// Why there can be no hosts here, if so.
pub fn missing() -> Option<String> {
    for tool in TOOLS {
        if Command::new(tool).arg("-V").output().is_err() {
            return Some(format!("{tool} is not installed"));
        }
    }
    match Host::new("probe").and_then(|it| it.filter("table ip probe {\n}\n")) {
        Ok(()) => None,
        Err(error) => Some(format!("{error:#}")),
    }
}

impl Networks {
    /// One host for each of these services, on the networks that the file gives it, and `caller` on `calls_on`.
    pub fn of(compose: &Compose, services: &[&str], calls_on: &str) -> Result<Self> {
        let between = Host::new("between")?;
        between.inside(|| fs::write("/proc/sys/net/ipv4/ip_forward", "1"))?;
        let world = Host::new("world")?;
        between.join(WAY_OUT_NAME, WAY_OUT, &world, "eth0", WORLD)?;
        world.run(&["route", "add", "default", "via", &WAY_OUT.to_string()])?;
        let mut networks =
            Self { hosts: BTreeMap::new(), world, addresses: BTreeMap::new(), between };
        for name in services.iter().chain([&"caller"]) {
            networks.hosts.insert((*name).to_owned(), Host::new(name)?);
        }
        for (number, network) in compose.networks().iter().enumerate() {
            networks.lay(compose, number, network, calls_on)?;
        }
        networks.between.filter(&rules(compose))?;
        Ok(networks)
    }

    /// A bridge, and a cable from it to each host of the network.
    fn lay(&mut self, compose: &Compose, number: usize, name: &str, calls_on: &str) -> Result<()> {
        let subnet = compose.subnet(number, name);
        let at = |last: u8| Ipv4Addr::from(u32::from(subnet) | u32::from(last));
        let bridge = bridge(number);
        self.between.run(&["link", "add", &bridge, "type", "bridge"])?;
        self.between.run(&["addr", "add", &format!("{}/24", at(1)), "dev", &bridge])?;
        self.between.run(&["link", "set", &bridge, "up"])?;
        for (position, (service, host)) in (0_u8..).zip(&self.hosts) {
            let is_here = compose.is_on(service, name) || (service == "caller" && name == calls_on);
            if !is_here {
                continue;
            }
            let address = compose.address(service, name).unwrap_or_else(|| at(100 + position));
            let (here, there) = (format!("p{number}x{position}"), format!("eth{number}"));
            self.between.cable(&here, host, &there, address)?;
            self.between.run(&["link", "set", &here, "master", &bridge, "up"])?;
            // The first network that is not internal is the way to everything else.
            if !compose.is_internal(name) && host.run(&["route", "show", "default"])?.is_empty() {
                host.run(&["route", "add", "default", "via", &at(1).to_string()])?;
            }
            self.addresses.insert((service.clone(), name.to_owned()), address);
        }
        Ok(())
    }

    pub fn host(&self, service: &str) -> &Host {
        &self.hosts[service]
    }

    /// The address of a service on a network.
    pub fn address(&self, service: &str, network: &str) -> IpAddr {
        self.addresses[&(service.to_owned(), network.to_owned())].into()
    }

    /// All addresses of a service.
    pub fn addresses(&self, service: &str) -> Vec<IpAddr> {
        let of_service = self.addresses.iter().filter(|((it, _), _)| it == service);
        of_service.map(|(_, address)| (*address).into()).collect()
    }

    pub fn world_address(&self) -> IpAddr {
        WORLD.into()
    }

    /// Passes on whatever comes, from now on.
    pub fn without_rules(&self) -> Result<()> {
        self.between.filter("flush ruleset\n")
    }

    /// `service` listens on port 5432 of all its addresses, and what it hears goes to the database.
    pub fn database(&self, service: &str, database: &TestDatabase) -> Result<Proxy> {
        let any = (Ipv4Addr::UNSPECIFIED, 5432).into();
        let listener = self.host(service).listen(any).context("the database's host listens")?;
        listener.set_nonblocking(true)?;
        Ok(Proxy::on(TcpListener::from_std(listener)?, database))
    }
}

fn bridge(number: usize) -> String {
    format!("b{number}")
}

/// Between networks nothing is passed on, and to the world only from those that are not internal. What stays on a bridge may come
/// by here too: some kernels filter that as well.
fn rules(compose: &Compose) -> String {
    let mut accept = String::new();
    for (number, network) in compose.networks().iter().enumerate() {
        let bridge = bridge(number);
        let ways = [Some(&*bridge), (!compose.is_internal(network)).then_some(WAY_OUT_NAME)];
        for way in ways.into_iter().flatten() {
            accept.extend(["iifname ", &bridge, " oifname ", way, " accept\n"]);
        }
    }
    format!(
        "table ip compose {{\nchain forward {{\ntype filter hook forward priority 0; policy drop;\n\
         ct state established,related accept\n{accept}}}\n}}\n"
    )
}
