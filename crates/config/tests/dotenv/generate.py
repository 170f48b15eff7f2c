"""Writes `cases.json`: what python-dotenv makes of `.env` files, and null where a line of one is none.

    pip install python-dotenv==1.2.4
    python crates/config/tests/dotenv/generate.py
"""

import io
import json
import os
import pathlib

from dotenv.main import DotEnv
from dotenv.parser import parse_stream

ENVIRONMENT = {"OUTER": "from outside", "EMPTY": ""}
FILES = [
    "A=1\nB=two\n",
    "DB_PASSWORD=pa$$w0rd\n",
    "A=$HOME\nB=\"$HOME\"\nC='$HOME'\nD=a$b\n",
    "G=sp ace\n",
    "R=C:\\path\\new\n",
    "R=\"C:\\path\\new\"\nS='C:\\path\\new'\n",
    "A=\"tab\\t quote\\\" slash\\\\ other\\q bell\\a\\b\\f\\v\\r\\n\"\n",
    "A='it\\'s' # why\nB='back\\\\slash'\n",
    "A='ends with \\\\'\nB=1\n",
    "A=x # comment\nB=x#no comment\nC='#' # comment\nD=#no\nE= #comment\nF=\t# comment\n",
    "# comment\n\n   # comment\n  A = 1  \n\tB\t=\t2\t\n",
    "export A=1\nexport\tB=2\nexport = 3\nexported=4\n",
    "'quoted name'=1\n'A'=2\n",
    "X-Y=1\na.b=2\n1A=3\n\u00e4=\u00f6\n",
    "A=\nB=\"\"\nC=''\nD\nexport E\n",
    "A=first\nA=second\n",
    "A=\"two\nlines\"\nB='two\n# lines'\nC=3\n",
    "A=1\r\nB=\"x\r\ny\"\r\nC=3\r",
    "A=a=b=c\nB==\n",
    "A=un\"quoted\" 'text'\nB=it's\n",
    "A=1\nB=${A}-${A}\nC='${A}'\nD=\"${A}\"\n",
    "A=${OUTER}/${MISSING}/${MISSING:-default}/${OUTER:-default}/${EMPTY:-default}\n",
    "OUTER=inside\nA=${OUTER}\n",
    "A=${LATER}\nLATER=1\n",
    "A=$${OUTER}$\nB=${OUTER\nC=${OUTER:x}\nD=${}\nE=${a b:-c}\n",
    "A\nB=${A}\n",
    "A=1\nA\nB=${A:-default}\n",
    "A\nOUTER\nB=${A:-default}${OUTER:-default}\n",
    "A=1\x1c\nB=x\x1f#y\nC=\x1dx\n\x1e\n",
    "A=\"\u00fc \U0001f600\"\nB=\u3000x\u3000\n",
    "A=1",
    "",
    "\n\n",
    # No line of such a file.
    "not a line\n",
    "A=\"open\nB=2\n",
    "A='open\nB=2\n",
    "A='ends with \\'\nB=1\n",
    "A=\"x\" y\n",
    "A='x'y\n",
    "=1\n",
    "''=1\n",
    "'A=1\n",
    "A B=1\n",
]


def expected(text):
    if any(binding.error for binding in parse_stream(io.StringIO(text, newline=None))):
        return None
    values = DotEnv(None, io.StringIO(text, newline=None), override=False).dict()
    return {name: value for name, value in values.items() if value is not None}


os.environ.clear()
os.environ.update(ENVIRONMENT)
cases = [{"file": text, "expected": expected(text)} for text in FILES]
lines = ",\n".join("    " + json.dumps(case) for case in cases)
target = pathlib.Path(__file__).parent / "cases.json"
target.write_text(f'{{\n  "environment": {json.dumps(ENVIRONMENT)},\n  "cases": [\n{lines}\n  ]\n}}\n')
