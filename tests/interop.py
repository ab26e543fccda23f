"""What other tools read from tables: rows, and per numeric column sum, NaN, infinities and nulls.

    python tests/interop.py TABLE_FOLDER...

Prints a JSON list with one object for each folder: a summary for each tool. Needs polars, deltalake,
pyarrow and duckdb.
Sums go over finite values in f64; lists count with their elements.
"""

import json
import math
import sys

import deltalake
import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds


def summary(table):
    """The summary of a pyarrow table."""
    columns = {}
    for name, column in zip(table.column_names, table.columns):
        values = column.combine_chunks()
        if pa.types.is_list(values.type) or pa.types.is_large_list(values.type):
            values = values.flatten()
        if not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
            continue
        values = values.to_pylist()
        numbers = [float(value) for value in values if value is not None]
        columns[name] = {
            "sum": math.fsum(value for value in numbers if math.isfinite(value)),
            "nan": sum(math.isnan(value) for value in numbers),
            "infinite": sum(math.isinf(value) for value in numbers),
            "null": len(values) - len(numbers),
        }
    return {"rows": table.num_rows, "columns": columns}


def summaries(folder):
    """What every tool reads from one table."""
    log = deltalake.DeltaTable(folder)
    files = [path.removeprefix("file://") for path in log.file_uris()]
    readers = {
        "polars": lambda: pl.scan_delta(folder).collect().to_arrow(),
        "deltalake": lambda: pa.table(log.to_pyarrow_table()),
        "pyarrow": lambda: ds.dataset(files, format="parquet").to_table(),
        "duckdb": lambda: duckdb.execute(
            "select * from read_parquet(?, union_by_name = true)", [files]
        ).to_arrow_table(),
    }
    return {tool: summary(read()) for tool, read in readers.items()}


if __name__ == "__main__":
    print(json.dumps([summaries(folder) for folder in sys.argv[1:]]))
