//! How many files this process may have open: each machine that listens needs one, and each connection to it another.

/// Raises the limit as far as the system lets a process do that by itself.
#[cfg(unix)]
pub(super) fn raise() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return;
    }
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(%error, ?current, ?maximum, "the limit of open files cannot be raised: some machines may not listen");
    }
}

/// There is no such limit.
#[cfg(not(unix))]
pub(super) fn raise() {}
