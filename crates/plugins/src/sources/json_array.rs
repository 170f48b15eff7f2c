//! The elements of a JSON array, one at a time, and what is around the array.

use elspeth_plugin::{SourceError, SourceItem};
use serde::{Deserialize, Serialize};

use super::json_parse::parse_string;
use super::json_record::{RecordBorder, malformed, too_long};
use super::json_scan::{Extent, Stop, next_byte, step_over, value_extent, value_in_sight};
use super::lines::{MAX_RECORD, beginning_of};
use super::text_input::TextInput;

/// How many keys an error lists.
const SHOWN_KEYS: usize = 20;

/// Where in the array the next read starts. Recorded in positions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ArrayReader {
    state: State,
    /// The key whose value the array is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data_key: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// Behind the opening bracket or an element.
    Element,
    /// Behind a comma.
    AfterComma,
    /// Behind the closing bracket.
    Behind,
    /// At the end.
    Done,
}

impl ArrayReader {
    /// Goes to the array's first element.
    ///
    /// # Errors
    /// There is no array where it should be.
    pub(crate) fn find(input: &mut TextInput, data_key: Option<&str>) -> Result<Self, SourceError> {
        let expected = if data_key.is_some() { b'{' } else { b'[' };
        match next_byte(input)? {
            Some(byte) if byte == expected => step_over(input, 1),
            found => return Err(no_array(input, found, data_key)),
        }
        if let Some(key) = data_key {
            find_key(input, key)?;
        }
        Ok(Self { state: State::Element, data_key: data_key.map(str::to_owned) })
    }

    /// The next record; `None` at the end of the file.
    pub(crate) fn next(
        &mut self,
        input: &mut TextInput,
        border: &mut RecordBorder,
    ) -> Result<Option<SourceItem>, SourceError> {
        match self.state {
            State::Done => Ok(None),
            State::Behind => {
                self.state = State::Done;
                self.check_rest(input)
            }
            State::Element | State::AfterComma => {
                let next = next_byte(input)?;
                let line = input.line();
                match next {
                    None => {
                        self.state = State::Done;
                        let why = "the array is not closed: the file ends inside of it";
                        Ok(Some(malformed(input.encoding(), b"", why, line)))
                    }
                    Some(b']') => {
                        step_over(input, 1);
                        if std::mem::replace(&mut self.state, State::Behind) == State::AfterComma {
                            let why = "there is no element between the last `,` and `]`";
                            return Ok(Some(malformed(input.encoding(), b"", why, line)));
                        }
                        self.next(input, border)
                    }
                    Some(_) => self.element(input, border, line).map(Some),
                }
            }
        }
    }

    /// Learns the keys of the first element without consuming it.
    pub(crate) fn look_ahead(
        &self,
        input: &mut TextInput,
        border: &mut RecordBorder,
    ) -> Result<(), SourceError> {
        if matches!(next_byte(input)?, None | Some(b']')) {
            return Ok(());
        }
        while input.rest().len() <= MAX_RECORD {
            if let Some(len) = value_in_sight(input, b",]") {
                border.look_at(&input.rest()[..len]);
                break;
            }
            input.fill()?;
        }
        Ok(())
    }

    fn element(
        &mut self,
        input: &mut TextInput,
        border: &mut RecordBorder,
        line: u64,
    ) -> Result<SourceItem, SourceError> {
        let (item, stop) = match value_extent(input, b",]")? {
            Extent::TooLong(beginning, length, stop) => {
                (too_long(input.encoding(), &beginning, length, line), stop)
            }
            Extent::Whole(len, stop) => {
                let text = input.rest()[..len].trim_ascii_end();
                let item = match stop {
                    Stop::EndOfFile { inside: true } => {
                        let why = "the array breaks off: the file ends inside of this element";
                        malformed(input.encoding(), text, why, line)
                    }
                    Stop::EndOfFile { inside: false } | Stop::At(_) => border.take(text, line),
                };
                step_over(input, len);
                (item, stop)
            }
        };
        self.state = match stop {
            Stop::At(b',') => {
                step_over(input, 1);
                State::AfterComma
            }
            Stop::EndOfFile { inside: true } => State::Done,
            // That the array is not closed is the next item.
            Stop::At(_) | Stop::EndOfFile { inside: false } => State::Element,
        };
        Ok(item)
    }

    /// What follows the array, if it is not what must follow.
    fn check_rest(&self, input: &mut TextInput) -> Result<Option<SourceItem>, SourceError> {
        let wrong = match &self.data_key {
            None => None,
            Some(key) => rest_of_object(input, key)?,
        };
        let why = match (wrong, next_byte(input)?) {
            (None, None) => return Ok(None),
            (None, Some(_)) => "there is more text behind the end of the data".to_owned(),
            (Some(wrong), _) => wrong,
        };
        let line = input.line();
        let (text, length) = take_rest(input)?;
        Ok(Some(match length == text.len() as u64 {
            true => malformed(input.encoding(), &text, why, line),
            false => malformed(
                input.encoding(),
                &text,
                format!("{why} ({length} bytes, of which the beginning is kept)"),
                line,
            ),
        }))
    }
}

/// Goes to the first element of the array that is the value of `key`; behind the object's opening bracket.
fn find_key(input: &mut TextInput, key: &str) -> Result<(), SourceError> {
    let mut seen = Vec::new();
    let mut next = next_byte(input)?;
    while next != Some(b'}') {
        let found = member_key(input)?.map_err(|why| unusable(input, &why))?;
        if found == key {
            return match next_byte(input)? {
                Some(b'[') => {
                    step_over(input, 1);
                    Ok(())
                }
                _ => Err(unusable(input, &format!("the value of `{key}` is not a list"))),
            };
        }
        seen.push(found);
        next = step_over_value(input)?;
        match next {
            Some(b',') => step_over(input, 1),
            Some(_) => {}
            None => return Err(unusable(input, "the file ends inside of the object")),
        }
    }
    let list = seen.iter().take(SHOWN_KEYS).map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
    let help =
        if seen.is_empty() { "it has no keys at all".to_owned() } else { format!("its keys are {list}") };
    Err(unusable(input, &format!("there is no key `{key}` for `data_key`")).with_help(help))
}

/// Steps over the rest of the object around the data; says what is wrong with it.
fn rest_of_object(input: &mut TextInput, key: &str) -> Result<Option<String>, SourceError> {
    let mut next = next_byte(input)?;
    while next == Some(b',') {
        step_over(input, 1);
        match member_key(input)? {
            Err(why) => return Ok(Some(why)),
            Ok(found) if found == key => return Ok(Some(format!("the key `{key}` is there twice"))),
            Ok(_) => next = step_over_value(input)?,
        }
    }
    if next != Some(b'}') {
        return Ok(Some("the object around the data is not closed".to_owned()));
    }
    step_over(input, 1);
    Ok(None)
}

/// Reads a key and steps over it and its colon; or says what is there instead.
fn member_key(input: &mut TextInput) -> Result<Result<String, String>, SourceError> {
    next_byte(input)?;
    let Extent::Whole(len, Stop::At(_)) = value_extent(input, b":,}")? else {
        return Ok(Err("expected a key and `:`".to_owned()));
    };
    let text = match std::str::from_utf8(&input.rest()[..len]) {
        Ok(text) => text.trim_ascii_end(),
        Err(_) => return Ok(Err("a key is not valid text".to_owned())),
    };
    let key = match parse_string(text) {
        Ok(key) if input.rest()[len] == b':' => key.into_string(),
        Ok(key) => return Ok(Err(format!("the key `{key}` has no value"))),
        Err(fault) => return Ok(Err(fault.message)),
    };
    step_over(input, len + 1);
    Ok(Ok(key))
}

/// Steps over a member's value; gives what follows it.
fn step_over_value(input: &mut TextInput) -> Result<Option<u8>, SourceError> {
    next_byte(input)?;
    let (len, stop) = match value_extent(input, b",}")? {
        Extent::Whole(len, stop) => (len, stop),
        Extent::TooLong(_, _, stop) => (0, stop),
    };
    step_over(input, len);
    Ok(match stop {
        Stop::At(byte) => Some(byte),
        Stop::EndOfFile { .. } => None,
    })
}

/// The text that is left, or only its beginning when it is too long; and its length.
fn take_rest(input: &mut TextInput) -> Result<(Vec<u8>, u64), SourceError> {
    while !input.is_exhausted() && input.rest().len() <= MAX_RECORD {
        input.fill()?;
    }
    let text = input.rest();
    let kept = if text.len() <= MAX_RECORD { text.trim_ascii_end() } else { beginning_of(text) };
    let kept = kept.to_vec();
    let mut length = if text.len() <= MAX_RECORD { kept.len() as u64 } else { text.len() as u64 };
    loop {
        let len = input.rest().len();
        step_over(input, len);
        if !input.fill()? {
            return Ok((kept, length));
        }
        length += input.rest().len() as u64;
    }
}

fn no_array(input: &TextInput, found: Option<u8>, data_key: Option<&str>) -> SourceError {
    match (found, data_key) {
        (None, _) => unusable(input, "it is empty").with_help("an array without elements is written `[]`"),
        (Some(b'{'), None) => unusable(input, "it begins with an object, not with a list").with_help(
            "name the key of the list in `data_key`, or choose `format: jsonl` for one object a line",
        ),
        (Some(b'['), Some(key)) => unusable(input, &format!("it is a list, so there is no key `{key}`"))
            .with_help("leave `data_key` out"),
        (Some(_), _) => unusable(input, "it does not begin with a list")
            .with_help("is it JSON? For one object a line choose `format: jsonl`"),
    }
}

fn unusable(input: &TextInput, why: &str) -> SourceError {
    SourceError::new(format!("cannot read `{}` (line {}): {why}", input.path().display(), input.line()))
}
