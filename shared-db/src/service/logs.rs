//! How logs are written: for people, or one JSON object a line.

use super::config::{LogFormat, TelemetryConfig};
use crate::error::chain;
use anyhow::{Context, Result};
use std::{
    error::Error,
    fmt,
    io::{IsTerminal, stderr},
};
use tracing::{
    Metadata,
    field::{Field, Visit},
    span::Record,
};
use tracing_subscriber::{
    EnvFilter, Layer,
    field::RecordFields,
    filter::{FilterFn, LevelFilter, Targets},
    fmt::{
        FormatFields, FormattedFields,
        format::{JsonFields, Writer},
        layer as lines,
    },
    layer::Filter,
    registry::LookupSpan,
};

pub(crate) fn layer<S>(config: &TelemetryConfig) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
{
    match config.log_format {
        LogFormat::Json => lines()
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .fmt_fields(ForPrograms(JsonFields::new()))
            .with_writer(stderr)
            .boxed(),
        LogFormat::Human => lines()
            .fmt_fields(ForPeople)
            .with_ansi(stderr().is_terminal())
            .with_target(false)
            .with_writer(stderr)
            .boxed(),
    }
}

/// What is logged.
pub(crate) enum Logged {
    ByTarget(Targets),
    /// By the fields of spans too, which it has to remember of each span.
    BySpan(Box<EnvFilter>),
}

impl Logged {
    pub(crate) fn of(config: &TelemetryConfig) -> Result<Self> {
        let text = &config.log_level;
        let parsed = if text.contains('[') {
            EnvFilter::try_new(text)
                .map(|it| Self::BySpan(Box::new(it)))
                .map_err(anyhow::Error::from)
        } else {
            text.parse().map(Self::ByTarget).map_err(anyhow::Error::from)
        };
        parsed.with_context(|| format!("--log-level `{text}` is not understood"))
    }

    /// For one layer.
    pub(crate) fn filter<S>(self) -> Box<dyn Filter<S> + Send + Sync>
    where
        S: tracing::Subscriber + for<'a> LookupSpan<'a>,
    {
        match self {
            Self::ByTarget(it) => Box::new(it),
            Self::BySpan(it) => it,
        }
    }
}

/// Lets pass what is logged, and the spans that a trace has whatever is logged.
pub(crate) fn logged_or_traced(
    logged: Targets,
    traced: Targets,
) -> FilterFn<impl Fn(&Metadata<'_>) -> bool> {
    let most = LevelFilter::INFO.max(max_level(&logged));
    let passes = move |it: &Metadata<'_>| {
        logged.would_enable(it.target(), it.level())
            || it.is_span() && traced.would_enable(it.target(), it.level())
    };
    FilterFn::new(passes).with_max_level_hint(most)
}

fn max_level(of: &Targets) -> LevelFilter {
    of.iter().map(|(_, level)| level).chain(of.default_level()).max().unwrap_or(LevelFilter::OFF)
}

/// Fields as JSON. The library's own reads and writes all fields of a span anew when one is recorded later, for the sake of those that are
/// recorded twice; of those the last one counts here too, as whoever reads JSON sees it.
struct ForPrograms(JsonFields);

impl<'w> FormatFields<'w> for ForPrograms {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        self.0.format_fields(writer, fields)
    }

    fn add_fields(
        &self,
        current: &'w mut FormattedFields<Self>,
        fields: &Record<'_>,
    ) -> fmt::Result {
        let mut added = String::new();
        self.0.format_fields(Writer::new(&mut added), fields)?;
        let known = &mut current.fields;
        match (known.strip_suffix('}'), added.strip_prefix('{')) {
            (Some(_), None | Some("}")) => {}
            (None, _) | (Some("{"), Some(_)) => *known = added,
            (Some(before), Some(more)) => *known = format!("{before},{more}"),
        }
        Ok(())
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::{
        io,
        sync::{Arc, Mutex},
    };
    use tracing::field::Empty;
    use tracing_subscriber::layer::SubscriberExt;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn fields_that_are_recorded_later_stand_beside_those_before() {
        let written = Written::default();
        let writer = written.clone();
        let layer = lines()
            .json()
            .with_current_span(true)
            .fmt_fields(ForPrograms(JsonFields::new()))
            .with_writer(move || writer.clone());
        let subscriber = tracing_subscriber::Registry::default().with(layer);
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("call", method = "Get", org = Empty, user = Empty);
            span.record("org", "a \"quoted\" one");
            span.record("user", 7);
            span.record("user", 8);
            tracing::info!(parent: &span, "one");
            let bare = tracing::info_span!("bare", org = Empty);
            bare.record("org", "late");
            tracing::info!(parent: &bare, "two");
        });
        let written = written.0.lock().unwrap().clone();
        let lines: Vec<Value> = String::from_utf8(written)
            .unwrap()
            .lines()
            .map(|it| serde_json::from_str(it).unwrap())
            .collect();
        let [one, two] = lines.as_slice() else { panic!("{lines:?}") };
        let expected = serde_json::json!({
            "name": "call", "method": "Get", "org": "a \"quoted\" one", "user": 8,
        });
        assert_eq!(one["span"], expected);
        assert_eq!(two["span"], serde_json::json!({ "name": "bare", "org": "late" }));
    }

    fn parsed(log_level: &str) -> Result<Logged> {
        let arguments = ["logs", "--log-level", log_level];
        Logged::of(&<Arguments as clap::Parser>::parse_from(arguments).telemetry)
    }

    #[derive(clap::Parser)]
    struct Arguments {
        #[command(flatten)]
        telemetry: TelemetryConfig,
    }

    #[test]
    fn spans_are_remembered_only_for_directives_that_name_them() {
        for plain in ["info", "warn,shared_db=debug", "off"] {
            assert!(matches!(parsed(plain), Ok(Logged::ByTarget(_))), "{plain}");
        }
        let one_caller = "info,[call{freehold.user}]=debug";
        assert!(matches!(parsed(one_caller), Ok(Logged::BySpan(_))));
        for wrong in ["info,shared_db=loud", "[call=debug"] {
            let error = parsed(wrong).map(drop).unwrap_err();
            assert!(format!("{error:#}").contains("--log-level"), "{error:#}");
        }
    }
}
