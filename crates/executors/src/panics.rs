use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use elspeth_contracts::{ErrorReason, FailureKind};

thread_local! {
    static IN_PLUGIN: Cell<bool> = const { Cell::new(false) };
}

/// Runs a plugin's code; a panic becomes a reason with its message.
///
/// # Errors
/// [`FailureKind::PluginPanic`] when it panicked.
pub fn caught<T>(plugin: &str, call: impl FnOnce() -> T) -> Result<T, ErrorReason> {
    IN_PLUGIN.set(true);
    // A plugin that panicked half-way may have broken its own state, never ours: the row is kept apart.
    let result = catch_unwind(AssertUnwindSafe(call));
    IN_PLUGIN.set(false);
    result.map_err(|panic| {
        let words = panic_message(panic.as_ref());
        ErrorReason::new(FailureKind::PluginPanic, format!("plugin `{plugin}` panicked: {words}"))
    })
}

/// Keeps panics inside plugins from being printed: they are recorded as the row's failure instead.
pub fn silence_plugin_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !IN_PLUGIN.get() {
                previous(info);
            }
        }));
    });
}

/// The words of a panic.
#[must_use]
pub fn panic_message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
