//! Asks a person.

use std::io::BufRead as _;

use anyhow::anyhow;

use super::Session;
use super::failure::Failure;

/// Asks for approval of calls on the terminal, after saying what it is for. Only "yes" is one.
pub(super) async fn ask(session: &Session<'_>, what: &str) -> Result<(), Failure> {
    if is_given(session, what, "Do you want powerform to carry this out?").await? {
        Ok(())
    } else {
        Err(anyhow!("not approved: nothing was called").into())
    }
}

/// Asks a question on the terminal, after saying what it is about, and gives whether the answer was "yes".
pub(super) async fn is_given(session: &Session<'_>, what: &str, question: &str) -> Result<bool, Failure> {
    let lead = if what.is_empty() { String::new() } else { format!("{what}\n") };
    session.console.to_stderr(&format!("\n{lead}{question} Only \"yes\" is accepted: "));
    let answer = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map(|_| line)
    });
    let answer = tokio::select! {
        answer = answer => answer??,
        () = session.interruption.asked() => {
            session.console.to_stderr("\n");
            return Err(Failure::Interrupted);
        }
    };
    session.console.to_stderr("\n");
    Ok(answer.trim() == "yes")
}
