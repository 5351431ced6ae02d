//! A process on a terminal of its own, whose screen can be looked at.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::process::{LONGEST, PAUSE};

/// A process whose three streams are one terminal. Dropped before its end, it is killed.
pub(crate) struct OnTerminal {
    child: Child,
    heard: Receiver<Vec<u8>>,
    terminal: File,
    raw: Vec<u8>,
    screen: vt100::Parser,
    /// Dropped, it calls the watchdog off.
    _watchdog: Sender<()>,
}

impl OnTerminal {
    /// Starts a process on a terminal of so many columns and rows.
    pub(crate) fn start(command: &mut Command, columns: u16, rows: u16) -> Self {
        let (master, slave) = pair();
        set_size(&master, columns, rows);
        let end = || Stdio::from(slave.try_clone().unwrap());
        let child = command.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        // The reading ends when nobody has the other end open any more.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        drop(slave);
        let terminal = File::from(master);
        let mut reader = terminal.try_clone().unwrap();
        let (tell, heard) = mpsc::channel();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            // A terminal without a process is an error on Linux.
            while let Ok(read @ 1..) = reader.read(&mut bytes) {
                if tell.send(bytes[..read].to_owned()).is_err() {
                    break;
                }
            }
        });
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        let (watchdog, called_off) = mpsc::channel::<()>();
        thread::spawn(move || {
            if called_off.recv_timeout(LONGEST) == Err(RecvTimeoutError::Timeout) {
                let _ = kill(pid, Signal::SIGKILL);
            }
        });
        let screen = vt100::Parser::new(rows, columns, 0);
        Self { child, heard, terminal, raw: Vec::new(), screen, _watchdog: watchdog }
    }

    /// The rows of the screen that hold something, from the top.
    pub(crate) fn rows(&self) -> Vec<String> {
        let contents = self.screen.screen().contents();
        contents.lines().map(|row| row.trim_end().to_owned()).filter(|row| !row.is_empty()).collect()
    }

    /// Everything that was written to the terminal.
    pub(crate) fn raw(&self) -> String {
        String::from_utf8_lossy(&self.raw).into_owned()
    }

    /// Waits until the screen is as wanted.
    pub(crate) fn until(&mut self, what: &str, holds: impl Fn(&[String]) -> bool) {
        while !holds(&self.rows()) {
            match self.heard.recv_timeout(PAUSE) {
                Ok(bytes) => self.take(&bytes),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    assert!(holds(&self.rows()), "it ended before {what}\n{:#?}", self.rows());
                    return;
                }
            }
        }
    }

    /// Resizes the window. The process hears of it as it would from a real one.
    pub(crate) fn resize(&mut self, columns: u16, rows: u16) {
        set_size(&self.terminal, columns, rows);
        self.screen.screen_mut().set_size(rows, columns);
    }

    /// Types a line.
    pub(crate) fn types(&mut self, line: &str) {
        self.terminal.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// Closes the window, of which the process is told nothing, and gives its exit status. The window is gone with
    /// the next thing that the process writes.
    #[cfg(target_os = "linux")]
    pub(crate) fn vanish(mut self) -> Option<i32> {
        self.terminal = File::open("/dev/null").unwrap();
        self.heard = mpsc::channel().1;
        self.child.wait().unwrap().code()
    }

    /// Sends the process a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    /// Waits for the end, and gives the exit status.
    pub(crate) fn finish(&mut self) -> Option<i32> {
        while let Ok(bytes) = self.heard.recv() {
            self.take(&bytes);
        }
        self.child.wait().unwrap().code()
    }

    fn take(&mut self, bytes: &[u8]) {
        self.raw.extend_from_slice(bytes);
        self.screen.process(bytes);
    }
}

/// Both ends of a new terminal. No process inherits its own end of it from another test: it would not vanish then.
#[cfg(target_os = "linux")]
fn pair() -> (OwnedFd, OwnedFd) {
    use std::os::fd::AsFd as _;
    use std::os::unix::fs::OpenOptionsExt as _;

    use nix::fcntl::OFlag;
    use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};

    let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let mut options = File::options();
    options.read(true).write(true).custom_flags(OFlag::O_NOCTTY.bits());
    let slave = options.open(ptsname_r(&master).unwrap()).unwrap();
    (master.as_fd().try_clone_to_owned().unwrap(), slave.into())
}

#[cfg(not(target_os = "linux"))]
fn pair() -> (OwnedFd, OwnedFd) {
    let pair = nix::pty::openpty(None, None).unwrap();
    (pair.master, pair.slave)
}

fn set_size(terminal: impl std::os::fd::AsFd, columns: u16, rows: u16) {
    let size = rustix::termios::Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    rustix::termios::tcsetwinsize(terminal, size).unwrap();
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        // Both do nothing to a process that has ended and was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
