//! Whole runs: the built binary, from files to machines and back to exit statuses.

mod bounded_patience;
mod call_counts;
mod connections;
mod crashes;
mod decisions;
mod doctor;
mod examples;
mod fault_matrix;
mod faults;
mod graphs;
mod guards;
mod interruption;
mod kills;
mod locks;
mod lost_answers;
mod parameters;
mod pipelines;
mod plans;
mod preflight;
mod random;
mod refusals;
mod reports;
mod rivals;
mod streams;
mod terminal;
mod unsaved;
