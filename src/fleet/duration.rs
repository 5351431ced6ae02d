//! Durations as people write them: `90s`, `10m`, `1h30m`.

use std::fmt;
use std::time::Duration;

/// The longest duration that is accepted: anything longer is a slip of the finger.
pub const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// Reads `90s`, `10m`, `1h30m`, `250ms`, `2d`, or `0s`. Units go from large to small, each at most once.
///
/// # Errors
/// A sentence fragment that says what is wrong and what is expected.
pub fn parse(text: &str) -> Result<Duration, String> {
    const UNITS: [(&str, u64); 5] =
        [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
    const EXPECTED: &str = "write it like 90s, 10m or 1h30m";
    let mut rest = text;
    let mut next_unit = 0;
    let mut total: u64 = 0;
    if rest.is_empty() {
        return Err(format!("a duration is empty: {EXPECTED}"));
    }
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if digits == 0 {
            return Err(format!("\"{text}\" is not a duration: {EXPECTED}"));
        }
        let (number, after) = rest.split_at(digits);
        let letters = after.len() - after.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        let (unit, after) = after.split_at(letters);
        if unit.is_empty() {
            return Err(format!("\"{text}\" has a number without a unit: {EXPECTED}"));
        }
        let Some(position) = UNITS.iter().position(|(name, _)| *name == unit) else {
            return Err(format!("\"{text}\" has the unknown unit \"{unit}\": {EXPECTED}"));
        };
        if position < next_unit {
            return Err(format!("\"{text}\" has its units out of order: {EXPECTED}"));
        }
        next_unit = position + 1;
        total = number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(UNITS[position].1))
            .and_then(|part| total.checked_add(part))
            .filter(|total| Duration::from_millis(*total) <= LONGEST)
            .ok_or_else(|| format!("\"{text}\" is longer than a year"))?;
        rest = after;
    }
    Ok(Duration::from_millis(total))
}

/// Shows a duration as people write it: `1h30m`, `4m10s`, `2.5s`, `0s`. Under a minute one decimal is kept, above
/// an hour seconds are dropped.
#[derive(Debug, Clone, Copy)]
pub struct Words(pub Duration);

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = (self.0.as_millis() + 50) / 100;
        if tenths < 600 {
            return match tenths % 10 {
                0 => write!(f, "{}s", tenths / 10),
                rest => write!(f, "{}.{rest}s", tenths / 10),
            };
        }
        let seconds = (self.0.as_millis() + 500) / 1000;
        let (hours, minutes, seconds) = (seconds / 3600, seconds % 3600 / 60, seconds % 60);
        match (hours, minutes, seconds) {
            (0, m, 0) => write!(f, "{m}m"),
            (0, m, s) => write!(f, "{m}m{s}s"),
            (h, 0, _) => write!(f, "{h}h"),
            (h, m, _) => write!(f, "{h}h{m}m"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, milliseconds) in [
            ("90s", 90_000),
            ("10m", 600_000),
            ("1h30m", 5_400_000),
            ("250ms", 250),
            ("0s", 0),
            ("2d", 172_800_000),
            ("1h0m5s", 3_605_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in [
            "",
            "10",
            "ten",
            "10x",
            "5m1h",
            "1h1h",
            "-5s",
            "1.5h",
            "10 m",
            "400d",
            "99999999999999999999s",
            "m",
        ] {
            assert!(parse(text).is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn durations_are_shown_as_people_write_them() {
        for (milliseconds, words) in [
            (0, "0s"),
            (2_500, "2.5s"),
            (59_940, "59.9s"),
            (59_960, "1m"),
            (250_000, "4m10s"),
            (5_400_000, "1h30m"),
            (7_200_000, "2h"),
        ] {
            assert_eq!(Words(Duration::from_millis(milliseconds)).to_string(), words);
        }
    }
}
