//! The height at which each item stands: near its neighbours, in the order of its column, without overlap.

use super::layout::{Item, ItemKind, Way};
use super::order::Links;

const SWEEPS: usize = 24;
const MARGIN: f64 = 28.0;

/// Sets `y` of every item.
pub(super) fn rows(items: &mut [Item], columns: &[Vec<usize>], ways: &[Way]) {
    let links = Links::new(ways, items.len());
    for column in columns {
        let mut y = 0.0;
        for i in column {
            items[*i].y = y + items[*i].height / 2.0;
            y += items[*i].height + gap(&items[*i]);
        }
    }
    for sweep in 0..SWEEPS {
        let forward = sweep % 2 == 0;
        let order: Vec<usize> =
            if forward { (0..columns.len()).collect() } else { (0..columns.len()).rev().collect() };
        for column in order {
            settle(items, &columns[column], &links);
        }
    }
    let top = items.iter().map(|i| i.y - i.height / 2.0).fold(f64::INFINITY, f64::min);
    for item in items {
        item.y += MARGIN - top;
    }
}

fn gap(item: &Item) -> f64 {
    match item.kind {
        ItemKind::Node { .. } => 22.0,
        ItemKind::Label(_) => 6.0,
        ItemKind::Bend => 10.0,
    }
}

/// Brings the items of one column as near as possible to the middle of their neighbours (least squares), keeping order and
/// distance: items that would overlap are pooled and moved as one, as in isotonic regression.
fn settle(items: &mut [Item], column: &[usize], links: &Links) {
    struct Pool {
        /// Sum of wishes, each less the item's offset from the top of the column.
        sum: f64,
        count: usize,
    }
    let mut pools: Vec<Pool> = Vec::new();
    let mut offsets = Vec::with_capacity(column.len());
    let mut offset = 0.0;
    for (index, i) in column.iter().enumerate() {
        if index > 0 {
            let above = &items[column[index - 1]];
            offset += above.height / 2.0 + gap(above).max(gap(&items[*i])) + items[*i].height / 2.0;
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
    let tops = pools.iter().flat_map(|pool| std::iter::repeat_n(pool.sum / pool.count as f64, pool.count));
    for ((i, offset), top) in column.iter().zip(offsets).zip(tops) {
        items[*i].y = top + offset;
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
        sum += items[*neighbour].y * share;
        weight += share;
    }
    if weight > 0.0 { sum / weight } else { items[item].y }
}
