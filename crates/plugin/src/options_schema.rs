use std::ops::Deref;
use std::sync::OnceLock;

use serde_json::Value;

/// The JSON Schema of a plugin's options (2020-12). One that a function makes is made when it is first asked for: a program
/// knows many plugins, and a run uses few.
#[derive(Debug, Clone)]
pub struct OptionsSchema {
    made: OnceLock<Value>,
    make: fn() -> Value,
}

impl OptionsSchema {
    /// What `make` gives.
    #[must_use]
    pub const fn made_by(make: fn() -> Value) -> Self {
        Self { made: OnceLock::new(), make }
    }
}

impl From<Value> for OptionsSchema {
    fn from(schema: Value) -> Self {
        Self { made: OnceLock::from(schema), make: Value::default }
    }
}

impl Deref for OptionsSchema {
    type Target = Value;

    fn deref(&self) -> &Value {
        self.made.get_or_init(self.make)
    }
}
