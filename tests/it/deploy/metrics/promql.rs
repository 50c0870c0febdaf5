//! Which metrics and labels an expression in `PromQL` asks for: as much of its grammar as that takes.

use std::collections::BTreeSet;

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) metrics: BTreeSet<String>,
    pub(super) labels: BTreeSet<String>,
}

const OPERATORS: [&str; 5] = ["and", "or", "unless", "bool", "offset"];
/// Words before a list of labels in brackets.
const GROUPING: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];

pub(super) fn asked(expression: &str) -> Asked {
    let mut asked = Asked::default();
    let mut rest = expression;
    let mut are_labels = false;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' | '\'' => quoted(rest, first),
            '[' => rest.find(']').unwrap() + 1,
            '0'..='9' => word(rest),
            'a'..='z' | 'A'..='Z' | '_' | ':' => {
                let length = word(rest);
                let (name, after) = (&rest[..length], rest[length..].trim_start());
                if GROUPING.contains(&name) && after.starts_with('(') {
                    are_labels = true;
                } else if are_labels {
                    asked.labels.insert(name.to_owned());
                } else if !OPERATORS.contains(&name) && !is_call(after) {
                    asked.metrics.insert(name.to_owned());
                }
                length
            }
            _ => {
                are_labels = match first {
                    '{' => true,
                    '}' | ')' => false,
                    _ => are_labels,
                };
                first.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    asked
}

/// A function, or an aggregation that says first by which labels.
fn is_call(after: &str) -> bool {
    let starts =
        |it: &str| after.strip_prefix(it).is_some_and(|it| it.trim_start().starts_with('('));
    after.starts_with('(') || starts("by") || starts("without")
}

fn word(text: &str) -> usize {
    text.find(|it: char| !it.is_ascii_alphanumeric() && !['_', ':'].contains(&it))
        .unwrap_or(text.len())
}

/// The length of a text in quotes, with both of them.
fn quoted(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, it) in text.char_indices().skip(1) {
        if it == quote && !is_escaped {
            return at + 1;
        }
        is_escaped = it == '\\' && !is_escaped;
    }
    panic!("{text} does not end")
}

#[test]
fn metrics_and_labels_are_told_from_functions_and_words() {
    let of = |expression: &str| {
        let Asked { metrics, labels } = asked(expression);
        (
            metrics.into_iter().collect::<Vec<_>>().join(" "),
            labels.into_iter().collect::<Vec<_>>().join(" "),
        )
    };
    let both = |metrics: &str, labels: &str| (metrics.to_owned(), labels.to_owned());
    assert_eq!(of("up == 1"), both("up", ""));
    assert_eq!(
        of("sum by (job, le) (rate(a_total{b=\"c{d\", e!~'f'}[5m])) > 2.5 * 86400"),
        both("a_total", "b e job le")
    );
    assert_eq!(of("a and on (x) sum(b) by (y) or c offset 5m"), both("a b c", "x y"));
    assert_eq!(of("histogram_quantile(0.99, a_bucket) - time()"), both("a_bucket", ""));
    assert_eq!(of("rate(a[$__rate_interval]) / max(b{n=\"$namespace\"})"), both("a b", "n"));
}
