use crate::{Reason, filter, http_call, schema, template, template::Context};
use common_api::types::HttpCall;
use serde_json::{Value, json};

fn filtered(source: &str, input: &Value) -> Value {
    filter::compile(source).unwrap().run(input).unwrap()
}

#[test]
fn a_filter_picks_and_shapes() {
    let input = json!({"items": [{"n": 1.5, "s": "a"}, {"n": 2, "s": "b"}]});
    assert_eq!(filtered(".items | map(.n) | add", &input), json!(3.5));
    assert_eq!(
        filtered("{names: [.items[].s], first: .items[0].s}", &input),
        json!({"names": ["a", "b"], "first": "a"})
    );
    assert_eq!(filtered(".items[] | select(.n > 5)", &input), Value::Null);
    assert_eq!(
        filtered(".items | sort_by(-.n) | .[0] | to_entries | from_entries | .s", &input),
        json!("b")
    );
    assert_eq!(filtered(".items | map(.s) | join(\",\") | @base64", &input), json!("YSxi"));
}

#[test]
fn a_filter_that_makes_two_values_is_told_so() {
    let fault = filter::compile(".[]").unwrap().run(&json!([1, 2])).unwrap_err();
    assert_eq!(fault.reason, Reason::ResponseInvalid);
}

#[test]
fn a_filter_sees_neither_process_nor_clock_and_does_not_loop() {
    for source in [
        "env",
        "$ENV",
        "now",
        "input",
        "[inputs]",
        "halt",
        "debug",
        "{a: env}",
        "\"\\(env)\"",
        ".[env]",
        ". as {(env): $x} | $x",
        "def f: f; f",
        "reduce .[] as $x (0; . + $x)",
        "foreach .[] as $x (0; .)",
        "recurse([.])",
        "repeat(.)",
        "range(1e9)",
        "[.[] | until(false; .)]",
        "try env",
        "if env then 1 else 2 end",
        "import \"a\" as a; .",
        "include \"a\"; .",
        ". |= env",
        "unknown(1)",
        "(",
        ".a ||",
        "\"",
        "$x",
    ] {
        let fault = filter::compile(source).err().unwrap_or_else(|| panic!("{source} compiled"));
        assert_eq!(fault.reason, Reason::InvalidFilter, "{source}");
    }
}

#[test]
fn no_text_of_a_filter_overflows_the_stack() {
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("-", ""),
        (".|", ""),
        ("1+", ""),
        ("try ", ""),
        (".a", ""),
        ("{a:", "}"),
        ("if ", ""),
        (". as $x|", ""),
    ] {
        let times = (filter::BYTES_MAX - 1) / (open.len() + close.len());
        let source = format!("{}.{}", open.repeat(times), close.repeat(times));
        let _ = filter::compile(&source);
    }
    assert!(filter::compile(&"(".repeat(10_000)).is_err());
}

#[test]
fn a_template_fills_in_its_input_and_misses_nothing_quietly() {
    let of = |source: &str, context, input: Value| {
        template::compile(source, context).and_then(|it| it.render(&input))
    };
    assert_eq!(
        of("{\"q\": {{ input.q | tojson }}}", Context::Text, json!({"q": "a\"b"})).unwrap(),
        r#"{"q": "a\"b"}"#
    );
    assert_eq!(
        of(
            "https://x/{{ input.a }}?q={{ input.q }}",
            Context::Url,
            json!({"a": "../b", "q": "1&2"})
        )
        .unwrap(),
        "https://x/..%2Fb?q=1%262"
    );
    assert_eq!(of("{{ input.q | safe }}", Context::Url, json!({"q": "/"})).unwrap(), "%2F");
    assert!(of("{{ input.missing }}", Context::Text, json!({})).is_err());
    assert!(
        of(
            "{% for x in range(100000) %}{% for y in range(100000) %}x{% endfor %}{% endfor %}",
            Context::Text,
            json!({})
        )
        .is_err()
    );
    assert!(of("{% include 'x' %}", Context::Text, json!({})).is_err());
    assert_eq!(
        of("{{ input.", Context::Text, json!({})).unwrap_err().reason,
        Reason::InvalidTemplate
    );
}

#[test]
fn a_schema_says_where_it_is_wrong_and_where_a_value_is() {
    let schema = schema::compile(
        &json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}),
    )
    .unwrap();
    schema.validate(&json!({"n": 1})).unwrap();
    let fault = schema.validate(&json!({"n": "x"})).unwrap_err();
    assert_eq!(fault.reason, Reason::SchemaMismatch);
    assert!(fault.problem.contains("/n"), "{fault}");
    let fault = schema::compile(&json!({"properties": {"n": {"type": "nonsense"}}})).unwrap_err();
    assert_eq!(fault.reason, Reason::InvalidJsonSchema);
    assert!(fault.problem.contains("/properties/n/type"), "{fault}");
    for remote in ["https://example.com/x.json", "file:///etc/passwd", "other.json"] {
        assert!(
            schema::compile(&json!({"properties": {"n": {"$ref": remote}}})).is_err(),
            "{remote}"
        );
    }
    schema::compile(
        &json!({"$defs": {"n": {"type": "integer"}}, "properties": {"n": {"$ref": "#/$defs/n"}}}),
    )
    .unwrap();
}

#[test]
fn a_schema_that_only_refers_to_itself_ends() {
    for schema in [
        json!({"$ref": "#"}),
        json!({"allOf": [{"$ref": "#"}]}),
        json!({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}),
        json!({"not": {"$ref": "#"}}),
    ] {
        if let Ok(schema) = schema::compile(&schema) {
            let _ = schema.validate(&json!({"a": [1]}));
        }
    }
}

#[test]
fn a_call_names_the_field_that_is_wrong() {
    let call = HttpCall {
        method: "GET".into(),
        url: "https://example.com/{{ input.id }}".into(),
        ..Default::default()
    };
    http_call::check(&call).unwrap();
    let with = |change: fn(&mut HttpCall)| {
        let mut call = call.clone();
        change(&mut call);
        let fault = http_call::check(&call).unwrap_err();
        (fault.reason, fault.field)
    };
    assert_eq!(
        with(|it| it.url = "https://{{ input.host }}/".into()),
        (Reason::InvalidField, "url".into())
    );
    assert_eq!(
        with(|it| it.url = "ftp://example.com".into()),
        (Reason::InvalidField, "url".into())
    );
    assert_eq!(
        with(|it| it.url = "https://a:b@example.com".into()),
        (Reason::InvalidField, "url".into())
    );
    assert_eq!(
        with(|it| it.url = "https://example.com/{{".into()),
        (Reason::InvalidTemplate, "url".into())
    );
    assert_eq!(
        with(|it| it.body_template = "{% if %}".into()),
        (Reason::InvalidTemplate, "body_template".into())
    );
    assert_eq!(
        with(|it| it.response_filter = ".a |".into()),
        (Reason::InvalidFilter, "response_filter".into())
    );
    assert_eq!(
        with(|it| drop(it.headers.insert("Host".into(), "x".into()))).1,
        "headers[\"Host\"]"
    );
    assert_eq!(with(|it| drop(it.headers.insert("X".into(), "a\r\nb".into()))).1, "headers[\"X\"]");
}
