"""verify_receipt.py RECEIPT [PUBLIC-KEY...]: checks a receipt as docs/evidence-format.md defines it, of a run whose
hash version is sha256-rfc8785-v1. Exit code: 0 all is proven, 1 something cannot be told, 5 something is wrong."""
import base64, hashlib, json, pathlib, re, sys

FORMS = json.loads(pathlib.Path(__file__).with_name("records.json").read_bytes())  # fields, in the order of the bytes
P, ORDER = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493  # of Ed25519, see RFC 8032, 5.1
D, TURN = -121665 * pow(121666, -1, P) % P, pow(2, (P - 1) // 4, P)
def must(holds, what):  # gives nothing, so that `must(...) or x` is x
    if not holds: raise ValueError(what)
def sha(data): return hashlib.sha256(data).digest()
def number(token): return encoded(token, "token_key")
def canonical(text):
    again = json.dumps(value := json.loads(text), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return must(again == text, "not canonical JSON") or value
def encoded(value, form):  # the bytes of a value that must have this form; a KeyError if it has not
    if form == "text": return len(value.encode()).to_bytes(4, "big") + value.encode()
    if form == "hash": return bytes.fromhex(re.fullmatch("[0-9a-f]{64}", value)[0])
    if form == "token_key":
        release, slot, ordinal = re.fullmatch(r"(r?)(0|[1-9][0-9]{0,10})\.(0|[1-9][0-9]{0,6})", value).groups()
        must(int(slot) < 2**35 and int(ordinal) < 2**20, f"no token is {value}")
        return (len(release) << 55 | int(slot) << 20 | int(ordinal)).to_bytes(8, "big")
    if isinstance(form, list): return bytes([[*map(repr, form)].index(repr(value))])  # the name of a code
    if form[0] == "=" and type(value) is str: return bytes([int(form[1:])])  # the tag of a record
    if form[0] == "u" and type(value) is int and value < 2**53: return value.to_bytes(int(form[1:]) // 8, "big")
    if form[0] == "*" and type(value) is list: return b"".join(encoded(it, form[1:] or it["record"]) for it in value)
    left, data = {**value}, b""
    for name, kind in FORMS[form].items():
        data += bytes([name[:-1] in left]) if name[-1] == "?" else b""
        data += encoded(left.pop(name.rstrip("?")), kind) if name[-1] != "?" or name[:-1] in left else b""
    return must(not left, f"unknown fields {left}") or data
def tree(shown, leaves):  # size and root of a tree, by the proof that some leaves (index and bytes) are in it
    rest, left = [*shown["proof"]], dict(leaves)
    def root(start, end):
        if not any(start <= at < end for at in left): return bytes.fromhex(rest.pop(0))
        if end - start == 1: return sha(b"\0" + left.pop(start))
        middle = start + (1 << (end - start - 1).bit_length() - 1)
        return sha(b"\1" + root(start, middle) + root(middle, end))
    found = encoded(shown["size"], "u64") + (root(0, shown["size"]) if shown["size"] else sha(b""))
    return must([at for at, _ in leaves] == sorted(dict(leaves)) and not rest and not left, "not its leaves") or found
def tree_of(shown, name): return tree(shown, [(leaf["index"], encoded(leaf["records"], "*")) for leaf in shown[name]])
def add(p, q):  # two points of the curve
    (a, b), (c, d), e = p, q, D * p[0] * p[1] * q[0] * q[1]
    return (a * d + b * c) * pow(1 + e, -1, P) % P, (b * d + a * c) * pow(1 - e, -1, P) % P
def times(number, point):
    half = times(number // 2, add(point, point)) if number else (0, 1)
    return add(half, point) if number & 1 else half
def decoded(data):
    sign, y = divmod(int.from_bytes(data, "little"), 2**255)
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    roots = [turn * pow(square, (P + 3) // 8, P) % P for turn in (1, -1, TURN, -TURN)]
    return next((x, y) for x in roots if y < P and x * x % P == square and x & 1 == sign)
def is_signed(message, public, signature):  # never with keys and signatures of small order
    base, a, r = map(decoded, ((4 * pow(5, -1, P) % P).to_bytes(32, "little"), public, signature[:32]))
    k, s = hashlib.sha512(signature[:32] + public + message).digest(), int.from_bytes(signature[32:], "little")
    fits = times(s, base) == add(r, times(int.from_bytes(k, "little") % ORDER, a))
    return s < ORDER and (0, 1) not in (times(8, a), times(8, r)) and fits
def public_key(text):  # who signs with it (name and id), and the key
    name, key_id, data = re.fullmatch(r"([^\s+]+)\+([0-9a-f]{8})\+(A[Q-Za-f][A-Za-z0-9+/]{42})", text).groups()
    must(sha(f"{name}\n".encode() + base64.b64decode(data)).hex()[:8] == key_id, "not the id of that key")
    return (name, bytes.fromhex(key_id)), base64.b64decode(data)[1:]

def follow(row, told, releases, acts, graph, completed):  # the way of a row, on which there must be no gap
    ids = [node["id"] for node in graph["nodes"]]
    kinds = [name.split("_")[0] for name in ids]
    edges = [(ids.index(it["from"]), ids.index(it["to"]), it["label"], it["mode"]) for it in graph["edges"]]
    parts = [(at, part) for at, it in enumerate(releases, 1) for part in it["parts"]]
    walks = [(0, told), *((at, part["records"]) for at, part in parts)]
    records = [it for _, walk in walks for it in walk] + [it for act in acts for it in act]
    def of(kind, *names):
        found = {}
        for it in records: it["record"] == kind and found.setdefault(tuple(map(it.get, names)), []).append(it)
        return found
    def whose(it): return it.get("parent", it.get("token"))
    def ahead(step):
        [to] = [to for at, to, _, mode in edges if at == step and mode == "move"]
        return to
    made, ended = ({name: it[0] for (name,), it in of(kind, "token").items()} for kind in ("token", "token_outcome"))
    states, errors = of("node_state", "token", "step"), of("transform_error", "token", "step", "attempt")
    routes, links = of("routing_event", "token", "step"), of("token_parent", "parent")
    visits, came = of("node_state", "token"), of("batch_output", "batch_no")
    last = {whose(it): at for at, walk in walks for it in walk}  # in which walk a token is told of last
    todo, ends, members, beside, flushed = [], {}, {}, set(), set()
    for at, it in enumerate(releases, 1):
        names = [whose(part["records"][0]) for part in it["parts"]]
        must(all({*map(whose, part["records"])} == {name} for name, part in zip(names, it["parts"])), "a part of two")
        must(names and names == sorted({*names}, key=number) and (it["batches"] or len(names) == it["size"]), "parts")
        for member in [record for part in it["parts"] for record in part["records"]]:
            if member["record"] == "batch_member" and member["batch_no"] == it["batches"][0]["batch_no"]:
                members[member["token"], it["batches"][0]["step"]] = member["batch_no"], at, it
    def is_consumed(token, at):
        if (token, at) not in members: return False
        if token in ended: return ended[token].get("batch_no") == members[token, at][0]  # or a later one
        unseen = kinds[ahead(at)] in ("transform", "gate") and (token, ahead(at)) not in states
        return members[token, at][:1] in came or unseen
    def way(token, at):  # how it ends, and where
        left = {it["step"] for it in visits.get((token,), []) if kinds[it["step"]] != "sink"}
        behind = max(left, default=0)
        while True:
            kind, state, end = kinds[at], states.get((token, at), [None])[-1], None
            left -= {at}
            if kind == "sink": end = "sink"
            elif not state: end = must(kind in ("aggregation", "coalesce"), "a gap") or "waiting"
            elif state["status"] == "failed" and kind != "coalesce":
                sink = errors[token, at, state["attempt"]][-1].get("destination")
                end, at = ("discarded", at) if sink is None else ("sink", sink)
            elif state["status"] == "failed": end = "not merged"
            elif kind == "coalesce": end = "merged"
            elif kind == "transform" and (token,) in links and at == behind: end = "parted"
            elif kind == "aggregation" and is_consumed(token, at): end = "consumed"
            elif kind == "gate":
                _, to, _, mode = edges[routes[token, at][0]["edge"]]
                end = "parted" if mode == "copy" else None
            else: to = ahead(at)
            if end: return must(not left, "a gap") or (end, at)
            must(to > at and kind != "source" and state["status"] == "completed", "no way")
            at = to
    def reach(token, end, at):  # its outcome says so, and what was made of it goes on
        must(token in made and (token in ended or not completed), f"{token} has no outcome")
        children, ends[token] = [it["token"] for it in links.get((token,), [])], end
        outcome, sink, group = map(ended.get(token, {}).get, ("outcome", "sink", "group"))
        if end == "parted":
            taken = [edges[it["edge"]] for it in routes.get((token, at), [])]
            must(children and all(made[it].get("group") == token for it in children), "other children")
            must(kinds[at] != "gate" or len(children) == len(taken), "other branches")
            for it in children:
                branches = [to for _, to, label, _ in taken if label == made[it].get("branch")]
                todo.append((it, branches[0] if kinds[at] == "gate" or "branch" in made[it] else ahead(at)))
        elif end == "merged":
            must(len(children) == 1 and made[children[0]].get("group") == children[0], "no merge")
            todo.append((children[0], ahead(at)))
        elif end == "consumed" and members[token, at][0] not in flushed:
            flushed.add(members[token, at][0])
            todo.extend((it, ahead(at)) for it in came_out(*members[token, at]))
        arrived = outcome in ("completed", "routed", "quarantined") and sink == at or outcome == "diverted"
        fits = {"sink": arrived and (token, at) in states, "discarded": outcome == "quarantined" and sink is None}
        fits["parted"] = (outcome, group) == ("forked" if kinds[at] == "gate" else "expanded", token)
        fits |= {"merged": outcome == "coalesced" and [group] == children, "not merged": outcome == "failed"}
        fits["waiting"] = outcome == "buffered" and not completed
        batch = members.get((token, at), (None,))[0]
        fits["consumed"] = outcome == "consumed_in_batch" and ended[token].get("batch_no") == batch
        must(token not in ended or fits[end], f"the outcome of {token}")
    def came_out(batch, at, release):  # all that a batch made: numbered from 0, and the next part is of something else
        before, ours, after = [], [], []
        for part in release["parts"]:
            name = whose(part["records"][0])
            other = before if number(name) < number(f"r{batch}.0") else after
            (ours if name.startswith(f"r{batch}.") else other).append((part["index"], name))
        begin = ours[0][0] if ours else before[-1][0] + 1 if before else 0
        must(ours == [(begin + n, f"r{batch}.{n}") for n in range(len(ours))], "not all that came out of a batch")
        must((after[0][0] if after else release["size"]) == begin + len(ours), "not all that came out of a batch")
        beside.update((at, name) for _, name in after[:1] + ([] if ours else before[-1:]))
        return [it["token"] for it in came.get((batch,), [])]
    first = f"{row}.0"
    if told[0]["valid"]: todo.append((first, ahead(0)))
    else:
        [error] = of("validation_error")[()]
        reach(first, "sink" if "destination" in error else "discarded", error.get("destination", 0))
    while todo:
        token, at = todo.pop()
        if token not in ends: reach(token, *way(token, at))
    must(made.keys() == ends.keys(), "a stranger")
    shown = {(at, whose(part["records"][0])) for at, part in parts}
    must(all(token in ends for _, token in shown - beside), "a part of a stranger")
    acted = max((last[token] for token in ended), default=-1)  # sinks do what was decided in its order
    must(all(last[it] > acted or it in ended or ends[it] == "waiting" for it in ends), "an outcome is missing")

def check(text, keys):
    must(text[-1:] == "\n" and encoded(receipt := canonical(text[:-1]), "receipt"), "no receipt")
    acts, artifacts, bodies, rows, entry, _, version, head, log, releases, row, run, source, graph = receipt.values()
    told, topology, graph, sealed = rows["records"], canonical(graph), sha(graph.encode()), canonical(entry)
    if version == sealed["hash_version"] == "blake3-rfc8785-v1": return 1, "unknown: BLAKE3 is not in the library"
    leaves = [(it["index"], encoded(it["batches"], "*") + tree_of(it, "parts")) for it in releases["leaves"]]
    trees = tree(rows, [(row, encoded(told, "*"))]) + tree(releases, leaves) + tree_of(acts, "leaves")
    content = b"elspeth-content-root-v1\0" + encoded(version, "text") + graph + bytes.fromhex(source) + trees
    about = {"entry": "sealed", "run": run, "hash_version": version, "topology_hash": graph.hex()}
    about["content_root"] = sha(content + bytes.fromhex(artifacts)).hex()
    must(sealed == sealed | about and type(sealed["started_at"]) is type(sealed["completed_at"]) is int, "the entry")
    parts, acts = [part for it in releases["leaves"] for part in it["parts"]], [it["records"] for it in acts["leaves"]]
    must(all([it["record"] for it in act].index("token_outcome") == len(act) - 1 for act in acts), "an act goes on")
    must(all(len({it["token"] for it in act}) == 1 for act in acts), "an act of two tokens")
    must((told[0]["record"], told[0]["row_index"]) == ("row", row), "another row")
    decided = told + [it for part in parts for it in part["records"]]
    made, ended = {it["token"] for it in decided if it["record"] == "token"}, [it[-1]["token"] for it in acts]
    must(len({*ended}) == len(ended) and {*ended} <= made, "an outcome of a stranger, or two of one")
    follow(row, told, releases["leaves"], acts, topology, sealed["status"] == "completed")
    told = decided + sum(acts, [])
    hashes = {it.get(name.rstrip("?")) for it in told for name, form in FORMS[it["record"]].items() if form == "hash"}
    must({sha(body.encode()).hex() for body in bodies} <= hashes, "another body")
    root = base64.b64encode(tree(log, [(log["index"], entry.encode())])[8:]).decode()
    note, *lines, end = re.split("\n\u2014 |\n\\Z", head)  # a signed text has a last newline of its own
    origin, rest = note.split("\n", 1)
    must(rest == f"{log['size']}\n{root}" + "\n" * bool(lines) and end == "" < origin and origin.isprintable(), "head")
    lines = [re.fullmatch(r"([^\s+]+) ([A-Za-z0-9+/]{90}[AEIMQUYcgkosw048]=)", line).groups() for line in lines]
    signed = {(name, base64.b64decode(data)[:4]): base64.b64decode(data)[4:] for name, data in lines}
    must(len(signed) == len(lines) >= bool(keys), "signed by nobody, or twice by one")
    must(all(is_signed(note.encode(), keys[who], data) for who, data in signed.items() if keys), "not with that key")
    return (0, f"ok: row {row} of run {run}") if keys else (1, "unknown: it fits its head, but no key was given")

if __name__ == "__main__":
    keys, data = dict(map(public_key, sys.argv[2:])), pathlib.Path(sys.argv[1]).read_bytes()
    try: code, said = check(data.decode(), keys)
    except Exception as error: code, said = 5, f"refused: {error!r}"
    print(said)
    sys.exit(code)
