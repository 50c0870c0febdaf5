//! How logs are written: for people, or one JSON object a line.

use super::config::{LogFormat, TelemetryConfig};
use crate::error::chain;
use anyhow::{Context, Result};
use std::{
    error::Error,
    fmt,
    io::{IsTerminal, stderr},
};
use tracing::field::{Field, Visit};
use tracing_subscriber::{
    EnvFilter, Layer,
    field::RecordFields,
    fmt::{FormatFields, format::Writer, layer as lines},
    registry::LookupSpan,
};

pub(crate) fn layer<S>(config: &TelemetryConfig) -> Result<Box<dyn Layer<S> + Send + Sync>>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
{
    let filter = EnvFilter::try_new(&config.log_level)
        .with_context(|| format!("--log-level `{}` is not understood", config.log_level))?;
    Ok(match config.log_format {
        LogFormat::Json => lines()
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_writer(stderr)
            .with_filter(filter)
            .boxed(),
        LogFormat::Human => lines()
            .fmt_fields(ForPeople)
            .with_ansi(stderr().is_terminal())
            .with_target(false)
            .with_writer(stderr)
            .with_filter(filter)
            .boxed(),
    })
}

/// Fields as people read them: errors with all their causes, and without what only a collector wants.
struct ForPeople;

impl<'w> FormatFields<'w> for ForPeople {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut line = Line { writer, result: Ok(()), empty: true };
        fields.record(&mut line);
        line.result
    }
}

struct Line<'w> {
    writer: Writer<'w>,
    result: fmt::Result,
    empty: bool,
}

impl Line<'_> {
    fn write(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        let name = field.name();
        if self.result.is_err() || name.starts_with("otel.") || name == "rpc.system.name" {
            return;
        }
        let space = if std::mem::take(&mut self.empty) { "" } else { " " };
        self.result = match name {
            "message" => write!(self.writer, "{space}{value}"),
            name => write!(self.writer, "{space}{name}={value}"),
        };
    }
}

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.write(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.write(field, format_args!("{value}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.write(field, format_args!("{}", chain(value)));
    }
}
