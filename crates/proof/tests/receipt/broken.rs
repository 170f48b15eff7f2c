//! Receipts that are wrong although every hash in them is right, or nearly right in form.

use std::collections::BTreeSet;

use elspeth_proof::{Checkpoint, Digest, Note, Receipt};

use crate::omit;
use crate::stories::{
    self, OUT, arrived, batch_world, interrupted_world, linear_world, merged_across_rows_world,
};
use crate::world::{RUN, Shown, World, key, other_root, record, registry, signed};

const SHA: Digest = Digest::Sha256;

/// Name and text of each.
pub(crate) fn all() -> Vec<(String, String)> {
    let texts = [told_wrong(), vouched_wrong()].into_iter().flatten();
    let texts = texts.map(|(name, receipt)| (name, receipt.to_text())).chain(written_wrong());
    let mut all: Vec<_> = texts.map(|(name, text)| (name.to_owned(), text)).collect();
    all.extend(left_out());
    all
}

/// Stories from which every leaf and part is left out, one at a time, and each release with all that came of it.
const LESS: [&str; 9] = [
    "forked",
    "expanded",
    "merged",
    "merged-across-rows",
    "batch",
    "batch-failed",
    "batch-passed-through",
    "batch-of-others-too",
    "batch-of-which-nothing-came",
];

fn left_out() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (name, receipt) in stories::all().into_iter().filter(|(name, _)| LESS.contains(name)) {
        let alone = omit::units(&receipt).into_keys().map(|unit| BTreeSet::from([unit]));
        for out in alone.chain(omit::releases(&receipt)).collect::<BTreeSet<_>>() {
            let units: Vec<_> = out.iter().map(ToString::to_string).collect();
            let name = format!("{name}-without-{}", units.join("-"));
            all.push((name, omit::without(&receipt, &out).to_text()));
        }
    }
    all
}

fn linear() -> Receipt {
    let (world, shown) = linear_world(SHA, 3, 1);
    world.receipt(&shown)
}

fn changed(change: impl FnOnce(&mut World, &mut Shown)) -> Receipt {
    let (mut world, mut shown) = linear_world(SHA, 3, 1);
    change(&mut world, &mut shown);
    world.receipt(&shown)
}

/// The trees fit, but what they hold is not the story of the row.
fn told_wrong() -> Vec<(&'static str, Receipt)> {
    let (batch, batch_shown) = batch_world(SHA);
    let (merged, merged_shown) = merged_across_rows_world(SHA);
    let (mut lost, lost_shown) = interrupted_world(SHA);
    lost.status = "completed";
    let without = |shown: &Shown, acts: &[usize]| Shown {
        acts: shown.acts.iter().copied().filter(|at| !acts.contains(at)).collect(),
        ..shown.clone()
    };
    let no_release = Shown { releases: Vec::new(), ..without(&batch_shown, &[3]) };
    let no_child = Shown { releases: vec![(1, vec![0, 1])], ..without(&merged_shown, &[6]) };
    vec![
        ("row-of-another-number", changed(|world, _| world.rows.swap(1, 2))),
        ("row-not-first", changed(|world, _| world.rows[1].swap(0, 1))),
        ("no-record", changed(|world, _| world.rows[1].clear())),
        ("outcome-left-out", changed(|_, shown| shown.acts.clear())),
        ("outcome-never-came", lost.receipt(&lost_shown)),
        (
            "outcome-twice",
            changed(|world, shown| {
                world.acts.push(arrived("1.0", "completed", OUT));
                shown.acts.push(3);
            }),
        ),
        (
            "outcome-twice-interrupted",
            changed(|world, shown| {
                world.status = "interrupted";
                world.acts.push(arrived("1.0", "completed", OUT));
                shown.acts.push(3);
            }),
        ),
        ("outcome-of-a-stranger", changed(|_, shown| shown.acts.push(2))),
        (
            "act-without-outcome",
            changed(|world, _| {
                world.acts[1].pop();
            }),
        ),
        (
            "act-of-two-tokens",
            changed(|world, _| {
                let other = arrived("2.0", "completed", OUT).swap_remove(0);
                world.acts[1].insert(0, other);
            }),
        ),
        ("act-goes-on-after-outcome", changed(|world, _| world.acts[1].swap(0, 1))),
        ("act-without-records", changed(|world, _| world.acts[1].clear())),
        ("batch-left-out", batch.receipt(&no_release)),
        ("membership-left-out", batch.receipt(&Shown { releases: vec![(0, vec![3])], ..batch_shown })),
        ("child-left-out", merged.receipt(&no_child)),
        ("body-of-nobody", changed(|world, _| world.bodies.push("{}".to_owned()))),
        (
            "artifact-among-decisions",
            changed(|world, _| {
                world.rows[1].push(record!(operation, step: 0_i64, epoch: 0_i64, kind: "source_load", status: "completed", attempts: 1_i64));
            }),
        ),
    ]
}

fn entered(change: impl Fn(&str) -> String) -> Receipt {
    let receipt = linear();
    let entry = change(&receipt.entry);
    assert_ne!(entry, receipt.entry);
    let (registry, head) = registry(&entry, (2, 3), &[key("example.org/elspeth")]);
    Receipt { entry, registry, head, ..receipt }
}

fn replaced(from: &'static str, to: &'static str) -> Receipt {
    entered(|entry| entry.replace(from, to))
}

fn with_head(head: impl FnOnce(Checkpoint) -> String) -> Receipt {
    let receipt = linear();
    let note: Note = receipt.head.parse().unwrap();
    let head = head(note.text().parse().unwrap());
    Receipt { head, ..receipt }
}

/// The story fits, but not what is to vouch for it.
fn vouched_wrong() -> Vec<(&'static str, Receipt)> {
    let signer = || [key("example.org/elspeth")];
    vec![
        ("entry-of-another-kind", replaced("\"sealed\"", "\"begun\"")),
        ("entry-of-another-run", replaced(RUN, "01JZ8Q4Z8N5X2V7K3M9T0B6C1E")),
        ("entry-of-another-digest", replaced("sha256-rfc8785-v1", "blake3-rfc8785-v1")),
        ("entry-without-root", replaced("\"content_root\"", "\"content_roots\"")),
        ("entry-not-canonical", replaced(",\"records\"", ", \"records\"")),
        ("entry-without-time", replaced("\"started_at\":1752000000000000", "\"started_at\":\"today\"")),
        ("entry-of-another-graph", {
            let receipt = linear();
            Receipt { topology: receipt.topology.replace("\"high\"", "\"low\""), ..receipt }
        }),
        ("digest-of-another", Receipt { digest: Digest::Blake3, ..linear() }),
        ("head-unsigned", with_head(|head| head.to_string())),
        ("head-signed-by-others", with_head(|head| signed(&head, &[key("example.org/other")]))),
        (
            "head-signed-by-others-too",
            with_head(|head| signed(&head, &[key("example.org/elspeth"), key("example.org/other")])),
        ),
        ("head-of-another-size", with_head(|head| signed(&Checkpoint { size: 7, ..head }, &signer()))),
        (
            "head-of-another-root",
            with_head(|head| signed(&Checkpoint { root: other_root(), ..head }, &signer())),
        ),
        (
            "head-of-something-else",
            with_head(|_| {
                let mut note = Note::new("I owe you\n").unwrap();
                note.sign(&signer()[0]);
                note.to_string()
            }),
        ),
        (
            "head-with-more-lines",
            with_head(|head| {
                let mut note = Note::new(&format!("{head}more\n")).unwrap();
                note.sign(&signer()[0]);
                note.to_string()
            }),
        ),
        ("registry-at-another-place", {
            let mut receipt = linear();
            receipt.registry.index += 1;
            receipt
        }),
        ("registry-beyond-its-end", {
            let mut receipt = linear();
            receipt.registry.index = receipt.registry.size;
            receipt
        }),
        ("proof-too-long", {
            let mut receipt = linear();
            receipt.decisions.proof.push(other_root());
            receipt
        }),
        ("proof-too-short", {
            let mut receipt = linear();
            receipt.acts.proof.pop();
            receipt
        }),
        ("acts-out-of-order", {
            let (world, shown) = batch_world(SHA);
            let mut receipt = world.receipt(&shown);
            receipt.acts.leaves.swap(0, 1);
            receipt
        }),
        ("act-shown-twice", {
            let mut receipt = linear();
            receipt.acts.leaves.push(receipt.acts.leaves[0].clone());
            receipt
        }),
    ]
}

/// Each byte of the token's record as a record of its own, as if the names of kinds were tags: nothing says any more that there
/// is a token, whose outcome is left out.
fn as_bytes() -> String {
    let receipt = changed(|_, shown| shown.acts.clear());
    let token = &receipt.decisions.records[1];
    let tags: Vec<String> =
        token.to_bytes().iter().map(|byte| format!("{{\"record\":\"={byte}\"}}")).collect();
    let text = receipt.to_text();
    let begin = text.find("{\"record\":\"token\"").unwrap();
    let end = begin + text[begin..].find('}').unwrap() + 1;
    format!("{}{}{}", &text[..begin], tags.join(","), &text[end..])
}

/// The same receipt in another form.
fn written_wrong() -> Vec<(&'static str, String)> {
    let text = linear().to_text();
    let written = |from: &str, to: &str| {
        let other = text.replacen(from, to, 1);
        assert_ne!(other, text, "{from}");
        other
    };
    vec![
        ("no-newline", text.trim_end().to_owned()),
        ("two-newlines", format!("{text}\n")),
        ("carriage-return", written("\n", "\r\n").replace("\\r", "")),
        ("byte-order-mark", format!("\u{feff}{text}")),
        ("blank", written(",", ", ")),
        ("blank-before", format!(" {text}")),
        (
            "keys-out-of-order",
            written("{\"index\":1,\"records\":", "{\"records\":").replacen(
                "]}],\"proof\"",
                "],\"index\":1}],\"proof\"",
                1,
            ),
        ),
        ("key-twice", written("\"row\":1,", "\"row\":1,\"row\":1,")),
        ("field-unknown", written("\"row\":1,", "\"row\":1,\"rows\":1,")),
        ("field-unknown-in-record", written("\"record\":\"row\",", "\"note\":\"\",\"record\":\"row\",")),
        ("field-missing", written("\"row\":1,", "")),
        ("record-as-bytes", as_bytes()),
        ("number-as-float", written("\"row\":1,", "\"row\":1.0,")),
        ("number-with-exponent", written("\"row\":1,", "\"row\":1e0,")),
        ("number-as-text", written("\"row\":1,", "\"row\":\"1\",")),
        ("number-as-flag", written("\"row\":1,", "\"row\":true,")),
        ("number-negative", written("\"row\":1,", "\"row\":-1,")),
        ("number-too-large", written("\"row\":1,", "\"row\":9007199254740993,")),
        ("flag-as-number", written("\"valid\":true", "\"valid\":1")),
        (
            "absent-as-null",
            written("\"record\":\"token\",", "\"branch\":null,\"record\":\"token\",").replacen(
                "\"branch\":null,\"record\"",
                "\"branch\":null,\"group\":null,\"record\"",
                1,
            ),
        ),
        ("token-with-zeros", written("\"token\":\"1.0\"", "\"token\":\"01.0\"")),
        ("token-as-number", written("\"token\":\"1.0\"", "\"token\":1048576")),
        ("escape-not-needed", written("\"row_index\"", "\"ro\\u0077_index\"")),
        ("slash-escaped", written("elspeth.registry/", "elspeth.registry\\/")),
        ("upper-case-hash", {
            let at = text.find("\"source\":\"").unwrap() + 10;
            format!("{}{}{}", &text[..at], text[at..at + 64].to_uppercase(), &text[at + 64..])
        }),
        ("other-format", written("elspeth-receipt-v1", "elspeth-receipt-v2")),
        ("other-digest", written("\"hash_version\":\"sha256", "\"hash_version\":\"sha512")),
        ("base64-without-padding", written("=\\n\",\"registry\"", "\\n\",\"registry\"")),
        ("nothing", String::new()),
        ("no-object", "[]\n".to_owned()),
        ("a-number", "1\n".to_owned()),
        ("not-json", "receipt\n".to_owned()),
        ("deep", format!("{}{}\n", "[".repeat(2_000), "]".repeat(2_000))),
    ]
}
