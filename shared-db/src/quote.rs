//! Names and texts inside SQL that is put together at run time.
//!
//! The statements of the boundary (grants, policies, catalog questions about names) can't be static: they are generated from
//! the contract or from what the catalog lists. Everything that enters them goes through here.

use std::borrow::Cow;

/// A name of a table, column or role, quoted where it has to be.
pub fn ident(name: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let starts_well = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    if starts_well && name.chars().all(plain) && !RESERVED.contains(&name) {
        return Cow::Borrowed(name);
    }
    Cow::Owned(format!("\"{}\"", name.replace('"', "\"\"")))
}

/// `schema.name`.
pub fn path(schema: &str, name: &str) -> String {
    format!("{}.{}", ident(schema), ident(name))
}

/// A text.
pub fn literal(text: &str) -> String {
    let escape = if text.contains('\\') { " E" } else { "" };
    format!("{escape}'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// Reserved words that could be met as names; quoting one too few is a syntax error, never a hole.
const RESERVED: [&str; 40] = [
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "both",
    "case",
    "cast",
    "check",
    "collate",
    "column",
    "constraint",
    "create",
    "default",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "for",
    "foreign",
    "from",
    "grant",
    "group",
    "in",
    "limit",
    "not",
    "null",
    "offset",
    "on",
    "or",
    "order",
    "primary",
    "select",
    "some",
    "table",
    "user",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_out() {
        assert_eq!(ident("agents"), "agents");
        assert_eq!(ident("user"), "\"user\"");
        assert_eq!(ident("a\"; drop"), "\"a\"\"; drop\"");
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("a\\'"), " E'a\\\\'''");
    }
}
