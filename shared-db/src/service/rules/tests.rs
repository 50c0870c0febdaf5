//! Each rule, kept and broken, on messages of `testdata/rules.proto`.

use super::*;
use prost_reflect::DeserializeOptions;
use serde_json::{Value, json};
use std::path::Path;

fn compiled(files: &[&str], root: &Path) -> Vec<u8> {
    let vendored = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto/vendor");
    let mut compiler = protox::Compiler::new([root.to_path_buf(), vendored]).unwrap();
    compiler.include_imports(true).open_files(files).unwrap();
    compiler.encode_file_descriptor_set()
}

static ENTRIES: LazyLock<Book> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let pool = register(&compiled(&["rules.proto"], &root)).unwrap();
    entries(&pool).unwrap()
});

/// `field: problem` of each violation that a message in its JSON form has.
fn problems(message: &str, json: Value) -> Vec<String> {
    match run(message, json) {
        Ok(()) => Vec::new(),
        Err(Error::Invalid { violations, .. }) => {
            violations.iter().map(|it| format!("{}: {}", it.field, it.problem)).collect()
        }
        Err(other) => panic!("{other}"),
    }
}

fn run(message: &str, json: Value) -> Result<()> {
    let entry = &ENTRIES[&format!("rules.test.{message}")];
    let descriptor = entry.descriptor.clone();
    let options = DeserializeOptions::new();
    let message = DynamicMessage::deserialize_with_options(descriptor, json, &options).unwrap();
    check_dynamic(entry, &message, true)
}

#[track_caller]
fn breaks(message: &str, json: Value, expected: &[&str]) {
    assert_eq!(problems(message, json), expected);
}

#[test]
fn strings_keep_their_rules() {
    breaks("Texts", json!({}), &[]);
    for (json, problem) in [
        (json!({"uuid": "nonsense"}), "uuid: must be a UUID"),
        (json!({"uuid": "0190a1b2c3d47e8f9a0b1c2d3e4f5a6b"}), "uuid: must be a UUID"),
        (json!({"email": "no at"}), "email: must be an email address"),
        (json!({"email": "a@b c"}), "email: must be an email address"),
        (json!({"exact": "four"}), "exact: must have 3 characters"),
        (json!({"sized": "a"}), "sized: must have at least 2 characters"),
        (json!({"sized": "abcd"}), "sized: must have at most 3 characters"),
        (json!({"pattern": "A"}), "pattern: must match ^[a-z]+$"),
        (json!({"prefix": "b"}), "prefix: must begin with `ab`"),
        (json!({"suffix": "b"}), "suffix: must end with `.rs`"),
        (json!({"one_of": "POST"}), "one_of: must be one of GET, PUT"),
        (json!({"none_of": "root"}), "none_of: must not be one of root"),
    ] {
        breaks("Texts", json, &[problem]);
    }
    let kept = json!({
        "uuid": "0190a1b2-c3d4-7e8f-9a0b-1c2d3e4f5a6b", "email": "ann@example.org", "exact": "äöü", "sized": "ab",
        "pattern": "abc", "prefix": "abc", "suffix": "lib.rs", "one_of": "GET", "none_of": "ann", "skipped": "a",
    });
    breaks("Texts", kept, &[]);
}

#[test]
fn empty_and_unset_are_told_apart() {
    breaks("Empties", json!({}), &["filled: must not be empty", "zero: is required"]);
    let unset = json!({"filled": "a", "zero": "a"});
    breaks("Empties", unset, &[]);
    let empty = json!({"filled": "a", "zero": "a", "presence": ""});
    breaks("Empties", empty, &["presence: must not be empty"]);
}

#[test]
fn numbers_keep_their_rules() {
    breaks("Numbers", json!({}), &[]);
    for (json, problem) in [
        (json!({"between": -1}), "between: must be at least 0 and at most 10"),
        (json!({"between": 11}), "between: must be at least 0 and at most 10"),
        (json!({"inside": "-1"}), "inside: must be more than -1 and less than 5"),
        (json!({"inside": "5"}), "inside: must be more than -1 and less than 5"),
        (json!({"one_of": 8}), "one_of: must be one of 0, 7"),
        (json!({"none_of": "13"}), "none_of: must not be one of 13"),
        (json!({"real": 1.5}), "real: must be at least 0 and at most 1"),
        (json!({"real": "NaN"}), "real: must be at least 0 and at most 1"),
        (json!({"finite": "Infinity"}), "finite: must be a finite number"),
        (json!({"constant": 5}), "constant: must be one of 4"),
    ] {
        breaks("Numbers", json, &[problem]);
    }
    let kept = json!({"between": 10, "inside": "4", "one_of": 7, "none_of": "12", "real": 0.5, "constant": 4});
    breaks("Numbers", kept, &[]);
}

#[test]
fn enums_keep_their_rules() {
    breaks("Enums", json!({"defined": 1, "chosen": 2, "some": 2}), &[]);
    breaks("Enums", json!({"defined": 9}), &["defined: must be a value of rules.test.Color"]);
    breaks("Enums", json!({"chosen": 0}), &["chosen: must not be one of 0"]);
    breaks("Enums", json!({"some": 1}), &["some: must be one of 0, 2"]);
}

#[test]
fn every_violation_is_named_with_its_path() {
    let json = json!({
        "items": ["a", "", "a", "b"], "pairs": {"long": 1, "b": -1, "c": 0},
        "nested": [{"filled": "a", "zero": "a"}, {"zero": "a"}], "named": {"x": {"filled": "a"}},
    });
    let mut found = problems("Many", json);
    found.sort();
    let expected = [
        "items: must have at most 3 items",
        "items: must not contain anything twice",
        "items[1]: must not be empty",
        "named[\"x\"].zero: is required",
        "nested[1].filled: must not be empty",
        "pairs: must have at most 2 items",
        "pairs[\"b\"]: must be at least 0",
        "pairs[\"long\"]: must have at most 3 characters",
    ];
    assert_eq!(found, expected);
    breaks("Many", json!({}), &["items: must not be empty"]);
}

#[test]
fn violations_have_a_limit() {
    let nested: Vec<Value> = (0..1000).map(|_| json!({})).collect();
    assert_eq!(problems("Many", json!({"items": ["a"], "nested": nested})).len(), VIOLATIONS_MAX);
}

#[test]
fn durations_times_and_bytes_keep_their_rules() {
    breaks("Times", json!({"needed": {}}), &[]);
    breaks("Times", json!({}), &["needed: is required"]);
    for (json, problem) in [
        (
            json!({"needed": {}, "duration": "0s"}),
            "duration: must be at least 1 ms and less than 10 s",
        ),
        (
            json!({"needed": {}, "duration": "10s"}),
            "duration: must be at least 1 ms and less than 10 s",
        ),
        (
            json!({"needed": {}, "time": "1970-01-01T00:01:40Z"}),
            "time: must be more than 100 s after 1970",
        ),
        (json!({"needed": {}, "bytes": "YWJj"}), "bytes: must have at most 2 bytes"),
    ] {
        breaks("Times", json, &[problem]);
    }
}

#[test]
fn a_create_needs_the_required_fields() {
    breaks("CreateThingRequest", json!({}), &["thing: is required"]);
    let missing =
        ["thing.slug: is required", "thing.name: is required", "thing.color: is required"];
    breaks("CreateThingRequest", json!({"thing": {}}), &missing);
    // What only the service sets is not looked at.
    let thing = json!({"slug": "a", "name": "A", "color": 1, "id": "x", "made_by": "nobody"});
    breaks("CreateThingRequest", json!({"thing": thing}), &[]);
    let thing = json!({"slug": "A", "name": "too long", "color": 1});
    let broken = ["thing.slug: must match ^[a-z]+$", "thing.name: must have at most 5 characters"];
    breaks("CreateThingRequest", json!({"thing": thing}), &broken);
}

#[test]
fn an_update_looks_at_what_its_mask_names() {
    let thing = json!({"name": "too long", "note": "fine"});
    breaks("UpdateThingRequest", json!({"thing": thing, "updateMask": "note"}), &[]);
    let broken = ["thing.name: must have at most 5 characters"];
    breaks("UpdateThingRequest", json!({"thing": thing, "updateMask": "name,note"}), &broken);
    // Without a mask: everything that may be changed, and so not the slug.
    let missing = ["thing.name: is required", "thing.color: is required"];
    breaks("UpdateThingRequest", json!({"thing": {}}), &missing);
    breaks(
        "UpdateThingRequest",
        json!({"thing": {}, "updateMask": "color"}),
        &["thing.color: is required"],
    );
    breaks("UpdateThingRequest", json!({"thing": {}, "updateMask": "empties"}), &[]);
    let nested = json!({"thing": {"empties": {"zero": "a"}}, "updateMask": "empties"});
    breaks("UpdateThingRequest", nested, &["thing.empties.filled: must not be empty"]);
}

#[test]
fn a_mask_names_only_fields_that_can_be_changed() {
    for (path, problem) in [
        (
            "nonsense",
            "there is no field `nonsense`; these can be changed: name, color, note, empties",
        ),
        ("id", "`id` cannot be changed"),
        ("slug", "`slug` cannot be changed"),
        ("made_by", "`made_by` cannot be changed"),
        ("etag", "`etag` cannot be changed"),
        ("kind", "there is no field `kind`; these can be changed: name, color, note, empties"),
        ("empties.filled", "`empties.filled` is part of a field; name the whole field, `empties`"),
        (
            "name; drop table",
            "there is no field `name; drop table`; these can be changed: name, color, note, empties",
        ),
    ] {
        let paths = [path.to_owned()];
        let Err(Error::Invalid { reason, violations }) =
            mask_paths(&ENTRIES["rules.test.Thing"].descriptor, &paths)
        else {
            panic!("{path} was taken")
        };
        assert_eq!(reason, Reason::InvalidUpdateMask);
        assert_eq!(
            (violations[0].field.as_str(), violations[0].problem.as_str()),
            ("update_mask", problem)
        );
    }
}

#[test]
fn the_one_character_that_is_not_kept_is_refused_where_it_stands() {
    let problems = problems("Texts", json!({ "exact": "a\u{0}b" }));
    assert_eq!(problems, ["exact: must not hold the character U+0000"]);
}

#[test]
fn what_has_no_rules_costs_nothing() {
    assert!(ENTRIES["rules.test.Plain"].rules.is_none());
    assert!(ENTRIES["rules.test.Plain"].request.is_none());
}

#[test]
fn a_rule_that_is_not_known_stops_the_boot() {
    let directory = std::env::temp_dir().join(format!("freehold-rules-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    for (i, (rule, said)) in [
        ("string.ip = true", "`ip` is not known"),
        ("string.pattern = \"(\"", "regex parse error"),
        ("cel = {id: \"x\", expression: \"true\"}", "`cel` is not known"),
        ("int32.gte = 1", "`int32` is not known, or not for this type"),
    ]
    .into_iter()
    .enumerate()
    {
        let file = format!("unknown{i}.proto");
        let text = format!(
            "syntax = \"proto3\"; package unknown{i}; import \"buf/validate/validate.proto\";
             message Odd {{ string field = 1 [(buf.validate.field).{rule}]; }}"
        );
        std::fs::write(directory.join(&file), text).unwrap();
        let Ok(bytes) = std::panic::catch_unwind(|| compiled(&[&file], &directory)) else {
            continue;
        };
        let error = register(&bytes).map(drop).unwrap_err();
        assert!(format!("{error:#}").contains(said), "{error:#}");
        assert!(format!("{error:#}").contains("Odd.field"), "{error:#}");
    }
    std::fs::remove_dir_all(&directory).unwrap();
}
