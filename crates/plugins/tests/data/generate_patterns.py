"""Writes patterns.json: regular expressions with the places at which CPython finds them.

Run it in this folder, without arguments:  python3 generate_patterns.py
It needs nothing but the standard library. Every pattern is searched in every text of its line by re.search(); the expectation
is the number of the character at which the match begins, from 1, or null.
"""

import json
import platform
import re
import warnings

# Pattern, texts.
CASES = [
    # The end of a text, and the newline before it.
    (r"password$", ["password", "password\n", "password\n\n", "password\nx", "my password\n", "passwords"]),
    (r"\$\d+$", ["$5", "$5\n", "$5\nx"]),
    (r"$", ["", "\n", "a\n"]),
    (r"^$", ["", "\n", "a", "\n\n"]),
    (r"foo\Z", ["foo", "foo\n", "foo\nx"]),
    (r"\Afoo", ["foo", "a\nfoo"]),
    (r"(a$|b)", ["a", "a\n", "xb", "a\nx"]),
    (r"(^|\W|$)foo(\W|$)", ["foo", "a foo\n", "foobar", "a.foo."]),
    (r"foo$\s*", ["foo\n", "foo \n", "foo"]),
    (r"a$b", ["ab", "a\nb"]),
    (r"(?m)^b$", ["a\nb\nc", "b", "a\nb\n", "ab"]),
    (r"(?m:a$)b|c$", ["a\nb", "c\n", "c\nx", "a"]),
    (r"(?:(?m:^a$)|b)$", ["x\na\n", "a\nx", "b\n"]),
    (r"\.$", ["end.\n", "end. x"]),
    (r"^b", ["b", "a\nb"]),
    (r"a.b", ["a\nb", "a\rb", "a\u0085b", "axb"]),
    (r"(?s)a.b", ["a\nb"]),
    # Escapes.
    (r"\<\/script\>", ["a</script>", "script"]),
    (r"\<b", ["x<b>", "b"]),
    (r"a\>", ["a>", "a"]),
    (r"a\ b\#\@\_\é\"\'", ["a b#@_é\"'"]),
    (r"\x41\u2022\U0001F600", ["A•😀"]),
    (r"\0", ["\0", "0"]),
    (r"\01\012\101", ["\x01\nA"]),
    (r"[\b\0\1\12\101]", ["\b", "\0", "\x01", "\n", "A", "b"]),
    (r"[\x41-\x43\n]", ["B", "\n", "D"]),
    (r"\bcat\b", ["a cat.", "concat", "cat_"]),
    (r"\a\f\t\v\r\n", ["\a\f\t\v\r\n"]),
    # Sets.
    (r"a\sb", ["a b", "a\x1cb", "a\x1fb", "a\u00a0b", "a\u0085b", "a\u200bb", "a\u3000b", "axb"]),
    (r"a\Sb", ["a b", "a\x1cb", "axb"]),
    (r"[\s]", ["\x1d", "x"]),
    (r"[^\s]", ["\x1d", "x"]),
    (r"[\Sx]", ["\x1d", "y"]),
    (r"\d+", ["x7", "٣", "²", "Ⅷ"]),
    (r"\D", ["7", "²"]),
    (r"\w", ["_", "é", "٣", "²", "Ⅷ", "\u0301", "\u203f", "\u200d", "中", "-", "½"]),
    (r"pass\Wword", ["pass\u0301word", "pass-word", "pass\u200dword", "passéword"]),
    (r"[\w-]+", ["--a", "."]),
    (r"[^\w]", ["a", "\u0301"]),
    (r"[\W_]", ["a", "_", "-"]),
    # Classes.
    (r"[()[\]{}]", ["[", "]", "{", "x"]),
    (r"[[]", ["[", "x"]),
    (r"[]a]", ["]", "a", "b"]),
    (r"[^]a]", ["]", "a", "b"]),
    (r"[a\]]", ["]", "a"]),
    (r"[a\[b]", ["[", "b", "c"]),
    (r"[a\&&b]", ["&", "a", "b", "c"]),
    (r"[a&b]", ["&", "b"]),
    (r"[+\--]", ["-", ",", "+"]),
    (r"[a-]", ["-", "b"]),
    (r"[-a]", ["-", "b"]),
    (r"[$^.|*+?{}]", ["$", "^", ".", "{", "x"]),
    (r"[^^]", ["^", "a"]),
    (r"[é-ü]", ["ö", "o"]),
    (r"[#\-~]", ["~", "-", "$"]),
    # Braces.
    (r"a{,2}b", ["aab", "b", "aaab", "a{,2}b"]),
    (r"xa{2,}b", ["xaab", "xab", "xaaaab"]),
    (r"xa{,}b", ["xb", "xaab"]),
    (r"xa{2}?b", ["xaab", "xab"]),
    (r"x{y}", ["x{y}", "xy"]),
    (r"x{}", ["x{}", "x"]),
    (r"x{ 2 }", ["x{ 2 }", "xx"]),
    (r"x{2", ["x{2", "xx"]),
    (r"{", ["{", "x"]),
    (r"{{name}}", ["hello {{name}}", "name"]),
    (r"x{1,2", ["x{1,2", "x"]),
    (r"\{\d+\}", ["{12}", "12"]),
    (r"}", ["}", "x"]),
    (r"]", ["]", "x"]),
    # Flags, comments, groups.
    (r"(?i)Password", ["my PASSWORD", "pass word"]),
    (r"(?i)straße", ["STRASSE", "STRAßE"]),
    (r"(?i)s", ["ſ", "S"]),
    (r"(?i)kill", ["KILL", "K\u0130LL", "k\u0131ll", "kall"]),
    (r"(?i)\u0130\x49\u0131", ["iii", "\u0131I\u0130", "ijk"]),
    (r"(?i)[a-j]x", ["\u0130x", "\u0131X", "kx"]),
    (r"(?i)[^a-j]x", ["\u0130x", "\u0131X", "kx"]),
    (r"(?i)[\x61-\x6a]x", ["\u0130x", "kx"]),
    (r"(?i)[^\u0130-\u0140]x", ["ix", "\u0131x", "kx"]),
    (r"(?i)[j-z]x", ["\u0131x", "ix", "kx"]),
    (r"(?i:i)i", ["\u0131i", "i\u0131"]),
    (r"(?i)a(?-i:i)", ["ai", "a\u0131", "aI"]),
    (r"i", ["\u0131", "i", "I"]),
    (r"(?i:a)b", ["Ab", "AB"]),
    (r"(?x) a [ ] b  # two letters" "\n" r"  c {2} \  ", ["a bcc ", "abcc "]),
    (r"(?x: a b ) c", ["ab c", "abc"]),
    (r"(?u)\w", ["é"]),
    (r"(?xi) A # b", ["a", "b"]),
    (r"a(?#a comment)b", ["ab"]),
    (r"(?P<name>a|b)+c", ["xabac", "c"]),
    (r"(?:a|b)*?c", ["abc", "c"]),
    (r"a|", ["b", "a"]),
    ("", ["x", ""]),
    ("a\nb", ["a\nb", "ab"]),
    ("a b#c", ["a b#c"]),
]


def found(pattern, text):
    match = re.search(pattern, text)
    return match and match.start() + 1


def main():
    warnings.simplefilter("ignore")
    cases = [{"pattern": p, "texts": [{"text": t, "at": found(p, t)} for t in texts]} for p, texts in CASES]
    with open("patterns.json", "w", encoding="utf-8") as out:
        json.dump({"python": platform.python_version(), "cases": cases}, out, ensure_ascii=True, indent=1)
        out.write("\n")


main()
