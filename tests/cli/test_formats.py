"""Tables as numpy, scipy, pandas, h5py and safetensors write them: the same values, bit by bit. TABLE_DUMP names the
program that prints a table."""

import os
import subprocess

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from safetensors.numpy import save_file

from conftest import SOURCE

DUMP = os.environ.get("TABLE_DUMP", SOURCE / "build" / "tests" / "table_dump")
SEED = 20261125


def run(path, *column, code=0, **options):
    done = subprocess.run([DUMP, path, *column], capture_output=True, timeout=120, **options)
    assert done.returncode == code, done.stderr.decode()
    return done


def dump(path, **options):
    """The column names and the values [n_rows, n_columns] of a table."""
    head, rest = run(path, **options).stdout.split(b"\0", 1)
    n_rows, n_columns = map(int, head.split())
    *names, values = rest.split(b"\0", n_columns)
    return [name.decode() for name in names], np.frombuffer(values, np.float32).reshape(n_rows, n_columns)


def classes(path, column):
    head, rest = run(path, column).stdout.split(b"\0", 1)
    *labels, codes = rest.split(b"\0", int(head))
    return [label.decode() for label in labels], np.frombuffer(codes, np.float32)


def refused(path, **options):
    """The one line that says why a file is refused."""
    lines = run(path, code=1, **options).stderr.decode().splitlines()
    assert len(lines) == 1
    return lines[0]


def same(path, array, names=None, **options):
    """The table is the array, each value the nearest float."""
    expected = np.asarray(array).astype(np.float32)
    expected = expected.reshape(len(expected), -1)
    got_names, values = dump(path, **options)
    assert got_names == (names or [str(i) for i in range(expected.shape[1])])
    assert values.shape == expected.shape
    np.testing.assert_array_equal(values.view(np.uint32), expected.view(np.uint32))


def random_array(dtype, shape=(37, 5)):
    random = np.random.default_rng(SEED)
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return random.integers(0, 2, shape).astype(bool)
    if dtype.kind == "f":
        array = random.standard_normal(shape).astype(dtype)
        array.flat[:4] = [0.0, -0.0, np.finfo(dtype).tiny if dtype.itemsize < 8 else 1e-300, 1.5]
        return array
    info = np.iinfo(dtype)
    array = random.integers(info.min, info.max, shape, dtype, endpoint=True)
    array.flat[:3] = [info.min, info.max, 0]
    return array


TYPES = ["?", "f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"]


# ---- NPY and NPZ -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("byte_order", ["<", ">"])
@pytest.mark.parametrize("dtype", TYPES)
def test_npy(tmp_path, dtype, byte_order, order, version):
    array = random_array(dtype)
    stored = np.asarray(array, dtype=array.dtype.newbyteorder(byte_order), order=order)
    with open(tmp_path / "t.npy", "wb") as file:
        np.lib.format.write_array(file, stored, version)
    same(tmp_path / "t.npy", array)


def test_npy_of_one_dimension(tmp_path):
    np.save(tmp_path / "t.npy", np.arange(7, dtype=np.int16))
    same(tmp_path / "t.npy", np.arange(7))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz(tmp_path, save):
    X, y = random_array("f8", (300, 40)), random_array("i2", (300,))
    save(tmp_path / "two.npz", X=X, y=y)
    same(f"{tmp_path}/two.npz:X", X)
    same(f"{tmp_path}/two.npz:y", y)
    save(tmp_path / "one.npz", np.asfortranarray(X))
    same(tmp_path / "one.npz", X)
    line = refused(tmp_path / "two.npz")
    assert "two.npz" in line and "'X.npy', 'y.npy'" in line
    assert "two.npz:Z" in refused(f"{tmp_path}/two.npz:Z")


def test_npz_of_constants_packs_a_thousandfold(tmp_path):
    X = np.zeros((2000, 1000), np.float32)
    np.savez_compressed(tmp_path / "t.npz", X=X)
    same(tmp_path / "t.npz", X)


def test_broken_npz(tmp_path):
    np.savez_compressed(tmp_path / "t.npz", X=random_array("f8", (100, 10)))
    content = (tmp_path / "t.npz").read_bytes()
    for cut in [10, len(content) // 2, len(content) - 1]:
        (tmp_path / "cut.npz").write_bytes(content[:cut])
        assert "cut.npz" in refused(tmp_path / "cut.npz")
    spoilt = bytearray(content)
    spoilt[len(content) // 2] ^= 0xFF
    (tmp_path / "spoilt.npz").write_bytes(spoilt)
    assert "spoilt.npz" in refused(tmp_path / "spoilt.npz")
    line = refused("-", stdin=open(tmp_path / "t.npz", "rb"))
    assert "plain files only" in line


# ---- safetensors and HDF5 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", TYPES)
def test_safetensors(tmp_path, dtype):
    array = random_array(dtype)
    save_file({"a": np.arange(3, dtype=np.uint8), "the array": array, "z": array[:, 0].copy()}, tmp_path / "t.safetensors")
    same(f"{tmp_path}/t.safetensors:the array", array)
    same(f"{tmp_path}/t.safetensors:z", array[:, 0])
    save_file({"only": array}, tmp_path / "one.safetensors")
    same(tmp_path / "one.safetensors", array)
    assert "3 tensors" in refused(tmp_path / "t.safetensors")
    assert "FILE:NAME" not in refused(f"{tmp_path}/t.safetensors:b")


def test_bfloat(tmp_path):
    bits = np.array([0x3F80, 0xC049, 0x0001, 0x8000], np.uint16)
    header = b'{"x":{"dtype":"BF16","shape":[4],"data_offsets":[0,8]}}'
    (tmp_path / "t.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bits.tobytes())
    same(tmp_path / "t.safetensors", (bits.astype(np.uint32) << 16).view(np.float32))


@pytest.mark.parametrize("byte_order", ["<", ">"])
@pytest.mark.parametrize("dtype", TYPES)
def test_hdf5(tmp_path, dtype, byte_order):
    array = random_array(dtype)
    stored = array if dtype == "?" else array.astype(array.dtype.newbyteorder(byte_order))
    with h5py.File(tmp_path / "t.h5", "w") as file:
        file["plain"] = stored
        file["group/row"] = stored[:, 0]
        file.create_dataset("packed", data=stored, chunks=(8, 3), compression="gzip", shuffle=True)
    same(f"{tmp_path}/t.h5:/plain", array)
    same(f"{tmp_path}/t.h5:plain", array)
    same(f"{tmp_path}/t.h5:/group/row", array[:, 0])
    same(f"{tmp_path}/t.h5:/packed", array)


def test_hdf5_refuses(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = np.zeros(4)
    same(tmp_path / "other.h5", np.zeros(4))  # the only dataset
    with h5py.File(tmp_path / "t.h5", "w") as file:
        file["cube"] = np.zeros((2, 2, 2))
        file["scalar"] = 1.0
        file["text"] = "text"
        file["complex"] = np.zeros(3, complex)
        file["empty"] = np.zeros((0, 3))
        file["link"] = h5py.ExternalLink("other.h5", "/x")
        file.create_dataset("outside", (4,), "f8", external=[(str(tmp_path / "raw"), 0, 32)])
        file.create_dataset("huge", (1 << 40,), "f8")
        file.create_dataset("unwritten", (1 << 24,), "f8", chunks=(1 << 20,))
    (tmp_path / "raw").write_bytes(bytes(32))
    for name in ["cube", "scalar", "text", "complex", "empty", "link", "outside", "huge", "unwritten", "none", "/"]:
        assert f"t.h5:{name}: " in refused(f"{tmp_path}/t.h5:{name}")
    assert "FILE:/PATH" in refused(tmp_path / "t.h5")
    content = (tmp_path / "other.h5").read_bytes()
    (tmp_path / "cut.h5").write_bytes(content[: len(content) // 2])
    assert "cut.h5" in refused(tmp_path / "cut.h5")


# ---- Text ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("separator", [",", "\t", ";"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_csv_of_pandas(tmp_path, dtype, separator):
    array = random_array(dtype, (5000, 7))
    array *= 10.0 ** np.random.default_rng(SEED).integers(-30, 30, array.shape)
    frame = pd.DataFrame(array, columns=list("abcdefg"))
    frame.to_csv(tmp_path / "t.csv", index=False, sep=separator)
    same(tmp_path / "t.csv", array, list("abcdefg"))
    frame.to_csv(tmp_path / "t.csv", index=False, sep=separator, float_format="%.9e", lineterminator="\r\n", quoting=1)
    same(tmp_path / "t.csv", frame.map(lambda value: float(f"{value:.9e}")), list("abcdefg"))


def test_csv_of_numpy(tmp_path):
    array = random_array("f8", (1000, 3))
    np.savetxt(tmp_path / "t.csv", array, delimiter=",", header="x,y,z", comments="")
    same(tmp_path / "t.csv", array, ["x", "y", "z"])


def test_texts_of_pandas(tmp_path):
    random = np.random.default_rng(SEED)
    words = ["plain", "a,b", 'say "a"', "two\nlines", "\u00e9t\u00e9", " blanks ", "1", "nan", "\u65e5\u672c"]
    texts = random.choice(words, 20000)
    frame = pd.DataFrame({"x": random.standard_normal(20000).astype(np.float32), "text": texts, "more": texts[::-1]})
    frame.to_csv(tmp_path / "t.csv", index=False)
    for name in ["text", "more"]:
        labels, codes = classes(tmp_path / "t.csv", name)
        stripped = frame[name].str.strip(" ")  # blanks around an unquoted cell are none of it
        assert labels == sorted(set(stripped), key=str.encode)
        assert [labels[int(code)] for code in codes] == stripped.tolist()


def test_csv_from_standard_input(tmp_path):
    array = random_array("f4", (3000, 4))
    content = pd.DataFrame(array, columns=list("abcd")).to_csv(index=False).encode()
    names, values = dump("-", input=content)
    assert names == list("abcd")
    np.testing.assert_array_equal(values, array)


def svmlight(matrix, labels, first=1, extra=lambda i: ""):
    matrix = scipy.sparse.csr_matrix(matrix)
    lines = []
    for i, label in enumerate(labels):
        row = matrix[i]
        pairs = " ".join(f"{k + first}:{v!r}" for k, v in sorted(zip(row.indices.tolist(), row.data.tolist())))
        lines.append(f"{label}{extra(i)} {pairs}".rstrip() + "\n")
    return "".join(lines)


@pytest.mark.parametrize("first", [0, 1])
def test_svmlight(tmp_path, first):
    random = np.random.default_rng(SEED)
    matrix = random.standard_normal((50, 9)) * (random.random((50, 9)) < 0.4)
    matrix[3] = 0
    matrix += 0.0  # no -0, which a sparse row does not hold
    matrix[7, 0] = matrix[8, 8] = 2.5
    labels = random.integers(-1, 3, 50).tolist()
    names = [str(i + first) for i in range(9)]
    expected = np.column_stack([matrix, labels])
    path = tmp_path / "t.svm"
    path.write_text(svmlight(matrix, labels, first))
    same(path, expected, [*names, "label"])
    path.write_text("# a comment\n\n" + svmlight(matrix, labels, first, lambda i: f" qid:{i // 10}"))
    same(path, expected, [*names, "label"])
    path.write_bytes(svmlight(matrix, labels, first).replace("\n", " # why\r\n").encode())
    same(path, expected, [*names, "label"])
    wide = np.column_stack([matrix, np.zeros((50, 3)), labels])
    same(f"{path}:12", wide, [*names, *(str(i + first) for i in range(9, 12)), "label"])
    assert "9 features found, 8 expected" in refused(f"{path}:8")


def test_svmlight_with_several_labels(tmp_path):
    (tmp_path / "t.svm").write_text("1,3 1:0.5\n 2:1\n-2 1:2 3:4\n")
    same(
        tmp_path / "t.svm",
        [[0.5, 0, 0, 0, 1, 1], [0, 1, 0, 0, 0, 0], [2, 0, 4, 1, 0, 0]],
        ["1", "2", "3", "label=-2", "label=1", "label=3"],
    )
    assert classes(tmp_path / "t.svm", "label=3")[0] == ["0", "1"]


@pytest.mark.parametrize(
    "content, place, what",
    [
        ("1 1:2\n1 2:1 1:3\n", "line 2, byte 7: '1:3' found", "indices that ascend"),
        ("1 1:2\n1 2:1 2:3\n", "line 2, byte 7: '2:3' found", "indices that ascend"),
        ("1 1:2\nx 1:1\n", "line 2, byte 1: 'x' found", "a label"),
        ("1 1:2\n1 1:x\n", "line 2, byte 3: '1:x' found", "INDEX:VALUE"),
        ("1 1:2\n1 -1:2\n", "line 2, byte 3: '-1:2' found", "INDEX:VALUE"),
        ("1 1:2\n1 1:\n", "line 2, byte 3: '1:' found", "INDEX:VALUE"),
        ("1 1:2\n1 99999999999999999999:1\n", "line 2, byte 3", "INDEX:VALUE"),
        ("1 1:2\n1 99999999999999:1\n", "line 2: feature 99999999999999", "at most"),
        ("1 1:2\n1 2:inf\n", "line 2: column '2' holds 'inf'", "a finite number"),
        ("1 1:2\n1,x 2:1\n", "line 2, byte 3: 'x' found", "a label"),
        ("1 1:2\n1 3:1 qid:4\n", "line 2, byte 7: 'qid:4' found", "INDEX:VALUE"),
    ],
)
def test_broken_svmlight(tmp_path, content, place, what):
    (tmp_path / "t.svm").write_text(content)
    line = refused(tmp_path / "t.svm")
    assert "t.svm" in line and place in line and what in line, line


def test_svmlight_that_would_be_huge(tmp_path):
    (tmp_path / "t.svm").write_text("1 1:2\n" * 100000 + "1 1000000:1\n")
    line = refused(tmp_path / "t.svm")
    assert "100001 rows x 1000001 columns" in line and "are allowed" in line


# ---- Names -----------------------------------------------------------------------------------------------------------


def test_names_with_colons(tmp_path):
    np.save(tmp_path / "a:b.npy", np.arange(3))
    same(tmp_path / "a:b.npy", np.arange(3))
    np.savez(tmp_path / "a:b.npz", **{"c:d": np.arange(3)})
    same(f"{tmp_path}/a:b.npz:c:d", np.arange(3))
    assert "an NPY has no parts, but ':x' asks for one" in refused(f"{tmp_path}/a:b.npy:x")
    (tmp_path / "t.csv").write_text("a\n1\n")
    assert "a CSV has no parts" in refused(f"{tmp_path}/t.csv:x")
    assert "none.npz:x" in refused(f"{tmp_path}/none.npz:x")
