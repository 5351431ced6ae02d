//! What may be written on the command line. The comments here are the help texts.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::engine::ArgValueCompleter;
use uuid::Uuid;

use super::completion;
use crate::fleet::{Address, Region, StackName, duration};

/// Plan and apply for the power states of Alibaba Cloud ECS instances
///
/// A YAML file says which instances shall run, which shall be stopped, and who needs whom. `powerform plan` shows the
/// difference to the real instances; `powerform apply` closes it, in order.
#[derive(Debug, Parser)]
#[command(name = "powerform", version, max_term_width = 100, arg_required_else_help = true)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// The configuration; may be given several times; a folder stands for its *.yaml, without the account file of the
    /// simulator [default: powerform.yaml]
    #[arg(short, long = "file", value_name = "PATH", global = true)]
    pub(super) file: Vec<PathBuf>,
    /// Changes fields of existing entries, defaults and more, key by key; may be given several times, and the later wins
    #[arg(long, value_name = "FILE", global = true)]
    pub(super) overlay: Vec<PathBuf>,
    /// The value of a variable; may be given several times, and the later wins [env: POWERFORM_VAR_name]
    #[arg(long, value_name = "NAME=VALUE", value_parser = assignment, global = true)]
    pub(super) var: Vec<String>,
    /// A YAML file with values of variables, which a --var beats; may be given several times, and the later wins
    #[arg(long, value_name = "FILE", global = true)]
    pub(super) var_file: Vec<PathBuf>,
    /// Work as if started in this folder
    #[arg(short = 'C', long, value_name = "DIR", global = true)]
    pub(super) chdir: Option<PathBuf>,
    /// Whether to use colour; `auto` does on a terminal, unless NO_COLOR is set or TERM is dumb
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Colour::Auto, global = true)]
    pub(super) color: Colour,
    /// What to log on stderr: a level, or targets with levels as in `powerform=debug` [env: POWERFORM_LOG]
    #[arg(long, value_name = "FILTER", global = true)]
    pub(super) log: Option<String>,
    /// How to write the log
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = LogFormat::Text, global = true)]
    pub(super) log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Colour {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write a commented powerform.yaml to begin with
    Init,
    /// Check everything that can be checked without the network
    Validate(Validate),
    /// Look, decide and show; change nothing
    Plan(Plan),
    /// Plan, show, ask, and carry it out
    Apply(Apply),
    /// Show a saved plan, or without one the state: what is recorded of each instance
    Show(Show),
    /// Print the JSON Schema of the configuration, for editors
    Schema,
    /// Draw the dependency graph, with what the instances are and what will be done about them; change nothing
    Graph(Graph),
    /// Print YAML for the instances that exist now, with what they are as their goals; change nothing there
    Import(Import),
    /// Look into the record, or remove from it
    #[command(subcommand)]
    State(State),
    /// Remove a lock that nobody works under any more
    ForceUnlock(ForceUnlock),
    /// Check credentials, identity, endpoint, clock, permissions and state, each with its remedy; change nothing
    Doctor(Doctor),
    /// Serve a simulated ECS on this machine, until interrupted: that is its proper end, and exits with 0
    Simulator(Simulator),
    /// Print the script that lets a shell complete commands, flags and addresses
    Completions(Completions),
    /// Print the manual page, or write the pages of all commands
    Man(Man),
}

#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    pub(super) shell: Shell,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Shell {
    Bash,
    Zsh,
    Fish,
    Powershell,
    Elvish,
}

#[derive(Debug, Args)]
pub(super) struct Man {
    /// Write one page for each command into this folder, which is made if it is not there
    #[arg(long, value_name = "DIR")]
    pub(super) dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Validate {
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
    /// Print the problems as annotations for a code review: workflow commands for GitHub Actions, or a report of code
    /// quality for GitLab
    #[arg(long, value_enum, value_name = "PLACE", conflicts_with = "json")]
    pub(super) annotations: Option<Annotations>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Annotations {
    Github,
    Gitlab,
}

/// What plan and apply share.
#[derive(Debug, Args)]
pub(super) struct Showing {
    /// Show every instance, also those that are as wanted
    #[arg(long)]
    pub(super) all: bool,
    /// Print JSON lines on stdout instead of text
    #[arg(long)]
    pub(super) json: bool,
    /// Write the JSON lines to a file, beside what is printed
    #[arg(long, value_name = "FILE")]
    pub(super) json_into: Option<PathBuf>,
}

/// Which plan is made.
#[derive(Debug, Args)]
pub(super) struct Shaping {
    /// Only this entry or address, or a glob of either, and what it needs; may be given several times
    #[arg(long, value_name = "ADDR", add = ArgValueCompleter::new(completion::addresses))]
    pub(super) target: Vec<String>,
    /// All but this entry or address, or a glob of either, and what needs it; may be given several times
    #[arg(long, value_name = "ADDR", add = ArgValueCompleter::new(completion::addresses))]
    pub(super) exclude: Vec<String>,
    /// For this run, everything that shall run is to be stopped, in reverse order
    #[arg(long, conflicts_with = "refresh_only")]
    pub(super) power_off: bool,
    /// Only what moved outside powerform since the last apply
    #[arg(long)]
    pub(super) refresh_only: bool,
}

#[derive(Debug, Args)]
pub(super) struct Plan {
    #[command(flatten)]
    pub(super) showing: Showing,
    #[command(flatten)]
    pub(super) shaping: Shaping,
    /// Save the plan to a file, for `powerform apply FILE`
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
    /// Ask ECS itself about every planned start and stop, without doing it, and block what it refuses
    #[arg(long, conflicts_with = "refresh_only")]
    pub(super) preflight: bool,
    /// Exit with 2 if the plan holds any start, stop, wait, release or blocked
    #[arg(long)]
    pub(super) detailed_exitcode: bool,
}

#[derive(Debug, Args)]
pub(super) struct Apply {
    /// A plan that `powerform plan --out` saved: exactly that is carried out, without asking
    #[arg(value_name = "PLAN", conflicts_with_all = ["target", "exclude", "power_off", "refresh_only"])]
    pub(super) plan: Option<PathBuf>,
    #[command(flatten)]
    pub(super) showing: Showing,
    #[command(flatten)]
    pub(super) shaping: Shaping,
    /// Do not ask
    #[arg(long)]
    pub(super) auto_approve: bool,
    /// At most so many instances in transition at one time [default: no limit]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(super) parallelism: Option<NonZeroUsize>,
    /// Wait so long for the lock, if someone else holds it, for example 90s or 10m
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, default_value = "0s")]
    pub(super) lock_timeout: Duration,
    /// Allow starts with init_local_disk, which destroy the data on local disks
    #[arg(long)]
    pub(super) allow_data_loss: bool,
    /// Write how it went to a file, as one HTML page that needs no network, however it ends
    #[arg(long, value_name = "FILE")]
    pub(super) report: Option<PathBuf>,
    /// Allow more starts or stops than the limits of the configuration
    #[arg(long)]
    pub(super) allow_over_limit: bool,
    /// Allow to stop the instance that powerform runs on, which ends the run
    #[arg(long)]
    pub(super) allow_self_stop: bool,
}

#[derive(Debug, Args)]
pub(super) struct Show {
    /// A saved plan; without it, the state is shown
    #[arg(value_name = "PLAN")]
    pub(super) plan: Option<PathBuf>,
    /// Show every instance of the plan, also those that are as wanted
    #[arg(long, requires = "plan")]
    pub(super) all: bool,
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
    /// Print the plan as Markdown of less than 60 kB, for a comment in a pull request
    #[arg(long, requires = "plan", conflicts_with_all = ["json", "all"])]
    pub(super) markdown: bool,
    /// Write how the last apply went to a file, as one HTML page that needs no network
    #[arg(long, value_name = "FILE", conflicts_with_all = ["json", "all"])]
    pub(super) report: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Graph {
    /// A saved plan to draw; without it, the instances are looked at as by `plan`
    #[arg(value_name = "PLAN", conflicts_with_all = ["offline", "target", "exclude", "power_off"])]
    pub(super) plan: Option<PathBuf>,
    /// As what to draw it
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = GraphFormat::Dot)]
    pub(super) format: GraphFormat,
    /// Draw what the configuration wants, without looking at the instances
    #[arg(long, conflicts_with_all = ["target", "exclude", "power_off"])]
    pub(super) offline: bool,
    /// Only this entry or address, or a glob of either, and what it needs; may be given several times
    #[arg(long, value_name = "ADDR", add = ArgValueCompleter::new(completion::addresses))]
    pub(super) target: Vec<String>,
    /// All but this entry or address, or a glob of either, and what needs it; may be given several times
    #[arg(long, value_name = "ADDR", add = ArgValueCompleter::new(completion::addresses))]
    pub(super) exclude: Vec<String>,
    /// As if everything that shall run were to be stopped
    #[arg(long)]
    pub(super) power_off: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum GraphFormat {
    /// For graphviz
    Dot,
    /// For Markdown on GitHub and GitLab
    Mermaid,
    /// A picture, for a browser
    Svg,
}

#[derive(Debug, Args)]
pub(super) struct Import {
    /// Only this region; may be given several times. Needed where neither a configuration nor the environment names one
    #[arg(long, value_name = "REGION", value_parser = region, conflicts_with = "all_regions")]
    pub(super) region: Vec<Region>,
    /// Every region that ECS offers to the account
    #[arg(long)]
    pub(super) all_regions: bool,
    /// Only instances with this tag, and this value if one is given; may be given several times: all have to fit
    #[arg(long, value_name = "KEY[=VALUE]", value_parser = tag)]
    pub(super) tag: Vec<(String, Option<String>)>,
    /// Only instances with this name, in which * stands for any characters
    #[arg(long, value_name = "PATTERN", value_parser = name_pattern)]
    pub(super) name: Option<String>,
    /// Put instances with the same value of this tag into one entry, for each status they are in
    #[arg(long, value_name = "tag:KEY", value_parser = group_by)]
    pub(super) group_by: Option<String>,
    /// Let such an entry select its instances by the tag, where that comes to the same ones now
    #[arg(long, requires = "group_by")]
    pub(super) select: bool,
    /// The stack of the document that is printed [default: imported]
    #[arg(long, value_name = "NAME", value_parser = stack)]
    pub(super) stack: Option<StackName>,
    /// Add what is new to this file instead of printing it, and touch nothing that it holds; it is made if it is not
    /// there
    #[arg(long, value_name = "FILE")]
    pub(super) into: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum State {
    /// The addresses that are recorded, a line each
    List {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// What is recorded of one address, or of all instances of an entry, as YAML
    Show {
        /// An entry or an address, for example app or app[i-bp1app000000000001]
        #[arg(value_name = "ADDR", add = ArgValueCompleter::new(completion::addresses))]
        address: Address,
    },
    /// Forget an address, or all instances of an entry; the instances are not touched
    Rm {
        /// An entry or an address
        #[arg(value_name = "ADDR", add = ArgValueCompleter::new(completion::addresses))]
        address: Address,
        /// Wait so long for the lock, if someone else holds it
        #[arg(long, value_name = "DURATION", value_parser = duration::parse, default_value = "0s")]
        lock_timeout: Duration,
    },
}

#[derive(Debug, Args)]
pub(super) struct ForceUnlock {
    /// The id of the lock, as the refusal names it
    #[arg(value_name = "ID", value_parser = lock_id)]
    pub(super) id: Uuid,
    /// Do not ask
    #[arg(long)]
    pub(super) force: bool,
}

#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Simulator {
    #[command(flatten)]
    pub(super) serve: Option<Serve>,
    #[command(subcommand)]
    pub(super) command: Option<SimulatorCommand>,
}

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// The address to listen on; port 0 picks a free one, which is printed
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub(super) listen: String,
    /// The account file; may be repeated: whose key signs a request decides whose instances it sees
    #[arg(long = "account", value_name = "FILE", required = true)]
    pub(super) accounts: Vec<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum SimulatorCommand {
    /// Set an instance to a status at once: the click of someone else
    Set {
        /// The account file
        #[arg(long, value_name = "FILE")]
        account: PathBuf,
        /// The instance
        #[arg(value_name = "ID")]
        id: String,
        /// Running, Stopped, Starting, Stopping, Pending, or Released
        #[arg(value_name = "STATUS")]
        status: String,
    },
}

/// A number of instances.
fn at_least_one(text: &str) -> Result<NonZeroUsize, &'static str> {
    text.parse().map_err(|_| "write a whole number from 1 on, or leave it out for no limit")
}

/// The id of a lock.
fn lock_id(text: &str) -> Result<Uuid, &'static str> {
    text.parse().map_err(|_| "copy the lock id from the message that says who holds the lock")
}

fn region(text: &str) -> Result<Region, String> {
    Region::new(text).map_err(|error| error.to_string())
}

fn stack(text: &str) -> Result<StackName, String> {
    StackName::new(text).map_err(|error| error.to_string())
}

/// The longest key or value of a tag, and name of an instance, in characters.
const LONGEST_WORD: usize = 128;

/// Whether ECS could have this as a tag or a name, and a configuration could say it.
fn is_word(text: &str) -> bool {
    text.chars().count() <= LONGEST_WORD && !text.contains(char::is_control)
}

fn tag(text: &str) -> Result<(String, Option<String>), &'static str> {
    let (key, value) = match text.split_once('=') {
        Some((key, value)) => (key, Some(value)),
        None => (text, None),
    };
    if key.is_empty() || !is_word(key) || !value.is_none_or(is_word) {
        return Err("write a tag as role=web, or role for any value; neither has more than 128 characters");
    }
    Ok((key.to_owned(), value.map(str::to_owned)))
}

fn name_pattern(text: &str) -> Result<String, &'static str> {
    if text.trim().is_empty() || !is_word(text) {
        return Err("write a name or a pattern like batch-*, of at most 128 characters");
    }
    Ok(text.to_owned())
}

fn group_by(text: &str) -> Result<String, &'static str> {
    match text.strip_prefix("tag:") {
        Some(key) if !key.is_empty() && is_word(key) => Ok(key.to_owned()),
        _ => Err("write tag: and the key of a tag, as in tag:role"),
    }
}

fn assignment(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((name, _)) if !name.is_empty() => Ok(text.to_owned()),
        _ => {
            Err("write the name of a variable, an equals sign and its value, like region=cn-hangzhou"
                .to_owned())
        }
    }
}
