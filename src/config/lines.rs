//! From byte offsets to lines and columns, without walking the text again for every question.

/// How many bytes lie between two counted places. A question walks at most so many.
const STRIDE: usize = 1024;

/// Where the lines of a text begin, and how many characters came before every [`STRIDE`] bytes.
pub(super) struct Lines<'t> {
    text: &'t [u8],
    starts: Vec<usize>,
    characters: Vec<usize>,
}

impl<'t> Lines<'t> {
    /// Walks the text once.
    pub(super) fn new(text: &'t [u8]) -> Self {
        let first = if text.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        let mut starts = vec![first];
        starts.extend(text.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1));
        let mut total = 0;
        let mut characters = vec![0];
        for block in text.chunks(STRIDE) {
            total += count(block);
            characters.push(total);
        }
        Self { text, starts, characters }
    }

    /// The line and column of a byte, both from 1; columns count characters. A byte past the end counts as the end.
    pub(super) fn position(&self, byte: usize) -> (usize, usize) {
        let byte = byte.min(self.text.len());
        let line = self.starts.partition_point(|start| *start <= byte).max(1);
        let start = self.starts.get(line - 1).copied().unwrap_or_default();
        (line, (self.characters_before(byte).saturating_sub(self.characters_before(start))) + 1)
    }

    /// The byte at a line and column, both from 1. A place that is not in the text becomes the nearest one that is.
    pub(super) fn byte(&self, line: usize, column: usize) -> usize {
        let Some(start) = self.starts.get(line.saturating_sub(1)).copied() else { return self.text.len() };
        let rest = self.text.get(start..).unwrap_or_default();
        let mut left = column.saturating_sub(1);
        for (at, byte) in rest.iter().enumerate() {
            if *byte == b'\n' {
                return start + at;
            }
            if begins_character(*byte) {
                if left == 0 {
                    return start + at;
                }
                left -= 1;
            }
        }
        self.text.len()
    }

    fn characters_before(&self, byte: usize) -> usize {
        let block = byte / STRIDE;
        let counted = self.characters.get(block).copied().unwrap_or_default();
        counted + count(self.text.get(block * STRIDE..byte).unwrap_or_default())
    }
}

fn count(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| begins_character(**byte)).count()
}

fn begins_character(byte: u8) -> bool {
    byte & 0b1100_0000 != 0b1000_0000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_not_bytes() {
        let lines = Lines::new("a: 数据 b\nc\n\nd".as_bytes());
        for (byte, position) in
            [(0, (1, 1)), (3, (1, 4)), (6, (1, 5)), (10, (1, 7)), (12, (2, 1)), (13, (2, 2))]
        {
            assert_eq!(lines.position(byte), position, "byte {byte}");
        }
        assert_eq!(lines.position(15), (4, 1));
        assert_eq!(lines.position(999), (4, 2));
    }

    #[test]
    fn a_byte_order_mark_has_no_column() {
        assert_eq!(Lines::new(b"\xef\xbb\xbfab").position(4), (1, 2));
    }

    #[test]
    fn long_lines_agree_with_a_plain_count() {
        let text: String = "é数a".repeat(3000) + "\n" + &"数".repeat(2000);
        let lines = Lines::new(text.as_bytes());
        for (byte, _) in text.char_indices().step_by(97) {
            let before = &text[..byte];
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            assert_eq!(lines.position(byte), (line, column));
            assert_eq!(lines.byte(line, column), byte);
        }
    }
}
