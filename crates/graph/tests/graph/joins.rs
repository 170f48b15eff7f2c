//! Forks, coalesces and aggregations: what is built of them, and every wiring of them that is refused.

use elspeth_contracts::EdgeMode;
use elspeth_graph::spec::{MergeDecl, NodeDecl, NodeKind, PolicyDecl, Ref};
use elspeth_graph::{
    CoalescePolicy, ExecutionGraph, GraphWarning, Merge, Node, NodeSpec, OutputMode, RouteTo, SettingPath,
};
use elspeth_value::{Contract, FieldType, SchemaMode};

use crate::pipelines::{
    advice, aggregation, aggregation_when, built, coalesce, coalesce_of, errors, fork, gate, schema, sink,
    sink_of, source, source_of, spec, transform, transform_of,
};

const OBSERVED: Contract = Contract::observed();

/// `source -> split -(a, b)-> joined -> out`, with `more` between.
fn joined(more: Vec<NodeDecl>, branches: &[&str]) -> Vec<NodeDecl> {
    joined_by(more, coalesce("joined", branches, Some("out")))
}

fn joined_by(more: Vec<NodeDecl>, coalesce: NodeDecl) -> Vec<NodeDecl> {
    let mut nodes = vec![source("rows", "discard"), fork("split", "rows", &["a", "b"], "out")];
    nodes.extend(more);
    nodes.extend([coalesce, sink("out"), sink("errors")]);
    // So that `errors` is reached whatever the case.
    if let NodeKind::Source { on_invalid, .. } = &mut nodes[0].kind {
        "errors".clone_into(&mut on_invalid.name);
    }
    nodes
}

fn expanding(name: &str, input: &str, on_success: &str) -> NodeDecl {
    let mut node = transform(name, input, on_success, "discard");
    if let NodeKind::Transform { expands, .. } = &mut node.kind {
        *expands = true;
    }
    node
}

fn warnings(nodes: Vec<NodeDecl>) -> Vec<GraphWarning> {
    ExecutionGraph::build(spec(nodes)).expect("a valid pipeline").1
}

fn node<'a>(graph: &'a ExecutionGraph, name: &str) -> &'a Node {
    graph.named(name).expect("a node of that name")
}

fn fork_of<'a>(graph: &'a ExecutionGraph, gate: &str) -> Vec<(&'a str, &'a str, Option<&'a str>)> {
    let NodeSpec::Gate { fork, .. } = &node(graph, gate).spec else { panic!("a gate") };
    let name = |step| graph.node(step).name.as_str();
    fork.iter()
        .map(|branch| {
            let edge = graph.edge(branch.edge);
            assert_eq!((edge.mode, edge.label.as_str()), (EdgeMode::Copy, &*branch.name));
            (&*branch.name, name(edge.to), branch.coalesce.map(name))
        })
        .collect()
}

fn crosses_rows(graph: &ExecutionGraph, name: &str) -> bool {
    let NodeSpec::Coalesce { crosses_rows, .. } = node(graph, name).spec else { panic!("a coalesce") };
    crosses_rows
}

/// Labels of edges, with their producers, from which a coalesce can be reached.
fn reaching(graph: &ExecutionGraph, coalesce: &str) -> Vec<String> {
    let step = node(graph, coalesce).step;
    let edges = graph.edges().iter().filter(|edge| graph.reaches(edge.no, step));
    edges.map(|edge| format!("{}.{}", graph.node(edge.from).name, edge.label)).collect()
}

#[test]
fn a_fork_has_a_copy_edge_for_each_branch_after_its_routes() {
    let graph = built(vec![
        source("rows", "discard"),
        fork("split", "rows", &["a", "b", "kept"], "out"),
        transform("work", "b", "b_done", "discard"),
        coalesce("joined", &["a", "b=b_done"], Some("out")),
        sink("out"),
        sink("kept"),
    ]);
    let labels: Vec<&str> = graph.edges().iter().map(|e| e.label.as_str()).collect();
    assert_eq!(labels, ["continue", "false", "a", "b", "kept", "continue", "on_success"]);
    let expected = [("a", "joined", Some("joined")), ("b", "work", Some("joined")), ("kept", "kept", None)];
    assert_eq!(fork_of(&graph, "split"), expected);
    let NodeSpec::Gate { routes, .. } = &graph.named("split").unwrap().spec else { panic!("a gate") };
    assert_eq!(routes[0].to, RouteTo::Fork);
    assert_eq!(routes[1].to, RouteTo::Edge(graph.edges()[1].no));
    assert_eq!(reaching(&graph, "joined"), ["split.a", "split.b", "work.continue"]);
}

#[test]
fn nested_forks_join_from_the_inside_out() {
    let graph = built(vec![
        source("rows", "discard"),
        fork("outer", "rows", &["a", "b"], "out"),
        fork("inner", "a", &["x", "y"], "out"),
        coalesce("inner_join", &["x", "y"], None),
        transform("after", "inner_join", "a_done", "discard"),
        coalesce("outer_join", &["b", "a=a_done"], Some("out")),
        sink("out"),
    ]);
    assert_eq!(
        fork_of(&graph, "inner"),
        [("x", "inner_join", Some("inner_join")), ("y", "inner_join", Some("inner_join"))]
    );
    assert_eq!(fork_of(&graph, "outer")[0], ("a", "inner", Some("outer_join")));
    assert_eq!(reaching(&graph, "inner_join"), ["inner.x", "inner.y"]);
    let all = ["outer.a", "outer.b", "inner.x", "inner.y", "inner_join.continue", "after.continue"];
    assert_eq!(reaching(&graph, "outer_join"), all);
}

#[test]
fn forks_nest_as_deep_as_one_likes() {
    const DEPTH: usize = 500;
    let mut nodes = vec![source("a0", "discard")];
    for level in 0..DEPTH {
        let [inner, other] = [format!("a{}", level + 1), format!("b{}", level + 1)];
        nodes.push(fork(&format!("fork{level}"), &format!("a{level}"), &[&inner, &other], "out"));
        // The innermost branch is joined as it is.
        let end = if level + 1 == DEPTH { inner.clone() } else { format!("join{}", level + 1) };
        let on_success = if level == 0 { Some("out") } else { None };
        nodes.push(coalesce(&format!("join{level}"), &[&format!("{inner}={end}"), &other], on_success));
    }
    nodes.push(sink("out"));
    let graph = built(nodes);
    let outermost = node(&graph, "join0").step;
    let reaching = graph.edges().iter().filter(|edge| graph.reaches(edge.no, outermost)).count();
    assert_eq!(reaching, 3 * DEPTH - 1);
}

#[test]
fn an_inner_branch_that_is_never_joined_goes_on_as_the_outer_one() {
    let graph = built(vec![
        source("rows", "discard"),
        fork("outer", "rows", &["a", "b"], "out"),
        fork("inner", "a", &["log", "y"], "out"),
        transform("after", "y", "a_done", "discard"),
        coalesce("joined", &["a=a_done", "b"], Some("out")),
        sink("out"),
        sink("log"),
    ]);
    assert_eq!(fork_of(&graph, "inner"), [("log", "log", None), ("y", "after", None)]);
    assert_eq!(reaching(&graph, "joined"), ["outer.a", "outer.b", "inner.y", "after.continue"]);
}

#[test]
fn a_way_out_of_a_branch_does_not_reach_its_coalesce() {
    let ways = gate("ways", "b", "row['x']", &[("on", "b_done"), ("also", "b_done"), ("away", "out")]);
    let graph = built(joined(vec![ways], &["a", "b=b_done"]));
    assert_eq!(reaching(&graph, "joined"), ["split.a", "split.b", "ways.on", "ways.also"]);
}

#[test]
fn only_aggregations_on_the_way_make_a_merge_wait_for_other_rows() {
    let passing = |input: &str, on_success| aggregation("batch", input, on_success, OutputMode::Passthrough);
    assert!(!crosses_rows(&built(joined(vec![], &["a", "b"])), "joined"));
    let inside = joined(vec![passing("b", None)], &["a", "b=batch"]);
    assert!(crosses_rows(&built(inside), "joined"));
    let ways = gate("ways", "b", "row['x'] == 1", &[("true", "b_done"), ("false", "aside")]);
    let aside = joined(vec![ways, passing("aside", Some("out"))], &["a", "b=b_done"]);
    assert!(!crosses_rows(&built(aside), "joined"));
    let nested = built(vec![
        source("rows", "discard"),
        fork("outer", "rows", &["a", "b"], "out"),
        fork("inner", "a", &["x", "y"], "out"),
        passing("y", None),
        coalesce("inner_join", &["x", "y=batch"], None),
        coalesce("outer_join", &["a=inner_join", "b"], Some("out")),
        sink("out"),
    ]);
    assert!(crosses_rows(&nested, "inner_join") && crosses_rows(&nested, "outer_join"));
}

#[test]
fn a_coalesce_without_on_success_produces_its_own_name() {
    let nodes = vec![
        source("rows", "discard"),
        fork("split", "rows", &["a", "b"], "out"),
        coalesce("joined", &["a", "b"], None),
        aggregation("stats", "joined", None, OutputMode::Transform),
        transform("last", "stats", "out", "discard"),
        sink("out"),
    ];
    let graph = built(nodes);
    let names: Vec<&str> = graph.nodes().iter().map(|n| n.name.as_str()).collect();
    assert_eq!(names, ["source", "split", "joined", "stats", "last", "out"]);
    let unconsumed = || joined_by(vec![], coalesce("joined", &["a", "b"], None));
    assert_eq!(errors(unconsumed()), ["unknown-target joined.name"]);
    assert!(advice(unconsumed(), "unknown-target")[0].contains("`input: joined`"));
}

#[test]
fn settings_become_policies_merges_and_triggers() {
    let selected = MergeDecl::Select(Some(Ref::new("b", SettingPath::new("joined.select_branch"))));
    let graph = built(joined_by(
        vec![],
        coalesce_of("joined", &["a", "b"], Some("out"), PolicyDecl::Quorum(Some(2)), selected),
    ));
    let NodeSpec::Coalesce { branches, policy, merge, timeout, .. } = &graph.named("joined").unwrap().spec
    else {
        panic!("a coalesce")
    };
    assert_eq!((policy, merge), (&CoalescePolicy::Quorum(2), &Merge::Select(1)));
    assert_eq!((branches.as_slice(), timeout), (["a".to_owned(), "b".to_owned()].as_slice(), &None));

    let graph = built(vec![
        source("rows", "discard"),
        aggregation_when("batch", "rows", "out", "row['batch_age_seconds'] > 1.5"),
        sink("out"),
    ]);
    let NodeSpec::Aggregation { trigger, .. } = &graph.named("batch").unwrap().spec else {
        panic!("a batch")
    };
    assert_eq!(trigger.count, Some(10));
    assert!(trigger.condition.is_some());
}

#[test]
fn a_fork_needs_branches_and_branches_a_fork() {
    let nodes = vec![source("rows", "discard"), fork("split", "rows", &[], "out"), sink("out")];
    assert_eq!(errors(nodes), ["fork-without-branches split.routes.true"]);
    let mut plain = gate("split", "rows", "row['x'] == 1", &[("true", "out"), ("false", "out")]);
    if let NodeKind::Gate { fork_to, .. } = &mut plain.kind {
        *fork_to = vec![Ref::new("out", SettingPath::new("split.fork_to.0"))];
    }
    let nodes = vec![source("rows", "discard"), plain, sink("out")];
    assert_eq!(errors(nodes), ["branches-without-fork split.fork_to"]);
}

#[test]
fn branches_of_a_fork_have_names_of_their_own() {
    let nodes = vec![
        source("rows", "discard"),
        fork("split", "rows", &["out", "log", "out"], "out"),
        sink("out"),
        sink("log"),
    ];
    assert_eq!(errors(nodes), ["duplicate-branch split.fork_to.2"]);
    let nodes = vec![source("rows", "discard"), fork("split", "rows", &["out", "fork"], "out"), sink("out")];
    assert!(errors(nodes).contains(&"reserved-name split.fork_to.1".to_owned()));
}

#[test]
fn a_branch_has_a_destination() {
    let nodes = |branch| {
        vec![
            source("rows", "discard"),
            fork("split", "rows", &["out", branch], "out"),
            sink("out"),
            sink("archive"),
        ]
    };
    assert_eq!(
        errors(nodes("nowhere")),
        ["branch-without-destination split.fork_to.1", "unreachable archive.name"]
    );
    assert!(advice(nodes("nowhere"), "branch-without-destination")[0].contains("`branches` of a coalesce"));
    assert_eq!(errors(nodes("archiv")), ["branch-without-destination split.fork_to.1"]);
    assert_eq!(advice(nodes("archiv"), "branch-without-destination"), ["did you mean `archive`?"]);
}

#[test]
fn a_branch_has_one_fork() {
    let nodes = vec![
        source("rows", "discard"),
        gate("g", "rows", "row['x'] == 1", &[("true", "one"), ("false", "two")]),
        fork("split", "one", &["a", "b"], "out"),
        fork("again", "two", &["a", "out"], "out"),
        coalesce("joined", &["a", "b"], Some("out")),
        sink("out"),
    ];
    assert_eq!(errors(nodes), ["duplicate-producer again.fork_to.0"]);
}

#[test]
fn a_label_does_not_lead_into_a_branch_of_its_gate() {
    let nodes = vec![
        source("rows", "discard"),
        fork("split", "rows", &["a", "b"], "b"),
        coalesce("joined", &["a", "b"], Some("out")),
        sink("out"),
    ];
    assert_eq!(errors(nodes), ["route-into-branch split.routes.false"]);
}

#[test]
fn a_branch_is_in_one_coalesce_once() {
    let nodes = vec![
        source("rows", "discard"),
        fork("split", "rows", &["a", "b", "c"], "out"),
        coalesce("first", &["a", "b"], Some("out")),
        coalesce("second", &["b", "c"], Some("out")),
        sink("out"),
    ];
    assert_eq!(errors(nodes), ["branch-in-two-coalesces second.branches.0"]);
    assert_eq!(errors(joined(vec![], &["a", "b", "a"])), ["duplicate-branch joined.branches.2"]);
}

#[test]
fn a_branch_of_a_coalesce_is_forked() {
    let nodes = || joined(vec![transform("t", "b", "out", "discard")], &["a", "bb", "unrelated"]);
    let found = errors(nodes());
    assert_eq!(found, ["branch-never-forked joined.branches.1", "branch-never-forked joined.branches.2"]);
    let help = advice(nodes(), "branch-never-forked");
    assert_eq!(help, ["did you mean `b`?", "let a gate fork to it: `fork_to: [unrelated, ...]`"]);
}

#[test]
fn what_arrives_as_a_branch_comes_from_that_branch() {
    let work =
        || vec![transform("one", "a", "a_done", "discard"), transform("two", "b", "b_done", "discard")];
    assert_eq!(
        errors(joined(work(), &["a=b_done", "b=a_done"])),
        ["not-of-that-branch joined.branches.0", "not-of-that-branch joined.branches.1"]
    );
    let found = ExecutionGraph::build(spec(joined(work(), &["a=b_done", "b=a_done"]))).unwrap_err();
    assert_eq!(found[0].message, "`b_done` comes from the branch `b`, not from `a`");
    // The rows of the other label were never forked.
    let nodes = vec![
        source("rows", "discard"),
        fork("split", "rows", &["a", "b"], "rest"),
        transform("one", "a", "out", "discard"),
        transform("plain", "rest", "rest_done", "discard"),
        coalesce("joined", &["a=rest_done", "b"], Some("out")),
        sink("out"),
    ];
    assert_eq!(errors(nodes), ["not-of-that-branch joined.branches.0"]);
}

#[test]
fn a_coalesce_joins_the_branches_of_one_fork() {
    let nodes = || {
        vec![
            source("rows", "discard"),
            fork("outer", "rows", &["a", "b"], "out"),
            fork("inner", "a", &["x", "y"], "out"),
            coalesce("joined", &["b", "x", "y"], Some("out")),
            sink("out"),
        ]
    };
    let found =
        ["branches-of-several-forks joined.branches.1", "branches-of-several-forks joined.branches.2"];
    assert_eq!(errors(nodes()), found);
    assert!(advice(nodes(), "branches-of-several-forks")[0].contains("a coalesce of their own"));
}

#[test]
fn one_fork_may_feed_several_coalesces() {
    let graph = built(vec![
        source("rows", "discard"),
        fork("split", "rows", &["a", "b", "c", "d"], "out"),
        coalesce("first", &["a", "b"], Some("out")),
        coalesce("second", &["c", "d"], Some("out")),
        sink("out"),
    ]);
    let feeds: Vec<_> =
        fork_of(&graph, "split").into_iter().map(|(_, _, coalesce)| coalesce.unwrap()).collect();
    assert_eq!(feeds, ["first", "first", "second", "second"]);
    assert_eq!(reaching(&graph, "second"), ["split.c", "split.d"]);
}

#[test]
fn what_makes_new_rows_cannot_stand_in_a_branch() {
    let batch = |mode| vec![aggregation("batch", "b", None, mode)];
    let transforming = joined(batch(OutputMode::Transform), &["a", "b=batch"]);
    assert_eq!(errors(transforming), ["aggregation-in-branch joined.branches.1"]);
    built(joined(batch(OutputMode::Passthrough), &["a", "b=batch"]));
    let exploding = vec![expanding("explode", "b", "items"), transform("t", "items", "b_done", "discard")];
    assert_eq!(errors(joined(exploding, &["a", "b=b_done"])), ["expansion-in-branch joined.branches.1"]);
    // In an inner branch that goes on as the outer one, too.
    let nodes = vec![
        source("rows", "discard"),
        fork("outer", "rows", &["a", "b"], "out"),
        expanding("explode", "a", "items"),
        fork("inner", "items", &["x", "y"], "out"),
        coalesce("inner_join", &["x", "y"], None),
        coalesce("joined", &["a=inner_join", "b"], Some("out")),
        sink("out"),
    ];
    assert_eq!(errors(nodes), ["expansion-in-branch joined.branches.0"]);
}

#[test]
fn what_makes_new_rows_may_stand_before_forks_after_merges_and_beside_them() {
    built(vec![
        source("raw", "discard"),
        expanding("explode", "raw", "rows"),
        fork("split", "rows", &["a", "b", "aside"], "out"),
        aggregation("counted", "aside", Some("out"), OutputMode::Transform),
        coalesce("joined", &["a", "b"], None),
        expanding("again", "joined", "items"),
        aggregation("stats", "items", Some("out"), OutputMode::Transform),
        sink("out"),
    ]);
}

#[test]
fn a_branch_is_worked_on_before_it_is_joined_or_not_at_all() {
    let nodes = || joined(vec![transform("t", "b", "out", "discard")], &["a", "b"]);
    assert_eq!(errors(nodes()), ["duplicate-consumer joined.branches.1"]);
    assert!(advice(nodes(), "duplicate-consumer")[0].contains("write `b: <connection"));
}

#[test]
fn quorums_are_possible() {
    let of = |count| {
        joined_by(
            vec![],
            coalesce_of("joined", &["a", "b"], Some("out"), PolicyDecl::Quorum(count), MergeDecl::Union),
        )
    };
    assert_eq!(errors(of(None)), ["quorum-without-count joined.policy"]);
    for count in [0, 3, u64::MAX] {
        assert_eq!(errors(of(Some(count))), ["quorum-out-of-range joined.quorum_count"]);
    }
    assert_eq!(advice(of(Some(3)), "quorum-out-of-range"), ["write `quorum_count: <n>`, from 1 to 2"]);
    built(of(Some(1)));
}

#[test]
fn best_effort_needs_a_time_and_first_none() {
    let of = |policy, time: Option<u64>| {
        let mut node = coalesce_of("joined", &["a", "b"], Some("out"), policy, MergeDecl::Union);
        if let NodeKind::Coalesce { timeout, .. } = &mut node.kind {
            *timeout = time.map(std::time::Duration::from_secs);
        }
        joined_by(vec![], node)
    };
    assert_eq!(errors(of(PolicyDecl::BestEffort, None)), ["best-effort-without-timeout joined.policy"]);
    assert!(warnings(of(PolicyDecl::BestEffort, Some(1))).is_empty());
    let found = warnings(of(PolicyDecl::First, Some(1)));
    assert_eq!((found[0].code, found[0].at.as_str()), ("unused-setting", "joined.timeout_seconds"));
}

#[test]
fn the_selected_branch_exists() {
    let of = |selected: Option<&str>| {
        let selected = selected.map(|name| Ref::new(name, SettingPath::new("joined.select_branch")));
        joined_by(
            vec![],
            coalesce_of("joined", &["a", "b"], Some("out"), PolicyDecl::First, MergeDecl::Select(selected)),
        )
    };
    assert_eq!(errors(of(None)), ["select-without-branch joined.merge"]);
    assert_eq!(errors(of(Some("c"))), ["unknown-branch joined.select_branch"]);
    built(of(Some("a")));
}

#[test]
fn a_coalesce_has_branches() {
    let nodes = vec![source("out", "discard"), coalesce("joined", &[], Some("out")), sink("out")];
    assert_eq!(errors(nodes), ["no-branches joined.branches"]);
}

#[test]
fn error_edges_in_branches_that_are_all_required_are_warned_of() {
    let at = |nodes| {
        let found: Vec<String> =
            warnings(nodes).into_iter().map(|w| format!("{} {}", w.code, w.at)).collect();
        found
    };
    let work = |on_error| vec![transform("t", "b", "b_done", on_error)];
    assert_eq!(at(joined(work("errors"), &["a", "b=b_done"])), ["error-edge-in-branch t.on_error"]);
    assert!(at(joined(work("discard"), &["a", "b=b_done"])).is_empty());
    let best_effort =
        coalesce_of("joined", &["a", "b=b_done"], Some("out"), PolicyDecl::BestEffort, MergeDecl::Union);
    assert!(at(joined_by(work("errors"), best_effort)).is_empty());
    // Before an inner coalesce that can do without it, the outer branch is not lost.
    let nested = |policy| {
        vec![
            source("rows", "errors"),
            fork("outer", "rows", &["a", "b"], "out"),
            transform("before", "a", "a_begun", "errors"),
            fork("inner", "a_begun", &["x", "y"], "out"),
            transform("t", "x", "x_done", "errors"),
            coalesce_of("inner_join", &["x=x_done", "y"], None, policy, MergeDecl::Union),
            coalesce("outer_join", &["a=inner_join", "b"], Some("out")),
            sink("out"),
            sink("errors"),
        ]
    };
    let both = ["error-edge-in-branch t.on_error", "error-edge-in-branch before.on_error"];
    assert_eq!(at(nested(PolicyDecl::RequireAll)), both);
    assert_eq!(at(nested(PolicyDecl::BestEffort)), ["error-edge-in-branch before.on_error"]);
}

#[test]
fn triggers_ask_for_true_or_false() {
    let nodes = |condition| {
        vec![source("rows", "discard"), aggregation_when("batch", "rows", "out", condition), sink("out")]
    };
    built(nodes("row['batch_count'] >= 10 and row['batch_age_seconds'] > 1"));
    let at = "batch.trigger.condition";
    assert_eq!(errors(nodes("row['batch_count']")), [format!("trigger-not-boolean {at}")]);
    assert_eq!(errors(nodes("row['batch_age_seconds'] * 2")), [format!("trigger-not-boolean {at}")]);
    assert_eq!(errors(nodes("row['batch_count'] > 'x'")), [format!("expression-type {at}")]);
}

/// The contract behind a coalesce of two branches that give these schemas.
fn merged(a: Contract, b: Contract, policy: PolicyDecl, merge: MergeDecl) -> Contract {
    let becoming = |name: &str, branch: &str, contract: Contract| {
        let done = format!("{branch}_done");
        transform_of(name, [branch, &done, "discard"], OBSERVED, move |_| Ok(contract.clone()))
    };
    let work = vec![becoming("one", "a", a), becoming("two", "b", b)];
    let nodes = joined_by(work, coalesce_of("joined", &["a=a_done", "b=b_done"], Some("out"), policy, merge));
    node(&built(nodes), "joined").output.clone()
}

fn shown(contract: &Contract) -> Vec<String> {
    contract
        .fields
        .iter()
        .map(|f| format!("{}: {}{}", f.name, f.ty, if f.required { "" } else { "?" }))
        .collect()
}

#[test]
fn a_union_guarantees_what_all_branches_guarantee() {
    let union = |a, b| merged(a, b, PolicyDecl::RequireAll, MergeDecl::Union);
    let fixed = union(
        schema("fixed", &["id: int", "score: int", "note: str?", "left: str"]),
        schema("fixed", &["id: int", "score: float", "note: str", "right: str"]),
    );
    assert_eq!(shown(&fixed), ["id: int", "score: any", "note: str?", "left: str?", "right: str?"]);
    assert_eq!(fixed.mode, SchemaMode::Fixed);
    // A flexible branch may have a field of another type under a name that it does not declare.
    let open = union(schema("fixed", &["id: int", "x: int"]), schema("flexible", &["id: int"]));
    assert_eq!(
        (shown(&open), open.mode),
        (vec!["id: int".to_owned(), "x: any?".to_owned()], SchemaMode::Flexible)
    );
    assert_eq!(union(schema("fixed", &["id: int"]), OBSERVED), OBSERVED);
    let promising =
        Contract { guaranteed_fields: vec!["id".into(), "z".into()], ..schema("flexible", &["k: int"]) };
    let promised = union(
        promising.clone(),
        Contract { guaranteed_fields: vec!["z".into()], ..schema("fixed", &["id: int"]) },
    );
    assert_eq!(shown(&promised), ["k: int?", "id: any"]);
    assert_eq!(promised.guaranteed_fields, ["z"]);
}

#[test]
fn nested_merges_have_a_field_for_each_branch() {
    let of = |policy| merged(schema("fixed", &["id: int"]), OBSERVED, policy, MergeDecl::Nested);
    assert_eq!(shown(&of(PolicyDecl::RequireAll)), ["a: any", "b: any"]);
    assert_eq!(shown(&of(PolicyDecl::BestEffort)), ["a: any?", "b: any?"]);
    assert_eq!(of(PolicyDecl::First).mode, SchemaMode::Fixed);
    assert!(of(PolicyDecl::First).fields.iter().all(|field| field.ty == FieldType::Any));
}

#[test]
fn a_selected_branch_gives_its_schema() {
    let selected = MergeDecl::Select(Some(Ref::new("b", SettingPath::default())));
    let b = schema("fixed", &["id: int"]);
    assert_eq!(merged(OBSERVED, b.clone(), PolicyDecl::RequireAll, selected), b);
}

#[test]
fn schemas_are_checked_behind_merges_and_aggregations() {
    let fixed = || schema("fixed", &["id: int"]);
    let nodes = vec![
        source_of("rows", "discard", fixed()),
        fork("split", "rows", &["a", "b"], "rest"),
        coalesce_of("joined", &["a", "b"], Some("out"), PolicyDecl::RequireAll, MergeDecl::Nested),
        aggregation("batch", "rest", Some("kept"), OutputMode::Passthrough),
        sink_of("out", "discard", schema("flexible", &["id: int"])),
        sink_of("kept", "discard", schema("flexible", &["id: str"])),
    ];
    let found = errors(nodes);
    assert_eq!(
        found,
        [
            "expression-type split.condition",
            "schema-conflict batch.on_success",
            "schema-conflict joined.on_success"
        ]
    );
}
