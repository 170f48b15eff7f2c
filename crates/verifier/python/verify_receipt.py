"""verify_receipt.py RECEIPT [PUBLIC-KEY...]: checks a receipt as docs/evidence-format.md defines it, of a run whose
hash version is sha256-rfc8785-v1. Exit code: 0 all is proven, 1 something cannot be told, 5 something is wrong."""
import base64, hashlib, json, pathlib, re, sys

FORMS = json.loads(pathlib.Path(__file__).with_name("records.json").read_bytes())  # fields, in the order of the bytes
P, ORDER = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493  # of Ed25519, see RFC 8032, 5.1
D, TURN = -121665 * pow(121666, -1, P) % P, pow(2, (P - 1) // 4, P)
def must(holds, what):  # gives nothing, so that `must(...) or x` is x
    if not holds: raise ValueError(what)
def sha(data): return hashlib.sha256(data).digest()
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

def check(text, keys):
    must(text[-1:] == "\n" and encoded(receipt := canonical(text[:-1]), "receipt"), "no receipt")
    acts, artifacts, bodies, rows, entry, _, version, head, log, releases, row, run, source, graph = receipt.values()
    told, graph, sealed = rows["records"], sha(graph.encode()), canonical(entry)
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
    told = sum([part["records"] for part in parts] + acts, told)
    def of(kind, *names): return {tuple(map(record.get, names)) for record in told if record["record"] == kind}
    made, ended, members = of("token", "token"), of("token_outcome", "token"), of("batch_member", "token", "batch_no")
    consumed = {it[1:] for it in of("token_outcome", "outcome", "token", "batch_no") if it[0] == "consumed_in_batch"}
    must((told[0]["record"], told[0]["row_index"]) == ("row", row), "another row")
    must(ended <= made and len(ended) == len(acts) and (ended == made or sealed["status"] != "completed"), "outcome")
    must(of("token_parent", "token") <= made and consumed <= members, "a token or a member is missing")
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
