//! The order of items within each layer: as few crossings as a few sweeps find.

use super::layout::{Item, Way};

const SWEEPS: usize = 16;

/// Items by layer, in the order in which they were made.
pub(super) fn layers(items: &[Item], ways: &[Way]) -> Vec<Vec<usize>> {
    let count = items.iter().map(|i| i.layer + 1).max().unwrap_or(0);
    let mut layers = vec![Vec::new(); count];
    let mut seen = vec![false; items.len()];
    // Ways are ordered by their first node, which gives a good beginning: what belongs together stands together.
    for item in ways.iter().flat_map(|way| way.items.iter().copied()).chain(0..items.len()) {
        if !std::mem::replace(&mut seen[item], true) {
            layers[items[item].layer].push(item);
        }
    }
    layers
}

/// Sweeps back and forth, ordering each layer by the mean position of its items' neighbours; the best result stays.
pub(super) fn untangle(layers: &mut Vec<Vec<usize>>, ways: &[Way], count: usize) {
    let links = Links::new(ways, count);
    let mut position = vec![0.0; count];
    note_positions(layers, &mut position);
    let mut best = (links.crossings(layers, &position), layers.clone());
    for sweep in 0..SWEEPS {
        if best.0 == 0 {
            break;
        }
        let forward = sweep % 2 == 0;
        let order: Vec<usize> =
            if forward { (1..layers.len()).collect() } else { (0..layers.len()).rev().collect() };
        for layer in order {
            let neighbours = if forward { &links.before } else { &links.after };
            let wish = |item: usize| mean(&neighbours[item], &position).unwrap_or(position[item]);
            let mut wishes: Vec<(f64, usize)> = layers[layer].iter().map(|i| (wish(*i), *i)).collect();
            wishes.sort_by(|a, b| a.0.total_cmp(&b.0));
            layers[layer] = wishes.into_iter().map(|(_, item)| item).collect();
            note_layer(&layers[layer], &mut position);
        }
        let crossings = links.crossings(layers, &position);
        if crossings < best.0 {
            best = (crossings, layers.clone());
        }
    }
    *layers = best.1;
}

fn note_positions(layers: &[Vec<usize>], position: &mut [f64]) {
    for layer in layers {
        note_layer(layer, position);
    }
}

/// Positions run from 0 to 1, so that layers of different length compare.
fn note_layer(layer: &[usize], position: &mut [f64]) {
    for (index, item) in layer.iter().enumerate() {
        position[*item] = (index as f64 + 0.5) / layer.len() as f64;
    }
}

pub(super) fn mean(neighbours: &[usize], values: &[f64]) -> Option<f64> {
    let sum: f64 = neighbours.iter().map(|n| values[*n]).sum();
    (!neighbours.is_empty()).then(|| sum / neighbours.len() as f64)
}

/// Which items are joined, each pair once.
pub(super) struct Links {
    pub(super) before: Vec<Vec<usize>>,
    pub(super) after: Vec<Vec<usize>>,
}

impl Links {
    pub(super) fn new(ways: &[Way], count: usize) -> Self {
        let mut links = Self { before: vec![Vec::new(); count], after: vec![Vec::new(); count] };
        for way in ways {
            for pair in way.items.windows(2) {
                if !links.after[pair[0]].contains(&pair[1]) {
                    links.after[pair[0]].push(pair[1]);
                    links.before[pair[1]].push(pair[0]);
                }
            }
        }
        links
    }

    fn crossings(&self, layers: &[Vec<usize>], position: &[f64]) -> usize {
        layers.iter().map(|layer| self.crossings_after(layer, position)).sum()
    }

    /// Pairs of links that are in one order above and in the other below.
    fn crossings_after(&self, layer: &[usize], position: &[f64]) -> usize {
        let mut seen: Vec<f64> = Vec::new();
        let mut crossings = 0;
        for item in layer {
            let ends: Vec<f64> = self.after[*item].iter().map(|next| position[*next]).collect();
            for end in &ends {
                crossings += seen.len() - seen.partition_point(|other| other <= end);
            }
            for end in ends {
                let at = seen.partition_point(|other| *other <= end);
                seen.insert(at, end);
            }
        }
        crossings
    }
}
