"""Prints conditions and what DuckDB says of them, row by row, as JSON.

    python filters.py SEED COUNT > filters.json        # the kept file: 7 300

Every condition is evaluated as a selected value, so that unknown shows as null.
"""

import json
import math
import random
import sys

import duckdb

NAMES = ["cat", "dog", "cow"]
NAN, INF = float("nan"), float("inf")
ROWS = {
    "i": [0, 1, -1, 2, 3, -7, 100, None, 5, 4, None, 7, -3, 12, 1 << 40, 6],
    "f": [0.0, -0.0, 0.1, 0.5, NAN, INF, -INF, None, 2.5, -1.25, 3.0, 0.1, NAN, None, 1e30, 2.0],
    "d": [NAN, 0.1, 0.0, -0.0, 0.5, None, 3.0, INF, -INF, 2.5, -1.25, None, 1e300, 0.1, 7.0, 1.0],
    "s": ["", "a", "abc", "ABC", "a%c", "a_c", "été", None, "É", "abcabc", "b\\%", "c", None, " a", "zz", "日本"],
    "t": ["a", "a", "x", "abc", None, "a_c", "été", "q", "É", "abc", "b", "C", None, "a", "z", "日本"],
    "b": [True, False, None] * 5 + [True],
    "label": [0, 1, 2, 0, None, 1, 2, 0, 1, 2, 0, 1, None, 2, 1, 0],
    "predicted": [0, 1, 1, 2, 0, None, 2, 1, 1, 2, 2, 0, None, 2, 0, 1],
}
TYPES = {"i": "BIGINT", "f": "FLOAT", "d": "DOUBLE", "s": "VARCHAR", "t": "VARCHAR", "b": "BOOLEAN",
         "label": "INTEGER", "predicted": "INTEGER"}

# (filter, the same for DuckDB, where classes have no names)
WRITTEN = [(text, text) for text in [
    "i = NULL", "NULL", "NOT NULL", "b", "NOT b", "b AND NULL", "b OR NULL", "b = true", "b <> false", "true",
    "i IS NULL", "i IS NOT NULL", "b IS TRUE", "b IS NOT TRUE", "b IS FALSE", "b IS NOT FALSE",
    "f = d", "f <> d", "f > d", "f >= 0", "f = 0", "f > -1e9", "isnan(f)", "NOT isnan(f)", "isfinite(d)", "isinf(f)",
    "f IS DISTINCT FROM d", "f IS NOT DISTINCT FROM d", "i IS DISTINCT FROM NULL",
    "f = 0.1", "d = 0.1", "f IN (0.1, 5)", "f BETWEEN 0.1 AND 0.5", "f > 0.1", "f NOT IN (0.1, NULL)",
    "i / 2 = 1.5", "i / 0 > 0", "d / 0 > 0", "i % 3 = 1", "i % 0 = 1", "i % 0 IS NULL", "d % 2 = 1", "f % 0 > 1",
    "-i > 3", "abs(i) > 3", "abs(d) = 1.25", "- - i = 2", "+i = 2", "i + 1 * 2 = 4", "(i + 1) * 2 = 4", "i - 1 - 1 = 0",
    "s LIKE 'a%'", "s LIKE '%c'", "s LIKE 'a_c'", "s NOT LIKE 'a%'", "s ILIKE 'A%'", "s LIKE ''", "s LIKE '%'",
    "s LIKE 'b\\%'", "s LIKE '_'", "s LIKE '__'", "s NOT ILIKE '%É%'",
    "lower(s) = t", "upper(s) = 'ABC'", "length(s) = 3", "length(s) > i", "s = t", "s < t", "s >= 'a'", "s IN ('a', t)",
    "s BETWEEN 'a' AND 'b'", "s = 'it''s'", "NOT (i > 2 AND f < 1 OR b)", "i > 2 OR f < 1 AND b", "NOT i = 1 AND b",
    "i NOT BETWEEN 1 AND 3", "i BETWEEN 3 AND 1", "i IN (1, 2, 3)", "i NOT IN (1, 2, NULL)", "i IN (1, NULL)",
    "i = 1099511627776", "i < 1e10", "i > 0.5", "\"i\" = 1", "I = 1", "label = 0", "label <> predicted", "label < 1.5",
    "i != 1 and not b or f<2", "i=1or b", "b <> (i > 2)", "(i > 2) = (d > 2)", "isnan(f) IS NULL",
]] + [
    ("label = 'cat'", "name(label) = 'cat'"),
    ("label <> 'dog'", "name(label) <> 'dog'"),
    ("'cow' = predicted", "'cow' = name(predicted)"),
    ("label IN ('cat', 'cow')", "name(label) IN ('cat', 'cow')"),
    ("label NOT IN ('cat', NULL)", "name(label) NOT IN ('cat', NULL)"),
    ("label IN ('cat', predicted)", "name(label) IN ('cat', name(predicted))"),
    ("label LIKE 'c%'", "name(label) LIKE 'c%'"),
    ("upper(label) = 'DOG'", "upper(name(label)) = 'DOG'"),
    ("label > 'cat'", "name(label) > 'cat'"),
    ("label BETWEEN 'cat' AND 'cow'", "name(label) BETWEEN 'cat' AND 'cow'"),
    ("label IS DISTINCT FROM 'cat'", "name(label) IS DISTINCT FROM 'cat'"),
    ("label = s OR label = t", "name(label) = s OR name(label) = t"),
]


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def pick(self, *some):
        return self.random.choice(some)

    def number(self, depth):
        if depth == 0 or self.random.random() < 0.5:
            return self.pick("i", "d", "d", "label")
        # Literals are reckoned with as decimals by DuckDB, so they meet columns of floats only, or are whole.
        return self.pick(
            lambda: f"({self.number(depth - 1)} {self.pick('+', '-', '*', '/', '%')} {self.pick('d', 'd', '2', '3', '-1')})",
            lambda: f"abs({self.number(depth - 1)})",
            lambda: f"-({self.pick('i', 'd', 'label')})",
            lambda: f"({self.pick('f', 'f')} {self.pick('+', '-', '*', '/')} {self.pick('2', '0.5', 'f', 'd')})",
            lambda: "length(s)",
        )()

    def text(self):
        return self.pick("s", "t", "lower(s)", "upper(t)")

    def literal(self):
        return self.pick("0", "1", "2", "3", "-1", "0.5", "0.1", "2.5", "-1.25", "100")

    def compare(self):
        return self.pick("=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM")

    def leaf(self, depth):
        maybe = self.pick("", "", "NOT ")
        return self.pick(
            lambda: f"{self.number(depth)} {self.compare()} {self.literal()}",
            lambda: f"f {self.compare()} {self.literal()}",
            lambda: f"{self.number(depth)} {self.compare()} {self.number(depth)}",
            lambda: f"{self.text()} {self.compare()} {self.pick('s', 't', chr(39) + 'a' + chr(39), chr(39) + 'abc' + chr(39))}",
            lambda: f"{self.text()} {maybe}{self.pick('LIKE', 'ILIKE')} '{self.pick('a%', '%c%', '_b_', '%', 'A_C', '%é')}'",
            lambda: f"{self.number(depth)} {maybe}IN ({self.literal()}, {self.pick('NULL', 'd', 'i', '7')})",
            lambda: f"{self.pick('i', 'f', 'd')} {maybe}BETWEEN {self.literal()} AND {self.literal()}",
            lambda: f"{self.pick('i', 'f', 's', 'b', 'd')} IS {maybe}NULL",
            lambda: f"{self.pick('isnan', 'isfinite', 'isinf')}({self.pick('f', 'd')})",
            lambda: "b",
        )()

    def condition(self, depth):
        if depth == 0:
            return self.leaf(2)
        return self.pick(
            lambda: f"{self.condition(depth - 1)} AND {self.condition(depth - 1)}",
            lambda: f"{self.condition(depth - 1)} OR {self.condition(depth - 1)}",
            lambda: f"NOT ({self.condition(depth - 1)})",
            lambda: f"({self.condition(depth - 1)}) IS {self.pick('', 'NOT ')}{self.pick('TRUE', 'FALSE', 'NULL')}",
            lambda: self.leaf(2),
        )()


def main():
    seed, count = int(sys.argv[1]), int(sys.argv[2])
    connection = duckdb.connect()
    connection.execute("SET error_on_division_by_zero=false")
    connection.execute("CREATE MACRO name(i) AS ['cat', 'dog', 'cow'][i + 1]")
    columns = ", ".join(f"{name} {kind}" for name, kind in TYPES.items())
    connection.execute(f"CREATE TABLE rows (row BIGINT, {columns})")
    rows = list(zip(*ROWS.values()))
    marks = ", ".join("?" * (len(TYPES) + 1))
    connection.executemany(f"INSERT INTO rows VALUES ({marks})", [(row, *values) for row, values in enumerate(rows)])
    maker = Maker(seed)
    cases = list(WRITTEN) + [(text, text) for text in (maker.condition(maker.pick(0, 1, 2)) for _ in range(count))]
    told = []
    for text, duck in cases:
        found = connection.execute(f"SELECT ({duck})::BOOLEAN FROM rows ORDER BY row").fetchall()
        told.append({"filter": text, "found": "".join({True: "t", False: "f", None: "-"}[one] for one, in found)})

    def spelled(value):
        if isinstance(value, float) and not math.isfinite(value):
            return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
        return value

    print("{")
    print(f'"duckdb": "{duckdb.__version__}", "names": {json.dumps(NAMES)},')
    print('"columns": {')
    print(",\n".join(f'  "{name}": {json.dumps([spelled(v) for v in values], ensure_ascii=False)}' for name, values in ROWS.items()))
    print('},\n"cases": [')
    print(",\n".join("  " + json.dumps(case, ensure_ascii=False) for case in told))
    print("]}")


main()
