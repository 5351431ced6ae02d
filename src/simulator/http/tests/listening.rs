//! Machines that listen while they are up. Every answer of the cloud comes after the sockets are as it says, so a
//! test that has one may connect at once.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::*;

/// An address that only one test has, where this machine has as many: so that no other test takes its ports.
fn own(number: u8) -> Ipv4Addr {
    if cfg!(target_os = "linux") { Ipv4Addr::new(127, 7, 1, number) } else { Ipv4Addr::LOCALHOST }
}

/// Ports that were free a moment ago.
fn free_ports<const COUNT: usize>(address: Ipv4Addr) -> [u16; COUNT] {
    let sockets = [(); COUNT].map(|()| std::net::TcpListener::bind((address, 0)).unwrap());
    sockets.map(|socket| socket.local_addr().unwrap().port())
}

async fn connects(address: Ipv4Addr, port: u16) -> bool {
    match TcpStream::connect((address, port)).await {
        Ok(_) => true,
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => false,
        // Who comes while a socket is being closed is reset.
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => false,
        Err(error) => panic!("{address}:{port}: {error}"),
    }
}

/// What is said after a request, until the other side has said everything.
async fn get(address: Ipv4Addr, port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect((address, port)).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: machine\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).await.unwrap();
    said
}

/// Waits for what another task or process is about to do, and has nobody to tell.
async fn until<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    let all = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), all).await.unwrap_or_else(|_| panic!("never: {what}"));
}

#[tokio::test]
async fn a_machine_listens_while_it_runs_and_at_no_other_time() {
    let address = own(1);
    let [tcp, http, late] = free_ports(address);
    let cloud = Cloud::new(&format!(
        "instances:
  - id: i-a
    start: 2s
    stop: 1s
    private_ip: {address}
    listen:
      - {{ tcp: {tcp} }}
      - {{ http: {http}, path: /healthz, status: 201, body: up }}
      - {{ tcp: {late}, after: 5s }}"
    ));
    let server = cloud.serve().await;
    let open = async || {
        let mut open = Vec::new();
        for port in [tcp, http, late] {
            open.push(connects(address, port).await);
        }
        open
    };
    assert_eq!(open().await, [false; 3]);
    assert_eq!(server.start("i-a").await.status, 200);
    cloud.hand.set(1_999);
    assert_eq!(server.status("i-a").await, "Starting");
    assert_eq!(open().await, [false; 3]);
    cloud.hand.set(2_000);
    assert_eq!(server.status("i-a").await, "Running");
    assert_eq!(open().await, [true, true, false]);
    let answer = get(address, http, "/healthz?full=1").await;
    assert!(answer.starts_with("HTTP/1.1 201 ") && answer.ends_with("\r\n\r\nup"), "{answer}");
    assert!(get(address, http, "/other").await.starts_with("HTTP/1.1 404 "));
    cloud.hand.set(7_000);
    assert_eq!(server.status("i-a").await, "Running");
    assert_eq!(open().await, [true; 3]);

    let mut connected = TcpStream::connect((address, tcp)).await.unwrap();
    assert_eq!(server.call(&[("Action", "StopInstance"), ("InstanceId", "i-a")]).await.status, 200);
    assert_eq!(open().await, [false; 3], "from the moment that the stop is accepted");
    assert!(connected.read(&mut [0]).await.is_ok_and(|bytes| bytes == 0), "open connections end as well");
    server.end().await;
}

#[tokio::test]
async fn the_passing_of_time_alone_opens_and_closes() {
    let address = own(2);
    let [port, flaps] = free_ports(address);
    let cloud = Cloud::new(&format!(
        "instances:
  - {{ id: i-a, status: Starting, start: 2s, private_ip: {address}, listen: [{{ tcp: {port} }}, {{ tcp: {flaps}, flap: 10s }}] }}"
    ));
    let server = cloud.serve().await;
    for (milliseconds, is_open, flap_is_open) in
        [(2_000, true, true), (12_000, true, false), (22_000, true, true)]
    {
        cloud.hand.set(milliseconds);
        until("it is as it should", async || {
            (connects(address, port).await, connects(address, flaps).await) == (is_open, flap_is_open)
        })
        .await;
    }
    server.end().await;
    assert!(!connects(address, port).await, "nothing is left of a cloud that is not served any more");
}

#[tokio::test]
async fn clicks_of_another_process_and_an_account_that_is_begun_anew_are_noticed() {
    let address = own(3);
    let [port] = free_ports(address);
    let cloud = Cloud::new(&format!(
        "instances: [{{ id: i-a, private_ip: {address}, listen: [{{ tcp: {port} }}] }}]"
    ));
    let server = cloud.serve().await;
    let other = cloud.open();
    other.set("i-a", "Running").unwrap();
    until("it listens", async || connects(address, port).await).await;
    other.set("i-a", "Released").unwrap();
    until("it is gone", async || !connects(address, port).await).await;
    cloud.write(&format!(
        "instances: [{{ id: i-a, status: Running, private_ip: {address}, listen: [{{ tcp: {port} }}] }}]"
    ));
    let anew = cloud.serve().await;
    assert_eq!(anew.status("i-a").await, "Running");
    until("it listens again", async || connects(address, port).await).await;
    assert!(server.ended().await.unwrap_err().to_string().contains("changed account file"));
    anew.end().await;
}

#[tokio::test]
async fn what_an_earlier_process_did_is_remembered() {
    let address = own(4);
    let [port] = free_ports(address);
    let cloud = Cloud::new(&format!(
        "instances: [{{ id: i-a, start: 2s, private_ip: {address}, listen: [{{ tcp: {port} }}] }}]"
    ));
    let first = cloud.serve().await;
    first.start("i-a").await;
    first.end().await;
    cloud.hand.set(3_000);
    let second = cloud.serve().await;
    assert_eq!(second.status("i-a").await, "Running");
    assert!(connects(address, port).await, "from the first answer on");
    second.end().await;
}

#[tokio::test]
async fn what_hangs_takes_a_request_and_never_answers() {
    let address = own(5);
    let [port] = free_ports(address);
    let cloud = Cloud::new(&format!(
        "instances: [{{ id: i-a, status: Running, stop: 0s, private_ip: {address}, listen: [{{ http: {port}, hang: true }}] }}]"
    ));
    let server = cloud.serve().await;
    assert_eq!(server.status("i-a").await, "Running");
    let asking = tokio::spawn(async move {
        let mut stream = TcpStream::connect((address, port)).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: machine\r\n\r\n").await.unwrap();
        let mut said = Vec::new();
        // How a machine that goes down ends a connection is not told here.
        let _ = stream.read_to_end(&mut said).await;
        said
    });
    until("it is asked", async || connects(address, port).await).await;
    server.call(&[("Action", "StopInstance"), ("InstanceId", "i-a")]).await;
    assert_eq!(asking.await.unwrap(), b"");
    server.end().await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_had_as_soon_as_it_is_free() {
    let address = own(6);
    let taken = std::net::TcpListener::bind((address, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let cloud = Cloud::new(&format!(
        "instances: [{{ id: i-a, status: Running, private_ip: {address}, listen: [{{ http: {port}, body: mine }}] }}]"
    ));
    let server = cloud.serve().await;
    assert_eq!(server.status("i-a").await, "Running");
    drop(taken);
    until("it listens", async || connects(address, port).await).await;
    assert!(get(address, port, "/").await.ends_with("mine"));
    server.end().await;
}

/// Elsewhere a machine has one address of its own, and not as many ports as it takes.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn two_thousand_machines_listen() {
    const COUNT: usize = 2_000;
    let [port] = free_ports(Ipv4Addr::new(127, 7, 2, 1));
    let address = |number: usize| {
        let [high, low] = [number / 250, number % 250].map(|part| u8::try_from(part).unwrap());
        Ipv4Addr::new(127, 7, high + 2, low + 1)
    };
    let instances: String = (0..COUNT)
        .map(|number| {
            let address = address(number);
            format!(
                "  - {{ id: i-{number}, start: 1s, private_ip: {address}, listen: [{{ tcp: {port} }}] }}\n"
            )
        })
        .collect();
    let cloud = Cloud::new(&format!("instances:\n{instances}"));
    let server = cloud.serve().await;
    for first in (0..COUNT).step_by(100) {
        let ids: Vec<(String, String)> = (0..100)
            .map(|place| (format!("InstanceId.{}", place + 1), format!("i-{}", first + place)))
            .collect();
        let mut call = vec![("Action", "StartInstances"), ("RegionId", "cn-hangzhou")];
        call.extend(ids.iter().map(|(name, id)| (name.as_str(), id.as_str())));
        assert_eq!(server.call(&call).await.status, 200);
    }
    cloud.hand.set(1_000);
    assert_eq!(server.status("i-0").await, "Running");
    for number in (0..COUNT).step_by(37) {
        assert!(connects(address(number), port).await, "{number}");
    }
    server.end().await;
}
