//! The axis of time: how far apart its ticks are.

use std::time::Duration;

/// The most ticks on an axis, besides the one at zero: their labels stand apart on a narrow screen.
const MOST_TICKS: u128 = 8;

/// Steps that people count in, in milliseconds.
const STEPS: [u64; 25] = [
    10,
    20,
    50,
    100,
    200,
    500,
    1_000,
    2_000,
    5_000,
    10_000,
    15_000,
    30_000,
    60_000,
    120_000,
    300_000,
    600_000,
    900_000,
    1_800_000,
    3_600_000,
    7_200_000,
    14_400_000,
    21_600_000,
    43_200_000,
    86_400_000,
    864_000_000,
];

/// How far apart the ticks of an axis of this length are.
pub(super) fn step(length: Duration) -> Duration {
    let longest = STEPS[STEPS.len() - 1];
    let fits = |step: &&u64| length.as_millis() / u128::from(**step) <= MOST_TICKS;
    Duration::from_millis(STEPS.iter().find(fits).copied().unwrap_or(longest))
}

/// The ticks after the one at zero.
pub(super) fn ticks(length: Duration) -> Vec<Duration> {
    let step = step(length);
    let count = u32::try_from(length.as_millis() / step.as_millis()).unwrap_or(u32::MAX).min(100);
    (1..=count).map(|number| step * number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::duration::Words;

    #[test]
    fn ticks_are_few_and_fall_on_times_that_people_count_in() {
        for (length, expected) in [
            (Duration::ZERO, ""),
            (Duration::from_millis(85), "0s 0s 0s 0s 0.1s 0.1s 0.1s 0.1s"),
            (Duration::from_millis(900), "0.2s 0.4s 0.6s 0.8s"),
            (Duration::from_millis(12_300), "2s 4s 6s 8s 10s 12s"),
            (Duration::from_secs(75), "10s 20s 30s 40s 50s 1m 1m10s"),
            (Duration::from_secs(100), "15s 30s 45s 1m 1m15s 1m30s"),
            (Duration::from_secs(3_000), "10m 20m 30m 40m 50m"),
            (Duration::from_secs(86_400), "4h 8h 12h 16h 20h 24h"),
        ] {
            let shown: Vec<String> = ticks(length).iter().map(|tick| Words(*tick).to_string()).collect();
            assert_eq!(shown.join(" "), expected, "{length:?}");
            assert!(ticks(length).iter().all(|tick| *tick <= length));
        }
        assert!(ticks(Duration::MAX).len() <= 100);
    }
}
