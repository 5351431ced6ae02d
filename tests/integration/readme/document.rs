//! As much Markdown as README.md needs: fenced blocks with the marks above them, and code spans.

/// What is done with a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark<'t> {
    /// It becomes this file.
    File(&'t str),
    /// Its commands are run, and their output is compared.
    Checked,
}

/// A fenced block.
#[derive(Debug)]
pub(super) struct Block<'t> {
    pub(super) mark: Option<Mark<'t>>,
    pub(super) language: &'t str,
    /// The line of its first line, from 1.
    pub(super) line: usize,
    pub(super) lines: Vec<&'t str>,
}

impl<'t> Block<'t> {
    /// Its commands, each with the lines shown below it.
    pub(super) fn commands(&self) -> Vec<(&'t str, Vec<&'t str>)> {
        let mut commands: Vec<(&str, Vec<&str>)> = Vec::new();
        for line in &self.lines {
            match (line.strip_prefix("$ "), commands.last_mut()) {
                (Some(command), _) => commands.push((command, Vec::new())),
                (None, Some((_, shown))) => shown.push(line),
                (None, None) => panic!("line {}: output before the first command", self.line),
            }
        }
        commands
    }
}

/// All fenced blocks.
pub(super) fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    let mut is_open = false;
    let mut above = "";
    for (number, line) in text.lines().enumerate() {
        match (is_open, line.strip_prefix("```")) {
            (false, Some(language)) => {
                let comment = above.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->"));
                let mark = comment.map(|comment| match comment.strip_prefix("file: ") {
                    Some(name) => Mark::File(name),
                    None if comment == "checked" => Mark::Checked,
                    None => panic!("line {number}: a mark without meaning: {comment}"),
                });
                blocks.push(Block { mark, language, line: number + 2, lines: Vec::new() });
                is_open = true;
            }
            (true, Some(_)) => is_open = false,
            (true, None) => blocks.last_mut().expect("a block is open").lines.push(line),
            (false, None) => {}
        }
        above = line;
    }
    assert!(!is_open, "the last block has no end");
    blocks
}

/// The text with other lines in one of its blocks.
pub(super) fn with_block(text: &str, block: &Block<'_>, lines: &[String]) -> String {
    let before = text.lines().take(block.line - 1);
    let after = text.lines().skip(block.line - 1 + block.lines.len());
    let mut new: String =
        before.chain(lines.iter().map(String::as_str)).chain(after).fold(String::new(), |mut text, line| {
            text.push_str(line);
            text.push('\n');
            text
        });
    new.truncate(new.trim_end().len());
    new.push('\n');
    new
}

/// The code spans outside of fenced blocks, with line breaks as blanks.
pub(super) fn spans(text: &str) -> Vec<String> {
    let mut is_open = false;
    let mut prose = String::new();
    for line in text.lines() {
        if line.starts_with("```") {
            is_open = !is_open;
        } else if !is_open {
            prose.push_str(line);
            prose.push(' ');
        }
    }
    prose.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}
