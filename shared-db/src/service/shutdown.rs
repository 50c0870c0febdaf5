//! When to stop, and how the process ends: a signal asks for it, a second one does not wait.

use std::{future::Future, process::ExitCode, time::Duration};
use tokio_util::sync::CancellationToken;

/// Threads that still block at the end, in a name look-up or a filter, are left behind after this.
const THREADS_TIMEOUT: Duration = Duration::from_secs(1);

/// The whole of a binary: runs `serve` with a token that signals cancel, reports its error, and always ends.
///
/// ```text
/// fn main() -> ExitCode {
///     let config = Config::parse();
///     shutdown::main(async |stop| {
///         let listeners = Listeners::bind(&config.service, Service::Web).await?;
///         serve(config, listeners, stop).await
///     })
/// }
/// ```
pub fn main<F: Future<Output = anyhow::Result<()>>>(
    serve: impl FnOnce(CancellationToken) -> F,
) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    let result = runtime.block_on(async { serve(on_signal()).await });
    runtime.shutdown_timeout(THREADS_TIMEOUT);
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

/// To standard error and not only to the log, which may not have started.
#[expect(clippy::print_stderr, reason = "the process ends, and says why")]
fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}

/// A token that SIGTERM or SIGINT cancels. A second signal ends the process at once, with status 130.
pub fn on_signal() -> CancellationToken {
    let stop = CancellationToken::new();
    let asked = stop.clone();
    tokio::spawn(async move {
        signal().await;
        tracing::info!("asked to stop");
        asked.cancel();
        signal().await;
        tracing::warn!("asked to stop again: aborting");
        std::process::exit(130);
    });
    stop
}

async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
