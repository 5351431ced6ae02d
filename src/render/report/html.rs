//! Text that cannot be anything but text in HTML, and pieces of a page that may only grow so far.

use std::fmt::Write as _;

use crate::render::escape::xml;

/// Text as it stands in an element or a quoted attribute, whatever it says.
pub(super) fn text(text: &str) -> String {
    xml(text).into_owned()
}

/// A share of a whole in per cent, as short as a style can have it.
pub(super) fn per_cent(part: u128, whole: u128) -> String {
    let thousandths = (part * 100_000).checked_div(whole).unwrap_or(0).min(100_000);
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write!(out, "{}", thousandths / 1_000);
    let rest = thousandths % 1_000 / 10;
    if rest > 0 {
        let _ = write!(out, ".{rest:02}");
        out.truncate(out.trim_end_matches('0').len());
    }
    out.push('%');
    out
}

/// Of many pieces those that matter most, as far as there is room: `pieces` come in the order of their weight, each
/// with its place. Gives them in the order of their places, and how many were left out.
pub(super) fn within<K: Ord>(
    room: usize,
    pieces: impl Iterator<Item = (K, String)>,
    of: usize,
) -> (Vec<(K, String)>, usize) {
    let mut left = room;
    let mut taken: Vec<(K, String)> = pieces
        .take_while(|(_, piece)| {
            let fits = piece.len() <= left;
            left = left.saturating_sub(piece.len());
            fits
        })
        .collect();
    taken.sort_by(|(a, _), (b, _)| a.cmp(b));
    let left_out = of.saturating_sub(taken.len());
    (taken, left_out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_short() {
        for (part, whole, shown) in
            [(0, 7, "0%"), (7, 7, "100%"), (1, 3, "33.33%"), (1, 8, "12.5%"), (1, 0, "0%"), (9, 7, "100%")]
        {
            assert_eq!(per_cent(part, whole), shown);
        }
    }

    #[test]
    fn what_matters_most_is_kept_in_its_place() {
        let pieces = [(7, "seven"), (1, "one"), (3, "three"), (2, "two")];
        let pieces = || pieces.into_iter().map(|(place, piece)| (place, piece.to_owned()));
        let (all, left_out) = within(100, pieces(), 4);
        assert_eq!(
            (all.iter().map(|(place, _)| *place).collect::<Vec<_>>(), left_out),
            (vec![1, 2, 3, 7], 0)
        );
        let (some, left_out) = within(9, pieces(), 4);
        assert_eq!((some.iter().map(|(place, _)| *place).collect::<Vec<_>>(), left_out), (vec![1, 7], 2));
    }
}
