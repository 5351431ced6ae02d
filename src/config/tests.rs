//! The language as a whole: what is accepted and what it means, what is refused and where.

mod accepted;
mod digests;
mod fleets;
mod hostile;
mod layers;
mod mistakes;
mod provider;
mod schema;

use super::{Configuration, Problems, Source, read};

fn source(text: impl AsRef<[u8]>) -> Source {
    Source { name: "powerform.yaml".into(), text: text.as_ref().to_vec() }
}

fn read_text(text: impl AsRef<[u8]>) -> Result<Configuration, Problems> {
    read(&[source(text)])
}

fn accepted(text: impl AsRef<[u8]>) -> Configuration {
    read_text(text).unwrap_or_else(|problems| panic!("refused: {:?}", lines(&problems)))
}

fn lines(problems: &Problems) -> Vec<String> {
    problems
        .iter()
        .map(|problem| format!("{}:{} {}", problem.place.line, problem.place.column, problem.message))
        .collect()
}

/// The problems of a text as `line:column message`.
fn found(text: impl AsRef<[u8]>) -> Vec<String> {
    read_text(text).map_or_else(|problems| lines(&problems), |_| Vec::new())
}
