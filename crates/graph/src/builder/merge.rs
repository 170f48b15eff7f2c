use compact_str::CompactString;
use elspeth_value::{Contract, FieldSpec, FieldType, SchemaMode};

use crate::spec::{BranchDecl, MergeDecl, PolicyDecl};

/// What merged rows look like, given what arrives in each branch (`None`: not known because of an error elsewhere).
pub(super) fn merged(
    branches: &[BranchDecl],
    arriving: &[Option<&Contract>],
    merge: &MergeDecl,
    policy: PolicyDecl,
) -> Contract {
    match merge {
        MergeDecl::Union => union(arriving),
        MergeDecl::Nested => nested(branches, policy),
        MergeDecl::Select(selected) => {
            let selected =
                branches.iter().position(|b| selected.as_ref().is_some_and(|s| s.name == b.name.name));
            let contract = selected.and_then(|position| arriving[position]);
            contract.cloned().unwrap_or_else(Contract::observed)
        }
    }
}

/// One field for each branch, sure to be there only when every branch must arrive.
fn nested(branches: &[BranchDecl], policy: PolicyDecl) -> Contract {
    let required = matches!(policy, PolicyDecl::RequireAll);
    let field = |branch: &BranchDecl| FieldSpec {
        name: branch.name.name.as_str().into(),
        ty: FieldType::Any,
        required,
    };
    let fields = branches.iter().map(field).collect();
    Contract { mode: SchemaMode::Fixed, fields, ..Contract::observed() }
}

/// The fields of all branches; sure to be there are those that every branch is sure to have.
fn union(arriving: &[Option<&Contract>]) -> Contract {
    let Some(known) = arriving.iter().copied().collect::<Option<Vec<&Contract>>>() else {
        return Contract::observed();
    };
    // Of a branch that has yet to see its first row nothing is known, so nothing is known of the merge either.
    if known.is_empty() || known.iter().any(|contract| is_unknown(contract)) {
        return Contract::observed();
    }
    let all_fixed = known.iter().all(|contract| contract.mode == SchemaMode::Fixed);
    let mode = if all_fixed { SchemaMode::Fixed } else { SchemaMode::Flexible };
    let names = distinct(known.iter().flat_map(|contract| contract.fields.iter().map(|field| &field.name)));
    let fields: Vec<FieldSpec> = names.into_iter().map(|name| field_of_all(name, &known)).collect();
    let promised = distinct(known.iter().flat_map(|contract| &contract.guaranteed_fields));
    let only_promised = |name: &&CompactString| {
        fields.iter().all(|field| field.name != **name)
            && known.iter().all(|contract| contract.guarantees(name))
    };
    let guaranteed_fields = promised.into_iter().filter(only_promised).cloned().collect();
    let audit_fields = distinct(known.iter().flat_map(|contract| &contract.audit_fields));
    let audit_fields = audit_fields.into_iter().cloned().collect();
    Contract { mode, fields, guaranteed_fields, audit_fields, ..Contract::observed() }
}

fn is_unknown(contract: &Contract) -> bool {
    contract.mode == SchemaMode::Observed
        && contract.fields.is_empty()
        && contract.guaranteed_fields.is_empty()
}

/// The type is that of all branches, when they agree and none of them may have such a field without naming it.
fn field_of_all(name: &CompactString, known: &[&Contract]) -> FieldSpec {
    let may_have = |contract: &&&Contract| contract.mode != SchemaMode::Fixed || contract.guarantees(name);
    let types: Vec<Option<FieldType>> = known
        .iter()
        .filter(|contract| contract.field(name).is_some() || may_have(contract))
        .map(|contract| contract.field(name).map(|field| field.ty))
        .collect();
    let agreed = types.windows(2).all(|pair| pair[0] == pair[1]);
    let ty = types.first().copied().flatten().filter(|_| agreed).unwrap_or(FieldType::Any);
    FieldSpec { name: name.clone(), ty, required: known.iter().all(|contract| contract.guarantees(name)) }
}

fn distinct<'a>(names: impl Iterator<Item = &'a CompactString>) -> Vec<&'a CompactString> {
    let mut distinct: Vec<&CompactString> = Vec::new();
    for name in names {
        if !distinct.contains(&name) {
            distinct.push(name);
        }
    }
    distinct
}
