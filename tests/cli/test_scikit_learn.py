"""The same models as scikit-learn's, where it has them. Its C is 1 / (penalty * sum of row weights): it adds the rows'
losses up where Plethron takes their mean."""

import re

import numpy as np
import pytest
import sklearn
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from conftest import EXAMPLES

# Both minimise a convex function; in the end no component of the program's gradient is above 2e-6.
CONVERGE = ["--optimizer", "nesterov", "--lr", "0.3", "--epochs", "200000", "--tolerance", "2e-6", "--standardize"]
L2 = 0.01


def write_table(program, X, **columns):
    """table.npy with the columns of X first; returns the options that name the others by their place."""
    np.save(program.folder / "table.npy", np.column_stack([X, *columns.values()]).astype(np.float32))
    return ["table.npy", *(option for k, name in enumerate(columns) for option in (f"--{name}", X.shape[1] + k))]


def standardized(X):
    deviation = X.std(axis=0)
    return (X - X.mean(axis=0)) / np.where(deviation > 0, deviation, 1), deviation


def train(program, arguments, X, *options):
    """Trains until converged; returns weights [n_units, n_features] for standardised features, and biases."""
    program.run("train", *arguments, *CONVERGE, *options, "-o", "m.safetensors")
    tensors = program.model("m.safetensors")[0]
    assert set(tensors["state"]) == {6}, "all units have converged"
    W, b = tensors["W"].astype(float).T, tensors["b"].astype(float)
    return W * X.std(axis=0), b + W @ X.mean(axis=0)


def scikit(X, y, penalty=L2, l1_ratio=0.0, weights=None, **options):
    total = len(y) if weights is None else weights.sum()
    if tuple(map(int, sklearn.__version__.split(".")[:2])) < (1, 8):
        options["penalty"] = "elasticnet" if l1_ratio else "l2"
    if l1_ratio:
        options.update(solver="saga", l1_ratio=l1_ratio)
    model = LogisticRegression(C=1 / (penalty * total), tol=1e-9, max_iter=20000, **options)
    model.fit(standardized(X)[0], y, sample_weight=weights)
    return model.coef_[0], model.intercept_[0]


@pytest.fixture(scope="module")
def cancer():
    X, y = load_breast_cancer(return_X_y=True)
    return X.astype(np.float32).astype(float), y


@pytest.fixture(scope="module")
def digit_rows():
    rows = np.loadtxt(EXAMPLES / "digits.csv", delimiter=",", skiprows=1)
    return rows[:, :-1], rows[:, -1].astype(int)


def assert_close(found, expected, atol=1e-3):
    np.testing.assert_allclose(found[0], expected[0], rtol=0, atol=atol)
    np.testing.assert_allclose(found[1], expected[1], rtol=0, atol=atol)


def test_digits(program, digit_rows):
    X, y = digit_rows
    W, b = train(program, [EXAMPLES / "digits.csv", "--target", "digit"], X, "--l2", L2)
    for c in range(10):
        assert_close((W[c], b[c]), scikit(X, y == c))


def test_breast_cancer(program, cancer):
    X, y = cancer
    W, b = train(program, write_table(program, X, target=y), X, "--l2", L2)
    assert_close((W[0], b[0]), scikit(X, y))


def test_balanced(program, cancer):
    X, y = cancer
    W, b = train(program, write_table(program, X, target=y), X, "--l2", L2, "--class-weight", "balanced")
    assert_close((W[0], b[0]), scikit(X, y, class_weight="balanced"))


def test_class_weights_and_sample_weights(program, cancer):
    X, y = cancer
    weights = np.random.default_rng(2).integers(0, 5, size=len(y)).astype(float)
    arguments = write_table(program, X, target=y, weights=weights)
    W, b = train(program, arguments, X, "--l2", L2)
    assert_close((W[0], b[0]), scikit(X, y, weights=weights))
    W, b = train(program, arguments, X, "--l2", L2, "--class-weight", "1,3")
    assert_close((W[0], b[0]), scikit(X, y, weights=weights * np.where(y == 1, 3, 1)))


@pytest.mark.parametrize("optimizer", ["gd", "momentum", "nesterov", "adam --lr 0.003"])
@pytest.mark.parametrize("l1, l2", [(0.02, 0.0), (0.01, 0.01)], ids=["l1", "elastic net"])
def test_l1(program, cancer, l1, l2, optimizer):
    X, y = cancer
    options = ["--l1", l1, "--l2", l2, "--optimizer", *optimizer.split()]
    W, b = train(program, write_table(program, X, target=y), X, *options)
    w, c = scikit(X, y, penalty=l1 + l2, l1_ratio=l1 / (l1 + l2))
    assert_close((W[0], b[0]), (w, c), atol=5e-3)
    assert np.array_equal(W[0] == 0, w == 0) and 0 < np.sum(w == 0) < 30


def float32_sums(X, w, b):
    """z as the program adds it up, so that what ties there ties here."""
    z = np.full(len(X), b, np.float32)
    for k in range(X.shape[1]):
        z = (X[:, k].astype(float) * float(w[k]) + z).astype(np.float32)
    return z


@pytest.mark.parametrize("device", ["cpu", "host"])
def test_auc_with_ties(program, device):
    rng = np.random.default_rng(4)
    X = rng.integers(0, 4, size=(700, 3)).astype(float)  # 64 different rows
    y = (X @ [1, -1, 0.5] + rng.normal(size=700) > 0.5).astype(int)
    weights, folds = rng.integers(0, 3, size=700).astype(float), rng.integers(0, 3, size=700)
    arguments = write_table(program, X, **{"target": y, "weights": weights, "folds-column": folds})
    options = ["--hold-out", "1", "--auc", "--epochs", "50", "--device", device]
    program.run("train", *arguments, *options, "-o", "m.safetensors")
    tensors = program.model("m.safetensors")[0]
    z = float32_sums(X, tensors["W"][:, 0], tensors["b"][0])
    assert len(set(z)) <= 64
    for name, rows in [("auc", folds != 1), ("held_out_auc", folds == 1)]:
        area = roc_auc_score(y[rows], z[rows], sample_weight=weights[rows])
        assert tensors[name][0] == pytest.approx(area, rel=0, abs=1e-6)


@pytest.mark.parametrize("device", ["cpu", "host"])
def test_auc_of_entities(program, device):
    """Of 1 to 3,000 rows, many of them tied, in no order; two units each; the same bits as for the entity alone."""
    rng = np.random.default_rng(8)
    sizes = [1, 2, 15, 16, 17, 30, 31, 33, 64, 100, 256, 257, 300, 513, 700, 3000]
    entity = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    X = rng.integers(0, 4, size=(len(entity), 3)).astype(float)
    y = (X @ [1, -1, 0.5] + rng.normal(size=len(X)) > 0.5).astype(int)
    weights, folds = rng.random(len(X)).astype(np.float32), rng.integers(0, 3, size=len(X))
    columns = {"target": y, "weights": weights, "folds-column": folds}
    options = ["--hold-out", "1", "--auc", "--lr", "0.1,0.5", "--epochs", "20", "--device", device]
    arguments = write_table(program, X, **{**columns, "entity": entity})
    program.run("train", *arguments, *options, "-o", "m.safetensors")
    tensors = program.model("m.safetensors")[0]
    for j, e in enumerate(tensors["entity"]):
        z = float32_sums(X, tensors["W"][:, j], tensors["b"][j])
        for name, rows in [("auc", folds != 1), ("held_out_auc", folds == 1)]:
            rows = rows & (entity == e)
            if len(set(y[rows])) < 2:
                assert np.isnan(tensors[name][j])
            else:
                area = roc_auc_score(y[rows], z[rows], sample_weight=weights[rows])
                assert tensors[name][j] == pytest.approx(area, rel=0, abs=1e-6)
    for e in [4, 9, 15]:
        rows = entity == e
        arguments = write_table(program, X[rows], **{name: column[rows] for name, column in columns.items()})
        program.run("train", *arguments, *options, "--strategy", "grouped", "-o", "one.safetensors")
        alone = program.model("one.safetensors")[0]
        for name in ["W", "auc", "held_out_auc"]:
            np.testing.assert_array_equal(alone[name], tensors[name][..., 2 * e : 2 * e + 2])


def test_cross_validation(program, digit_rows):
    """The accuracy of each combination is that of scikit-learn's models on the same folds, up to a few rows."""
    X, y = digit_rows
    folds = np.random.default_rng(6).permutation(len(y)) % 3
    arguments = write_table(program, X, **{"target": y, "folds-column": folds})
    text = program.run("sweep", *arguments, *CONVERGE, "--l2", "0.003,0.1").stdout
    Z, _ = standardized(X)
    found = {float(row[4]): float(row[6]) for row in map(str.split, re.findall(r"^ +\d+  log .*$", text, re.M))}
    assert set(found) == {0.003, 0.1}
    for l2, accuracy in found.items():
        hits = []
        for fold in range(3):
            rows = folds != fold
            models = [LogisticRegression(C=1 / (l2 * rows.sum())).fit(Z[rows], y[rows] == c) for c in range(10)]
            told = np.argmax([model.decision_function(Z[~rows]) for model in models], axis=0)
            hits.append(np.mean(told == y[~rows]))
        assert abs(np.mean(hits) - accuracy) * len(y) <= 3
