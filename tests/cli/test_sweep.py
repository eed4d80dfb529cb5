"""plethron sweep: the acceptance commands of the bank, its ranking, table, intervals and outputs."""

import csv
import os
import re
import signal
import subprocess
import time

import numpy as np
import pytest

from conftest import EXAMPLES, Program

DIGITS = EXAMPLES / "digits.csv"
ACCEPTANCE = [
    DIGITS, "--target", "digit", "--standardize", "--loss", "log", "--lr", "0.03,0.1,0.3,1",
    "--l2", "0,0.0001,0.001,0.01,0.1", "--folds", "5", "--epochs", "300", "--seed", "7",
]  # fmt: skip
PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
SMALL = [DIGITS, "--target", "digit", "--standardize", "--epochs", "30", "--folds", "3"]


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """The sweep of the acceptance, twice: the program, and what the first printed."""
    program = Program(tmp_path_factory.mktemp("sweep"))
    done = program.run("sweep", *ACCEPTANCE, "--table", "sweep.csv", "-o", "best.safetensors")
    program.run("sweep", *ACCEPTANCE, "--table", "again.csv", "-o", "again.safetensors")
    return program, done.stdout


def best_of(text):
    found = re.search(
        r"^best: loss (\S+), optimizer (\S+), lr (\S+), l2 (\S+), l1 (\S+): "
        r"mean held-out accuracy (\S+), deviation (\S+) over (\d+) folds$", text, re.M,
    )  # fmt: skip
    return found.groups()


def ranking_of(text):
    return [row.split() for row in re.findall(r"^ +\d+  (?:log|mse|tutorial) .*$", text, re.M)]


# ---- The acceptance -------------------------------------------------------------------------------------------------


def test_acceptance(swept):
    program, text = swept
    assert re.search(r"^units +1000: 10 to learn x 20 combinations x 5 folds$", text, re.M)
    assert float(best_of(text)[5]) > 0.94
    assert "trained on all 1797 rows: best.safetensors" in text
    assert len(program.table("sweep.csv")) == 1000
    assert program.model("best.safetensors")[0]["W"].shape == (64, 10)


def test_same_bytes_twice(swept):
    program, _ = swept
    for name, again in [("sweep.csv", "again.csv"), ("best.safetensors", "again.safetensors")]:
        assert (program.folder / name).read_bytes() == (program.folder / again).read_bytes()


def test_one_class_alone_has_the_bits_of_the_sweep(swept):
    """The best combination of one class, trained alone under the strategy that the model records."""
    program, text = swept
    best, metadata = program.model("best.safetensors")
    _, _, lr, l2, _, _, _, _ = best_of(text)
    options = ["--standardize", "--loss", "log", "--lr", lr, "--l2", l2, "--epochs", "300", "--seed", "7"]
    for label in ["0", "3", "9"]:
        program.run(
            "train", DIGITS, "--target", "digit", "--class", label, *options, "--strategy", metadata["strategy"],
            "-o", "one.safetensors",
        )  # fmt: skip
        one = program.model("one.safetensors")[0]
        for name in best:
            assert np.array_equal(one[name][..., 0], best[name][..., int(label)], equal_nan=True), (label, name)


def test_one_fold_alone_has_the_measures_of_the_sweep(swept):
    """A unit that was compared, trained alone: its line in the table to the last digit."""
    program, _ = swept
    strategy = program.model("best.safetensors")[1]["strategy"]
    rows = program.table("sweep.csv")
    for row in [rows[0], rows[123], rows[-1]]:
        options = ["--lr", row["lr"], "--l2", row["l2"], "--hold-out", row["fold"], "--class", row["class"]]
        program.run(
            "train", DIGITS, "--target", "digit", "--standardize", "--folds", "5", "--seed", "7", "--epochs", "300",
            *options, "--strategy", strategy, "-o", "one.safetensors",
        )  # fmt: skip
        one = program.model("one.safetensors")[0]
        for column, tensor in [
            ("training_loss", "final_loss"), ("training_accuracy", "accuracy"),
            ("held_out_loss", "held_out_loss"), ("held_out_accuracy", "held_out_accuracy"),
        ]:  # fmt: skip
            assert np.float32(row[column]) == one[tensor][0], column


# ---- Ranking and table ----------------------------------------------------------------------------------------------


def test_table_lists_every_unit(swept):
    rows = swept[0].table("sweep.csv")
    assert list(rows[0]) == [
        "unit", "target", "class", "loss", "optimizer", "lr", "l2", "l1", "fold", "epochs", "state", "training_loss",
        "training_accuracy", "training_auc", "held_out_loss", "held_out_accuracy", "held_out_auc",
    ]  # fmt: skip
    expected = [
        (str(c), lr, l2, str(fold))
        for c in range(10) for lr in ("0.03", "0.1", "0.3", "1") for l2 in ("0", "0.0001", "0.001", "0.01", "0.1")
        for fold in range(5)
    ]  # fmt: skip
    assert [(row["class"], row["lr"], row["l2"], row["fold"]) for row in rows] == expected
    assert all(row["training_auc"] == "" and row["epochs"] == "300" for row in rows)


def test_ranking_is_sorted_and_holds_the_best(swept):
    _, text = swept
    rows = ranking_of(text)
    assert len(rows) == 10 and "... and 10 more" in text
    accuracies = [float(row[6]) for row in rows]
    assert accuracies == sorted(accuracies, reverse=True)
    assert rows[0][3:5] == list(best_of(text)[2:4])


def test_ranking_equals_the_folds_predicted_one_by_one(program):
    """The accuracy of a combination: each fold predicted by a model that did not learn from it."""
    n_folds = 3
    rows = np.loadtxt(DIGITS, delimiter=",", skiprows=1)
    folds = np.arange(len(rows)) * 7 // 3 % n_folds
    header = DIGITS.read_text().splitlines()[0] + ",fold"
    np.savetxt(program.folder / "t.csv", np.column_stack([rows, folds]), "%g", ",", header=header, comments="")
    options = ["t.csv", "--target", "digit", "--standardize", "--epochs", "60", "--folds-column", "fold"]
    text = program.run("sweep", *options, "--lr", "0.1,0.4").stdout
    for lr, found in zip(["0.4", "0.1"], ranking_of(text)):
        accuracy = []
        for fold in range(n_folds):
            program.run("train", *options, "--lr", lr, "--hold-out", fold, "-o", "m.safetensors")
            told = program.run("predict", "m.safetensors", "t.csv", "--classes").stdout.split()[1:]
            accuracy.append(np.mean(np.array(told, float)[folds == fold] == rows[folds == fold, -1]))
        assert found[3] == lr
        assert float(found[6]) == pytest.approx(np.mean(accuracy), abs=5e-5)
        assert float(found[7]) == pytest.approx(np.std(accuracy), abs=5e-5)


def test_ranking_with_auc(program):
    text = program.run("sweep", *SMALL, "--class", "3", "--auc", "--table", "t.csv").stdout
    areas = [float(row["held_out_auc"]) for row in program.table("t.csv")]
    assert float(ranking_of(text)[0][9]) == pytest.approx(np.mean(areas), abs=5e-5)


def test_top(program):
    text = program.run("sweep", *SMALL, "--class", "3", "--lr", "0.1,0.2,0.3", "--top", "1").stdout
    assert len(ranking_of(text)) == 1 and "... and 2 more" in text


def test_several_targets_count_alike(program):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(300, 3))
    y = (X[:, :2] + [0.2, 1.5] * rng.normal(size=(300, 2)) > 0).astype(int)
    lines = [",".join(map(repr, map(float, X[i]))) + f",{y[i, 0]},{y[i, 1]}" for i in range(300)]
    program.write("t.csv", "\n".join(["a,b,c,sure,unsure", *lines]) + "\n")
    text = program.run("sweep", "t.csv", "--target", "sure,unsure", "--folds", "4", "--table", "s.csv").stdout
    rows = program.table("s.csv")
    by_fold = [np.mean([float(r["held_out_accuracy"]) for r in rows if r["fold"] == str(f)]) for f in range(4)]
    assert float(ranking_of(text)[0][6]) == pytest.approx(np.mean(by_fold), abs=5e-5)


def test_a_unit_that_diverged_hits_nothing(program):
    """Most rows are of class 0, which is no merit of a unit whose weights are not numbers."""
    x = np.linspace(-1, 1, 200)
    lines = [f"{1e30 * v:.6g},{int(v > 0.8)}" for v in x]
    program.write("t.csv", "\n".join(["x,y", *lines]) + "\n")
    text = program.run("sweep", "t.csv", "--target", "y", "--lr", "1e38", "--folds", "4", "--table", "s.csv").stdout
    assert {row["state"] for row in program.table("s.csv")} == {"diverged"}
    assert float(ranking_of(text)[0][6]) == 0


def test_a_fold_with_one_class_is_its_units_state(program):
    lines = [f"{i % 7},{int(i % 7 > 3)},0" if i < 30 else f"{i % 7},1,1" for i in range(60)]
    program.write("t.csv", "\n".join(["x,y,f", *lines]) + "\n")
    done = program.run("sweep", "t.csv", "--target", "y", "--folds-column", "f", "--table", "s.csv")
    states = {row["fold"]: row["state"] for row in program.table("s.csv")}
    assert states["0"] == "one class" and states["1"] != "one class"
    assert "1 of 2 units: one class" in done.stderr


# ---- The best, and its replicates -----------------------------------------------------------------------------------


def test_early_stopping_chooses_the_epochs_of_the_refit(program):
    options = [*SMALL, "--class", "8", "--lr", "3", "--epochs", "3000", "--patience", "25", "--check-every", "10"]
    text = program.run("sweep", *options, "--table", "s.csv", "-o", "best.safetensors").stdout
    rows = program.table("s.csv")
    assert {row["state"] for row in rows} == {"early stopped"}
    best_epochs = [int(row["epochs"]) - 30 for row in rows]  # 25 epochs are over at the third look
    assert all(epochs % 10 == 0 and epochs > 0 for epochs in best_epochs)
    best = program.model("best.safetensors")[0]
    assert best["epochs_done"][0] == round(np.mean(best_epochs)) and best["excluded_fold"][0] == -1
    assert int(ranking_of(text)[0][9]) == round(np.mean(best_epochs))


def test_intervals(program):
    options = [*SMALL, "--class", "3", "--l2", "0.01", "--folds", "2"]
    bootstrap = ["--bootstrap", "60", "--intervals", "i.csv", "-o", "best.safetensors"]
    text = program.run("sweep", *options, *bootstrap).stdout
    rows = program.table("i.csv")
    assert list(rows[0]) == ["target", "class", "feature", "weight", "mean", "deviation", "low", "high"]
    assert len(rows) == 65 and rows[-1]["feature"] == "(bias)"
    assert {(row["target"], row["class"]) for row in rows} == {("digit", "3")}
    best = program.model("best.safetensors")[0]
    weights = np.array([float(row["weight"]) for row in rows], np.float32)
    assert np.array_equal(weights, np.r_[best["W"][:, 0], best["b"]])
    low, mean, high, deviation = (np.array([float(r[k]) for r in rows]) for k in ("low", "mean", "high", "deviation"))
    assert np.all(low <= mean) and np.all(mean <= high) and np.any(deviation > 0)
    assert np.mean((low <= weights) & (weights <= high)) > 0.8
    assert "interval does not hold 0" not in text
    program.run("sweep", *options, *bootstrap, "--intervals", "narrow.csv", "--level", "50")
    narrow = [float(row["high"]) - float(row["low"]) for row in program.table("narrow.csv")]
    assert np.all(np.array(narrow) <= high - low)
    program.run("sweep", *options, *bootstrap, "--intervals", "again.csv")
    assert (program.folder / "again.csv").read_bytes() == (program.folder / "i.csv").read_bytes()


def test_replicates_do_not_depend_on_how_many_there_are(program):
    """A replicate is a function of seed and id: two of three are the same as two of two."""
    program.write("t.csv", "x,y\n" + "".join(f"{i % 9},{int(i * i % 9 > 3)}\n" for i in range(60)))
    options = ["t.csv", "--target", "y", "--folds", "2", "--epochs", "30", "--intervals", "i.csv"]
    found = {}
    for n in (2, 3):
        program.run("sweep", *options, "--bootstrap", n)
        rows = program.table("i.csv")
        found[n] = np.array([[float(row["mean"]), float(row["deviation"])] for row in rows]).T
    first, second = found[2][0] - found[2][1] / 2**0.5, found[2][0] + found[2][1] / 2**0.5
    third = 3 * found[3][0] - first - second
    np.testing.assert_allclose(np.std([first, second, third], axis=0, ddof=1), found[3][1], rtol=1e-5)


def test_intervals_on_stdout(program):
    options = [DIGITS, "--target", "digit", "--class", "0", "--standardize", "--epochs", "40", "--folds", "2"]
    text = program.run("sweep", *options, "--bootstrap", "40", "--level", "90").stdout
    assert "weights whose 90% interval does not hold 0" in text
    shown = re.findall(r"^digit +0 +(\S+) +\S+ +(\S+) +(\S+)$", text, re.M)
    assert 5 < len(shown) <= 65 and all(float(low) > 0 or float(high) < 0 for _, low, high in shown)


def test_dry_run_plans_the_replicates(program):
    options = [DIGITS, "--target", "digit", "--folds", "2", "--bootstrap", "70", "--dry-run"]
    text = program.run("sweep", *options).stdout
    assert re.findall(r"^units +(\d+)$", text, re.M) == ["20", "700"]


def test_replicates_that_do_not_fit_are_refused_at_once(program):
    n_rows = 500_000
    table = np.column_stack([np.arange(n_rows) % 7, np.arange(n_rows) % 2]).astype(np.float32)
    np.save(program.folder / "t.npy", table)
    options = ["t.npy", "--target", "1", "--folds", "2", "--epochs", "2147483647", "--bootstrap", "500000"]
    line = program.fails("sweep", *options, "--table", "s.csv", "-o", "m.safetensors")
    assert "500000 units" in line and re.search(r"needs \d+ bytes on the device, .*; .* has \d+", line)
    assert os.listdir(program.folder) == ["t.npy"]


# ---- Outputs and interrupts -----------------------------------------------------------------------------------------


def test_quiet(program):
    options = [*SMALL, "--class", "3", "--l2", "0.01", "--quiet", "--bootstrap", "5", "-o", "m.safetensors"]
    done = program.run("sweep", *options, "--table", "s.csv", "--intervals", "i.csv")
    assert done.stdout == "" and done.stderr == ""
    assert sorted(os.listdir(program.folder)) == ["i.csv", "m.safetensors", "s.csv"]


@pytest.mark.parametrize("option", ["-o", "--table", "--intervals"])
def test_outputs_that_cannot_be_written(program, option):
    (program.folder / "folder").mkdir()
    for path in ["folder", "no-such-folder/file"]:
        options = ["--table", "s.csv", "-o", "m.safetensors", "--bootstrap", "5", option, path]
        began_s = time.monotonic()
        line = program.fails("sweep", *SMALL, *options, "--epochs", "2147483647")
        assert path in line and time.monotonic() - began_s < 20
    assert os.listdir(program.folder) == ["folder"]


@pytest.mark.parametrize("device", ["cpu", "host"])
def test_interrupt(program, device):
    options = [*SMALL, "--lr", "0.1,0.2", "--epochs", "2147483647", "--device", device, "-v"]
    command = program.command("sweep", *options, "--table", "s.csv", "-o", "m.safetensors")
    with subprocess.Popen(command, **PIPES, cwd=program.folder) as run:
        assert "training 60 units" in run.stderr.readline()
        time.sleep(1)
        run.send_signal(signal.SIGINT)
        stdout, stderr = run.communicate(timeout=60)
    assert run.returncode == 130
    assert "the ranking is of what was reached, written to s.csv; nothing was trained on all rows" in stderr
    assert len(ranking_of(stdout)) == 2 and "best:" not in stdout
    assert os.listdir(program.folder) == ["s.csv"]
    rows = program.table("s.csv")
    assert {row["state"] for row in rows} == {"interrupted"} and all(int(row["epochs"]) > 0 for row in rows)


def test_interrupt_of_the_replicates(program):
    options = [*SMALL, "--class", "3", "--bootstrap", "4000", "--epochs", "300", "--batch", "16", "-v"]
    command = program.command("sweep", *options, "-o", "m.safetensors", "--intervals", "i.csv")
    with subprocess.Popen(command, **PIPES, cwd=program.folder) as run:
        for line in run.stderr:
            if "bootstrap replicates" in line:
                break
        time.sleep(1)
        run.send_signal(signal.SIGINT)
        stdout, stderr = run.communicate(timeout=60)
    assert run.returncode == 130
    assert "there are no intervals" in stderr and "the best combination is in m.safetensors" in stderr
    assert len(ranking_of(stdout)) == 1
    assert os.listdir(program.folder) == ["m.safetensors"]


def test_table_quotes_names(program):
    program.write("t.csv", 'x,"a ""b"", c"\n' + 4 * '0,"n,o"\n1,yes\n')
    program.run("sweep", "t.csv", "--target", 'a "b"\\, c', "--folds", "2", "--epochs", "5", "--table", "s.csv")
    with open(program.folder / "s.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {(row["target"], row["class"]) for row in rows} == {('a "b", c', "yes")}
