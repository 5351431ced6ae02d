//! The form of a transcript: a script of commands, with what each printed below it.
//!
//! ```text
//! # A comment.
//! $ cat > powerform.yaml <<END
//! stack: shop
//! END
//! $ rm powerform.yaml
//! $ powerform -f "a file.yaml" validate
//! $ NO_COLOR=1 powerform plan
//! $ (typing no) powerform apply
//! $ (interrupted after StartInstance) powerform apply --auto-approve
//! $ (going on after StartInstance) powerform apply --auto-approve
//! $ kill
//! ```
//!
//! The words in parentheses: stdin is a terminal on which this line is typed; the process gets SIGINT when this call has
//! reached the simulated cloud; it goes on while the next commands run, until `kill` ends it.
//!
//! Below a command, lines with `| ` are its stdout, those with `! ` its stderr (which on a terminal would stand among
//! them), and `= 1` is its exit status, if that is not 0. Escape sequences begin with `\e`.

/// A piece of a script.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'t> {
    /// A comment, or nothing.
    Aside(&'t str),
    /// A file is written.
    Write { name: &'t str, lines: Vec<&'t str> },
    /// A file is removed.
    Remove { line: &'t str, name: &'t str },
    /// The process that goes on is killed.
    Kill { line: &'t str },
    /// powerform is run.
    Run { line: &'t str, run: Run },
}

/// A run of powerform.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) typing: Option<String>,
    pub(super) interrupted_after: Option<String>,
    pub(super) going_on_after: Option<String>,
    pub(super) variables: Vec<(String, String)>,
    pub(super) arguments: Vec<String>,
}

/// Reads a transcript. What the commands printed is left out: it is made anew.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let complain = |what: &str| Err(format!("line {}: {what}: {line}", number + 1));
        let Some(command) = line.strip_prefix("$ ") else {
            match line.chars().next() {
                None | Some('#') => pieces.push(Piece::Aside(line)),
                Some('|' | '!' | '=') => {}
                Some(_) => return complain("neither a command nor what one printed"),
            }
            continue;
        };
        if let Some(rest) = command.strip_prefix("cat > ") {
            let Some(name) = rest.strip_suffix(" <<END") else { return complain("no <<END") };
            let content: Vec<&str> =
                lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "END").collect();
            pieces.push(Piece::Write { name, lines: content });
        } else if let Some(name) = command.strip_prefix("rm ") {
            pieces.push(Piece::Remove { line, name });
        } else if command == "kill" {
            pieces.push(Piece::Kill { line });
        } else {
            match run(command) {
                Some(run) => pieces.push(Piece::Run { line, run }),
                None => return complain("not a command that is known here"),
            }
        }
    }
    Ok(pieces)
}

fn run(command: &str) -> Option<Run> {
    let mut run = Run::default();
    let mut command = command;
    if let Some((manner, rest)) = command.strip_prefix('(').and_then(|rest| rest.split_once(") ")) {
        if let Some(typed) = manner.strip_prefix("typing ") {
            run.typing = Some(typed.to_owned());
        } else if let Some(text) = manner.strip_prefix("interrupted after ") {
            run.interrupted_after = Some(text.to_owned());
        } else {
            run.going_on_after = Some(manner.strip_prefix("going on after ")?.to_owned());
        }
        command = rest;
    }
    let mut words = words(command).into_iter();
    loop {
        let word = words.next()?;
        if word == "powerform" {
            run.arguments = words.collect();
            return Some(run);
        }
        let (name, value) = word.split_once('=')?;
        run.variables.push((name.to_owned(), value.to_owned()));
    }
}

/// Words, of which those in quotes may hold blanks.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut in_quotes = false;
    for c in command.chars() {
        match c {
            '"' => {
                in_quotes = !in_quotes;
                word.get_or_insert_default();
            }
            ' ' if !in_quotes => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
}

impl Piece<'_> {
    /// The lines of the script for this piece.
    pub(super) fn script(&self) -> Vec<String> {
        match self {
            Self::Aside(line) | Self::Remove { line, .. } | Self::Kill { line } | Self::Run { line, .. } => {
                vec![(*line).to_owned()]
            }
            Self::Write { name, lines } => std::iter::once(format!("$ cat > {name} <<END"))
                .chain(lines.iter().map(|line| (*line).to_owned()))
                .chain(["END".to_owned()])
                .collect(),
        }
    }
}

#[test]
fn a_script_is_read_and_written_without_what_was_printed() {
    let script = "# A comment.\n\n$ cat > a.yaml <<END\n# not a comment\n$ text\nEND\n$ powerform plan\n";
    let printed = format!("{script}| out\n! err\n= 1\n$ rm a.yaml\n$ kill\n");
    let pieces = pieces(&printed).expect("a script");
    let again: String =
        pieces.iter().flat_map(Piece::script).fold(String::new(), |text, line| text + &line + "\n");
    assert_eq!(again, format!("{script}$ rm a.yaml\n$ kill\n"));
}

#[test]
fn manners_variables_and_quoted_words_are_understood_and_nothing_else() {
    let read = run(r#"(interrupted after StartInstance) A=1 powerform -f "a b" --x="#).expect("a run");
    assert_eq!(read.interrupted_after.as_deref(), Some("StartInstance"));
    assert_eq!(read.variables, [("A".to_owned(), "1".to_owned())]);
    assert_eq!(read.arguments, ["-f", "a b", "--x="]);
    assert_eq!(run("(typing no) powerform apply").and_then(|run| run.typing).as_deref(), Some("no"));
    for wrong in ["echo x", "(shouting) powerform plan", "A=1"] {
        assert_eq!(run(wrong), None, "{wrong}");
    }
    assert!(pieces("text\n").is_err());
}
