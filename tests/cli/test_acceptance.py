"""The commands that a newcomer types first, and their numbers. The reference is numpy in double precision."""

import re

import numpy as np
import pytest

from conftest import DIGITS, EXAMPLES, TUTORIAL

PEOPLE = EXAMPLES / "people.csv"
TOLERANCE = 2e-5
EXPECTED = {
    "tutorial": ([-0.48098957, 10.88070047, -0.84160167], -4.46297896, [0.00707584, 0.99837029]),
    "mse": ([-0.29017272, 7.52348689, -0.471369], -3.14383015, [0.03124953, 0.98762539]),
}


@pytest.mark.parametrize("loss", EXPECTED)
@pytest.mark.parametrize(
    "choice",
    [[], ["--strategy", "rows"], ["--strategy", "fused"], ["--strategy", "staged"], ["--strategy", "host"], ["--device", "cpu"], ["--device", "host"]],
    ids=" ".join,
)
def test_tutorial(program, loss, choice):
    program.run("train", *TUTORIAL, "--loss", loss, *choice, "-o", "d.safetensors")
    header, p = program.predict("d.safetensors", PEOPLE)
    assert header == "Diabetic"
    np.testing.assert_allclose(p[:, 0], EXPECTED[loss][2], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("loss", EXPECTED)
def test_tutorial_weights(program, loss):
    program.run("train", *TUTORIAL, "--loss", loss, "-o", "d.safetensors")
    shown = program.run("inspect", "d.safetensors").stdout
    w, b, _ = EXPECTED[loss]
    for name, value in zip(["Smoking", "Obesity", "Exercise", "(bias)"], [*w, b]):
        printed = float(re.search(rf"^{re.escape(name)} +(\S+)$", shown, re.M).group(1))
        assert printed == pytest.approx(value, rel=2e-5, abs=2e-5)


@pytest.mark.parametrize("device", ["cpu", "host"])
def test_predict_on_any_device(program, device):
    program.run("train", *TUTORIAL, "--loss", "tutorial", "-o", "d.safetensors")
    _, p = program.predict("d.safetensors", PEOPLE, "--device", device)
    np.testing.assert_allclose(p[:, 0], EXPECTED["tutorial"][2], rtol=0, atol=TOLERANCE)


def test_digits_train(digits):
    _, done = digits
    accuracy, hits = re.search(r"^training accuracy (\S+) \((\d+) of 1797\)$", done.stdout, re.M).groups()
    assert float(accuracy) > 0.97
    assert float(accuracy) == pytest.approx(int(hits) / 1797, abs=5e-5)
    assert re.search(r"^units +10$", done.stdout, re.M)
    assert len(re.findall(r"^ +\d+  digit ", done.stdout, re.M)) == 10


def test_digits_classes(digits):
    program, trained = digits
    lines = program.run("predict", "digits.safetensors", EXAMPLES / "digits.csv", "--classes").stdout.splitlines()
    assert lines[0] == "digit"
    told = np.array([int(line) for line in lines[1:]])
    known = np.loadtxt(EXAMPLES / "digits.csv", delimiter=",", skiprows=1)[:, -1]
    assert told.shape == known.shape
    hits = int(np.sum(told == known))
    assert hits > 0.97 * len(known)
    assert f"({hits} of 1797)" in trained.stdout


def test_digits_probabilities(digits):
    program, _ = digits
    header, p = program.predict("digits.safetensors", EXAMPLES / "digits.csv")
    assert header == ",".join(f"digit={c}" for c in range(10))
    assert p.shape == (1797, 10)
    assert np.all((p >= 0) & (p <= 1))


def test_strategies_agree_on_digits(digits, program):
    trained, _ = digits
    _, expected = trained.predict("digits.safetensors", EXAMPLES / "digits.csv")
    program.run("train", *DIGITS, "--strategy", "host", "-o", "host.safetensors")
    _, p = program.predict("host.safetensors", EXAMPLES / "digits.csv")
    np.testing.assert_allclose(p, expected, rtol=0, atol=1e-4)


def test_devices(program):
    listing = program.run("devices").stdout
    assert listing.count("(default)") == 1
    assert re.search(r"^host  \S", listing, re.M)
    for label in ["kind", "compute units", "memory", "largest buffer", "local memory", "bit contract"]:
        assert listing.count(f"\n    {label}  ") == listing.count("\n    kind  "), label
    assert re.search(r"^    kind +cpu$", listing, re.M), "PoCL is part of the test set-up"
    assert re.search(r"^    device version +OpenCL", listing, re.M)


def test_default_device_follows_the_environment(program):
    listing = program.run("devices", env={"PLETHRON_DEVICE": "host"}).stdout
    assert re.search(r"^host  .*\(default\)$", listing, re.M)


def test_without_opencl_the_host_works(program):
    (program.folder / "no-vendors").mkdir()
    env = {"OCL_ICD_VENDORS": str(program.folder / "no-vendors"), "PLETHRON_DEVICE": ""}
    assert program.run("devices", env=env).stdout.startswith("host  ")
    program.run("train", *TUTORIAL, "--loss", "tutorial", "-o", "d.safetensors", env=env)
    lines = program.run("predict", "d.safetensors", PEOPLE, env=env).stdout.splitlines()
    np.testing.assert_allclose([float(line) for line in lines[1:]], EXPECTED["tutorial"][2], rtol=0, atol=TOLERANCE)
    assert "'cpu'" in program.fails("predict", "d.safetensors", PEOPLE, "--device", "cpu", env=env)
