//! The numbers of tokens, as the record's bytes hold them and as texts show them.

use core::fmt;

/// The bits of a token's number that tell it from others of the same row or release.
const ORDINAL_BITS: u32 = 20;
/// The bit (of what is left without the ordinal) that tells releases from rows.
const RELEASE: u64 = 1 << 35;

/// One instance of a row travelling one path: the row or release that it came from, and its number there. Shown as
/// `<row>.<ordinal>`, or `r<release>.<ordinal>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(u64);

impl Token {
    /// The token with that number in the record; `None` where no token can have it.
    #[must_use]
    pub const fn from_number(number: u64) -> Option<Self> {
        if number >> ORDINAL_BITS < 2 * RELEASE { Some(Self(number)) } else { None }
    }

    /// The token that a row is at first.
    #[must_use]
    pub const fn first_of(row: u64) -> Option<Self> {
        if row < RELEASE { Some(Self(row << ORDINAL_BITS)) } else { None }
    }

    /// The first token that a release can make.
    #[must_use]
    pub const fn first_released(release: u64) -> Option<Self> {
        if release < RELEASE { Some(Self((RELEASE | release) << ORDINAL_BITS)) } else { None }
    }

    /// Its number in the record.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The row from which it came, or which it is.
    #[must_use]
    pub const fn row(self) -> Option<u64> {
        let slot = self.0 >> ORDINAL_BITS;
        if slot < RELEASE { Some(slot) } else { None }
    }

    /// The release in which it was made.
    #[must_use]
    pub const fn release(self) -> Option<u64> {
        (self.0 >> ORDINAL_BITS).checked_sub(RELEASE)
    }

    /// Its number within that row or release.
    #[must_use]
    pub const fn ordinal(self) -> u64 {
        self.0 & ((1 << ORDINAL_BITS) - 1)
    }

    /// The token that is shown so; no other text is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (digits, origin) = match text.strip_prefix('r') {
            Some(digits) => (digits, RELEASE),
            None => (text, 0),
        };
        let (slot, ordinal) = digits.split_once('.')?;
        let slot = decimal(slot).filter(|slot| *slot < RELEASE)?;
        let ordinal = decimal(ordinal).filter(|ordinal| ordinal >> ORDINAL_BITS == 0)?;
        Some(Self((origin | slot) << ORDINAL_BITS | ordinal))
    }
}

fn decimal(text: &str) -> Option<u64> {
    let shortest = text == "0" || !text.starts_with(['0', '+']);
    text.parse().ok().filter(|_| shortest)
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.release() {
            None => write!(f, "{}.{}", self.0 >> ORDINAL_BITS, self.ordinal()),
            Some(release) => write!(f, "r{release}.{}", self.ordinal()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString as _;

    use super::*;

    #[test]
    fn a_token_has_one_text() {
        for (number, text) in [
            (0, "0.0"),
            (3 << 20 | 7, "3.7"),
            ((1 << 35) << 20, "r0.0"),
            ((1 << 35 | 12) << 20 | 1, "r12.1"),
            ((1 << 56) - 1, "r34359738367.1048575"),
        ] {
            let token = Token::from_number(number).unwrap();
            assert_eq!((token.to_string().as_str(), Token::parse(text)), (text, Some(token)));
        }
        for text in [
            "",
            "1",
            "1.",
            ".1",
            "01.0",
            "1.00",
            "+1.0",
            "1.+0",
            "1.1048576",
            "34359738368.0",
            "r-1.0",
            "R1.0",
            "1.0 ",
        ] {
            assert_eq!(Token::parse(text), None, "{text}");
        }
        assert_eq!(Token::from_number(1 << 56), None);
    }
}
