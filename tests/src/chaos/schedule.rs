//! What happens when: the same for the same seed.

use super::fault::{Fault, Victim};
use crate::{proxy::Wire, remote::Mood};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};
use std::time::Duration;

/// One fault and the time around it.
#[derive(Clone, Copy, Debug)]
pub struct Act {
    /// Nothing goes wrong for this long before it.
    pub calm: Duration,
    pub fault: Fault,
    pub lasts: Duration,
}

pub const WEBS: usize = 2;
pub const RUNTIMES: usize = 3;

/// How the acts of a long run are spaced.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    pub lease: Duration,
    /// Before each fault.
    pub calm: Duration,
    /// After a fault of the database, until the flow has been measured.
    pub recovery: Duration,
}

impl Act {
    pub fn new(calm_ms: u64, fault: Fault, lasts_ms: u64) -> Self {
        let [calm, lasts] = [calm_ms, lasts_ms].map(Duration::from_millis);
        Self { calm, fault, lasts }
    }
}

/// Every kind of fault in an order that the seed draws, again and again until `length` is filled. It begins with kills for a
/// quarter of the time, every two seconds, of two minutes at most.
pub fn long(seed: u64, length: Duration, pace: Pace) -> Vec<Act> {
    let mut random = StdRng::seed_from_u64(seed);
    let storm = (length / 4).min(Duration::from_mins(2));
    let mut acts =
        vec![Act { calm: pace.calm, fault: Fault::Storm(Duration::from_secs(2)), lasts: storm }];
    let (mut elapsed, mut recovery) = (pace.calm + storm, Duration::ZERO);
    loop {
        let mut menu = menu(&mut random, pace.lease);
        menu.shuffle(&mut random);
        for (fault, lasts) in menu {
            let calm = pace.calm + recovery;
            if length < elapsed + calm + lasts + pace.recovery {
                return acts;
            }
            acts.push(Act { calm, fault, lasts });
            elapsed += calm + lasts;
            recovery = if fault.is_of_the_database() { pace.recovery } else { pace.lease };
        }
    }
}

/// Each kind once, with victims and lengths drawn.
fn menu(random: &mut StdRng, lease: Duration) -> Vec<(Fault, Duration)> {
    let mut seconds = |from: f64, to: f64| Duration::from_secs_f64(random.random_range(from..to));
    let (short, long) = (seconds(0.5, 2.0), seconds(2.0, 5.0));
    let beyond_lease = lease + seconds(0.5, 2.0);
    let delay = Duration::from_millis(random.random_range(20..250));
    let mut runtime = || Victim::Runtime(random.random_range(0..RUNTIMES));
    let web = Victim::Web(usize::from(short < Duration::from_secs(1)));
    vec![
        (Fault::Kill(runtime()), Duration::ZERO),
        (Fault::Kill(web), Duration::ZERO),
        (Fault::Freeze(runtime()), beyond_lease),
        (Fault::Freeze(web), short),
        (Fault::Stop(runtime()), Duration::ZERO),
        (Fault::Stop(web), Duration::ZERO),
        (Fault::Restart, short),
        (Fault::Crash, short),
        (Fault::Terminate, long),
        (Fault::Exhaust, long),
        (Fault::LateCommits, long),
        (Fault::AllWires(Wire::Late(delay)), long),
        (Fault::AllWires(Wire::Deaf), long),
        (Fault::AllWires(Wire::Reset), short),
        (Fault::OneWire(runtime(), Wire::Silent), beyond_lease),
        (Fault::OneWire(web, Wire::Silent), short),
        (Fault::OneWire(runtime(), Wire::Trickle), long),
        (Fault::OneWire(runtime(), Wire::Cut), beyond_lease),
        (Fault::Remote(Mood::Slow), long),
        (Fault::Remote(Mood::Failing), long),
        (Fault::Remote(Mood::Hanging), long),
        (Fault::Remote(Mood::Resetting), long),
    ]
}
