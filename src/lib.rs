//! powerform: plan and apply for the power states of Alibaba Cloud ECS instances.
//!
//! This is the map of the code. The program is a row of stages, and the things they hand on:
//!
//! ```text
//!  powerform.yaml -- config --> Desired  \
//!  state file ------ state ---> Recorded  >-- plan --> Plan --+-- render --> text
//!  ECS ------------- observe -> Actual   /                    +-- execute -> Events -- reconcile --> Recorded -- state
//! ```
//!
//! Desired and Actual decide what is done; Recorded only explains it. The loop is closed by looking again, not by
//! trusting memory. Six functions are the spine, and four of them are pure:
//!
//! | function | takes | gives | |
//! |---|---|---|---|
//! | [`config::read`] | text | [`fleet::Desired`], or every problem | pure |
//! | [`observe::observe`] | names and a [`cloud::Cloud`] | [`fleet::Actual`] | async |
//! | [`plan::plan`] | Desired, Recorded and Actual | [`plan::Plan`], or the circle found | pure |
//! | [`render`] | plans, events, records, problems | text | pure |
//! | [`execute::execute`] | a Plan and a Cloud | [`execute::Event`]s | async |
//! | [`reconcile::advance`] | Recorded and an Event | Recorded | pure |
//!
//! # The rooms
//!
//! What a room may import of this crate is held by `tests/integration/architecture.rs`: a new arrow is a change there.
//!
//! | room | what lives there | what it must not do |
//! |---|---|---|
//! | [`fleet`] | the vocabulary: names that validate themselves, power states, Desired, Actual, Recorded | decide, wait, or import another room |
//! | [`config`] | YAML to Desired, all problems at once with their places | touch files, the environment or the network |
//! | [`plan`] | the decision: a verdict and a reason for every instance, and what execution must respect | wait, ask, print, read a clock |
//! | [`cloud`] | what is needed from a cloud: three verbs and one error | know HTTP |
//! | [`observe`] | one look at everything, in the fewest calls | decide what a failed look means |
//! | [`probe`] | how an instance is asked whether it is ready, once | know when it is asked, or what the answer means |
//! | [`execute`] | carries out a plan: queue, steps, shared poll, calls | choose anything that the plan does not say |
//! | [`state`] | the record between runs, and the lock that keeps two runs apart | repair or decide what is recorded |
//! | [`aliyun`] | how ECS says it: requests, signatures, answers, error codes, the client | decide what is started or stopped |
//! | [`reconcile`] | one attempt: look, decide, carry out, fold the events into the record, save | know terminals, files of configuration, signals |
//! | [`history`] | what one apply was, from its beginning to its end: a fold over its events | decide anything, read, write or render |
//! | [`inventory`] | what exists, as a configuration: names, entries, their YAML | look, or write files |
//! | [`render`] | all text, for people and for programs | write anything anywhere |
//! | [`simulator`] | an ECS of its own, over real HTTP | share more with the client than the signature function |
//! | [`cli`] | commands, prompts, streams, exit statuses; joins all the others | hold logic that another front end would need |
//!
//! # Where things are
//!
//! - The table of what is seen against what is wanted: `plan/decide.rs`. Who comes after whom: `plan/order.rs`.
//! - When a call is made: `execute/run/calls.rs`. When a look is made: `execute/poll.rs`.
//! - What an error code of ECS means: `aliyun/errors/table.rs`. Whether the client asks again: `aliyun/retry.rs`.
//! - The words for everything that can be said of an instance: `render/words`.
//! - How instances become entries: `inventory/draft.rs`. How a file is added to that a person wrote: `config/append.rs`.
//! - The wall clock and the environment: `cli/environment.rs`, and nowhere else but the simulator's clock.

pub mod aliyun;
pub mod cli;
pub mod cloud;
pub mod config;
pub mod execute;
pub mod fleet;
pub mod history;
pub mod inventory;
pub mod observe;
pub mod plan;
pub mod probe;
pub mod reconcile;
pub mod render;
pub mod simulator;
pub mod state;
