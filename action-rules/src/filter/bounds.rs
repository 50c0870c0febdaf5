//! Refuses what a filter could recurse or loop with for ever, and what would show it the process or the clock.

use super::fault;
use crate::Result;
use jaq_core::load::{
    lex::StrPart,
    parse::{BinaryOp, Pattern, Term},
};
use jaq_core::path::{Part, Path};

/// Filters of jq that are refused, with the reason that callers read.
const REFUSED: &[(&[&str], &str)] = &[
    (
        &["recurse", "repeat", "while", "until", "range", "limit", "combinations", "nth"],
        "loops are not available",
    ),
    (&["getpath", "setpath", "delpaths", "fromjson"], "it can nest without limit"),
    (&["env", "now", "localtime", "strflocaltime"], "a filter does not see the process"),
    (&["input", "inputs", "input_filename"], "a filter has one input"),
    (&["debug", "stderr", "debug_empty", "stderr_empty"], "a filter writes no log"),
    (&["halt", "halt_error"], "a filter does not end the process"),
];

/// Reads `source` alone and looks at every part of it.
pub(super) fn check(source: &str) -> Result<()> {
    let tokens = jaq_core::load::lex::Lexer::new(source).lex().map_err(|errors| {
        let at = errors.first().map_or("", |(_, at)| at);
        fault(format!("cannot be read {}", place(source, at)))
    })?;
    let parser = jaq_core::load::parse::Parser::new(&tokens);
    let term = parser.parse(jaq_core::load::parse::Parser::term).map_err(|errors| {
        let Some((expected, found)) = errors.first() else { return fault("does not parse") };
        let found = jaq_core::load::lex::Token::opt_as_str(*found, source);
        fault(format!("expected {} {}", expected.as_str(), place(source, found)))
    })?;
    term_is_bounded(&term)
}

/// Where `part`, a slice of `source`, begins.
fn place(source: &str, part: &str) -> String {
    match jaq_core::load::span(source, part).start {
        at if at >= source.len() => "at the end".to_owned(),
        at => format!("at character {}", source[..at].chars().count() + 1),
    }
}

fn term_is_bounded(term: &Term<&str>) -> Result<()> {
    match term {
        Term::Id | Term::Recurse | Term::Num(_) | Term::Break(_) | Term::Var(_) => Ok(()),
        Term::Str(_, parts) => parts.iter().try_for_each(|part| match part {
            StrPart::Term(term) => term_is_bounded(term),
            StrPart::Str(_) | StrPart::Char(_) => Ok(()),
        }),
        Term::Arr(inner) => inner.iter().try_for_each(|it| term_is_bounded(it)),
        Term::Obj(entries) => entries.iter().try_for_each(|(key, value)| {
            term_is_bounded(key)?;
            value.iter().try_for_each(term_is_bounded)
        }),
        Term::Neg(inner) | Term::Label(_, inner) => term_is_bounded(inner),
        Term::BinOp(left, op, right) => {
            if let BinaryOp::Pipe(Some(pattern)) = op {
                pattern_is_bounded(pattern)?;
            }
            term_is_bounded(left)?;
            term_is_bounded(right)
        }
        Term::TryCatch(inner, or) => {
            term_is_bounded(inner)?;
            or.iter().try_for_each(|it| term_is_bounded(it))
        }
        Term::IfThenElse(branches, or) => {
            branches
                .iter()
                .flat_map(|(condition, then)| [condition, then])
                .try_for_each(term_is_bounded)?;
            or.iter().try_for_each(|it| term_is_bounded(it))
        }
        Term::Call(name, arguments) => {
            let refused = REFUSED.iter().find(|(names, _)| names.contains(name));
            if let Some((_, why)) = refused {
                return Err(fault(format!("`{name}` is refused: {why}")));
            }
            arguments.iter().try_for_each(term_is_bounded)
        }
        Term::Path(inner, Path(parts)) => {
            term_is_bounded(inner)?;
            parts.iter().try_for_each(|(part, _)| match part {
                Part::Index(it) => term_is_bounded(it),
                Part::Range(from, to) => from.iter().chain(to).try_for_each(term_is_bounded),
            })
        }
        Term::Fold(name, ..) => Err(fault(format!("`{name}` is refused: loops are not available"))),
        Term::Def(..) => Err(fault("`def` is refused: definitions can recurse without limit")),
    }
}

fn pattern_is_bounded(pattern: &Pattern<&str>) -> Result<()> {
    match pattern {
        Pattern::Var(_) => Ok(()),
        Pattern::Arr(them) => them.iter().try_for_each(pattern_is_bounded),
        Pattern::Obj(them) => them.iter().try_for_each(|(key, inner)| {
            term_is_bounded(key)?;
            pattern_is_bounded(inner)
        }),
    }
}
