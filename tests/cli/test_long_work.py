"""Long work: checkpoints, resuming, time limits, signals, kills and progress. On the host, where nothing is compiled."""

import os
import random
import re
import signal
import subprocess
import time

import numpy as np
import pytest

from conftest import DIGITS, EXAMPLES, Program

HOST = ["--device", "host", "--strategy", "host"]
FOR_EVER = ["--epochs", "2147483647"]
# Seconds of work, with moments, a schedule, mini-batches, best weights, and units that stop on their own.
LONG = [
    *DIGITS, *HOST, "--class", "3,8", "--lr", "0.01,0.02", "--optimizer", "adam,nesterov", "--schedule", "cosine",
    "--batch", "512", "--hold-out", "0", "--patience", "200", "--l1", "0.0001", "--seed", "11", "--epochs", "700",
]  # fmt: skip
HISTORY = ["--history", "h.csv", "--history-every", "60"]
LINE = r"epoch \d+ of \d+  \d+%  \S+ epochs/s  \d+:\d\d:\d\d left  \d+ of \d+ live"
PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Threads that wait for each other take very long on a machine that others use, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The model of LONG, trained without a stop, how many seconds that took, and the history."""
    trained = Program(tmp_path_factory.mktemp("whole"))
    began_s = time.monotonic()
    trained.run("train", *LONG, *HISTORY, "--quiet", "-o", "m.safetensors")
    seconds = time.monotonic() - began_s
    return (trained.folder / "m.safetensors").read_bytes(), seconds, (trained.folder / "h.csv").read_bytes()


def names(program):
    return {name for name in os.listdir(program.folder) if not name.endswith(".tmp")}


# ---- Kills ----------------------------------------------------------------------------------------------------------


def run_or_kill(program, after_s):
    """Trains LONG, from the checkpoint where there is one, and kills that after so long. The exit code."""
    resume = ["--resume", "c"] if "c" in names(program) else []
    command = program.command("train", *LONG, "-o", "m.safetensors", "--checkpoint", "c", "--every", "0.01", *resume)
    with subprocess.Popen(command, **PIPES, cwd=program.folder) as run:
        try:
            _, stderr = run.communicate(timeout=after_s)
        except subprocess.TimeoutExpired:
            run.kill()
            _, stderr = run.communicate()
    assert run.returncode in (0, -signal.SIGKILL), stderr
    return run.returncode, bool(resume)


def test_killed_again_and_again(program, whole):
    """After a kill -9 at any moment the last checkpoint is whole, and nothing half has a final name."""
    model, whole_s, _ = whole
    seed = int(os.environ.get("PLETHRON_TEST_SEED", time.time_ns() % 2**32))
    print(f"PLETHRON_TEST_SEED={seed}")
    moments = random.Random(seed)
    program.write("m.safetensors", "old")
    n_kills = n_resumed = 0
    code = None
    while n_kills < 32 or code != 0:
        code, has_resumed = run_or_kill(program, moments.uniform(0.01, 0.25 * whole_s) if n_kills < 32 else None)
        n_kills += code != 0
        n_resumed += has_resumed
        assert names(program) <= {"m.safetensors", "c"}
        written = (program.folder / "m.safetensors").read_bytes()
        assert written == model or (written == b"old" and code != 0)  # a kill may come after the rename, before the end
        if written == model and n_kills < 32:  # once more from the start
            os.remove(program.folder / "c")
            program.write("m.safetensors", "old")
    assert n_resumed >= 10
    print(f"{n_kills} kills, {n_resumed} resumed, {len(os.listdir(program.folder)) - 2} temporary files left")


# ---- Signals and time limits ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_then_resume(program, whole, number):
    options = [*LONG, "-o", "m.safetensors", "--checkpoint", "c"]
    with subprocess.Popen(program.command("train", *options, "-v"), **PIPES, cwd=program.folder) as run:
        assert "training 8 units" in run.stderr.readline()
        time.sleep(0.3)
        run.send_signal(number)
        stdout, stderr = run.communicate(timeout=60)
    assert run.returncode == 130
    assert "plethron: interrupted; what was trained is saved in m.safetensors\n" in stderr
    assert "plethron: the same command with --resume c goes on from here\n" in stderr
    assert "interrupted" in stdout and names(program) == {"m.safetensors", "c"}
    assert (program.folder / "m.safetensors").read_bytes() != whole[0]
    program.run("train", *options, "--resume", "c")
    assert (program.folder / "m.safetensors").read_bytes() == whole[0]


def test_second_signal_ends_at_once(program):
    """Even another one than the first, and amid an epoch of some seconds."""
    rng = np.random.default_rng(2)
    np.save(program.folder / "t.npy", np.column_stack([rng.random((4000, 1500)), rng.integers(0, 2, 4000)]).astype("f"))
    rates = [f"{0.001 * (i + 1):g}" for i in range(64)]
    options = ["t.npy", "--target", "1500", *HOST, "--lr", ",".join(rates), "--l2", ",".join(rates), "--epochs", "100"]
    command = program.command("train", *options, "-v", "-o", "m.safetensors", "--checkpoint", "c")
    with subprocess.Popen(command, **PIPES, cwd=program.folder) as run:
        assert "training 4096 units" in run.stderr.readline()
        run.send_signal(signal.SIGINT)
        time.sleep(0.2)
        assert run.poll() is None
        run.send_signal(signal.SIGTERM)
        began_s = time.monotonic()
        run.communicate(timeout=60)
    assert run.returncode == -signal.SIGTERM and time.monotonic() - began_s < 1
    assert names(program) == {"t.npy"}


def test_time_limit_then_resume(program, whole):
    """Trained in slices, as a queue of batch jobs does it; each is longer, so that there is an end. The history, too."""
    options = [*LONG, *HISTORY, "-o", "m.safetensors", "--checkpoint", "c"]
    limits_s, stderr = [], "time limit"
    while "time limit" in stderr:
        limits_s.append(0.2 * whole[1] * 1.3 ** len(limits_s))
        began_s = time.monotonic()
        resume = ["--resume", "c"] if len(limits_s) > 1 else []
        done = program.run("train", *options, *resume, "--time-limit", f"{limits_s[-1]:.3f}")
        stderr = done.stderr
        if "time limit" in stderr:
            assert time.monotonic() - began_s >= limits_s[-1] - 0.001 and "interrupted" in done.stdout
            assert "plethron: time limit reached; what was trained is saved in m.safetensors\n" in stderr
            assert "--resume c goes on from here" in stderr
    assert len(limits_s) > 1
    assert (program.folder / "m.safetensors").read_bytes() == whole[0]
    assert (program.folder / "h.csv").read_bytes() == whole[2]


def test_time_limit_without_checkpoint(program):
    done = program.run("train", *DIGITS, *HOST, *FOR_EVER, "--time-limit", "0.005m", "--quiet", "-o", "m.safetensors")
    assert done.stdout == "" and done.stderr.splitlines() == [
        "plethron: time limit reached; what was trained is saved in m.safetensors",
        "plethron: without --checkpoint it cannot be resumed",
    ]
    tensors, metadata = program.model("m.safetensors")
    assert {metadata["states"][state] for state in tensors["state"]} == {"interrupted"}


# ---- Checkpoints ----------------------------------------------------------------------------------------------------


SHORT = [*DIGITS, *HOST, "--epochs", "30"]


@pytest.fixture
def stopped(program):
    """A program in whose folder `c` is the checkpoint of SHORT, at its end."""
    program.run("train", *SHORT, "--checkpoint", "c", "-o", "m.safetensors")
    return program


def test_a_finished_training_resumes_to_its_end(stopped):
    before = (stopped.folder / "m.safetensors").read_bytes()
    os.remove(stopped.folder / "m.safetensors")
    stopped.run("train", *SHORT, "--resume", "c", "-o", "m.safetensors")
    assert (stopped.folder / "m.safetensors").read_bytes() == before


def test_a_history_that_is_lost_begins_at_the_checkpoint(program):
    options = [*SHORT, "--history", "h.csv", "--history-every", "1", "-o", "m.safetensors"]
    program.run("train", *options, "--epochs", "2000000", "--checkpoint", "c", "--time-limit", "0.3")
    first = max(int(row["epoch"]) for row in program.table("h.csv"))
    long = [*options, "--epochs", "2000000", "--resume", "c", "--time-limit", "0.1"]
    program.run("train", *long)
    assert {int(row["epoch"]) for row in program.table("h.csv")} > set(range(first + 1))
    os.remove(program.folder / "h.csv")
    done = program.run("train", *long)
    assert f"h.csv: there is none to go on with: it begins at epoch {first}" in done.stderr
    assert min(int(row["epoch"]) for row in program.table("h.csv")) == first
    program.write("h.csv", "epoch,unit\n")
    assert "h.csv: is no history" in program.fails("train", *long)


@pytest.mark.parametrize(
    "options, named",
    [
        (["--lr", "0.25"], "learning_rate of unit 0 is 0.5 there and 0.25 here"),
        (["--epochs", "31"], "epochs of unit 0 is 30 there and 31 here"),
        (["--l2", "0,0.1"], "number of units is 10 there and 20 here"),
        (["--class", "3"], "number of units is 10 there and 1 here"),
        (["--optimizer", "adam"], "optimizer of unit 0"),
        (["--seed", "1"], "batch_seed is 0 there and 1 here"),
        (["--reduction", "sum"], "reduction"),
        (["--batch", "32"], "batch_size is 0 there and 32 here"),
        (["--hold-out", "1"], "excluded_fold of unit 0 is -1 there and 1 here"),
        (["--features", "pixel_3_3,pixel_4_4"], "number of features is 64 there and 2 here"),
        (["--init", "uniform"], "start weight"),
        (["--strategy", "grouped"], "strategy is 'host' there and 'grouped' here"),
        (["--dry-run", "--lr", "0.25"], "learning_rate"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_other_options_are_refused(stopped, options, named):
    before = (stopped.folder / "m.safetensors").read_bytes()
    line = stopped.fails("train", *SHORT, *options, "--resume", "c", "-o", "m.safetensors")
    assert line.startswith("plethron: c holds another training: ") and named in line
    assert (stopped.folder / "m.safetensors").read_bytes() == before and names(stopped) == {"m.safetensors", "c"}


def test_other_data_are_refused(stopped):
    text = (EXAMPLES / "digits.csv").read_text()
    lines = text.splitlines()
    cells = lines[-1].split(",")
    features = lines[:-1] + [",".join(["7", *cells[1:]])]
    targets = lines[:-1] + [",".join([*cells[:-1], str((int(cells[-1]) + 1) % 10)])]
    renamed = [lines[0].replace("pixel_0_0", "corner"), *lines[1:]]
    plain = [option for option in SHORT[1:] if option != "--standardize"]
    for changed, options, named in [
        (features, SHORT[1:], "the features differ"),
        (targets, SHORT[1:], "the targets differ"),
        (lines[:-1], SHORT[1:], "the features differ"),
        (renamed, SHORT[1:], "the name of number 0 of the features is 'pixel_0_0' there and 'corner' here"),
        (lines, plain, "or whether they are standardised"),
    ]:
        stopped.write("t.csv", "\n".join(changed) + "\n")
        line = stopped.fails("train", "t.csv", *options, "--resume", "c", "-o", "n.safetensors")
        assert named in line
    stopped.write("t.csv", text)
    stopped.run("train", "t.csv", *SHORT[1:], "--resume", "c", "-o", "n.safetensors")
    assert (stopped.folder / "n.safetensors").read_bytes() == (stopped.folder / "m.safetensors").read_bytes()


def test_what_is_no_checkpoint_is_refused(stopped):
    content = (stopped.folder / "c").read_bytes()
    at = content.rindex(b"\0" * 8) - 300  # amid the tensors
    for name, bad, named in [
        ("half", content[: len(content) // 2], "half"),
        ("damaged", content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :], "damaged"),
        ("empty", b"", "empty"),
        ("model", (stopped.folder / "m.safetensors").read_bytes(), "no plethron checkpoint"),
    ]:
        stopped.write(name, bad)
        assert named in stopped.fails("train", *SHORT, "--resume", name, "-o", "n.safetensors")
    assert "none" in stopped.fails("train", *SHORT, "--resume", "none", "-o", "n.safetensors")
    assert "n.safetensors" not in names(stopped)
    for verb in [["inspect", "c"], ["predict", "c", EXAMPLES / "digits.csv"]]:
        assert "checkpoint of a training, which can be resumed" in stopped.fails(*verb)


def test_dry_run_of_the_rest(stopped):
    whole = stopped.run("train", *SHORT, "--dry-run").stdout
    rest = stopped.run("train", *SHORT, "--dry-run", "--resume", "c").stdout
    assert re.search(r"^work +0\.\d+ GFLOP", whole, re.M) and re.search(r"^work +0 GFLOP", rest, re.M)
    assert names(stopped) == {"m.safetensors", "c"}


def test_checkpoints_that_cannot_be_written(program):
    line = program.fails("train", *SHORT, "--checkpoint", "nowhere/c", "-o", "m.safetensors")
    assert "nowhere/c" in line and names(program) == set()
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full")
    done = program.run("train", *SHORT, "--checkpoint", "/dev/full", "-o", "m.safetensors")
    assert "no checkpoint: /dev/full" in done.stderr and names(program) == {"m.safetensors"}
    limited = [*DIGITS, *HOST, *FOR_EVER, "--checkpoint", "/dev/full", "--every", "0.1", "--time-limit", "0.5"]
    done = program.run("train", *limited, "-o", "m.safetensors", code=1)
    assert done.stderr.count("no checkpoint") > 1 and "goes on from here" not in done.stderr
    assert "interrupted" in done.stdout


# ---- Sweeps ---------------------------------------------------------------------------------------------------------


SWEEP = [
    EXAMPLES / "digits.csv", "--target", "digit", "--class", "1,8", *HOST, "--standardize", "--lr", "0.1,0.3",
    "--l2", "0,0.01", "--folds", "5", "--epochs", "250", "--optimizer", "momentum", "--bootstrap", "2", "--seed", "5",
    "--table", "s.csv", "--intervals", "i.csv", "-o", "m.safetensors",
]  # fmt: skip


def results(program):
    return {name: (program.folder / name).read_bytes() for name in ["s.csv", "i.csv", "m.safetensors"]}


def test_sweep_in_slices(program):
    began_s = time.monotonic()
    program.run("sweep", *SWEEP, "--quiet")
    limit = f"{0.25 * (time.monotonic() - began_s):.3f}"
    wanted = results(program)
    for name in wanted:
        os.remove(program.folder / name)
    limited = program.run("sweep", *SWEEP, "--checkpoint", "c", "--time-limit", limit)
    assert "time limit reached: the ranking is of what was reached, written to s.csv" in limited.stderr
    assert "--resume c goes on from here" in limited.stderr and "best:" not in limited.stdout
    assert names(program) == {"c", "s.csv"}
    assert {row["state"] for row in program.table("s.csv")} == {"interrupted"}
    program.run("sweep", *SWEEP, "--checkpoint", "c", "--resume", "c")
    assert results(program) == wanted
    for name in wanted:
        os.remove(program.folder / name)
    again = program.run("sweep", *SWEEP, "--resume", "c")  # of the ends of all three trainings
    assert results(program) == wanted and "begins at its start" not in again.stderr
    os.replace(program.folder / "c.replicates", program.folder / "c.best")
    again = program.run("sweep", *SWEEP, "--resume", "c")
    assert results(program) == wanted
    assert re.search(r"c\.best holds another training: .*; this one begins at its start", again.stderr)
    assert "l2 of unit 5" in program.fails("sweep", *SWEEP, "--l2", "0,0.5", "--resume", "c")


def kill_once_there_is(program, file, *arguments):
    """Runs the program until the file has appeared; False where it came to its end before it was killed."""
    with subprocess.Popen(program.command(*arguments), **PIPES, cwd=program.folder) as run:
        while run.poll() is None and not (program.folder / file).exists():
            time.sleep(0.01)
        run.kill()
        run.communicate()
    assert run.returncode in (0, -signal.SIGKILL)
    return run.returncode != 0


def test_sweep_killed_in_each_training(program):
    options = [*SWEEP, "--lr", "0.1", "--folds", "2", "--epochs", "1000", "--bootstrap", "8"]
    program.run("sweep", *options, "--quiet")
    wanted = results(program)
    for name in wanted:
        os.remove(program.folder / name)
    resume = []
    for file in ["c", "c.best", "c.replicates"]:
        assert kill_once_there_is(program, file, "sweep", *options, "--checkpoint", "c", "--every", "0.02", *resume)
        resume = ["--resume", "c"]
    done = program.run("sweep", *options, *resume)
    assert results(program) == wanted and "begins at its start" not in done.stderr


# ---- Progress -------------------------------------------------------------------------------------------------------


def test_plain_lines(program):
    """Where stderr is no terminal: the first after some seconds, then now and then."""
    began_s = time.monotonic()
    done = program.run("train", *DIGITS, *HOST, *FOR_EVER, "--time-limit", "4.5", "-o", "m.safetensors")
    lines = [line for line in done.stderr.splitlines() if "epochs/s" in line]
    assert len(lines) == 1 and re.fullmatch(rf"plethron: {LINE}  loss 0\.\d+", lines[0])
    assert "10 of 10 live" in lines[0] and 4 < time.monotonic() - began_s < 60


def test_quiet_has_no_lines(program):
    options = ["--time-limit", "4", "--quiet", "-o", "m.safetensors"]
    done = program.run("train", *DIGITS, *HOST, *FOR_EVER, *options)
    assert done.stdout == "" and len(done.stderr.splitlines()) == 2 and "epochs/s" not in done.stderr


def test_plain_lines_of_a_sweep(program):
    done = program.run("sweep", *SWEEP, *FOR_EVER, "--time-limit", "4.5", "--strategy", "host")
    assert len(re.findall(rf"^plethron: {LINE}  loss 0\.\d+$", done.stderr, re.M)) == 1
