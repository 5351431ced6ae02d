//! The graph that powerform and Terraform are compared on: ten layers, each instance with one to three needs in the
//! layer below.

/// How many layers it has.
pub(crate) const LAYERS: usize = 10;

/// For each instance the positions of those it needs: the same for the same size, every time.
pub(crate) fn needs(size: usize) -> Vec<Vec<usize>> {
    let mut random = fastrand::Rng::with_seed(7);
    let layer = size.div_ceil(LAYERS).max(1);
    let needs = (0..size).map(|position| {
        let Some(below) = (position / layer).checked_sub(1) else { return Vec::new() };
        let mut needs: Vec<usize> =
            (0..random.usize(1..=3)).map(|_| below * layer + random.usize(..layer)).collect();
        needs.sort_unstable();
        needs.dedup();
        needs
    });
    needs.collect()
}
