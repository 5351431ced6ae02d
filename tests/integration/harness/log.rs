//! What happened in the simulated cloud, from its own log: who was asked what when, and what each machine was then.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use powerform::simulator::log::ACCEPTED;
use powerform::simulator::{ItemLine, LogEvent, LogLine, RequestLine, read_log};
use serde::Deserialize;

/// The log, or the part of it since some moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct CloudLog {
    /// The statuses of the account file.
    first: Arc<HashMap<String, String>>,
    lines: Vec<LogLine>,
}

/// A call of StartInstance or StopInstance that reached the cloud, or one instance's part of a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PowerCall<'l> {
    pub(crate) at: Timestamp,
    pub(crate) request: &'l RequestLine,
    /// Its part of the request, if that was a batch.
    item: Option<&'l ItemLine>,
}

impl PowerCall<'_> {
    /// Whether it is this call of this instance.
    pub(crate) fn is(&self, action: &str, id: &str) -> bool {
        self.action() == action && self.instance() == id
    }

    /// The action for one instance, also where it came in a batch.
    pub(crate) fn action(&self) -> &str {
        self.request.action.trim_end_matches('s')
    }

    pub(crate) fn instance(&self) -> &str {
        let own = || self.request.instance.as_deref().unwrap_or_default();
        self.item.map_or_else(own, |item| &item.instance)
    }

    /// Whether it was only rehearsed.
    fn is_rehearsal(&self) -> bool {
        self.parameter("DryRun") == Some("true")
    }

    pub(crate) fn was_accepted(&self) -> bool {
        self.item.map_or(&self.request.answer, |item| &item.answer) == ACCEPTED
    }

    /// `Start i-a`.
    pub(crate) fn words(&self) -> String {
        format!("{} {}", self.action().trim_end_matches("Instance"), self.instance())
    }

    /// A parameter, as it was sent.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.request.parameters.get(name).map(String::as_str)
    }
}

#[derive(Deserialize)]
struct Account {
    instances: Vec<Instance>,
}

#[derive(Deserialize)]
struct Instance {
    id: String,
    status: Option<String>,
}

impl CloudLog {
    /// Reads the log. It is empty where nothing has happened yet.
    pub(super) fn read(memory: &Path, account: &Path) -> Self {
        if !memory.exists() {
            return Self::default();
        }
        let account: Account = serde_yaml::from_str(&std::fs::read_to_string(account).unwrap()).unwrap();
        let first = account
            .instances
            .into_iter()
            .map(|instance| (instance.id, instance.status.unwrap_or_else(|| "Stopped".to_owned())))
            .collect();
        Self { first: Arc::new(first), lines: read_log(memory).unwrap() }
    }

    pub(crate) fn lines(&self) -> &[LogLine] {
        &self.lines
    }

    /// The part from the line of this number on.
    pub(crate) fn since(&self, line: usize) -> Self {
        let lines = self.lines.get(line..).unwrap_or_default().to_vec();
        Self { first: Arc::clone(&self.first), lines }
    }

    /// The requests, in order.
    pub(crate) fn requests(&self) -> impl Iterator<Item = (Timestamp, &RequestLine)> {
        self.lines.iter().filter_map(|line| match &line.event {
            LogEvent::Request(request) => Some((line.at, request)),
            _ => None,
        })
    }

    /// The calls of StartInstance and StopInstance, in order, whatever became of them.
    pub(crate) fn calls(&self) -> Vec<PowerCall<'_>> {
        self.power_calls().into_iter().filter(|call| !call.is_rehearsal()).collect()
    }

    /// The rehearsals of such calls, in order.
    pub(crate) fn rehearsals(&self) -> Vec<PowerCall<'_>> {
        self.power_calls().into_iter().filter(PowerCall::is_rehearsal).collect()
    }

    fn power_calls(&self) -> Vec<PowerCall<'_>> {
        let mut calls = Vec::new();
        for (at, request) in self.requests() {
            match request.action.as_str() {
                "StartInstance" | "StopInstance" => calls.push(PowerCall { at, request, item: None }),
                "StartInstances" | "StopInstances" => {
                    calls.extend(request.items.iter().map(|item| PowerCall {
                        at,
                        request,
                        item: Some(item),
                    }));
                }
                _ => {}
            }
        }
        calls
    }

    /// The requests of one action, in order.
    pub(crate) fn requests_of(&self, action: &str) -> Vec<(Timestamp, &RequestLine)> {
        self.requests().filter(|(_, request)| request.action == action).collect()
    }

    /// How many calls of this action about this instance were accepted.
    pub(crate) fn accepted(&self, action: &str, id: &str) -> usize {
        self.calls().iter().filter(|call| call.is(action, id) && call.was_accepted()).count()
    }

    /// How many ids each look asked for, in order.
    pub(crate) fn looks(&self) -> Vec<Option<usize>> {
        self.requests().filter(|(_, it)| it.action == "DescribeInstances").map(|(_, it)| it.ids).collect()
    }

    /// Whether the account has a machine.
    pub(crate) fn knows(&self, id: &str) -> bool {
        self.first.contains_key(id)
    }

    /// What a machine truly was at a moment, as the lines up to then say. What the account file gives in transition
    /// stays so here: scenarios end such a transition by a click, which is in the log.
    pub(crate) fn status(&self, id: &str, at: Timestamp) -> &str {
        let mut status = self.first.get(id).map_or("Released", String::as_str);
        for line in self.lines.iter().take_while(|line| line.at <= at) {
            let phases = match &line.event {
                LogEvent::Request(request) if request.instance.as_deref() == Some(id) => &request.phases,
                LogEvent::Request(request) => match request.items.iter().find(|item| item.instance == id) {
                    Some(item) => &item.phases,
                    None => continue,
                },
                LogEvent::Set { instance, phases } if instance == id => phases,
                _ => continue,
            };
            if let Some(phase) = phases.iter().rfind(|phase| phase.from <= at) {
                status = phase.status.as_str();
            }
        }
        status
    }
}
