"""leave_out.py FOLDER RECEIPT...: writes each receipt without one part of a release, one release, or one act into the folder,
with proofs that are right, so that verifiers can be tried on them. Says how many."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "python"))
from verify_receipt import encoded, sha, tree_of


def proof(shown, leaves, keep):
    """The proof of some of the leaves (index and bytes) of which one is shown."""
    rest, new = [*shown["proof"]], []

    def root(start, end):
        before, inside = len(new), [at for at in leaves if start <= at < end]
        if not inside:
            found = bytes.fromhex(rest.pop(0))
        elif end - start == 1:
            found = sha(b"\0" + leaves[start])
        else:
            middle = start + (1 << (end - start - 1).bit_length() - 1)
            found = sha(b"\1" + root(start, middle) + root(middle, end))
        if not any(start <= at < end for at in keep):
            new[before:] = [found.hex()]
        return found

    if shown["size"]:
        root(0, shown["size"])
    return new


def reduce(shown, name, leaf, index):
    """Leaves one out."""
    leaves = {it["index"]: leaf(it) for it in shown[name]}
    kept = [it for it in shown[name] if it["index"] != index]
    shown["proof"] = proof(shown, leaves, {it["index"] for it in kept})
    shown[name] = kept


def records(leaf):
    return encoded(leaf["records"], "*")


def release(leaf):
    return encoded(leaf["batches"], "*") + tree_of(leaf, "parts")


def hashes(value):
    if isinstance(value, dict):
        return set().union(*map(hashes, value.values()))
    if isinstance(value, list):
        return set().union(*map(hashes, value))
    return {value} if isinstance(value, str) else set()


def less(text):
    """The receipt without each of what can be left out."""
    receipt = json.loads(text)
    for leaf in receipt["acts"]["leaves"]:
        fewer = json.loads(text)
        reduce(fewer["acts"], "leaves", records, leaf["index"])
        yield f"act-{leaf['index']}", fewer
    for at, leaf in enumerate(receipt["releases"]["leaves"]):
        fewer = json.loads(text)
        reduce(fewer["releases"], "leaves", release, leaf["index"])
        yield f"release-{leaf['index']}", fewer
        for part in leaf["parts"]:
            fewer = json.loads(text)
            reduce(fewer["releases"]["leaves"][at], "parts", records, part["index"])
            yield f"part-{leaf['index']}-{part['index']}", fewer


written = 0
for path in map(pathlib.Path, sys.argv[2:]):
    for name, fewer in less(path.read_text()):
        named = hashes([fewer["decisions"], fewer["releases"], fewer["acts"]])
        fewer["bodies"] = [body for body in fewer["bodies"] if sha(body.encode()).hex() in named]
        out = pathlib.Path(sys.argv[1]) / f"{path.stem}-without-{name}.json"
        out.write_text(json.dumps(fewer, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n")
        written += 1
print(written)
