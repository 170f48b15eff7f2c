//! How far to the right each item stands: near its neighbours, in the order of its layer, without overlap.

use super::layout::{Item, ItemKind, Way};
use super::order::Links;

const SWEEPS: usize = 24;
const MARGIN: f64 = 28.0;

/// Sets `x` of every item.
pub(super) fn across(items: &mut [Item], layers: &[Vec<usize>], ways: &[Way]) {
    let links = Links::new(ways, items.len());
    for layer in layers {
        let mut x = 0.0;
        for i in layer {
            items[*i].x = x + items[*i].width / 2.0;
            x += items[*i].width + gap(&items[*i]);
        }
    }
    for sweep in 0..SWEEPS {
        let forward = sweep % 2 == 0;
        let order: Vec<usize> =
            if forward { (0..layers.len()).collect() } else { (0..layers.len()).rev().collect() };
        for layer in order {
            settle(items, &layers[layer], &links);
        }
    }
    straighten(items, layers, &links);
    let left = items.iter().map(|i| i.x - i.width / 2.0).fold(f64::INFINITY, f64::min);
    for item in items {
        item.x += MARGIN - left;
    }
}

/// Makes long lines straight: as many bends in a row as have room at one place stand there.
fn straighten(items: &mut [Item], layers: &[Vec<usize>], links: &Links) {
    let room = rooms(items, layers);
    let is_bend = |items: &[Item], i: usize| matches!(items[i].kind, ItemKind::Bend);
    for first in 0..items.len() {
        let begins = is_bend(items, first) && !links.before[first].iter().any(|i| is_bend(items, *i));
        let mut next = begins.then_some(first);
        let mut straight: Vec<usize> = Vec::new();
        let mut common = (f64::NEG_INFINITY, f64::INFINITY);
        while let Some(bend) = next {
            let narrowed = (room[bend].0.max(common.0), room[bend].1.min(common.1));
            if narrowed.0 > narrowed.1 {
                align(items, &straight, common);
                straight.clear();
                common = room[bend];
            } else {
                common = narrowed;
            }
            straight.push(bend);
            next = links.after[bend].iter().copied().find(|i| is_bend(items, *i));
        }
        align(items, &straight, common);
    }
}

/// How far each item could move between its neighbours.
fn rooms(items: &[Item], layers: &[Vec<usize>]) -> Vec<(f64, f64)> {
    let mut rooms = vec![(f64::NEG_INFINITY, f64::INFINITY); items.len()];
    let distance = |a: &Item, b: &Item| a.width / 2.0 + gap(a).max(gap(b)) + b.width / 2.0;
    for pair in layers.iter().flat_map(|layer| layer.windows(2)) {
        let (left, right) = (&items[pair[0]], &items[pair[1]]);
        // Two bends share the room between them, for both may move.
        let both = matches!((&left.kind, &right.kind), (ItemKind::Bend, ItemKind::Bend));
        let (most_left, most_right) = if both {
            let middle = f64::midpoint(left.x, right.x);
            let half = distance(left, right) / 2.0;
            (middle + half, middle - half)
        } else {
            (left.x + distance(left, right), right.x - distance(left, right))
        };
        rooms[pair[1]].0 = most_left;
        rooms[pair[0]].1 = most_right;
    }
    rooms
}

fn align(items: &mut [Item], straight: &[usize], (low, high): (f64, f64)) {
    if straight.is_empty() {
        return;
    }
    let mean = straight.iter().map(|i| items[*i].x).sum::<f64>() / straight.len() as f64;
    for i in straight {
        items[*i].x = mean.min(high).max(low);
    }
}

fn gap(item: &Item) -> f64 {
    match item.kind {
        ItemKind::Node { .. } => 22.0,
        ItemKind::Label(_) => 6.0,
        ItemKind::Bend => 10.0,
    }
}

/// Brings the items of one layer as near as possible to the middle of their neighbours (least squares), keeping order and
/// distance: items that would overlap are pooled and moved as one, as in isotonic regression.
fn settle(items: &mut [Item], layer: &[usize], links: &Links) {
    struct Pool {
        /// Sum of wishes, each less the item's offset from the first of the layer.
        sum: f64,
        count: usize,
    }
    let mut pools: Vec<Pool> = Vec::new();
    let mut offsets = Vec::with_capacity(layer.len());
    let mut offset = 0.0;
    for (index, i) in layer.iter().enumerate() {
        if index > 0 {
            let before = &items[layer[index - 1]];
            offset += before.width / 2.0 + gap(before).max(gap(&items[*i])) + items[*i].width / 2.0;
        }
        offsets.push(offset);
        pools.push(Pool { sum: wish(items, *i, links) - offset, count: 1 });
        while let [.., a, b] = pools.as_slice()
            && a.sum / a.count as f64 > b.sum / b.count as f64
        {
            let merged = Pool { sum: a.sum + b.sum, count: a.count + b.count };
            pools.truncate(pools.len() - 2);
            pools.push(merged);
        }
    }
    let begins = pools.iter().flat_map(|pool| std::iter::repeat_n(pool.sum / pool.count as f64, pool.count));
    for ((i, offset), begin) in layer.iter().zip(offsets).zip(begins) {
        items[*i].x = begin + offset;
    }
}

fn wish(items: &[Item], item: usize, links: &Links) -> f64 {
    let (mut sum, mut weight) = (0.0, 0.0);
    for neighbour in links.before[item].iter().chain(&links.after[item]) {
        // Straight long lines and straight labels please the eye more than nodes in the exact middle.
        let share = match (&items[item].kind, &items[*neighbour].kind) {
            (ItemKind::Bend, ItemKind::Bend) => 8.0,
            (ItemKind::Label(_), ItemKind::Node { .. }) => 1.0,
            (ItemKind::Node { .. } | ItemKind::Label(_) | ItemKind::Bend, _) => 2.0,
        };
        sum += items[*neighbour].x * share;
        weight += share;
    }
    if weight > 0.0 { sum / weight } else { items[item].x }
}
