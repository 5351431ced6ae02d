//! Whole runs of the program with planted secrets, none of which may be seen again in anything that it writes.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::TempDir;

/// Every planted secret has this in it, whatever else it is. Percent-encoding leaves it alone.
const PLANTED: &str = "pl4nted";

/// Everything that may be logged, by this program and by the libraries below.
const EVERYTHING: &str =
    "powerform=trace,reqwest=trace,hyper=trace,hyper_util=trace,rustls=trace,rustls_platform_verifier=trace";

/// How the server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// As ECS and STS do.
    Well,
    /// ECS refuses, and quotes the request.
    EcsQuotes,
    /// STS refuses, and quotes the request.
    StsQuotes,
    /// STS answers with something that holds a secret and is no answer.
    StsBabbles,
}

/// ECS with one stopped instance, STS and a credentials URI, all on one port.
fn server(manner: Manner) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let running = Arc::new(AtomicBool::new(false));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            let running = Arc::clone(&running);
            std::thread::spawn(move || answer(stream, manner, &running));
        }
    });
    address
}

fn answer(mut stream: TcpStream, manner: Manner, running: &AtomicBool) -> Option<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?;
    let length =
        head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut form = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut form).ok()?;
    let request = format!("{} {}", head.lines().next()?, String::from_utf8(form).ok()?);
    let is = |action: &str| request.contains(&format!("Action={action}"));
    let quoting = |message: String| {
        let body = serde_json::json!({"RequestId": "R", "Code": "SignatureDoesNotMatch", "Message": message});
        (400, body.to_string())
    };
    let granted = serde_json::json!({"Code": "Success", "AccessKeyId": "STS.id",
        "AccessKeySecret": format!("{PLANTED}/issued-secret"), "SecurityToken": format!("{PLANTED}/issued-token"),
        "Expiration": "2100-01-01T00:00:00Z"});
    let is_sts = is("AssumeRole") || is("AssumeRoleWithOIDC");
    let (status, body) = match manner {
        Manner::StsQuotes if is_sts => quoting(format!("server string to sign is:{request}")),
        Manner::StsBabbles if is_sts => (200, format!("<html>{PLANTED}</html>")),
        Manner::EcsQuotes if is("DescribeInstances") => {
            quoting(format!("server string to sign is:{request}"))
        }
        _ if request.contains(" /uri") => (200, granted.to_string()),
        _ if is_sts => (200, serde_json::json!({"Credentials": granted}).to_string()),
        _ if is("StartInstance") => {
            running.store(true, Ordering::SeqCst);
            (200, r#"{"RequestId":"R-start"}"#.to_owned())
        }
        _ => {
            let status = if running.load(Ordering::SeqCst) { "Running" } else { "Stopped" };
            let instance = serde_json::json!({"InstanceId": "i-a", "Status": status});
            (200, serde_json::json!({"RequestId": "R", "Instances": {"Instance": [instance]}}).to_string())
        }
    };
    let head = format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all((head + &body).as_bytes()).ok()
}

/// A home with credentials, and a folder to work in.
struct Place {
    home: TempDir,
    work: TempDir,
}

impl Place {
    fn new(provider: &str) -> Self {
        let place = Self { home: TempDir::new().unwrap(), work: TempDir::new().unwrap() };
        let text =
            format!("stack: s\nprovider: {provider}\ninstances: {{ a: {{ id: i-a, status: Running }} }}\n");
        fs::write(place.work.path().join("powerform.yaml"), text).unwrap();
        place
    }

    fn profile(self, mode: &str, rest: &str) -> Self {
        let folder = self.home.path().join(".aliyun");
        fs::create_dir(&folder).unwrap();
        let text = format!(r#"{{"current":"p","profiles":[{{"name":"p","mode":"{mode}",{rest}}}]}}"#);
        fs::write(folder.join("config.json"), text).unwrap();
        self
    }

    /// Runs the program, with no variables but these.
    fn run(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_powerform"))
            .args(["--log", EVERYTHING])
            .args(arguments)
            .current_dir(self.work.path())
            .env_clear()
            .env("HOME", self.home.path())
            .env("PATH", "/usr/bin:/bin")
            .env("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")
            .envs(variables.iter().copied())
            .output()
            .unwrap()
    }

    /// Everything that is in the folder to work in.
    fn written(&self) -> String {
        fn collect(folder: &Path, text: &mut String) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    collect(&path, text);
                } else {
                    let contents = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
                    writeln!(text, "{}: {contents}", path.display()).unwrap();
                }
            }
        }
        let mut text = String::new();
        collect(self.work.path(), &mut text);
        text
    }
}

/// Plans and applies, looks for secrets in all that comes out, and gives what stderr said.
fn said(place: &Place, variables: &[(&str, &str)]) -> String {
    let mut said = String::new();
    for arguments in [
        &["plan", "--json-into", "plan.jsonl"][..],
        &["apply", "--auto-approve", "--json-into", "apply.jsonl", "--report", "apply.html"],
        &["--log-format", "json", "plan", "--json"],
        &["show", "--json"],
        &["show", "--report", "show.html"],
    ] {
        let output = place.run(arguments, variables);
        let text = format!(
            "{}\n{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(!text.contains(PLANTED), "{arguments:?}: {text}");
        said.push_str(&text);
    }
    let written = place.written();
    assert!(written.contains("plan.jsonl"), "{written}");
    assert!(!written.contains(PLANTED), "{written}");
    said
}

const PROVIDER: &str = "{ region: cn-hangzhou }";

#[test]
fn a_role_of_a_profile_and_the_whole_run_with_it_show_no_secret() {
    for (manner, words) in [
        (Manner::Well, "note: default: cn-hangzhou, credentials from the profile \"p\" of"),
        (Manner::EcsQuotes, "signed another text"),
        (Manner::StsQuotes, "STS computes another signature"),
        (Manner::StsBabbles, "is not JSON"),
    ] {
        let address = server(manner);
        let key = format!(
            r#""access_key_id":"id","access_key_secret":"{PLANTED}/+ secret","sts_token":"{PLANTED}/+ token",
               "ram_role_arn":"acs:ram::1:role/r""#
        );
        let place = Place::new(PROVIDER).profile("RamRoleArn", &key);
        let variables =
            [("ALIBABA_CLOUD_ENDPOINT_ECS", address.as_str()), ("ALIBABA_CLOUD_ENDPOINT_STS", &address)];
        let said = said(&place, &variables);
        assert!(said.contains(words), "{manner:?}: {said}");
        assert!(said.contains("asked STS") && said.contains("TRACE"), "the log is there: {said}");
        if manner == Manner::Well {
            let record = fs::read_to_string(place.work.path().join("state/s.json")).unwrap();
            assert!(record.contains("i-a"), "{record}");
        }
    }
}

#[test]
fn every_other_place_that_holds_a_secret_keeps_it() {
    let address = server(Manner::Well);
    let quoting = server(Manner::StsQuotes);
    let token = tempfile::NamedTempFile::new().unwrap();
    fs::write(token.path(), format!("{PLANTED}.oidc-token")).unwrap();
    let token = token.path().display().to_string();
    let uri = format!("{address}/uri?key={PLANTED}");
    let secret = format!("{PLANTED}/secret");
    let ecs = ("ALIBABA_CLOUD_ENDPOINT_ECS", address.as_str());
    let oidc = [
        ecs,
        ("ALIBABA_CLOUD_OIDC_TOKEN_FILE", token.as_str()),
        ("ALIBABA_CLOUD_ROLE_ARN", "acs:ram::1:role/r"),
        ("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", "p"),
    ];
    let printing = format!(
        r#""process_command":"printf '{{\"access_key_id\":\"x\",\"access_key_secret\":\"{PLANTED}\"}}'""#
    );
    let failing =
        format!(r#""process_command":"sh -c 'echo {PLANTED}-out; echo {PLANTED}-err >&2; exit 1'""#);
    let half = format!(r#""access_key_secret":"{PLANTED}""#);
    let sso = format!(r#""access_token":"{PLANTED}","sts_token":"{PLANTED}""#);
    let proxy = format!("http://user:{PLANTED}@127.0.0.1:1");
    let no_proxy = format!("socks5://user:{PLANTED}@127.0.0.1:1");
    let key = [("ALIBABA_CLOUD_ACCESS_KEY_ID", "id"), ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", secret.as_str())];
    for (place, variables, words) in [
        (Place::new(PROVIDER), vec![ecs, key[0], key[1]], "credentials from the environment"),
        (Place::new(PROVIDER), vec![ecs, key[1]], "ALIBABA_CLOUD_ACCESS_KEY_ID is not"),
        (
            Place::new(PROVIDER),
            [&oidc[..], &[("ALIBABA_CLOUD_ENDPOINT_STS", &address)]].concat(),
            "the OIDC role",
        ),
        (
            Place::new(PROVIDER),
            [&oidc[..], &[("ALIBABA_CLOUD_ENDPOINT_STS", &quoting)]].concat(),
            "STS refuses",
        ),
        (Place::new(PROVIDER), vec![ecs, ("ALIBABA_CLOUD_CREDENTIALS_URI", &uri)], "the URI in"),
        (Place::new(PROVIDER).profile("External", &printing), vec![ecs], "credentials from the profile"),
        (Place::new(PROVIDER).profile("External", &failing), vec![ecs], "exit status: 1"),
        (Place::new(PROVIDER).profile("AK", &half), vec![ecs], "has no access_key_id"),
        (Place::new(PROVIDER).profile("CloudSSO", &sso), vec![ecs], "the mode CloudSSO"),
        (Place::new(PROVIDER), vec![key[0], key[1], ("HTTPS_PROXY", &proxy)], "no connection to"),
        (Place::new(PROVIDER), vec![key[0], key[1], ("HTTPS_PROXY", &no_proxy)], "only HTTP proxies"),
    ] {
        let said = said(&place, &variables);
        assert!(said.contains(words), "{words}: {said}");
    }
}
