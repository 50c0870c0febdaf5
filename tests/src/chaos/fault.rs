//! What can go wrong.

use super::clocks::Time;
use crate::{proxy::Wire, remote::Mood};
use std::{fmt, time::Duration};

/// A process of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Victim {
    Web(usize),
    Runtime(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// SIGKILL; it is started again at once.
    Kill(Victim),
    /// SIGKILL of one after another, at this interval.
    Storm(Duration),
    /// SIGSTOP until the end of the fault, then SIGCONT.
    Freeze(Victim),
    /// SIGTERM; it is started again when it has ended.
    Stop(Victim),
    /// The database is stopped and started again.
    Restart,
    /// The same without a chance to write anything.
    Crash,
    /// A connection of the services is ended by the database, twenty times a second.
    Terminate,
    /// No new connection can be had, and the services' own are ended.
    Exhaust,
    /// Some transactions on the queue take long to commit, so that later ones are there before them.
    LateCommits,
    /// The wire of one process to the database.
    OneWire(Victim, Wire),
    /// The wires of all.
    AllWires(Wire),
    /// The remote that actions call.
    Remote(Mood),
}

/// How work can be lost to who does it, so that another does it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taking {
    /// Its process ends, and with it whatever it calls.
    Process,
    /// Its process stands still for longer than its lease.
    Standing,
    /// Its process can not renew its lease, or write down what it did.
    Database,
    /// It is not answered.
    Answer,
}

/// A fault as it happened. A storm is noted as its kills.
#[derive(Clone, Debug)]
pub struct Struck {
    pub fault: Fault,
    pub begun: Time,
    pub ended: Time,
}

impl Fault {
    /// Faults that a service must live through, and after which it must be as it was.
    pub fn is_of_the_database(self) -> bool {
        match self {
            Self::Restart
            | Self::Crash
            | Self::Terminate
            | Self::Exhaust
            | Self::LateCommits
            | Self::OneWire(..)
            | Self::AllWires(_) => true,
            Self::Kill(_) | Self::Storm(_) | Self::Freeze(_) | Self::Stop(_) | Self::Remote(_) => {
                false
            }
        }
    }

    /// How it can take work from who does it, if it can: nothing that happens to web-service does, nor a remote that is slow or says no.
    pub fn takes_work(self) -> Option<Taking> {
        match self {
            Self::Kill(Victim::Web(_))
            | Self::Stop(Victim::Web(_))
            | Self::Freeze(Victim::Web(_))
            | Self::OneWire(Victim::Web(_), _)
            | Self::Remote(Mood::Well | Mood::Slow | Mood::Failing) => None,
            Self::Kill(_) | Self::Stop(_) | Self::Storm(_) => Some(Taking::Process),
            Self::Freeze(_) => Some(Taking::Standing),
            Self::Restart
            | Self::Crash
            | Self::Terminate
            | Self::Exhaust
            | Self::LateCommits
            | Self::OneWire(..)
            | Self::AllWires(_) => Some(Taking::Database),
            Self::Remote(Mood::Hanging | Mood::Resetting) => Some(Taking::Answer),
        }
    }

    /// Whether it is meant to keep work from being done or taken up.
    pub fn hinders_work(self) -> bool {
        !matches!(self, Self::Kill(Victim::Web(_)) | Self::Stop(Victim::Web(_)))
    }
}

impl fmt::Display for Victim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Web(number) => write!(f, "web {number}"),
            Self::Runtime(number) => write!(f, "runtime {number}"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill(victim) => write!(f, "SIGKILL of {victim}"),
            Self::Storm(every) => write!(f, "a SIGKILL every {every:?}"),
            Self::Freeze(victim) => write!(f, "SIGSTOP of {victim}"),
            Self::Stop(victim) => write!(f, "SIGTERM of {victim}"),
            Self::Restart => write!(f, "PostgreSQL restarted"),
            Self::Crash => write!(f, "PostgreSQL stopped immediately"),
            Self::Terminate => write!(f, "connections ended twenty times a second"),
            Self::Exhaust => write!(f, "connections exhausted"),
            Self::LateCommits => write!(f, "late commits"),
            Self::OneWire(victim, wire) => write!(f, "wire of {victim}: {wire:?}"),
            Self::AllWires(wire) => write!(f, "all wires: {wire:?}"),
            Self::Remote(mood) => write!(f, "remote: {mood:?}"),
        }
    }
}
