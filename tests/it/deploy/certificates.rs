//! web and runtime know one another by certificates that are issued for them, with the names that each looks for in the other's.

use super::{
    objects::{Objects, SERVICES, list, overlays, text},
    workloads::{Workload, workload},
};
use serde_json::{Value, json};

/// The secret behind the path that a variable holds.
fn secret<'a>(workload: Workload<'a>, objects: &Objects, variable: &str) -> &'a str {
    let environment = workload.environment(objects);
    let path = environment.get(variable).map(String::as_str).unwrap_or_default();
    let folder = path.rsplit_once('/').map(|it| it.0).unwrap_or_default();
    let mounts = list(workload.container(), "/volumeMounts");
    let volume = mounts.iter().find(|it| text(it, "/mountPath") == folder).map(|it| &it["name"]);
    let mut volumes = list(workload.pod(), "/volumes").iter();
    let volume = volumes.find(|it| volume.is_some_and(|name| it["name"] == *name));
    volume.map(|it| text(it, "/secret/secretName")).unwrap_or_default()
}

/// The certificate that is kept in a secret; null where there is none.
fn certificate<'a>(objects: &'a Objects, secret: &str) -> &'a Value {
    let found = objects.of("Certificate").find(|it| text(it, "/spec/secretName") == secret);
    found.map_or(&Value::Null, |it| &it["spec"])
}

fn problems(objects: &Objects) -> Vec<&'static str> {
    let (web, runtime) = (workload(objects, "web"), workload(objects, "runtime"));
    let (of_web, of_runtime) = (web.environment(objects), runtime.environment(objects));
    let value = |name: &str| of_web.get(name).cloned().unwrap_or_default();
    let client = certificate(objects, secret(web, objects, "FREEHOLD_RUNTIME_TLS_CERT"));
    let server = certificate(objects, secret(runtime, objects, "FREEHOLD_TLS_CERT"));
    let callers = certificate(objects, secret(web, objects, "FREEHOLD_TLS_CERT"));
    let has = |it: &Value, at: &str, name: &str| list(it, at).contains(&json!(name));
    let issuer = |it: &Value| {
        (text(it, "/issuerRef/kind").to_owned(), text(it, "/issuerRef/name").to_owned())
    };
    let internal = objects.get("Issuer", &issuer(server).1).map_or(&Value::Null, |it| &it["spec"]);
    let trusts = |workload, variable: &str, of: &Value| {
        secret(workload, objects, variable) == text(of, "/secretName")
    };
    let url: http::Uri = value("FREEHOLD_RUNTIME_URL").parse().unwrap();
    let service = objects.get("Service", url.host().unwrap().split('.').next().unwrap());
    let headless = service.is_some_and(|it| it["spec"]["clusterIP"] == "None");
    let port = service.map(|it| it["spec"]["ports"][0]["port"].clone());
    let expected = of_runtime.get("FREEHOLD_WEB_NAME").map(String::as_str).unwrap_or_default();
    let renewed = [client, server, callers]
        .iter()
        .all(|it| text(it, "/privateKey/rotationPolicy") == "Always");
    let keyless =
        ["FREEHOLD_RUNTIME_KEY", "FREEHOLD_RUNTIME_KEY_FILE", "FREEHOLD_TLS_CLIENT_OPTIONAL"];
    let rules = [
        (url.scheme_str() == Some("https"), "web calls runtime in plaintext"),
        (headless, "web sees one address for all replicas of runtime"),
        (port == url.port_u16().map(|it| json!(it)), "web calls another port than runtime's"),
        (
            has(server, "/dnsNames", &value("FREEHOLD_RUNTIME_TLS_NAME")),
            "runtime lacks the name that web looks for",
        ),
        (
            has(server, "/uris", &value("FREEHOLD_RUNTIME_NAME")),
            "runtime lacks the URI name that web looks for",
        ),
        (has(client, "/uris", expected), "web lacks the name that runtime looks for"),
        (has(server, "/usages", "server auth"), "runtime's certificate is not for servers"),
        (has(client, "/usages", "client auth"), "web's certificate is not for clients"),
        (trusts(web, "FREEHOLD_RUNTIME_TLS_CA", client), "web does not trust who signs for both"),
        (
            trusts(runtime, "FREEHOLD_TLS_CLIENT_CA", server),
            "runtime does not ask for a certificate of who signs for both",
        ),
        (
            issuer(client) == issuer(server),
            "web and runtime are signed for by different authorities",
        ),
        (
            !text(internal, "/ca/secretName").is_empty(),
            "the authority of both is none of their own",
        ),
        (issuer(callers) != issuer(server), "callers and runtime trust the same authority"),
        (!has(server, "/uris", expected), "runtime's certificate says that it is web"),
        (
            !keyless.iter().any(|it| of_web.contains_key(*it) || of_runtime.contains_key(*it)),
            "a certificate can be done without",
        ),
        (!callers.is_null(), "callers speak to web in plaintext"),
        (renewed, "a key outlives its certificate"),
    ];
    rules.into_iter().filter(|(kept, _)| !kept).map(|(_, wrong)| wrong).collect()
}

#[test]
fn both_sides_look_for_the_name_that_the_other_has() {
    let Some(overlays) = overlays() else { return };
    for overlay in SERVICES {
        assert_eq!(problems(&overlays[overlay]), Vec::<&str>::new(), "{overlay}");
    }
}

#[test]
fn a_name_or_an_authority_that_is_another_is_seen() {
    let Some(overlays) = overlays() else { return };
    let objects = &overlays["production"];
    let env = "/spec/template/spec/containers/0/env/-";
    let set = |name: &str, value: &str| json!({ "name": name, "value": value });
    for (kind, name, at, value, wrong) in [
        ("Certificate", "runtime", "/spec/dnsNames", json!(["x"]), "runtime lacks the name"),
        ("Certificate", "runtime", "/spec/uris", json!(["x"]), "runtime lacks the URI name"),
        (
            "Certificate",
            "runtime",
            "/spec/uris",
            json!(["spiffe://freehold/web-service"]),
            "says that it is web",
        ),
        ("Certificate", "runtime", "/spec/usages", json!([]), "is not for servers"),
        ("Certificate", "web-to-runtime", "/spec/uris", json!(["x"]), "web lacks the name"),
        (
            "Certificate",
            "web-to-runtime",
            "/spec/usages",
            json!(["server auth"]),
            "is not for clients",
        ),
        (
            "Certificate",
            "web-to-runtime",
            "/spec/issuerRef/name",
            json!("self-signed"),
            "different authorities",
        ),
        (
            "Certificate",
            "web",
            "/spec/issuerRef",
            json!({ "kind": "Issuer", "name": "internal" }),
            "the same authority",
        ),
        ("Certificate", "web", "/spec/privateKey/rotationPolicy", json!("Never"), "a key outlives"),
        ("Issuer", "internal", "/spec", json!({ "selfSigned": {} }), "none of their own"),
        ("Service", "runtime", "/spec/clusterIP", Value::Null, "one address"),
        ("Service", "runtime", "/spec/ports/0/port", json!(1), "another port"),
        (
            "Deployment",
            "web",
            env,
            set("FREEHOLD_RUNTIME_URL", "http://runtime:50052"),
            "in plaintext",
        ),
        (
            "Deployment",
            "web",
            env,
            set("FREEHOLD_RUNTIME_TLS_CA", "/run/secrets/tls/ca.crt"),
            "web does not trust",
        ),
        (
            "Deployment",
            "web",
            env,
            set("FREEHOLD_TLS_CERT", "/x/y"),
            "callers speak to web in plaintext",
        ),
        (
            "Deployment",
            "runtime",
            env,
            set("FREEHOLD_TLS_CLIENT_CA", ""),
            "does not ask for a certificate",
        ),
        (
            "Deployment",
            "runtime",
            env,
            set("FREEHOLD_TLS_CLIENT_OPTIONAL", "true"),
            "can be done without",
        ),
    ] {
        let problems = problems(&objects.with(kind, name, at, value));
        assert!(problems.iter().any(|it| it.contains(wrong)), "{wrong}: {problems:?}");
    }
}
