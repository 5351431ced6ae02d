//! Finds what exists: in every provider, or in the regions that the command line names.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::Ground;
use crate::aliyun::client::Client;
use crate::aliyun::credentials::CredentialSource;
use crate::aliyun::endpoint::check_region;
use crate::cli::arguments::Import;
use crate::cli::connection::{Simulators, endpoint_of_environment, join, named_region, surroundings, wanted};
use crate::cli::failure::{Chain, Failure};
use crate::cli::{Level, Session};
use crate::cloud::{Advice, Cloud as _, Found, Refusal, Search as _};
use crate::config::{Network, ProviderSettings};
use crate::fleet::{InstanceId, ProviderAlias, Region, Selection, Selector};
use crate::inventory::Inventory;
use crate::render::words;

/// At most so many searches are under way at one time.
const SEARCHES_AT_ONCE: usize = 16;

/// Where the regions are asked for, if no place names one: it is there for every account.
const FIRST_REGION: &str = "cn-hangzhou";

/// What was found.
pub(super) struct Looked {
    /// The instances that fit, by provider.
    pub(super) inventory: Inventory,
    /// How the providers are described that were looked at, with their regions.
    pub(super) settings: BTreeMap<ProviderAlias, ProviderSettings>,
    /// Those of them that no file describes.
    pub(super) added: BTreeSet<ProviderAlias>,
    /// What the selections of the configuration match.
    pub(super) selected: HashSet<InstanceId>,
    /// The regions that were looked at.
    pub(super) regions: Vec<Region>,
    /// What could not be looked at.
    pub(super) failures: Vec<NotLooked>,
}

/// A place that could not be looked at.
pub(super) struct NotLooked {
    place: String,
    /// What tells this trouble from others.
    code: String,
    why: String,
    remedy: Option<String>,
}

impl NotLooked {
    fn refused(place: String, region: &Region, refusal: &Refusal) -> Self {
        let code = refusal.code.clone().unwrap_or_else(|| refusal.message.clone());
        let unknown = check_region(region).err().filter(|_| code.contains("Region"));
        let remedy = match (&refusal.remedy, unknown) {
            (_, Some(unknown)) => unknown.to_string(),
            (Some(remedy), None) => remedy.to_string(),
            (None, None) if refusal.advice == Advice::Final => {
                "mend what the message names, then import again".to_owned()
            }
            (None, None) => "import again in a minute".to_owned(),
        };
        Self { place, code, why: refusal.to_string(), remedy: Some(remedy) }
    }
}

/// Says what could not be looked at, once for each kind of trouble.
pub(super) fn tell_failures(session: &Session<'_>, failures: &[NotLooked]) {
    let mut alike: BTreeMap<&str, Vec<&NotLooked>> = BTreeMap::new();
    for failure in failures {
        alike.entry(&failure.code).or_default().push(failure);
    }
    for alike in alike.values() {
        let Some(first) = alike.first() else { continue };
        let places: Vec<&str> = alike.iter().map(|failure| failure.place.as_str()).collect();
        let places = words::list(&places, words::LISTED);
        let remedy =
            first.remedy.as_ref().map(|remedy| format!(". What to do: {remedy}")).unwrap_or_default();
        session
            .console
            .say(Level::Error, format_args!("{places} could not be looked at: {}{remedy}", first.why));
    }
}

/// Looks.
pub(super) async fn look(
    session: &Session<'_>,
    ground: &mut Ground,
    arguments: &Import,
    filter: &Selector,
) -> Result<Looked, Failure> {
    let simulators = Simulators::default();
    let mut regions: BTreeSet<Region> = arguments.region.iter().cloned().collect();
    let mut offered = BTreeMap::new();
    if !ground.has_files() {
        name_region(session, ground, arguments.all_regions, &mut regions)?;
    }
    let first = join(session, &ground.loaded, candidates(ground, &regions), &simulators, None).await?;
    let mut connected = Connected::default();
    connected.take_in(first);
    if !regions.is_empty() {
        connected.clients.retain(|(_, client)| regions.contains(client.region()));
        for (_, client) in &connected.clients {
            regions.remove(client.region());
        }
        // A provider that could not be joined is told of; its region has no other way.
        for (alias, _) in &connected.failures {
            let settings = ground.loaded.configuration.providers.get(alias);
            if let Some(region) = settings.and_then(|settings| settings.region.as_ref()) {
                regions.remove(region);
            }
        }
    } else if arguments.all_regions {
        offered = other_regions(&connected).await?;
        if endpoint_of_environment(&surroundings(session)).is_some() {
            offered.values_mut().for_each(String::clear);
        }
    }
    offered.extend(regions.into_iter().map(|region| (region, String::new())));
    let added = describe(ground, offered);
    join_added(session, ground, &added, &simulators, &mut connected).await?;
    let is_alone = connected.clients.is_empty() && connected.failures.len() == 1;
    if is_alone && let Some((_, error)) = connected.failures.pop() {
        return Err(error.into());
    }
    let mut looked = search(ground, connected, filter, arguments.all_regions).await;
    looked.added = added;
    if !ground.has_files() {
        begin_with_instances(&mut looked);
    }
    Ok(looked)
}

/// Joins the providers that were added. All of them have the credentials of the main one, which are looked for once.
async fn join_added(
    session: &Session<'_>,
    ground: &Ground,
    added: &BTreeSet<ProviderAlias>,
    simulators: &Simulators,
    connected: &mut Connected,
) -> Result<(), Failure> {
    let mut added: Vec<ProviderAlias> = added.iter().cloned().collect();
    if connected.credentials_of(&ProviderAlias::main()).is_none() && !added.is_empty() {
        let first = added.remove(0);
        connected.take_in(join(session, &ground.loaded, vec![first.clone()], simulators, None).await?);
        let known = connected.credentials_of(&first);
        connected.take_in(join(session, &ground.loaded, added, simulators, known.as_ref()).await?);
    } else {
        let known = connected.credentials_of(&ProviderAlias::main());
        connected.take_in(join(session, &ground.loaded, added, simulators, known.as_ref()).await?);
    }
    Ok(())
}

/// Without a configuration the main provider is the first region that is named.
fn name_region(
    session: &Session<'_>,
    ground: &mut Ground,
    is_everywhere: bool,
    regions: &mut BTreeSet<Region>,
) -> anyhow::Result<()> {
    let main = ground.loaded.configuration.providers.entry(ProviderAlias::main()).or_default();
    main.region = match regions.first() {
        Some(region) => Some(region.clone()),
        None => named_region(main, &wanted(main), &surroundings(session))?,
    };
    if main.region.is_none() && is_everywhere {
        main.region = Some(Region::new(FIRST_REGION)?);
    }
    if main.region.is_none() {
        return Err(anyhow!(
            "no region is named: give --region cn-hangzhou with yours, or --all-regions, or set ALIBABA_CLOUD_REGION_ID; \
             or begin from a configuration with -f"
        ));
    }
    Ok(())
}

/// The providers that may have to be looked at.
fn candidates(ground: &Ground, regions: &BTreeSet<Region>) -> Vec<ProviderAlias> {
    let configuration = &ground.loaded.configuration;
    let in_use = configuration.providers_in_use();
    let is_idle = |alias: &ProviderAlias, settings: &ProviderSettings| {
        // Nobody has described it: it is there because it always is.
        *alias == ProviderAlias::main()
            && *settings == ProviderSettings::default()
            && configuration.providers.len() > 1
            && !in_use.contains(alias)
    };
    let may_fit = |settings: &ProviderSettings| {
        regions.is_empty() || settings.region.as_ref().is_none_or(|region| regions.contains(region))
    };
    let fit = configuration
        .providers
        .iter()
        .filter(|(alias, settings)| !is_idle(alias, settings) && may_fit(settings));
    fit.map(|(alias, _)| alias.clone()).collect()
}

/// Providers that were joined to their clouds, or not.
#[derive(Default)]
struct Connected {
    clients: Vec<(ProviderAlias, Arc<Client>)>,
    failures: Vec<(ProviderAlias, anyhow::Error)>,
}

impl Connected {
    fn credentials_of(&self, alias: &ProviderAlias) -> Option<CredentialSource> {
        let found = self.clients.iter().find(|(own, _)| own == alias);
        found.map(|(_, client)| client.credentials().clone())
    }

    fn take_in(&mut self, joined: Vec<(ProviderAlias, anyhow::Result<Arc<Client>>)>) {
        for (alias, client) in joined {
            match client {
                Ok(client) => self.clients.push((alias, client)),
                Err(error) => self.failures.push((alias, error)),
            }
        }
    }
}

/// The regions that ECS offers to the account of the main provider, but for those that a provider of that account has,
/// with the hosts that serve them.
async fn other_regions(connected: &Connected) -> anyhow::Result<BTreeMap<Region, String>> {
    let main = ProviderAlias::main();
    let found = connected.clients.iter().find(|(alias, _)| *alias == main).or(connected.clients.first());
    let Some((_, asked)) = found else { return Ok(BTreeMap::new()) };
    let offers = asked.regions().await.map_err(|refusal| {
        let is_denied = refusal.code.as_deref().is_some_and(|code| code.starts_with("Forbidden"));
        let remedy = match is_denied {
            true => "allow ecs:DescribeRegions for these credentials".into(),
            false => words::remedy_of(&refusal),
        };
        anyhow!(
            "the regions of the account could not be listed: {refusal}. What to do: {remedy}, or name the regions with \
             --region"
        )
    })?;
    let account = asked.credentials().account();
    let own: BTreeSet<&Region> = connected
        .clients
        .iter()
        .filter(|(_, client)| client.credentials().account() == account)
        .map(|(_, client)| client.region())
        .collect();
    let mut regions = BTreeMap::new();
    for offer in offers {
        let region = Region::new(&offer.id).context("ECS offers a region with an impossible name")?;
        if !own.contains(&region) {
            regions.insert(region, offer.endpoint);
        }
    }
    Ok(regions)
}

/// Adds providers to the configuration in memory that look at these regions as the main one looks at its own. A region
/// that is newer than this program is looked for at the host that ECS names for it, if it names one.
fn describe(ground: &mut Ground, regions: BTreeMap<Region, String>) -> BTreeSet<ProviderAlias> {
    let providers = &mut ground.loaded.configuration.providers;
    let main = providers.get(&ProviderAlias::main()).cloned().unwrap_or_default();
    let is_elsewhere = main.simulator.is_some() || main.endpoint.is_some() || main.network != Network::Public;
    let mut added = BTreeSet::new();
    for (region, host) in regions {
        let Some(alias) = free_alias(providers, &region) else { continue };
        let names_another =
            |endpoint: &String| main.region.as_ref().is_some_and(|own| endpoint.contains(own.as_str()));
        let host =
            Some(host).filter(|host| !is_elsewhere && is_host_of_ecs(host) && check_region(&region).is_err());
        let endpoint = main.endpoint.clone().filter(|endpoint| !names_another(endpoint));
        let endpoint = endpoint.or_else(|| host.map(|host| format!("https://{host}")));
        providers.insert(alias.clone(), ProviderSettings { region: Some(region), endpoint, ..main.clone() });
        added.insert(alias);
    }
    added
}

/// Whether this is a host, and one of Alibaba Cloud: nothing else is asked because an answer says so.
fn is_host_of_ecs(host: &str) -> bool {
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    host.ends_with(".aliyuncs.com") && host.chars().all(is_part)
}

/// The region as an alias, as far as that is one and nobody has it.
fn free_alias(
    providers: &BTreeMap<ProviderAlias, ProviderSettings>,
    region: &Region,
) -> Option<ProviderAlias> {
    let plain = std::iter::once(region.to_string());
    let numbered = (2..).map(|number| format!("region-{number}-{region}"));
    plain
        .chain(numbered)
        .take(providers.len() + 3)
        .filter_map(|alias| ProviderAlias::new(&alias).ok())
        .find(|alias| !providers.contains_key(alias))
}

/// Searches everywhere side by side.
async fn search(ground: &Ground, connected: Connected, filter: &Selector, is_everywhere: bool) -> Looked {
    let mut looked = Looked {
        inventory: Inventory::new(),
        settings: BTreeMap::new(),
        added: BTreeSet::new(),
        selected: HashSet::new(),
        regions: Vec::new(),
        failures: Vec::new(),
    };
    for (alias, error) in connected.failures {
        let why = Chain(&error).to_string();
        let place = format!("the provider {alias}");
        looked.failures.push(NotLooked { place, code: why.clone(), why, remedy: None });
    }
    let configuration = &ground.loaded.configuration;
    let turns = Arc::new(Semaphore::new(SEARCHES_AT_ONCE));
    let mut searches = JoinSet::new();
    let mut places = BTreeMap::new();
    for (alias, client) in &connected.clients {
        let region = client.region().clone();
        let settings = configuration.providers.get(alias).cloned().unwrap_or_default();
        looked.settings.insert(alias.clone(), ProviderSettings { region: Some(region.clone()), ..settings });
        looked.regions.push(region.clone());
        places.insert(alias.clone(), region);
        let entries = configuration.desired.entries.iter().filter(|entry| entry.provider == *alias);
        let selections: Vec<Selection> = entries.filter_map(|entry| entry.selection()).cloned().collect();
        let (alias, client, filter) = (alias.clone(), Arc::clone(client), filter.clone());
        let turns = Arc::clone(&turns);
        searches.spawn(async move {
            // The semaphore is never closed.
            let _turn = turns.acquire_owned().await;
            let found = find(&client, &filter, &selections, !is_everywhere).await;
            (alias, found)
        });
    }
    while let Some(search) = searches.join_next().await {
        match search {
            Ok((alias, Ok((found, selected)))) => {
                looked.selected.extend(selected);
                looked.inventory.insert(alias, found);
            }
            Ok((alias, Err(refusal))) => {
                let Some(region) = places.get(&alias) else { continue };
                looked.failures.push(NotLooked::refused(place(&alias, region), region, &refusal));
            }
            // Nobody cancels searches while they are awaited.
            Err(error) => {
                if let Ok(panic) = error.try_into_panic() {
                    std::panic::resume_unwind(panic);
                }
            }
        }
    }
    let is_empty = looked.inventory.values().all(Vec::is_empty);
    if is_everywhere
        && is_empty
        && let Some((alias, client)) = connected.clients.first()
        && let Err(refusal) = client.rehearse_look(&[]).await
    {
        let region = client.region();
        looked.failures.push(NotLooked::refused(place(alias, region), region, &refusal));
    }
    looked.failures.sort_by(|a, b| a.place.cmp(&b.place));
    looked
}

fn place(alias: &ProviderAlias, region: &Region) -> String {
    let is_plain = *alias == ProviderAlias::main() || alias.as_str() == region.as_str();
    if is_plain { region.to_string() } else { format!("{region} ({alias})") }
}

/// What fits in one place, and what the selections there match. ECS shows nothing to those who may not look, so an empty
/// answer is asked about.
async fn find(
    client: &Client,
    filter: &Selector,
    selections: &[Selection],
    asks: bool,
) -> Result<(Vec<Found>, Vec<InstanceId>), Refusal> {
    let found = client.find(filter).await?;
    if found.is_empty() && asks {
        client.rehearse_look(&[]).await?;
    }
    let mut selected = Vec::new();
    for selection in selections {
        let matched = client.find(&selection.selector).await?;
        let ids = matched.into_iter().map(|found| found.sighting.id);
        selected.extend(ids.filter(|id| selection.except.binary_search(id).is_err()));
    }
    Ok((found, selected))
}

/// Without a configuration the first region that has instances is the main one.
fn begin_with_instances(looked: &mut Looked) {
    let main = ProviderAlias::main();
    if looked.inventory.get(&main).is_some_and(|found| !found.is_empty()) {
        return;
    }
    let first = looked.inventory.iter().find(|(_, found)| !found.is_empty()).map(|(alias, _)| alias.clone());
    let Some(first) = first else { return };
    if let (Some(found), Some(settings)) = (looked.inventory.remove(&first), looked.settings.remove(&first)) {
        looked.inventory.insert(main.clone(), found);
        looked.settings.insert(main, settings);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::configuration::{Loaded, Sources};
    use crate::config::{self, Source};

    /// The endpoints of regions that are added to a configuration with this provider.
    fn endpoints(provider: &str, offers: &[(&str, &str)]) -> Vec<(String, Option<String>)> {
        let text = format!("stack: a\nprovider: {{ region: cn-hangzhou, {provider} }}\ninstances: {{}}\n")
            .into_bytes();
        let configuration = config::read(&[Source { name: String::new(), text }]).expect("valid");
        let mut ground =
            Ground { loaded: Loaded::without_file(configuration, "none"), files: Sources::default() };
        let region = |name: &str| Region::new(name).expect("valid");
        let offers = offers.iter().map(|(name, host)| (region(name), (*host).to_owned())).collect();
        let added = describe(&mut ground, offers);
        let endpoint = |alias: &ProviderAlias| ground.loaded.provider(alias).endpoint.clone();
        added.iter().map(|alias| (alias.to_string(), endpoint(alias))).collect()
    }

    #[test]
    fn a_region_that_is_newer_than_this_program_is_looked_for_where_ecs_says() {
        let host = "ecs.cn-newtown.aliyuncs.com";
        let url = format!("https://{host}");
        for (provider, region, host, endpoint) in [
            ("", "cn-newtown", host, Some(url.as_str())),
            ("", "cn-beijing", host, None),
            ("", "cn-newtown", "evil.example", None),
            ("", "cn-newtown", "evil.example/?.aliyuncs.com", None),
            ("", "cn-newtown", "", None),
            ("network: vpc", "cn-newtown", host, None),
            ("simulator: account.yaml", "cn-newtown", host, None),
            ("endpoint: \"http://127.0.0.1:1\"", "cn-newtown", host, Some("http://127.0.0.1:1")),
            ("endpoint: \"https://ecs.cn-hangzhou.aliyuncs.com\"", "cn-beijing", "", None),
        ] {
            let expected = vec![(region.to_owned(), endpoint.map(str::to_owned))];
            assert_eq!(endpoints(provider, &[(region, host)]), expected, "{provider} {region} {host}");
        }
    }

    #[test]
    fn an_alias_is_the_region_as_far_as_nobody_has_it() {
        let added = endpoints("", &[("cn-beijing", ""), ("1st", ""), ("default", "")]);
        let aliases: Vec<&str> = added.iter().map(|(alias, _)| alias.as_str()).collect();
        assert_eq!(aliases, ["cn-beijing", "region-2-1st", "region-2-default"]);
    }
}
