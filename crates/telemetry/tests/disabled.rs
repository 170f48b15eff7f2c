//! Spans that are not wanted cost nothing.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]
#![expect(unsafe_code, reason = "counting allocations takes an allocator of one's own")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use elspeth_canonical::ContentHash;
use elspeth_contracts::{EpochNo, FailureKind, RowIndex, TokenKey};
use elspeth_telemetry::{
    ConsoleOptions, Exporter, Granularity, NodeTag, Spans, TelemetrySettings, TokenTag, init,
};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations_of(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.with(Cell::get);
    work();
    ALLOCATIONS.with(Cell::get) - before
}

fn play_row(spans: &Spans, hash: &ContentHash) {
    let row = RowIndex::new(41).unwrap();
    let token = TokenTag { row, token: TokenKey::of_row(row, 0).unwrap(), input_hash: Some(hash) };
    let node = NodeTag { name: "quality", plugin: "gate" };
    let row_span = spans.row(token);
    let transform = spans.transform(&row_span, node, token);
    transform.failed(FailureKind::TransformError);
    drop(spans.gate(&row_span, node, token));
    drop(spans.sink(&row_span, node, token));
}

#[test]
fn the_disabled_path_does_not_allocate() {
    let hash = ContentHash::from_bytes([7; 32]);
    assert!(allocations_of(|| drop(Box::new(hash))) > 0, "allocations are counted");

    let off =
        init(&TelemetrySettings::default()).unwrap().spans("01JZ8Q4Z8N5X2V7K3M9T0B6C1D".parse().unwrap());
    let write = NodeTag { name: "out", plugin: "csv" };
    let count = allocations_of(|| {
        (0..1_000).for_each(|_| play_row(&off, &hash));
        drop((off.source(write), off.sink_write(write, EpochNo(0), 1)));
    });
    assert_eq!(count, 0);
}

#[test]
fn rows_do_not_allocate_when_only_the_lifecycle_is_wanted() {
    let hash = ContentHash::from_bytes([7; 32]);
    let settings = TelemetrySettings {
        enabled: true,
        granularity: Granularity::Lifecycle,
        exporters: vec![Exporter::Console(ConsoleOptions::default())],
        ..TelemetrySettings::default()
    };
    let guard = init(&settings).unwrap();
    let spans = guard.spans("01JZ8Q4Z8N5X2V7K3M9T0B6C1D".parse().unwrap());
    assert!(!spans.wants(Granularity::Rows));
    assert_eq!(allocations_of(|| (0..1_000).for_each(|_| play_row(&spans, &hash))), 0);
    drop(spans);
    assert_eq!(guard.shutdown()[0].delivered, 1);
}
