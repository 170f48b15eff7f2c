//! Stand-in until the value crate writes JSON.
use elspeth_canonical::{CanonicalError, compare_keys};
use elspeth_value::{Row, Value};

pub(crate) trait Json {
    fn write_json(&self, out: &mut Vec<u8>);
}
pub(crate) trait Canon {
    fn write_canonical(&self, out: &mut Vec<u8>) -> Result<(), CanonicalError>;
}
impl Json for Row {
    fn write_json(&self, out: &mut Vec<u8>) {
        let entries: Vec<_> = self.shape().names().iter().map(|n| n.as_str()).zip(self.values()).collect();
        object(&entries, out);
    }
}
fn object(entries: &[(&str, &Value)], out: &mut Vec<u8>) {
    out.push(b'{');
    for (i, (k, v)) in entries.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        elspeth_canonical::write_str(out, k);
        out.push(b':');
        v.write_json(out);
    }
    out.push(b'}');
}
impl Json for Value {
    fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Self::Float(f) => out.extend_from_slice(serde_json::to_string(f).unwrap_or_default().as_bytes()),
            Self::List(items) => {
                out.push(b'[');
                for (i, v) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    v.write_json(out);
                }
                out.push(b']');
            }
            Self::Map(m) => object(&m.iter().collect::<Vec<_>>(), out),
            other => other.write_canonical(out).unwrap_or_default(),
        }
    }
}
impl Canon for Value {
    fn write_canonical(&self, out: &mut Vec<u8>) -> Result<(), CanonicalError> {
        match self {
            Self::Null => elspeth_canonical::write_null(out),
            Self::Bool(b) => elspeth_canonical::write_bool(out, *b),
            Self::Int(n) => elspeth_canonical::write_i64(out, *n)?,
            Self::Float(n) => elspeth_canonical::write_f64(out, *n)?,
            Self::Str(s) => elspeth_canonical::write_str(out, s),
            Self::Decimal(d) => elspeth_canonical::write_str(out, &d.to_string()),
            Self::Date(d) => elspeth_canonical::write_str(out, &d.to_string()),
            Self::DateTime(d) => elspeth_canonical::write_str(out, &d.to_string()),
            Self::Bytes(b) => elspeth_canonical::write_bytes(out, b),
            Self::List(items) => {
                out.push(b'[');
                for (i, v) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    v.write_canonical(out)?;
                }
                out.push(b']');
            }
            Self::Map(m) => {
                let mut entries: Vec<_> = m.iter().collect();
                entries.sort_by(|a, b| compare_keys(a.0, b.0));
                out.push(b'{');
                for (i, (k, v)) in entries.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    elspeth_canonical::write_str(out, k);
                    out.push(b':');
                    v.write_canonical(out)?;
                }
                out.push(b'}');
            }
        }
        Ok(())
    }
}
