"""The model file as others see it: the Python package safetensors and numpy."""

import json

import numpy as np
from safetensors import safe_open

from conftest import EXAMPLES, TUTORIAL


def load(path):
    with safe_open(path, framework="numpy") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()


def test_shapes_and_names(digits):
    program, _ = digits
    tensors, metadata = load(program.folder / "digits.safetensors")
    assert tensors["W"].shape == (64, 10) and tensors["W"].dtype == np.float32
    assert tensors["b"].shape == (10,) and tensors["b"].dtype == np.float32
    texts = json.dumps(metadata)
    assert all(f"pixel_{r}_{c}" in texts for r in range(8) for c in range(8))
    assert "digit" in texts and "log" in texts


def test_predictions_follow_from_the_weights(digits):
    program, _ = digits
    tensors, _ = load(program.folder / "digits.safetensors")
    X = np.loadtxt(EXAMPLES / "digits.csv", delimiter=",", skiprows=1)[:, :64]
    z = X @ tensors["W"].astype(np.float64) + tensors["b"]
    _, p = program.predict("digits.safetensors", EXAMPLES / "digits.csv")
    np.testing.assert_allclose(p, 1 / (1 + np.exp(-z)), rtol=0, atol=1e-5)


def test_same_training_same_bytes(diabetes):
    first = (diabetes.folder / "d.safetensors").read_bytes()
    diabetes.run("train", *TUTORIAL, "--epochs", "200", "-o", "again.safetensors")
    assert (diabetes.folder / "again.safetensors").read_bytes() == first
