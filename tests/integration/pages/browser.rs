//! A browser without a window, driven by the WebDriver protocol over loopback, without any network of its own.

#![expect(
    clippy::disallowed_methods,
    reason = "a browser has its own clock, and is found as a person finds it"
)]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// The names under which the browser is installed.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// How the protocol names a reference to an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Keys that are no characters, as the protocol names them.
pub(super) mod keys {
    pub(crate) const ENTER: &str = "\u{e007}";
    pub(crate) const ESCAPE: &str = "\u{e00c}";
    pub(crate) const TAB: &str = "\u{e004}";
    pub(crate) const HOME: &str = "\u{e011}";
    pub(crate) const END: &str = "\u{e010}";
    pub(crate) const DOWN: &str = "\u{e015}";
    pub(crate) const UP: &str = "\u{e013}";
}

/// A browser, until it is dropped.
pub(super) struct Browser {
    driver: Child,
    port: u16,
    session: String,
    _profile: TempDir,
}

/// An element of the page that is open.
#[derive(Debug, Clone)]
pub(super) struct Element(String);

impl Browser {
    pub(super) fn new() -> Self {
        let browser = BROWSERS.iter().find_map(|name| in_path(name));
        let browser = browser
            .unwrap_or_else(|| panic!("no browser: install chromium (Debian: apt-get install chromium)"));
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("no chromedriver ({error}): install it (Debian: apt-get install chromium-driver)")
            });
        let told = BufReader::new(driver.stdout.take().unwrap());
        let port = told.lines().map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once("successfully on port ")?;
            port.trim_end_matches('.').parse().ok()
        });
        let profile = tempfile::tempdir().unwrap();
        let mut browser_of_test = Self {
            driver,
            port: port.expect("chromedriver tells its port"),
            session: String::new(),
            _profile: profile,
        };
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            // Whatever it wants to reach is not there.
            "--host-resolver-rules=MAP * ~NOTFOUND",
            "--proxy-server=127.0.0.1:1",
            "--proxy-bypass-list=<-loopback>",
        ];
        let mut arguments: Vec<String> = arguments.map(str::to_owned).into();
        arguments.push(format!("--user-data-dir={}", browser_of_test._profile.path().display()));
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
            "goog:chromeOptions": {"binary": browser, "args": arguments},
        }}});
        let session = browser_of_test.ask("POST", "/session", &wanted);
        browser_of_test.session = session["sessionId"].as_str().expect("a session").to_owned();
        // What it shows before it is told anything asks for things of its own.
        browser_of_test.post("/url", &json!({"url": "about:blank"}));
        browser_of_test.requests();
        browser_of_test
    }

    /// Asks the driver, and fails the test if it refuses.
    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if method == "POST" { body.to_string() } else { String::new() };
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{body}",
            self.port,
            body.len()
        )
        .unwrap();
        let mut head = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            head.read_line(&mut line).unwrap();
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut answer = vec![0; length];
        head.read_exact(&mut answer).unwrap();
        let mut answer: Value = serde_json::from_slice(&answer).unwrap();
        assert!(answer["value"]["error"].is_null(), "{method} {path} {body}: {answer}");
        answer["value"].take()
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        self.ask("POST", &format!("/session/{}{path}", self.session), body)
    }

    fn get(&self, path: &str) -> Value {
        self.ask("GET", &format!("/session/{}{path}", self.session), &Value::Null)
    }

    /// A command of the browser's own protocol, where the common one has none.
    pub(super) fn command(&self, name: &str, parameters: Value) -> Value {
        self.post("/goog/cdp/execute", &json!({"cmd": name, "params": parameters}))
    }

    pub(super) fn open(&self, file: &Path) {
        self.post("/url", &json!({"url": address(file)}));
    }

    /// As wide and as high as this, and as the system of a reader would have it: `light` or `dark`.
    pub(super) fn look(&self, width: u32, height: u32, scheme: &str) {
        let metrics =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        self.command("Emulation.setDeviceMetricsOverride", metrics);
        // Without motion nothing is on its way when it is clicked.
        let features = json!({"features": [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]});
        self.command("Emulation.setEmulatedMedia", features);
    }

    /// What a script of the test sees on the page.
    pub(super) fn see(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({"script": script, "args": []}))
    }

    /// Waits until what a script sees is true.
    pub(super) fn until(&self, what: &str, script: &str) {
        let begun = Instant::now();
        while self.see(script) != Value::Bool(true) {
            assert!(begun.elapsed() < Duration::from_secs(30), "it never came to be that {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(super) fn all(&self, selector: &str) -> Vec<Element> {
        let found = self.post("/elements", &json!({"using": "css selector", "value": selector}));
        let ids = found.as_array().unwrap().iter();
        ids.map(|element| Element(element[ELEMENT].as_str().unwrap().to_owned())).collect()
    }

    #[track_caller]
    pub(super) fn one(&self, selector: &str) -> Element {
        let mut found = self.all(selector);
        assert_eq!(found.len(), 1, "{selector}");
        found.remove(0)
    }

    /// The element with this role and this name, as a screen reader has them.
    #[track_caller]
    pub(super) fn named(&self, selector: &str, name: &str) -> Element {
        let all = self.all(selector);
        let known: Vec<String> = all.iter().map(|element| self.name(element)).collect();
        let at = known.iter().position(|known| known == name);
        all[at.unwrap_or_else(|| panic!("no {name:?} among {known:?}"))].clone()
    }

    /// A click of the mouse, where the element is.
    pub(super) fn click(&self, element: &Element) {
        self.post(&format!("/element/{}/click", element.0), &json!({}));
    }

    /// Types into an element.
    pub(super) fn write(&self, element: &Element, text: &str) {
        self.post(&format!("/element/{}/value", element.0), &json!({"text": text}));
    }

    /// Presses a key, wherever the focus is.
    pub(super) fn press(&self, key: &str) {
        let strokes = json!([{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]);
        self.post("/actions", &json!({"actions": [{"type": "key", "id": "keyboard", "actions": strokes}]}));
    }

    /// What a screen reader calls it.
    pub(super) fn name(&self, element: &Element) -> String {
        self.get(&format!("/element/{}/computedlabel", element.0)).as_str().unwrap_or_default().to_owned()
    }

    /// What a screen reader takes it for.
    pub(super) fn role(&self, element: &Element) -> String {
        self.get(&format!("/element/{}/computedrole", element.0)).as_str().unwrap_or_default().to_owned()
    }

    pub(super) fn text(&self, element: &Element) -> String {
        self.get(&format!("/element/{}/text", element.0)).as_str().unwrap_or_default().to_owned()
    }

    /// Keeps a picture of what is seen.
    pub(super) fn picture(&self, file: &Path) {
        let picture = self.get("/screenshot");
        let picture = base64::Engine::decode(
            &base64::engine::general_purpose::STANDARD,
            picture.as_str().expect("a picture"),
        );
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, picture.unwrap()).unwrap();
    }

    /// What the page complained of since the last time.
    pub(super) fn complaints(&self) -> Vec<String> {
        let log = self.post("/se/log", &json!({"type": "browser"}));
        log.as_array().unwrap().iter().map(ToString::to_string).collect()
    }

    /// The addresses that were asked for since the last time, besides those inside the browser itself.
    pub(super) fn requests(&self) -> Vec<String> {
        let log = self.post("/se/log", &json!({"type": "performance"}));
        let lines = log.as_array().unwrap().iter();
        let events =
            lines.map(|line| serde_json::from_str::<Value>(line["message"].as_str().unwrap()).unwrap());
        let sent = events.filter(|event| event["message"]["method"] == "Network.requestWillBeSent");
        let addresses =
            sent.map(|event| event["message"]["params"]["request"]["url"].as_str().unwrap().to_owned());
        addresses.filter(|address| !address.starts_with("chrome")).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It takes the browser along. What has ended by itself has shown itself in the test.
        if !self.session.is_empty() && !std::thread::panicking() {
            self.ask("DELETE", &format!("/session/{}", self.session), &Value::Null);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// The address of a file.
pub(super) fn address(file: &Path) -> String {
    format!("file://{}", file.display())
}

fn in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}
