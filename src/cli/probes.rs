//! Makes what asks instances whether they are ready.

use std::sync::Arc;
use std::time::Duration;

use super::Session;
use super::configuration::Loaded;
use super::connection::surroundings;
use crate::aliyun::client::Client;
use crate::aliyun::credentials;
use crate::aliyun::transport::Transport;
use crate::cloud::Clouds;
use crate::fleet::{HttpTarget, Probe};
use crate::probe::Probes;

/// No connection takes longer to come about: an attempt of a probe has ended by then.
const CONNECT: Duration = Duration::from_secs(10);

/// What asks the instances of a configuration. Nothing is asked yet.
pub(super) fn probes(
    session: &Session<'_>,
    loaded: &Loaded,
    clouds: &Clouds<Client>,
) -> anyhow::Result<Arc<Probes<Client>>> {
    let entries = &loaded.configuration.desired.entries;
    let mut probes = entries.iter().filter_map(|entry| entry.readiness.as_ref()).flat_map(|it| &it.probes);
    let has_urls = probes.any(|probe| matches!(probe, Probe::Http { target: HttpTarget::Url(_), .. }));
    let (direct, outer) = Transport::new(&surroundings(session))?.for_probes(CONNECT, has_urls)?;
    let folder = loaded.path(std::path::Path::new(""));
    let folder = if folder.as_os_str().is_empty() { std::path::PathBuf::from(".") } else { folder };
    let withheld = credentials::secret_variables().map(Into::into).collect();
    let (assistants, commands) = (clouds.clone(), session.interruption.commands().clone());
    Ok(Arc::new(Probes { assistants, direct, outer, folder, withheld, commands }))
}
