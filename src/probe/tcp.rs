//! Whether a TCP connection can be made.

use std::io::ErrorKind;
use std::num::NonZeroU16;

use tokio::net::TcpStream;

use super::{NotReady, Subject, host_of};
use crate::fleet::ProbeAddress;

/// Connects, and hangs up.
pub(super) async fn ask(subject: &Subject, port: NonZeroU16, address: &ProbeAddress) -> Result<(), NotReady> {
    let host = host_of(subject, address)?;
    match TcpStream::connect((host.as_str(), port.get())).await {
        Ok(_) => Ok(()),
        Err(error) => Err(NotReady::new(in_words(&error, &host))),
    }
}

fn in_words(error: &std::io::Error, host: &str) -> String {
    match error.kind() {
        ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        ErrorKind::ConnectionReset => "connection reset".to_owned(),
        ErrorKind::TimedOut => "no answer".to_owned(),
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => format!("{host} cannot be reached"),
        // What a resolver says has no number of the operating system.
        _ if error.raw_os_error().is_none() => format!("{host} cannot be looked up"),
        _ => error.to_string(),
    }
}
