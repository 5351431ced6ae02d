//! One process of the built binary, bounded in time.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A process that takes longer than this hangs: it is killed, and its test fails.
pub(super) const LONGEST: Duration = Duration::from_secs(100);

/// How often a condition is asked for that no output announces.
pub(super) const PAUSE: Duration = Duration::from_millis(5);

/// A process that has been started. Dropped before its end, it is killed.
pub(crate) struct Running {
    child: Child,
    heard: Receiver<Heard>,
    stdout: String,
    stderr: String,
    /// Dropped, it calls the watchdog off.
    _watchdog: Sender<()>,
}

enum Heard {
    Stdout(String),
    Stderr(String),
}

/// A process that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit status; none if a signal ended it.
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Running {
    /// Starts a process whose output is read as it comes.
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::start_with_stdout(command, Stdio::piped())
    }

    /// As [`Running::start`], with another stdout.
    pub(crate) fn start_with_stdout(command: &mut Command, stdout: Stdio) -> Self {
        let mut child = command.stdout(stdout).stderr(Stdio::piped()).spawn().unwrap();
        let (tell, heard) = mpsc::channel();
        if let Some(stdout) = child.stdout.take() {
            listen(stdout, tell.clone(), Heard::Stdout);
        }
        listen(child.stderr.take().unwrap(), tell, Heard::Stderr);
        let (watchdog, called_off) = mpsc::channel::<()>();
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        thread::spawn(move || {
            if called_off.recv_timeout(LONGEST) == Err(RecvTimeoutError::Timeout) {
                let _ = kill(pid, Signal::SIGKILL);
            }
        });
        Self { child, heard, stdout: String::new(), stderr: String::new(), _watchdog: watchdog }
    }

    /// What it has printed so far.
    pub(crate) fn stdout(&self) -> &str {
        &self.stdout
    }

    /// What it has said on stderr so far.
    pub(crate) fn stderr(&self) -> &str {
        &self.stderr
    }

    /// Waits until something holds. Fails the test if the process ends first.
    pub(crate) fn until(&mut self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        while !holds(self) {
            match self.heard.recv_timeout(PAUSE) {
                Ok(heard) => self.take(heard),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    assert!(holds(self), "it ended before {what}\n{}\n{}", self.stdout, self.stderr);
                    return;
                }
            }
        }
    }

    /// Takes in what it says within a moment. Whether it has said its last.
    pub(crate) fn hear(&mut self) -> bool {
        match self.heard.recv_timeout(PAUSE) {
            Ok(heard) => self.take(heard),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return true,
        }
        false
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    /// Waits for its end.
    pub(crate) fn finish(mut self) -> Ended {
        while let Ok(heard) = self.heard.recv() {
            self.take(heard);
        }
        let status = self.child.wait().unwrap().code();
        Ended { status, stdout: std::mem::take(&mut self.stdout), stderr: std::mem::take(&mut self.stderr) }
    }

    fn take(&mut self, heard: Heard) {
        match heard {
            Heard::Stdout(text) => self.stdout.push_str(&text),
            Heard::Stderr(text) => self.stderr.push_str(&text),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both do nothing to a process that has ended and was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads a stream line by line until it is closed.
fn listen(stream: impl Read + Send + 'static, tell: Sender<Heard>, heard: fn(String) -> Heard) {
    thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        loop {
            let mut line = Vec::new();
            match stream.read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => break,
                Ok(_) => {
                    if tell.send(heard(String::from_utf8_lossy(&line).into_owned())).is_err() {
                        break;
                    }
                }
            }
        }
    });
}
