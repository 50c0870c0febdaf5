//! Signed URLs: what they open, to whom, and for how long.

use super::{bytes, call, delete, kept, sha256, upload};
use freehold_tests::{
    errors::assert_fails,
    stack::{Org, Stack},
};
use http::{HeaderMap, Method};
use serde_json::json;
use shared_db::error::Reason;
use std::time::Duration;
use tokio::time::sleep;
use tonic::Code;

struct Got {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Got {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|it| it.to_str().unwrap()).unwrap_or_default()
    }
}

async fn ask(method: Method, url: &str, headers: &[(&'static str, &str)]) -> Got {
    // Whoever is first installs the provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut request = reqwest::Client::new().request(method, url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Got { status, headers, body: response.bytes().await.unwrap().to_vec() }
}

async fn get(url: &str) -> Got {
    ask(Method::GET, url, &[]).await
}

async fn url(org: &Org, id: &str) -> String {
    let made = call(org, "CreateFileUrl", json!({ "id": id })).await.unwrap();
    made["url"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_url_that_was_changed_opens_nothing() {
    let stack = Stack::shared().await;
    let (org, other) = (stack.organization().await, stack.organization().await);
    let secret = bytes(40, 100);
    let (file, own) =
        (upload(&other, "a", &secret).await.unwrap(), upload(&org, "b", b"mine").await.unwrap());
    let mine = url(&org, &own.id).await;
    assert_eq!(get(&mine).await.body, b"mine");

    let (path, query) = mine.split_once('?').unwrap();
    let (expires, signature) = query.split_once('&').unwrap();
    let later =
        format!("expires={}", expires.rsplit('=').next().unwrap().parse::<i64>().unwrap() + 1);
    let flipped = |it: &str| {
        let other = if it.ends_with('A') { "Q" } else { "A" };
        format!("{}{other}", &it[..it.len() - 1])
    };
    let forged = [
        // Another file, another organization, another time, another signature, and none.
        mine.replace(&own.id, &file.id),
        mine.replace(&org.id, &other.id),
        mine.replace(&org.id, &other.id).replace(&own.id, &file.id),
        format!("{path}?{later}&{signature}"),
        format!("{path}?{expires}&{}", flipped(&signature[..20])),
        format!("{path}?{expires}&signature="),
        format!("{path}?{expires}"),
        format!("{path}?{signature}"),
        format!("{path}?expires=never&{signature}"),
        path.to_owned(),
        format!("{path}?{expires}&signature={}", "A".repeat(43)),
    ];
    for forged in forged {
        let got = get(&forged).await;
        assert_eq!(got.status, 403, "{forged}");
        assert!(got.header("content-disposition").is_empty());
        assert!(!got.body.windows(20).any(|it| it == &secret[..20]));
    }
    for elsewhere in ["/", "/files", "/files/", "/files/x/y", "/metrics", "/files/../files"] {
        let base = &mine[..mine.find("/files").unwrap()];
        assert_eq!(get(&format!("{base}{elsewhere}")).await.status, 404, "{elsewhere}");
    }
    // Spelled otherwise it is another path.
    let id = own.id.to_uppercase();
    assert_eq!(get(&mine.replace(&own.id, &id)).await.status, 404);
}

#[tokio::test]
async fn a_url_expires_and_ends_with_its_file() {
    let org = Stack::shared().await.organization().await;
    let file = upload(&org, "a", b"x").await.unwrap();
    for ttl in ["0s", "0.5s", "604801s", "-1s"] {
        let request = json!({ "id": file.id, "ttl": ttl });
        let result = call(&org, "CreateFileUrl", request).await;
        assert_fails(result, Code::InvalidArgument, Reason::InvalidField, "ttl");
    }
    call(&org, "CreateFileUrl", json!({ "id": file.id, "ttl": "604800s" })).await.unwrap();

    let made = call(&org, "CreateFileUrl", json!({ "id": file.id, "ttl": "2s" })).await.unwrap();
    let short = made["url"].as_str().unwrap();
    assert_eq!(get(short).await.status, 200);
    sleep(Duration::from_millis(2100)).await;
    assert_eq!(get(short).await.status, 403);

    let long = url(&org, &file.id).await;
    assert_eq!(get(&long).await.status, 200);
    delete(&org, &file.id).await;
    assert_eq!(get(&long).await.status, 404);
    call(&org, "UndeleteFile", json!({ "id": file.id })).await.unwrap();
    assert_eq!(get(&long).await.status, 200);
}

#[tokio::test]
async fn a_download_says_what_it_is_and_is_never_a_page() {
    let org = Stack::shared().await.organization().await;
    let page = b"<script>alert(1)</script>";
    let name = "Gr\u{fc}\u{df}e \"x\"; filename=evil.html\r\nx-evil: y/../z.html";
    let file = json!({ "name": name, "media_type": "text/html; charset=utf-8" });
    let request = json!({ "file": file, "chunk": "PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==" });
    let file = call(&org, "UploadFile", request).await.unwrap();
    let url = url(&org, file["id"].as_str().unwrap()).await;
    let got = get(&url).await;
    assert_eq!((got.status, &got.body[..]), (200, &page[..]));
    for (header, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("content-length", "25"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'; sandbox"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "private, no-store"),
        ("accept-ranges", "bytes"),
        ("etag", &format!("\"{}\"", sha256(page))),
    ] {
        assert_eq!(got.header(header), value, "{header}");
    }
    let disposition = got.header("content-disposition");
    assert!(
        disposition.starts_with(
            "attachment; filename=\"Gr__e _x__ filename_evil.html__x-evil_ y_.._z.html\"; "
        ),
        "{disposition}"
    );
    assert!(disposition.ends_with("filename*=UTF-8''Gr%C3%BC%C3%9Fe%20%22x%22%3B%20filename%3Devil.html%0D%0Ax-evil%3A%20y%2F..%2Fz.html"), "{disposition}");
    assert!(got.headers.get("x-evil").is_none());

    let head = ask(Method::HEAD, &url, &[]).await;
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, "25", 0));
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
        let got = ask(method.clone(), &url, &[]).await;
        assert_eq!((got.status, got.header("allow")), (405, "GET, HEAD"), "{method}");
        assert_eq!(got.header("x-content-type-options"), "nosniff");
    }
}

#[tokio::test]
async fn a_part_can_be_asked_for() {
    let org = Stack::shared().await.organization().await;
    let data = bytes(41, 700_000);
    let file = upload(&org, "a", &data).await.unwrap();
    let url = url(&org, &file.id).await;
    for (range, from, to) in [
        ("bytes=0-9", 0, 10),
        ("bytes=699999-", 699_999, 700_000),
        ("bytes=-300000", 400_000, 700_000),
        ("bytes=5-9999999", 5, 700_000),
    ] {
        let got = ask(Method::GET, &url, &[("range", range)]).await;
        assert_eq!(got.status, 206, "{range}");
        assert_eq!(got.header("content-range"), format!("bytes {from}-{}/700000", to - 1));
        assert_eq!(got.header("content-length"), (to - from).to_string());
        assert!(got.body == data[from..to], "{range}");
        let head = ask(Method::HEAD, &url, &[("range", range)]).await;
        assert_eq!((head.status, head.body.len()), (206, 0));
    }
    let got = ask(Method::GET, &url, &[("range", "bytes=700000-")]).await;
    assert_eq!((got.status, got.header("content-range")), (416, "bytes */700000"));
    for whole in ["bytes=0-1,5-6", "lines=1-2", "bytes=9-3"] {
        let got = ask(Method::GET, &url, &[("range", whole)]).await;
        assert_eq!((got.status, got.body.len()), (200, data.len()), "{whole}");
    }
    let empty = upload(&org, "empty", &[]).await.unwrap();
    let got = get(&self::url(&org, &empty.id).await).await;
    assert_eq!((got.status, got.header("content-length"), got.body.len()), (200, "0", 0));
}

#[tokio::test]
async fn urls_begin_as_the_operator_says_and_are_served_where_the_operator_says() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let stack = Stack::builder()
        .without_runtime()
        .set_web("FILES_LISTEN", &port.to_string())
        .set_web("FILES_URL", "https://files.example.test/below/")
        .start()
        .await;
    let org = stack.organization().await;
    let file = upload(&org, "a", b"x").await.unwrap();
    let public = url(&org, &file.id).await;
    let path = public.strip_prefix("https://files.example.test/below").unwrap();
    assert_eq!(get(&format!("http://{port}{path}")).await.body, b"x");
}

#[tokio::test]
async fn without_a_listener_there_are_no_urls() {
    let stack = Stack::builder().without_runtime().without("FILES_LISTEN").start().await;
    let org = stack.organization().await;
    let file = upload(&org, "a", b"x").await.unwrap();
    let result = call(&org, "CreateFileUrl", json!({ "id": file.id })).await;
    assert_fails(result, Code::FailedPrecondition, Reason::FileUrlsOff, None);
}

/// Bytes that are cut short are told by the length that was promised.
#[tokio::test]
async fn damaged_bytes_end_a_download() {
    let stack = Stack::builder().without_runtime().start().await;
    let org = stack.organization().await;
    let data = bytes(42, 900_000);
    let file = upload(&org, "a", &data).await.unwrap();
    let url = url(&org, &file.id).await;
    let path = kept(&stack).remove(0);
    std::fs::write(&path, &data[..500_000]).unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let response = reqwest::get(&url).await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.bytes().await.is_err());
    std::fs::remove_file(&path).unwrap();
    assert_eq!(get(&url).await.status, 500);
}
