"""The real program, run in a folder of its own. PLETHRON names the program (default: build/plethron)."""

import csv
import json
import os
import pathlib
import subprocess

import numpy as np
import pytest
from safetensors import safe_open

SOURCE = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get("PLETHRON", SOURCE / "build" / "plethron")).resolve()
EXAMPLES = SOURCE / "examples"

TUTORIAL = [
    EXAMPLES / "diabetes.csv", "--target", "Diabetic", "--features", "Smoking,Obesity,Exercise",
    "--reduction", "sum", "--epochs", "20000", "--lr", "0.05", "--init", EXAMPLES / "diabetes-init.npy",
]  # fmt: skip
DIGITS = [
    EXAMPLES / "digits.csv", "--target", "digit", "--loss", "log", "--lr", "0.5", "--epochs", "300", "--standardize",
]  # fmt: skip


def load_model(path):
    """The tensors and the metadata of a model file; names in the metadata are lists."""
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
        for key in ["features", "targets", "classes", "losses", "states", "optimizers", "schedules", "entities"]:
            metadata[key] = json.loads(metadata[key])
        return {name: file.get_tensor(name) for name in file.keys()}, metadata


class Program:
    """Runs the program with `folder` as its working directory."""

    def __init__(self, folder):
        self.folder = folder

    def command(self, *arguments):
        return [str(PROGRAM), *map(str, arguments)]

    def run(self, *arguments, code=0, env=None, stdout=subprocess.PIPE, **options):
        environment = {**os.environ, **(env or {})}
        done = subprocess.run(
            self.command(*arguments), cwd=self.folder, env=environment, stdout=stdout, stderr=subprocess.PIPE,
            text=True, timeout=300, **options,
        )  # fmt: skip
        assert done.returncode == code, f"exit code {done.returncode}, not {code}; stderr:\n{done.stderr}"
        return done

    def fails(self, *arguments, **options):
        """Runs what must fail with one line on stderr and nothing on stdout; returns the line."""
        done = self.run(*arguments, code=1, **options)
        assert done.stdout == ""
        lines = done.stderr.splitlines()
        assert len(lines) == 1, done.stderr
        assert lines[0].startswith("plethron: ")
        return lines[0]

    def write(self, name, content):
        path = self.folder / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content)
        return path

    def model(self, name):
        """The tensors and the metadata of a model file."""
        return load_model(self.folder / name)

    def table(self, name):
        """The rows of a CSV file, each a dict."""
        with open(self.folder / name, newline="") as file:
            return list(csv.DictReader(file))

    def predict(self, model, data, *options):
        """The header line and the numbers [n_rows, n_units] that `predict` prints."""
        lines = self.run("predict", model, data, *options).stdout.splitlines()
        return lines[0], np.array([[float(field) for field in line.split(",")] for line in lines[1:]])

    def check_top(self, model, data, k, *options):
        """`predict --top K` prints the beginning of a sort of what `predict` prints."""
        names, *rows = csv.reader(self.run("predict", model, data).stdout.splitlines())
        top, *found = csv.reader(self.run("predict", model, data, "--top", k, *options).stdout.splitlines())
        assert top == [f"{what}{c}" for c in range(1, k + 1) for what in ["top", "p"]]
        assert len(found) == len(rows)
        for row, fields in zip(rows, found):
            row = row or [""]
            order = sorted(range(len(row)), key=lambda j: (not row[j], -float(row[j] or 0)))[:k]
            assert fields == [text for j in order for text in [names[j] if row[j] else "", row[j]]]


@pytest.fixture
def program(tmp_path):
    return Program(tmp_path)


@pytest.fixture(scope="session")
def digits(tmp_path_factory):
    """A program in whose folder digits.safetensors was trained, and what the training printed."""
    trained = Program(tmp_path_factory.mktemp("digits"))
    return trained, trained.run("train", *DIGITS, "-o", "digits.safetensors")


@pytest.fixture
def diabetes(program):
    """The tutorial's model, quickly trained: d.safetensors."""
    program.run("train", *TUTORIAL, "--epochs", "200", "-o", "d.safetensors")
    return program
