//! Records of made-up runs, and receipts of their rows: hashed and signed as those of real runs, only without a database.

use elspeth_proof::merkle::{Proof, Prover, Tree};
use elspeth_proof::{
    Checkpoint, Decisions, Digest, Hash, Json, Leaf, Leaves, Note, Position, PublicKey, Receipt, Record,
    Release, SecretKey, Trust,
};

pub(crate) const RUN: &str = "01JZ8Q4Z8N5X2V7K3M9T0B6C1D";

/// A record, by its kind and fields.
macro_rules! record {
    ($kind:ident $(, $name:ident: $value:expr)* $(,)?) => {
        $crate::world::made(stringify!($kind), vec![$((stringify!($name), $crate::world::Given::json($value))),*])
    };
}
pub(crate) use record;

pub(crate) trait Given {
    fn json(self) -> Json;
}

impl Given for &str {
    fn json(self) -> Json {
        Json::Text(self.to_owned())
    }
}

impl Given for i64 {
    fn json(self) -> Json {
        Json::Integer(self)
    }
}

impl Given for bool {
    fn json(self) -> Json {
        Json::Flag(self)
    }
}

impl Given for Hash {
    fn json(self) -> Json {
        Json::Text(self.to_string())
    }
}

impl Given for Json {
    fn json(self) -> Json {
        self
    }
}

pub(crate) fn object(fields: Vec<(&str, Json)>) -> Json {
    Json::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

pub(crate) fn made(kind: &str, mut fields: Vec<(&str, Json)>) -> Record {
    fields.push(("record", kind.json()));
    Record::from_json(&object(fields)).unwrap()
}

/// Everything about one run, and the registry that it is in.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) digest: Digest,
    pub(crate) status: &'static str,
    pub(crate) rows: Vec<Vec<Record>>,
    pub(crate) releases: Vec<Released>,
    pub(crate) acts: Vec<Vec<Record>>,
    /// Bodies that are kept.
    pub(crate) bodies: Vec<String>,
    /// Entries of the registry before that of the run, and behind it.
    pub(crate) entries: (usize, usize),
    pub(crate) signers: Vec<SecretKey>,
}

#[derive(Debug, Clone)]
pub(crate) struct Released {
    pub(crate) batches: Vec<Record>,
    pub(crate) parts: Vec<Vec<Record>>,
}

/// What of a run the receipt of a row shows, by position.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shown {
    pub(crate) row: usize,
    pub(crate) releases: Vec<(usize, Vec<usize>)>,
    pub(crate) acts: Vec<usize>,
}

pub(crate) fn key(name: &str) -> SecretKey {
    let seed = *Digest::Sha256.hash(name.as_bytes()).as_bytes();
    SecretKey::from_seed(name, &seed).unwrap()
}

/// The keys of those who sign in the receipts.
pub(crate) fn keys() -> Vec<PublicKey> {
    ["example.org/elspeth", "example.org/witness"].map(|name| key(name).public().clone()).to_vec()
}

pub(crate) fn trust() -> Trust {
    Trust::new(keys(), Vec::new())
}

impl World {
    pub(crate) fn new(digest: Digest) -> Self {
        Self {
            digest,
            status: "completed",
            rows: Vec::new(),
            releases: Vec::new(),
            acts: Vec::new(),
            bodies: Vec::new(),
            entries: (2, 3),
            signers: vec![key("example.org/elspeth")],
        }
    }

    /// Keeps a body, and gives its hash.
    pub(crate) fn keep(&mut self, body: &str) -> Hash {
        self.bodies.push(body.to_owned());
        self.digest.hash(body.as_bytes())
    }

    pub(crate) fn receipt(&self, shown: &Shown) -> Receipt {
        let (source, artifacts) = (self.digest.hash(b"source"), self.digest.hash(b"artifacts"));
        let (decisions, _) = self.leaves(&self.rows, &[shown.row]);
        let (releases, release_root) = self.releases(shown);
        let (acts, act_root) = self.leaves(&self.acts, &shown.acts);
        let decision_root = self.prove(&self.rows, &[shown.row]).root;
        let topology = topology().to_text();
        let trees = [
            (self.rows.len(), decision_root),
            (self.releases.len(), release_root),
            (self.acts.len(), act_root),
        ];
        let content_root = self.content_root(&topology, source, &trees, artifacts);
        let entry = self.entry(&topology, content_root).to_text();
        let (registry, head) = registry(&entry, self.entries, &self.signers);
        Receipt {
            digest: self.digest,
            run: RUN.to_owned(),
            row: shown.row as u64,
            topology,
            source,
            artifacts,
            decisions: Decisions {
                size: decisions.size,
                proof: decisions.proof,
                records: self.rows[shown.row].clone(),
            },
            releases,
            acts,
            bodies: self.bodies.clone(),
            entry,
            registry,
            head,
        }
    }

    fn prove(&self, leaves: &[Vec<Record>], shown: &[usize]) -> Proof {
        let mut prover = Prover::new(self.digest);
        for (at, records) in leaves.iter().enumerate() {
            let bytes: Vec<u8> = records.iter().flat_map(Record::to_bytes).collect();
            prover.push(self.digest.leaf(&bytes), shown.contains(&at));
        }
        prover.finish()
    }

    fn leaves(&self, leaves: &[Vec<Record>], shown: &[usize]) -> (Leaves<Leaf>, Hash) {
        let Proof { size, root, hashes } = self.prove(leaves, shown);
        let leaf = |at: &usize| Leaf { index: *at as u64, records: leaves[*at].clone() };
        (Leaves { size, proof: hashes, leaves: shown.iter().map(leaf).collect() }, root)
    }

    fn releases(&self, shown: &Shown) -> (Leaves<Release>, Hash) {
        let mut prover = Prover::new(self.digest);
        let mut leaves = Vec::new();
        for (at, released) in self.releases.iter().enumerate() {
            let here = shown.releases.iter().find(|(release, _)| *release == at);
            let shown_parts = here.map(|(_, parts)| parts.as_slice()).unwrap_or_default();
            let (parts, root) = self.leaves(&released.parts, shown_parts);
            let mut bytes: Vec<u8> = released.batches.iter().flat_map(Record::to_bytes).collect();
            bytes.extend_from_slice(&parts.size.to_be_bytes());
            bytes.extend_from_slice(root.as_bytes());
            prover.push(self.digest.leaf(&bytes), here.is_some());
            if here.is_some() {
                leaves.push(Release { index: at as u64, batches: released.batches.clone(), parts });
            }
        }
        let Proof { size, root, hashes } = prover.finish();
        (Leaves { size, proof: hashes, leaves }, root)
    }

    fn content_root(&self, topology: &str, source: Hash, trees: &[(usize, Hash)], artifacts: Hash) -> Hash {
        let mut bytes = b"elspeth-content-root-v1\0".to_vec();
        bytes.extend_from_slice(&[0, 0, 0, self.digest.name().len() as u8]);
        bytes.extend_from_slice(self.digest.name().as_bytes());
        bytes.extend_from_slice(self.digest.hash(topology.as_bytes()).as_bytes());
        bytes.extend_from_slice(source.as_bytes());
        for (size, root) in trees {
            bytes.extend_from_slice(&(*size as u64).to_be_bytes());
            bytes.extend_from_slice(root.as_bytes());
        }
        bytes.extend_from_slice(artifacts.as_bytes());
        self.digest.hash(&bytes)
    }

    fn entry(&self, topology: &str, content_root: Hash) -> Json {
        object(vec![
            ("entry", "sealed".json()),
            ("run", RUN.json()),
            ("hash_version", self.digest.name().json()),
            ("config_hash", self.digest.hash(b"settings").json()),
            ("topology_hash", self.digest.hash(topology.as_bytes()).json()),
            ("status", self.status.json()),
            ("started_at", 1_752_000_000_000_000_i64.json()),
            ("completed_at", 1_752_000_001_500_000_i64.json()),
            ("rows", (self.rows.len() as i64).json()),
            ("records", 99_i64.json()),
            ("content_root", content_root.json()),
            ("record_root", self.digest.hash(b"record root").json()),
        ])
    }
}

/// A log in which the entry has some before it and some behind it, and its head.
pub(crate) fn registry(
    entry: &str,
    (before, behind): (usize, usize),
    signers: &[SecretKey],
) -> (Position, String) {
    let mut prover = Prover::new(Digest::Sha256);
    let leaf = |entry: &str| Digest::Sha256.leaf(entry.as_bytes());
    for number in 0..=before + behind {
        let other = format!("{{\"entry\":\"other\",\"number\":{number}}}");
        prover.push(if number == before { leaf(entry) } else { leaf(&other) }, number == before);
    }
    let Proof { size, root, hashes } = prover.finish();
    let head = Checkpoint { origin: format!("elspeth.registry/{RUN}"), size, root };
    (Position { index: before as u64, size, proof: hashes }, signed(&head, signers))
}

pub(crate) fn signed(head: &Checkpoint, signers: &[SecretKey]) -> String {
    let mut note = Note::new(&head.to_string()).unwrap();
    signers.iter().for_each(|key| note.sign(key));
    note.to_string()
}

/// The root of a tree that has no other use than to be another one.
pub(crate) fn other_root() -> Hash {
    let mut tree = Tree::new(Digest::Sha256);
    tree.push(Digest::Sha256.leaf(b"other"));
    tree.root()
}

/// The graph of all of these runs.
fn topology() -> Json {
    let nodes = [
        ("source_in", "csv"),
        ("transform_enrich", "llm"),
        ("gate_route", "gate"),
        ("aggregation_sum", "batch_stats"),
        ("coalesce_join", "coalesce"),
        ("sink_out", "csv"),
        ("sink_high", "json"),
        ("sink_failed", "csv"),
    ];
    let edges = [
        (0, 1, "continue", "move"),
        (1, 2, "continue", "move"),
        (2, 5, "low", "move"),
        (2, 6, "high", "move"),
        (2, 4, "left", "copy"),
        (2, 4, "right", "copy"),
        (1, 7, "__error_enrich__", "divert"),
        (4, 5, "continue", "move"),
        (2, 3, "collect", "move"),
        (3, 5, "continue", "move"),
        (6, 7, "__failsink__", "divert"),
        (0, 7, "__quarantine__", "divert"),
        (2, 5, "one", "copy"),
        (2, 6, "other", "copy"),
    ];
    let id = |name: &str| Json::Text(format!("{name}_0123456789ab"));
    let node = |(name, plugin): &(&str, &str)| {
        let config_hash = Digest::Sha256.hash(name.as_bytes());
        object(vec![
            ("id", id(name).json()),
            ("plugin", (*plugin).json()),
            ("config_hash", config_hash.json()),
        ])
    };
    let edge = |(from, to, label, mode): &(usize, usize, &str, &str)| {
        object(vec![
            ("from", id(nodes[*from].0).json()),
            ("to", id(nodes[*to].0).json()),
            ("label", (*label).json()),
            ("mode", (*mode).json()),
        ])
    };
    object(vec![
        ("nodes", Json::List(nodes.iter().map(node).collect())),
        ("edges", Json::List(edges.iter().map(edge).collect())),
    ])
}
