//! How logs are written: for people, or one JSON object a line.

use super::config::{LogFormat, TelemetryConfig};
use anyhow::{Context, Result};
use std::io::{IsTerminal, stderr};
use tracing_subscriber::{
    EnvFilter, Layer,
    field::MakeExt,
    fmt::{self, format},
    registry::LookupSpan,
};

pub(crate) fn layer<S>(config: &TelemetryConfig) -> Result<Box<dyn Layer<S> + Send + Sync>>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
{
    let filter = EnvFilter::try_new(&config.log_level)
        .with_context(|| format!("--log-level `{}` is not understood", config.log_level))?;
    let layer = fmt::layer().with_writer(stderr);
    Ok(match config.log_format {
        LogFormat::Json => {
            layer.json().flatten_event(true).with_current_span(true).with_filter(filter).boxed()
        }
        LogFormat::Human => {
            // What only a collector wants stays out of people's sight.
            let fields = format::debug_fn(|writer, field, value| match field.name() {
                "message" => write!(writer, "{value:?} "),
                name if name.starts_with("otel.") || name == "rpc.system.name" => Ok(()),
                name => write!(writer, "{name}={value:?} "),
            });
            let layer = layer.with_ansi(stderr().is_terminal()).with_target(false);
            layer.fmt_fields(fields.delimited("")).with_filter(filter).boxed()
        }
    })
}
