//! Heads of an append-only log as C2SP defines them (<https://c2sp.org/tlog-checkpoint>): origin, size and root, as the text
//! of a note. Without extension lines: a head of the registry has none.

use alloc::string::{String, ToString as _};
use core::fmt;
use core::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

use crate::hash::Hash;

/// Why a text is not that of a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not the head of a log: expected the lines `<origin>`, `<size>` and `<base64 of the root>`")]
pub struct BadCheckpoint;

/// A log as it was at one time. Its text is `<origin>\n<size>\n<base64 of the root>\n`, and nothing else is read as one.
///
/// ```
/// use elspeth_proof::{Checkpoint, Digest, Note};
///
/// let head = Checkpoint { origin: "elspeth.registry/x".into(), size: 0, root: Digest::Sha256.empty() };
/// let text = head.to_string();
/// assert_eq!(text, "elspeth.registry/x\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n");
/// assert_eq!(text.parse::<Checkpoint>(), Ok(head));
/// assert!(Note::new(&text).is_ok());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: String,
    /// How many entries it had.
    pub size: u64,
    /// The root of their tree.
    pub root: Hash,
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, STANDARD.encode(self.root.as_bytes()))
    }
}

impl FromStr for Checkpoint {
    type Err = BadCheckpoint;

    fn from_str(text: &str) -> Result<Self, BadCheckpoint> {
        let mut lines = text.strip_suffix('\n').ok_or(BadCheckpoint)?.split('\n');
        let [Some(origin), Some(size), Some(root), None] = [(); 4].map(|()| lines.next()) else {
            return Err(BadCheckpoint);
        };
        let root = STANDARD.decode(root).ok().and_then(|bytes| bytes.try_into().ok()).ok_or(BadCheckpoint)?;
        let size = size.parse().map_err(|_| BadCheckpoint)?;
        let found = Self { origin: origin.to_string(), size, root: Hash::from_bytes(root) };
        // No signs and no leading zeros, no second base64 of the same bytes: the text is the only one.
        if !origin.is_empty() && found.to_string() == text { Ok(found) } else { Err(BadCheckpoint) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_one_text_is_read() {
        let root = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        let sound = format!("a log\n12\n{root}\n");
        assert_eq!(sound.parse::<Checkpoint>().unwrap().size, 12);
        for text in [
            format!("a log\n012\n{root}\n"),
            format!("a log\n+12\n{root}\n"),
            format!("a log\n-1\n{root}\n"),
            format!("a log\n18446744073709551616\n{root}\n"),
            format!("\n12\n{root}\n"),
            format!("a log\n12\n{root}"),
            format!("a log\n12\n{root}\nextension\n"),
            format!("a log\n12\n{root}\n\n"),
            format!("a log\n12\n{}\n", root.replace("FU=", "FV=")),
            format!("a log\n12\n{}\n", &root[4..]),
            "a log\n12\n".to_owned(),
            String::new(),
        ] {
            assert_eq!(text.parse::<Checkpoint>(), Err(BadCheckpoint), "{text}");
        }
    }
}
