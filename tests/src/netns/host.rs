//! One host: a network namespace, what is done in it, and what it is joined with.

use anyhow::{Context, Result, bail};
use hyper_util::rt::TokioIo;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::{
    fs::File,
    io::{self, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::fd::AsFd,
    path::Path,
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

/// How long a connection may take that should come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub struct Host {
    /// Of its namespace.
    pub name: String,
}

impl Host {
    pub(super) fn new(label: &str) -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let host = Self { name: format!("freehold-{}-{number}-{label}", std::process::id()) };
        command("ip", &["netns", "add", &host.name])?;
        host.run(&["link", "set", "lo", "up"])?;
        Ok(host)
    }

    /// Runs `ip` here, and returns what it says.
    pub(super) fn run(&self, arguments: &[&str]) -> Result<String> {
        command("ip", &[&["-n", &self.name], arguments].concat())
    }

    /// Gives these rules to nftables.
    pub(super) fn filter(&self, rules: &str) -> Result<()> {
        let mut nft = Command::new("ip")
            .args(["netns", "exec", &self.name, "nft", "-f", "-"])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        nft.stdin.take().context("it was asked for")?.write_all(rules.as_bytes())?;
        let output = nft.wait_with_output()?;
        if !output.status.success() {
            bail!("nft: {}\n{rules}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(())
    }

    /// Lays a cable from here to another host, which has this address at its end.
    pub(super) fn cable(
        &self,
        here: &str,
        to: &Self,
        there: &str,
        address: Ipv4Addr,
    ) -> Result<()> {
        let (ours, theirs) = (&self.name, &to.name);
        let pair = ["link", "add", here, "netns", ours, "type", "veth"];
        command("ip", &[&pair[..], &["peer", "name", there, "netns", theirs]].concat())?;
        to.run(&["addr", "add", &format!("{address}/24"), "dev", there])?;
        to.run(&["link", "set", there, "up"])?;
        Ok(())
    }

    /// The same with an address at both ends.
    pub(super) fn join(
        &self,
        here: &str,
        ours: Ipv4Addr,
        to: &Self,
        there: &str,
        theirs: Ipv4Addr,
    ) -> Result<()> {
        self.cable(here, to, there, theirs)?;
        self.run(&["addr", "add", &format!("{ours}/24"), "dev", here])?;
        self.run(&["link", "set", here, "up"])?;
        Ok(())
    }

    /// Does something as a program on this host would. Sockets stay on the host on which they were made.
    pub fn inside<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        inside(&self.name, act)
    }

    pub fn listen(&self, address: SocketAddr) -> io::Result<TcpListener> {
        self.inside(|| TcpListener::bind(address))
    }

    pub fn connect(&self, address: SocketAddr, patience: Duration) -> io::Result<TcpStream> {
        connect(&self.name, address, patience)
    }

    /// A channel from here to there that connects when it is used.
    pub fn channel(&self, address: SocketAddr) -> Channel {
        channel(&self.name, address)
    }

    /// Addresses that programs on this host listen on.
    pub fn listeners(&self) -> Vec<SocketAddr> {
        let table = self.inside(|| std::fs::read_to_string("/proc/thread-self/net/tcp"));
        let table = table.expect("the kernel tells it");
        table.lines().skip(1).filter_map(listener).collect()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // What can not be removed is told by the next that looks at `ip netns`.
        let _ = command("ip", &["netns", "del", &self.name]);
    }
}

fn inside<T: Send>(name: &str, act: impl FnOnce() -> T + Send) -> T {
    let namespace = File::open(Path::new("/run/netns").join(name)).expect("the host is there");
    thread::scope(|scope| {
        // The namespace is the thread's, which ends with this.
        let inside = scope.spawn(|| {
            let kind = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(namespace.as_fd(), kind).expect("root may");
            act()
        });
        inside.join().expect("it does not panic")
    })
}

fn connect(name: &str, address: SocketAddr, patience: Duration) -> io::Result<TcpStream> {
    inside(name, || TcpStream::connect_timeout(&address, patience))
}

/// A channel from the host of this name.
pub(crate) fn channel(host: &str, address: SocketAddr) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{address}"));
    let host = host.to_owned();
    endpoint.expect("an address is one").connect_with_connector_lazy(service_fn(move |_| {
        let host = host.clone();
        async move {
            let connect = move || connect(&host, address, CONNECT_TIMEOUT);
            let stream = tokio::task::spawn_blocking(connect).await??;
            stream.set_nonblocking(true)?;
            io::Result::Ok(TokioIo::new(tokio::net::TcpStream::from_std(stream)?))
        }
    }))
}

/// `0: 0A331EAC:C383 00000000:0000 0A …`: the address in the order of this machine's bytes, and 0A for one that listens.
fn listener(line: &str) -> Option<SocketAddr> {
    let mut words = line.split_whitespace().skip(1);
    let (local, state) = (words.next()?, words.nth(1)?);
    let (ip, port) = local.split_once(':')?;
    let ip = Ipv4Addr::from(u32::from_str_radix(ip, 16).ok()?.to_ne_bytes());
    (state == "0A").then_some(SocketAddr::from((ip, u16::from_str_radix(port, 16).ok()?)))
}

fn command(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{program} {}: {}", arguments.join(" "), said.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
