"""Every command in README.md and docs/guide.md runs and prints what stands there.

A block marked `console` holds commands after "$ " and what they print on stdout; "..." stands for any lines. What
depends on the machine is not compared, and numbers may differ as far as another strategy's rounding can take them.
"""

import os
import re
import subprocess

import pytest

from conftest import EXAMPLES, PROGRAM, SOURCE

NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")
OF_THE_MACHINE = ("device ", "plan ", "memory ", "seconds ", "time ", "strategy ")


def read_commands(path):
    """(command, lines printed) of every console block."""
    for block in re.findall(r"^```console\n(.*?)^```", path.read_text(), re.M | re.S):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, _, printed = part.partition("\n")
            while command.endswith("\\"):
                line, _, printed = printed.partition("\n")
                command += "\n" + line
            yield command, printed.splitlines()


def lines_match(expected, line):
    if expected.startswith(OF_THE_MACHINE):
        return line.split()[0] == expected.split()[0]
    if NUMBER.sub("#", expected).split() != NUMBER.sub("#", line).split():
        return False
    pairs = zip(map(float, NUMBER.findall(expected)), map(float, NUMBER.findall(line)))
    return all(abs(a - b) <= 0.004 + 0.03 * abs(a) for a, b in pairs)


def check_lines(expected, lines):
    """Raises at the first expected line that does not come."""
    at, may_skip = 0, False
    for wanted in expected:
        if wanted == "...":
            may_skip = True
            continue
        while may_skip and at < len(lines) and not lines_match(wanted, lines[at]):
            at += 1
        assert at < len(lines), f"nothing like {wanted!r} came"
        assert lines_match(wanted, lines[at]), f"{lines[at]!r} came, not {wanted!r}"
        at, may_skip = at + 1, False
    assert may_skip or at == len(lines), f"{lines[at]!r} came at the end"


def test_the_comparison_itself():
    check_lines(["a 1.00", "...", "c 5"], ["a  1.001", "b", "c 5"])
    check_lines(["a", "..."], ["a", "b"])
    for expected, lines in [(["a"], ["b"]), (["a"], ["a", "b"]), (["a", "b"], ["a"]), (["1"], ["2"]), (["...", "b"], ["a"])]:
        with pytest.raises(AssertionError):
            check_lines(expected, lines)


@pytest.mark.parametrize("name", ["README.md", "docs/guide.md"])
def test_commands(tmp_path, name):
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "plethron").symlink_to(PROGRAM)
    (tmp_path / "examples").symlink_to(EXAMPLES)
    commands = list(read_commands(SOURCE / name))
    assert commands
    for command, expected in commands:
        done = subprocess.run(
            ["bash", "-c", command], cwd=tmp_path, env={**os.environ, "LC_ALL": "C"}, capture_output=True, text=True,
            timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        try:
            if expected:
                check_lines(expected, done.stdout.splitlines())
        except AssertionError as error:
            raise AssertionError(f"{name}: {command}\n{error}") from None


def test_example_data_is_what_its_script_makes(tmp_path):
    subprocess.run(["python3", EXAMPLES / "make_examples.py", tmp_path], check=True)
    assert sorted(os.listdir(tmp_path)) == ["stores.csv", "words.csv"]
    for name in os.listdir(tmp_path):
        made = (tmp_path / name).read_bytes()
        assert made == (EXAMPLES / name).read_bytes() and len(made) <= 100_000
