//! What a compose file says of networks, and of where services listen.

use anyhow::{Context, Result};
use serde_json::Value;
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
};

#[derive(Debug)]
pub struct Compose(Value);

impl Compose {
    /// The one in `deploy/`.
    pub fn read() -> Result<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/compose.yaml");
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let mut value: yaml_serde::Value = yaml_serde::from_str(&text)?;
        value.apply_merge()?;
        Ok(Self(serde_json::to_value(value)?))
    }

    /// Names of all networks, in the order of their names.
    pub(super) fn networks(&self) -> Vec<&str> {
        let networks = self.0["networks"].as_object().into_iter().flatten();
        networks.map(|(name, _)| name.as_str()).collect()
    }

    /// Nothing on it reaches anything outside of it.
    pub(super) fn is_internal(&self, network: &str) -> bool {
        self.0["networks"][network]["internal"] == true
    }

    /// The first address of a network: its own, or one of ours for the number.
    pub(super) fn subnet(&self, number: usize, network: &str) -> Ipv4Addr {
        let own = self.0["networks"][network]["ipam"]["config"][0]["subnet"].as_str();
        let own = own.and_then(|it| it.strip_suffix("/24")).and_then(|it| it.parse().ok());
        let third = u8::try_from(number).expect("there are few networks");
        own.unwrap_or_else(|| Ipv4Addr::new(10, 77, third, 0))
    }

    pub(super) fn is_on(&self, service: &str, network: &str) -> bool {
        let networks = &self.0["services"][service]["networks"];
        let listed = networks.as_array().is_some_and(|it| it.iter().any(|it| it == network));
        listed || networks.get(network).is_some()
    }

    /// The address of a service on a network, where the file names one.
    pub(super) fn address(&self, service: &str, network: &str) -> Option<Ipv4Addr> {
        self.0["services"][service]["networks"][network]["ipv4_address"].as_str()?.parse().ok()
    }

    /// Where a service listens, by the name of the setting without `FREEHOLD_`, such as `HEALTH_LISTEN`.
    pub fn listens(&self, service: &str, setting: &str) -> SocketAddr {
        let address =
            self.0["services"][service]["environment"][format!("FREEHOLD_{setting}")].as_str();
        address.and_then(|it| it.parse().ok()).unwrap_or_else(|| panic!("{service}: {setting}"))
    }
}
