//! What goes into a block comes out of it, and a block that was damaged says so.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::collections::BTreeMap;
use std::sync::Arc;

use elspeth_contracts::{RowIndex, Step, TokenKey};
use elspeth_payload::{
    Block, BlockBuilder, Body, BodyFragment, BodyKey, FilesystemStore, LARGE_BODY, PayloadError,
};
use elspeth_value::{Map, Row, Shape, Value};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use rust_decimal::Decimal;
use time::{Date, OffsetDateTime, UtcOffset};

fn key(row: u64, step: u16) -> BodyKey {
    let token = TokenKey::of_row(RowIndex::new(row).unwrap(), 0).unwrap();
    BodyKey { token, step: Step::new(step).unwrap() }
}

fn moments() -> impl Strategy<Value = OffsetDateTime> {
    // A day away from the ends of the calendar, so that every offset can be applied.
    (-377_705_000_000_i64..253_402_200_000, 0_u32..1_000_000_000, -86_399_i32..86_400).prop_map(
        |(s, nanos, offset)| {
            let moment = OffsetDateTime::from_unix_timestamp(s).unwrap().replace_nanosecond(nanos).unwrap();
            moment.to_offset(UtcOffset::from_whole_seconds(offset).unwrap())
        },
    )
}

fn decimals() -> impl Strategy<Value = Decimal> {
    (any::<[u32; 3]>(), any::<bool>(), 0..=Decimal::MAX_SCALE)
        .prop_map(|([lo, mid, hi], negative, scale)| Decimal::from_parts(lo, mid, hi, negative, scale))
}

/// Every kind of value.
fn values() -> impl Strategy<Value = Value> {
    let plain = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(Value::Float),
        ".{0,40}".prop_map(|text| Value::Str(text.into())),
        decimals().prop_map(Value::Decimal),
        (Date::MIN.to_julian_day()..=Date::MAX.to_julian_day())
            .prop_map(|day| Value::Date(Date::from_julian_day(day).unwrap())),
        moments().prop_map(Value::DateTime),
        vec(any::<u8>(), 0..40).prop_map(|bytes| Value::Bytes(bytes.into())),
    ];
    plain.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::List),
            btree_map("[a-z]{1,4}", inner, 0..6).prop_map(|entries| {
                Value::Map(entries.into_iter().map(|(key, value)| (key.into(), value)).collect::<Map>())
            }),
        ]
    })
}

fn rows() -> impl Strategy<Value = Row> {
    btree_map("[a-z]{1,3}", values(), 0..8).prop_map(|fields| {
        let (names, values): (Vec<_>, Vec<_>) = fields.into_iter().unzip();
        Row::new(Shape::new(names.into_iter().map(Into::into)), values)
    })
}

fn bodies() -> impl Strategy<Value = Vec<(BodyKey, Body)>> {
    let body = prop_oneof![4 => rows().prop_map(Body::Row), 1 => values().prop_map(Body::Opaque)];
    (btree_set((0..RowIndex::LIMIT, 0..Step::LIMIT), 0..6), vec(body, 6))
        .prop_map(|(keys, bodies)| keys.into_iter().map(|(row, step)| key(row, step)).zip(bodies).collect())
}

fn fragment(bodies: &[(BodyKey, Body)]) -> BodyFragment {
    let mut fragment = BodyFragment::default();
    for (key, body) in bodies {
        match body {
            Body::Row(row) => fragment.push_row(*key, row),
            Body::Opaque(value) => fragment.push_opaque(*key, value),
        }
    }
    fragment
}

fn builder(bodies: &[(BodyKey, Body)], cut: usize) -> BlockBuilder {
    let mut builder = BlockBuilder::default();
    let (first, second) = bodies.split_at(cut.min(bodies.len()));
    builder.add(fragment(first));
    builder.add(fragment(second));
    builder
}

/// The text form tells apart what `==` does not: offsets of moments, signs of zeros.
fn exact(body: &Body) -> String {
    format!("{body:?}")
}

proptest! {
    #[test]
    fn every_body_comes_back_as_it_was(bodies in bodies(), cut in 0_usize..6) {
        let block = Block::read(&builder(&bodies, cut).finish()).unwrap();
        prop_assert_eq!(block.keys().count(), bodies.len());
        for (key, body) in &bodies {
            prop_assert_eq!(block.get(*key).map(exact), Some(exact(body)));
        }
        let mut at = 0;
        for (key, body) in bodies.iter().filter(|(key, _)| key.token.get() % 3 != 1) {
            prop_assert_eq!(block.get_next(*key, &mut at).map(exact), Some(exact(body)));
        }
        prop_assert_eq!(block.get(key(0, 4_095)).is_some(), bodies.iter().any(|(k, _)| *k == key(0, 4_095)));
    }

    #[test]
    fn a_damaged_block_is_an_error_and_no_panic(bodies in bodies(), at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let mut block = builder(&bodies, 3).finish();
        prop_assume!(!block.is_empty());
        let at = at.index(block.len());
        prop_assume!(block[at] != to);
        block[at] = to;
        prop_assert!(Block::read(&block).is_err(), "the checksum covers every byte");
    }

    #[test]
    fn a_block_that_was_cut_is_an_error(bodies in bodies(), at in any::<prop::sample::Index>()) {
        let block = builder(&bodies, 3).finish();
        prop_assume!(!block.is_empty());
        let length = at.index(block.len());
        prop_assume!(length > 0);
        prop_assert!(Block::read(&block[..length]).is_err());
    }

    #[test]
    fn bytes_that_were_never_a_block_are_an_error(bytes in vec(any::<u8>(), 1..200)) {
        prop_assert!(Block::read(&bytes).is_err());
    }

    /// With a checksum that fits, only the structure can tell.
    #[test]
    fn damaged_content_gives_no_panic(bodies in bodies(), at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let block = builder(&bodies, 3).finish();
        prop_assume!(!block.is_empty());
        let mut content = zstd::stream::decode_all(&block[9..]).unwrap();
        let at = at.index(content.len());
        content[at] = to;
        drop(Block::read(&packed(&content)));
    }
}

/// A block around content that no builder made.
fn packed(content: &[u8]) -> Vec<u8> {
    let mut block = vec![1];
    block.extend_from_slice(&(content.len() as u64).to_le_bytes());
    block.extend(zstd::bulk::compress(content, 1).unwrap());
    block
}

fn message(content: &[u8]) -> String {
    Block::read(&packed(content)).unwrap_err().to_string()
}

#[test]
fn lengths_are_not_believed() {
    // One fragment with 2^63 shapes, then one whose entries are 2^40 bytes long.
    assert!(
        message(&[1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40])
            .contains("promises more than it holds")
    );
    assert!(message(&[1, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40]).contains("promises more than it holds"));
    // A declared length that the content does not have, both ways.
    for declared in [3_u64, u64::MAX] {
        let mut block = packed(&[0, 0]);
        block[1..9].copy_from_slice(&declared.to_le_bytes());
        assert!(Block::read(&block).unwrap_err().to_string().contains("length"), "{declared}");
    }
}

#[test]
fn a_frame_that_blows_up_is_stopped_at_the_declared_length() {
    let mut block = packed(&vec![0; 20_000_000]);
    assert!(block.len() < 10_000);
    block[1..9].copy_from_slice(&1_000_u64.to_le_bytes());
    assert!(Block::read(&block).unwrap_err().to_string().contains("length"));
}

#[test]
fn nesting_is_bounded_both_ways() {
    // An opaque body of a million lists, each in the one before.
    let mut value = [10, 1].repeat(1_000_000);
    value.push(0);
    let mut entry = vec![0, 0, 1];
    entry.extend_from_slice(&u32::try_from(value.len()).unwrap().to_le_bytes());
    entry.extend(value);
    let mut content = vec![1, 0];
    let mut length = entry.len();
    while length >= 0x80 {
        content.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
        length >>= 7;
    }
    content.push(u8::try_from(length).unwrap());
    content.extend(entry);
    content.push(0);
    assert!(message(&content).contains("nest deeper than 256"));

    let nested = |levels: usize| (0..levels).fold(Value::Null, |inner, _| Value::List(vec![inner]));
    let deepest = Body::Opaque(nested(256));
    let block = Block::read(&builder(&[(key(0, 0), deepest.clone())], 0).finish()).unwrap();
    assert_eq!(block.get(key(0, 0)), Some(&deepest));

    let folder = tempfile::tempdir().unwrap();
    let good = (key(0, 0), Body::Opaque(Value::Null));
    let builder = builder(&[good, (key(1, 2), Body::Opaque(nested(257)))], 1);
    let refused = builder.finish_into(&FilesystemStore::new(folder.path())).unwrap_err();
    assert!(matches!(refused, PayloadError::TooDeep { step: 2, limit: 256, .. }), "{refused}");
}

#[test]
fn a_block_of_very_many_rows_is_compressed_as_it_comes() {
    let folder = tempfile::tempdir().unwrap();
    let store = FilesystemStore::new(folder.path());
    let shape = Shape::new(["id".into(), "text".into()]);
    let row = |id: u64| {
        let text = if id == 7 { "long".repeat(LARGE_BODY) } else { format!("{id:x}").repeat(60) };
        Row::new(Arc::clone(&shape), vec![Value::Int(id.cast_signed()), Value::Str(text.into())])
    };
    let count = 50_000;
    let (mut one, mut other) = (BodyFragment::default(), BodyFragment::default());
    for id in 0..count {
        let fragment = if id < count - 9 { &mut one } else { &mut other };
        fragment.push_row(key(id, 3), &row(id));
    }
    let mut builder = BlockBuilder::default();
    builder.add(one);
    builder.add(other);
    let bytes = builder.finish_into(&store).unwrap();
    assert!(bytes.len() < 8 << 20, "{}", bytes.len());
    let block = Block::read(&bytes).unwrap();
    assert_eq!(block.keys().count() as u64, count);
    for id in (0..count).step_by(501).chain([7, count - 1]) {
        assert_eq!(block.body(key(id, 3), Some(&store)).unwrap(), Some(Body::Row(row(id))), "{id}");
    }
}

#[test]
fn an_epoch_without_bodies_has_an_empty_block() {
    let folder = tempfile::tempdir().unwrap();
    assert!(builder(&[], 0).finish().is_empty());
    assert!(builder(&[], 0).finish_into(&FilesystemStore::new(folder.path())).unwrap().is_empty());
    assert_eq!(Block::read(&[]).unwrap().keys().count(), 0);
}

#[test]
fn a_block_of_another_format_is_refused_by_its_first_byte() {
    let mut block = builder(&[(key(0, 0), Body::Opaque(Value::Null))], 0).finish();
    block[0] = 2;
    assert!(Block::read(&block).unwrap_err().to_string().contains("its format is 2"));
}

#[test]
fn one_key_cannot_have_two_bodies() {
    let twice = [(key(0, 0), Body::Opaque(Value::Null)), (key(0, 0), Body::Opaque(Value::Bool(true)))];
    assert!(Block::read(&builder(&twice, 1).finish()).unwrap_err().to_string().contains("one key"));
}

/// Short rows and rows of more than [`LARGE_BODY`] bytes, both kinds of bodies.
fn small_and_large() -> Vec<(BodyKey, Body)> {
    let shape = Shape::new(["id".into(), "text".into()]);
    let row = |id: i64, length: usize| {
        let text = Value::Str("long ".repeat(length / 5).into());
        Body::Row(Row::new(Arc::clone(&shape), vec![Value::Int(id), text]))
    };
    vec![
        (key(0, 0), row(0, 10)),
        (key(1, 0), row(1, 2 * LARGE_BODY)),
        (key(1, 3), row(1, LARGE_BODY + 100)),
        (key(2, 0), Body::Opaque(Value::Bytes(vec![7; LARGE_BODY + 1].into()))),
        (key(3, 0), row(3, 20)),
        (key(4, 0), row(1, 2 * LARGE_BODY)),
    ]
}

fn files_below(folder: &std::path::Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() {
            files.extend(files_below(&entry.path()));
        } else if entry.file_name() != "lock" {
            files.insert(entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap());
        }
    }
    files
}

#[test]
fn large_bodies_stay_inside_a_block_without_a_store() {
    let bodies = small_and_large();
    let block = Block::read(&builder(&bodies, 2).finish()).unwrap();
    for (key, body) in &bodies {
        assert_eq!(block.get(*key), Some(body));
        assert_eq!(block.body(*key, None).unwrap().as_ref(), Some(body));
    }
}

#[test]
fn large_bodies_go_to_the_store_by_hash_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = FilesystemStore::new(folder.path().join("payloads"));
    let bodies = small_and_large();
    let packed = builder(&bodies, 2).finish_into(&store).unwrap();
    let files = files_below(folder.path());
    assert_eq!(files.len(), 3, "equal bodies share a file, small ones have none");

    let block = Block::read(&packed).unwrap();
    for (key, body) in &bodies {
        assert_eq!(block.body(*key, Some(&store)).unwrap().as_ref(), Some(body));
        let stored = block.stored(*key);
        assert_eq!(stored.is_some(), block.get(*key).is_none());
        if let Some(place) = stored {
            assert_eq!(files[&place.hash.to_string()].len() as u64, place.length);
            let path = store.path_of(place.hash);
            let name = place.hash.to_string();
            assert!(path.ends_with(format!("{}/{}/{name}", &name[..2], &name[2..4])));
        }
    }
    assert_eq!(builder(&bodies, 0).finish_into(&store).map(|_| files_below(folder.path()).len()).unwrap(), 3);
}

#[test]
fn a_purged_body_is_absent_and_a_changed_one_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let store = FilesystemStore::new(folder.path());
    let bodies = small_and_large();
    let block = Block::read(&builder(&bodies, 0).finish_into(&store).unwrap()).unwrap();
    let (large, opaque) = (block.stored(key(1, 0)).unwrap().hash, block.stored(key(2, 0)).unwrap().hash);

    std::fs::remove_file(store.path_of(large)).unwrap();
    assert_eq!(block.body(key(1, 0), Some(&store)).unwrap(), None);

    std::fs::write(store.path_of(opaque), b"changed").unwrap();
    let error = block.body(key(2, 0), Some(&store)).unwrap_err();
    assert!(matches!(error, PayloadError::Mismatch { expected, .. } if expected == opaque), "{error}");

    builder(&bodies, 0).finish_into(&store).unwrap();
    for (key, body) in &bodies {
        assert_eq!(block.body(*key, Some(&store)).unwrap().as_ref(), Some(body), "storing again mends both");
    }
}

#[test]
fn a_store_that_cannot_be_written_fails_before_there_is_a_block() {
    let folder = tempfile::tempdir().unwrap();
    let in_the_way = folder.path().join("file");
    std::fs::write(&in_the_way, b"").unwrap();
    let error = builder(&small_and_large(), 0).finish_into(&FilesystemStore::new(&in_the_way)).unwrap_err();
    assert!(matches!(&error, PayloadError::Io { path, .. } if path.starts_with(&in_the_way)), "{error}");
}

#[test]
fn rows_of_many_shapes_keep_their_names() {
    let bodies: Vec<_> = (0..200_u64)
        .map(|n| {
            let names = [format!("a{}", n % 50), format!("b{}", n % 3)];
            let values = vec![Value::Int(i64::try_from(n).unwrap()), Value::Null];
            (key(n, 0), Body::Row(Row::new(Shape::new(names.into_iter().map(Into::into)), values)))
        })
        .collect();
    let block = Block::read(&builder(&bodies, 100).finish()).unwrap();
    for (key, body) in &bodies {
        assert_eq!(block.get(*key), Some(body));
    }
}
