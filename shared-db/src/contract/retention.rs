//! How long rows are kept: a number of days, as `ownership.toml` says it.

use anyhow::{Context, ensure};
use serde::Deserialize;
use std::fmt;

/// Rows go when they are older than this many days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Retention {
    pub days: u16,
}

impl TryFrom<String> for Retention {
    type Error = anyhow::Error;

    fn try_from(text: String) -> anyhow::Result<Self> {
        let says =
            || format!("a retention is a number of days, such as \"90 days\", and not {text:?}");
        let days = text.strip_suffix(" days").and_then(|it| it.parse().ok()).with_context(says)?;
        ensure!(0 < days, says());
        Ok(Self { days })
    }
}

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} days", self.days)
    }
}

#[cfg(test)]
mod tests {
    use super::Retention;

    #[test]
    fn a_retention_is_a_number_of_days() {
        assert_eq!(Retention::try_from("90 days".to_owned()).unwrap(), Retention { days: 90 });
        for no in ["", "0 days", "90", "3 months", "-1 days", "90 days "] {
            assert!(Retention::try_from(no.to_owned()).is_err(), "{no}");
        }
    }
}
