use elspeth_canonical::HashVersion;

use crate::{ReadProgress, Source, SourceIdentity, SourceItem, SourcePosition};

/// A source gives the same items however it is read, and continues exactly at every position.
///
/// `make` gives a new source of the same unchanged input each time.
///
/// # Panics
/// When a promise is not kept; the message says which.
pub fn check_source(make: impl Fn() -> Box<dyn Source>) {
    for version in [HashVersion::Blake3V1, HashVersion::Sha256V1] {
        let (items, identity) = read_all(&make, version, 1000);
        for batch in [1, 7] {
            let (again, same) = read_all(&make, version, batch);
            assert_eq!(again, items, "batches of {batch} give other items than batches of 1000");
            assert_eq!(same, identity, "batches of {batch} give another identity than batches of 1000");
        }
        check_positions(&make, version, &items, &identity);
    }
    check_items(&make);
}

fn read_all(
    make: &impl Fn() -> Box<dyn Source>,
    version: HashVersion,
    batch: usize,
) -> (Vec<SourceItem>, SourceIdentity) {
    let mut source = make();
    source.open(version, None).expect("the source opens");
    let items = read_rest(source.as_mut(), batch);
    (items, source.identity())
}

fn read_rest(source: &mut dyn Source, batch: usize) -> Vec<SourceItem> {
    let mut items = Vec::new();
    loop {
        let before = items.len();
        let progress = source.read(batch, &mut items).expect("the source reads");
        assert!(items.len() <= before + batch, "more than the {batch} items that were asked for");
        if progress == ReadProgress::End {
            break;
        }
    }
    let before = items.len();
    let progress = source.read(batch, &mut items).expect("the source reads on after its end");
    assert_eq!((progress, items.len()), (ReadProgress::End, before), "the source goes on after its end");
    items
}

/// Reads item by item, and from every position once more with a new source.
fn check_positions(
    make: &impl Fn() -> Box<dyn Source>,
    version: HashVersion,
    items: &[SourceItem],
    identity: &SourceIdentity,
) {
    let mut source = make();
    source.open(version, None).expect("the source opens");
    for done in 0..=items.len() {
        let position = stored_and_loaded(&source.position());
        let mut other = make();
        other
            .open(version, Some(&position))
            .unwrap_or_else(|e| panic!("cannot continue after {done} items: {e}"));
        assert_eq!(other.identity(), source.identity(), "another identity after {done} items");
        assert_eq!(other.position(), position, "opened after {done} items, it is at another position");
        assert_eq!(
            other.field_resolution(),
            source.field_resolution(),
            "another field resolution after {done} items"
        );
        let rest = read_rest(other.as_mut(), 7);
        assert_eq!(rest, items[done..], "continued after {done} items, it gives other items");
        assert_eq!(
            &other.identity(),
            identity,
            "continued after {done} items, it ends with another identity"
        );
        let mut one = Vec::new();
        source.read(1, &mut one).expect("the source reads");
    }
}

/// As the record keeps it.
fn stored_and_loaded(position: &SourcePosition) -> SourcePosition {
    let text = serde_json::to_string(position).expect("a position is JSON");
    serde_json::from_str(&text).expect("a position is JSON")
}

fn check_items(make: &impl Fn() -> Box<dyn Source>) {
    let (items, _) = read_all(make, HashVersion::default(), 1000);
    let contract = make().contract();
    let mut scratch = Vec::new();
    for (n, item) in items.iter().enumerate() {
        match item {
            SourceItem::Valid(row) => {
                row.content_hash(HashVersion::default(), &mut scratch)
                    .unwrap_or_else(|e| panic!("valid item {n} has no canonical form: {e}"));
                if let Err(violation) = contract.check(row) {
                    panic!("valid item {n} breaks the source's contract: {violation}");
                }
            }
            SourceItem::Invalid(invalid) => {
                assert!(!invalid.reason.message.is_empty(), "invalid item {n} does not say why");
            }
        }
    }
}
