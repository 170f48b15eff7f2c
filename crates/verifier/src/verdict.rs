//! What is found about one file, for people and for programs.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use elspeth_proof::{Checkpoint, Json, Vouched, printable};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// What is found about one file.
#[derive(Debug)]
pub(crate) struct Verdict {
    finding: Finding,
    /// Lines about what is proven.
    about: Vec<String>,
    /// The same for programs.
    fields: Vec<(&'static str, Json)>,
}

#[derive(Debug)]
enum Finding {
    /// All of it is proven.
    Ok,
    /// Why it cannot be told.
    Unknown(String),
    /// What is wrong.
    Refused(String),
}

impl Finding {
    const fn name(&self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unknown(_) => "unknown",
            Self::Refused(_) => "refused",
        }
    }

    fn reason(&self) -> Option<&str> {
        match self {
            Self::Ok => None,
            Self::Unknown(reason) | Self::Refused(reason) => Some(reason),
        }
    }
}

impl Verdict {
    /// Something in it is wrong.
    pub(crate) fn refused(reason: impl ToString) -> Self {
        Self { finding: Finding::Refused(reason.to_string()), about: Vec::new(), fields: Vec::new() }
    }

    /// Whether anything in it is wrong cannot be told.
    pub(crate) fn unknown(reason: impl ToString) -> Self {
        Self { finding: Finding::Unknown(reason.to_string()), about: Vec::new(), fields: Vec::new() }
    }

    /// It is sound in itself; `vouched` says whether it rests on the word of anybody whom the user named.
    pub(crate) fn sound(vouched: bool) -> Self {
        let nobody = "it fits its head, but nobody whom you named stands for that: give --key or --head";
        let finding = if vouched { Finding::Ok } else { Finding::Unknown(nobody.to_owned()) };
        Self { finding, about: Vec::new(), fields: Vec::new() }
    }

    /// Adds a line for people.
    pub(crate) fn line(mut self, line: impl Into<String>) -> Self {
        self.about.push(line.into());
        self
    }

    /// Adds a field for programs.
    pub(crate) fn field(mut self, name: &'static str, value: Json) -> Self {
        self.fields.push((name, value));
        self
    }

    pub(crate) const fn exit_code(&self) -> u8 {
        match self.finding {
            Finding::Ok => 0,
            Finding::Unknown(_) => 1,
            Finding::Refused(_) => 5,
        }
    }

    /// For people.
    pub(crate) fn text(&self, file: &Path) -> String {
        let mut text = format!("{}: {}", file.display(), self.finding.name());
        if let Some(reason) = self.finding.reason() {
            text.push_str(": ");
            text.push_str(&printable(reason));
        }
        text.push('\n');
        for line in &self.about {
            writeln!(text, "  {}", printable(line)).expect("writing to a text does not fail");
        }
        text
    }

    /// For programs: one line.
    pub(crate) fn json(&self, file: &Path) -> String {
        let mut fields =
            vec![("file", of_text(file.to_string_lossy())), ("result", of_text(self.finding.name()))];
        fields.extend(self.finding.reason().map(|reason| ("reason", of_text(reason))));
        fields.extend(self.fields.iter().cloned());
        object(fields).to_text() + "\n"
    }
}

/// Checks the text of a file, if it can be read.
pub(crate) fn of_file(file: &Path, check: impl FnOnce(&str) -> Verdict) -> Verdict {
    match fs::read(file).map(String::from_utf8) {
        Ok(Ok(text)) => check(&text),
        Ok(Err(_)) => Verdict::refused("it is not text"),
        Err(error) => Verdict::unknown(format!("it cannot be read: {error}")),
    }
}

pub(crate) fn of_text(text: impl Into<String>) -> Json {
    Json::Text(text.into())
}

pub(crate) fn object(fields: Vec<(&'static str, Json)>) -> Json {
    Json::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// A head, for people.
pub(crate) fn shown_head(head: &Checkpoint) -> String {
    format!("{} with {} entries", head.origin, head.size)
}

/// A head, for programs; its size as text where JSON cannot hold it.
pub(crate) fn of_head(head: &Checkpoint, vouched: &Vouched) -> Json {
    let size = Json::number(head.size).unwrap_or_else(|| of_text(head.size.to_string()));
    let mut fields =
        vec![("origin", of_text(&*head.origin)), ("size", size), ("root", of_text(head.root.to_string()))];
    match vouched {
        Vouched::Signed(names) => {
            fields.push(("signed_by", Json::List(names.iter().map(|name| of_text(&**name)).collect())));
        }
        Vouched::Remembered => fields.push(("remembered", Json::Flag(true))),
        Vouched::Nobody => {}
    }
    object(fields)
}

/// Who stands for a head, for people.
pub(crate) fn shown_vouched(vouched: &Vouched) -> String {
    match vouched {
        Vouched::Signed(names) => format!("signed by {}", names.join(", ")),
        Vouched::Remembered => "a head that you remembered".to_owned(),
        Vouched::Nobody => "nobody whom you named stands for this head".to_owned(),
    }
}

/// A time of the record, which is in microseconds since 1970.
pub(crate) fn shown_time(micros: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000);
    time.ok().and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_else(|| format!("{micros} µs since 1970"))
}
