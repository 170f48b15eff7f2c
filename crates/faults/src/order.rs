//! The text of `ELSPETH_FAULT`.

use std::io;
use std::path::PathBuf;

use rustix::io::Errno;

use crate::{Call, Point};

/// What is to happen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Order {
    pub(crate) kill: Option<(Point, u64)>,
    pub(crate) stop: Option<(Point, u64)>,
    pub(crate) fail: Option<Failing>,
    pub(crate) count: Option<PathBuf>,
}

/// Which call fails, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failing {
    pub(crate) nth: u64,
    pub(crate) fault: Fault,
    /// Only calls of this kind are counted; all of them, when there is none.
    pub(crate) call: Option<Call>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    NoSpace,
    Io,
    ReadOnly,
    Short,
}

impl Fault {
    const NAMES: [(&str, Self); 4] =
        [("enospc", Self::NoSpace), ("eio", Self::Io), ("erofs", Self::ReadOnly), ("short", Self::Short)];

    pub(crate) fn is_short(self) -> bool {
        self == Self::Short
    }

    /// Of a call that writes nothing.
    pub(crate) fn error(self) -> io::Error {
        match self {
            Self::NoSpace => Errno::NOSPC.into(),
            Self::ReadOnly => Errno::ROFS.into(),
            Self::Io | Self::Short => Errno::IO.into(),
        }
    }

    pub(crate) fn error_of_write(self) -> io::Error {
        if self.is_short() { Errno::NOSPC.into() } else { self.error() }
    }
}

impl Order {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut order = Self::default();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            match part.split(':').collect::<Vec<_>>().as_slice() {
                ["kill", point, nth] => order.kill = Some((point_of(point)?, number(nth)?)),
                ["stop", point, nth] => order.stop = Some((point_of(point)?, number(nth)?)),
                ["io", nth, fault] => order.fail = Some(failing(nth, fault, None)?),
                ["io", nth, fault, call] => order.fail = Some(failing(nth, fault, Some(call))?),
                ["count", file] => order.count = Some(file.into()),
                _ => {
                    return Err(format!(
                        "`{part}` is none of kill:<point>:<nth>, stop:<point>:<nth>, io:<nth>:<fault>[:<call>], count:<file>"
                    ));
                }
            }
        }
        Ok(order)
    }
}

fn failing(nth: &str, fault: &str, call: Option<&str>) -> Result<Failing, String> {
    let fault = Fault::NAMES.iter().find(|(name, _)| *name == fault).map(|(_, fault)| *fault);
    let call = call.map(|name| {
        Call::ALL.iter().copied().find(|call| call.name() == name).ok_or(format!("there is no call `{name}`"))
    });
    Ok(Failing {
        nth: number(nth)?,
        fault: fault.ok_or("faults are enospc, eio, erofs and short".to_owned())?,
        call: call.transpose()?,
    })
}

fn point_of(name: &str) -> Result<Point, String> {
    Point::named(name).ok_or_else(|| format!("there is no point `{name}`"))
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| format!("`{text}` is no number from 1"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Act;

    #[test]
    fn orders_are_read_and_others_refused() {
        let both = Order::parse("kill:before-seal:2,count:f/x.log").unwrap();
        assert_eq!(both.kill, Some((Point::Before(Act::Seal), 2)));
        assert_eq!(both.count, Some("f/x.log".into()));
        let stopped = Order::parse("stop:after-commit-ab:3").unwrap();
        assert_eq!((stopped.stop, stopped.kill), (Some((Point::After(Act::CommitAb), 3)), None));
        let failing = |nth, fault, call| Some(Failing { nth, fault, call });
        assert_eq!(Order::parse("io:7:short").unwrap().fail, failing(7, Fault::Short, None));
        assert_eq!(Order::parse("io:1:eio:sync").unwrap().fail, failing(1, Fault::Io, Some(Call::Sync)));
        assert_eq!(Order::parse("").unwrap(), Order::default());
        for wrong in [
            "kill:before-seal",
            "kill:seal:1",
            "kill:before-seal:0",
            "io:x:eio",
            "io:1:eperm",
            "io:1:eio:stat",
            "off",
        ] {
            assert!(Order::parse(wrong).is_err(), "{wrong}");
        }
    }
}
