//! Settings for services under test, by the names that operators use.

use crate::doors::{PLATFORM_KEY, RUNTIME_KEY};

/// Settings by the name of their variable without `FREEHOLD_`. Later ones win.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub both: Vec<(&'static str, String)>,
    pub web: Vec<(&'static str, String)>,
    pub runtime: Vec<(&'static str, String)>,
    /// Names of those that are left out, whatever the harness would set.
    pub without: Vec<&'static str>,
}

/// Names and values, each name once.
pub type Resolved = Vec<(String, String)>;

/// Small pools, since many tests run beside each other; quick looks at the queue, since nobody likes to wait for a test.
const BOTH: [(&str, &str); 4] = [
    ("DATABASE_CONNECTIONS_MAX", "4"),
    ("DATABASE_CONNECTIONS_MIN", "0"),
    ("LOG_LEVEL", "warn"),
    ("RUNTIME_KEY", RUNTIME_KEY),
];
const WEB: [(&str, &str); 7] = [
    ("PLATFORM_KEY", PLATFORM_KEY),
    ("PAGE_TOKEN_KEY", "seals-the-page-tokens-of-tests-and-nothing-else"),
    ("AUTH_CACHE_TTL", "0s"),
    ("FILES_LISTEN", "127.0.0.1:0"),
    ("FILES_SWEEP_INTERVAL", "1s"),
    ("PURGE_INTERVAL", "50ms"),
    ("PURGE_SETTLE", "100ms"),
];
const RUNTIME: [(&str, &str); 2] = [("POLL_INTERVAL", "20ms"), ("HTTP_ALLOW", "127.0.0.0/8")];

/// Every setting of web-service, each once.
pub fn web(settings: &Settings, more: &[(&'static str, String)]) -> Resolved {
    resolve(&WEB, settings, &settings.web, more)
}

/// Every setting of runtime-service, each once.
pub fn runtime(settings: &Settings, more: &[(&'static str, String)]) -> Resolved {
    resolve(&RUNTIME, settings, &settings.runtime, more)
}

fn resolve(
    own: &[(&'static str, &str)],
    all: &Settings,
    service: &[(&'static str, String)],
    more: &[(&'static str, String)],
) -> Resolved {
    let defaults = BOTH.iter().chain(own).map(|(name, value)| (*name, (*value).to_owned()));
    let chosen = more.iter().chain(&all.both).chain(service).cloned();
    let mut settings = Resolved::new();
    for (name, value) in defaults.chain(chosen) {
        settings.retain(|(it, _)| it != name);
        settings.push((name.to_owned(), value));
    }
    settings.retain(|(name, _)| !all.without.contains(&name.as_str()));
    settings
}

/// The settings as a command line: flags have the names of their variables.
pub(crate) fn arguments(settings: &[(String, String)]) -> Vec<String> {
    let flag = |name: &str| format!("--{}", name.to_lowercase().replace('_', "-"));
    let pairs = settings.iter().map(|(name, value)| format!("{}={value}", flag(name)));
    std::iter::once("service".to_owned()).chain(pairs).collect()
}
