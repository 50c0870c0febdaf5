//! What network policies allow, as Kubernetes documents it: <https://kubernetes.io/docs/concepts/services-networking/network-policies/>.
//!
//! A pod that no policy selects for a direction is open in it; one that is selected may do what any of its policies allows. A connection
//! needs both of its ends.

use super::cidr::Cidr;
use crate::deploy::objects::{Objects, list, text};
use serde_json::{Value, json};
use std::{collections::BTreeMap, net::IpAddr};

/// One end of a connection.
#[derive(Clone, Debug)]
pub(super) struct End {
    pub(super) name: String,
    pub(super) ip: IpAddr,
    /// What is not a pod is outside of the cluster.
    pub(super) pod: Option<Pod>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Pod {
    pub(super) namespace: String,
    pub(super) namespace_labels: Value,
    pub(super) labels: Value,
    pub(super) ports: BTreeMap<String, u16>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Port<'a> {
    pub(super) number: u16,
    pub(super) protocol: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Ingress,
    Egress,
}

pub(super) fn allowed(objects: &Objects, from: &End, to: &End, port: Port<'_>) -> bool {
    let policies: Vec<_> = objects.of("NetworkPolicy").collect();
    let named = to.pod.as_ref().map(|it| &it.ports);
    let may = |own: &End, other: &End, side| {
        let Some(pod) = &own.pod else { return true };
        let mut about = policies.iter().filter(|it| selects(it, pod, side)).peekable();
        about.peek().is_none()
            || about.any(|it| {
                let rules =
                    list(it, if side == Side::Egress { "/spec/egress" } else { "/spec/ingress" });
                rules.iter().any(|rule| {
                    let namespace = text(it, "/metadata/namespace");
                    is_peer(rule, side, other, namespace) && is_port(rule, port, named)
                })
            })
    };
    may(from, to, Side::Egress) && may(to, from, Side::Ingress)
}

fn selects(policy: &Value, pod: &Pod, side: Side) -> bool {
    let types = list(policy, "/spec/policyTypes");
    let about = match side {
        Side::Ingress => types.is_empty() || types.contains(&json!("Ingress")),
        Side::Egress if types.is_empty() => !policy["spec"]["egress"].is_null(),
        Side::Egress => types.contains(&json!("Egress")),
    };
    about
        && text(policy, "/metadata/namespace") == pod.namespace
        && matches(&policy["spec"]["podSelector"], &pod.labels)
}

fn is_peer(rule: &Value, side: Side, other: &End, namespace: &str) -> bool {
    let peers = list(rule, if side == Side::Egress { "/to" } else { "/from" });
    peers.is_empty() || peers.iter().any(|it| is_the_peer(it, other, namespace))
}

fn is_the_peer(peer: &Value, other: &End, namespace: &str) -> bool {
    if let Some(block) = peer.get("ipBlock") {
        let mut except = list(block, "/except").iter().map(|it| Cidr::parse(it.as_str().unwrap()));
        return Cidr::parse(text(block, "/cidr")).contains(other.ip)
            && !except.any(|it| it.contains(other.ip));
    }
    let Some(pod) = &other.pod else { return false };
    let of_namespace = match peer.get("namespaceSelector") {
        Some(selector) => matches(selector, &pod.namespace_labels),
        None => pod.namespace == namespace,
    };
    of_namespace && peer.get("podSelector").is_none_or(|it| matches(it, &pod.labels))
}

fn is_port(rule: &Value, port: Port<'_>, named: Option<&BTreeMap<String, u16>>) -> bool {
    let ports = list(rule, "/ports");
    let is_it = |it: &Value| {
        let protocol = it["protocol"].as_str().unwrap_or("TCP");
        let number = |it: &Value| u16::try_from(it.as_u64().unwrap()).unwrap();
        let in_range = match &it["port"] {
            Value::Null => true,
            Value::String(name) => named.is_some_and(|it| it.get(name) == Some(&port.number)),
            first @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                let last = if it["endPort"].is_null() { first } else { &it["endPort"] };
                (number(first)..=number(last)).contains(&port.number)
            }
        };
        protocol == port.protocol && in_range
    };
    ports.is_empty() || ports.iter().any(is_it)
}

/// An empty selector matches all. One with a word that is not known here is a mistake.
fn matches(selector: &Value, labels: &Value) -> bool {
    let parts = selector.as_object().unwrap_or_else(|| panic!("{selector} is no selector"));
    parts.iter().all(|(part, terms)| match part.as_str() {
        "matchLabels" => {
            terms.as_object().unwrap().iter().all(|(key, value)| labels[key] == *value)
        }
        "matchExpressions" => terms.as_array().unwrap().iter().all(|it| expression(it, labels)),
        _ => panic!("{part} is no part of a selector"),
    })
}

fn expression(it: &Value, labels: &Value) -> bool {
    let value = &labels[text(it, "/key")];
    let among = list(it, "/values").contains(value);
    match text(it, "/operator") {
        "In" => among,
        "NotIn" => !among,
        "Exists" => !value.is_null(),
        "DoesNotExist" => value.is_null(),
        other => panic!("{other} is no operator"),
    }
}
