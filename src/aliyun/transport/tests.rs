//! Proxies and certificates against real sockets.

use std::io::Write as _;

use super::*;
use crate::aliyun::scripted::{Said, Server};
use crate::aliyun::surroundings::tests::surroundings;

const TEST_CA: &str = include_str!("../../../tests/data/tls/ca.pem");

fn transport(variables: &[(&str, &str)]) -> Result<Transport, SetupError> {
    Transport::new(&surroundings(variables, None))
}

fn line(encrypted: bool, local: bool) -> Line {
    Line { encrypted, local, connect: Duration::from_secs(5) }
}

/// Which hosts a proxy was asked to reach, for a request to a host that does not exist.
async fn tunnels(
    variables: impl Fn(&str) -> Vec<(&'static str, String)>,
    line: Line,
    url: &str,
) -> Vec<String> {
    let proxy = Server::start(|_, _| Said::Body(403, String::new())).await;
    let variables = variables(&proxy.address);
    let variables: Vec<(&str, &str)> =
        variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let http = transport(&variables).expect("usable").client(line).expect("a client");
    let reply = ask(http.get(url), Duration::from_secs(5)).await;
    assert!(reply.is_err(), "nothing is there");
    proxy.asked().iter().map(|asked| format!("{} {}", asked.method, asked.path)).collect()
}

#[tokio::test]
async fn encrypted_requests_to_other_machines_go_through_the_proxy() {
    const URL: &str = "https://ecs.powerform.invalid/";
    const TUNNEL: &str = "CONNECT ecs.powerform.invalid:443";
    for name in PROXY_VARIABLES {
        let asked = tunnels(|proxy| vec![(name, proxy.to_owned())], line(true, false), URL).await;
        assert_eq!(asked, [TUNNEL], "{name}");
    }
    let bare = |proxy: &str| vec![("HTTPS_PROXY", proxy.trim_start_matches("http://").to_owned())];
    assert_eq!(tunnels(bare, line(true, false), URL).await, [TUNNEL], "without a scheme");
    let login = |proxy: &str| vec![("HTTPS_PROXY", proxy.replace("://", "://user:p4ssword@"))];
    assert_eq!(tunnels(login, line(true, false), URL).await, [TUNNEL], "with a login");
    let elsewhere =
        |proxy: &str| vec![("HTTPS_PROXY", proxy.to_owned()), ("NO_PROXY", "other.invalid".to_owned())];
    assert_eq!(tunnels(elsewhere, line(true, false), URL).await, [TUNNEL], "another host is excepted");
}

#[tokio::test]
async fn excepted_hosts_this_machine_and_plain_http_never_go_through_a_proxy() {
    for except in ["powerform.invalid", ".powerform.invalid", "a.example, ecs.powerform.invalid", "*"] {
        for name in NO_PROXY_VARIABLES {
            let variables = |proxy: &str| vec![("HTTPS_PROXY", proxy.to_owned()), (name, except.to_owned())];
            let asked = tunnels(variables, line(true, false), "https://ecs.powerform.invalid/").await;
            assert_eq!(asked, Vec::<String>::new(), "{name}={except}");
        }
    }
    let everywhere = |proxy: &str| {
        ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "http_proxy"].map(|name| (name, proxy.to_owned())).to_vec()
    };
    assert_eq!(tunnels(everywhere, line(true, true), "https://127.0.0.1:1/").await, Vec::<String>::new());
    assert_eq!(tunnels(everywhere, line(false, true), "http://127.0.0.1:1/").await, Vec::<String>::new());
    assert_eq!(
        tunnels(everywhere, line(false, false), "http://a.powerform.invalid/").await,
        Vec::<String>::new()
    );
}

#[test]
fn a_proxy_that_is_none_is_refused_without_showing_its_password() {
    for (value, words) in [
        ("socks5://user:p4ssword@host:1080", "only HTTP proxies"),
        ("http://user:p4ssword@", "not an address"),
        ("http://user:p4ssword@ho st", "not an address"),
    ] {
        let error = transport(&[("HTTPS_PROXY", value)]).expect_err(value).to_string();
        assert!(error.contains(words) && error.contains("HTTPS_PROXY"), "{error}");
        assert!(!error.contains("p4ssword"), "{error}");
    }
    let usable = transport(&[("HTTPS_PROXY", "http://user:p4ssword@host:1")]).expect("usable");
    assert!(!format!("{usable:?}").contains("p4ssword"));
}

#[test]
fn a_bundle_that_is_none_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::File::create(&path).expect("created").write_all(text.as_bytes()).expect("written");
        path.display().to_string()
    };
    let broken = "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n";
    for (file, words) in [
        (folder.path().join("none").display().to_string(), "cannot be used"),
        (folder.path().display().to_string(), "not a file"),
        (path("empty", ""), "no certificate"),
        (path("text", "hello"), "no certificate"),
        (path("broken", broken), "not PEM"),
    ] {
        let error = transport(&[("SSL_CERT_FILE", &file)]).expect_err(&file).to_string();
        assert!(error.contains(words) && error.contains(&file) && error.contains("SSL_CERT_FILE"), "{error}");
    }
    let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let transport_of = |text: &str| transport(&[("SSL_CERT_FILE", &path("bundle", text))]);
    let refused = transport_of(garbage).and_then(|transport| transport.client(line(true, false)).map(|_| ()));
    assert!(refused.is_err(), "bytes that are no certificate");
    let good = transport_of(TEST_CA).expect("usable");
    assert_eq!(format!("{good:?}"), "Transport { has_proxy: false, further_roots: 1 }");
    assert!(good.client(line(true, false)).is_ok());
}

/// A TLS server on this machine whose certificate the test's authority has signed.
fn tls_server() -> u16 {
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let _ = rustls::crypto::ring::default_provider().install_default();
    let pem = |text: &'static str| text.as_bytes();
    let certificate = CertificateDer::from_pem_slice(pem(include_str!("../../../tests/data/tls/server.pem")));
    let key = PrivateKeyDer::from_pem_slice(pem(include_str!("../../../tests/data/tls/server.key")));
    let configuration = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.expect("PEM")], key.expect("PEM"))
        .expect("they belong together");
    let configuration = std::sync::Arc::new(configuration);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut connection =
                rustls::ServerConnection::new(std::sync::Arc::clone(&configuration)).expect("configured");
            let mut tls = rustls::Stream::new(&mut connection, &mut stream);
            let mut head = [0; 1024];
            // A client that does not trust the certificate goes away here.
            if std::io::Read::read(&mut tls, &mut head).is_ok() {
                let _ = tls.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
                connection.send_close_notify();
                let _ = connection.complete_io(&mut stream);
            }
        }
    });
    port
}

#[tokio::test]
async fn a_bundle_is_trusted_and_without_it_the_server_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let bundle = folder.path().join("ca.pem");
    std::fs::write(&bundle, TEST_CA).expect("written");
    let url = format!("https://localhost:{}/", tls_server());
    let reply = async |variables: &[(&str, &str)]| {
        let http = transport(variables).expect("usable").client(line(true, true)).expect("a client");
        ask(http.get(&url), Duration::from_secs(10)).await
    };
    let trusted = reply(&[("SSL_CERT_FILE", &bundle.display().to_string())]).await.expect("trusted");
    assert_eq!((trusted.status, trusted.body.as_slice()), (200, b"ok".as_slice()));
    let error = reply(&[]).await.err().expect("not trusted");
    assert!(matches!(&error, NoReply::NotConnected(why) if why.contains("certificate")), "{error:?}");
}
