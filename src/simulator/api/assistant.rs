//! RunCommand, DescribeInvocationResults and DescribeCloudAssistantStatus.

use std::ops::RangeInclusive;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use super::describe::{MOST_IDS, numbered_ids};
use super::page::{Cut, Page};
use super::{Call, Done, Item, Subject, regions};
use crate::simulator::answer::Value;
use crate::simulator::log::{Invocation, InvocationStatus, Invoked, Stage};
use crate::simulator::refusal::Refusal;
use crate::simulator::request::Parameters;
use crate::simulator::status::Status;
use crate::simulator::world::{Command, World};

const TYPES: [&str; 3] = ["RunShellScript", "RunBatScript", "RunPowerShellScript"];

/// How long a command may run where the call does not say, in seconds.
const USUAL_TIMEOUT: u64 = 60;

/// The longest time that a command may be given: a day, in seconds.
const LONGEST_TIMEOUT: u64 = 24 * 60 * 60;

/// How long the content may be in Base64, where the command is not kept and where it is, in bytes.
const LONGEST_CONTENT: [usize; 2] = [24 * 1024, 18 * 1024];

/// The sizes of pages of results.
const PAGES: RangeInclusive<usize> = 1..=50;

/// What changes which instances are commanded or what is run, and is not simulated.
const UNSUPPORTED: [&str; 6] =
    ["ResourceTag.1.Key", "Frequency", "Parameters", "ContainerId", "ContainerName", "OssOutputDelivery"];

/// The answer to what asks for a form that it may not have.
enum Encoding {
    Base64,
    PlainText,
}

impl Encoding {
    fn read(parameters: &Parameters, usual: Self) -> Result<Self, Refusal> {
        match parameters.value("ContentEncoding") {
            None => Ok(usual),
            Some("Base64") => Ok(Self::Base64),
            Some("PlainText") => Ok(Self::PlainText),
            Some(_) => Err(Refusal::invalid("ContentEncoding", "it is neither Base64 nor PlainText")),
        }
    }
}

pub(super) fn commanded(_: &World, parameters: &Parameters) -> Subject {
    Subject::Command(numbered_ids(parameters))
}

/// The instance that is named, or else those that the command was run in.
pub(super) fn asked_about(world: &World, parameters: &Parameters) -> Subject {
    if let Some(id) = parameters.value("InstanceId") {
        return Subject::Read(Some(vec![id.to_owned()]));
    }
    let invocation = parameters.value("InvokeId").map(|id| world.invocation(id));
    let ids = |invocation: &Invocation| {
        invocation.instances.iter().map(|invoked| invoked.instance.clone()).collect()
    };
    Subject::Read(invocation.map(|invocation| invocation.map(ids).unwrap_or_default()))
}

/// All instances take the command, or the first refusal is that of the whole call.
pub(super) fn run_command(call: &Call<'_>) -> Result<Done, Refusal> {
    let Call { world, parameters, now, .. } = *call;
    let region = regions::required(world, parameters)?;
    let kind = parameters.required("Type")?;
    if !TYPES.contains(&kind) {
        return Err(Refusal::of("InvalidCmdType.NotFound"));
    }
    if let Some(name) = UNSUPPORTED.iter().find(|name| parameters.value(name).is_some()) {
        return Err(unsupported(name));
    }
    if parameters.truth("EnableParameter")? {
        return Err(unsupported("EnableParameter"));
    }
    if parameters.value("RepeatMode").is_some_and(|mode| mode != "Once") {
        return Err(unsupported("RepeatMode"));
    }
    let content = content(parameters)?;
    let ids = numbered_ids(parameters);
    if ids.is_empty() {
        return Err(Refusal::missing("InstanceId"));
    }
    if ids.len() > MOST_IDS {
        return Err(Refusal::of("InstanceIds.ExceedLimit"));
    }
    let timeout = match parameters.value("Timeout") {
        None => Some(USUAL_TIMEOUT),
        Some(text) => text.parse().ok().filter(|seconds| (1..=LONGEST_TIMEOUT).contains(seconds)),
    };
    let timeout = timeout.ok_or_else(|| Refusal::invalid("Timeout", "it is not a number of seconds"))?;
    call.permit("RunCommand")?;
    let token = parameters.value("ClientToken");
    if let Some(earlier) = token.and_then(|token| world.invocation_of(token, now)) {
        let same = earlier.content == content
            && earlier.region == region
            && earlier.instances.iter().map(|invoked| &invoked.instance).eq(&ids);
        return match same {
            true => Ok(Done { fields: ids_of(earlier), ..Done::default() }),
            false => Err(Refusal::of("IdempotentParameterMismatch")),
        };
    }
    let command = Command { content: &content, timeout: Duration::from_secs(timeout) };
    let mut instances = Vec::with_capacity(ids.len());
    for id in &ids {
        if world.given(id).is_some_and(|given| given.region != region) {
            return Err(Refusal::of("InvalidInstance.NotFound"));
        }
        instances.push(world.command(id, command, now)?);
    }
    let unique = call.request_id.to_ascii_lowercase().replace('-', "");
    let invocation = Invocation {
        id: format!("t-{unique}"),
        command: format!("c-{unique}"),
        region: region.to_owned(),
        content,
        token: token.map(str::to_owned),
        instances,
    };
    let item = |instance| Item { instance, outcome: Ok(Vec::new()) };
    Ok(Done {
        fields: ids_of(&invocation),
        items: ids.into_iter().map(item).collect(),
        invocation: Some(invocation),
        ..Done::default()
    })
}

fn unsupported(name: &str) -> Refusal {
    Refusal::of("UnsupportedParameter")
        .saying(format!("The parameter \"{name}\" is not supported by the simulator."))
}

fn ids_of(invocation: &Invocation) -> Vec<(&'static str, Value)> {
    vec![
        ("CommandId", Value::text(invocation.command.as_str())),
        ("InvokeId", Value::text(invocation.id.as_str())),
    ]
}

/// What is to be run, decoded.
fn content(parameters: &Parameters) -> Result<String, Refusal> {
    let written = parameters.required("CommandContent")?;
    let (text, encoded_length) = match Encoding::read(parameters, Encoding::PlainText)? {
        Encoding::PlainText => (written.to_owned(), written.len().div_ceil(3) * 4),
        Encoding::Base64 => {
            let bytes = STANDARD.decode(written).ok();
            let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
            let wrong = || Refusal::invalid("CommandContent", "it is not Base64 of a UTF-8 text");
            (text.ok_or_else(wrong)?, written.len())
        }
    };
    let [unkept, kept] = LONGEST_CONTENT;
    let longest = if parameters.truth("KeepCommand")? { kept } else { unkept };
    if encoded_length > longest {
        return Err(Refusal::invalid("CommandContent", "it is too long"));
    }
    Ok(text)
}

pub(super) fn describe_invocation_results(call: &Call<'_>) -> Result<Done, Refusal> {
    let Call { world, parameters, .. } = *call;
    let now = call.looked_at();
    let region = regions::required(world, parameters)?;
    let encoding = Encoding::read(parameters, Encoding::Base64)?;
    parameters.truth("IncludeHistory")?;
    let page = Page::read(parameters, PAGES, world.account().quirks)?;
    call.permit("DescribeInvocationResults")?;
    let is = |name: &str, actual: &str| parameters.value(name).is_none_or(|wanted| wanted == actual);
    let results = world
        .invocations(parameters.value("InvokeId"), now)
        .filter(|invocation| {
            invocation.region == region
                && is("CommandId", &invocation.command)
                && is("InvokeRecordStatus", record_status(invocation, now))
        })
        .flat_map(|invocation| invocation.instances.iter().map(move |invoked| (invocation, invoked)))
        .filter(|(_, invoked)| is("InstanceId", &invoked.instance))
        // What fault or clock lets a look see what is old: a command that is not there yet.
        .filter(|(_, invoked)| invoked.stages.first().is_some_and(|first| first.from <= now));
    let first = page.first();
    let Cut { shown, next, mut fields } = page.cut(results.enumerate().skip(first));
    let shown = shown.into_iter().map(|(invocation, invoked)| result(invocation, invoked, &encoding, now));
    fields.push(("NextToken", Value::Text(next)));
    fields.push(("InvocationResults", Value::List("InvocationResult", shown.collect())));
    Ok(Done { fields: vec![("Invocation", Value::Fields(fields))], ..Done::default() })
}

/// What a command is in one instance at a moment; a command always has a first stage.
fn stage(invoked: &Invoked, now: Timestamp) -> Option<&Stage> {
    invoked.stages.iter().rfind(|stage| stage.from <= now).or(invoked.stages.first())
}

fn status(invoked: &Invoked, now: Timestamp) -> InvocationStatus {
    stage(invoked, now).map_or(InvocationStatus::Pending, |stage| stage.status)
}

/// What the command is as a whole.
fn record_status(invocation: &Invocation, now: Timestamp) -> &'static str {
    let statuses = || invocation.instances.iter().map(|invoked| status(invoked, now));
    let succeeded = statuses().filter(|status| *status == InvocationStatus::Success).count();
    if statuses().any(|status| !status.is_final()) {
        "Running"
    } else if succeeded == invocation.instances.len() {
        "Finished"
    } else if succeeded > 0 {
        "PartialFailed"
    } else {
        "Failed"
    }
}

fn result(invocation: &Invocation, invoked: &Invoked, encoding: &Encoding, now: Timestamp) -> Value {
    let status = status(invoked, now);
    let is_final = status.is_final();
    let time = |stage: Option<&Stage>| Value::Text(stage.map(|stage| second(stage.from)).unwrap_or_default());
    let started =
        invoked.stages.iter().find(|stage| stage.status == InvocationStatus::Running && stage.from <= now);
    let output = if is_final { invoked.output.as_str() } else { "" };
    let error = invoked.error.as_deref().filter(|_| is_final).unwrap_or_default();
    let mut fields = vec![
        ("InvokeId", Value::text(invocation.id.as_str())),
        ("CommandId", Value::text(invocation.command.as_str())),
        ("InstanceId", Value::text(invoked.instance.as_str())),
        ("InvokeRecordStatus", Value::text(record_status(invocation, now))),
        ("InvocationStatus", Value::text(status.as_str())),
        ("StartTime", time(started)),
        ("FinishedTime", time(stage(invoked, now).filter(|_| is_final))),
        ("StopTime", Value::text("")),
        (
            "Output",
            match encoding {
                Encoding::Base64 => Value::Text(STANDARD.encode(output)),
                Encoding::PlainText => Value::text(output),
            },
        ),
        ("ErrorCode", Value::text(error)),
        ("ErrorInfo", Value::text(information(error))),
        ("Dropped", Value::Number(0)),
        ("Repeats", Value::Number(1)),
        ("Username", Value::text("root")),
    ];
    if let Some(exit) = invoked.exit.filter(|_| is_final) {
        fields.push(("ExitCode", Value::Number(u64::from(exit))));
    }
    Value::Fields(fields)
}

fn information(error: &str) -> &'static str {
    match error {
        "" => "",
        "DeliveryTimeout" => "The command could not be delivered in time.",
        "ExecutionTimeout" => "The command timed out.",
        "ExitCodeNonzero" => "The exit code of the command is not 0.",
        _ => "The instance is not running.",
    }
}

/// A time as Cloud Assistant writes it: with seconds.
fn second(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Whether the agents can be reached, as the texts `true` and `false`.
pub(super) fn describe_cloud_assistant_status(call: &Call<'_>) -> Result<Done, Refusal> {
    let Call { world, parameters, .. } = *call;
    let now = call.looked_at();
    let region = regions::required(world, parameters)?;
    let ids = numbered_ids(parameters);
    if ids.len() > MOST_IDS {
        return Err(Refusal::of("InstanceIds.ExceedLimit"));
    }
    let page = Page::read(parameters, PAGES, world.account().quirks)?;
    call.permit("DescribeCloudAssistantStatus")?;
    let all = world.shown_from(0, now).map(|(_, shown)| shown).filter(|shown| {
        shown.given.region == region && (ids.is_empty() || ids.iter().any(|id| **id == *shown.given.id))
    });
    let first = page.first();
    let Cut { shown, next, mut fields } = page.cut(all.enumerate().skip(first));
    let statuses = shown.iter().map(|shown| {
        let reached = *shown.status == Status::Running && shown.given.assistant.online;
        Value::Fields(vec![
            ("InstanceId", Value::text(&*shown.given.id)),
            ("CloudAssistantStatus", Value::text(if reached { "true" } else { "false" })),
        ])
    });
    fields.push(("NextToken", Value::Text(next)));
    fields.push((
        "InstanceCloudAssistantStatusSet",
        Value::List("InstanceCloudAssistantStatus", statuses.collect()),
    ));
    Ok(Done { fields, ..Done::default() })
}
