//! Classes with two readings: operators and classes inside of them for the `regex` crate, mere characters for Python.
//!
//! Whoever wrote `[[:alpha:]]` or `[a-z&&[^x]]` meant the former, and Python warns of them: they are refused. A class that the
//! crate cannot read, such as `[(\[{]`, has one reading.

use regex_syntax::ast::parse::Parser;
use regex_syntax::ast::{ClassSetBinaryOp, ClassSetItem, Visitor, visit};

use super::{Refused, refused};

const HELP: &str =
    "put a backslash before it if the character itself is meant, as in `[a\\[b]` or `[a\\&&b]`";

/// Whether no class has two readings.
///
/// # Errors
/// One has.
pub(super) fn check(pattern: &str) -> Result<(), Refused> {
    match Parser::new().parse(pattern) {
        Ok(ast) => visit(&ast, Classes),
        Err(_) => Ok(()),
    }
}

struct Classes;

impl Visitor for Classes {
    type Output = ();
    type Err = Refused;

    fn finish(self) -> Result<(), Refused> {
        Ok(())
    }

    fn visit_class_set_item_pre(&mut self, item: &ClassSetItem) -> Result<(), Refused> {
        match item {
            ClassSetItem::Bracketed(_) | ClassSetItem::Ascii(_) => refused("a class stands in a class", HELP),
            ClassSetItem::Empty(_)
            | ClassSetItem::Literal(_)
            | ClassSetItem::Range(_)
            | ClassSetItem::Unicode(_)
            | ClassSetItem::Perl(_)
            | ClassSetItem::Union(_) => Ok(()),
        }
    }

    fn visit_class_set_binary_op_pre(&mut self, _operator: &ClassSetBinaryOp) -> Result<(), Refused> {
        refused("`&&`, `--` or `~~` stands in a class", HELP)
    }
}
