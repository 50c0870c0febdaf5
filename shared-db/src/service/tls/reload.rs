//! What is made of files, and made anew when what they hold changes.
//!
//! The content counts and not the time of a file: Kubernetes replaces a mounted secret by turning a link to another folder. What
//! can not be used, such as a certificate whose key has not been written yet, is logged, and the former stays in use.

use super::{
    files::{Files, Papers},
    names::expires,
};
use crate::{clock::Clock, service::metrics::meter};
use anyhow::{Result, ensure};
use opentelemetry::{
    KeyValue,
    metrics::{Counter, Gauge},
};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

type Make<T> = Box<dyn Fn(Papers) -> Result<T> + Send + Sync>;

/// What one side of TLS rests on.
pub struct Reloading<T> {
    /// `server` or `client`: whose certificate it is.
    side: &'static str,
    files: Files,
    make: Make<T>,
    present: watch::Sender<Arc<T>>,
    digest: Mutex<[u8; 32]>,
    measures: Measures,
}

impl<T> Reloading<T> {
    /// Reads the files for the first time. Take it after the telemetry has started.
    pub(super) fn load(
        side: &'static str,
        files: Files,
        make: impl Fn(Papers) -> Result<T> + Send + Sync + 'static,
    ) -> Result<Self> {
        let papers = files.read()?;
        let (digest, expires) = (papers.digest, last_second(&papers)?);
        let present = watch::Sender::new(Arc::new(make(papers)?));
        let measures = Measures::new();
        measures.expiry(side, expires);
        Ok(Self { side, files, make: Box::new(make), present, digest: digest.into(), measures })
    }

    /// What a connection that begins now is to use.
    pub fn present(&self) -> Arc<T> {
        self.present.borrow().clone()
    }

    /// Looks at the files every `interval`, until `stop`.
    pub async fn follow(&self, interval: Duration, stop: CancellationToken) {
        let mut refused = None;
        loop {
            tokio::select! {
                () = tokio::time::sleep(interval) => {}
                () = stop.cancelled() => return,
            }
            let problem = self.look().err().map(|it| format!("{it:#}"));
            if let Some(problem) = &problem
                && refused.as_ref() != Some(problem)
            {
                self.measures.reload(self.side, "refused");
                let side = self.side;
                tracing::error!(
                    side,
                    problem,
                    "the new certificates are not taken; the former stay"
                );
            }
            refused = problem;
        }
    }

    /// Takes what the files hold, if it is something new.
    fn look(&self) -> Result<()> {
        let papers = self.files.read()?;
        let digest = papers.digest;
        let mut taken = self.digest.lock().unwrap_or_else(PoisonError::into_inner);
        if digest == *taken {
            return Ok(());
        }
        if self.files.read()?.digest != digest {
            // They are being replaced, and what was read may be half of the one and half of the other: the next look will tell.
            return Ok(());
        }
        let expires = last_second(&papers)?;
        let now = Clock::System.now().timestamp();
        ensure!(expires.is_none_or(|it| now < it), "the certificate has expired already");
        self.present.send_replace(Arc::new((self.make)(papers)?));
        *taken = digest;
        self.measures.expiry(self.side, expires);
        self.measures.reload(self.side, "taken");
        tracing::info!(side = self.side, expires, "new certificates are in use");
        Ok(())
    }
}

/// When the certificate that is shown expires, if one is.
fn last_second(papers: &Papers) -> Result<Option<i64>> {
    papers.chain.first().map(|leaf| expires(leaf)).transpose()
}

struct Measures {
    expiry: Gauge<i64>,
    reloads: Counter<u64>,
}

impl Measures {
    fn new() -> Self {
        Self {
            expiry: meter()
                .i64_gauge("freehold.tls.certificate.expiry")
                .with_unit("s")
                .with_description("When the certificate in use expires, in seconds since 1970")
                .build(),
            reloads: meter()
                .u64_counter("freehold.tls.certificate.reloads")
                .with_description("Changes of certificates or authorities, by what became of them")
                .build(),
        }
    }

    fn expiry(&self, side: &'static str, expires: Option<i64>) {
        if let Some(expires) = expires {
            self.expiry.record(expires, &[KeyValue::new("side", side)]);
        }
    }

    fn reload(&self, side: &'static str, outcome: &'static str) {
        self.reloads.add(1, &[KeyValue::new("side", side), KeyValue::new("outcome", outcome)]);
    }
}
