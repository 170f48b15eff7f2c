use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use super::{FORMAT, Leaf, Leaves, Receipt, Release};
use crate::json::Json;
use crate::record::Record;
use crate::shape::{object, of_hashes, of_number, of_text};

impl Receipt {
    /// The text of the file.
    #[must_use]
    pub fn to_text(&self) -> String {
        let json = object([
            ("acts", leaves(&self.acts, leaf)),
            ("artifacts", of_text(self.artifacts.to_string())),
            ("bodies", Json::List(self.bodies.iter().map(|body| of_text(&**body)).collect())),
            ("decisions", self.decisions()),
            ("entry", of_text(&*self.entry)),
            ("format", of_text(FORMAT)),
            ("hash_version", of_text(self.digest.name())),
            ("head", of_text(&*self.head)),
            ("registry", self.registry()),
            ("releases", leaves(&self.releases, release)),
            ("row", of_number(self.row)),
            ("run", of_text(&*self.run)),
            ("source", of_text(self.source.to_string())),
            ("topology", of_text(&*self.topology)),
        ]);
        json.to_text() + "\n"
    }

    fn decisions(&self) -> Json {
        object([
            ("proof", of_hashes(&self.decisions.proof)),
            ("records", records(&self.decisions.records)),
            ("size", of_number(self.decisions.size)),
        ])
    }

    fn registry(&self) -> Json {
        object([
            ("index", of_number(self.registry.index)),
            ("proof", of_hashes(&self.registry.proof)),
            ("size", of_number(self.registry.size)),
        ])
    }
}

fn leaves<L>(leaves: &Leaves<L>, leaf: fn(&L) -> Json) -> Json {
    object([
        ("leaves", Json::List(leaves.leaves.iter().map(leaf).collect())),
        ("proof", of_hashes(&leaves.proof)),
        ("size", of_number(leaves.size)),
    ])
}

fn leaf(leaf: &Leaf) -> Json {
    object([("index", of_number(leaf.index)), ("records", records(&leaf.records))])
}

fn release(release: &Release) -> Json {
    object([
        ("batches", records(&release.batches)),
        ("index", of_number(release.index)),
        ("parts", Json::List(release.parts.leaves.iter().map(leaf).collect())),
        ("proof", of_hashes(&release.parts.proof)),
        ("size", of_number(release.parts.size)),
    ])
}

fn records(records: &[Record]) -> Json {
    Json::List(records.iter().map(Record::to_json).collect::<Vec<_>>())
}
