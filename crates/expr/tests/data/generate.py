"""Writes cases.json: expressions with the results that CPython gives them.

Run it in this folder, without arguments:  python3 generate.py
It needs nothing but the standard library. Every expression is evaluated by Python's own eval() with `row` bound to a
dict and with str, int, float, bool, abs and len as the only functions. The expectation is

- value: the result as JSON (a tuple is written as a list, a set as {"__set__": [...]}, a float as {"__float__": its text},
  because readers of JSON differ in how they round), and
- label: its str(), left out for bools and for what holds tuples or sets; or
- error: the name of the exception. A result that the record cannot hold (a whole number beyond +-(2^53-1), a float that
  is not finite) is written as the error "Unrepresentable".
"""

import json
import math
import platform
import warnings

MAX_INT = 2**53 - 1
FUNCTIONS = {"str": str, "int": int, "float": float, "bool": bool, "abs": abs, "len": len}

ROW = {
    "amount": 1500, "limit": 1000, "zero": 0, "negative": -7, "three": 3, "big": 9007199254740991,
    "score": 7.5, "half": 0.5, "minus_half": -0.5, "fzero": 0.0, "tiny": 1e-7, "huge": 1e300, "whole": 2500.0,
    "category": "x", "name": "Ada Lovelace", "empty": "", "number": "42", "blanks": "  7 ", "decimal": "7.5",
    "umlaut": "Straße 🦀", "quote": "it's", "both": "it's \"it\"", "control": "a\tb\nc\u0007\u00a0\u200b",
    "active": True, "deleted": False, "nothing": None,
    "items": [10, 20, 30], "words": ["red", "green"], "none_items": [], "nested": [[1, 2], [3.0, "x"], {"k": None}],
    "user": {"name": "Bo", "age": 41, "tags": ["a", "b"], "address": {"city": "Rome", "zip": None}},
    "none_map": {}, "row": "reserved?", "iso": "2024-01-31",
}

GRID = ["0", "7", "-7", "2.5", "-0.5", "True", "None", "'ab'", "''", "[1, 2]", "(1, 2)", "{'a': 1}", "{1, 2}"]
GRID_FIELDS = {
    "0": "zero", "7": "seven", "-7": "negative", "2.5": "float", "-0.5": "minus_half", "True": "active",
    "None": "nothing", "'ab'": "text", "''": "empty", "[1, 2]": "list", "{'a': 1}": "map",
}
GRID_ROW = {"zero": 0, "seven": 7, "negative": -7, "float": 2.5, "minus_half": -0.5, "active": True, "nothing": None,
            "text": "ab", "empty": "", "list": [1, 2], "map": {"a": 1}}
OPERATORS = ["+", "-", "*", "/", "//", "%", "==", "!=", "<", "<=", ">", ">=", "in", "not in"]

HAND = r"""
row['amount']
row['amount'] >= 1000
row['amount'] >= 1000 and row['category'] == 'x'
row['amount'] < row['limit'] or row['active']
row["category"]
row['missing']
row['Amount']
row.get('missing')
row.get('missing', 5)
row.get('missing', row['amount'])
row.get('missing', row['also missing'])
row.get('amount', 1 / 0)
row.get('amount')
row.get('nothing', 5)
row.get('user').get('age')
row.get('user', {}).get('missing', {}).get('deep', 'd')
row['user']['name']
row['user']['address']['city']
row['user']['address']['zip']
row['user']['address']['zip'] is None
row['user']['missing']
row['user'].get('missing')
row['user'].get('name')
row['user'].get([1])
row['user'][1]
row['user'][[1]]
row['amount'].get('x')
row['items'][0]
row['items'][2]
row['items'][3]
row['items'][-1]
row['items'][-3]
row['items'][-4]
row['items'][True]
row['items'][1.0]
row['items']['a']
row['items'][row['zero']]
row['items'][len(row['items']) - 1]
row['nested'][0][1]
row['nested'][1]
row['nested'][2]['k']
row['words'][0][0]
row['words'][1][-1]
row['name'][0]
row['name'][-1]
row['name'][99]
row['name']['x']
row['umlaut'][4]
row['umlaut'][-1]
row['umlaut'][7]
len(row['umlaut'])
len(row['name'])
len(row['items'])
len(row['user'])
len(row['none_map'])
len(row['amount'])
len(row['nothing'])
len(row['active'])
len(())
len({1, 1, 1.0, True})
len({1: 'a', 1.0: 'b', True: 'c'})
{1: 'a', 1.0: 'b', True: 'c'}[1]
{'a': 1, 'a': 2}
{'b': 1, 'a': 2}
{'a': [1, (2, 3)], 'b': {'c': None}}
{'a': 1}['a']
{'a': 1}['b']
{}
{}.get('a', 3)
{1: 2}[1.0]
{(1, 2): 3}[(1, 2)]
{[1]: 2}
{{}: 2}
{'k': row['amount'], 'l': [row['category'], row['nothing']]}
[]
()
[1, 2.0, 'x', None, True]
(1,)
(1, 2)
((1), (2))
{1, 2, 2}
{'a'}
{[1]}
{(1, [2])}
[row['amount'], row['category']]
(1, 2)[1]
(1, 2)[-3]
[[1, 2], [3]][0][1]
'abc'[1]
''[0]
None[0]
5[0]
{1}[0]
1
-1
+1
- - 1
-+-1
not 1
not not 1
not None
not ''
not row['empty'] and row['active']
-True
+True
+False
-row['amount']
-row['score']
-row['category']
+row['category']
-None
-[1]
not []
not {'a': 1}
1 + 2 * 3
(1 + 2) * 3
2 * 3 % 4
7 - 2 - 1
100 / 10 / 2
100 // 7 // 2
1 - -1
-7 // 2
7 // -2
-7 % 3
7 % -3
-7 // -2
7.5 // 2
-7.5 // 2
7.5 % -2
-7.5 % 2
-0.5 // 1
0.5 // -1
0.0 // -1
-0.0
0.0 * -1
-0.0 + 0.0
0.0 % -3.0
-6.0 % 3.0
6.0 % -3.0
1e308 % 7
1e16 // 3
5.0 // 0.1
1.0 % 0.1
0.1 + 0.2
0.1 + 0.2 == 0.3
1 / 3
2 / 3
4 / 2
-1 / 3
0 / 5
1 / 0
1 // 0
1 % 0
1.0 / 0
1 / 0.0
1.0 // 0.0
1.0 % 0.0
0 / False
row['amount'] / row['zero']
row['amount'] // row['fzero']
row['amount'] % row['three']
row['negative'] % row['three']
row['negative'] // row['three']
row['negative'] / row['three']
row['score'] * row['three']
row['score'] // row['half']
row['minus_half'] // row['three']
row['minus_half'] % row['three']
row['big'] + 0
row['big'] + 1
-row['big'] - 1
row['big'] * 2
row['big'] - row['big']
row['big'] + 1.0
row['big'] / 2
row['big'] // 2
row['big'] == 9007199254740991.0
row['big'] < 9007199254740992.0
row['big'] >= 9007199254740990.5
row['huge'] * row['huge']
-row['huge'] * row['huge']
row['huge'] * 1e9
row['tiny'] * 1
True + True
True + 1
True * 3
False - True
True / 2
True // 2
True % 2
True == 1
True == 1.0
False == 0
True == 'True'
True < 2
True > False
True < 'a'
1 == 1.0
1 != 1.0
1 < 1.5
2 > 1.5
1 == '1'
1 != '1'
1 < '1'
'1' < 1
None == None
None != None
None == 0
None == False
None < 1
None < None
None is None
None is not None
row['nothing'] is None
row['nothing'] is not None
row['amount'] is None
row['amount'] is not None
None is row['nothing']
row['nothing'] == None
row['zero'] is None
1 < 2 < 3
1 < 3 < 2
3 > 2 >= 2 > 1
1 < 2 > 1
1 == 1 == 1
1 == 1 == True
1 == 2 == 1 / 0
1 < 2 < 'a'
2 < 1 < 'a'
0 < row['amount'] <= 1500
0 < row['amount'] < 1500
'a' < 'b' < 'c'
1 < 2 in [2, 3]
1 in [1] == True
(1 in [1]) == True
1 is not None is None
'a' < 'b'
'a' < 'B'
'Z' < 'a'
'abc' < 'abd'
'ab' < 'abc'
'' < 'a'
'é' > 'z'
'🦀' > 'é'
'10' < '9'
'a' == "a"
'a' == 'A'
'a' 'b'
'a' "b" 'c'
'it\'s'
"it's"
'say "x"'
'tab\there'
'line\nbreak'
'back\\slash'
'\x41\u00e9\U0001F980'
'\101\0'
'\a\b\f\v\r'
"\""
''
'a' + 'b'
'a' + 1
1 + 'a'
'a' + None
'a' + str(1)
'a' - 'a'
'a' * 3
3 * 'a'
'ab' * 0
'ab' * -1
'ab' * True
'ab' * 1
'ab' * 2.0
'ab' * 'ab'
'ab' / 2
[1] + [2]
[1] + (2,)
(1,) + (2,)
[1] * 2
2 * [1, 'a']
[1] * 0
[1] * -5
[[1]] * 2
(1, 2) * 2
[1] - [1]
[1] + 1
{1} + {2}
{1, 2} - {2}
{1, 2} - {3}
{1} - [1]
{'a': 1} + {'b': 2}
row['items'] + [40]
row['items'] * 2
[0] + row['items']
[1, 2] == [1, 2]
[1, 2] == [1.0, 2.0]
[1, 2] == [2, 1]
[1, 2] == (1, 2)
(1, 2) == (1, 2)
[1, [2, 3]] == [1, [2, 3]]
[] == ()
[] == False
{} == False
'' == False
{1, 2} == {2, 1}
{1, 2} == {1.0, 2.0}
{1, 2} == [1, 2]
{'a': 1, 'b': 2} == {'b': 2, 'a': 1}
{'a': 1} == {'a': 1.0}
{'a': 1} == {'a': 2}
{'a': 1} == {'a': 1, 'b': 2}
{'a': {'b': [1]}} == {'a': {'b': [1]}}
row['items'] == [10, 20, 30]
row['items'] == (10, 20, 30)
row['user'] == {'name': 'Bo', 'age': 41, 'tags': ['a', 'b'], 'address': {'city': 'Rome', 'zip': None}}
row['none_items'] == []
row['none_map'] == {}
row['nested'][2] == {'k': None}
[1, 2] < [1, 3]
[1, 2] < [1, 2, 0]
[2] > [1, 9]
[1, 'a'] < [1, 'b']
[1, 'a'] < [1, 2]
[1, 'a'] < [2, 2]
[1] < (2,)
(1, 2) < (1, 3)
(1, 2) <= (1, 2)
[] < [1]
[None] < [None]
[None, 1] < [None, 2]
{1} < {1, 2}
{1, 2} <= {1, 2}
{1, 2} < {1, 2}
{1, 2, 3} > {1}
{1, 2} >= {3}
{1} < [1]
{'a': 1} < {'a': 2}
'x' in ['x', 'y']
'x' in ('x', 'y')
'x' in {'x', 'y'}
'x' in {'x': 1}
'x' not in ['y']
row['category'] in ['x', 'y']
row['category'] in ('a', 'b')
row['category'] not in {'a', 'b'}
row['amount'] in [1500.0]
row['active'] in [1]
row['nothing'] in [None]
1 in [True]
1.0 in {1: 'a'}
True in {1}
[1] in [[1], [2]]
[1] in {1}
[1] in {'a': 1}
{1} in {1, 2}
{1} in [{1}]
{1} in {'a': 1}
(1, 2) in {(1, 2)}
(1, [2]) in {1}
'Ada' in row['name']
'ada' in row['name']
'' in 'abc'
'' in ''
'bc' in 'abc'
'ac' in 'abc'
1 in 'abc'
None in 'abc'
'a' in None
'a' in 5
'name' in row['user']
'zip' in row['user']['address']
'amount' in row
'missing' in row
'missing' not in row
1 in row
[1] in row
20 in row['items']
25 in row['items']
'red' in row['words'] and 'blue' not in row['words']
len(row) > 5
row == row
row['amount'] in row['items']
1 and 2
0 and 2
1 or 2
0 or 2
0 or ''
'' or 'default'
'a' and ''
None or 'x'
None and 1 / 0
1 or 1 / 0
0 or 1 / 0
1 and 1 / 0
[] or {}
[] and 1
1 and 2 and 3
1 and 0 and 3
0 or 0.0 or ''
1 or 2 and 3
(1 or 2) and 3
not 1 or 2
not (1 or 2)
not 1 == 2
(not 1) == 2
row['empty'] or row['name']
row['nothing'] or 'none given'
row['amount'] > 1 and row['name']
row['amount'] and row['zero']
row['missing'] or 1
row['amount'] or row['missing']
1 if True else 2
1 if False else 2
1 if row['active'] else 1 / 0
1 / 0 if row['active'] else 1
1 if 0 else 2 if 0 else 3
(1 if 1 else 2) if 0 else 3
'high' if row['amount'] > 1000 else 'low'
'a' if row['amount'] > 2000 else 'b' if row['amount'] > 1000 else 'c'
[1 if row['active'] else 2, 3]
1 + 2 if 1 else 3
not 1 if 1 else 2
str(1)
str(-1)
str(2500.0)
str(0.1)
str(1e16)
str(1e15)
str(123456789012345680.0)
str(1e-5)
str(0.0001)
str(1.5e-07)
str(1e300)
str(-0.0)
str(5e-324)
str(1.7976931348623157e308)
str(100.0)
str(0.1 + 0.2)
str(True)
str(False)
str(None)
str('a')
str([])
str([1, 2.0, 'a', None, True])
str((1,))
str((1, 2))
str(())
str({'a': 1, 'b': [2]})
str({})
str({1})
str({1: 2})
str(['it\'s', "say \"x\"", 'both \' "'])
str(['a\\b', 'tab\t', '\x00', '\x7f', 'é', '\u200b', '🦀', '\u00a0', '\u0300'])
str(row['nested'])
str(row['user'])
str([row['quote'], row['both'], row['control']])
str(row['tiny'])
str(row['huge'])
str(row['amount']) + ' EUR'
str(row['nothing']) == 'None'
int('7')
int(' 7 ')
int('-7')
int('+7')
int('1_000')
int('007')
int('0')
int('7.0')
int('7e0')
int('')
int(' ')
int('_7')
int('7_')
int('1__0')
int('+ 7')
int('--7')
int('0x10')
int('a')
int('\t7\n')
int('\u00a07\u2003')
int('9007199254740991')
int('9007199254740992')
int('99999999999999999999999')
int(7.9)
int(-7.9)
int(0.5)
int(-0.5)
int(1e15)
int(1e16)
int(1e300)
int(True)
int(None)
int([1])
int({})
int(row['number']) + 1
int(row['blanks'])
int(row['decimal'])
int(float(row['decimal']))
int(row['score'])
float('7')
float(' 7.5 ')
float('1e3')
float('.5')
float('5.')
float('-1_0.5')
float('1_0e1_0')
float('1__0')
float('_1')
float('1_')
float('1_.5')
float('1._5')
float('nan')
float('inf')
float('-Infinity')
float('1e400')
float('')
float('.')
float('e5')
float('1e')
float('+.5e-3')
float('0x10')
float('a')
float(7)
float(True)
float(None)
float([])
float(2.5)
float(row['number'])
float(row['big'])
bool(0)
bool(1)
bool('')
bool('False')
bool(0.0)
bool(None)
bool([])
bool([0])
bool({})
bool(())
bool(row['items'])
bool(row['none_items'])
abs(-7)
abs(7)
abs(-7.5)
abs(-0.0)
abs(True)
abs('a')
abs(None)
abs([1])
abs(row['negative']) > 5
str(int('7') + float('0.5'))
len(str(row['amount'])) == 4
bool(row['nothing']) or len(row['name']) > 3
0x1F
0XfF
0b101
0o17
0x_ff
1_000_000
1_0.2_5
00
0_0
1.
.5
5.
1e5
1E5
1e+5
1e-5
1.5e3
01.5
0.0
00.5
9007199254740991
-9007199254740991
(1)
( 1 )
((((1))))
(1 + # comment
  2)
[1,
 2,
]
row['amount'] # the amount
  1 + 1
1 +1
1+-1
1--1
not-1
1if 1else 2
(1)if(1)else(2)
'x'if 1 else'y'
row [ 'amount' ]
row . get ( 'amount' )
str (1,)
row.get('missing', 1,)
row['row']
row['iso'] > '2024-01-01'
row['iso'] == '2024-01-31'
row['amount'] > 1000 and (row['category'] == 'x' or row['score'] > 9) and not row['deleted']
row['amount'] * 3 + row['limit'] // 7 - row['negative'] % 4
(row['amount'] + row['limit']) / 2
row['score'] >= 5 and 'high' or 'low'
row['user']['age'] >= 18 and 'a' in row['user']['tags']
row['user']['tags'][0] + row['user']['tags'][-1]
row[row['category']]
row['user'][row['words'][0]]
row['user'][str('na') + 'me']
[row['items'][0], [row['items'][1]], {'k': row['items'][2]}]
""".split("\n")

JOINED = [("(1 + # comment", "  2)"), ("[1,", " 2,", "]")]


def hand_cases():
    lines = [line for line in HAND if line.strip()]
    for parts in JOINED:
        at = lines.index(parts[0])
        lines[at:at + len(parts)] = ["\n".join(parts)]
    # These have no space between a number and a word, which Python deprecates and the language refuses.
    return [line for line in lines if line not in ("1if 1else 2",)]


def grid_cases():
    for left in GRID:
        written = f"row['{GRID_FIELDS[left]}']" if left in GRID_FIELDS else left
        for right in GRID:
            for operator in OPERATORS:
                # Formatting of text by % is not part of the language.
                if not (operator == "%" and left in ("'ab'", "''")):
                    yield f"{written} {operator} {right}"


def representable(value):
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return True
    if isinstance(value, int):
        return abs(value) <= MAX_INT
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(representable, value.values()))
    return all(map(representable, value))


def plain(value):
    """Whether str() of the value survives that tuples and sets become lists."""
    if isinstance(value, (tuple, set)):
        return False
    if isinstance(value, dict):
        return all(map(plain, value.values()))
    return not isinstance(value, list) or all(map(plain, value))


def as_json(value):
    if isinstance(value, float):
        return {"__float__": repr(value)}
    if isinstance(value, set):
        return {"__set__": [as_json(item) for item in sorted(value)]}
    if isinstance(value, dict):
        assert all(isinstance(key, str) for key in value), value
        return {key: as_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(item) for item in value]
    return value


def case(expression, row_name, row):
    try:
        value = eval(expression.strip(" "), {"__builtins__": FUNCTIONS, "row": row})
    except Exception as error:
        return {"expr": expression, "row": row_name, "error": type(error).__name__}
    if not representable(value):
        return {"expr": expression, "row": row_name, "error": "Unrepresentable"}
    result = {"expr": expression, "row": row_name, "value": as_json(value)}
    if plain(value) and not isinstance(value, bool):
        result["label"] = str(value)
    return result


def main():
    warnings.simplefilter("ignore")
    cases = [case(expression, "main", ROW) for expression in hand_cases()]
    cases += [case(expression, "grid", GRID_ROW) for expression in grid_cases()]
    for entry in cases:
        assert entry.get("error") not in ("SyntaxError", "NameError", "IndentationError"), entry
    with open("cases.json", "w", encoding="utf-8") as out:
        made = f"by generate.py in this folder, with {platform.python_implementation()} {platform.python_version()}"
        head = {"made": made, "rows": {"main": as_json(ROW), "grid": as_json(GRID_ROW)}}
        out.write(json.dumps(head, ensure_ascii=True)[:-1] + ', "cases": [\n')
        out.write(",\n".join(json.dumps(entry, ensure_ascii=True) for entry in cases))
        out.write("\n]}\n")
    print(len(cases), "cases")


if __name__ == "__main__":
    main()
