#!/usr/bin/env python3
"""Checks receipts as docs/evidence-format.md defines them, of runs whose hash version is sha256-rfc8785-v1.
Exit code: 0 all is proven, 1 something cannot be told, 2 wrong command line, 5 something is wrong."""
import argparse, base64, hashlib, json, pathlib, re, sys
from signed_note import opened, public_key

RECORDS = json.loads(pathlib.Path(__file__).with_name("records.json").read_bytes())  # fields, in the order of the bytes
HASHES = "source_data_hash", "input_hash", "output_hash", "request", "response"  # those of bodies

def must(holds, what):  # gives nothing, so that `must(...) or x` is x
    if not holds: raise ValueError(what)
def sha(data): return hashlib.sha256(data).digest()
def canonical(text, end=""):
    again = json.dumps(value := json.loads(text), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return must(again + end == text, "not canonical JSON") or value
def only(names, value):  # the values of an object that has these fields and no others
    return must([*value] == names.split(), f"other fields than {names}") or value.values()

def encoded(value, form):  # the bytes of a record, of a field, or of an object in one
    if form == "text": return len(value.encode()).to_bytes(4, "big") + value.encode()
    if form == "hash": return bytes.fromhex(re.fullmatch("[0-9a-f]{64}", value)[0])
    if form == "flag": return bytes([["False", "True"].index(repr(value))])
    if form == "token_key":
        release, slot, ordinal = re.fullmatch(r"(r?)(0|[1-9][0-9]{0,10})\.(0|[1-9][0-9]{0,6})", value).groups()
        must(int(slot) < 2**35 and int(ordinal) < 2**20, f"no token is {value}")
        return (len(release) << 55 | int(slot) << 20 | int(ordinal)).to_bytes(8, "big")
    if isinstance(form, list): return bytes([form.index(value)])  # the name of a code
    if form[0] == "=": return bytes([int(form[1:])])  # a record's tag
    if form in ("u8", "u16", "u32", "u64"):
        return must(type(value) is int and value < 2**53, "no number") or value.to_bytes(int(form[1:]) // 8, "big")
    left, data = {**value}, b""
    for name, kind in RECORDS[form].items():
        optional, name = name[-1] == "?", name.rstrip("?")
        data += bytes([name in left]) if optional else b""
        data += encoded(left.pop(name), kind) if name in left or not optional else b""
    return must(not left, f"unknown fields {left}") or data
def bytes_of(records): return b"".join(encoded(record, record["record"]) for record in records)
def tree(size, proof, leaves):  # size and root of the tree with these leaves (index, bytes) and the hashes of the proof
    rest, left = [encoded(item, "hash") for item in proof], {at: data for at, data in leaves if encoded(at, "u64")}
    must([at for at, _ in leaves] == sorted(left), "leaves are out of order")
    def root(start, end):
        if not any(start <= at < end for at in left): return rest.pop(0)
        if end - start == 1: return sha(b"\0" + left.pop(start))
        middle = start + (1 << (end - start - 1).bit_length() - 1)
        return sha(b"\1" + root(start, middle) + root(middle, end))
    found = root(0, size) if encoded(size, "u64") != bytes(8) else sha(b"")
    return must(not rest and not left, "a proof or leaf too many") or encoded(size, "u64") + found

def check(text, keys):
    names = "acts artifacts bodies decisions entry format hash_version head registry releases row run source topology"
    values = only(names, canonical(text, end="\n"))
    acts, artifacts, bodies, decisions, entry, form, version, head, registry, releases, row, run, source, graph = values
    sealed, topology_hash = canonical(entry), sha(graph.encode())
    about = [form, *map(sealed.get, ("entry", "run", "hash_version"))]
    must(about == ["elspeth-receipt-v1", "sealed", run, version], "the entry is not about the end of this run")
    if version == "blake3-rfc8785-v1": return 1, "unknown: BLAKE3 is not in the standard library"
    must(version == "sha256-rfc8785-v1" and sealed["topology_hash"] == topology_hash.hex(), "another graph or digest")
    proof, told, size = only("proof records size", decisions)
    content = b"elspeth-content-root-v1\0" + encoded(version, "text") + topology_hash + encoded(source, "hash")
    content, leaves = content + tree(size, proof, [(row, bytes_of(told))]), []
    shown, proof, size = only("leaves proof size", releases)
    for batches, index, parts, of_parts, count in (only("batches index parts proof size", it) for it in shown):
        parts = [[*only("index records", part)] for part in parts]
        leaves.append((index, bytes_of(batches) + tree(count, of_parts, [(at, bytes_of(part)) for at, part in parts])))
        told = told + [record for _, part in parts for record in part]
    content, (shown, proof, size) = content + tree(size, proof, leaves), only("leaves proof size", acts)
    acts = [[*only("index records", leaf)] for leaf in shown]
    content += tree(size, proof, [(at, bytes_of(act)) for at, act in acts]) + encoded(artifacts, "hash")
    must(sha(content).hex() == sealed["content_root"], "the records do not give the content root")
    for _, act in acts:
        kinds, tokens, told = [it["record"] for it in act], {it["token"] for it in act}, told + act
        must(kinds.index("token_outcome") == len(act) - 1 and len(tokens) == 1, "not an act that ends with one outcome")
    def of(kind, *names): return {tuple(map(it.get, names)) for it in told if it["record"] == kind}
    must(type(sealed["started_at"]) is type(sealed["completed_at"]) is int, "the entry has no times")
    made, ended = of("token", "token"), of("token_outcome", "token")
    consumed = {it[1:] for it in of("token_outcome", "outcome", "token", "batch_no") if it[0] == "consumed_in_batch"}
    must((told[0]["record"], told[0]["row_index"]) == ("row", row), "another row")
    must(ended <= made and len(ended) == len(acts), "outcomes do not fit tokens")
    must(ended == made or sealed["status"] != "completed", "an outcome is missing")
    must(of("token_parent", "token") <= made and consumed <= of("batch_member", "token", "batch_no"), "left out")
    must({sha(it.encode()).hex() for it in bodies} <= {it.get(name) for it in told for name in HASHES}, "another body")
    index, proof, size = only("index proof size", registry)
    root, (text, signers) = tree(size, proof, [(index, entry.encode())])[8:], opened(head, keys)
    origin, root = text.split("\n")[0], base64.b64encode(root).decode()
    must(origin and origin.isprintable() and text == f"{origin}\n{size}\n{root}\n", "the entry is not in that log")
    return (0, f"ok: row {row} of run {run}") if signers else (1, "unknown: it fits its head, but no key was given")

if __name__ == "__main__":
    parser, worst = argparse.ArgumentParser(description=__doc__), 0
    parser.add_argument("receipts", nargs="+", type=pathlib.Path)
    parser.add_argument("--key", action="append", default=[], type=public_key, help="the text of a public key")
    arguments = parser.parse_args()
    for path in arguments.receipts:
        try: code, said = check(path.read_bytes().decode(), arguments.key)
        except OSError as error: code, said = 1, f"unknown: {error}"
        except Exception as error: code, said = 5, f"refused: {error!r}"
        print(f"{path}: {said}")
        worst = max(worst, code)
    sys.exit(worst)
