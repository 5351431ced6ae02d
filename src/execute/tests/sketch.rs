//! A configuration made for tests.

use crate::fleet::{
    Desired, Entry, EntryIndex, EntryName, Goal, InstanceId, Members, Need, StackName, Strength,
};

/// Entries by name, in the order of their names.
pub(super) struct Sketch {
    entries: Vec<Entry>,
}

impl Sketch {
    pub(super) fn new() -> Self {
        Self { entries: Vec::new() }
    }

    /// Adds an entry with the goal and as many instances as `size`; it needs the entries named before it.
    pub(super) fn entry(mut self, name: &str, goal: Goal, size: usize, needs: &[(&str, Strength)]) -> Self {
        let ids: Vec<InstanceId> =
            (0..size).map(|at| InstanceId::new(&format!("i-{name}{at}")).expect("valid")).collect();
        let needs = needs
            .iter()
            .map(|(needed, strength)| {
                let at = self.entries.iter().position(|entry| entry.name.as_str() == *needed).expect("known");
                Need { entry: EntryIndex(u32::try_from(at).expect("few")), strength: *strength }
            })
            .collect();
        assert!(
            self.entries.last().is_none_or(|last| last.name.as_str() < name),
            "in the order of the names"
        );
        let name = EntryName::new(name).expect("valid");
        let members = if size == 1 { Members::Single(ids[0].clone()) } else { Members::Several(ids) };
        self.entries.push(Entry { needs, ..Entry::plain(name, goal, members) });
        self
    }

    pub(super) fn with(mut self, change: impl FnOnce(&mut Entry)) -> Self {
        change(self.entries.last_mut().expect("an entry"));
        self
    }

    pub(super) fn desired(self) -> Desired {
        Desired { stack: StackName::new("test").expect("valid"), entries: self.entries }
    }
}
