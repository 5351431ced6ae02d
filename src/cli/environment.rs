//! The one place that reads the environment, the clock and the identity of this process. Everything else is told.
#![expect(clippy::disallowed_methods, reason = "this is the edge that the rest of the program is kept from")]

use std::io::IsTerminal as _;
use std::path::PathBuf;

use jiff::Timestamp;

use super::progress::Size;

/// What this process knows of the world around it.
#[derive(Debug, Clone, Copy)]
pub struct Environment {
    /// Whether stdin is a terminal, so that somebody can be asked.
    pub stdin_is_terminal: bool,
    /// Whether stdout is a terminal.
    pub stdout_is_terminal: bool,
    /// Whether stderr is a terminal.
    pub stderr_is_terminal: bool,
}

impl Environment {
    /// The environment of this process.
    #[must_use]
    pub fn of_this_process() -> Self {
        Self {
            stdin_is_terminal: std::io::stdin().is_terminal(),
            stdout_is_terminal: std::io::stdout().is_terminal(),
            stderr_is_terminal: std::io::stderr().is_terminal(),
        }
    }

    /// A variable that is set and not empty.
    #[must_use]
    pub fn variable(self, name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }

    /// The variables whose names begin like this and go on, as far as they are not empty, in the order of their names.
    #[must_use]
    pub fn variables_that_begin_with(self, prefix: &str) -> Vec<(String, Vec<u8>)> {
        let mut found: Vec<(String, Vec<u8>)> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_encoded_bytes())))
            .filter(|(name, value)| {
                name.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty()) && !value.is_empty()
            })
            .collect();
        found.sort();
        found
    }

    /// The folder of whoever runs this process: as the official libraries find it.
    #[must_use]
    pub fn home(self) -> Option<PathBuf> {
        let on_drive = || Some(self.variable("HOMEDRIVE")? + &self.variable("HOMEPATH")?);
        self.variable("HOME")
            .or_else(on_drive)
            .or_else(|| self.variable("HOMEPATH"))
            .or_else(|| self.variable("USERPROFILE"))
            .map(PathBuf::from)
    }

    /// What the process was called with.
    #[must_use]
    pub fn arguments() -> Vec<std::ffi::OsString> {
        std::env::args_os().collect()
    }

    /// The folder that the process works in.
    #[must_use]
    pub fn folder(self) -> Option<PathBuf> {
        std::env::current_dir().ok()
    }

    /// The time of day.
    #[must_use]
    pub fn now(self) -> Timestamp {
        Timestamp::now()
    }

    /// The name of this machine.
    #[must_use]
    pub fn host(self) -> String {
        let told = || self.variable("HOSTNAME").or_else(|| self.variable("COMPUTERNAME"));
        std::fs::read_to_string("/proc/sys/kernel/hostname")
            .ok()
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
            .or_else(told)
            .unwrap_or_else(|| "an unnamed host".to_owned())
    }

    /// Who runs this process: by name, or, as in a container or a scheduled job that sets none, by number.
    #[must_use]
    pub fn user(self) -> String {
        ["USER", "LOGNAME", "USERNAME"]
            .iter()
            .find_map(|name| self.variable(name))
            .or_else(user_number)
            .unwrap_or_else(|| "an unnamed user".to_owned())
    }

    /// How wide the lines on stdout may be, where somebody sees them: what `COLUMNS` says, else what the terminal says.
    #[must_use]
    pub fn stdout_columns(self) -> Option<usize> {
        let told = || self.variable("COLUMNS").and_then(|columns| columns.parse().ok());
        let terminal = || console::Term::stdout().size_checked().map(|(_, columns)| usize::from(columns));
        let columns: usize = self.stdout_is_terminal.then(|| told().or_else(terminal))??;
        Some(columns.clamp(40, 400))
    }

    /// The size of the terminal on stderr, if lines can be drawn again on it. Asked again, it tells the size that the
    /// window has then.
    #[must_use]
    pub fn drawable_stderr(self) -> Option<Box<dyn Fn() -> Size + Send>> {
        let can_draw = self.stderr_is_terminal && self.understands_escape_sequences();
        can_draw.then(|| -> Box<dyn Fn() -> Size + Send> {
            Box::new(|| match console::Term::stderr().size_checked() {
                Some((rows, columns)) if rows > 0 && columns > 0 => {
                    Size { columns: columns.into(), rows: rows.into() }
                }
                // What terminals have had for as long as there are any.
                _ => Size { columns: 80, rows: 24 },
            })
        })
    }

    /// A terminal that does not say what it is, or that says it is dumb, takes text only.
    #[cfg(unix)]
    fn understands_escape_sequences(self) -> bool {
        self.variable("TERM").is_some_and(|terminal| terminal != "dumb")
    }

    /// Asking makes a console of Windows ready for them.
    #[cfg(not(unix))]
    fn understands_escape_sequences(self) -> bool {
        console::Term::stderr().features().colors_supported()
    }

    /// How wide the lines on stderr may be: what `COLUMNS` says, else what the terminal says, else what fits
    /// everywhere.
    #[must_use]
    pub fn width(self) -> usize {
        let told = self.variable("COLUMNS").and_then(|columns| columns.parse().ok());
        let terminal = || console::Term::stderr().size_checked().map(|(_, columns)| usize::from(columns));
        told.or_else(terminal).unwrap_or(100).clamp(40, 400)
    }
}

/// `uid 1000`. The owner of a process's folder is the user that it runs as.
#[cfg(unix)]
fn user_number() -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").ok().map(|folder| format!("uid {}", folder.uid()))
}

#[cfg(not(unix))]
fn user_number() -> Option<String> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_user_whom_no_variable_names_is_told_by_number() {
        let number = user_number().expect("/proc is there");
        let number = number.strip_prefix("uid ").expect("in words");
        assert!(number.parse::<u32>().is_ok(), "{number}");
    }
}
