//! A goal, and what was measured of it.

/// One line of the last table.
pub(crate) struct Goal {
    what: String,
    at_most: f64,
    measured: f64,
    unit: &'static str,
}

impl Goal {
    /// Something that shall be at most so much.
    pub(crate) fn new(what: impl Into<String>, at_most: f64, unit: &'static str, measured: f64) -> Self {
        Self { what: what.into(), at_most, measured, unit }
    }

    fn verdict(&self) -> &'static str {
        if self.measured <= self.at_most { "met" } else { "NOT MET" }
    }
}

/// Prints all goals.
pub(crate) fn show(goals: &[Goal]) {
    let widest = goals.iter().map(|goal| goal.what.chars().count()).max().unwrap_or_default();
    println!("\n{:<widest$}  {:>12}  {:>12}  {:<5}", "goal", "at most", "measured", "");
    for goal in goals {
        let Goal { what, at_most, measured, unit } = goal;
        println!(
            "{what:<widest$}  {:>12}  {:>12}  {}",
            number(*at_most, unit),
            number(*measured, unit),
            goal.verdict()
        );
    }
}

fn number(value: f64, unit: &str) -> String {
    let digits = if value.abs() >= 100.0 { 0 } else { 3 };
    let text = format!("{value:.digits$}");
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => &text,
    };
    if unit.is_empty() { text.to_owned() } else { format!("{text} {unit}") }
}
