//! Everything that connections are looked at between: the pods of an overlay, others of its cluster, and addresses outside.

use super::policies::{End, Pod, Port, allowed};
use crate::deploy::{
    objects::{Objects, list, text},
    workloads::workloads,
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr},
};

/// Where a cluster has its pods, as a rule; and where it is worst if it has them.
pub(super) const PRIVATE: [u8; 3] = [10, 244, 0];
pub(super) const PUBLIC: [u8; 3] = [11, 244, 0];

/// Others in the cluster: their name, namespace and its own label, and their labels.
const OTHERS: [(&str, &str, &str, &str, &str); 8] = [
    ("caller", "shop", "freehold-callers", "allowed", "shop"),
    ("stranger", "other", "", "", "other"),
    ("impostor", "other", "", "", "web"),
    ("names", "kube-system", "", "", "kube-dns"),
    ("system", "kube-system", "", "", "system"),
    ("prometheus", "monitoring", "", "", "prometheus"),
    ("monitor", "monitoring", "", "", "grafana"),
    ("operator", "cnpg-system", "", "", "cloudnative-pg"),
];

/// Public; where the overlays have a database and a bucket; and what nobody may reach: metadata, private, shared, loopback, multicast, and
/// IPv6 that leads there.
const ADDRESSES: [&str; 21] = [
    "1.1.1.1",
    "2606:4700::1111",
    "192.0.2.10",
    "192.0.2.11",
    "198.51.100.7",
    "169.254.169.254",
    "168.63.129.16",
    "100.100.100.200",
    "fd00:ec2::254",
    "10.0.0.1",
    "10.244.9.9",
    "172.16.0.1",
    "192.168.1.1",
    "127.0.0.1",
    "224.0.0.1",
    "::1",
    "fd00::1",
    "fe80::1",
    "::ffff:10.0.0.1",
    "64:ff9b::a00:1",
    "2002:a00:1::1",
];

/// Ports that are asked for beside those that somebody names.
const PORTS: [u16; 6] = [1, 22, 80, 443, 8080, 65535];

fn ours(objects: &Objects) -> Vec<(String, Pod)> {
    let namespace_labels = json!({ "kubernetes.io/metadata.name": "freehold" });
    let pod = |labels: &Value, ports| Pod {
        namespace: "freehold".to_owned(),
        namespace_labels: namespace_labels.clone(),
        labels: labels.clone(),
        ports,
    };
    let mut ours: Vec<_> = workloads(objects)
        .into_iter()
        .map(|it| {
            let ports = it.containers().flat_map(|it| list(it, "/ports"));
            let number = |it: &Value| u16::try_from(it["containerPort"].as_u64().unwrap()).unwrap();
            let ports = ports.map(|it| (text(it, "/name").to_owned(), number(it))).collect();
            (it.name().to_owned(), pod(it.labels(), ports))
        })
        .collect();
    for cluster in objects.of("Cluster") {
        let name = text(cluster, "/metadata/name");
        ours.push((name.to_owned(), pod(&json!({ "cnpg.io/cluster": name }), BTreeMap::new())));
    }
    // Somebody else's pod in our namespace.
    ours.push(("newcomer".to_owned(), pod(&json!({ "app": "newcomer" }), BTreeMap::new())));
    ours
}

fn others() -> impl Iterator<Item = (String, Pod)> {
    OTHERS.into_iter().map(|(name, namespace, label, value, app)| {
        let mut namespace_labels = json!({ "kubernetes.io/metadata.name": namespace });
        namespace_labels[label] = json!(value);
        let labels = json!({ "k8s-app": app, "app.kubernetes.io/name": app });
        let (namespace, ports) = (namespace.to_owned(), BTreeMap::new());
        (name.to_owned(), Pod { namespace, namespace_labels, labels, ports })
    })
}

fn ports(objects: &Objects, ends: &[End]) -> BTreeSet<u16> {
    let rules = objects.of("NetworkPolicy").flat_map(|it| {
        list(it, "/spec/ingress")
            .iter()
            .chain(list(it, "/spec/egress"))
            .flat_map(|it| list(it, "/ports"))
    });
    let named = rules.filter_map(|it| it["port"].as_u64()).map(|it| u16::try_from(it).unwrap());
    let open =
        ends.iter().filter_map(|it| it.pod.as_ref()).flat_map(|it| it.ports.values().copied());
    PORTS.into_iter().chain(named).chain(open).collect()
}

/// All that may be opened from or to our pods, a line for each pair of ends and protocol: `web -> runtime 50052/TCP`.
pub(super) fn connections(objects: &Objects, pods_at: [u8; 3]) -> BTreeSet<String> {
    let own = ours(objects);
    let count = own.len();
    let pods = own.into_iter().chain(others()).zip(1..).map(|((name, pod), last)| {
        let [a, b, c] = pods_at;
        End { name, ip: Ipv4Addr::new(a, b, c, last).into(), pod: Some(pod) }
    });
    let outside =
        |it: &str| End { name: it.to_owned(), ip: it.parse::<IpAddr>().unwrap(), pod: None };
    let ends: Vec<End> = pods.chain(ADDRESSES.into_iter().map(outside)).collect();
    let ports = ports(objects, &ends);
    let mut lines = BTreeSet::new();
    for (at, from) in ends.iter().enumerate() {
        for (to_at, to) in ends.iter().enumerate() {
            if at >= count && to_at >= count {
                continue;
            }
            for protocol in ["TCP", "UDP"] {
                let open = |it: &&u16| allowed(objects, from, to, Port { number: **it, protocol });
                let open: Vec<_> = ports.iter().filter(open).map(ToString::to_string).collect();
                let open =
                    if open.len() == ports.len() { "all".to_owned() } else { open.join(",") };
                if !open.is_empty() {
                    lines.insert(format!("{} -> {} {open}/{protocol}", from.name, to.name));
                }
            }
        }
    }
    lines
}
