//! Secrets in the configuration: given as a value or as the path of a file that holds it, and never shown.

use anyhow::{Context, Result, bail};
use secrecy::{ExposeSecret, SecretString};
use std::{convert::Infallible, fs, path::Path, str::FromStr};

/// A secret. `Debug` does not show it.
#[derive(Clone, Debug)]
pub struct Secret(SecretString);

impl Secret {
    /// The secret in clear. Pass it on at once; keep the `Secret`.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self(value.into())
    }
}

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(value: &str) -> Result<Self, Infallible> {
        Ok(Self(value.into()))
    }
}

/// Settles which of the two ways gave the secret; white space at the end of a file is not part of it.
pub fn settle(name: &str, value: Option<&Secret>, file: Option<&Path>) -> Result<Option<Secret>> {
    match (value, file) {
        (Some(_), Some(_)) => bail!("--{name} and --{name}-file are both set; take one"),
        (Some(value), None) => Ok(Some(value.clone())),
        (None, Some(file)) => {
            let text = fs::read_to_string(file)
                .with_context(|| format!("--{name}-file: cannot read {}", file.display()))?;
            Ok(Some(Secret::from(text.trim_end().to_owned())))
        }
        (None, None) => Ok(None),
    }
}

/// Declares a secret setting: `--name`, `--name-file` and their variables, to be flattened into a configuration.
///
/// ```text
/// secret_arg! {
///     /// Key of the platform itself.
///     pub PlatformKey = "platform-key", "FREEHOLD_PLATFORM_KEY"
/// }
/// #[derive(clap::Parser)]
/// pub struct Config {
///     #[command(flatten)]
///     pub platform_key: PlatformKey,
/// }
/// let key: Option<Secret> = config.platform_key.read()?;
/// ```
#[macro_export]
macro_rules! secret_arg {
    ($(#[doc = $doc:literal])+ $vis:vis $name:ident = $flag:literal, $env:literal) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, Default, clap::Args)]
        $vis struct $name {
            $(#[doc = $doc])+
            #[arg(id = $flag, long = $flag, env = $env, hide_env_values = true, value_name = "SECRET")]
            value: Option<$crate::service::Secret>,
            #[arg(
                id = concat!($flag, "-file"), long = concat!($flag, "-file"), env = concat!($env, "_FILE"),
                help = concat!("File that holds what --", $flag, " says"), value_name = "PATH"
            )]
            file: Option<std::path::PathBuf>,
        }

        impl $name {
            /// The setting as if it had been given.
            $vis fn of(value: impl Into<String>) -> Self {
                Self { value: Some($crate::service::Secret::from(value.into())), file: None }
            }

            /// The secret, if it was given. Fails when its file cannot be read, or both ways are used at once.
            $vis fn read(&self) -> anyhow::Result<Option<$crate::service::Secret>> {
                $crate::service::secret::settle($flag, self.value.as_ref(), self.file.as_deref())
            }

            /// The secret, which must have been given.
            $vis fn require(&self) -> anyhow::Result<$crate::service::Secret> {
                let missing = concat!("--", $flag, " (", $env, ") or --", $flag, "-file is required");
                self.read()?.ok_or_else(|| anyhow::anyhow!(missing))
            }
        }
    };
}
