"""Models in the formats of other programs."""

import ctypes
import json
import math
import subprocess

import numpy as np
import onnxruntime
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from conftest import EXAMPLES

DIGITS = EXAMPLES / "digits.csv"


def compile_c(folder, name):
    """The function that an exported C file defines, as X -> P."""
    library = folder / f"{name}.so"
    subprocess.run(
        ["cc", "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-O2", "-shared", "-fPIC", "-o", library,
         folder / f"{name}.c", "-lm"],
        check=True,
    )  # fmt: skip
    loaded = ctypes.CDLL(str(library))
    function = getattr(loaded, f"{name}_predict")
    pointer = ctypes.POINTER(ctypes.c_float)
    function.argtypes = [pointer, pointer]
    function.restype = None

    def predict(X, n_units):
        X = np.ascontiguousarray(X, np.float32)
        P = np.empty((len(X), n_units), np.float32)
        for x, p in zip(X, P):
            function(x.ctypes.data_as(pointer), p.ctypes.data_as(pointer))
        return P

    def names(what, n):
        return [text.decode() for text in (ctypes.c_char_p * n).in_dll(loaded, f"{name}_{what}")]

    return predict, names


def features(path):
    return np.loadtxt(path, delimiter=",", skiprows=1, dtype=np.float32)[:, :-1]


def test_onnx_predicts_the_same(digits):
    program, _ = digits
    program.run("export", "digits.safetensors", "-o", "digits.onnx")
    _, expected = program.predict("digits.safetensors", DIGITS)
    session = onnxruntime.InferenceSession(program.folder / "digits.onnx", providers=["CPUExecutionProvider"])
    (given,), (told,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.shape) == ("features", ["rows", 64])
    assert (told.name, told.shape) == ("digit", ["rows", 10])
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata["features"]) == program.model("digits.safetensors")[1]["features"]
    assert json.loads(metadata["units"]) == [{"target": "digit", "class": str(c)} for c in range(10)]
    (p,) = session.run(None, {"features": features(DIGITS)})
    # sums of 64 products in another order, |z| up to some tens, and dp/dz is at most 1/4
    np.testing.assert_allclose(p, expected, rtol=0, atol=2e-5)


def test_c_predicts_the_same_bits(digits):
    program, _ = digits
    program.run("export", "digits.safetensors", "-o", "the-digits.c")
    (program.folder / "the-digits.c").rename(program.folder / "the_digits.c")
    predict, names = compile_c(program.folder, "the_digits")
    _, expected = program.predict("digits.safetensors", DIGITS)
    p = predict(features(DIGITS), 10)
    np.testing.assert_array_equal(p.view(np.uint32), expected.astype(np.float32).view(np.uint32))
    assert names("units", 10) == [f"digit={c}" for c in range(10)]
    assert names("features", 64) == program.model("digits.safetensors")[1]["features"]


def test_json_holds_all(digits):
    program, _ = digits
    program.run("export", "digits.safetensors", "-o", "digits.json")
    told = json.loads((program.folder / "digits.json").read_text())
    tensors, metadata = program.model("digits.safetensors")
    for key in ["features", "reduction", "strategy", "entities"]:
        assert told[key] == metadata[key]
    assert [target["name"] for target in told["targets"]] == metadata["targets"]
    assert [target["classes"] for target in told["targets"]] == metadata["classes"]
    units = told["units"]
    weights = np.array([unit["weights"] for unit in units]).T
    np.testing.assert_array_equal(weights.astype(np.float32), tensors["W"])
    np.testing.assert_array_equal(np.float32([unit["bias"] for unit in units]), tensors["b"])
    for name, values in tensors.items():
        if name in ("W", "b"):
            continue
        if name + "s" in metadata or name + "es" in metadata or name == "optimizer":
            lists = {"loss": "losses", "optimizer": "optimizers", "schedule": "schedules", "state": "states",
                     "target": "targets"}  # fmt: skip
            expected = [metadata[lists[name]][code] for code in values]
        elif name == "positive_class":
            expected = [metadata["classes"][0][code] for code in values]
        elif values.dtype == np.int64:
            expected = [None if value == -1 else value for value in values]
        else:
            expected = [None if math.isnan(value) else value for value in values]
            assert [v if v is None else np.float32(v) for v in (unit[name] for unit in units)] == expected, name
            continue
        assert [unit[name] for unit in units] == expected, name


def test_json_of_entities(program):
    program.write("t.csv", "x,y\n0,0\n1,1\n")
    program.run("train", "t.csv", "--target", "y", "--lr", "1,2", "--epochs", "5", "-o", "m.safetensors")
    path = program.folder / "m.safetensors"
    with safe_open(path, framework="numpy") as file:
        metadata = {**file.metadata(), "entity_column": "shop", "entities": '["a", "b"]'}
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    save_file({**tensors, "entity": np.arange(2)}, path, metadata)
    program.run("export", "m.safetensors", "-o", "m.json")
    told = json.loads((program.folder / "m.json").read_text())
    assert (told["entity_column"], told["entities"]) == ("shop", ["a", "b"])
    assert [unit["entity"] for unit in told["units"]] == ["a", "b"]
    for name in ["m.onnx", "m.c"]:
        assert "'shop'" in program.fails("export", "m.safetensors", "-o", name)
        assert not (program.folder / name).exists()


def test_format_option(diabetes):
    diabetes.run("export", "d.safetensors", "--format", "c", "-o", "9 lives.txt")
    text = (diabetes.folder / "9 lives.txt").read_text()
    assert "void model_9_lives_predict(const float *x, float *p);" in text
    told = diabetes.run("export", "d.safetensors", "-f", "json", "-o", "/dev/stdout").stdout
    assert json.loads(told)["features"] == ["Smoking", "Obesity", "Exercise"]


def test_strange_names_and_values(program):
    """Names with quotes, trigraphs and other scripts; weights that are not finite; another locale for the numbers."""
    header = 'a"b,"c,d",%??=Ж,"y\n1"\n'.replace('a"b', '"a""b"')
    program.write("t.csv", header + "0,1,2,0\n3e38,1,0,1\n1,0,1,0\n")
    program.run("train", "t.csv", "--target", "y\n1", "--lr", "1e30", "--epochs", "20", "-o", "m.safetensors")
    environment = {"LC_ALL": "de_DE.UTF-8"}
    program.run("export", "m.safetensors", "-o", "m.c", env=environment)
    program.run("export", "m.safetensors", "-o", "m.json", env=environment)
    program.run("export", "m.safetensors", "-o", "m.onnx", env=environment)
    told = json.loads((program.folder / "m.json").read_text())
    assert told["features"] == ['a"b', "c,d", "%??=Ж"]
    predict, names = compile_c(program.folder, "m")
    assert names("features", 3) == ['a"b', "c,d", "%??=Ж"]
    assert names("units", 1) == ["y\n1"]
    weights = told["units"][0]["weights"]
    assert not all(isinstance(w, (int, float)) for w in weights), "the unit was to diverge"
    assert len(predict(np.zeros((2, 3)), 1)) == 2
    session = onnxruntime.InferenceSession(program.folder / "m.onnx", providers=["CPUExecutionProvider"])
    assert session.get_outputs()[0].name == "y\n1"


@pytest.mark.parametrize("arguments, part", [
    (["d.safetensors"], "-o"),
    (["d.safetensors", "-o", "d.xml"], "'d.xml'"),
    (["d.safetensors", "-o", "onnx"], "'onnx'"),
    (["d.safetensors", "-o", "d.c", "--format", "xml"], "'xml'"),
    (["d.safetensors", "-o", "d.safetensors", "--format", "json"], "MODEL"),
    (["-o", "d.c"], "MODEL"),
])  # fmt: skip
def test_usage_errors(diabetes, arguments, part):
    done = diabetes.run("export", *arguments, code=2)
    assert part in done.stderr


def test_no_half_file(diabetes):
    diabetes.write("bad.safetensors", b"no model")
    diabetes.write("old.c", "kept")
    assert "bad.safetensors" in diabetes.fails("export", "bad.safetensors", "-o", "old.c")
    assert (diabetes.folder / "old.c").read_text() == "kept"
    assert "no-such" in diabetes.fails("export", "d.safetensors", "-o", "no-such/d.c")


def test_output_named_like_a_part_of_the_graph(program):
    program.write("t.csv", "x,features\n0,0\n1,1\n")
    program.run("train", "t.csv", "--target", "features", "--epochs", "5", "-o", "m.safetensors")
    program.run("export", "m.safetensors", "-o", "m.onnx")
    session = onnxruntime.InferenceSession(program.folder / "m.onnx", providers=["CPUExecutionProvider"])
    assert session.get_outputs()[0].name == "predictions"
