"""Malformed input: one line that names the file and the place, exit code 1, and no output file harmed."""

import io
import json
import os
import re
import struct

import numpy as np
import pytest

from conftest import EXAMPLES, TUTORIAL

PLACE = r"(:|line |byte |row )\d+"


def train_fails(program, data, *options, target="y"):
    """Trains on `data` over an existing model; returns the error line after checking that nothing changed."""
    program.write("old.safetensors", b"the old content")
    before = sorted(os.listdir(program.folder))
    line = program.fails("train", data, "--target", target, *options, "-o", "old.safetensors")
    assert (program.folder / "old.safetensors").read_bytes() == b"the old content"
    assert sorted(os.listdir(program.folder)) == before
    return line


CSV_WITH_PLACE = {
    "a short row": ("a,b,y\n0,1,0\n1,1\n1,0,1\n", 3),
    "a long row": ("a,b,y\n0,1,0\n1,1,1,1\n1,0,1\n", 3),
    "text in a number column": ("a,b,y\n0,1,0\n1,many,1\n", 3),
    "a missing cell": ("a,b,y\n0,1,0\n1,,1\n", 3),
    "NaN": ("a,b,y\n0,1,0\n1,nan,1\n", 3),
    "infinity": ("a,b,y\n0,1,0\n1,1e999,1\n", 3),
    "an unclosed quote": ('a,b,y\n0,1,0\n1,"1,1\n', None),
    "a column twice": ("a,a,y\n0,1,0\n1,1,1\n", 1),
}


@pytest.mark.parametrize("case", CSV_WITH_PLACE)
def test_bad_csv(program, case):
    content, at = CSV_WITH_PLACE[case]
    line = train_fails(program, program.write("bad.csv", content))
    assert "bad.csv" in line
    assert re.search(PLACE if at is None else rf"(:|line ){at}\b", line), line


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"a,b,y\n", b"\0\1\2\3" * 100],
    ids=["empty file", "empty line", "header only", "binary"],
)
def test_hollow_csv(program, content):
    assert "bad.csv" in train_fails(program, program.write("bad.csv", content))


def test_missing_column(program):
    data = program.write("t.csv", "a,b,y\n0,1,0\n1,1,1\n")
    assert "'z'" in train_fails(program, data, target="z")
    assert "'c'" in train_fails(program, data, "--features", "a,c")


def test_one_distinct_value(program):
    line = train_fails(program, program.write("t.csv", "a,y\n0,yes\n1,yes\n"))
    assert "'y'" in line and "'yes'" in line


def test_continuous_target(program):
    line = train_fails(program, program.write("t.csv", "a,y\n0,1.5\n1,2.5\n2,3.5\n"))
    assert "continuous" in line and "'y'" in line


def test_no_feature_left(program):
    assert "target" in train_fails(program, program.write("t.csv", "y\n0\n1\n"))


def test_text_features_hint_at_the_option(program):
    assert "--features" in train_fails(program, EXAMPLES / "diabetes.csv", target="Diabetic")


def test_files_that_are_none(program):
    assert "gone.csv" in train_fails(program, "gone.csv")
    (program.folder / "folder").mkdir()
    assert "folder" in train_fails(program, "folder")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_file_without_permission(program):
    data = program.write("secret.csv", "a,y\n0,0\n1,1\n")
    data.chmod(0)
    assert "secret.csv" in train_fails(program, data)


# ---- What a bank needs of its columns -------------------------------------------------------------------------------

BANK = "x,y,w,f,kind\n1,0,1,0,a\n2,1,1,1,b\n3,0,1,0,c\n4,1,1,1,a\n5,0,1,0,b\n6,1,1,1,c\n"
BAD_BANKS = {
    "a negative weight": (("2,1,1,1", "2,1,-1,1"), ["--weights", "w"], "row 2 has the weight -1 in column 'w': 0 or more"),
    "a weight that is text": (("2,1,1,1", "2,1,much,1"), ["--weights", "w"], "line 3: column 'w' holds 'much'"),
    "a weight that is infinite": (("2,1,1,1", "2,1,1e999,1"), ["--weights", "w"], "line 3"),
    "no such weights": (None, ["--weights", "z"], "no column 'z'"),
    "a fold of 255": (
        ("2,1,1,1", "2,1,1,255"), ["--folds-column", "f"],
        "row 2 has the fold 255 in column 'f': a whole number from 0 to 254",
    ),
    "a negative fold": (("2,1,1,1", "2,1,1,-1"), ["--folds-column", "f"], "row 2 has the fold -1"),
    "half a fold": (("2,1,1,1", "2,1,1,0.5"), ["--folds-column", "f"], "row 2 has the fold 0.5"),
    "a fold without rows": (("2,1,1,1", "2,1,1,3"), ["--folds-column", "f"], "the fold 3, but no row of fold 2"),
    "no such class": (None, ["--class", "2"], "none of the classes of --class ('2'): its classes are '0', '1'"),
    "one class of two that are not there": (None, ["--class", "1,2"], "no target has a class '2'"),
    "more folds than rows": (
        None, ["--folds", "7", "--patience", "5"],
        "n_folds is 7: 2 to 255 is allowed, and no more than the 6 samples",
    ),
}  # fmt: skip


@pytest.mark.parametrize("verb", ["train", "sweep"])
@pytest.mark.parametrize("case", BAD_BANKS)
def test_bad_bank(program, verb, case):
    change, options, said = BAD_BANKS[case]
    data = program.write("t.csv", BANK.replace(*change) if change else BANK)
    program.write("old.safetensors", b"the old content")
    line = program.fails(verb, data, "--target", "y", "--features", "x", *options, "-o", "old.safetensors")
    assert said in line
    assert (program.folder / "old.safetensors").read_bytes() == b"the old content"
    assert sorted(os.listdir(program.folder)) == ["old.safetensors", "t.csv"]


def test_one_fold_is_none(program):
    data = program.write("t.csv", "x,y,f\n1,0,0\n2,1,0\n3,0,0\n4,1,0\n")
    options = ["--target", "y", "--folds-column", "f"]
    assert "column 'f' holds one fold: two or more are needed" in program.fails("sweep", data, *options)


def test_a_fold_to_hold_out_that_no_row_has(program):
    data = program.write("t.csv", BANK)
    line = train_fails(program, data, "--features", "x", "--folds-column", "f", "--hold-out", "2")
    assert "--hold-out 2 is none of the folds 0 to 1 of 'f'" in line


def test_every_target_has_a_class(program):
    data = program.write("t.csv", BANK)
    line = train_fails(program, data, "--class", "1", "--features", "x", target="y,kind")
    assert "target 'kind' has none of the classes of --class ('1'): its classes are 'a', 'b', 'c'" in line


def test_too_many_classes(program):
    table = np.column_stack([np.zeros(65537), np.arange(65537)]).astype(np.float32)
    line = train_fails(program, program.write("t.npy", npy(table)), target="1")
    assert "t.npy" in line and "65,535" in line.replace("65535", "65,535")


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def npy_header(header):
    text = header.encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


BAD_NPY = {
    "truncated data": npy(np.zeros((10, 3), np.float32))[:-1],
    "truncated header": npy(np.zeros((10, 3), np.float32))[:40],
    "only the magic": b"\x93NUMPY",
    "huge counts": npy_header("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 1000000), }\n"),
    "overflowing counts": npy_header("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, 8), }\n" % 2**62),
    "negative counts": npy_header("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 3), }\n") + bytes(12),
    "an unknown type": npy_header("{'descr': '|O', 'fortran_order': False, 'shape': (1, 3), }\n") + bytes(12),
    "three dimensions": npy(np.zeros((2, 2, 2), np.float32)),
    "NaN": npy(np.array([[0, 0], [np.nan, 1]], np.float32)),
}


@pytest.mark.parametrize("case", BAD_NPY)
def test_bad_npy(program, case):
    assert "bad.npy" in train_fails(program, program.write("bad.npy", BAD_NPY[case]), target="1")


@pytest.mark.parametrize("case", [*BAD_NPY, "another shape"])
def test_bad_start(program, case):
    content = BAD_NPY.get(case, npy(np.zeros((3, 1), np.float32)))
    program.write("bad.npy", content)
    line = train_fails(program, *TUTORIAL[:-1], "bad.npy", target="Diabetic")
    assert "bad.npy" in line
    if case == "another shape":
        assert "[3, 1]" in line and "[4, 1]" in line


def safetensors(header, body=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


BAD_MODELS = {
    "empty": b"",
    "short length": b"\1\2\3",
    "huge header": struct.pack("<Q", 2**60) + b"{}",
    "header past the end": struct.pack("<Q", 1000) + b"{}",
    "no JSON": safetensors(b"this is no JSON"),
    "no tensors": safetensors({}),
    "huge counts": safetensors({"W": {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 4]}}, bytes(4)),
    "a CSV file": b"a,b,y\n0,1,0\n1,1,1\n",
}


@pytest.mark.parametrize("case", BAD_MODELS)
def test_bad_model(program, case):
    program.write("bad.safetensors", BAD_MODELS[case])
    assert "bad.safetensors" in program.fails("inspect", "bad.safetensors")
    program.write("old.csv", "the old content")
    line = program.fails("predict", "bad.safetensors", EXAMPLES / "people.csv", "-o", "old.csv")
    assert "bad.safetensors" in line
    assert (program.folder / "old.csv").read_text() == "the old content"


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, -1])
def test_truncated_model(diabetes, kept):
    whole = (diabetes.folder / "d.safetensors").read_bytes()
    diabetes.write("cut.safetensors", whole[: int(kept * len(whole)) if kept > 0 else -1])
    assert "cut.safetensors" in diabetes.fails("inspect", "cut.safetensors")


def test_predict_bad_data(diabetes):
    diabetes.write("old.csv", "the old content")
    before = sorted(os.listdir(diabetes.folder))
    hollow = diabetes.write("hollow.csv", "Smoking,Obesity,Exercise\n")
    missing = diabetes.write("missing.csv", "Smoking,Obesity\n0,1\n")
    text = diabetes.write("text.csv", "Smoking,Obesity,Exercise\n0,1,1\n0,yes,1\n")
    narrow = diabetes.write("narrow.npy", npy(np.zeros((4, 2), np.float32)))
    assert "hollow.csv" in diabetes.fails("predict", "d.safetensors", hollow, "-o", "old.csv")
    assert "'Exercise'" in diabetes.fails("predict", "d.safetensors", missing, "-o", "old.csv")
    line = diabetes.fails("predict", "d.safetensors", text, "-o", "old.csv")
    assert re.search(r"text\.csv.*(:|line )3\b.*'yes'", line)
    line = diabetes.fails("predict", "d.safetensors", narrow, "-o", "old.csv")
    assert "2 columns" in line and "3 features" in line
    assert (diabetes.folder / "old.csv").read_text() == "the old content"
    assert sorted(os.listdir(diabetes.folder)) == sorted([*before, "hollow.csv", "missing.csv", "text.csv", "narrow.npy"])


def test_output_that_cannot_be_written(program):
    (program.folder / "folder").mkdir()
    for path in ["folder", "no-such-folder/d.safetensors"]:
        assert path in program.fails("train", *TUTORIAL, "-o", path)
        assert path in program.fails("train", *TUTORIAL, "--history", path, "-o", "d.safetensors")
    assert not (program.folder / "d.safetensors").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folder_without_permission(program):
    (program.folder / "folder").mkdir(mode=0o500)
    assert "folder/d.safetensors" in program.fails("train", *TUTORIAL, "-o", "folder/d.safetensors")
