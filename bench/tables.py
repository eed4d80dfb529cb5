"""How fast tables are read, beside pandas and pyarrow, in one run on one file, after a check that all read the same:

    cmake -B build -DPLETHRON_BENCH=ON && cmake --build build
    python bench/tables.py build        (with numpy, pandas, pyarrow; files go to /dev/shm, else the folder for such)

A row is the median of five, with the least and the greatest; the ceiling is a read of the same file into fresh memory.
Nothing passes or fails on a time."""

import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import pandas as pd
import pyarrow.csv

REPEATS = 5
BUILD = pathlib.Path(sys.argv[1])
MEMORY = pathlib.Path("/dev/shm")


def timed(read):
    seconds = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        read()
        seconds.append(time.perf_counter() - begin)
    return seconds


def plethron(path):
    done = subprocess.run([BUILD / "bench_table", path, str(REPEATS)], check=True, capture_output=True, text=True)
    return [float(line) for line in done.stdout.split()]


def verify(path, n_rows, n_columns):
    """The table is what pandas reads, as floats, but for values whose double lies between two floats."""
    dumped = subprocess.run([BUILD / "tests" / "table_dump", path], check=True, capture_output=True).stdout
    values = np.frombuffer(dumped.split(b"\0", n_columns + 1)[-1], np.float32).reshape(n_rows, n_columns)
    expected = pd.read_csv(path, dtype=np.float64).to_numpy()
    assert np.array_equal(values, expected.astype(np.float32))
    assert np.array_equal(expected, pyarrow.csv.read_csv(path).to_pandas().to_numpy(np.float64))


def report(name, path, seconds):
    megabytes = path.stat().st_size / 1e6
    rates = [megabytes / s for s in seconds]
    print(f"  {name:12} {statistics.median(rates):8.0f} MB/s   ({min(rates):.0f} to {max(rates):.0f})")


def compare(folder, name, array, form):
    path = pathlib.Path(folder) / "t.csv"
    header = ",".join(f"c{k}" for k in range(array.shape[1]))
    np.savetxt(path, array, fmt=form, delimiter=",", header=header, comments="")
    verify(path, *array.shape)
    print(f"{name}: {array.shape[0]} x {array.shape[1]}, {path.stat().st_size / 1e6:.0f} MB")
    report("plethron", path, plethron(path))
    report("pyarrow", path, timed(lambda: pyarrow.csv.read_csv(path)))
    report("pandas", path, timed(lambda: pd.read_csv(path)))
    report("read", path, timed(path.read_bytes))


random = np.random.default_rng(20261125)
print(f"pandas {pd.__version__}, pyarrow {pyarrow.__version__}, pyarrow threads {pyarrow.cpu_count()}")
with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
    compare(folder, "six decimals", random.standard_normal((200000, 50)), "%.6f")
    compare(folder, "all digits", random.standard_normal((100000, 50)), "%.17g")
    compare(folder, "whole numbers", random.integers(0, 256, (50000, 785)), "%d")
