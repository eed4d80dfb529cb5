"""The model file as others see it: the Python package safetensors and numpy."""

import json
import re

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from conftest import EXAMPLES, SOURCE, TUTORIAL

FIRST = [
    "W", "b", "learning_rate", "l2", "epochs", "loss", "target", "positive_class", "seed", "id", "state",
    "epochs_done", "final_loss", "error_sum", "accuracy",
]  # fmt: skip


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


def test_every_tensor_and_key_is_documented(diabetes):
    tensors, metadata = load(diabetes.folder / "d.safetensors")
    rows = "\n".join(re.findall(r"^\|.*$", (SOURCE / "docs" / "model-format.md").read_text(), re.M))
    for name in [*tensors, *metadata]:
        assert f"`{name}`" in rows, name


def test_codes_follow_the_lists(diabetes):
    _, metadata = load(diabetes.folder / "d.safetensors")
    assert json.loads(metadata["states"]) == [
        "new", "max_epochs", "diverged", "separable", "interrupted", "one_class", "converged", "early_stopped",
        "no_rows",
    ]  # fmt: skip
    assert json.loads(metadata["optimizers"]) == ["gd", "momentum", "nesterov", "adam"]
    assert json.loads(metadata["schedules"]) == ["constant", "inverse", "cosine"]


def test_later_tensors_and_keys_may_be_missing(diabetes):
    """A file as the first version wrote it."""
    tensors, metadata = load(diabetes.folder / "d.safetensors")
    keys = ["format", "format_version", "reduction", "strategy", "features", "targets", "classes"]
    first = {key: metadata[key] for key in keys}
    save_file({name: tensors[name] for name in FIRST}, diabetes.folder / "old.safetensors", metadata=first)
    _, expected = diabetes.predict("d.safetensors", EXAMPLES / "people.csv")
    _, p = diabetes.predict("old.safetensors", EXAMPLES / "people.csv")
    assert np.array_equal(p, expected)
    for name in FIRST:
        kept = {other: tensors[other] for other in FIRST if other != name}
        save_file(kept, diabetes.folder / "less.safetensors", metadata=first)
        assert f"'{name}'" in diabetes.fails("inspect", "less.safetensors")


@pytest.mark.parametrize(
    "name, value", [("optimizer", 4), ("momentum", 1), ("l1", -1), ("schedule", -1), ("patience", -1), ("balanced", 2),
                    ("excluded_fold", 255), ("weight_positive", -1), ("auc", 1.5)],
)  # fmt: skip
def test_a_value_out_of_range_is_refused(diabetes, name, value):
    tensors, metadata = load(diabetes.folder / "d.safetensors")
    save_file({**tensors, name: np.full_like(tensors[name], value)}, diabetes.folder / "x.safetensors", metadata)
    line = diabetes.fails("inspect", "x.safetensors")
    assert "x.safetensors" in line and name in line and str(value) in line


def test_same_training_same_bytes(diabetes):
    first = (diabetes.folder / "d.safetensors").read_bytes()
    diabetes.run("train", *TUTORIAL, "--epochs", "200", "-o", "again.safetensors")
    assert (diabetes.folder / "again.safetensors").read_bytes() == first
