//! Just enough reading of Rust to find what a file imports. It knows comments, strings and use trees, and no more.

use std::collections::BTreeSet;

/// The text without comments, and without what stands in strings and character literals.
pub(super) fn code(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let after_word = code.ends_with(is_word);
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if c == '"' {
            string(rest)
        } else if !after_word && let Some(length) = raw_string(rest) {
            length
        } else if c == '\''
            && let Some(length) = character(rest)
        {
            length
        } else {
            0
        };
        if length == 0 {
            code.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            code.push(' ');
            rest = &rest[length..];
        }
    }
    code
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut place = 0;
    while place < text.len() {
        if text[place..].starts_with("/*") {
            depth += 1;
            place += 2;
        } else if text[place..].starts_with("*/") {
            depth -= 1;
            place += 2;
            if depth == 0 {
                return place;
            }
        } else {
            place += text[place..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

fn string(text: &str) -> usize {
    let mut escaped = false;
    for (place, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return place + 1,
            _ => {}
        }
    }
    text.len()
}

fn raw_string(text: &str) -> Option<usize> {
    let rest = text.strip_prefix('b').or_else(|| text.strip_prefix('c')).unwrap_or(text).strip_prefix('r')?;
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    rest[hashes..].strip_prefix('"')?;
    let begin = text.len() - rest.len() + hashes + 1;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(text[begin..].find(&end).map_or(text.len(), |place| begin + place + end.len()))
}

/// The length of a character literal; none where the apostrophe begins a lifetime.
fn character(text: &str) -> Option<usize> {
    let mut chars = text.char_indices().skip(1);
    let (_, first) = chars.next()?;
    if first == '\\' {
        chars.next()?;
        return Some(chars.find(|(_, c)| *c == '\'')?.0 + 1);
    }
    let (place, second) = chars.next()?;
    (second == '\'').then_some(place + 1)
}

/// Code without the modules that are compiled for tests only.
pub(super) fn without_test_modules(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut kept = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(place) = rest.find(MARK) {
        kept.push_str(&rest[..place]);
        rest = &rest[place + MARK.len()..];
        let is_module =
            rest.trim_start().starts_with("mod ") || rest.trim_start().starts_with("pub(crate) mod ");
        // A module in a file of its own ends in front of any brace.
        let head = rest.find(['{', ';']).unwrap_or(rest.len());
        if is_module && rest[head..].starts_with('{') {
            rest = &rest[head + braced(&rest[head..])..];
        }
    }
    kept.push_str(rest);
    kept
}

/// The length of what begins with a brace, to the brace that closes it.
fn braced(code: &str) -> usize {
    let mut depth = 0;
    for (place, c) in code.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return place + 1;
        }
    }
    code.len()
}

/// Every path of the own crate that code names, without the `crate::` in front.
pub(super) fn imports(code: &str) -> BTreeSet<String> {
    let tokens = tokens(code);
    let mut found = BTreeSet::new();
    for (place, token) in tokens.iter().enumerate() {
        if *token != "crate" {
            continue;
        }
        let visibility = tokens.get(place + 1) == Some(&")");
        if tokens.get(place + 1) == Some(&"::") {
            tree(&tokens, place + 2, "", &mut found);
        } else if !visibility {
            found.insert("(the whole crate)".to_owned());
        }
    }
    found
}

/// The longest chain of `super::` in code.
pub(super) fn longest_climb(code: &str) -> usize {
    let (mut longest, mut climb) = (0, 0);
    for pair in tokens(code).windows(2) {
        match pair {
            ["super", "::"] => climb += 1,
            ["::", "super"] => {}
            _ => climb = 0,
        }
        longest = longest.max(climb);
    }
    longest
}

/// Words, `::`, and every other character by itself.
fn tokens(code: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = code.trim_start();
    while let Some(c) = rest.chars().next() {
        let length = if is_word(c) {
            rest.find(|c| !is_word(c)).unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            c.len_utf8()
        };
        tokens.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    tokens
}

/// Reads one use tree (a plain path is one, too) and returns the place after it.
fn tree(tokens: &[&str], mut place: usize, prefix: &str, found: &mut BTreeSet<String>) -> usize {
    let mut path = prefix.to_owned();
    loop {
        match tokens.get(place) {
            Some(&"{") => {
                place += 1;
                while place < tokens.len() && tokens[place] != "}" {
                    if tokens[place] == "," {
                        place += 1;
                    } else {
                        place = tree(tokens, place, &path, found);
                    }
                }
                return place + 1;
            }
            Some(&"self") => {}
            Some(&segment) if segment == "*" || segment.starts_with(is_word) => {
                if !path.is_empty() {
                    path.push_str("::");
                }
                path.push_str(segment);
            }
            // The `<` of a turbofish, or the end.
            _ => break,
        }
        place += 1;
        match tokens.get(place) {
            Some(&"::") => place += 1,
            _ => break,
        }
    }
    found.insert(path);
    // What follows is a rename at most.
    if tokens.get(place) == Some(&"as") {
        place += 2;
    }
    // Never stay in one place: inside of braces the caller goes on from here.
    if matches!(tokens.get(place), Some(token) if !matches!(*token, "," | "}")) { place + 1 } else { place }
}
