//! Makes what asks instances whether they are ready.

use std::sync::Arc;
use std::time::Duration;

use super::Session;
use super::configuration::Loaded;
use super::connection::surroundings;
use crate::aliyun::transport::Transport;
use crate::fleet::{HttpTarget, Probe};
use crate::probe::Probes;

/// No connection takes longer to come about: an attempt of a probe has ended by then.
const CONNECT: Duration = Duration::from_secs(10);

/// Variables with secrets, which the commands of probes do not get.
const SECRETS: [&str; 12] = [
    "ALIBABA_CLOUD_ACCESS_KEY_ID",
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
    "ALIBABA_CLOUD_SECURITY_TOKEN",
    "ALIBABACLOUD_ACCESS_KEY_ID",
    "ALIBABACLOUD_ACCESS_KEY_SECRET",
    "ALIBABACLOUD_SECURITY_TOKEN",
    "ALICLOUD_ACCESS_KEY",
    "ALICLOUD_ACCESS_KEY_ID",
    "ALICLOUD_ACCESS_KEY_SECRET",
    "ALICLOUD_SECRET_KEY",
    "ALICLOUD_SECURITY_TOKEN",
    "ALIBABA_CLOUD_CREDENTIALS_URI",
];

/// What asks the instances of a configuration. Nothing is asked yet.
pub(super) fn probes(session: &Session<'_>, loaded: &Loaded) -> anyhow::Result<Arc<Probes>> {
    let entries = &loaded.configuration.desired.entries;
    let mut probes = entries.iter().filter_map(|entry| entry.readiness.as_ref()).flat_map(|it| &it.probes);
    let has_urls = probes.any(|probe| matches!(probe, Probe::Http { target: HttpTarget::Url(_), .. }));
    let (direct, outer) = Transport::new(&surroundings(session))?.for_probes(CONNECT, has_urls)?;
    let folder = loaded.path(std::path::Path::new(""));
    let folder = if folder.as_os_str().is_empty() { std::path::PathBuf::from(".") } else { folder };
    let withheld = SECRETS.iter().map(Into::into).collect();
    Ok(Arc::new(Probes { direct, outer, folder, withheld }))
}
