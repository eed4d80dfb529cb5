"""Prediction of tables larger than what may be in memory, and the forms in which it is written."""

import os
import re
import resource
import signal
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest
from safetensors.numpy import load_file

from conftest import EXAMPLES

DIGITS = EXAMPLES / "digits.csv"
LIMIT = ("--memory-limit", "16M")  # blocks of 1 MiB


@pytest.fixture(scope="module")
def large(digits, tmp_path_factory):
    """The digits over and over: 20,000 rows, and what is predicted for one round of them."""
    program, _ = digits
    X = np.loadtxt(DIGITS, delimiter=",", skiprows=1, dtype=np.float32)[:, :-1]
    _, P = program.predict("digits.safetensors", DIGITS)
    n = 20000
    return program, np.resize(X, (n, 64)), np.resize(P.astype(np.float32), (n, 10))


def model(program):
    return program.folder / "digits.safetensors"


@pytest.mark.parametrize("dtype", ["<f4", ">f8", "u1"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_in_blocks(large, dtype, order):
    program, X, P = large
    np.save(program.folder / "X.npy", np.asarray(X, dtype, order=order))
    program.run("predict", model(program), "X.npy", *LIMIT, "-o", "P.npy")
    got = np.load(program.folder / "P.npy")
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, P)


def test_csv_in_blocks(large):
    program, X, P = large
    names = program.model("digits.safetensors")[1]["features"]
    with open(program.folder / "X.csv", "w") as file:
        file.write('"what, it is",' + ",".join(reversed(names)) + "\n")
        for i, row in enumerate(X):
            file.write(f'"row ""{i}"",\n",' + ",".join(map(str, row[::-1].astype(int))) + "\n")
    assert (program.folder / "X.csv").stat().st_size > 2 << 20
    program.run("predict", model(program), "X.csv", *LIMIT, "-o", "P.npy")
    np.testing.assert_array_equal(np.load(program.folder / "P.npy"), P)
    program.run("predict", model(program), "X.csv", *LIMIT, "-o", "P.csv")
    np.testing.assert_array_equal(np.loadtxt(program.folder / "P.csv", np.float32, delimiter=",", skiprows=1), P)
    with open(program.folder / "X.csv") as file:
        program.run("predict", model(program), "-", *LIMIT, "-o", "P.safetensors", stdin=file)
    tensors = load_file(program.folder / "P.safetensors")
    assert list(tensors) == ["P"]
    np.testing.assert_array_equal(tensors["P"], P)


def test_npz_in_blocks(large):
    """numpy reads it, its checksum is right, and so does the program itself."""
    program, X, P = large
    np.save(program.folder / "X.npy", X)
    program.run("predict", model(program), "X.npy", *LIMIT, "-o", "P.npz")
    with np.load(program.folder / "P.npz") as file:
        assert file.files == ["P"]
        np.testing.assert_array_equal(file["P"], P)
    with zipfile.ZipFile(program.folder / "P.npz") as archive:
        assert archive.testzip() is None
    again = ["train", "P.npz", "--target", "0", "--loss", "mse", "--epochs", "1", "-o", "m.safetensors"]
    assert re.search(r"^samples +20000$", program.run(*again).stdout, re.M)


def test_stdout_is_the_same_as_a_file(large):
    program, X, _ = large
    np.save(program.folder / "X.npy", X)
    printed = program.run("predict", model(program), "X.npy", *LIMIT, "--classes").stdout
    program.run("predict", model(program), "X.npy", "--classes", "-o", "C.csv")
    assert (program.folder / "C.csv").read_text() == printed
    assert printed.count("\n") == 20001


def test_memory_stays_within_the_limit(large):
    """A file of 160 MiB is predicted in 16 MiB more than a short one takes."""
    program, X, _ = large
    np.save(program.folder / "short.npy", X[:4000])
    header = program.folder / "long.npy"
    with open(header, "wb") as file:
        n_rows = 32 * len(X)
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (n_rows, 64)})
        for _ in range(32):
            file.write(X.tobytes())
    peak = {}
    for name in ["short.npy", "long.npy"]:
        command = program.command("predict", "digits.safetensors", name, *LIMIT, "-o", "P.npy", "--device", "host")
        run = subprocess.Popen(command, cwd=program.folder)
        _, code, usage = os.wait4(run.pid, 0)
        run.returncode = os.waitstatus_to_exitcode(code)
        assert run.returncode == 0
        peak[name] = usage.ru_maxrss / 1024
    header.unlink()
    assert peak["long.npy"] - peak["short.npy"] < 16, peak
    assert len(np.load(program.folder / "P.npy", mmap_mode="r")) == n_rows


def test_a_bad_cell_far_down(large):
    program, X, _ = large
    X = X.copy()
    X[19000, 3] = np.inf
    np.save(program.folder / "bad.npy", X)
    line = program.fails("predict", model(program), "bad.npy", *LIMIT, "-o", "none.npy")
    assert "bad.npy" in line and "row 19000" in line and "'3'" in line
    assert not (program.folder / "none.npy").exists()


def test_what_is_not_read_in_blocks_obeys_the_limit(large):
    program, X, P = large
    np.savez(program.folder / "X.npz", X=X[:1000])
    program.run("predict", model(program), "X.npz", *LIMIT, "-o", "P.npy")
    np.testing.assert_array_equal(np.load(program.folder / "P.npy"), P[:1000])
    np.savez(program.folder / "X.npz", X=np.resize(X, (60000, 64)))
    assert "allowed" in program.fails("predict", model(program), "X.npz", *LIMIT, "-o", "none.npy")


# ---- Forms -----------------------------------------------------------------------------------------------------------


def test_top(digits):
    program, _ = digits
    _, P = program.predict("digits.safetensors", DIGITS)
    lines = program.run("predict", "digits.safetensors", DIGITS, "--top", "3").stdout.splitlines()
    assert lines[0] == "top1,p1,top2,p2,top3,p3"
    assert len(lines) == len(P) + 1
    for line, p in zip(lines[1:], P):
        fields = line.split(",")
        best = np.argsort(-p, kind="stable")[:3]
        assert fields[0::2] == [f"digit={c}" for c in best]
        np.testing.assert_array_equal(np.array(fields[1::2], float), p[best])
    all_units = program.run("predict", "digits.safetensors", DIGITS, "--top", "10").stdout.splitlines()
    assert sorted(all_units[1].split(",")[0::2]) == [f"digit={c}" for c in range(10)]
    assert "10 units" in program.fails("predict", "digits.safetensors", DIGITS, "--top", "11")


@pytest.mark.parametrize("device", ["host", None])
def test_top_among_ties_and_nan(digits, device):
    """Twenty units alike two by two, and ten that have diverged; in several blocks."""
    program, _ = digits
    rates = ["--lr", "0.5,1e38,0.5", "--epochs", "20"]
    program.run("train", DIGITS, "--target", "digit", *rates, "--device", "host", "-o", "ties.safetensors")
    where = ["--device", device] if device else []
    for k in [1, 2, 22, 30]:
        program.check_top("ties.safetensors", DIGITS, k, *LIMIT, *where)


def test_classes_are_not_known_where_a_unit_has_diverged(digits):
    program, _ = digits
    program.run("train", DIGITS, "--target", "digit", "--lr", "1e38", "--epochs", "3", "-o", "nan.safetensors")
    lines = program.run("predict", "nan.safetensors", DIGITS, "--classes").stdout.splitlines()
    assert lines[0] == "digit" and len(lines) == 1798 and not any(lines[1:])


def test_array_of_a_short_table(diabetes):
    _, p = diabetes.predict("d.safetensors", EXAMPLES / "people.csv")
    for name in ["p.npy", "p.safetensors"]:
        diabetes.run("predict", "d.safetensors", EXAMPLES / "people.csv", "-o", name)
    np.testing.assert_array_equal(np.load(diabetes.folder / "p.npy"), p.astype(np.float32))
    np.testing.assert_array_equal(load_file(diabetes.folder / "p.safetensors")["P"], p.astype(np.float32))


@pytest.mark.parametrize("arguments, part", [
    (["--memory-limit", "15M"], "'15M'"),
    (["--memory-limit", "512"], "'512'"),
    (["--memory-limit", "512MB"], "'512MB'"),
    (["--memory-limit", "-1G"], "'-1G'"),
    (["--memory-limit", "99999999999999T"], "'99999999999999T'"),
    (["--top", "0"], "'0'"),
    (["--top", "2", "--classes"], "--classes"),
    (["--top", "2", "-o", "x.npy"], "'x.npy'"),
    (["--classes", "-o", "x.safetensors"], "'x.safetensors'"),
    (["--classes", "-o", "x.npz"], "'x.npz'"),
    (["-o", "x.h5"], "'x.h5'"),
])  # fmt: skip
def test_usage_errors(program, arguments, part):
    done = program.run("predict", "m.safetensors", "x.csv", *arguments, code=2)
    assert part in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/full")
def test_disk_full(diabetes):
    for name in ["p.npy", "p.csv"]:
        (diabetes.folder / name).symlink_to("/dev/full")
    assert "p.csv" in diabetes.fails("predict", "d.safetensors", EXAMPLES / "people.csv", "-o", "p.csv")
    diabetes.fails("predict", "d.safetensors", EXAMPLES / "people.csv", "-o", "p.npy")


def limit_files():
    """A file may grow to 1 MB; then writing fails as it does on a full disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))


@pytest.mark.parametrize("name", ["large.npy", "large.npz", "large.safetensors", "large.csv"])
def test_a_write_that_fails_says_why(large, name):
    program, X, _ = large
    np.save(program.folder / "X.npy", np.resize(X, (40000, 64)))
    line = program.fails("predict", model(program), "X.npy", "-o", name, preexec_fn=limit_files)
    assert line == f"plethron: {name}: cannot be written: File too large"
    assert not [file for file in os.listdir(program.folder) if file == name or file.endswith(".tmp")]


# ---- Progress and interrupts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt(digits, number):
    """While it waits for more of a pipe."""
    program, _ = digits
    names = program.model("digits.safetensors")[1]["features"]
    (program.folder / "old.csv").write_text("kept")
    command = program.command("predict", "digits.safetensors", "-", *LIMIT, "-o", "old.csv")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    before = set(os.listdir(program.folder))
    with subprocess.Popen(command, cwd=program.folder, **pipes) as run:
        run.stdin.write(",".join(names) + "\n")
        for _ in range(30000):
            run.stdin.write(",".join(["1"] * 64) + "\n")
        run.stdin.flush()
        deadline = time.monotonic() + 60
        while set(os.listdir(program.folder)) == before and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.5)
        run.send_signal(number)
        assert run.wait(timeout=60) == 130
        assert run.stderr.read() == "plethron: interrupted: old.csv was not written\n"
        run.stdin.close()
    assert (program.folder / "old.csv").read_text() == "kept"
    assert set(os.listdir(program.folder)) == before


def test_a_file_that_is_cut_while_it_is_read(large):
    """The pipe is full long before the last block; the file is cut then."""
    program, X, _ = large
    np.save(program.folder / "cut.npy", X)
    command = program.command("predict", model(program), "cut.npy", *LIMIT, "--quiet")
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=program.folder, **pipes) as run:
        run.stdout.readline()
        os.truncate(program.folder / "cut.npy", 1 << 20)
        _, message = run.communicate(timeout=60)
    by_signal = run.returncode == -signal.SIGBUS or "AddressSanitizer: BUS" in message
    assert by_signal or (run.returncode == 1 and "were expected to stay" in message)


def test_verbose_says_where_the_time_went(digits):
    program, _ = digits
    done = program.run("predict", "digits.safetensors", DIGITS, "--verbose", "-o", "P.npy")
    assert "1797 rows" in done.stderr and "reading" in done.stderr and "writing" in done.stderr
