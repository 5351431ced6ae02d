//! What the files say once overlays are laid over them and their variables are filled in. It works on nodes, before
//! any key is read: so it serves every key without knowing it.

use super::overlay;
use super::problem::Findings;
use super::replacement;
use super::source::{self, Source, Text};
use super::variables;
use super::yaml::{self, Node};

/// What a source is to the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// A file of the configuration.
    File,
    /// Changes what the files say.
    Overlay,
    /// A file with values of variables.
    Values,
    /// `name=value`, the value of one variable.
    Assignment,
    /// The value of one variable. The source is called like the variable of the environment that holds it.
    Environment,
}

/// A source that was read.
#[derive(Debug)]
pub(super) struct Tree<'s> {
    pub(super) source: usize,
    pub(super) text: Text<'s>,
    pub(super) root: Node<'s>,
}

/// Reads one source. `None` if that was not possible.
pub(super) fn tree<'s>(index: usize, source: &'s Source, findings: &mut Findings) -> Option<Tree<'s>> {
    let text = source::decode(index, source, findings)?;
    let root = yaml::read(index, text, findings)?;
    Some(Tree { source: index, text, root })
}

/// The files, changed and filled in, and whether all of them could be read.
pub(super) fn read<'s>(
    sources: &'s [Source],
    layers: &[Layer],
    findings: &mut Findings,
) -> (Vec<Tree<'s>>, bool) {
    let of = |wanted: Layer| {
        let layer = |index: usize| layers.get(index).copied().unwrap_or(Layer::File);
        sources.iter().enumerate().filter(move |(index, _)| layer(*index) == wanted)
    };
    let mut all_read = true;
    let mut trees = |layer: Layer, findings: &mut Findings| -> Vec<Tree<'s>> {
        let read: Vec<_> = of(layer).map(|(index, source)| tree(index, source, findings)).collect();
        all_read &= read.iter().all(Option::is_some);
        read.into_iter().flatten().collect()
    };
    let mut files = trees(Layer::File, findings);
    let overlays = trees(Layer::Overlay, findings);
    let texts: Vec<(usize, Text<'s>)> =
        files.iter().chain(&overlays).map(|tree| (tree.source, tree.text)).collect();
    for overlay in overlays {
        overlay::lay(&mut files, overlay, all_read, findings);
    }
    let mut variables = variables::declared(&files, findings);
    for (index, source) in of(Layer::Environment) {
        variables.take_from_environment(index, source, findings);
    }
    for (index, source) in of(Layer::Values) {
        match tree(index, source, findings) {
            Some(tree) => variables.take_from_file(&tree, all_read, findings),
            None => all_read = false,
        }
    }
    for (index, source) in of(Layer::Assignment) {
        variables.take_from_assignment(index, source, all_read, findings);
    }
    if texts.iter().any(|(_, text)| replacement::is_needed(text.text)) {
        replacement::fill(&mut files, &texts, &variables, all_read, findings);
    }
    (files, all_read)
}
