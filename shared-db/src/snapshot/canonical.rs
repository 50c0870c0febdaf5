//! One text for one expression. PostgreSQL prints `(a AND b) AND c` as it was parsed, and parses what it printed as `a AND b AND c`:
//! a schema that was dumped and restored would seem to have drifted.

/// One line, with the brackets of an AND inside of an AND taken away.
pub(super) fn expression(sql: &str) -> String {
    let sql = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut rest = sql.chars().peekable();
    let mut text = String::with_capacity(sql.len());
    for part in parts(&mut rest) {
        part.write(false, &mut text);
    }
    text
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// Text outside of brackets and inside of them. What stands in quotes is text.
enum Part {
    Text(String),
    Group(Vec<Part>),
}

/// Reads up to the bracket that closes, or the end.
fn parts(rest: &mut Chars<'_>) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut text = String::new();
    while let Some(c) = rest.next() {
        match c {
            ')' => break,
            '(' => {
                parts.push(Part::Text(std::mem::take(&mut text)));
                parts.push(Part::Group(self::parts(rest)));
            }
            '\'' | '"' => {
                text.push(c);
                for inside in rest.by_ref() {
                    text.push(inside);
                    if inside == c {
                        break;
                    }
                }
            }
            _ => text.push(c),
        }
    }
    parts.push(Part::Text(text));
    parts
}

const AND: &str = " AND ";

impl Part {
    /// `in_and` says that this stands alone between ANDs.
    fn write(&self, in_and: bool, text: &mut String) {
        match self {
            Self::Text(it) => text.push_str(it),
            Self::Group(inside) => {
                let chain = is_chain(inside);
                let bare = in_and && chain;
                if !bare {
                    text.push('(');
                }
                for part in inside {
                    part.write(chain, text);
                }
                if !bare {
                    text.push(')');
                }
            }
        }
    }
}

/// Whether the parts are brackets with nothing but AND between them.
fn is_chain(parts: &[Part]) -> bool {
    let mut ands = 0;
    for part in parts {
        match part {
            Part::Text(it) if it == AND => ands += 1,
            Part::Text(it) if it.is_empty() => {}
            Part::Text(_) => return false,
            Part::Group(_) => {}
        }
    }
    0 < ands
}

#[cfg(test)]
mod tests {
    use super::expression;

    #[test]
    fn nested_ands_are_one() {
        assert_eq!(
            expression("CHECK ((((a) AND (b)) AND (c > 1)))"),
            "CHECK (((a) AND (b) AND (c > 1)))"
        );
        assert_eq!(expression("((a) AND ((b) AND (c)))"), "((a) AND (b) AND (c))");
    }

    #[test]
    fn everything_else_stays() {
        for same in [
            "(((a) AND (b)) OR (c))",
            "((a) AND ((b) OR (c)))",
            "f((a), (b))",
            "(x = ') AND (') AND (y)",
            "(NOT ((a) AND (b)))",
        ] {
            assert_eq!(expression(same), same);
        }
        assert_eq!(expression("a\n   b"), "a b");
    }
}
