"""Help, version, exit codes and the texts of usage errors."""

import os
import subprocess

import pytest

from conftest import EXAMPLES, TUTORIAL

VERBS = ["devices", "train", "predict", "inspect"]


def test_version(program):
    assert program.run("--version").stdout.startswith("plethron ")


def test_help_lists_the_verbs(program):
    text = program.run("--help").stdout
    assert all(f"  {verb} " in text for verb in VERBS)
    assert "exit codes" in text


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb(program, verb):
    done = program.run(verb, "--help")
    assert f"usage: plethron {verb}" in done.stdout
    assert "example" in done.stdout
    assert done.stderr == ""
    assert max(map(len, done.stdout.splitlines())) <= 120


def test_help_names_every_option_of_train(program):
    text = program.run("train", "--help").stdout
    for option in [
        "target", "features", "loss", "reduction", "epochs", "lr", "l2", "init", "seed", "standardize", "device",
        "strategy", "history", "history-every", "quiet", "verbose", "output",
    ]:  # fmt: skip
        assert f" --{option} " in text


USAGE_ERRORS = [
    ([], "verb"),
    (["trian"], "'trian'"),
    (["devices", "all"], "'all'"),
    (["train"], "DATA"),
    (["train", "x.csv", "-o", "m"], "--target"),
    (["train", "x.csv", "--target", "y"], "-o"),
    (["train", "x.csv", "z.csv", "--target", "y", "-o", "m"], "'z.csv'"),
    (["train", "x.csv", "--target", "y,,z", "-o", "m"], "'y,,z'"),
    (["train", "x.csv", "--target", "y,y", "-o", "m"], "'y,y'"),
    (["train", "x.csv", "--target", "y", "--features", "a,y", "-o", "m"], "'y'"),
    (["train", "x.csv", "--target", "y", "-o", "x.csv"], "'x.csv'"),
    (["train", "x.csv", "--target", "y", "-o", "m", "--history", "m"], "'m'"),
    (["train", "x.csv", "--target", "y", "-o", "m", "--history-every", "2"], "--history"),
    (["train", "x.csv", "--target", "y", "-o", "m", "--history", "h", "--history-every", "0"], "'0'"),
    (["train", "x.csv", "--target", "y", "-o", "m", "--lr", "0"], "'0'"),
    (["train", "x.csv", "--target", "y", "-o", "m", "--lr", "0.1,fast"], "'fast'"),
    (["train", "x.csv", "--target", "y", "-o", "m", "--lr", "0.1,"], "''"),
    (["train", "x.csv", "--target", "y", "-o", "m", "--lr", "nan"], "'nan'"),
    (["train", "x.csv", "--target", "y", "-o", "m", "--lr", "1e50"], "'1e50'"),
    (["train", "x.csv", "--target", "y", "-o", "m", "--l2", "-1"], "'-1'"),
    (["train", "x.csv", "--target", "y", "-o", "m", "--epochs", "10k"], "'10k'"),
    (["train", "x.csv", "--target", "y", "-o", "m", "--epochs", "2147483648"], "2147483647"),
    (["train", "x.csv", "--target", "y", "-o", "m", "--seed", "-1"], "'-1'"),
    (["train", "x.csv", "--target", "y", "-o", "m", "--loss", "hinge"], "log, mse, tutorial"),
    (["train", "x.csv", "--target", "y", "-o", "m", "--reduction", "max"], "mean, sum"),
    (["train", "x.csv", "--target", "y", "-o", "m", "--strategy", "fast"], "staged, host"),
    (["train", "x.csv", "--target", "y", "-o", "m", "--init", "ones"], "zeros, uniform, normal"),
    (["train", "--bogus"], "'--bogus'"),
    (["train", "-z"], "'-z'"),
    (["train", "x.csv", "--lr"], "'--lr' needs a value"),
    (["train", "x.csv", "--quiet=3"], "takes no value"),
    (["predict", "m"], "MODEL and DATA"),
    (["predict", "m", "x", "-o", "m"], "MODEL"),
    (["inspect"], "MODEL"),
]


@pytest.mark.parametrize("arguments, named", USAGE_ERRORS, ids=lambda value: " ".join(value)[-40:] or "none")
def test_usage_errors(program, arguments, named):
    done = program.run(*arguments, code=2)
    assert done.stdout == ""
    assert named in done.stderr
    verb = f" {arguments[0]}" if arguments and arguments[0] in VERBS else ""
    assert done.stderr.splitlines()[-1] == f"try 'plethron{verb} --help'"
    assert list(program.folder.iterdir()) == []


def test_options_stand_anywhere(program):
    data, *options = TUTORIAL
    program.run("train", *options, "--epochs", "10", "-o", "a.safetensors", data)
    program.run("train", data, *options, "--epochs", "10", "-o", "b.safetensors")
    assert (program.folder / "a.safetensors").read_bytes() == (program.folder / "b.safetensors").read_bytes()


def test_a_comma_in_a_column_name(program):
    data = program.write("t.csv", 'a,"b,c",y\n0,1,0\n1,0,1\n1,1,1\n')
    program.run("train", data, "--target", "y", "--features", r"a,b\,c", "--epochs", "5", "-o", "m.safetensors")
    assert "b,c" in program.run("inspect", "m.safetensors").stdout


def test_unknown_device(program):
    line = program.fails("train", *TUTORIAL, "--device", "abacus", "-o", "d.safetensors")
    assert "'abacus'" in line


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
@pytest.mark.parametrize("arguments", [["--version"], ["devices"], ["predict"], ["inspect"]], ids=" ".join)
def test_full_stdout_is_a_failure(diabetes, arguments):
    if arguments[0] in ("predict", "inspect"):
        arguments = [*arguments, "d.safetensors"]
    if arguments[0] == "predict":
        arguments = [*arguments, EXAMPLES / "people.csv"]
    with open("/dev/full", "w") as full:
        done = diabetes.run(*arguments, code=1, stdout=full)
    assert "stdout" in done.stderr


def test_closed_stdout_is_a_failure(diabetes):
    command = subprocess.list2cmdline(diabetes.command("predict", "d.safetensors", EXAMPLES / "people.csv"))
    before = (diabetes.folder / "d.safetensors").read_bytes()
    done = subprocess.run(["sh", "-c", command + " >&-"], cwd=diabetes.folder, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert "stdout" in done.stderr
    assert (diabetes.folder / "d.safetensors").read_bytes() == before
