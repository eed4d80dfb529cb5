"""Help, version, exit codes and the texts of usage errors."""

import os
import subprocess

import pytest

from conftest import EXAMPLES, TUTORIAL

VERBS = ["devices", "train", "sweep", "predict", "inspect", "export"]


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


@pytest.mark.parametrize("verb", ["train", "sweep", "predict"])
def test_help_names_every_format(program, verb):
    text = program.run(verb, "--help").stdout
    for word in ["CSV", "NPY", "NPZ", "HDF5", "safetensors", "svmlight", "FILE:NAME", "standard input"]:
        assert word in text, word


BOTH = [
    "target", "features", "class", "weights", "standardize", "loss", "lr", "l2", "l1", "optimizer", "epochs",
    "reduction", "momentum", "beta2", "epsilon", "schedule", "decay", "tolerance", "patience", "check-every", "batch",
    "class-weight", "auc", "seed", "folds", "folds-column", "device", "strategy", "quiet", "verbose", "dry-run",
    "output", "checkpoint", "every", "resume", "time-limit",
]  # fmt: skip
OPTIONS = {
    "train": [*BOTH, "entity", "init", "hold-out", "history", "history-every"],
    "sweep": [*BOTH, "bootstrap", "level", "top", "table", "intervals"],
}


@pytest.mark.parametrize("verb", OPTIONS)
def test_help_names_every_option(program, verb):
    text = program.run(verb, "--help").stdout
    for option in OPTIONS[verb]:
        assert f" --{option} " in text, option


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
    (["train", "x.csv", "--target", "y", "-o", "m", "--strategy", "fast"], "rows, fused, staged"),
    (["train", "x.csv", "--target", "y", "-o", "m", "--init", "ones"], "zeros, uniform, normal"),
    (["train", "x.csv", "--target", "y", "-o", "m", "--hold-out", "10"], "folds 0 to 9"),
    (["train", "x.csv", "--target", "y", "-o", "m", "--folds", "3", "--hold-out", "3"], "folds 0 to 2"),
    (["train", "x.csv", "--target", "y", "-o", "m", "--hold-out", "255"], "from 0 to 254"),
    (["train", "x.csv", "--target", "y", "-o", "m", "--folds", "3", "--folds-column", "f"], "--folds-column"),
    (["train", "x.csv", "--target", "y", "-o", "m", "--batch", "32", "--tolerance", "0.1"], "--batch"),
    (["train", "x.csv", "--target", "y", "-o", "m", "--class-weight", "balanced", "--class-weight", "1,2"], "twice"),
    (["train", "x.csv", "--target", "y", "-o", "m", "--weights", "y"], "'y' is named in --target and in --weights"),
    (["train", "x.csv", "--target", "y", "-o", "m", "--features", "a", "--weights", "a"], "'a'"),
    (["train", "x.csv", "--target", "y", "-o", "m", "--folds-column", "y"], "'y'"),
    (["train", "x.csv", "--target", "y", "-o", "m", "--folds-column", "w", "--weights", "w"], "'w'"),
    (["train", "x.csv", "--target", "y", "-o", "m", "--entity", "y"], "'y'"),
    (["train", "x.csv", "--target", "y", "-o", "m", "--features", "e", "--entity", "e"], "'e'"),
    (["train", "x.csv", "--target", "y", "-o", "m", "--folds-column", "e", "--entity", "e"], "'e'"),
    (["train", "x.csv", "--target", "y", "-o", "m", "--entity", "e", "--batch", "16"], "--batch"),
    (["train", "x.csv", "--target", "y", "-o", "m", "--history", "x.csv"], "'x.csv'"),
    (["train", "x.csv", "--target", "y", "-o", "m", "--table", "t"], "'--table'"),
    (["train", "x.csv", "--target", "y", "-o", "m", "--every", "5"], "--every needs --checkpoint"),
    (["train", "x.csv", "--target", "y", "-o", "m", "--checkpoint", "x.csv"], "would overwrite DATA"),
    (["train", "x.csv", "--target", "y", "-o", "m", "--checkpoint", "m"], "-o and --checkpoint are both 'm'"),
    (["train", "x.csv", "--target", "y", "-o", "m", "--resume", "m"], "-o and --resume are both 'm'"),
    (["train", "x.csv", "--target", "y", "-o", "m", "--history", "h", "--checkpoint", "h"], "--history and --checkpoint"),
    (["sweep"], "DATA"),
    (["sweep", "x.csv", "--target", "y", "--table", "c", "--checkpoint", "c"], "--table and --checkpoint are both 'c'"),
    (["sweep", "x.csv", "--target", "y", "--level", "90"], "--level needs --bootstrap"),
    (["sweep", "x.csv"], "--target"),
    (["sweep", "x.csv", "--target", "y", "--table", "x.csv"], "'x.csv'"),
    (["sweep", "x.csv", "--target", "y", "--table", "t", "-o", "t"], "'t'"),
    (["sweep", "x.csv", "--target", "y", "--bootstrap", "5", "--intervals", "t", "--table", "t"], "'t'"),
    (["sweep", "x.csv", "--target", "y", "--intervals", "t"], "--bootstrap"),
    (["sweep", "x.csv", "--target", "y", "--bootstrap", "1"], "from 2 to 1048576"),
    (["sweep", "x.csv", "--target", "y", "--bootstrap", "5", "--level", "100"], "from 1 to 99"),
    (["sweep", "x.csv", "--target", "y", "--top", "0"], "from 1 to"),
    (["sweep", "x.csv", "--target", "y", "--hold-out", "0"], "'--hold-out'"),
    (["sweep", "x.csv", "--target", "y", "--entity", "e"], "'--entity'"),
    (["train", "--bogus"], "'--bogus'"),
    (["train", "-z"], "'-z'"),
    (["train", "x.csv", "--lr"], "'--lr' needs a value"),
    (["train", "x.csv", "--quiet=3"], "takes no value"),
    (["predict", "m"], "MODEL and DATA"),
    (["predict", "m", "x", "-o", "m"], "MODEL"),
    (["inspect"], "MODEL"),
]


# An option of both verbs, a value that is refused, and what the error says is allowed.
BAD_VALUES = [
    ("--lr", "-0.1", "> 0"),
    ("--lr", "inf", "> 0"),
    ("--l1", "-0.1", ">= 0"),
    ("--l1", "nan", ">= 0"),
    ("--loss", "log,hinge", "'hinge' is none of log, mse, tutorial"),
    ("--loss", "log,log", "log twice"),
    ("--optimizer", "sgd", "gd, momentum, nesterov, adam"),
    ("--optimizer", "adam,adam", "adam twice"),
    ("--optimizer", "", "gd, momentum, nesterov, adam"),
    ("--momentum", "1", "from 0 to 0.99999994"),
    ("--momentum", "-0.1", "from 0 to 0.99999994"),
    ("--beta2", "1", "from 0 to 0.99999994"),
    ("--epsilon", "0", "from 1e-30 to 1"),
    ("--schedule", "step", "constant, inverse, cosine"),
    ("--decay", "4.1", "from 0 to 4"),
    ("--tolerance", "-1", "from 0 to 1e+30"),
    ("--tolerance", "nan", "from 0 to 1e+30"),
    ("--patience", "-1", "from 0 to 2147483647"),
    ("--patience", "2.5", "whole number"),
    ("--check-every", "0", "from 1 to 2147483647"),
    ("--batch", "0", "from 16"),
    ("--batch", "24", "multiple of 16"),
    ("--class", "a,,b", "empty name"),
    ("--class-weight", "2", "balanced nor two numbers"),
    ("--class-weight", "1,2,3", "balanced nor two numbers"),
    ("--class-weight", "1,-2", ">= 0"),
    ("--class-weight", "heavy", ">= 0"),
    ("--folds", "1", "from 2 to 255"),
    ("--folds", "256", "from 2 to 255"),
    ("--seed", "9007199254740992", "from 0 to 9007199254740991"),
    ("--every", "0", "such as 90, 15m or 2h"),
    ("--every", "soon", "such as 90, 15m or 2h"),
    ("--time-limit", "-5", "such as 90, 15m or 2h"),
    ("--time-limit", "5 m", "such as 90, 15m or 2h"),
    ("--time-limit", "2w", "such as 90, 15m or 2h"),
    ("--time-limit", "1e300h", "such as 90, 15m or 2h"),
    ("--time-limit", "", "such as 90, 15m or 2h"),
]


@pytest.mark.parametrize("verb", ["train", "sweep"])
@pytest.mark.parametrize("option, value, allowed", BAD_VALUES)
def test_bad_values(program, verb, option, value, allowed):
    done = program.run(verb, "x.csv", "--target", "y", option, value, "-o", "m", code=2)
    assert done.stdout == "" and list(program.folder.iterdir()) == []
    message, hint = done.stderr.splitlines()
    assert message.startswith(f"plethron {verb}: {option} ")
    assert allowed in message
    assert value.split(",")[-1] in message
    assert hint == f"try 'plethron {verb} --help'"


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
