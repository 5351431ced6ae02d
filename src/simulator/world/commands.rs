//! What Cloud Assistant runs in machines. As with phases, what a command comes to is known when it is accepted; only
//! the end of its machine can change that.

use std::collections::HashMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{World, later};
use crate::simulator::account::CommandAnswer;
use crate::simulator::log::{Invocation, InvocationStatus, Invoked, Phase, Stage};
use crate::simulator::refusal::Refusal;
use crate::simulator::status::Status;

/// How long an agent that is offline is waited for.
const LONGEST_DELIVERY: Duration = Duration::from_secs(60);

/// How long results are kept.
const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A command as it is asked for.
#[derive(Debug, Clone, Copy)]
pub(in crate::simulator) struct Command<'c> {
    pub(in crate::simulator) content: &'c str,
    pub(in crate::simulator) timeout: Duration,
}

/// Every command that was run.
#[derive(Debug, Default)]
pub(super) struct Commands {
    /// The earliest first.
    all: Vec<Invocation>,
    by_id: HashMap<String, usize>,
    by_token: HashMap<String, usize>,
    /// Of each instance the positions of its commands, and its own in each.
    of_instance: HashMap<String, Vec<(usize, usize)>>,
}

impl FromIterator<Invocation> for Commands {
    fn from_iter<I: IntoIterator<Item = Invocation>>(invocations: I) -> Self {
        let mut commands = Self::default();
        invocations.into_iter().for_each(|invocation| commands.add(invocation));
        commands
    }
}

impl Commands {
    pub(super) fn add(&mut self, invocation: Invocation) {
        for (place, invoked) in invocation.instances.iter().enumerate() {
            self.of_instance.entry(invoked.instance.clone()).or_default().push((self.all.len(), place));
        }
        self.by_id.insert(invocation.id.clone(), self.all.len());
        if let Some(token) = &invocation.token {
            self.by_token.insert(token.clone(), self.all.len());
        }
        self.all.push(invocation);
    }

    /// What runs in a machine ends when it does.
    pub(super) fn interrupt(&mut self, instance: &str, phases: &[Phase]) {
        let Some(ends) = phases.iter().find(|phase| phase.status != Status::Running).map(|phase| phase.from)
        else {
            return;
        };
        for (position, place) in self.of_instance.get(instance).into_iter().flatten() {
            let invocation = self.all.get_mut(*position);
            let Some(invoked) = invocation.and_then(|invocation| invocation.instances.get_mut(*place)) else {
                continue;
            };
            if invoked.stages.last().is_none_or(|last| last.from <= ends) {
                continue;
            }
            invoked.stages.retain(|stage| stage.from <= ends);
            invoked.stages.push(Stage { from: ends, status: InvocationStatus::Error });
            invoked.exit = None;
            invoked.output.clear();
            invoked.error = Some("InstanceNotRunning".to_owned());
        }
    }

    /// Those whose results are still kept at a moment.
    pub(super) fn since(&self, now: Timestamp) -> Vec<Invocation> {
        self.all.iter().filter(|invocation| is_kept(invocation, now)).cloned().collect()
    }

    fn of<'c>(&'c self, instance: &str) -> impl Iterator<Item = &'c Invoked> + use<'c> {
        let places = self.of_instance.get(instance).into_iter().flatten();
        places.filter_map(|(position, place)| self.all.get(*position)?.instances.get(*place))
    }
}

fn is_kept(invocation: &Invocation, now: Timestamp) -> bool {
    let first = invocation.instances.first().and_then(|invoked| invoked.stages.first());
    first.is_some_and(|first| now.duration_since(first.from) <= KEPT)
}

impl World {
    /// Every command whose results are kept, the earliest first, or only the one of that id.
    pub(in crate::simulator) fn invocations(
        &self,
        id: Option<&str>,
        now: Timestamp,
    ) -> impl Iterator<Item = &Invocation> {
        let Commands { all, by_id, .. } = &self.commands;
        let places = match id {
            Some(id) => by_id.get(id).map_or(0..0, |place| *place..*place + 1),
            None => 0..all.len(),
        };
        all.get(places).unwrap_or_default().iter().filter(move |invocation| is_kept(invocation, now))
    }

    /// What a command comes to in an instance; nothing changes until that is in the log.
    ///
    /// # Errors
    /// `InvalidInstance.NotFound`, and `InvalidInstance.NotMatch` where it does not run.
    pub(in crate::simulator) fn command(
        &self,
        id: &str,
        command: Command<'_>,
        now: Timestamp,
    ) -> Result<Invoked, Refusal> {
        let position = self.account.position(id);
        let found = position.and_then(|position| {
            Some((self.account.instances.get(position)?, self.machines.get(position)?.phase(now)))
        });
        let (given, phase) = found
            .filter(|(_, phase)| phase.status != Status::Released)
            .ok_or_else(|| Refusal::of("InvalidInstance.NotFound"))?;
        if phase.status != Status::Running {
            return Err(Refusal::of("InvalidInstance.NotMatch"));
        }
        let invoked = |answer, stages, exit, output: &str, error: Option<&str>| Invoked {
            instance: id.to_owned(),
            answer,
            stages,
            exit,
            output: output.to_owned(),
            error: error.map(str::to_owned),
        };
        let pending = Stage { from: now, status: InvocationStatus::Pending };
        if !given.assistant.online {
            let aborted = Stage { from: later(now, LONGEST_DELIVERY), status: InvocationStatus::Aborted };
            return Ok(invoked(None, vec![pending, aborted], None, "", Some("DeliveryTimeout")));
        }
        let is_for = |(position, answer): &(usize, &CommandAnswer)| {
            let used = || self.commands.of(id).filter(|it| it.answer == Some(*position)).count();
            command.content.contains(&answer.when)
                && answer.times.is_none_or(|times| u64::try_from(used()).is_ok_and(|used| used < times))
        };
        let answer = given.assistant.answers.iter().enumerate().find(is_for);
        let is_early = answer.is_some_and(|(_, answer)| now < later(phase.from, answer.after));
        // Too early it is not this answer that is given.
        let number = answer.map(|(position, _)| position).filter(|_| !is_early);
        let (exit, output) = match answer {
            Some(_) if is_early => (1, ""),
            Some((_, answer)) => (answer.exit, answer.output.as_str()),
            None => (0, ""),
        };
        let takes = answer.map_or(given.assistant.delay, |(_, answer)| answer.delay);
        let hangs = answer.is_some_and(|(_, answer)| answer.hangs) && !is_early;
        // Delivery is a small part of the whole.
        let delivered = later(now, takes / 10);
        let running = Stage { from: delivered, status: InvocationStatus::Running };
        let timeout = later(delivered, command.timeout);
        let end = later(now, takes);
        if hangs || end > timeout {
            let stages = vec![pending, running, Stage { from: timeout, status: InvocationStatus::Timeout }];
            return Ok(invoked(number, stages, None, "", Some("ExecutionTimeout")));
        }
        let (status, error) = match exit {
            0 => (InvocationStatus::Success, None),
            _ => (InvocationStatus::Failed, Some("ExitCodeNonzero")),
        };
        let stages = vec![pending, running, Stage { from: end, status }];
        Ok(invoked(number, stages, Some(exit), output, error))
    }

    /// The command of that id, kept or not.
    pub(in crate::simulator) fn invocation(&self, id: &str) -> Option<&Invocation> {
        self.commands.all.get(*self.commands.by_id.get(id)?)
    }

    /// The command that was run with a client token.
    pub(in crate::simulator) fn invocation_of(&self, token: &str, now: Timestamp) -> Option<&Invocation> {
        let place = self.commands.by_token.get(token)?;
        self.commands.all.get(*place).filter(|invocation| is_kept(invocation, now))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{at, request, world};
    use super::super::{Change, LogEvent, LogLine};
    use super::*;

    /// Runs a command, and tells its statuses with their moments, its exit and its output.
    fn run(world: &mut World, id: &str, content: &str, milliseconds: u64) -> Result<String, String> {
        let command = Command { content, timeout: Duration::from_secs(60) };
        let invoked = world.command(id, command, at(milliseconds)).map_err(|refusal| refusal.code)?;
        let invocation = Invocation {
            id: format!("t-{milliseconds}"),
            command: "c".to_owned(),
            region: "cn-hangzhou".to_owned(),
            content: content.to_owned(),
            token: None,
            instances: vec![invoked.clone()],
        };
        let line = crate::simulator::log::RequestLine {
            invocation: Some(Box::new(invocation)),
            ..request("RunCommand", None, Vec::new())
        };
        world.apply(&LogLine { at: at(milliseconds), event: LogEvent::Request(line) });
        Ok(said(&invoked, milliseconds))
    }

    fn said(invoked: &Invoked, milliseconds: u64) -> String {
        let stages: Vec<String> = invoked
            .stages
            .iter()
            .map(|stage| {
                let after = stage.from.duration_since(at(milliseconds)).as_millis();
                format!("{} {after}", stage.status.as_str())
            })
            .collect();
        let exit = invoked.exit.map_or("-".to_owned(), |exit| exit.to_string());
        format!("{}; {exit} {}", stages.join(", "), invoked.output)
    }

    #[test]
    fn the_first_answer_that_a_command_contains_is_given_so_many_times() {
        let mut world = world(
            "instances:
  - id: i-a
    status: Running
    assistant:
      delay: 1s
      answers:
        - { when: ready, exit: 3, output: wait, times: 2 }
        - { when: ready, output: ok, after: 5s, delay: 2s }
        - { when: sleep, hang: true }
  - { id: i-b }
  - { id: i-c, status: Running, assistant: { online: false } }
  - { id: i-d, status: Running, assistant: { delay: 2m } }",
        );
        for (id, content, milliseconds, expected) in [
            ("i-a", "uptime", 0, "Pending 0, Running 100, Success 1000; 0 "),
            ("i-a", "is it ready", 0, "Pending 0, Running 100, Failed 1000; 3 wait"),
            ("i-a", "ready", 1_000, "Pending 0, Running 100, Failed 1000; 3 wait"),
            ("i-a", "ready", 2_000, "Pending 0, Running 200, Failed 2000; 1 "),
            ("i-a", "ready", 5_000, "Pending 0, Running 200, Success 2000; 0 ok"),
            ("i-a", "sleep 9", 5_000, "Pending 0, Running 100, Timeout 60100; - "),
            ("i-c", "ready", 0, "Pending 0, Aborted 60000; - "),
            ("i-d", "ready", 0, "Pending 0, Running 12000, Timeout 72000; - "),
        ] {
            assert_eq!(run(&mut world, id, content, milliseconds).as_deref(), Ok(expected), "{id} {content}");
        }
        assert_eq!(run(&mut world, "i-b", "x", 0), Err("InvalidInstance.NotMatch".to_owned()));
        assert_eq!(run(&mut world, "i-z", "x", 0), Err("InvalidInstance.NotFound".to_owned()));
    }

    #[test]
    fn what_runs_in_a_machine_ends_when_it_does() {
        let mut world = world("instances: [{ id: i-a, status: Running, assistant: { delay: 10s } }]");
        run(&mut world, "i-a", "x", 0).unwrap();
        run(&mut world, "i-a", "y", 14_000).unwrap();
        let event = world.change("i-a", &Change::Set(Status::Stopped), at(15_000)).unwrap();
        world.apply(&LogLine { at: at(15_000), event });
        let all: Vec<String> =
            world.invocations(None, at(15_000)).map(|invocation| said(&invocation.instances[0], 0)).collect();
        assert_eq!(
            all,
            ["Pending 0, Running 1000, Success 10000; 0 ", "Pending 14000, Running 15000, Error 15000; - "]
        );
    }

    #[test]
    fn commands_are_in_the_snapshot_for_as_long_as_they_are_kept() {
        let text =
            "instances: [{ id: i-a, status: Running, assistant: { answers: [{ exit: 1, times: 1 }] } }]";
        let mut before = world(text);
        run(&mut before, "i-a", "x", 0).unwrap();
        let snapshot = before.snapshot();
        let mut after = world(text);
        after.apply(&LogLine { at: at(1_000), event: LogEvent::Snapshot(snapshot.clone()) });
        assert_eq!(after.snapshot(), snapshot);
        assert_eq!(run(&mut after, "i-a", "x", 2_000).unwrap(), "Pending 0, Running 20, Success 200; 0 ");
        let month = 31 * 24 * 60 * 60 * 1000;
        assert_eq!(
            (after.invocations(None, at(3_000)).count(), after.invocations(None, at(month)).count()),
            (2, 0)
        );
    }
}
