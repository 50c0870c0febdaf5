//! jq filters: those of its language whose work and depth are bounded by the value that they are given.
//!
//! jq has neither fuel nor a depth limit, and a stack that overflows takes the whole process with it. So definitions, loops and
//! what else recurses without bound are refused when a filter is compiled, and so is all that reads the process or the clock.
//! What remains can still be slow or large: whoever runs a filter does so in a process that it can do without, with a limit on memory
//! and on time, on a thread of [`STACK_BYTES`].

mod bounds;

use crate::{Fault, Reason, Result};
use jaq_core::{
    Compiler, Ctx, Vars, data,
    load::{Arena, File, Loader},
    unwrap_valr,
};
use jaq_json::{Num, Val, read};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Bytes of a filter's text.
pub const BYTES_MAX: usize = 8192;

/// What a thread needs to compile or run any filter of [`BYTES_MAX`]. Only what is used is ever touched.
pub const STACK_BYTES: usize = 256 << 20;

/// Levels of arrays and objects in what a filter makes.
const DEPTH_MAX: usize = 100;

/// A compiled filter. It is shared between threads; the values it works on are not.
#[derive(Clone)]
pub struct Filter(Arc<jaq_core::Filter<data::JustLut<Val>>>);

/// Compiles `source`, on a thread of its own since a parser's stack grows with the text.
pub fn compile(source: &str) -> Result<Filter> {
    if source.len() > BYTES_MAX {
        return Err(fault(format!("must not be longer than {BYTES_MAX} bytes")));
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
        let compiling = thread.spawn_scoped(scope, || compile_here(source));
        let compiling = compiling.map_err(|_| fault("cannot be compiled at the moment"))?;
        compiling.join().unwrap_or_else(|_| Err(fault("is not a jq filter")))
    })
}

fn compile_here(source: &str) -> Result<Filter> {
    bounds::check(source)?;
    let arena = Arena::default();
    let defs = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
    let funs = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
    let program = File { code: source, path: () };
    let modules = Loader::new(defs).load(&arena, program).map_err(|_| fault("does not parse"))?;
    let filter = Compiler::default().with_funs(funs).compile(modules).map_err(|errors| {
        let unknown = errors.iter().flat_map(|(_, them)| them);
        let unknown: Vec<String> =
            unknown.map(|(name, kind)| format!("{} `{name}`", kind.as_str())).collect();
        fault(format!("does not know the {}", unknown.join(", the ")))
    })?;
    Ok(Filter(Arc::new(filter)))
}

impl Filter {
    /// What the filter makes of `input`: its one value, or null if it makes none. More than one is a fault.
    pub fn run(&self, input: &Value) -> Result<Value> {
        let input = read::parse_single(input.to_string().as_bytes())
            .map_err(|error| result_fault(format!("cannot read the value: {error}")))?;
        let context = Ctx::<data::JustLut<Val>>::new(&self.0.lut, Vars::new([]));
        let mut made = self.0.id.run((context, input)).map(unwrap_valr);
        let Some(first) = made.next() else { return Ok(Value::Null) };
        let first = first.map_err(|error| result_fault(shortened(&error.to_string())))?;
        match made.next() {
            None => to_json(&first, 0),
            Some(_) => Err(result_fault("makes more than one value; put it in [ ]")),
        }
    }
}

fn to_json(value: &Val, depth: usize) -> Result<Value> {
    if depth > DEPTH_MAX {
        return Err(result_fault(format!("makes a value of more than {DEPTH_MAX} levels")));
    }
    Ok(match value {
        Val::Null => Value::Null,
        Val::Bool(it) => Value::Bool(*it),
        Val::Num(it) => number(it),
        Val::TStr(it) | Val::BStr(it) => Value::String(String::from_utf8_lossy(it).into_owned()),
        Val::Arr(them) => {
            Value::Array(them.iter().map(|it| to_json(it, depth + 1)).collect::<Result<_>>()?)
        }
        Val::Obj(them) => {
            let mut map = Map::new();
            for (key, it) in them.iter() {
                let Val::TStr(key) = key else {
                    return Err(result_fault("makes an object with a key that is not a string"));
                };
                let key = String::from_utf8_lossy(key).into_owned();
                map.insert(key, to_json(it, depth + 1)?);
            }
            Value::Object(map)
        }
    })
}

/// Numbers that JSON does not have become null, as in jq.
fn number(number: &Num) -> Value {
    serde_json::from_str(&number.to_string()).unwrap_or(Value::Null)
}

fn shortened(text: &str) -> String {
    const CHARS_MAX: usize = 300;
    match text.char_indices().nth(CHARS_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

fn fault(problem: impl Into<String>) -> Fault {
    Fault::new(Reason::InvalidFilter, problem)
}

fn result_fault(problem: impl Into<String>) -> Fault {
    Fault::new(Reason::ResponseInvalid, problem)
}
