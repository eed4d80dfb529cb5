"""--store: what features are kept as while training."""

import re

import numpy as np
import pytest

from conftest import DIGITS, EXAMPLES

RAW = [EXAMPLES / "digits.csv", "--target", "digit", "--lr", "0.01", "--epochs", "20"]
WIDE = "a,b,y\n1,-70000,0\n2,3,1\n3,5,0\n4,8,1\n"


def train(program, data, *options, model="m.safetensors"):
    """What a training prints, and its model."""
    done = program.run("train", *data, *options, "-o", model)
    return done.stdout, *program.model(model)


def accuracy(printed):
    return float(re.search(r"training accuracy ([0-9.]+)", printed)[1])


@pytest.mark.parametrize("storage", ["f16", "bf16", "u8"])
def test_whole_numbers_lose_nothing(program, storage):
    """The digits are 0 to 16: their model has the bits that it has with floats."""
    _, floats, _ = train(program, RAW)
    printed, tensors, metadata = train(program, RAW, "--store", storage)
    assert np.array_equal(tensors["W"], floats["W"]) and np.array_equal(tensors["b"], floats["b"])
    assert metadata["storage"] == storage
    assert f"features  64, stored as {storage}\n" in printed
    assert f"features  64, trained as {storage}\n" in program.run("inspect", "m.safetensors").stdout


def test_floats_by_default(program):
    printed, _, metadata = train(program, RAW)
    assert metadata["storage"] == "f32" and "features  64\n" in printed
    assert "features  64\n" in program.run("inspect", "m.safetensors").stdout


@pytest.mark.parametrize("storage", ["f16", "bf16", "u8"])
def test_digits_are_learnt_as_well(program, digits, storage):
    _, done = digits
    printed, tensors, _ = train(program, DIGITS, "--store", storage)
    assert "features  64, standardized, stored as" in printed
    assert abs(accuracy(printed) - accuracy(done.stdout)) <= 0.003
    assert np.all(np.isfinite(tensors["W"]))


def test_too_large_for_f16(program):
    program.write("wide.csv", WIDE)
    line = program.fails("train", "wide.csv", "--target", "y", "--store", "f16", "-o", "m.safetensors")
    assert "X[0, 1] is -70000" in line and "65504" in line and "bf16" in line and "--standardize" in line
    program.run("train", "wide.csv", "--target", "y", "--store", "bf16", "-o", "m.safetensors")
    program.run("train", "wide.csv", "--target", "y", "--store", "f16", "--standardize", "-o", "m.safetensors")


def test_usage(program):
    done = program.run("train", *RAW, "--store", "f64", "-o", "m.safetensors", code=2)
    assert "--store 'f64'" in done.stderr and "bf16" in done.stderr
    done = program.run("train", *RAW, "--sparse", "--store", "u8", "-o", "m.safetensors", code=2)
    assert "--store u8 does not go with --sparse" in done.stderr


def test_sparse_features_stay_floats(program):
    program.write("s.svm", "".join(f"{i % 2} {i + 1}:1 {i + 30}:2\n" for i in range(20)))
    line = program.fails("train", "s.svm", "--target", "label", "--store", "f16", "-o", "m.safetensors")
    assert "s.svm" in line and "--store f16" in line and "--dense" in line
    program.run("train", "s.svm", "--target", "label", "--store", "f16", "--dense", "-o", "m.safetensors")


def test_a_sweep_stores_too(program):
    done = program.run("sweep", *RAW, "--folds", "2", "--store", "u8", "-o", "m.safetensors")
    assert "features  64, stored as u8\n" in done.stdout
    assert program.model("m.safetensors")[1]["storage"] == "u8"


def test_a_dry_run_knows_the_size(program):
    """1,808 places of 64 features and 10 classes' targets in one column."""
    kib = {}
    for storage, value_bytes in {"f32": 4, "f16": 2, "u8": 1}.items():
        printed = program.run("train", *RAW, "--store", storage, "--dry-run").stdout
        kib[storage] = float(re.search(r"memory +([0-9.]+) KiB of data", printed)[1])
        expected = 1808 * (64 * value_bytes + 4) + (64 * 8 if storage == "u8" else 0)
        assert abs(kib[storage] - expected / 1024) < 0.1


def test_a_training_goes_on_with_its_own_storage(program):
    program.run("train", *RAW, "--store", "f16", "--checkpoint", "c.ckpt", "-o", "m.safetensors")
    line = program.fails("train", *RAW, "--store", "bf16", "--resume", "c.ckpt", "-o", "m.safetensors")
    assert "the features differ" in line and "how they are stored" in line
    program.run("train", *RAW, "--store", "f16", "--resume", "c.ckpt", "-o", "m.safetensors")
