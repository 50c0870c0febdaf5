//! Ports for processes that are started again on the same ones.

use std::{
    net::{SocketAddr, TcpListener},
    sync::{LazyLock, Mutex},
};

/// Below those that the kernel takes for outgoing connections, which could sit on the port of a service while it is down.
const PORTS: std::ops::Range<u16> = 12_000..32_000;

/// Where to look next. Nobody in this process is given a port that somebody else here was given.
static NEXT: LazyLock<Mutex<u16>> = LazyLock::new(|| Mutex::new(rand::random_range(PORTS)));

/// Three ports that were free just now.
pub(crate) fn free_ports() -> [SocketAddr; 3] {
    let mut next = NEXT.lock().expect("no holder panics");
    let mut free = || {
        for _ in PORTS {
            *next = if *next + 1 < PORTS.end { *next + 1 } else { PORTS.start };
            if let Ok(held) = TcpListener::bind(("127.0.0.1", *next)) {
                return held.local_addr().expect("it is bound");
            }
        }
        panic!("no port is free")
    };
    [free(), free(), free()]
}
