"""Writes stddev.json: lists of numbers with the sample standard deviations that CPython's statistics module gives them.

Run it in this folder, without arguments:  python3 generate_stddev.py
It needs nothing but the standard library. Numbers and results are texts, since readers of JSON differ in how they round: a
whole number, a float (with a point or an exponent), or a decimal (behind `d`). statistics.stdev() gets them as fractions, so
that its result is the float nearest to the true one.
"""

import json
import platform
import random
import statistics
from fractions import Fraction

random.seed(20)

CASES = [
    ["2", "4", "4", "4", "5", "5", "7", "9"],
    ["1e16", "10000000000000002.0", "10000000000000004.0"],
    ["9007199254740991", "9007199254740989", "9007199254740987"],
    ["9007199254740991", "-9007199254740991", "5"],
    ["9007199254740991", "0.5", "0.5"],
    ["1000000004.0", "1000000007.0", "1000000013.0", "1000000016.0"],
    ["1e200", "-1e200"],
    ["1e155", "2e155"],
    ["1.7e308", "1.7e308", "1.6e308"],
    ["1.7e308", "0.0", "-1e308"],
    ["1e-170", "2e-170"],
    ["5e-324", "1.5e-323"],
    ["1e-300", "1e300"],
    ["5e-324", "1.0", "3.0"],
    ["0.1"] * 10,
    ["0.1", "0.2", "0.3"],
    ["-0.0", "0.0"],
    ["0", "0", "1"],
    ["1", "2.5", "3"],
    ["d0.10", "d0.20", "d0.40"],
    ["d12345678901234567890.01", "d12345678901234567890.02", "d12345678901234567890.04"],
    ["d79228162514264337593543950335", "d79228162514264337593543950334"],
    ["d0.0000000000000000000000000001", "d0.0000000000000000000000000003"],
    ["1e9"] + [repr(1e9 + n / 7) for n in range(200)],
    ["1e15"] + [repr(float(n)) for n in range(50)],
    [repr(random.gauss(1e8, 1e-3)) for _ in range(300)],
    [repr(random.uniform(-1, 1) * 10 ** random.randint(-12, 12)) for _ in range(300)],
    [str(random.randint(-(2**53) + 1, 2**53 - 1)) for _ in range(100)],
    ["d" + str(random.randint(-(10**20), 10**20)) + "." + str(random.randint(0, 9999)).zfill(4) for _ in range(50)],
]


def main():
    cases = []
    for numbers in CASES:
        exact = [Fraction(n[1:]) if n.startswith("d") else Fraction(float(n)) if set(n) & set(".e") else Fraction(n) for n in numbers]
        cases.append({"numbers": numbers, "stddev": repr(statistics.stdev(exact))})
    with open("stddev.json", "w", encoding="utf-8") as out:
        json.dump({"python": platform.python_version(), "cases": cases}, out, indent=0)
        out.write("\n")


main()
