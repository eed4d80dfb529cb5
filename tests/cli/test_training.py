"""What training and prediction do beyond the acceptance commands."""

import os
import pty
import re
import signal
import subprocess
import time

import numpy as np
import pytest

from conftest import DIGITS, EXAMPLES, TUTORIAL

FOR_EVER = ["--epochs", "2147483647"]


def read_csv(path):
    lines = path.read_text().splitlines()
    return lines[0], [line.split(",") for line in lines[1:]]


# ---- Units ----------------------------------------------------------------------------------------------------------


def unit_rows(text):
    """The rows of the table of units, split into cells."""
    return [re.split(r"  +", row.strip()) for row in re.findall(r"^ +\d+  .*$", text, re.M)]


def test_sweep_order_and_names(program):
    done = program.run(
        "train", *TUTORIAL, "--lr", "0.05,0.5", "--l2", "0,0.01,0.1", "--epochs", "50", "-o", "s.safetensors"
    )
    settings = [(row[3], row[4]) for row in unit_rows(done.stdout)]
    assert settings == [(lr, l2) for lr in ("0.05", "0.5") for l2 in ("0", "0.01", "0.1")]
    header, p = program.predict("s.safetensors", EXAMPLES / "people.csv")
    assert header == ",".join(f"Diabetic #{j}" for j in range(6))
    assert p.shape == (2, 6)
    line = program.fails("predict", "s.safetensors", EXAMPLES / "people.csv", "--classes")
    assert "'Diabetic'" in line and "one unit" in line


def test_unit_alone_equals_unit_in_a_sweep(program):
    program.run("train", *TUTORIAL, "--lr", "0.05,0.5", "-o", "s.safetensors", "--strategy", "staged")
    program.run("train", *TUTORIAL, "--lr", "0.5", "-o", "one.safetensors", "--strategy", "staged")
    _, together = program.predict("s.safetensors", EXAMPLES / "people.csv")
    _, alone = program.predict("one.safetensors", EXAMPLES / "people.csv")
    assert np.array_equal(together[:, 1], alone[:, 0])


def test_text_classes(program):
    rows = [f"{x},{y},{name}" for x, y, name in 5 * [(0, 0, "low"), (9, 0, "mid, dle"), (0, 9, 'hi"gh')]]
    quoted = [re.sub(r",([^,]*, [^,]*)$", r',"\1"', row).replace('hi"gh', '"hi""gh"') for row in rows]
    data = program.write("t.csv", "x,y,kind\n" + "\n".join(quoted) + "\n")
    done = program.run("train", data, "--target", "kind", "--lr", "1", "-o", "t.safetensors")
    assert "training accuracy 1.0000 (15 of 15)" in done.stdout
    header = program.run("predict", "t.safetensors", data).stdout.splitlines()[0]
    assert header == '"kind=hi""gh",kind=low,"kind=mid, dle"'
    told = program.run("predict", "t.safetensors", data, "--classes").stdout.splitlines()
    assert told == ["kind"] + 5 * ["low", '"mid, dle"', '"hi""gh"']


def test_two_classes_of_text_are_one_unit(program):
    data = program.write("t.csv", "x,answer\n" + 5 * "0,no\n1,yes\n")
    done = program.run("train", data, "--target", "answer", "--lr", "1", "-o", "t.safetensors")
    assert "training accuracy 1.0000 (10 of 10)" in done.stdout
    header, p = program.predict("t.safetensors", data)
    assert header == "answer" and np.all((p[:, 0] > 0.5) == (np.arange(10) % 2 == 1))
    told = program.run("predict", "t.safetensors", data, "--classes").stdout.splitlines()
    assert told == ["answer"] + 5 * ["no", "yes"]


def test_probability_target(program):
    data = program.write("t.csv", "x,y\n" + 5 * "0,0.25\n1,0.5\n2,0.75\n")
    done = program.run("train", data, "--target", "y", "--lr", "1", "--epochs", "5000", "-o", "t.safetensors")
    assert "training accuracy" not in done.stdout
    header, p = program.predict("t.safetensors", data)
    assert header == "y"
    np.testing.assert_allclose(p[:3, 0], [0.25, 0.5, 0.75], atol=1e-3)
    assert "'y'" in program.fails("predict", "t.safetensors", data, "--classes")


def test_two_targets(program):
    data = program.write("t.csv", "a,b,or,and\n0,0,0,0\n0,1,1,0\n1,0,1,0\n1,1,1,1\n")
    done = program.run("train", data, "--target", "or,and", "--lr", "1", "-o", "t.safetensors")
    assert "or: training accuracy 1.0000 (4 of 4)" in done.stdout
    assert "and: training accuracy 1.0000 (4 of 4)" in done.stdout
    told = program.run("predict", "t.safetensors", data, "--classes").stdout.splitlines()
    assert told == ["or,and", "0,0", "1,0", "1,0", "1,1"]


def test_names_cannot_command_the_terminal(program):
    name = "x\x1b[31m" + 100 * "\u00e4"
    data = program.write("t.csv", f"{name},y\x07\n0,no\x1b\n1,yes\n")
    done = program.run("train", data, "--target", "y\x07", "--lr", "1", "-o", "t.safetensors")
    for text in [done.stdout, program.run("inspect", "t.safetensors").stdout]:
        assert not re.search(r"[\x00-\x09\x0b-\x1f]", text)
        assert "y?" in text
    assert re.search(r"^x\?\[31m\u00e4+\.\.\.  ", text, re.M)
    assert program.run("predict", "t.safetensors", data).stdout.startswith("y\x07\n")


def test_many_units_are_summed_up(program):
    rates = ",".join(f"{0.01 * (i + 1):g}" for i in range(30))
    done = program.run("train", *TUTORIAL, "--lr", rates, "--epochs", "20", "-o", "m.safetensors")
    states = re.search(r"^states +(.*)$", done.stdout, re.M).group(1)
    assert sum(int(count) for count in re.findall(r"\d+", states)) == 30
    assert len(unit_rows(done.stdout)) == 2
    assert len(unit_rows(program.run("inspect", "m.safetensors").stdout)) == 30
    verbose = program.run("train", *TUTORIAL, "--lr", rates, "--epochs", "20", "-v", "-o", "m.safetensors")
    assert len(unit_rows(verbose.stdout)) == 30


# ---- Options --------------------------------------------------------------------------------------------------------


def test_start_with_a_column_a_unit(program):
    np.save(program.folder / "start.npy", np.array([[1, 2], [3, 4], [5, 6], [7, 8]], np.float32))
    program.run(
        "train", *TUTORIAL, "--lr", "0.1,0.2", "--epochs", "0", "--init", "start.npy", "-o", "m.safetensors"
    )
    shown = program.run("inspect", "m.safetensors").stdout
    assert re.search(r"^Obesity +3 +4$", shown, re.M)
    assert re.search(r"^\(bias\) +7 +8$", shown, re.M)


def test_random_starts_follow_the_seed(program):
    def model(name, *options):
        program.run("train", *TUTORIAL[:-2], "--epochs", "0", *options, "-o", name)
        return (program.folder / name).read_bytes()

    for init in ["uniform", "normal"]:
        assert model("a", "--init", init, "--seed", "7") == model("b", "--init", init, "--seed", "7")
        assert model("a", "--init", init, "--seed", "7") != model("b", "--init", init, "--seed", "8")


def test_standardized_weights_apply_to_raw_data(program):
    x = np.linspace(1000, 1100, 50)
    data = program.write("t.csv", "x,y\n" + "".join(f"{v:.3f},{int(v > 1040)}\n" for v in x))
    options = [data, "--target", "y", "--lr", "1", "--epochs", "500", "-o", "t.safetensors"]
    done = program.run("train", *options, "--standardize")
    hits = int(re.search(r"\((\d+) of 50\)", done.stdout).group(1))
    assert hits >= 48
    _, p = program.predict("t.safetensors", data)
    assert np.sum((p[:, 0] >= 0.5) == (x > 1040)) == hits


def test_npy_as_data(program):
    rng = np.random.default_rng(3)
    X = rng.normal(size=(200, 4)).astype(np.float32)
    table = np.column_stack([X, X[:, 1] > 0]).astype(np.float32)
    np.save(program.folder / "table.npy", table)
    np.save(program.folder / "X.npy", X)
    done = program.run("train", "table.npy", "--target", "4", "--lr", "1", "-o", "m.safetensors")
    assert int(re.search(r"\((\d+) of 200\)", done.stdout).group(1)) >= 190
    _, by_name = program.predict("m.safetensors", "table.npy")
    _, in_order = program.predict("m.safetensors", "X.npy")
    assert np.array_equal(by_name, in_order)


def test_named_features_from_a_nameless_table(diabetes):
    np.save(diabetes.folder / "people.npy", np.array([[1, 0, 0], [0, 1, 0]], np.float64))
    _, by_name = diabetes.predict("d.safetensors", EXAMPLES / "people.csv")
    _, in_order = diabetes.predict("d.safetensors", "people.npy")
    assert np.array_equal(by_name, in_order)


def test_columns_in_another_order(diabetes):
    swapped = diabetes.write("p.csv", "Exercise,Note,Obesity,Smoking\n0,x,0,1\n0,y,1,0\n")
    _, expected = diabetes.predict("d.safetensors", EXAMPLES / "people.csv")
    _, p = diabetes.predict("d.safetensors", swapped)
    assert np.array_equal(p, expected)


def test_predict_to_a_file(diabetes):
    printed = diabetes.run("predict", "d.safetensors", EXAMPLES / "people.csv").stdout
    done = diabetes.run("predict", "d.safetensors", EXAMPLES / "people.csv", "-o", "p.csv")
    assert done.stdout == ""
    assert (diabetes.folder / "p.csv").read_text() == printed


def test_numbers_have_the_fewest_digits(digits):
    program, _ = digits
    lines = program.run("predict", "digits.safetensors", EXAMPLES / "digits.csv").stdout.splitlines()[1:300]
    for text in ",".join(lines).split(","):
        value = np.float32(text)
        mantissa = text.split("e")[0].replace(".", "").strip("0")
        assert len(mantissa) <= 9, text
        if len(mantissa) > 1:
            assert np.float32(f"{value:.{len(mantissa) - 1}g}") != value, text
        assert "e" not in text or value < 1e-9, text


def test_quiet_prints_nothing(program):
    done = program.run("train", *TUTORIAL, "--loss", "mse", "--epochs", "20", "--quiet", "-o", "d.safetensors")
    assert done.stdout == ""
    assert done.stderr == ""


def test_verbose_tells_of_transfers(program):
    done = program.run("train", *TUTORIAL, "--loss", "mse", "--epochs", "20", "-v", "-o", "d.safetensors")
    assert "training 1 units on" in done.stderr
    assert "uploads" in done.stderr


# ---- History --------------------------------------------------------------------------------------------------------


def test_history(program):
    program.run("train", *TUTORIAL, "--loss", "tutorial", "--history", "h.csv", "-o", "d.safetensors")
    header, rows = read_csv(program.folder / "h.csv")
    assert header == "epoch,unit,error_sum,loss"
    assert [int(row[0]) for row in rows] == list(range(0, 20001, 20))
    assert {row[1] for row in rows} == {"0"}
    assert float(rows[0][2]) == pytest.approx(1.148477, abs=1e-5)
    assert float(rows[-1][2]) == pytest.approx(0.00166753, abs=2e-5)
    assert float(rows[-1][3]) < float(rows[0][3])


def test_history_of_several_units(program):
    program.run(
        "train", *TUTORIAL, "--lr", "0.05,0.1", "--epochs", "10", "--history", "h.csv", "--history-every", "4",
        "-o", "d.safetensors",
    )  # fmt: skip
    _, rows = read_csv(program.folder / "h.csv")
    assert [(int(row[0]), int(row[1])) for row in rows] == [(e, j) for e in (0, 4, 8, 10) for j in (0, 1)]


def test_measuring_does_not_change_the_training(program):
    for name, options in [("a", []), ("b", ["--history", "h.csv", "--history-every", "7"])]:
        program.run("train", *TUTORIAL, "--epochs", "100", *options, "-o", name)
    assert (program.folder / "a").read_bytes() == (program.folder / "b").read_bytes()


# ---- States ---------------------------------------------------------------------------------------------------------


def test_separable_is_said(program):
    done = program.run("train", *TUTORIAL, "--loss", "log", "--epochs", "2000", "-o", "d.safetensors")
    assert "separable" in done.stdout
    assert done.stderr.count("separable") == 1 and "--l2" in done.stderr


def test_diverged_is_said(program):
    data = program.write("t.csv", "x,y\n1e30,1\n-1e30,0\n1e30,0\n")
    done = program.run("train", data, "--target", "y", "--lr", "1e30,1e31", "-o", "t.safetensors")
    assert done.stderr.count("diverged") == 1 and "--lr" in done.stderr
    assert "diverged" in program.run("inspect", "t.safetensors").stdout
    assert "diverged" in program.run("predict", "t.safetensors", data).stderr


# ---- Interrupts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("device", ["cpu", "host"])
def test_interrupt_saves(program, number, device):
    command = program.command("train", *DIGITS, *FOR_EVER, "--device", device, "-v", "-o", "m.safetensors")
    with subprocess.Popen(command, cwd=program.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert "training" in run.stderr.readline()
        time.sleep(1)
        run.send_signal(number)
        stdout, stderr = run.communicate(timeout=60)
    assert run.returncode == 130
    assert "saved in m.safetensors" in stderr
    assert "interrupted" in stdout
    assert os.listdir(program.folder) == ["m.safetensors"]
    rows = unit_rows(program.run("inspect", "m.safetensors").stdout)
    assert {row[6] for row in rows} == {"interrupted"}
    assert all(0 < int(row[5]) < 2147483647 for row in rows)
    _, p = program.predict("m.safetensors", EXAMPLES / "digits.csv")
    assert np.all(np.isfinite(p))


def test_progress_line_on_a_terminal(program):
    ours, theirs = pty.openpty()
    command = program.command("train", *DIGITS, *FOR_EVER, "-o", "m.safetensors")
    run = subprocess.Popen(command, cwd=program.folder, stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    seen = b""
    try:
        while b" left" not in seen:
            seen += os.read(ours, 4096)
        run.send_signal(signal.SIGINT)
        assert run.wait(timeout=60) == 130
        seen += os.read(ours, 65536)
    finally:
        run.kill()
        run.wait()
        os.close(ours)
    assert re.search(rb"\repoch \d+ of 2147483647  0%  \S+ epochs/s  \d+:\d\d:\d\d left", seen)
    assert b"\r\x1b[Kplethron: " in seen


def test_data_from_standard_input(program):
    data = "a;y\n0;0\n1;1\n2;1\n"
    options = ["--target", "y", "--epochs", "20", "--device", "host"]
    program.run("train", "-", *options, "-o", "piped.safetensors", input=data)
    program.run("train", program.write("t.csv", data), *options, "-o", "file.safetensors")
    piped, file = ((program.folder / name).read_bytes() for name in ("piped.safetensors", "file.safetensors"))
    assert piped == file
    line = program.fails("train", "-", *options, "-o", "none.safetensors", input="a;y\n0;0\n;1\n")
    assert "-: line 3: column 'a' is empty" in line


def test_a_loss_worse_than_without_training_is_told(program):
    """Features of very different sizes, taken as they are."""
    stores = [EXAMPLES / "stores.csv", "--target", "returned", "--features", "price,discount,online"]
    done = program.run("train", *stores, "--quiet", "-o", "m.safetensors")
    assert re.fullmatch(r"plethron: 1 of 1 units: their loss is above that of p = 0\.5 .* --standardize .*\n", done.stderr)
    assert program.run("train", *stores, "--standardize", "--quiet", "-o", "m.safetensors").stderr == ""
    assert "stores.csv: no safetensors file" in program.fails("inspect", EXAMPLES / "stores.csv")
