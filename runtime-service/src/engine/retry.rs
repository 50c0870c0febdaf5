//! When a failed call is tried again: a grown delay, drawn evenly between zero and itself (full jitter), and a limit on attempts.

use crate::executor::{Effect, Failure};
use common_api::types::RetryPolicy;
use shared_db::{
    enums::SideEffect,
    error::{Reason, reason_name},
};
use std::time::Duration;

const ATTEMPTS_DEFAULT: i32 = 3;
const ATTEMPTS_MAX: i32 = 100;
const INITIAL_DEFAULT: Duration = Duration::from_secs(1);
const INITIAL_MAX: Duration = Duration::from_hours(1);
const COEFFICIENT_DEFAULT: f64 = 2.0;
const COEFFICIENT_MAX: f64 = 10.0;
const DELAY_DEFAULT: Duration = Duration::from_mins(1);
const DELAY_MAX: Duration = Duration::from_hours(24);

/// A policy with its defaults filled in.
#[derive(Clone, Debug)]
pub struct Retry {
    attempts_max: i32,
    initial: Duration,
    coefficient: f64,
    delay_max: Duration,
    non_retryable: Vec<String>,
}

/// What follows from a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Try again after this delay.
    Again(Duration),
    /// Every attempt has failed.
    Exhausted,
    /// No repetition mends it.
    Final,
    /// It must not be repeated, and nobody knows whether it took effect.
    Unknown,
}

impl Retry {
    /// What the call says goes before what the action says, as a whole.
    pub fn of(call: Option<&RetryPolicy>, action: Option<&RetryPolicy>) -> Self {
        let said = call.or(action).cloned().unwrap_or_default();
        let duration = |it: Option<prost_types::Duration>, default| {
            it.and_then(|it| Duration::try_from(it).ok()).unwrap_or(default)
        };
        let attempts = if said.attempts_max < 1 { ATTEMPTS_DEFAULT } else { said.attempts_max };
        let grown = said.coefficient >= 1.0 && said.coefficient.is_finite();
        Self {
            attempts_max: attempts.min(ATTEMPTS_MAX),
            initial: duration(said.initial_delay, INITIAL_DEFAULT).min(INITIAL_MAX),
            coefficient: if grown { said.coefficient } else { COEFFICIENT_DEFAULT }
                .min(COEFFICIENT_MAX),
            delay_max: duration(said.delay_max, DELAY_DEFAULT).min(DELAY_MAX),
            non_retryable: said.non_retryable_reasons,
        }
    }

    /// What follows from `failure`, the `failures`-th of its step. `random` is drawn from 0 to 1.
    pub fn judge(
        &self,
        side_effect: SideEffect,
        failure: &Failure,
        failures: i32,
        random: f64,
    ) -> Verdict {
        if side_effect == SideEffect::AtMostOnce {
            match failure.effect {
                Effect::None => {}
                Effect::Unknown => return Verdict::Unknown,
                Effect::Possible => return Verdict::Final,
            }
        }
        let name = reason_name(failure.reason);
        if !failure.retryable || self.non_retryable.iter().any(|it| it == name) {
            return Verdict::Final;
        }
        if failures >= self.attempts_max {
            return Verdict::Exhausted;
        }
        Verdict::Again(self.delay(failures, failure.retry_after, random))
    }

    fn delay(&self, failures: i32, retry_after: Option<Duration>, random: f64) -> Duration {
        let grown = self.initial.as_secs_f64() * self.coefficient.powi(failures - 1);
        let grown = grown.min(self.delay_max.as_secs_f64());
        let drawn = Duration::from_secs_f64(grown * random.clamp(0.0, 1.0));
        // The remote knows better when it can be asked again, within what the policy allows.
        drawn.max(retry_after.unwrap_or_default().min(self.delay_max))
    }
}

/// The reason of an execution whose step failed for good.
pub(super) fn final_reason(verdict: Verdict, failure: &Failure) -> (Reason, String) {
    match verdict {
        Verdict::Exhausted => (
            Reason::AttemptsExhausted,
            format!(
                "every attempt failed, the last one as {}: {}",
                reason_name(failure.reason),
                failure.message
            ),
        ),
        Verdict::Unknown => (
            Reason::StepOutcomeUnknown,
            format!(
                "the call must not be repeated, and whether it took effect is unknown: {}",
                failure.message
            ),
        ),
        Verdict::Final | Verdict::Again(_) => (failure.reason, failure.message.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: i64) -> prost_types::Duration {
        prost_types::Duration { seconds, nanos: 0 }
    }

    fn broken() -> Failure {
        Failure::passing(Reason::RemoteTimeout, "late", Effect::Unknown)
    }

    #[test]
    fn delays_grow_to_their_cap_and_are_drawn_from_zero() {
        let policy =
            RetryPolicy { attempts_max: 10, delay_max: Some(seconds(10)), ..Default::default() };
        let retry = Retry::of(Some(&policy), None);
        let at = |failures, random| retry.judge(SideEffect::Pure, &broken(), failures, random);
        let grown: Vec<_> = (1..6).map(|it| at(it, 1.0)).collect();
        let expected = [1, 2, 4, 8, 10].map(|it| Verdict::Again(Duration::from_secs(it)));
        assert_eq!(grown, expected);
        assert_eq!(at(5, 0.0), Verdict::Again(Duration::ZERO));
        assert_eq!(at(10, 1.0), Verdict::Exhausted);
    }

    #[test]
    fn the_call_goes_before_the_action_and_the_default() {
        let five = RetryPolicy { attempts_max: 5, ..Default::default() };
        let two = RetryPolicy { attempts_max: 2, ..Default::default() };
        assert_eq!(Retry::of(Some(&five), Some(&two)).attempts_max, 5);
        assert_eq!(Retry::of(None, Some(&two)).attempts_max, 2);
        assert_eq!(Retry::of(None, None).attempts_max, ATTEMPTS_DEFAULT);
    }

    #[test]
    fn the_remotes_wish_is_heard_within_the_cap() {
        let policy = RetryPolicy { delay_max: Some(seconds(30)), ..Default::default() };
        let retry = Retry::of(Some(&policy), None);
        let asked = |it| Failure { retry_after: Some(Duration::from_secs(it)), ..broken() };
        let at = |failure| retry.judge(SideEffect::Pure, &failure, 1, 0.5);
        assert_eq!(at(asked(20)), Verdict::Again(Duration::from_secs(20)));
        assert_eq!(at(asked(3600)), Verdict::Again(Duration::from_secs(30)));
    }

    #[test]
    fn what_must_not_be_repeated_is_not_once_it_may_have_happened() {
        let retry = Retry::of(None, None);
        let at = |effect| {
            let failure = Failure::passing(Reason::RemoteUnreachable, "broken", effect);
            retry.judge(SideEffect::AtMostOnce, &failure, 1, 1.0)
        };
        assert_eq!(at(Effect::None), Verdict::Again(INITIAL_DEFAULT));
        assert_eq!(at(Effect::Possible), Verdict::Final);
        assert_eq!(at(Effect::Unknown), Verdict::Unknown);
    }

    #[test]
    fn reasons_that_the_policy_names_are_final() {
        let policy = RetryPolicy {
            non_retryable_reasons: vec!["REMOTE_TIMEOUT".to_owned()],
            ..Default::default()
        };
        let retry = Retry::of(None, Some(&policy));
        assert_eq!(retry.judge(SideEffect::Pure, &broken(), 1, 1.0), Verdict::Final);
        let other = Failure::passing(Reason::RemoteStatus, "503", Effect::Possible);
        assert!(matches!(retry.judge(SideEffect::Pure, &other, 1, 1.0), Verdict::Again(_)));
    }
}
