//! Where the boxes and the lines of a picture go: layers from left to right, what is needed left of what needs it.
//!
//! The usual way (after Sugiyama): layers by the longest path, a chain of bends for each line that passes a layer, a few
//! sweeps that put each box where the mean of its neighbours is to have few crossings, then places that are as near to
//! the neighbours as the distances allow. Pieces that nothing connects are laid out by themselves and put side by side.
//!
//! Written here because the one kept library that does this in Rust gives no bends, so that its lines pass behind boxes,
//! and takes more than linear time. Everything is bounded: lines that would need too many bends go straight.

use std::cmp::Ordering;

/// How many bends all lines may have together.
const MOST_BENDS: usize = 4_000;
/// Between two layers: here the lines turn. Where many turn it is wider, so that they can be told apart.
const LAYER_GAP: f64 = 64.0;
const LAYER_GAP_FOR_A_LINE: f64 = 1.5;
const WIDEST_LAYER_GAP: f64 = 200.0;
/// Between two boxes of a layer.
const BOX_GAP: f64 = 18.0;
/// Between two lines that pass a layer, or a line and a box.
const LINE_GAP: f64 = 10.0;
/// Between two pieces.
const PIECE_GAP: f64 = 36.0;
/// How often the order is improved, and the places are.
const SWEEPS: usize = 12;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Size {
    pub(super) width: f64,
    pub(super) height: f64,
}

/// A box: its upper left corner and its size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Place {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) size: Size,
    /// By the position of the box.
    pub(super) places: Vec<Place>,
    /// By the position of the edge: from the left side of the box that needs to the right side of the one that is needed.
    /// Between them come pairs of points, between which the line is level.
    pub(super) lines: Vec<Vec<Point>>,
}

/// Lays out boxes of these sizes and edges from a box to one that it needs. `breadth` is what the picture may have
/// without need.
pub(super) fn layout(sizes: &[Size], edges: &[(usize, usize)], breadth: f64) -> Layout {
    let mut pieces: Vec<Piece> = components(sizes.len(), edges)
        .into_iter()
        .map(|(boxes, edges_of)| Piece::new(sizes, edges, boxes, edges_of))
        .collect();
    // The tallest first: so the shelves are filled well. The order of the boxes decides between equals.
    pieces.sort_by(|a, b| b.size.height.total_cmp(&a.size.height).then_with(|| a.boxes.cmp(&b.boxes)));
    let widest = pieces.iter().map(|piece| piece.size.width).fold(breadth, f64::max);
    let mut places = vec![Place { x: 0.0, y: 0.0, width: 0.0, height: 0.0 }; sizes.len()];
    let mut lines = vec![Vec::new(); edges.len()];
    let (mut x, mut y, mut shelf) = (0.0_f64, 0.0_f64, 0.0_f64);
    let mut size = Size { width: 0.0, height: 0.0 };
    for piece in pieces {
        if x > 0.0 && x + piece.size.width > widest {
            (x, y, shelf) = (0.0, y + shelf + PIECE_GAP, 0.0);
        }
        for (at, place) in piece.boxes.iter().zip(&piece.places) {
            places[*at] = Place { x: place.x + x, y: place.y + y, ..*place };
        }
        for (at, line) in piece.edges.iter().zip(piece.lines) {
            lines[*at] = line.into_iter().map(|point| Point { x: point.x + x, y: point.y + y }).collect();
        }
        size = Size {
            width: size.width.max(x + piece.size.width),
            height: size.height.max(y + piece.size.height),
        };
        shelf = shelf.max(piece.size.height);
        x += piece.size.width + PIECE_GAP;
    }
    Layout { size, places, lines }
}

/// The pieces that nothing connects: the boxes and the edges of each, in order.
fn components(boxes: usize, edges: &[(usize, usize)]) -> Vec<(Vec<usize>, Vec<usize>)> {
    let mut sets = petgraph::unionfind::UnionFind::<usize>::new(boxes);
    for &(from, to) in edges {
        sets.union(from, to);
    }
    let label = sets.into_labeling();
    let mut at = vec![None; boxes];
    let mut pieces: Vec<(Vec<usize>, Vec<usize>)> = Vec::new();
    for (one, &label) in label.iter().enumerate() {
        let piece = *at[label].get_or_insert_with(|| {
            pieces.push(Default::default());
            pieces.len() - 1
        });
        pieces[piece].0.push(one);
    }
    for (edge, (from, _)) in edges.iter().enumerate() {
        if let Some(piece) = at[label[*from]] {
            pieces[piece].1.push(edge);
        }
    }
    pieces
}

/// A piece, laid out by itself.
struct Piece {
    /// Which boxes and edges these are.
    boxes: Vec<usize>,
    edges: Vec<usize>,
    size: Size,
    places: Vec<Place>,
    lines: Vec<Vec<Point>>,
}

impl Piece {
    fn new(sizes: &[Size], edges: &[(usize, usize)], boxes: Vec<usize>, edges_of: Vec<usize>) -> Self {
        let mut own = vec![0; boxes.last().map_or(0, |last| last + 1)];
        for (position, at) in boxes.iter().enumerate() {
            own[*at] = position;
        }
        let edges: Vec<(usize, usize)> =
            edges_of.iter().map(|at| (own[edges[*at].0], own[edges[*at].1])).collect();
        let heights: Vec<f64> = boxes.iter().map(|at| sizes[*at].height).collect();
        let mut layers = Layers::new(&heights, &edges);
        layers.reorder();
        layers.settle();
        // The columns, each as wide as its widest box.
        let mut columns = vec![0.0_f64; layers.order.len()];
        for (at, one) in boxes.iter().enumerate() {
            let column = &mut columns[layers.layer[at]];
            *column = column.max(sizes[*one].width);
        }
        let mut lefts = Vec::with_capacity(columns.len());
        let mut right = 0.0;
        for (layer, width) in columns.iter().enumerate() {
            if layer > 0 {
                let turning = layers.order[layer].iter().map(|vertex| layers.left[*vertex].len()).sum();
                right += (LAYER_GAP + to_f64(turning) * LAYER_GAP_FOR_A_LINE).min(WIDEST_LAYER_GAP);
            }
            lefts.push(right);
            right += width;
        }
        let top = layers.tops().fold(f64::INFINITY, f64::min);
        let bottom = layers.bottoms().fold(f64::NEG_INFINITY, f64::max);
        let middle = |vertex: usize| layers.middles[vertex] - top;
        let places: Vec<Place> = (0..boxes.len())
            .map(|at| Place {
                x: lefts[layers.layer[at]],
                y: middle(at) - heights[at] / 2.0,
                width: columns[layers.layer[at]],
                height: heights[at],
            })
            .collect();
        let lines = edges
            .iter()
            .zip(&layers.bends)
            .map(|(&(from, to), bends)| {
                let mut line = vec![Point { x: places[from].x, y: middle(from) }];
                for &bend in bends {
                    let (left, y) = (lefts[layers.layer[bend]], middle(bend));
                    line.push(Point { x: left + columns[layers.layer[bend]], y });
                    line.push(Point { x: left, y });
                }
                line.push(Point { x: places[to].x + places[to].width, y: middle(to) });
                line
            })
            .collect();
        let size = Size { width: right, height: (bottom - top).max(0.0) };
        Self { boxes, edges: edges_of, size, places, lines }
    }
}

/// The boxes of a piece, and the bends of its lines, in layers. Both are vertices: first the boxes, then the bends.
struct Layers {
    /// By vertex: its layer, its height, and where its middle is.
    layer: Vec<usize>,
    heights: Vec<f64>,
    middles: Vec<f64>,
    boxes: usize,
    /// By edge: its bends, from the box that needs to the one that is needed.
    bends: Vec<Vec<usize>>,
    /// By vertex: its neighbours in the layer to the left, and in that to the right.
    left: Vec<Vec<usize>>,
    right: Vec<Vec<usize>>,
    /// By layer: its vertices from top to bottom.
    order: Vec<Vec<usize>>,
}

impl Layers {
    fn new(heights: &[f64], edges: &[(usize, usize)]) -> Self {
        let boxes = heights.len();
        let mut layer = layers(boxes, edges);
        let mut heights = heights.to_vec();
        let mut bends = Vec::with_capacity(edges.len());
        let mut left = vec![Vec::new(); boxes];
        let mut right = vec![Vec::new(); boxes];
        for &(from, to) in edges {
            let mut own = Vec::new();
            let span = layer[from].saturating_sub(layer[to]);
            if span == 0 || heights.len() - boxes + span > MOST_BENDS {
                // Part of a circle, or one line too many: it goes straight, and orders nothing.
                bends.push(own);
                continue;
            }
            let mut before = from;
            for between in (layer[to] + 1..layer[from]).rev() {
                let bend = heights.len();
                layer.push(between);
                heights.push(0.0);
                left.push(Vec::new());
                right.push(vec![before]);
                left[before].push(bend);
                own.push(bend);
                before = bend;
            }
            left[before].push(to);
            right[to].push(before);
            bends.push(own);
        }
        let mut order = vec![Vec::new(); layer.iter().max().map_or(0, |last| last + 1)];
        for (vertex, layer) in layer.iter().enumerate() {
            order[*layer].push(vertex);
        }
        let middles = vec![0.0; heights.len()];
        Self { layer, heights, middles, boxes, bends, left, right, order }
    }

    /// Puts the vertices of each layer into an order with few crossings.
    fn reorder(&mut self) {
        let mut position = vec![0; self.heights.len()];
        self.note(&mut position);
        let mut best = (self.crossings(&position), self.order.clone());
        for sweep in 0..SWEEPS {
            if best.0 == 0 {
                break;
            }
            let leftward = sweep.is_multiple_of(2);
            let layers: Vec<usize> = if leftward {
                (0..self.order.len()).collect()
            } else {
                (0..self.order.len()).rev().collect()
            };
            for at in layers {
                let neighbours = if leftward { &self.left } else { &self.right };
                let mean = |vertex: usize| {
                    let of = &neighbours[vertex];
                    if of.is_empty() {
                        return to_f64(position[vertex]);
                    }
                    of.iter().map(|other| to_f64(position[*other])).sum::<f64>() / to_f64(of.len())
                };
                let mut keyed: Vec<(f64, usize)> =
                    self.order[at].iter().map(|vertex| (mean(*vertex), *vertex)).collect();
                keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
                self.order[at] = keyed.into_iter().map(|(_, vertex)| vertex).collect();
                for (place, vertex) in self.order[at].iter().enumerate() {
                    position[*vertex] = place;
                }
            }
            let crossings = self.crossings(&position);
            if crossings < best.0 {
                best = (crossings, self.order.clone());
            }
        }
        self.order = best.1;
    }

    fn note(&self, position: &mut [usize]) {
        for layer in &self.order {
            for (place, vertex) in layer.iter().enumerate() {
                position[*vertex] = place;
            }
        }
    }

    /// How many pairs of lines cross between neighbouring layers: inversions, counted with a tree of sums.
    fn crossings(&self, position: &[usize]) -> usize {
        let mut crossings = 0;
        for layer in self.order.windows(2) {
            let [on_left, on_right] = layer else { continue };
            let mut sums = vec![0_usize; on_left.len() + 1];
            let mut seen = 0;
            for vertex in on_right {
                let mut ends: Vec<usize> = self.left[*vertex].iter().map(|other| position[*other]).collect();
                ends.sort_unstable();
                for end in &ends {
                    // Those before that end further down.
                    let (mut at, mut above) = (end + 1, 0);
                    while at > 0 {
                        above += sums[at];
                        at &= at - 1;
                    }
                    crossings += seen - above;
                }
                for end in ends {
                    let mut at = end + 1;
                    while at < sums.len() {
                        sums[at] += 1;
                        at += at & at.wrapping_neg();
                    }
                    seen += 1;
                }
            }
        }
        crossings
    }

    /// Gives each vertex its place: near its neighbours, in the order of its layer, with enough room between.
    fn settle(&mut self) {
        for at in 0..self.order.len() {
            let wanted = vec![0.0; self.order[at].len()];
            self.place(at, &wanted);
        }
        let last = self.order.len().saturating_sub(1);
        for sweep in 0..SWEEPS {
            for step in 0..=last {
                let at = if sweep.is_multiple_of(2) { step } else { last - step };
                let wanted: Vec<f64> =
                    self.order[at].iter().map(|vertex| self.wanted(*vertex, sweep)).collect();
                self.place(at, &wanted);
            }
        }
    }

    /// Where a vertex would be if it were alone: between those on one side, in the end between all of them. A bend goes
    /// with the line.
    fn wanted(&self, vertex: usize, sweep: usize) -> f64 {
        let (first, second) =
            if sweep.is_multiple_of(2) { (&self.left, &self.right) } else { (&self.right, &self.left) };
        let mean = |of: &[usize]| of.iter().map(|other| self.middles[*other]).sum::<f64>() / to_f64(of.len());
        match (first[vertex].is_empty(), second[vertex].is_empty()) {
            (true, true) => self.middles[vertex],
            (false, true) => mean(&first[vertex]),
            (true, false) => mean(&second[vertex]),
            (false, false) if sweep + 2 < SWEEPS => mean(&first[vertex]),
            (false, false) => f64::midpoint(mean(&first[vertex]), mean(&second[vertex])),
        }
    }

    /// Puts a layer as near to the wanted places as order and room allow: the least sum of squares, found by pooling
    /// neighbours that want to pass each other.
    fn place(&mut self, layer: usize, wanted: &[f64]) {
        let vertices = &self.order[layer];
        let mut offsets = Vec::with_capacity(vertices.len());
        let mut offset = 0.0;
        for (position, vertex) in vertices.iter().enumerate() {
            if let Some(before) = position.checked_sub(1).map(|before| vertices[before]) {
                let gap = if *vertex < self.boxes && before < self.boxes { BOX_GAP } else { LINE_GAP };
                offset += self.heights[before] / 2.0 + gap + self.heights[*vertex] / 2.0;
            }
            offsets.push(offset);
        }
        // Blocks of vertices that touch: where they want to be together, how many they are.
        let mut blocks: Vec<(f64, usize)> = Vec::new();
        for (wanted, offset) in wanted.iter().zip(&offsets) {
            let mut block = (wanted - offset, 1_usize);
            while let Some(&(before, many)) = blocks.last() {
                if before.total_cmp(&block.0) == Ordering::Less {
                    break;
                }
                blocks.pop();
                let together = many + block.1;
                block = ((before * to_f64(many) + block.0 * to_f64(block.1)) / to_f64(together), together);
            }
            blocks.push(block);
        }
        let starts = blocks.iter().flat_map(|(start, many)| std::iter::repeat_n(*start, *many));
        for ((vertex, offset), start) in self.order[layer].iter().zip(offsets).zip(starts) {
            self.middles[*vertex] = start + offset;
        }
    }

    fn tops(&self) -> impl Iterator<Item = f64> + '_ {
        self.middles.iter().zip(&self.heights).map(|(middle, height)| middle - height / 2.0)
    }

    fn bottoms(&self) -> impl Iterator<Item = f64> + '_ {
        self.middles.iter().zip(&self.heights).map(|(middle, height)| middle + height / 2.0)
    }
}

/// The layer of each box: right of all that it needs, by the longest path. What needs nothing stands next to what needs
/// it, so that lines are short. What is part of a circle stays where it is first.
fn layers(boxes: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let mut needed_by = vec![Vec::new(); boxes];
    let mut waits_for = vec![0_usize; boxes];
    for &(from, to) in edges {
        needed_by[to].push(from);
        waits_for[from] += 1;
    }
    let needs_nothing: Vec<usize> = (0..boxes).filter(|at| waits_for[*at] == 0).collect();
    let mut layer = vec![0_usize; boxes];
    let mut order = needs_nothing.clone();
    let mut next = 0;
    while let Some(&at) = order.get(next) {
        next += 1;
        for &dependent in &needed_by[at] {
            layer[dependent] = layer[dependent].max(layer[at] + 1);
            waits_for[dependent] -= 1;
            if waits_for[dependent] == 0 {
                order.push(dependent);
            }
        }
    }
    for at in needs_nothing {
        let nearest = needed_by[at].iter().map(|dependent| layer[*dependent]).min();
        layer[at] = nearest.map_or(0, |nearest| nearest.saturating_sub(1));
    }
    layer
}

/// Positions and counts of a picture are small.
#[expect(clippy::cast_precision_loss, reason = "no picture has so many boxes")]
fn to_f64(number: usize) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SIZE: Size = Size { width: 100.0, height: 40.0 };

    fn overlap(a: &Place, b: &Place) -> bool {
        a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height
    }

    #[test]
    fn what_is_needed_stands_left_of_what_needs_it_and_a_long_line_goes_round_what_is_between() {
        let layout = layout(&[SIZE; 3], &[(0, 1), (1, 2), (0, 2)], 0.0);
        assert!(layout.places[2].x < layout.places[1].x && layout.places[1].x < layout.places[0].x);
        let between = layout.places[1];
        let [_, enters, leaves, _] = layout.lines[2].as_slice() else { panic!("one bend") };
        assert_eq!((enters.x, leaves.x), (between.x + between.width, between.x));
        assert!(enters.y < between.y || enters.y > between.y + between.height);
        assert_eq!(layout.lines[0].len(), 2);
    }

    #[test]
    fn lines_that_can_be_without_a_crossing_are() {
        // Two by two, given crosswise.
        let layout = layout(&[SIZE; 5], &[(0, 3), (1, 2), (4, 0), (4, 1)], 0.0);
        let y = |at: usize| layout.places[at].y;
        assert_eq!(y(0) < y(1), y(3) < y(2));
    }

    #[test]
    fn a_circle_is_drawn_and_not_followed_for_ever() {
        let layout = layout(&[SIZE; 3], &[(0, 1), (1, 2), (2, 0)], 0.0);
        assert!(layout.lines.iter().all(|line| line.len() >= 2));
    }

    proptest! {
        #[test]
        fn boxes_never_overlap_and_everything_is_inside(
            edges in proptest::collection::vec((0_usize..40, 0_usize..40), 0..120),
            tall in proptest::collection::vec(20.0_f64..80.0, 40),
        ) {
            let edges: Vec<(usize, usize)> = edges
                .into_iter()
                .filter(|(a, b)| a != b)
                .map(|(a, b)| (a.max(b), a.min(b)))
                .collect();
            let sizes: Vec<Size> = tall.iter().map(|height| Size { width: 100.0, height: *height }).collect();
            let layout = layout(&sizes, &edges, 800.0);
            for (at, one) in layout.places.iter().enumerate() {
                prop_assert!(one.x >= 0.0 && one.y >= -0.001);
                prop_assert!(one.x + one.width <= layout.size.width + 0.001);
                prop_assert!(one.y + one.height <= layout.size.height + 0.001);
                for other in &layout.places[at + 1..] {
                    prop_assert!(!overlap(one, other), "{one:?} {other:?}");
                }
            }
            for ((from, to), line) in edges.iter().zip(&layout.lines) {
                prop_assert!(layout.places[*to].x < layout.places[*from].x);
                // No bend is inside a box: the line is level there, and stands off.
                for point in &line[1..line.len() - 1] {
                    let hits = |place: &Place| {
                        point.x >= place.x && point.x <= place.x + place.width
                            && point.y > place.y && point.y < place.y + place.height
                    };
                    prop_assert!(!layout.places.iter().any(hits));
                }
            }
        }
    }
}
