//! `powerform apply`: plan, show, ask, carry it out, and say how it ended.

use std::borrow::Cow;
use std::cell::RefCell;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::time::Duration;

use anyhow::anyhow;
use tokio::time::{Instant, MissedTickBehavior};
use uuid::Uuid;

use super::arguments::Apply;
use super::configuration::{Loaded, load};
use super::connection::{accounts, connect, quotas};
use super::failure::{Exit, Failure};
use super::interruption::Resumptions;
use super::probes::probes;
use super::progress::{Progress, Screen};
use super::{Level, Session, approval, plan, plan_file, report};
use crate::aliyun::client::Client;
use crate::execute::{CallBounds, Limits};
use crate::fleet::{CallLimits, ProviderAlias, Recorded};
use crate::history::History;
use crate::plan::{Block, Change, Plan, Request, SavedPlan, Shape, Then, Verdict, keep_refusals};
use crate::probe::Probes;
use crate::reconcile::{self, Applied, Heard, Preview};
use crate::render::json::v1;
use crate::render::{human, words};
use crate::state::{Backend, Held, LockInfo, Store as _, document};

/// How often the progress is told the time: often enough for a clock that shows seconds.
const TICK: Duration = Duration::from_millis(200);

pub(super) async fn run(session: &Session<'_>, arguments: &Apply) -> Result<Exit, Failure> {
    // A saved plan is its own approval.
    let is_approved = arguments.auto_approve || arguments.plan.is_some();
    let can_ask = session.environment.stdin_is_terminal && !arguments.showing.json;
    if !is_approved && !can_ask {
        return Err(anyhow!(
            "apply asks before it does anything, and {}: look at it with `powerform plan`, then give --auto-approve",
            if arguments.showing.json { "with --json nobody can be asked" } else { "there is no terminal to ask on" }
        )
        .into());
    }
    plan::begin(session, &arguments.showing)?;
    let page = arguments.report.as_ref().map(|path| report::Page::at(session.path(path))).transpose()?;
    let loaded = load(session)?;
    let saved = match &arguments.plan {
        Some(path) => Some(plan_file::read(&session.path(path))?),
        None => None,
    };
    let store = loaded.backend();
    let held = lock(session, &loaded, &store, "apply", arguments.lock_timeout).await?;
    let outcome = under_lock(session, arguments, page.as_ref(), saved.as_ref(), &loaded, &store, &held).await;
    unlock(session, &store, held).await;
    outcome
}

/// Takes the lock, and says a word if it was left by a process that has died.
pub(super) async fn lock(
    session: &Session<'_>,
    loaded: &Loaded,
    store: &Backend,
    command: &str,
    timeout: Duration,
) -> Result<Held, Failure> {
    let environment = session.environment;
    let host = environment.host();
    let info = LockInfo {
        id: Uuid::new_v4(),
        who: format!("{}@{host}", environment.user()),
        host,
        pid: std::process::id(),
        since: environment.now(),
        command: command.to_owned(),
        stack: loaded.configuration.desired.stack.clone(),
    };
    let held = tokio::select! {
        held = store.lock(&info, timeout) => held?,
        () = session.interruption.asked() => return Err(Failure::Interrupted),
    };
    if let Some(left) = &held.took_over {
        session.console.say(
            Level::Note,
            format_args!("took over the lock of a process that has ended without giving it back: {left}"),
        );
    }
    Ok(held)
}

/// Gives the lock back.
pub(super) async fn unlock(session: &Session<'_>, store: &Backend, held: Held) {
    if let Err(error) = store.unlock(held).await {
        session.console.say(Level::Warning, error);
    }
}

async fn under_lock(
    session: &Session<'_>,
    arguments: &Apply,
    page: Option<&report::Page>,
    saved: Option<&SavedPlan>,
    loaded: &Loaded,
    store: &Backend,
    held: &Held,
) -> Result<Exit, Failure> {
    let recorded = store.load().await?;
    if let Some(saved) = saved {
        plan_file::check_origin(saved, loaded, recorded.as_ref())?;
    }
    let shape = saved.map_or_else(|| plan::shape(&arguments.shaping), |saved| saved.shape.clone());
    let connections = connect(session, loaded).await?;
    let clouds = &connections.clouds;
    if let Some(saved) = saved {
        plan_file::check_accounts(saved, &accounts(clouds))?;
    }
    let mut preview =
        plan::look(session, loaded, &shape, recorded.as_ref(), &connections, arguments.allow_self_stop)
            .await?;
    if let Some(saved) = saved {
        keep_refusals(&mut preview.plan, &saved.plan);
        if arguments.allow_self_stop && saved.plan.changes.iter().any(spares_own_machine) {
            session.console.say(
                Level::Warning,
                "this plan was saved on a machine that it spares, and --allow-self-stop adds no call to a saved plan: \
                 apply without one to stop that machine too",
            );
        }
    }
    plan::show(session, &arguments.showing, &shape, &preview);
    if let Some(saved) = saved {
        plan_file::check_still_holds(saved, &preview)?;
    }
    check_allowed(arguments, &preview.plan, loaded.configuration.limits)?;
    plan::warn_over_limits(session, &preview.plan, loaded.configuration.limits);
    let tally = preview.plan.tally();
    let changes_something = match shape.refresh_only {
        true => !preview.plan.changes.is_empty(),
        false => tally.steps() + tally.release > 0,
    };
    let is_approved = arguments.auto_approve || saved.is_some();
    if !is_approved && changes_something {
        approval::ask(session, "").await?;
    } else if tally.steps() > 0 {
        // Where there was a question, it has set the progress apart from the plan.
        session.console.to_stderr("\n");
    }
    // Showing the plan may have taken as long as a person, or a full pipe, takes to read it.
    if session.interruption.was_asked() {
        return Err(Failure::Interrupted);
    }
    let recorded =
        recorded.unwrap_or_else(|| Recorded::new(loaded.configuration.desired.stack.clone(), Uuid::new_v4()));
    let calls_of = |alias: &ProviderAlias| {
        let provider = loaded.provider(alias);
        let max_in_flight = provider.max_in_flight.try_into().unwrap_or(NonZeroUsize::MAX);
        CallBounds { max_in_flight, batch_above: provider.batch_above as usize }
    };
    let calls = loaded.providers().into_iter().map(|alias| (calls_of(&alias), alias));
    let limits = Limits {
        parallelism: arguments.parallelism,
        calls: calls.map(|(calls, alias)| (alias, calls)).collect(),
        quotas: quotas(clouds),
    };
    let mut history = History {
        began_at: session.environment.now(),
        took: Duration::ZERO,
        who: held.info.who.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        shape: shape.clone(),
        parallelism: arguments.parallelism,
        lineage: recorded.lineage,
        serial: recorded.serial,
        is_saved: true,
        plan: Cow::Borrowed(&preview.plan),
        events: Vec::new(),
        left_out: 0,
    };
    let prober = probes(session, loaded, clouds)?;
    let environment = session.environment;
    let clock = move || environment.now();
    let apply = reconcile::Apply {
        preview: &preview,
        recorded,
        clouds,
        prober: &prober,
        store,
        held,
        limits,
        clock: &clock,
    };
    let applied = carry_out(session, apply, &mut history).await;
    session.interruption.commands().end();
    let mut exit = last_words(session, arguments, &shape, &preview, &applied);
    report::keep(session, store, held, &history).await;
    if let Some(page) = page
        && let Err(error) = page.write(session, &history)
    {
        session.console.error(format_args!("{error:#}"));
        // Asked for and not there, as with any other output.
        exit = if exit == Exit::Success { Exit::Failure } else { exit };
    }
    Ok(exit)
}

fn spares_own_machine(change: &Change) -> bool {
    matches!(
        change.verdict,
        Verdict::Blocked(Block::OwnMachine)
            | Verdict::Wait { then: Some(Then::Blocked(Block::OwnMachine)), .. }
    )
}

/// Refuses a plan that holds what nobody has allowed by a flag, however it was approved.
fn check_allowed(arguments: &Apply, plan: &Plan, limits: CallLimits) -> anyhow::Result<()> {
    let mut missing = Vec::new();
    let restore = Some(Request::Start { init_local_disk: true });
    let destroyed = plan.changes.iter().filter(|change| change.verdict.request() == restore);
    let destroyed: Vec<String> = destroyed.map(|change| words::address(&change.address)).collect();
    if !destroyed.is_empty() && !arguments.allow_data_loss {
        let names = words::list(&destroyed, words::LISTED);
        missing.push(format!(
            "it destroys the data on the local disks of {names} (init_local_disk): allow that with --allow-data-loss"
        ));
    }
    let over = plan.over(limits);
    if !over.is_empty() && !arguments.allow_over_limit {
        let over: Vec<String> = over.iter().map(words::excess).collect();
        missing.push(format!("it {}: allow that with --allow-over-limit", over.join(", and ")));
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(anyhow!("this plan is not applied, and nothing was called: {}", missing.join("; ")))
}

async fn carry_out(
    session: &Session<'_>,
    apply: reconcile::Apply<'_, Client, Backend, Probes<Client>>,
    history: &mut History<'_>,
) -> Applied {
    let preview = apply.preview;
    let console = session.console;
    let environment = session.environment;
    // A log on the same terminal would tear the display apart.
    let size = environment.drawable_stderr().filter(|_| !tracing::enabled!(tracing::Level::ERROR));
    let progress = RefCell::new(Progress::new(
        Screen::stderr(size),
        &preview.plan,
        apply.limits.parallelism,
        console.err_style(),
    ));
    let lines = RefCell::new(v1::Apply::new());
    let kept = RefCell::new(history);
    let listen = |heard: Heard<'_>| match heard {
        Heard::Event(event) => {
            if console.takes_json_lines()
                && let Some(line) = lines.borrow_mut().event_line(environment.now(), &preview.plan, event)
            {
                console.json_line(&line);
            }
            progress.borrow_mut().hear(event);
            kept.borrow_mut().hear(event);
        }
        Heard::Unsaved(error) => progress.borrow_mut().aside(|| {
            console.say(
                Level::Error,
                format_args!("the state could not be saved: {error}. The apply goes on and will try again"),
            );
        }),
        Heard::SavedAgain => progress.borrow_mut().aside(|| {
            console.say(Level::Note, "the state could be saved again: nothing of it is missing");
        }),
    };
    let began = Instant::now();
    let interrupted = async {
        session.interruption.asked().await;
        progress.borrow_mut().aside(|| {
            console.say(
                Level::Note,
                "interrupted: nothing more is called, and answers under way are awaited; a second interruption ends \
                 this at once",
            );
        });
    };
    let mut applying = pin!(reconcile::apply(apply, interrupted, listen));
    let mut resumptions = Resumptions::listen();
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let applied = loop {
        tokio::select! {
            applied = &mut applying => break applied,
            () = resumptions.next() => progress.borrow_mut().resumed(),
            _ = ticks.tick() => {
                let at = began.elapsed();
                progress.borrow_mut().tick(at);
                if console.takes_json_lines() {
                    for line in lines.borrow_mut().progress_lines(environment.now(), &preview.plan, at) {
                        console.json_line(&line);
                    }
                }
            }
        }
    };
    progress.borrow_mut().finish();
    let mut history = kept.borrow_mut();
    history.took = began.elapsed();
    history.serial = applied.recorded.serial;
    history.is_saved = applied.unsaved.is_none();
    applied
}

fn last_words(
    session: &Session<'_>,
    arguments: &Apply,
    shape: &Shape,
    preview: &Preview,
    applied: &Applied,
) -> Exit {
    let console = session.console;
    let Applied { report, recorded, unsaved } = applied;
    if let Some(error) = unsaved {
        console.say(
            Level::Error,
            format_args!(
                "the state could not be saved: {error}. What it would say follows; nothing is lost but \
                 explanations, and the next apply looks at the instances anew"
            ),
        );
        console.to_stderr(&format!("{}\n", String::from_utf8_lossy(&document::write(recorded))));
    }
    let is_saved = unsaved.is_none();
    if shape.refresh_only {
        console.result(match is_saved {
            true => "\nRecorded what is. No instance was touched.\n",
            false => "\nWhat is could not be recorded. No instance was touched.\n",
        });
    } else {
        let style = console.out_style();
        console.result("\n");
        console.result(&human::apply_summary(&preview.plan, report, is_saved, style, arguments.showing.all));
    }
    if console.takes_json_lines() {
        console.json_line(&v1::apply_summary(session.environment.now(), &preview.plan, report, is_saved));
    }
    if report.interrupted {
        Exit::Interrupted
    } else if is_saved && report.meets_every_goal(&preview.plan) {
        Exit::Success
    } else {
        Exit::Failure
    }
}
