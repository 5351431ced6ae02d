//! The certificates that the program trusts, as the variables of its process say.

#![cfg(all(unix, not(target_vendor = "apple")))]
#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, Stream};
use tempfile::TempDir;

const AUTHORITY: &str = include_str!("../data/tls/ca.pem");

/// ECS over TLS with one running instance, under a certificate of the test's authority.
fn ecs() -> String {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let certificate = CertificateDer::from_pem_slice(include_bytes!("../data/tls/server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("../data/tls/server.key")).unwrap();
    let configuration =
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key);
    let configuration = Arc::new(configuration.unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&configuration)).unwrap();
            // A client that does not trust the certificate goes away.
            let _ = answer(connection, stream.unwrap());
        }
    });
    address
}

fn answer(mut connection: ServerConnection, mut stream: TcpStream) -> std::io::Result<()> {
    let mut tls = Stream::new(&mut connection, &mut stream);
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        tls.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let body = r#"{"RequestId":"R","Instances":{"Instance":[{"InstanceId":"i-a","Status":"Running"}]}}"#;
    let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    tls.write_all((head + body).as_bytes())?;
    connection.send_close_notify();
    connection.complete_io(&mut stream).map(|_| ())
}

fn plan(endpoint: &str, variable: &str, value: &str) -> (Output, String) {
    let work = TempDir::new().unwrap();
    let text = format!(
        "stack: s\nprovider: {{ region: cn-hangzhou, endpoint: \"{endpoint}\" }}\n\
         instances: {{ a: {{ id: i-a, status: Running }} }}\n"
    );
    std::fs::write(work.path().join("powerform.yaml"), text).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_powerform"))
        .arg("plan")
        .current_dir(work.path())
        .env_clear()
        .env("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")
        .env("ALIBABA_CLOUD_ACCESS_KEY_ID", "id")
        .env("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "secret")
        .env(variable, value)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, said)
}

#[test]
fn an_authority_of_ones_own_is_trusted_by_file_and_by_folder() {
    let endpoint = ecs();
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("authority.pem");
    std::fs::write(&file, AUTHORITY).unwrap();
    for (variable, value) in [("SSL_CERT_FILE", file.as_path()), ("SSL_CERT_DIR", folder.path())] {
        let (output, said) = plan(&endpoint, variable, value.to_str().unwrap());
        assert!(output.status.success(), "{variable}: {said}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("1 in sync"), "{variable}: {output:?}");
    }
}

#[test]
fn a_bundle_that_is_none_ends_the_run_before_anything_is_asked() {
    let (output, said) = plan("https://localhost:1", "SSL_CERT_FILE", "/nowhere/ca.pem");
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("error: the certificates in /nowhere/ca.pem, which SSL_CERT_FILE names"), "{said}");
}

#[test]
fn a_certificate_that_nobody_known_has_signed_is_not_trusted() {
    let (output, said) = plan(&ecs(), "NO_COLOR", "1");
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 blocked"), "{output:?}");
    assert!(said.contains("no connection to localhost") && said.contains("certificate"), "{said}");
}
