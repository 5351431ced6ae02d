//! Whether a TCP connection can be made.

use std::io::ErrorKind;
use std::num::NonZeroU16;

use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;

use super::{NotReady, Subject, host_of, in_words};
use crate::fleet::ProbeAddress;

/// Connects, and hangs up. A name may have several addresses: they are tried side by side, and one is enough.
pub(super) async fn ask(subject: &Subject, port: NonZeroU16, address: &ProbeAddress) -> Result<(), NotReady> {
    let host = host_of(subject, address)?;
    let unknown = || NotReady::new(format!("unknown host {host}"));
    let addresses = lookup_host((host.as_str(), port.get())).await.map_err(|_| unknown())?;
    // Dropped with the attempt, it ends what is still under way.
    let mut connecting: JoinSet<_> = addresses.map(TcpStream::connect).collect();
    let mut last = unknown();
    while let Some(joined) = connecting.join_next().await {
        match joined {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) => last = NotReady::new(tell(&error, &host)),
            // Nobody aborts one, and connecting does not panic.
            Err(_) => {}
        }
    }
    Err(last)
}

fn tell(error: &std::io::Error, host: &str) -> String {
    match error.kind() {
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => format!("{host} cannot be reached"),
        _ => in_words(error),
    }
}
