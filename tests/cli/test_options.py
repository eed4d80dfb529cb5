"""Every option of a training does what it says: weights are compared with reference.py."""

import re

import numpy as np
import pytest

import reference
from conftest import EXAMPLES, TUTORIAL

N_ROWS, N_FEATURES, EPOCHS = 120, 4, 60
PRECISION = {"rtol": 2e-4, "atol": 2e-5}  # 60 steps in float32


def make_rows(seed=5):
    """X of unlike scales, y of two classes that overlap, how much each row counts, and a fold for each."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(N_ROWS, N_FEATURES)) * [1, 2, 0.5, 1] + [0, 1, 0, -1]
    y = (X @ [1, -0.5, 0.25, 0] + rng.normal(size=N_ROWS) > 0.3).astype(float)
    weights = rng.integers(0, 4, size=N_ROWS) / 2
    return X.astype(np.float32), y, weights, np.arange(N_ROWS) % 3


def write_rows(program, name="rows.csv", **columns):
    X, y, weights, folds = make_rows()
    columns = {"y": y, "weight": weights, "fold": folds, **columns}
    lines = [",".join([*(f"x{k}" for k in range(N_FEATURES)), *columns])]
    for i in range(N_ROWS):
        lines.append(",".join([*(repr(float(x)) for x in X[i]), *(f"{c[i]:g}" for c in columns.values())]))
    program.write(name, "\n".join(lines) + "\n")
    return name


FEATURES = ["--target", "y", "--features", ",".join(f"x{k}" for k in range(N_FEATURES)), "--epochs", EPOCHS]


def train(program, *options, model="m.safetensors"):
    """Trains on the rows; returns the tensors of the model."""
    program.run("train", write_rows(program), *FEATURES, *options, "-o", model)
    return program.model(model)[0]


REFERENCE = {
    "loss": {"loss": "mse"},
    "reduction": {"reduction": "sum", "lr": 0.01},
    "lr": {"lr": 0.7},
    "l2": {"l2": 0.2},
    "l1": {"l1": 0.05, "lr": 0.5},
    "elastic net": {"l1": 0.02, "l2": 0.1},
    "momentum": {"optimizer": "momentum", "momentum": 0.8},
    "momentum by default": {"optimizer": "momentum"},
    "nesterov": {"optimizer": "nesterov", "momentum": 0.7},
    "adam": {"optimizer": "adam", "momentum": 0.8, "beta2": 0.99, "epsilon": 1e-4},
    "adam by default": {"optimizer": "adam"},
    "inverse": {"schedule": "inverse", "lr": 1.0},
    "inverse with a decay": {"schedule": "inverse", "decay": 1, "lr": 2.0},
    "cosine": {"schedule": "cosine", "lr": 0.5},
    "momentum, l1": {"optimizer": "momentum", "l1": 0.05},
    "nesterov, l1": {"optimizer": "nesterov", "l1": 0.05},
    "adam, cosine, l1": {"optimizer": "adam", "schedule": "cosine", "l1": 0.05},
}


@pytest.mark.parametrize("strategy", ["rows", "fused", "staged", "host"])
@pytest.mark.parametrize("case", REFERENCE)
def test_against_the_reference(program, case, strategy):
    options = [f"--{name}={value}" for name, value in REFERENCE[case].items()]
    tensors = train(program, *options, "--strategy", strategy)
    X, y, _, _ = make_rows()
    w, b = reference.train(X.astype(float), y, epochs=EPOCHS, **REFERENCE[case])
    np.testing.assert_allclose(tensors["W"][:, 0], w, **PRECISION)
    np.testing.assert_allclose(tensors["b"][0], b, **PRECISION)
    if "l1" in REFERENCE[case]:
        assert np.array_equal(tensors["W"][:, 0] == 0, w == 0)


def test_row_weights(program):
    X, y, weights, folds = make_rows()
    options = ["--weights", "weight", "--class-weight", "0.5,3", "--folds-column", "fold", "--hold-out", "1"]
    tensors = train(program, *options)
    full = weights * np.where(y == 1, 3, 0.5) * (folds != 1)
    w, b = reference.train(X.astype(float), y, weights=full, epochs=EPOCHS)
    np.testing.assert_allclose(tensors["W"][:, 0], w, **PRECISION)
    np.testing.assert_allclose(tensors["b"][0], b, **PRECISION)
    rows = weights * (folds != 1)
    p = reference.sigmoid(X @ w + b)
    assert tensors["row_weight"][0] == pytest.approx(rows.sum(), rel=1e-6)
    assert tensors["accuracy"][0] == pytest.approx(rows @ ((p >= 0.5) == y) / rows.sum(), abs=1e-6)
    held = weights * (folds == 1)
    assert tensors["held_out_accuracy"][0] == pytest.approx(held @ ((p >= 0.5) == y) / held.sum(), abs=1e-6)
    log_loss = -(y * np.log(p) + (1 - y) * np.log(1 - p))
    assert tensors["final_loss"][0] == pytest.approx(full @ log_loss / full.sum(), rel=1e-4)
    assert tensors["held_out_loss"][0] == pytest.approx(held @ log_loss / held.sum(), rel=1e-4)
    assert tensors["held_out_error_sum"][0] == pytest.approx(held @ (p - y), rel=1e-3, abs=1e-3)


def test_balanced(program):
    X, y, _, _ = make_rows()
    tensors = train(program, "--class-weight", "balanced")
    n_positive = y.sum()
    negative, positive = N_ROWS / (2 * (N_ROWS - n_positive)), N_ROWS / (2 * n_positive)
    assert tensors["weight_negative"][0] == pytest.approx(negative, rel=1e-6)
    assert tensors["weight_positive"][0] == pytest.approx(positive, rel=1e-6)
    w, b = reference.train(X.astype(float), y, weights=np.where(y == 1, positive, negative), epochs=EPOCHS)
    np.testing.assert_allclose(tensors["W"][:, 0], w, **PRECISION)
    np.testing.assert_allclose(tensors["b"][0], b, **PRECISION)


def test_a_row_of_weight_two_is_two_rows(program):
    X, y, _, _ = make_rows()
    counts = np.where(np.arange(N_ROWS) % 3 == 0, 2, 1)
    lines = [",".join([*(repr(float(x)) for x in X[i]), f"{y[i]:g}"]) for i in range(N_ROWS)]
    header = ",".join(f"x{k}" for k in range(N_FEATURES)) + ",y"
    program.write("weighted.csv", "\n".join([header + ",n", *(f"{l},{n}" for l, n in zip(lines, counts))]) + "\n")
    program.write("repeated.csv", "\n".join([header, *np.repeat(lines, counts)]) + "\n")
    common = ["--target", "y", "--epochs", EPOCHS]
    program.run("train", "weighted.csv", *common, "--weights", "n", "-o", "weighted.safetensors")
    program.run("train", "repeated.csv", *common, "-o", "repeated.safetensors")
    a, b = program.model("weighted.safetensors")[0], program.model("repeated.safetensors")[0]
    np.testing.assert_allclose(a["W"], b["W"], rtol=1e-4, atol=1e-6)
    for measure in ["final_loss", "accuracy", "error_sum", "row_weight"]:
        np.testing.assert_allclose(a[measure], b[measure], rtol=1e-4, atol=1e-4)


def test_combinations_stand_in_order(program):
    lists = ["--loss", "log,mse", "--optimizer", "gd,adam", "--lr", "0.1,0.2", "--l2", "0,0.1", "--l1", "0,0.01"]
    strategy = ["--strategy", "staged"]  # the planner may choose one for many units, and another for one
    together = train(program, *lists, *strategy)
    expected = [
        (loss, optimizer, lr, l2, l1)
        for loss in (0, 1) for optimizer in (0, 3) for lr in (0.1, 0.2) for l2 in (0, 0.1) for l1 in (0, 0.01)
    ]  # fmt: skip
    arrays = [together[name] for name in ("loss", "optimizer", "learning_rate", "l2", "l1")]
    np.testing.assert_allclose(np.array(arrays, float).T, expected, rtol=1e-6)
    options = ["--loss", "mse", "--optimizer", "adam", "--lr", "0.2", "--l2", "0.1", "--l1", "0.01"]
    alone = train(program, *options, *strategy, model="one.safetensors")
    assert np.array_equal(together["W"][:, -1:], alone["W"]) and np.array_equal(together["b"][-1:], alone["b"])
    shown = program.run("inspect", "m.safetensors").stdout
    assert re.search(r"^  unit  target  class  loss name  optimizer        lr        l2        l1  ", shown, re.M)


# ---- Stopping -------------------------------------------------------------------------------------------------------


def test_tolerance(program):
    tensors = train(program, "--tolerance", "0.001", "--epochs", "20000", "--lr", "0.5", "--check-every", "7")
    assert tensors["state"][0] == 6  # converged
    assert 0 < tensors["epochs_done"][0] < 20000 and tensors["epochs_done"][0] % 7 == 0
    assert tensors["gradient_norm"][0] <= 0.001
    X, y, _, _ = make_rows()
    delta = reference.sigmoid(X @ tensors["W"][:, 0].astype(float) + tensors["b"][0]) - y
    assert np.abs(np.r_[X.T @ delta, delta.sum()] / N_ROWS).max() <= 0.0011


def test_tolerance_counts_penalties(program):
    options = ["--tolerance", "0.0005", "--epochs", "50000", "--lr", "0.5", "--l1", "0.05", "--l2", "0.1"]
    tensors = train(program, *options)
    X, y, _, _ = make_rows()
    w = tensors["W"][:, 0].astype(float)
    assert tensors["state"][0] == 6 and np.any(w == 0) and np.any(w != 0)
    slope = X.T @ (reference.sigmoid(X @ w + tensors["b"][0]) - y) / N_ROWS + 0.1 * w
    distance = np.where(w == 0, np.maximum(np.abs(slope) - 0.05, 0), np.abs(slope + 0.05 * np.sign(w)))
    assert distance.max() <= 0.0006


def noisy_rows(program):
    """Mostly features that are noise, so that the held-out loss rises after a while."""
    rng = np.random.default_rng(8)
    X = rng.normal(size=(90, 40))
    y = (X[:, :10].sum(axis=1) + 2 * rng.normal(size=90) > 0).astype(float)
    np.save(program.folder / "noise.npy", np.column_stack([X, y]).astype(np.float32))
    return ["noise.npy", "--target", "40", "--lr", "0.03", "--seed", "1"]


def test_patience_keeps_the_best_weights(program):
    data = noisy_rows(program)
    options = ["--patience", "35", "--check-every", "10", "--epochs", "2000"]
    done = program.run("train", *data, *options, "-o", "m.safetensors")
    stopped = program.model("m.safetensors")[0]
    assert stopped["state"][0] == 7 and stopped["excluded_fold"][0] == 0  # early stopped
    assert "early stopped" in done.stdout and "held-out accuracy" in done.stdout
    best_epoch = int(stopped["epochs_done"][0]) - 40  # looked at every 10: the first time 35 or more after it
    assert best_epoch >= 20
    losses = {}
    for epochs in (best_epoch - 10, best_epoch, best_epoch + 10, best_epoch + 40):
        program.run("train", *data, "--hold-out", "0", "--epochs", epochs, "-o", "e.safetensors")
        losses[epochs] = program.model("e.safetensors")[0]
    assert np.array_equal(losses[best_epoch]["W"], stopped["W"])
    assert np.array_equal(losses[best_epoch]["held_out_loss"], stopped["held_out_loss"])
    assert min(losses, key=lambda e: losses[e]["held_out_loss"][0]) == best_epoch


def test_hold_out_folds(program):
    data = noisy_rows(program)
    for fold in range(3):
        program.run("train", *data, "--folds", "3", "--hold-out", fold, "--epochs", "5", "-o", f"{fold}.safetensors")
        tensors = program.model(f"{fold}.safetensors")[0]
        assert tensors["row_weight"][0] == 60 and tensors["excluded_fold"][0] == fold
    assert not np.array_equal(program.model("0.safetensors")[0]["W"], program.model("1.safetensors")[0]["W"])
    program.run("train", *data, "--epochs", "5", "-o", "all.safetensors")
    assert program.model("all.safetensors")[0]["row_weight"][0] == 90
    assert np.isnan(program.model("all.safetensors")[0]["held_out_loss"][0])


def test_held_out_rows_are_counted_apart(program):
    options = ["--target", "digit", "--standardize", "--hold-out", "2", "--epochs", "50", "-o", "m.safetensors"]
    done = program.run("train", EXAMPLES / "digits.csv", *options)
    trained = re.search(r"^training accuracy (\S+) \((\d+) of (\d+)\)$", done.stdout, re.M)
    held = re.search(r"^held-out accuracy (\S+) \((\d+) of (\d+)\)$", done.stdout, re.M)
    assert int(trained[3]) + int(held[3]) == 1797 and 178 <= int(held[3]) <= 181
    for found in (trained, held):
        assert float(found[1]) == pytest.approx(int(found[2]) / int(found[3]), abs=5e-5)
        assert float(found[1]) > 0.85


# ---- Batches, classes, measures -------------------------------------------------------------------------------------


def test_batches(program):
    whole = train(program)
    assert np.array_equal(train(program, "--batch", "128")["W"], whole["W"])  # 120 rows: one batch
    batches = train(program, "--batch", "16")
    assert np.array_equal(train(program, "--batch", "16")["W"], batches["W"])
    assert not np.array_equal(train(program, "--batch", "16", "--seed", "1")["W"], batches["W"])
    assert batches["final_loss"][0] < whole["final_loss"][0]  # eight steps an epoch
    lists = train(program, "--batch", "16", "--lr", "0.1,0.3", "--l2", "0,0.1")
    assert np.array_equal(lists["W"][:, :1], batches["W"])
    assert program.model("m.safetensors")[1]["batch_size"] == "16"


def test_classes_alone_and_together(digits, program):
    together, _ = digits
    all_of_them, together_metadata = together.model("digits.safetensors")
    options = [EXAMPLES / "digits.csv", "--target", "digit", "--lr", "0.5", "--epochs", "300", "--standardize"]
    strategy = together_metadata["strategy"]
    program.run("train", *options, "--class", "7,3", "-o", "two.safetensors", "--strategy", strategy)
    two, metadata = program.model("two.safetensors")
    assert list(two["positive_class"]) == [3, 7]
    assert metadata["classes"] == [[str(c) for c in range(10)]]
    for name in ["W", "b", "final_loss", "accuracy", "error_sum", "id"]:
        assert np.array_equal(two[name], all_of_them[name][..., [3, 7]]), name


def test_class_of_two(program):
    first = train(program, "--class", "0")
    second = train(program)
    assert first["positive_class"][0] == 0 and second["positive_class"][0] == 1
    np.testing.assert_allclose(first["W"], -second["W"], rtol=1e-4, atol=1e-6)


def test_auc(program):
    X, y, weights, folds = make_rows()
    options = ["--auc", "--weights", "weight", "--folds-column", "fold", "--hold-out", "2", "-o", "m.safetensors"]
    done = program.run("train", write_rows(program), *FEATURES, *options)
    tensors = program.model("m.safetensors")[0]
    z = X @ tensors["W"][:, 0] + tensors["b"][0]

    def area(rows):
        a, b = z[rows & (y == 1)][:, None], z[rows & (y == 0)][None]
        pairs = weights[rows & (y == 1)][:, None] * weights[rows & (y == 0)][None]
        return (pairs * ((a > b) + 0.5 * (a == b))).sum() / pairs.sum()

    assert tensors["auc"][0] == pytest.approx(area(folds != 2), abs=1e-6)
    assert tensors["held_out_auc"][0] == pytest.approx(area(folds == 2), abs=1e-6)
    assert re.search(r"accuracy       auc  held out", done.stdout)
    assert np.isnan(train(program)["auc"][0])


def test_no_rows_and_one_class_are_states(program):
    _, y, weights, folds = make_rows()
    name = write_rows(program, some=np.where(folds == 0, 0, weights), none=0 * weights, ones=np.where(y == 1, 1, 0))
    options = [name, *FEATURES, "-o", "m.safetensors"]
    done = program.run("train", *options, "--weights", "none")
    assert program.model("m.safetensors")[0]["state"][0] == 8 and "no rows" in done.stdout
    assert done.stderr.startswith("plethron: 1 of 1 units: no rows: ")
    done = program.run("train", *options, "--weights", "ones")
    assert program.model("m.safetensors")[0]["state"][0] == 5 and "one class" in done.stdout


def test_standardize(program):
    X, y, _, _ = make_rows()
    tensors = train(program, "--standardize")
    mean, deviation = X.mean(axis=0, dtype=float), X.std(axis=0, dtype=float)
    w, b = reference.train((X - mean) / deviation, y, epochs=EPOCHS)
    np.testing.assert_allclose(tensors["W"][:, 0], w / deviation, **PRECISION)
    np.testing.assert_allclose(tensors["b"][0], b - (w * mean / deviation).sum(), **PRECISION)


def test_standardize_a_constant_column(program):
    program.write("t.csv", "a,c,y\n" + 10 * "0,5,0\n1,5,1\n2,5,1\n")
    done = program.run("train", "t.csv", "--target", "y", "--standardize", "--lr", "1", "-o", "m.safetensors")
    tensors = program.model("m.safetensors")[0]
    assert "training accuracy 1.0000 (30 of 30)" in done.stdout
    assert np.all(np.isfinite(tensors["W"])) and tensors["W"][1, 0] == 0


# ---- Planning -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["train", "sweep"])
def test_dry_run(program, verb):
    options = ["--target", "digit", "--lr", "0.1,0.3", "--folds", "4", "--dry-run", "-o", "no-such-folder/m"]
    done = program.run(verb, EXAMPLES / "digits.csv", *options)
    units = 20 if verb == "train" else 80
    assert re.search(rf"^units +{units}$", done.stdout, re.M)
    said = {"plan": r"\w+ on|host", "memory": ".* of data, .* of units", "work": ".* GFLOP", "time": "about .* at most"}
    for label, text in said.items():
        assert re.search(rf"^{label} +{text}", done.stdout, re.M), label
    assert list(program.folder.iterdir()) == []


def test_dry_run_refuses_what_the_run_would(program):
    options = [EXAMPLES / "digits.csv", "--target", "digit", "--dry-run"]
    assert "'7x'" in program.fails("train", *options, "--class", "7x")
    assert "abacus" in program.fails("sweep", *options, "--device", "abacus")


def test_history_writes_before_and_after_stopping(program):
    options = ["--lr", "0.5", "--tolerance", "0.01", "--history", "h.csv", "--history-every", "10"]
    program.run("train", *TUTORIAL, "--loss", "mse", *options, "-o", "m.safetensors")
    rows = program.table("h.csv")
    done = int(program.model("m.safetensors")[0]["epochs_done"][0])
    assert 0 < done < 20000
    epochs = [int(row["epoch"]) for row in rows]
    assert epochs[0] == 0 and epochs == sorted(set(epochs)) and epochs[-1] >= done
