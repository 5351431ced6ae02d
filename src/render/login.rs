//! Finds the login in a URL, so that a line of a configuration can be shown without it.

use std::ops::Range;

/// Where a line holds what could be the user and password of a URL, as in `https://user:password@host`.
///
/// Takes in too much rather than too little: everything from the first `://`, or from a word with a colon, to the last
/// `@` of the line.
pub(super) fn login(line: &[u8]) -> Option<Range<usize>> {
    let first = line.iter().position(|byte| *byte == b'@')?;
    let last = line.iter().rposition(|byte| *byte == b'@')?;
    let before = &line[..first];
    let start = match before.windows(3).position(|three| three == b"://") {
        Some(scheme) => scheme + 3,
        None => {
            let ends_word = |byte: &u8| byte.is_ascii_whitespace() || b"\"'{[,".contains(byte);
            let start = before.iter().rposition(ends_word).map_or(0, |end| end + 1);
            before[start..].contains(&b':').then_some(start)?
        }
    };
    Some(start..last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without(line: &str) -> String {
        let mut bytes = line.as_bytes().to_vec();
        if let Some(login) = login(&bytes) {
            bytes[login].fill(b'*');
        }
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_login_is_found_in_whatever_form_it_has_and_other_lines_are_left_alone() {
        for (line, shown) in [
            ("endpoint: \"https://u:pw@host\"", "endpoint: \"https://****@host\""),
            ("endpoint: https://u:p@w/x@host # me", "endpoint: https://*******@host # me"),
            ("endpoint: u:pw@host", "endpoint: ****@host"),
            ("{ regon: x, endpoint: 'https://pw@host' }", "{ regon: x, endpoint: 'https://**@host' }"),
            ("endpoint: https://host", "endpoint: https://host"),
            ("depends_on: [me@home]", "depends_on: [me@home]"),
            ("@", "@"),
            ("", ""),
        ] {
            assert_eq!(without(line), shown);
        }
    }
}
