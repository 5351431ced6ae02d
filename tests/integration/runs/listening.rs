//! Machines that listen on this machine while they run: the plain sockets, as a probe meets them.

#![expect(clippy::unwrap_used, reason = "what a test calls may panic: that is how it fails")]

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use crate::harness::{Scenario, World};

/// An address that only one test has, where this machine has as many: so that no other test takes its ports.
const ADDRESSES: [&str; 3] =
    if cfg!(target_os = "linux") { ["127.20.0.1", "127.20.0.2", "127.20.0.3"] } else { ["127.0.0.1"; 3] };

/// A port that was free a moment ago.
fn free_port(address: &str) -> u16 {
    TcpListener::bind((address, 0)).unwrap().local_addr().unwrap().port()
}

fn connects(address: &str, port: u16) -> bool {
    TcpStream::connect((address, port)).is_ok()
}

/// The whole answer to a GET; none where nobody listens.
fn get(address: &str, port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect((address, port)).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: machine\r\nConnection: close\r\n\r\n").ok()?;
    let mut said = String::new();
    stream.read_to_string(&mut said).ok()?;
    Some(said)
}

#[test]
fn a_served_machine_is_reached_while_it_runs_and_not_before_or_after() {
    const ADDRESS: &str = ADDRESSES[0];
    let (tcp, http) = (free_port(ADDRESS), free_port(ADDRESS));
    let mut scenario = Scenario::in_world(
        World::Served,
        &format!(
            "instances:
  - id: i-db
    private_ip: {ADDRESS}
    listen: [{{ tcp: {tcp} }}, {{ http: {http}, path: /healthz, body: fine }}]"
        ),
        "instances: { db: { id: i-db, status: Running } }",
    );
    let mut server = scenario.take_server();
    assert!(!connects(ADDRESS, tcp));
    scenario.converge();
    // The last answer said Running, and sockets are never later than answers.
    assert!(connects(ADDRESS, tcp));
    let answer = get(ADDRESS, http, "/healthz").unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nfine"), "{answer}");
    assert!(get(ADDRESS, http, "/").unwrap().starts_with("HTTP/1.1 404 "));

    scenario.click("i-db", "Stopped");
    server.until("the click is noticed", |_| !connects(ADDRESS, tcp));
    scenario.click("i-db", "Running");
    server.until("it is up again", |_| connects(ADDRESS, tcp));
    scenario.write_configuration("instances: { db: { id: i-db, status: Stopped } }");
    scenario.converge();
    assert!(!connects(ADDRESS, tcp) && get(ADDRESS, http, "/healthz").is_none());
}

#[test]
fn an_embedded_machine_is_reached_for_as_long_as_the_command_runs() {
    const ADDRESS: &str = ADDRESSES[1];
    let port = free_port(ADDRESS);
    let scenario = Scenario::new(
        &format!(
            "instances:
  - {{ id: i-db, private_ip: {ADDRESS}, listen: [{{ tcp: {port} }}] }}
  - {{ id: i-app, start: 1h }}"
        ),
        "instances:
  db: { id: i-db, status: Running }
  app: { id: i-app, status: Running, depends_on: [db] }",
    );
    let mut apply = scenario.start(&["apply", "--auto-approve"]);
    apply.until_called("StartInstance", "i-app");
    assert!(connects(ADDRESS, port), "it runs, or app would not be started");
    apply.running().signal(nix::sys::signal::Signal::SIGKILL);
    apply.finish();
    assert!(!connects(ADDRESS, port));
}

#[test]
fn a_port_that_is_taken_is_told_in_the_log() {
    const ADDRESS: &str = ADDRESSES[2];
    let taken = TcpListener::bind((ADDRESS, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let scenario = Scenario::new(
        &format!(
            "instances: [{{ id: i-db, status: Running, private_ip: {ADDRESS}, listen: [{{ tcp: {port} }}] }}]"
        ),
        "instances: { db: { id: i-db, status: Running } }",
    );
    let planned = scenario.run(&["plan", "--log", "warn"]).exits(0);
    let warning = format!("{ADDRESS}:{port}");
    planned.complains(&["cannot listen: something else on this machine listens there,", "i-db", &warning]);
}
