"""C2SP signed notes (https://c2sp.org/signed-note) with Ed25519 keys, whose arithmetic (RFC 8032, 5.1) the standard
library does not have. Slow, and for public data only: a signature takes some hundredths of a second to check."""
import base64, hashlib, re

P, ORDER = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D, ROOT, ZERO = -121665 * pow(121666, -1, P) % P, pow(2, (P - 1) // 4, P), (0, 1)


def add(p, q):
    (a, b), (c, d), e = p, q, D * p[0] * p[1] * q[0] * q[1]
    return (a * d + b * c) * pow(1 + e, -1, P) % P, (b * d + a * c) * pow(1 - e, -1, P) % P


def times(number, point):
    product = ZERO
    while number:
        product = add(product, point) if number & 1 else product
        number, point = number >> 1, add(point, point)
    return product


def decoded(data):
    sign, y = divmod(int.from_bytes(data, "little"), 2**255)
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    root = pow(square, (P + 3) // 8, P)
    for x in (root, -root % P, root * ROOT % P, -root * ROOT % P):
        if y < P and x * x % P == square and x & 1 == sign:
            return x, y
    raise ValueError("not a point of the curve")


BASE = decoded((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def is_signed(message, public, signature):
    """Whether `signature` is that of the public key over the message; never for keys and signatures of small order."""
    if len(public) != 32 or len(signature) != 64:
        return False
    a, r, s = decoded(public), decoded(signature[:32]), int.from_bytes(signature[32:], "little")
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % ORDER
    return s < ORDER and ZERO not in (times(8, a), times(8, r)) and times(s, BASE) == add(r, times(k, a))


def public_key(text):
    """Name, id and bytes of the key with the text `<name>+<8 hex digits>+<base64 of 0x01 and the key>`."""
    parts = re.fullmatch(r"([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]{44})", text)
    if not parts:
        raise ValueError("not the text of a public key")
    name, ident, data = *parts.groups()[:2], base64.b64decode(parts[3])
    if data[0] != 1 or hashlib.sha256(name.encode() + b"\n" + data).hexdigest()[:8] != ident:
        raise ValueError("the id in the key's text is not that of its name and key")
    return name, bytes.fromhex(ident), data[1:]


def opened(note, keys):
    """The text of a note, and how many of the keys signed it. Where keys are given, every signature must be by one of
    them, and there must be one."""
    text, mark, lines = note.rpartition("\n\n\u2014 ")
    if not mark and not keys:
        return note, 0
    if not mark or lines[-1:] != "\n":
        raise ValueError("nobody signed the head")
    text, signers = text + "\n", set()
    for line in lines[:-1].split("\n\u2014 "):
        name, encoded = line.split(" ")
        signature = base64.b64decode(encoded)
        if base64.b64encode(signature).decode() != encoded or len(signature) != 68 or (name, signature[:4]) in signers:
            raise ValueError("not a signature, or one key signed twice")
        signers.add((name, signature[:4]))
        public = [key for key_name, ident, key in keys if (key_name, ident) == (name, signature[:4])]
        if keys and not any(is_signed(text.encode(), key, signature[4:]) for key in public):
            raise ValueError(f"signed by {name}, but not with a key that was given")
    return text, len(signers) if keys else 0
