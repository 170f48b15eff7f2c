"""Works out the golden vectors of `src/integrity/golden.rs` from `docs/evidence-format.md` alone, with SHA-256.

Run: python3 crates/landscape/golden/evidence.py
"""

import hashlib
import struct

H = lambda data: hashlib.sha256(data).digest()
u8 = lambda n: struct.pack(">B", n)
u16 = lambda n: struct.pack(">H", n)
u32 = lambda n: struct.pack(">I", n)
u64 = lambda n: struct.pack(">Q", n)
i64 = lambda n: struct.pack(">q", n)
text = lambda s: u32(len(s.encode())) + s.encode()
optional = lambda x: u8(0) if x is None else u8(1) + x
digest = lambda n: bytes([n]) * 32
token = lambda row, ordinal: u64(row << 20 | ordinal)
state_key = lambda t, step, attempt: t + u16(step) + u8(attempt)


def reason(kind, message, field=None, line=None, retryable=0):
    field = None if field is None else text(field)
    line = None if line is None else u64(line)
    return text(kind) + text(message) + optional(field) + optional(line) + u8(retryable)


def listed(tag, records):
    return u8(tag) + u64(len(records)) + b"".join(records)


T0, T1 = token(3, 0), token(3, 1)

# What was decided about row 3, which a transform changed after one retry and a gate forked.
row = u64(3) + digest(0x11) + u8(1)
tokens = [T0 + optional(None) + optional(None), T1 + optional(text("left")) + optional(u64(9))]
parents = [T1 + T0 + u32(0)]
states = [
    state_key(T0, 1, 0) + u8(3) + optional(None) + optional(None),
    state_key(T0, 1, 1) + u8(2) + optional(digest(0x22)) + optional(digest(0x33)),
]
contexts = [state_key(T0, 1, 1) + text('{"policy":"union"}')]
routing = [state_key(T0, 2, 0) + u16(1) + u16(5) + optional(text('{"why":"ä"}'))]
calls = [
    u64(7) + state_key(T0, 1, 1) + u16(0) + u8(0) + u8(1) + digest(0x44) + optional(None)
    + optional(reason("transform_error", "no answer", retryable=1))
]
validation = [u64(3) + reason("schema_violation", "score is missing", field="score", line=12) + optional(u16(4))]
errors = [state_key(T0, 1, 0) + reason("transform_error", "busy", retryable=1) + optional(None)]

leaf_bytes = u8(1) + row
for tag, records in [(2, tokens), (3, parents), (4, states), (5, contexts), (6, routing), (7, calls), (8, validation), (9, errors)]:
    leaf_bytes += b"".join(u8(tag) + record for record in records)
decided_leaf = H(u8(0) + leaf_bytes)
print("decided leaf ", decided_leaf.hex())

# Batch 5 of step 2 took the second token; its flush failed once, then gave one token.
OUTPUT = u64(((1 << 35) | 5) << 20)
batches = [
    u64(5) + u8(0) + u16(2) + u8(3) + optional(u8(2)) + optional(text("no answer")),
    u64(5) + u8(1) + u16(2) + u8(2) + optional(u8(2)) + optional(None),
]
members = [u64(5) + u32(0) + T1]
outputs = [u64(5) + u32(0) + OUTPUT]
releases = [u64(5) + u16(2) + u64(0) + u64(3) + u8(1)]
released_tokens = [OUTPUT + optional(None) + optional(None)]

leaf_bytes = b""
for tag, records in [(15, batches), (16, members), (17, outputs), (2, released_tokens)]:
    leaf_bytes += b"".join(u8(tag) + record for record in records)
release_leaf = H(u8(0) + leaf_bytes)
print("release leaf ", release_leaf.hex())

# What sinks did with it: refused by sink 3, taken by failsink 4.
sink_states = [
    state_key(T0, 3, 0) + u8(3) + optional(None) + optional(None),
    state_key(T0, 4, 0) + u8(2) + optional(None) + optional(None),
]
diverts = [state_key(T0, 3, 0) + u16(0) + u16(6) + optional(None)]
refusals = [state_key(T0, 3, 0) + reason("sink_refused", "too long") + optional(u16(4))]
outcome = T0 + u8(7) + optional(u16(4)) + optional(None) + optional(None) + optional(u16(3) + u8(0))
acted_bytes = b"".join(u8(4) + s for s in sink_states) + u8(6) + diverts[0] + u8(9) + refusals[0] + u8(11) + outcome
acted_leaf = H(u8(0) + acted_bytes)
print("acted leaf   ", acted_leaf.hex())

# The chain: beginning, commit A, commit B, publication, end.
node = (
    u16(0) + text("source_in_000000000000") + text("in") + u8(0) + text("csv") + text("1.0.0") + u8(2)
    + text("{}") + digest(0x55) + text("null") + text("{}")
)
edge = u16(0) + u16(0) + u16(1) + text("continue") + u8(0)
run = bytes.fromhex("0197d1727d152f45b3cc744e80b3302d")
begin = H(
    b"elspeth-run-v1\0" + run + i64(1_000_000) + text("{}") + text("a.yaml") + digest(0x66)
    + text("sha256-rfc8785-v1") + digest(0x77) + text("0.1.0") + listed(13, [node]) + listed(14, [edge])
)
print("chain begins ", begin.hex())


def link(chain, half, epoch, at, records):
    at = None if at is None else i64(at)
    return H(b"elspeth-link-v1\0" + chain + u8(half) + u64(epoch) + optional(at) + H(b"elspeth-records-v1\0" + records))


def timed(records, *times):
    return [record + b"".join(i64(t) for t in times) for record in records]


decided = (
    u64(0) + i64(1_000_100)
    + listed(1, timed([row], 5)) + listed(2, tokens + released_tokens) + listed(3, parents) + listed(4, timed(states, 6, 7, 15))
    + listed(5, contexts) + listed(6, routing) + listed(7, timed(calls, 8)) + listed(8, validation) + listed(9, errors)
    + listed(15, batches) + listed(16, members) + listed(17, outputs) + listed(18, releases)
    + listed(10, timed([u16(0) + u64(0) + u8(0) + u8(1) + u32(1) + optional(None)], 9, 10))
)
chain = link(begin, 0, 0, 1_000_200, decided)
print("chain decided", chain.hex())

artifact = lambda rows: (
    u16(4) + u64(0) + text("file") + text("out.csv") + digest(0x88) + u64(100) + u64(rows) + text("run:out:0")
)
write = u16(4) + u64(0) + u8(1) + u8(1) + u32(2) + optional(None)
acted = (
    u64(0) + listed(4, timed(sink_states, 11, 12, 0)) + listed(6, diverts) + listed(9, refusals) + listed(11, [outcome])
    + listed(10, timed([write], 13, 14)) + listed(12, [artifact(1)])
)
chain = link(chain, 1, 0, 1_000_300, acted)
print("chain acted  ", chain.hex())

published = u64(0) + b"".join(listed(tag, []) for tag in (4, 6, 9, 11, 10)) + listed(12, [artifact(2)])
chain = link(chain, 2, 0, None, published)
print("chain ends   ", chain.hex())

# Sink 4 took a diverted row, so its artifact's content is left out.
content_root = H(
    b"elspeth-content-root-v1\0" + text("sha256-rfc8785-v1") + digest(0x77) + text("[]") + text("{}")
    + u64(1) + decided_leaf + u64(1) + release_leaf + u64(1) + acted_leaf
    + u32(1) + u16(4) + u32(1) + text("file") + u64(2) + optional(None)
)
print("content root ", content_root.hex())

record_root = H(
    b"elspeth-record-root-v1\0" + chain + i64(1_000_400) + u8(1) + optional(None)
    + text("{}") + text("[]") + text("{}") + content_root
)
print("record root  ", record_root.hex())
