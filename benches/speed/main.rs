//! How fast powerform is beside what could be, and beside Terraform where a `terraform` binary is present: ratios of one
//! run, each part with its table, and at the end the goals and whether they are met.
//!
//! `cargo bench --bench speed` measures everything; `cargo bench --bench speed -- planning` one part. Parts:
//! `planning`, `makespan`, `limit`, `wall`.

#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("CPU time of other processes is read from /proc: nothing is measured on this system");
}

#[cfg(target_os = "linux")]
mod cost;
#[cfg(target_os = "linux")]
mod goal;
#[cfg(target_os = "linux")]
mod layers;
#[cfg(target_os = "linux")]
mod limit;
#[cfg(target_os = "linux")]
mod makespan;
#[cfg(target_os = "linux")]
mod planning;
#[cfg(target_os = "linux")]
mod terraform;
#[cfg(target_os = "linux")]
mod wall;

/// Measures one part, prints its table, and says what came of its goals.
#[cfg(target_os = "linux")]
type Measure = fn() -> anyhow::Result<Vec<goal::Goal>>;

#[cfg(target_os = "linux")]
fn main() -> anyhow::Result<()> {
    // Cargo says that this is a bench.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if let [flag, story, size] = words.as_slice()
        && flag == planning::ONE
    {
        return planning::one(story, size.parse()?);
    }
    if let [flag, program, arguments @ ..] = words.as_slice()
        && flag == cost::COST
    {
        return cost::tell(program, arguments);
    }
    let parts: [(&str, Measure); 4] = [
        ("planning", planning::measure_all),
        ("makespan", makespan::measure_all),
        ("limit", limit::measure_all),
        ("wall", wall::measure_all),
    ];
    if let Some(unknown) = words.iter().find(|word| parts.iter().all(|(name, _)| name != word)) {
        let names = parts.map(|(name, _)| name).join(", ");
        anyhow::bail!("there is no part \"{unknown}\"; there are: {names}");
    }
    let mut goals = Vec::new();
    for (name, measure) in parts {
        if words.is_empty() || words.iter().any(|word| word == name) {
            goals.extend(measure()?);
        }
    }
    goal::show(&goals);
    Ok(())
}
