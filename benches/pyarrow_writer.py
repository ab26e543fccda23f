"""The peer of benches/writer.rs: pyarrow's streaming ParquetWriter on rows of the same kind.

    python benches/pyarrow_writer.py WORKLOAD make|batches|grouped|grouped_snappy FOLDER

`batches` hands each batch to `write_batch`, which makes one row group a batch; `grouped` gathers
64 batches a row group, as a careful user would, `grouped_snappy` with pyarrow's own compression
instead of zstd. `make` only makes the batches. WORKLOAD is scalars or embeddings.
"""

import os
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

BATCH = 1024
GROUP = 64
SCALAR_ROWS = 10_000_000
EMBEDDING_ROWS = 50_000
WIDTH = 512

SCALARS = pa.schema(
    [
        ("example_id", pa.int64()),
        ("loss", pa.float32()),
        ("label", pa.int32()),
        ("predicted", pa.int32()),
        ("confidence", pa.float32()),
    ]
)
EMBEDDINGS = pa.schema([("example_id", pa.int64()), ("embedding", pa.list_(pa.float32()))])


def scalars(start, count, noise):
    loss = noise.random(count, dtype=np.float32)
    confidence = noise.random(count, dtype=np.float32)
    columns = [
        np.arange(start, start + count, dtype=np.int64),
        loss,
        (loss * 10).astype(np.int32),
        (confidence * 10).astype(np.int32),
        confidence,
    ]
    return pa.record_batch([pa.array(column) for column in columns], schema=SCALARS)


def embeddings(start, count, noise):
    values = pa.array(noise.random(count * WIDTH, dtype=np.float32))
    offsets = pa.array(np.arange(0, count * WIDTH + 1, WIDTH, dtype=np.int32))
    ids = pa.array(np.arange(start, start + count, dtype=np.int64))
    return pa.record_batch([ids, pa.ListArray.from_arrays(offsets, values)], schema=EMBEDDINGS)


def main():
    workload, mode, folder = sys.argv[1:4]
    rows, make, schema = {
        "scalars": (SCALAR_ROWS, scalars, SCALARS),
        "embeddings": (EMBEDDING_ROWS, embeddings, EMBEDDINGS),
    }[workload]
    noise = np.random.default_rng(7)
    batches = (make(start, min(BATCH, rows - start), noise) for start in range(0, rows, BATCH))
    if mode == "make":
        for _ in batches:
            pass
        return
    path = os.path.join(folder, "rows.parquet")
    compression = "snappy" if mode.endswith("snappy") else "zstd"
    with pq.ParquetWriter(path, schema, compression=compression) as writer:
        if mode == "batches":
            for batch in batches:
                writer.write_batch(batch)
        else:
            group = []
            for batch in batches:
                group.append(batch)
                if len(group) == GROUP:
                    writer.write_table(pa.Table.from_batches(group))
                    group = []
            if group:
                writer.write_table(pa.Table.from_batches(group))
    print(f"{rows} rows, {os.path.getsize(path) // 1_000_000} MB")


if __name__ == "__main__":
    main()
