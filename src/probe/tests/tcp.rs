use std::num::NonZeroU16;

use super::*;

fn tcp(port: u16, address: ProbeAddress) -> Probe {
    Probe::Tcp { port: NonZeroU16::new(port).expect("a port"), address }
}

fn host(name: &str) -> ProbeAddress {
    ProbeAddress::Host(name.to_owned())
}

#[tokio::test]
async fn a_port_is_open_or_refused_or_at_no_address() {
    let probes = probes_in(".");
    let (listener, port) = listener().await;
    assert_eq!(attempt(&probes, tcp(port, ProbeAddress::Private), LONG).await, Ok(()));
    // One of its addresses is enough.
    assert_eq!(attempt(&probes, tcp(port, host("localhost")), LONG).await, Ok(()));
    assert_eq!(attempt(&probes, tcp(port, host("127.0.0.1")), LONG).await, Ok(()));
    let nowhere = attempt(&probes, tcp(port, ProbeAddress::Public), LONG).await;
    assert_eq!(nowhere, Err("it has no public address".to_owned()));
    let unknown = attempt(&probes, tcp(port, host("no..where")), LONG).await;
    assert_eq!(unknown, Err("unknown host no..where".to_owned()));
    drop(listener);
    let refused = attempt(&probes, tcp(port, ProbeAddress::Private), LONG).await;
    assert_eq!(refused, Err("connection refused".to_owned()));
}

#[tokio::test]
async fn each_attempt_sees_what_is_there_now() {
    let probes = probes_in(".");
    let (first, port) = listener().await;
    drop(first);
    for _ in 0..2 {
        assert!(attempt(&probes, tcp(port, ProbeAddress::Private), LONG).await.is_err());
        let again = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.expect("still free");
        assert_eq!(attempt(&probes, tcp(port, ProbeAddress::Private), LONG).await, Ok(()));
        drop(again);
    }
}

/// A queue of connections that is full lets nobody else in, and says nothing.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_port_that_says_nothing_is_given_up_in_time() {
    use tokio::net::{TcpSocket, TcpStream};

    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
    let full = socket.listen(1).expect("listening");
    let at = full.local_addr().expect("bound");
    let _waiting = [TcpStream::connect(at).await, TcpStream::connect(at).await];
    let answer = attempt(&probes_in("."), tcp(at.port(), ProbeAddress::Private), SHORT).await;
    assert_eq!(answer, Err("no answer within 0.1s".to_owned()));
}
