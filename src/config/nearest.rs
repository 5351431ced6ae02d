//! "Did you mean".

use std::cmp::Ordering;
use std::collections::HashMap;

/// How many exact comparisons one configuration is worth. One takes about a microsecond, so thousands of misspelt
/// names in a fleet of a hundred thousand cost a fraction of a second, and the last of them get no suggestion.
const MOST_COMPARISONS: usize = 200_000;

/// The candidate that was most probably meant, if one is near: at most two slips (Damerau-Levenshtein), or one for
/// every three letters. Among equals the one that begins alike (Jaro-Winkler), then the first.
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let mut budget = MOST_COMPARISONS;
    nearest_within(word, candidates, &mut budget)
}

fn nearest_within<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str>,
    budget: &mut usize,
) -> Option<&'c str> {
    let length = word.chars().count();
    let limit = (length / 3).max(2);
    let mut best: Option<(usize, f64, &str)> = None;
    for candidate in candidates {
        if candidate.eq_ignore_ascii_case(word) {
            return Some(candidate);
        }
        let candidate_length = candidate.chars().count();
        if candidate_length.abs_diff(length) > limit || *budget == 0 {
            continue;
        }
        *budget -= 1;
        let distance = strsim::damerau_levenshtein(word, candidate);
        // A short word that shares nothing with the candidate is within two slips of it all the same.
        if distance > limit || distance >= length.min(candidate_length) {
            continue;
        }
        let likeness = strsim::jaro_winkler(word, candidate);
        let better = best.is_none_or(|(least, most, _)| {
            distance.cmp(&least).then(most.total_cmp(&likeness)) == Ordering::Less
        });
        if better {
            best = Some((distance, likeness, candidate));
        }
    }
    best.map(|(_, _, candidate)| candidate)
}

/// Suggestions among the names of a fleet, with a bound on the work for all questions together.
pub(super) struct Suggestions<'n> {
    names: Vec<&'n str>,
    answers: HashMap<String, Option<&'n str>>,
    budget: usize,
}

impl<'n> Suggestions<'n> {
    pub(super) fn new(names: Vec<&'n str>) -> Self {
        Self { names, answers: HashMap::new(), budget: MOST_COMPARISONS }
    }

    pub(super) fn get(&mut self, word: &str) -> Option<&'n str> {
        if let Some(known) = self.answers.get(word) {
            return *known;
        }
        // Even a glance at every name is too much for every one of many thousand questions.
        let glance = self.names.len() / 50 + 1;
        if self.budget < glance {
            return None;
        }
        self.budget -= glance;
        let answer = nearest_within(word, self.names.iter().copied(), &mut self.budget);
        self.answers.insert(word.to_owned(), answer);
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_finger_are_recognised() {
        let keys = ["id", "ids", "status", "depends_on", "timeouts", "prevent_stop"];
        for (word, meant) in [
            ("depend_on", Some("depends_on")),
            ("depends-on", Some("depends_on")),
            ("sttaus", Some("status")),
            ("Status", Some("status")),
            ("timeout", Some("timeouts")),
            ("idd", Some("id")),
            ("colour", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, keys), meant, "{word}");
        }
    }

    #[test]
    fn among_equally_near_names_the_one_that_begins_alike_wins() {
        assert_eq!(nearest("cachw", ["bachw1", "cache", "cashw"]), Some("cache"));
    }

    #[test]
    fn many_questions_about_many_names_end_soon() {
        let names: Vec<String> = (0..20_000).map(|i| format!("entry-{i}")).collect();
        let mut suggestions = Suggestions::new(names.iter().map(String::as_str).collect());
        assert_eq!(suggestions.get("entry-19999x"), Some("entry-19999"));
        for i in 0..50_000 {
            let _ = suggestions.get(&format!("enrty-{i}"));
        }
        assert!(suggestions.answers.len() < 1000, "{} were worked out", suggestions.answers.len());
    }
}
