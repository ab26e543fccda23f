"""What other tools read from nested columns.

    python tests/nested.py TABLE_FOLDER

Prints a JSON object: for each tool, every column as nested lists and objects, rows by `example_id`.
Needs polars, deltalake, pyarrow and duckdb.
"""

import json
import sys

import deltalake
import duckdb
import polars as pl
import pyarrow.dataset as ds


def plain(value):
    return value.hex() if isinstance(value, bytes) else value


def main(folder):
    log = deltalake.DeltaTable(folder)
    files = [path.removeprefix("file://") for path in log.file_uris()]
    readers = {
        "polars": lambda: pl.scan_delta(folder).collect().to_dicts(),
        "pyarrow": lambda: ds.dataset(files, format="parquet").to_table().to_pylist(),
        "duckdb": lambda: duckdb.execute("select * from read_parquet(?)", [files])
        .to_arrow_table()
        .to_pylist(),
    }
    tables = {}
    for tool, read in readers.items():
        rows = sorted(read(), key=lambda row: row["example_id"])
        tables[tool] = {name: [plain(row[name]) for row in rows] for name in rows[0]}
    # DuckDB reaches into the lists by itself.
    tables["duckdb"]["sure"] = [
        row[0]
        for row in duckdb.execute(
            "select len([box for box in boxes_predicted if box.confidence >= 0.5])"
            " from read_parquet(?) order by example_id",
            [files],
        ).fetchall()
    ]
    tables["polars"]["sure"] = (
        pl.scan_delta(folder)
        .sort("example_id")
        .select(
            pl.col("boxes_predicted")
            .list.eval(pl.element().struct.field("confidence") >= 0.5)
            .list.sum()
        )
        .collect()
        .to_series()
        .to_list()
    )
    return tables


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
