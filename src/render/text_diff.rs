//! Compares two texts line by line, only to show them: what is done was decided from values long before.

use std::ops::Range;
use std::time::Duration;

use similar::{Algorithm, TextDiff};

/// How long one comparison may search for the shortest answer. After that it settles for a longer one, which is
/// still right.
const PATIENCE: Duration = Duration::from_millis(500);

/// Lines that belong together: the same on both sides, or one side replaced by the other. Either range may be empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stretch {
    /// Whether both sides say the same.
    pub(super) same: bool,
    /// The lines of the old text, counted from 0.
    pub(super) old: Range<usize>,
    /// The lines of the new text, counted from 0.
    pub(super) new: Range<usize>,
}

/// Compares two texts. Together the stretches cover all lines of both, in order.
pub(super) fn stretches(old: &str, new: &str) -> Vec<Stretch> {
    // Myers with a deadline: Histogram, asked to compare texts with thousands of changes, takes seconds.
    TextDiff::configure()
        .algorithm(Algorithm::Myers)
        .timeout(PATIENCE)
        .diff_lines(old, new)
        .ops()
        .iter()
        .map(|operation| Stretch {
            same: operation.tag() == similar::DiffTag::Equal,
            old: operation.old_range(),
            new: operation.new_range(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn equal_lines_are_kept_and_others_are_replaced() {
        assert_eq!(
            stretches("a: 1\nb: 2\n", "a: 1\nb: 3\nc: 4\n"),
            [Stretch { same: true, old: 0..1, new: 0..1 }, Stretch { same: false, old: 1..2, new: 1..3 },]
        );
        assert_eq!(stretches("", ""), []);
        assert_eq!(stretches("", "a\n"), [Stretch { same: false, old: 0..0, new: 0..1 }]);
    }

    proptest! {
        #[test]
        fn stretches_cover_both_texts_and_say_the_same_only_of_equal_lines(
            old in proptest::collection::vec("[ab]{0,2}", 0..12),
            new in proptest::collection::vec("[ab]{0,2}", 0..12),
        ) {
            let text = |lines: &[String]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
            let (mut at_old, mut at_new) = (0, 0);
            for stretch in stretches(&text(&old), &text(&new)) {
                prop_assert_eq!(stretch.old.start, at_old);
                prop_assert_eq!(stretch.new.start, at_new);
                if stretch.same {
                    prop_assert_eq!(&old[stretch.old.clone()], &new[stretch.new.clone()]);
                }
                (at_old, at_new) = (stretch.old.end, stretch.new.end);
            }
            prop_assert_eq!((at_old, at_new), (old.len(), new.len()));
        }
    }
}
