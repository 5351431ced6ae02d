//! What commands in a machine come to.

use std::time::Duration;

use super::super::{Assistant, CommandAnswer, document, notation};
use super::Problems;

/// How long a command takes where the file does not say: long enough to be seen running.
const USUAL_DELAY: Duration = Duration::from_millis(200);

pub(super) fn assistant(written: document::Assistant, problems: &mut Problems) -> Assistant {
    let delay = problems.read(written.delay.as_ref(), USUAL_DELAY, notation::duration);
    let answers = written.answers.into_iter().map(|written| answer(written, delay, problems)).collect();
    Assistant { online: written.online.unwrap_or(true), delay, answers }
}

fn answer(written: document::CommandAnswer, usual_delay: Duration, problems: &mut Problems) -> CommandAnswer {
    let document::CommandAnswer { when, exit, output, delay, after, times, hang } = written;
    let exit = exit.map_or(0, |exit| {
        u8::try_from(exit.value).unwrap_or_else(|_| {
            problems.add(exit.referenced, format!("{} is not an exit status: write 0 to 255", exit.value));
            0
        })
    });
    if let Some(times) = times.as_ref().filter(|times| times.value == 0) {
        problems
            .add(times.referenced, "an answer that is given no times is none: remove it, or write times: 1");
    }
    CommandAnswer {
        when,
        exit,
        output,
        delay: problems.read(delay.as_ref(), usual_delay, notation::duration),
        after: problems.read(after.as_ref(), Duration::ZERO, notation::duration),
        times: times.map(|times| times.value),
        hangs: hang,
    }
}
