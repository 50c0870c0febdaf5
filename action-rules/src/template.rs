//! Templates over `input`: minijinja with strict undefined values, fuel, and no way to any other template.

use crate::{Fault, Reason, Result};
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, value::Serde};
use serde_json::Value;
use std::sync::Arc;

/// Instructions that one rendering may take.
const FUEL: u64 = 200_000;

/// Bytes that one rendering may make.
pub const OUTPUT_BYTES_MAX: usize = 4 << 20;

pub(crate) const NAME: &str = "template";

/// What stands around the places that a template fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// Nothing is escaped: bodies and headers.
    Text,
    /// All that is filled in is percent-encoded, so that it can't leave its place in the address.
    Url,
}

/// A compiled template.
#[derive(Clone, Debug)]
pub struct Template(Arc<Environment<'static>>);

pub fn compile(source: &str, context: Context) -> Result<Template> {
    let mut environment = environment(context);
    environment.add_template_owned(NAME, source.to_owned()).map_err(|error| {
        let line = error.line().map_or(String::new(), |it| format!(" (line {it})"));
        Fault::new(Reason::InvalidTemplate, format!("{}{line}", described(&error)))
    })?;
    Ok(Template(Arc::new(environment)))
}

pub(crate) fn environment(context: Context) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.remove_global("debug");
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    if context == Context::Url {
        environment.set_formatter(|out, _, value| {
            let text = if value.is_none() { String::new() } else { value.to_string() };
            out.write_str(&percent_encoded(&text)).map_err(minijinja::Error::from)
        });
    }
    environment
}

impl Template {
    /// Fills in `input`.
    pub fn render(&self, input: &Value) -> Result<String> {
        let template = self.0.get_template(NAME).map_err(|error| fault(&error))?;
        let mut out = Limited::default();
        let context = minijinja::context! { input => Serde(input) };
        template.render_captured_to(context, &mut out).map_err(|error| fault(&error))?;
        out.into_text()
    }
}

/// A buffer that refuses to grow past [`OUTPUT_BYTES_MAX`].
#[derive(Default)]
pub(crate) struct Limited {
    bytes: Vec<u8>,
}

impl Limited {
    pub(crate) fn into_text(self) -> Result<String> {
        String::from_utf8(self.bytes)
            .map_err(|_| Fault::new(Reason::InvalidTemplate, "does not make text"))
    }
}

impl std::io::Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.bytes.len() + bytes.len() > OUTPUT_BYTES_MAX {
            return Err(std::io::Error::other(format!("makes more than {OUTPUT_BYTES_MAX} bytes")));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

pub(crate) fn fault(error: &minijinja::Error) -> Fault {
    let problem = if error.kind() == ErrorKind::OutOfFuel {
        "takes too many steps".to_owned()
    } else if error.kind() == ErrorKind::UndefinedError {
        format!("needs a value that the input does not have: {}", described(error))
    } else {
        described(error)
    };
    Fault::new(Reason::InvalidTemplate, problem)
}

fn described(error: &minijinja::Error) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
}

/// All but the unreserved characters of RFC 3986 as `%XX`.
fn percent_encoded(text: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => {
                out.push('%');
                out.push(char::from(DIGITS[usize::from(byte >> 4)]));
                out.push(char::from(DIGITS[usize::from(byte & 15)]));
            }
        }
    }
    out
}
