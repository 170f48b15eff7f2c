//! Where things stand on a screen of a certain size.

use ratatui::layout::{Position, Rect, Size};

/// From this width on, the details stand beside the tree.
const WIDE: u16 = 72;
/// From this height of both on, they stand below it.
const HIGH: u16 = 18;
/// The widest that the tree gets, beside the details.
const WIDEST_TREE: u16 = 64;

/// Which part the keys move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Focus {
    Tree,
    Details,
}

/// A part of the screen with a title above it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Pane {
    pub(super) title: Rect,
    pub(super) body: Rect,
}

/// Everything; a part without a place has no columns or no rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Areas {
    pub(super) header: Rect,
    pub(super) tree: Pane,
    pub(super) details: Pane,
    /// Both, for what takes the place of both.
    pub(super) whole: Pane,
    pub(super) footer: Rect,
}

/// The places on a screen; where there is room for one part only, it is the one that has the focus.
pub(super) fn areas(size: Size, focus: Focus) -> Areas {
    let screen = Rect::from((Position::ORIGIN, size));
    let (header, rest) = rows(screen, u16::from(screen.height > 3));
    let (middle, footer) = rows(rest, rest.height - u16::from(rest.height > 1));
    let whole = pane(middle);
    let (tree, details) = if middle.width >= WIDE {
        let width = (middle.width / 20 * 9).min(WIDEST_TREE);
        let (left, right) = columns(middle, width);
        (pane(left), beside(right))
    } else if middle.height >= HIGH {
        let (above, below) = rows(middle, middle.height / 2);
        (pane(above), pane(below))
    } else {
        match focus {
            Focus::Tree => (whole, Pane::default()),
            Focus::Details => (Pane::default(), whole),
        }
    };
    Areas { header, tree, details, whole, footer }
}

fn pane(area: Rect) -> Pane {
    let (title, body) = rows(area, u16::from(area.height > 1));
    Pane { title, body }
}

/// With a column before it for the line between the two.
fn beside(area: Rect) -> Pane {
    let Pane { title, body } = pane(area);
    Pane { title, body: columns(body, 2.min(body.width)).1 }
}

fn rows(area: Rect, first: u16) -> (Rect, Rect) {
    let first = first.min(area.height);
    let rest = Rect { y: area.y + first, height: area.height - first, ..area };
    (Rect { height: first, ..area }, rest)
}

fn columns(area: Rect, first: u16) -> (Rect, Rect) {
    let first = first.min(area.width);
    let rest = Rect { x: area.x + first, width: area.width - first, ..area };
    (Rect { width: first, ..area }, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_screens_show_the_part_that_has_the_focus() {
        for (width, height, tree, details) in [
            (80, 24, (36, 21), (42, 21)),
            (60, 30, (60, 13), (60, 13)),
            (40, 10, (40, 7), (0, 0)),
            (1, 1, (1, 1), (0, 0)),
        ] {
            let areas = areas(Size { width, height }, Focus::Tree);
            let size = |pane: Pane| (pane.body.width, pane.body.height);
            assert_eq!((size(areas.tree), size(areas.details)), (tree, details), "{width}x{height}");
        }
        let areas = areas(Size { width: 40, height: 10 }, Focus::Details);
        assert_eq!((areas.tree.body.width, areas.details.body.width), (0, 40));
    }
}
