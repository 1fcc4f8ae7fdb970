use std::future::Future;
use std::time::Duration;

use tokio::time::sleep;
use tonic::Code;

use crate::error::{Again, Error};

/// How many calls a request that nobody has answered is worth.
pub(crate) const MAX_TRIES: u32 = 5;

const FIRST_DELAY: Duration = Duration::from_millis(100);
const MAX_DELAY: Duration = Duration::from_secs(10);

/// Repeats a call that is safe to repeat while it fails with UNAVAILABLE.
pub(crate) async fn retrying<T, F>(call: impl Fn() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let mut failures = 0;
    loop {
        match call().await {
            Err(error) if is_retried(&error) && failures + 1 < MAX_TRIES => {
                failures += 1;
                pause(failures, error.retry_after()).await;
            }
            outcome => return outcome,
        }
    }
}

fn is_retried(error: &Error) -> bool {
    error.code() == Code::Unavailable && error.again() == Again::Maybe
}

/// Waits before the next try: longer with each failure, and never less than the service asked for.
pub(crate) async fn pause(failures: u32, retry_after: Option<Duration>) {
    let backoff = FIRST_DELAY.saturating_mul(2_u32.saturating_pow(failures - 1)).min(MAX_DELAY);
    // Jitter keeps clients that lost the same server from coming back at once.
    let jittered = backoff.mul_f64(0.5 + fastrand::f64() / 2.0);
    sleep(retry_after.unwrap_or_default() + jittered).await;
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::time::Instant;

    use super::*;
    use crate::error::Details;

    /// How often a call that always fails is made, and how long that takes.
    async fn failing(error: impl Fn() -> Error) -> (u32, Duration) {
        let (calls, start) = (Cell::new(0), Instant::now());
        let outcome: Result<(), _> = retrying(async || {
            calls.set(calls.get() + 1);
            Err(error())
        })
        .await;
        assert!(outcome.is_err());
        (calls.get(), start.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_without_an_answer_is_made_five_times() {
        let (calls, took) = failing(|| Error::cut("gone")).await;
        assert_eq!(calls, 5);
        assert!(took >= Duration::from_millis(750) && took <= Duration::from_millis(1510), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn no_try_comes_before_the_time_that_the_service_names() {
        let retry_after = Some(Duration::from_secs(3));
        let error = || Details { retry_after, ..Details::new("ENGINE_UNAVAILABLE", "", Code::Unavailable) };
        let (calls, took) = failing(|| error().into()).await;
        assert_eq!(calls, 5);
        assert!(took >= Duration::from_secs(12), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_was_answered_is_made_once() {
        let (calls, took) = failing(|| Details::new("OVERLOADED", "", Code::ResourceExhausted).into()).await;
        assert_eq!((calls, took), (1, Duration::ZERO));
    }
}
