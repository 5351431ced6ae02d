//! How durations, times, rates and shares are written in an account file.

use std::time::Duration;

use jiff::Timestamp;

/// The longest duration that is understood: far beyond any boot, and nowhere near the end of time.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads `90s`, `10m`, `1h30m`, `250ms`, `0s`: whole numbers with units, the larger units first, each at most once.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("\"{text}\" is not a duration: write 90s, 10m, 1h30m or 250ms");
    let mut milliseconds: u64 = 0;
    let mut rest = text;
    let mut next_unit = 0;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = rest.split_at(digits);
        let letters = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, tail) = tail.split_at(letters);
        let position = UNITS.iter().position(|(name, _)| *name == unit).ok_or_else(wrong)?;
        if position < next_unit {
            return Err(wrong());
        }
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let part = UNITS.get(position).and_then(|(_, unit)| number.checked_mul(*unit));
        milliseconds = part.and_then(|part| milliseconds.checked_add(part)).ok_or_else(wrong)?;
        next_unit = position + 1;
        rest = tail;
    }
    let duration = Duration::from_millis(milliseconds);
    if text.is_empty() {
        Err(wrong())
    } else if duration > LONGEST {
        Err(format!("\"{text}\" is too long: at most a year (8784h)"))
    } else {
        Ok(duration)
    }
}

/// Reads an RFC 3339 time, with seconds or, as ECS writes expiry times, without: `2026-01-01T00:00Z`.
pub(super) fn time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| {
        format!("\"{text}\" is not a time: write 2026-01-01T00:00Z or 2026-01-01T00:00:00+08:00")
    })
}

/// Reads a share, `20%`, as a fraction.
pub(super) fn share(text: &str) -> Result<f64, String> {
    text.strip_suffix('%')
        .and_then(|number| number.parse::<u8>().ok())
        .filter(|percent| *percent <= 100)
        .map(|percent| f64::from(percent) / 100.0)
        .ok_or_else(|| format!("\"{text}\" is not a share: write a whole percentage from 0% to 100%"))
}

/// How often an action may be called: at most `most` times in each window of `window` seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::simulator) struct Rate {
    /// Calls in one window.
    pub(in crate::simulator) most: u64,
    /// The length of a window, in seconds: 1 or 60.
    pub(in crate::simulator) window: i64,
}

/// Reads a rate, `20/s` or `100/min`.
pub(super) fn rate(text: &str) -> Result<Rate, String> {
    let read = || {
        let (most, unit) = text.split_once('/')?;
        let window = match unit {
            "s" => 1,
            "min" => 60,
            _ => return None,
        };
        Some(Rate { most: most.parse().ok()?, window })
    };
    read().ok_or_else(|| format!("\"{text}\" is not a rate: write 20/s or 100/min"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_whole_numbers_with_units_from_large_to_small() {
        for (text, milliseconds) in
            [("0s", 0), ("90s", 90_000), ("10m", 600_000), ("1h30m", 5_400_000), ("1m5s250ms", 65_250)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn other_spellings_of_durations_are_refused() {
        for text in
            ["", "5", "s", "5 s", "1.5s", "-1s", "5s5s", "1s1m", "5d", "99999999999999999999s", "9000h", "秒"]
        {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_come_with_and_without_seconds() {
        let expected: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(time("2026-01-01T00:00Z"), Ok(expected));
        assert_eq!(time("2026-01-01T00:00:00Z"), Ok(expected));
        assert_eq!(time("2026-01-01T08:00:00+08:00"), Ok(expected));
        for text in ["2026-01-01", "tomorrow", "", "2026-13-01T00:00Z"] {
            assert!(time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn rates_are_counts_by_second_or_minute() {
        assert_eq!(rate("20/s"), Ok(Rate { most: 20, window: 1 }));
        assert_eq!(rate("100/min"), Ok(Rate { most: 100, window: 60 }));
        for text in ["20", "/s", "20/h", "-1/s", "1.5/s"] {
            assert!(rate(text).is_err(), "{text}");
        }
    }

    #[test]
    fn shares_are_whole_percentages() {
        assert_eq!(share("20%"), Ok(0.2));
        for text in ["20", "101%", "-1%", "%"] {
            assert!(share(text).is_err(), "{text}");
        }
    }
}
