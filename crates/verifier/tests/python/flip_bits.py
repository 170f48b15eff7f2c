"""flip_bits.py STRIDE KEYS RECEIPT...: flips every STRIDE-th bit of each receipt and says which of them were not refused."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "python"))
import verify_receipt

stride, keys = int(sys.argv[1]), dict(map(verify_receipt.public_key, open(sys.argv[2]).read().splitlines()))
tried = accepted = 0
for path in sys.argv[3:]:
    data = bytearray(pathlib.Path(path).read_bytes())
    for bit in range(0, len(data) * 8, stride):
        data[bit // 8] ^= 1 << bit % 8
        try:
            code, said = verify_receipt.check(data.decode(), keys)
        except Exception:
            code, said = 5, ""
        if code != 5:
            accepted += 1
            print(f"{path}, bit {bit}: {said}")
        data[bit // 8] ^= 1 << bit % 8
        tried += 1
print(f"{tried} bits flipped, {accepted} not refused")
sys.exit(1 if accepted or not tried else 0)
