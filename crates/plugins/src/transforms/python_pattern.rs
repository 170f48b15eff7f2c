//! Regular expressions as Python's `re` reads them, in the words of the `regex` crate.
//!
//! The same text can mean different things to the two: `$` also stands before a last line's end in Python, `\<` is a mere `<`,
//! `&&` in a class is an ampersand. A pattern is translated so that it finds what Python finds, or refused: never searched in
//! another sense. What begins a match stays what it is; its end may differ by the newline that `$` looks past. Known to differ:
//! `\b` and `\B` take combining marks, connecting punctuation and circled letters for parts of words, and `²` and `½` for none.
//! Source: <https://docs.python.org/3/library/re.html#regular-expression-syntax>, and `Lib/re/_parser.py` of CPython.

mod one_letter;
mod set_operators;
mod text_end;

const LINEAR: &str = "patterns are searched in linear time, so look-around, back-references, possessive and atomic repetition are not available";

/// Why a pattern cannot be taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) why: String,
    pub(super) help: &'static str,
}

type Step = Result<(), Refused>;

/// The pattern for the `regex` crate.
///
/// # Errors
/// It means nothing to Python, or what cannot be said there.
pub(super) fn translate(pattern: &str) -> Result<String, Refused> {
    set_operators::check(pattern)?;
    let translator = Translator { rest: pattern, ..Translator::default() };
    let translated = translator.run()?;
    text_end::check(&translated)?;
    Ok(translated)
}

fn refused<T>(why: impl Into<String>, help: &'static str) -> Result<T, Refused> {
    Err(Refused { why: why.into(), help })
}

/// The flags that change how a pattern is read, and not only what it finds.
#[derive(Debug, Clone, Copy, Default)]
struct Flags {
    ignore_case: bool,
    multi_line: bool,
    verbose: bool,
}

#[derive(Debug, Default)]
struct Translator<'p> {
    rest: &'p str,
    out: String,
    flags: Flags,
    /// Of the groups that are open.
    outer: Vec<Flags>,
    /// Whether a repetition was read last.
    repeated: bool,
}

/// A member of a class.
enum Member {
    One(String),
    Several(String),
}

impl Translator<'_> {
    fn run(mut self) -> Result<String, Refused> {
        while let Some(c) = self.next() {
            match c {
                '#' if self.flags.verbose => self.skip_behind('\n'),
                ' ' | '\t'..='\r' if self.flags.verbose => {}
                '(' if self.rest.starts_with("?#") => self.skip_behind(')'),
                '*' | '+' | '?' => self.repeat(&c.to_string())?,
                '{' => self.braces()?,
                other => {
                    self.repeated = false;
                    self.atom(other)?;
                }
            }
        }
        Ok(self.out)
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    fn eat(&mut self, text: &str) -> bool {
        let found = self.rest.strip_prefix(text);
        self.rest = found.unwrap_or(self.rest);
        found.is_some()
    }

    /// So many characters at most, as long as they are of that kind.
    fn take(&mut self, most: usize, kind: impl Fn(char) -> bool) -> &str {
        let end = self.rest.chars().take(most).take_while(|c| kind(*c)).map(char::len_utf8).sum();
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn skip_behind(&mut self, end: char) {
        self.rest = self.rest.split_once(end).map_or("", |(_, rest)| rest);
    }

    fn atom(&mut self, c: char) -> Step {
        match c {
            '\\' => self.escape(),
            '[' => self.class(),
            '(' => self.group(),
            ')' => {
                self.flags = self.outer.pop().unwrap_or(self.flags);
                self.say(")")
            }
            '$' if !self.flags.multi_line => self.say(r"(?:\n?\z)"),
            '$' | '^' | '.' | '|' => self.say(&c.to_string()),
            other => self.one(&literal(other)),
        }
    }

    /// A character that stands for itself.
    fn one(&mut self, text: &str) -> Step {
        match one_letter::variants(text).filter(|_| self.flags.ignore_case) {
            Some(variants) => self.say(&format!("[{variants}]")),
            None => self.say(text),
        }
    }

    fn say(&mut self, text: &str) -> Step {
        self.out.push_str(text);
        Ok(())
    }

    fn repeat(&mut self, how: &str) -> Step {
        // Python takes no other repetition of a repetition.
        if self.repeated && how == "+" {
            return refused("`+` stands behind a repetition", LINEAR);
        }
        self.repeated = true;
        let lazy = if self.eat("?") { "?" } else { "" };
        self.say(&format!("{how}{lazy}"))
    }

    /// A counted repetition, or else a brace as such.
    fn braces(&mut self) -> Step {
        let counts = self.rest.split_once('}').filter(|(counts, _)| {
            let limits = counts.split_once(',').unwrap_or((counts, ""));
            let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
            !counts.is_empty() && digits(limits.0) && digits(limits.1)
        });
        let Some((counts, rest)) = counts else {
            self.repeated = false;
            return self.say(&literal('{'));
        };
        self.rest = rest;
        let least = if counts.starts_with(',') { "0" } else { "" };
        self.repeat(&format!("{{{least}{counts}}}"))
    }

    fn escape(&mut self) -> Step {
        let Some(c) = self.next() else {
            return refused("a backslash ends the pattern", "write two for one");
        };
        match c {
            'Z' => self.say(r"\z"),
            'A' | 'B' | 'b' | 'z' => self.say(&format!("\\{c}")),
            other => match self.member_of_escape(other, false)? {
                Member::One(text) => self.one(&text),
                Member::Several(set) => self.say(&format!("[{set}]")),
            },
        }
    }

    /// Ours: Python has no properties.
    fn property(&mut self, letter: char) -> Member {
        let name = if self.rest.starts_with('{') { self.through('}') } else { self.take(1, |_| true) };
        Member::Several(format!("\\{letter}{name}"))
    }

    fn through(&mut self, end: char) -> &str {
        let at = self.rest.find(end).map_or(self.rest.len(), |at| at + end.len_utf8());
        let (taken, rest) = self.rest.split_at(at);
        self.rest = rest;
        taken
    }

    /// What a backslash and that character stand for, whether in a class or not.
    fn member_of_escape(&mut self, c: char, in_class: bool) -> Result<Member, Refused> {
        Ok(match c {
            'd' => several(r"\d"),
            'D' => several(r"\D"),
            's' => several(r"\s\x1c-\x1f"),
            'S' => several(r"[^\s\x1c-\x1f]"),
            'w' => several(r"\p{L}\p{N}_"),
            'W' => several(r"[^\p{L}\p{N}_]"),
            'p' | 'P' => self.property(c),
            'b' if in_class => Member::One(r"\x08".to_owned()),
            'a' | 'f' | 'n' | 'r' | 't' | 'v' => Member::One(format!("\\{c}")),
            'x' => self.code(c, 2)?,
            'u' => self.code(c, 4)?,
            'U' => self.code(c, 8)?,
            '0'..='9' => self.number(c, in_class)?,
            'N' => {
                return refused(
                    r"`\N{...}` is not available",
                    "write the character itself, or its number: \\u2022",
                );
            }
            other if other.is_ascii_alphabetic() => {
                return refused(
                    format!("`\\{other}` means nothing here"),
                    "write the letter without the backslash",
                );
            }
            other => Member::One(literal(other)),
        })
    }

    /// A character by its number, in so many hexadecimal digits, or (ours) in braces.
    fn code(&mut self, letter: char, digits: usize) -> Result<Member, Refused> {
        if self.rest.starts_with('{') {
            return Ok(Member::One(format!("\\{letter}{}", self.through('}'))));
        }
        let number = self.take(digits, |c| c.is_ascii_hexdigit());
        if number.len() < digits {
            let why = format!("`\\{letter}` wants {digits} hexadecimal digits");
            return refused(why, "write leading zeros");
        }
        Ok(Member::One(format!("\\{letter}{number}")))
    }

    /// A character by its number in octal digits, unless the number is that of a group.
    fn number(&mut self, first: char, in_class: bool) -> Result<Member, Refused> {
        let more = self.take(2, |c| ('0'..='7').contains(&c));
        let octal = first == '0' || in_class || more.len() == 2;
        match u32::from_str_radix(&format!("{first}{more}"), 8) {
            Ok(code) if octal && code < 0o400 => Ok(Member::One(format!("\\x{code:02x}"))),
            _ => refused(format!("`\\{first}` is a back-reference, or no character"), LINEAR),
        }
    }

    fn class(&mut self) -> Step {
        let begin = if self.eat("^") { "[^" } else { "[" };
        let mut class = begin.to_owned();
        loop {
            let empty = class == begin;
            match self.next() {
                None => return refused("a class is not closed", "write `\\[` for the bracket itself"),
                Some(']') if !empty => break,
                Some(c) => self.member_or_range(c, &mut class)?,
            }
        }
        let variants = one_letter::variants(&class[begin.len()..]).filter(|_| self.flags.ignore_case);
        class.push_str(variants.unwrap_or_default());
        class.push(']');
        self.say(&class)
    }

    fn member_or_range(&mut self, c: char, class: &mut String) -> Step {
        let first = self.member(c)?;
        // A hyphen before the end is one.
        let range = self.rest.starts_with('-') && !self.rest.starts_with("-]") && self.rest.len() > 1;
        if !range {
            class.push_str(first.text());
            return Ok(());
        }
        self.eat("-");
        let Some(end) = self.next() else {
            return refused("a class is not closed", "write `\\-` for the hyphen itself");
        };
        let (Member::One(first), Member::One(last)) = (first, self.member(end)?) else {
            return refused("a range ends in what is many characters", "write `\\-` for the hyphen itself");
        };
        class.push_str(&format!("{first}-{last}"));
        Ok(())
    }

    fn member(&mut self, c: char) -> Result<Member, Refused> {
        if c != '\\' {
            return Ok(Member::One(literal(c)));
        }
        match self.next() {
            None => refused("a class is not closed", "write `\\\\` for the backslash itself"),
            Some(escaped) => self.member_of_escape(escaped, true),
        }
    }

    fn group(&mut self) -> Step {
        if !self.eat("?") {
            self.outer.push(self.flags);
            return self.say("(");
        }
        for (begin, what) in NOT_LINEAR {
            if self.rest.starts_with(begin) {
                return refused(format!("`(?{begin}` is {what}"), LINEAR);
            }
        }
        if self.rest.starts_with("P<") || self.rest.starts_with('<') {
            self.outer.push(self.flags);
            let name = format!("(?{}", self.through('>'));
            return self.say(&name);
        }
        self.flags()
    }

    /// `(?flags)` or `(?flags-flags:`. Blanks and comments are left out here, so that flag is not said.
    fn flags(&mut self) -> Step {
        let before = self.flags;
        let (mut said, mut on) = (String::new(), true);
        loop {
            match self.next() {
                None => return refused("a group is not closed", "write `\\(` for the parenthesis itself"),
                Some(end @ (':' | ')')) => return self.end_flags(end, before, &said),
                Some('-') => {
                    on = false;
                    said.push('-');
                }
                Some('x') => self.flags.verbose = on,
                Some('u') if on => {}
                Some(flag @ ('a' | 'L' | 'u')) => {
                    let why = format!("the flag `{flag}` is not available");
                    return refused(
                        why,
                        "leave it out: texts are Unicode; write [0-9A-Za-z_] for letters of ASCII",
                    );
                }
                Some(flag) => {
                    self.flags.multi_line = if flag == 'm' { on } else { self.flags.multi_line };
                    self.flags.ignore_case = if flag == 'i' { on } else { self.flags.ignore_case };
                    said.push(flag);
                }
            }
        }
    }

    fn end_flags(&mut self, end: char, before: Flags, said: &str) -> Step {
        let said = said.strip_suffix('-').unwrap_or(said);
        if end == ':' {
            self.outer.push(before);
        } else if said.is_empty() {
            return Ok(());
        }
        self.say(&format!("(?{said}{end}"))
    }
}

/// What begins so behind `(?`.
const NOT_LINEAR: [(&str, &str); 7] = [
    ("=", "a look ahead"),
    ("!", "a look ahead"),
    ("<=", "a look behind"),
    ("<!", "a look behind"),
    ("P=", "a back-reference"),
    ("(", "a condition"),
    (">", "an atomic group"),
];

impl Member {
    fn text(&self) -> &str {
        match self {
            Self::One(text) => text,
            Self::Several(set) => set,
        }
    }
}

fn several(set: &str) -> Member {
    Member::Several(set.to_owned())
}

/// A character that stands for itself.
fn literal(c: char) -> String {
    if c.is_ascii_punctuation() || c.is_ascii_whitespace() {
        format!("\\x{:02x}", u32::from(c))
    } else {
        c.to_string()
    }
}
