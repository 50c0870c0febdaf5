//! Who may open a connection to whom, asked of the policies for every pair of ends and every port: what is not in the tables below is
//! refused.

mod cidr;
mod policies;
mod world;

use super::objects::{Objects, Overlays, list, overlays, text};
use cidr::Cidr;
use policies::{End, Pod, Port, allowed};
use runtime_service::executor::http::address::AddressRules;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};
use world::{PRIVATE, PUBLIC, connections};

/// Of every overlay with the services in it.
const BASE: [&str; 12] = [
    "caller -> web 50051,50081/TCP",
    "web -> runtime 50052/TCP",
    "web -> names 53/TCP",
    "web -> names 53/UDP",
    "runtime -> names 53/TCP",
    "runtime -> names 53/UDP",
    "migrate -> names 53/TCP",
    "migrate -> names 53/UDP",
    "maintain -> names 53/TCP",
    "maintain -> names 53/UDP",
    "runtime -> 1.1.1.1 all/TCP",
    "runtime -> 2606:4700::1111 all/TCP",
];
const TO_POSTGRES: [&str; 4] = [
    "web -> postgres 5432/TCP",
    "runtime -> postgres 5432/TCP",
    "migrate -> postgres 5432/TCP",
    "maintain -> postgres 5432/TCP",
];
const TO_MANAGED: [&str; 4] = [
    "web -> 192.0.2.10 5432/TCP",
    "runtime -> 192.0.2.10 5432/TCP",
    "migrate -> 192.0.2.10 5432/TCP",
    "maintain -> 192.0.2.10 5432/TCP",
];
const TO_BUCKET: [&str; 1] = ["web -> 198.51.100.7 443/TCP"];
const OBSERVED: [&str; 6] = [
    "web -> collector 4317/TCP",
    "runtime -> collector 4317/TCP",
    "collector -> names 53/TCP",
    "collector -> names 53/UDP",
    "prometheus -> web 50071/TCP",
    "prometheus -> runtime 50072/TCP",
];
/// Instances of `CloudNativePG`, their operator, and where they ask the API of Kubernetes and keep backups, which may be anywhere: pods of
/// ours take nothing on these ports.
const CNPG: [&str; 8] = [
    "postgres -> postgres 5432,8000/TCP",
    "operator -> postgres 5432,8000/TCP",
    "postgres -> names 53/UDP",
    "postgres -> names 53,443,6443/TCP",
    "postgres -> caller 443,6443/TCP",
    "postgres -> stranger 443,6443/TCP",
    "postgres -> impostor 443,6443/TCP",
    "postgres -> system 443,6443/TCP",
];
const CNPG_OUTSIDE: [&str; 3] = ["prometheus", "monitor", "operator"];
const CNPG_ADDRESSES: [&str; 12] = [
    "1.1.1.1",
    "192.0.2.10",
    "192.0.2.11",
    "198.51.100.7",
    "168.63.129.16",
    "100.100.100.200",
    "10.0.0.1",
    "10.244.9.9",
    "172.16.0.1",
    "192.168.1.1",
    "127.0.0.1",
    "224.0.0.1",
];

fn expected(overlay: &str) -> BTreeSet<String> {
    let more: Vec<&[&str]> = match overlay {
        "dev" => vec![&TO_POSTGRES],
        "production" => vec![&TO_MANAGED, &TO_BUCKET],
        "production-cnpg" => vec![&TO_POSTGRES, &TO_BUCKET, &CNPG],
        "production and observability" => vec![&TO_MANAGED, &TO_BUCKET, &OBSERVED],
        _ => panic!("{overlay}"),
    };
    let lines = BASE.iter().chain(more.into_iter().flatten()).map(ToString::to_string);
    let wide = if overlay == "production-cnpg" { &CNPG_OUTSIDE[..] } else { &[] };
    let far = if overlay == "production-cnpg" { &CNPG_ADDRESSES[..] } else { &[] };
    let far = wide.iter().chain(far).map(|it| format!("postgres -> {it} 443,6443/TCP"));
    lines.chain(far).collect()
}

fn tables(overlays: &Overlays) -> Vec<(&'static str, Objects)> {
    let mut tables: Vec<_> = ["dev", "production", "production-cnpg"]
        .into_iter()
        .map(|it| (it, overlays[it].clone()))
        .collect();
    let both = overlays["production"].and(&overlays["observability"]);
    tables.push(("production and observability", both));
    tables
}

#[test]
fn what_may_be_opened_is_the_table_and_nothing_else() {
    let Some(overlays) = overlays() else { return };
    for (overlay, objects) in tables(overlays) {
        let (found, expected) = (connections(&objects, PRIVATE), expected(overlay));
        let extra: Vec<_> = found.difference(&expected).collect();
        let missing: Vec<_> = expected.difference(&found).collect();
        assert!(
            extra.is_empty() && missing.is_empty(),
            "{overlay}: open {extra:#?}, shut {missing:#?}"
        );
    }
}

/// Also where pods have public addresses, which runtime may open: web does not accept.
#[test]
fn no_way_leads_from_runtime_to_web() {
    let Some(overlays) = overlays() else { return };
    let is_it = |lines: BTreeSet<String>| lines.iter().any(|it| it.starts_with("runtime -> web "));
    for (overlay, objects) in tables(overlays) {
        for pods_at in [PRIVATE, PUBLIC] {
            assert!(!is_it(connections(&objects, pods_at)), "{overlay}");
        }
        // Either side alone keeps it shut.
        let to = json!([{ "podSelector": { "matchLabels": { "app.kubernetes.io/name": "web" } } }]);
        let opens = objects.with("NetworkPolicy", "runtime", "/spec/egress/-", json!({ "to": to }));
        assert!(!is_it(connections(&opens, PRIVATE)), "{overlay}");
        let from =
            json!([{ "podSelector": { "matchLabels": { "app.kubernetes.io/name": "runtime" } } }]);
        let accepts = |it: &Objects| {
            it.with("NetworkPolicy", "web", "/spec/ingress/-", json!({ "from": from }))
        };
        assert!(!is_it(connections(&accepts(&objects), PRIVATE)), "{overlay}");
        assert!(is_it(connections(&accepts(&opens), PRIVATE)), "{overlay}");
    }
}

#[test]
fn a_policy_that_is_gone_or_too_wide_is_seen() {
    let Some(overlays) = overlays() else { return };
    let objects = &overlays["production"];
    let planted = |name, at, value| objects.with("NetworkPolicy", name, at, value);
    let egress = "/spec/egress";
    for (planted, seen) in [
        (objects.without("NetworkPolicy", "nothing-by-default"), "newcomer -> 10.0.0.1 all/TCP"),
        (
            planted(
                "nothing-by-default",
                "/spec/podSelector",
                json!({ "matchLabels": { "a": "b" } }),
            ),
            "caller -> migrate all/TCP",
        ),
        (
            planted("nothing-by-default", "/spec/policyTypes", json!(["Ingress"])),
            "newcomer -> 1.1.1.1 all/UDP",
        ),
        (
            planted("web", "/spec/ingress/0/ports/-", json!({ "port": 50061 })),
            "caller -> web 50051,50061,50081/TCP",
        ),
        (
            planted("web", "/spec/ingress/0/ports/-", json!({ "port": "metrics" })),
            "caller -> web 50051,50071,50081/TCP",
        ),
        (
            planted("web", "/spec/ingress/0/ports/0", json!({ "port": 50051, "endPort": 65535 })),
            "caller -> web 50051,50052,50061,50062,50071,50072,50081,65535/TCP",
        ),
        (
            planted("web", "/spec/ingress/0/from/0", json!({ "namespaceSelector": {} })),
            "stranger -> web 50051,50081/TCP",
        ),
        (
            planted("runtime", "/spec/ingress/0/from/0", json!({ "namespaceSelector": {} })),
            "stranger -> runtime 50052/TCP",
        ),
        (
            planted("runtime", "/spec/ingress/0/from/0/namespaceSelector", json!({})),
            "impostor -> runtime 50052/TCP",
        ),
        (
            planted("runtime", &format!("{egress}/-"), json!({})),
            "runtime -> 169.254.169.254 all/TCP",
        ),
        (
            planted("runtime", &format!("{egress}/1/ports"), Value::Null),
            "runtime -> 1.1.1.1 all/UDP",
        ),
        (
            planted("runtime", &format!("{egress}/1/to/0/ipBlock/except"), json!(["10.0.0.0/8"])),
            "runtime -> 169.254.169.254 all/TCP",
        ),
        (
            planted("runtime", &format!("{egress}/1/to/1/ipBlock/cidr"), json!("::/0")),
            "runtime -> fd00::1 all/TCP",
        ),
        (
            planted("to-database", &format!("{egress}/0/to/0/ipBlock/cidr"), json!("192.0.2.0/24")),
            "maintain -> 192.0.2.11 5432/TCP",
        ),
        (
            planted("names", &format!("{egress}/0/to/0/podSelector"), Value::Null),
            "web -> system 53/UDP",
        ),
    ] {
        let found = connections(&planted, PRIVATE);
        let extra: Vec<_> = found.difference(&expected("production")).cloned().collect();
        assert!(extra.contains(&seen.to_owned()), "{seen} is not in {extra:#?}");
    }
    let shut = connections(&objects.without("NetworkPolicy", "to-database"), PRIVATE);
    assert!(!shut.contains("web -> 192.0.2.10 5432/TCP"));
}

/// Every exception is one that Kubernetes takes.
#[test]
fn networks_are_well_formed() {
    let Some(overlays) = overlays() else { return };
    for policy in overlays.values().flat_map(|it| it.of("NetworkPolicy")) {
        for rule in list(policy, "/spec/egress").iter().chain(list(policy, "/spec/ingress")) {
            for block in list(rule, "/to").iter().filter_map(|it| it.get("ipBlock")) {
                let all = Cidr::parse(text(block, "/cidr"));
                for except in list(block, "/except") {
                    assert!(Cidr::parse(except.as_str().unwrap()).is_within(all), "{except}");
                }
            }
        }
    }
}

/// Addresses around every exception, both ends of every fourth /16 of IPv4, and the first of every sixteenth of IPv6.
fn samples(objects: &Objects) -> Vec<IpAddr> {
    let blocks = list(objects.get("NetworkPolicy", "runtime").unwrap(), "/spec/egress/1/to");
    let networks = blocks.iter().flat_map(|it| {
        list(it, "/ipBlock/except")
            .iter()
            .map(|it| it.as_str().unwrap())
            .chain([text(it, "/ipBlock/cidr")])
    });
    let edges = networks.flat_map(|it| Cidr::parse(it).edges());
    let v4 = (0..=u16::MAX).step_by(4).flat_map(|it| {
        let [a, b] = it.to_be_bytes();
        [Ipv4Addr::new(a, b, 0, 1), Ipv4Addr::new(a, b, 255, 254)].map(IpAddr::from)
    });
    let v6 = (0..=u16::MAX).step_by(16).map(|it| Ipv6Addr::new(it, 0, 0, 0, 0, 0, 0, 1).into());
    edges.chain(v4).chain(v6).collect()
}

/// By address, policy and process refuse the same, but for IPv6 that leads to IPv4 by 6to4, which a policy can not look into.
#[test]
fn the_policy_lets_runtime_reach_what_the_process_does() {
    let Some(overlays) = overlays() else { return };
    let objects = &overlays["production"];
    let labels = json!({ "app.kubernetes.io/name": "runtime" });
    let pod = Pod { namespace: "freehold".to_owned(), labels, ..Pod::default() };
    let runtime =
        End { name: "runtime".to_owned(), ip: Ipv4Addr::new(10, 244, 0, 1).into(), pod: Some(pod) };
    let policies = Objects(objects.of("NetworkPolicy").cloned().collect());
    let rules = AddressRules::default();
    let is_6to4 = |ip: IpAddr| Cidr::parse("2002::/16").contains(ip);
    let mut open = 0;
    for ip in samples(objects) {
        let to = End { name: ip.to_string(), ip, pod: None };
        let may = allowed(&policies, &runtime, &to, Port { number: 443, protocol: "TCP" });
        assert_eq!(may, rules.permit(ip) && !is_6to4(ip), "{ip}");
        open += u32::from(may);
    }
    assert!(open > 20_000, "{open}");
}
