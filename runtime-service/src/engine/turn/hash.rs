//! The hash of a step's input, by which a resumed execution is seen to ask for the same thing.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// SHA-256 of a value in one fixed form: keys sorted, whole numbers without fraction, so that a value that went through the database is
/// still the same.
pub(super) fn hash(value: &Value) -> [u8; 32] {
    let mut sha = Sha256::new();
    feed(&mut sha, value);
    sha.finalize().into()
}

fn feed(sha: &mut Sha256, value: &Value) {
    match value {
        Value::Null => sha.update("null"),
        Value::Bool(it) => sha.update(if *it { "true" } else { "false" }),
        Value::Number(it) => sha.update(canonical(it)),
        Value::String(_) => sha.update(value.to_string()),
        Value::Array(items) => {
            sha.update("[");
            for item in items {
                feed(sha, item);
                sha.update(",");
            }
            sha.update("]");
        }
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by_key(|it| it.0);
            sha.update("{");
            for (key, item) in entries {
                sha.update(Value::String(key.clone()).to_string());
                sha.update(":");
                feed(sha, item);
                sha.update(",");
            }
            sha.update("}");
        }
    }
}

fn canonical(number: &serde_json::Number) -> String {
    const WHOLE_MAX: f64 = 18_446_744_073_709_551_616.0;
    match number.as_f64() {
        Some(it) if number.is_f64() && it.fract() == 0.0 && it.abs() < WHOLE_MAX => {
            // Adding zero makes a negative zero positive.
            format!("{:.0}", it + 0.0)
        }
        _ => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_same_value_has_the_same_hash_in_every_form() {
        let parse = |text: &str| hash(&serde_json::from_str(text).unwrap());
        assert_eq!(parse(r#"{"a":1,"b":[2]}"#), parse(r#"{"b":[2.0],"a":1e0}"#));
        assert_eq!(parse("-0.0"), parse("0"));
        assert_eq!(parse("1e18"), parse("1000000000000000000"));
    }

    #[test]
    fn different_values_have_different_hashes() {
        let values = [
            json!(null),
            json!(0),
            json!(""),
            json!([]),
            json!({}),
            json!([[]]),
            json!([1, 2]),
            json!([12]),
            json!(["1,2"]),
            json!({"a": 1}),
            json!({"a": "1"}),
            json!({"a": {"b": 1}}),
            json!({"a": 1, "b": 1}),
            json!(1.5),
        ];
        for (i, a) in values.iter().enumerate() {
            for b in &values[i + 1..] {
                assert_ne!(hash(a), hash(b), "{a} {b}");
            }
        }
    }
}
