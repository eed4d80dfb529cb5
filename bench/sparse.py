"""Sparse features beside scipy's products: seconds an epoch of 64 units on 20,000 x 50,000 features, 0.1 % of them given.

    python bench/sparse.py [build/plethron] [DEVICE ...]      default: build/plethron, devices cpu and host

Needs numpy and scipy. An epoch of scipy is a gradient step of all units, P = X @ W + b, sigmoid, X.T @ R, in 32-bit floats
with the transposed matrix made beforehand; its products use one core. The program's epoch is the difference of two trainings,
each the best of some, so that start, reading and upload do not count; it uses all cores. Both must come to the same weights.
"""

import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
import scipy.sparse
from safetensors.numpy import load_file

N_ROWS, N_FEATURES, DENSITY, N_UNITS = 20_000, 50_000, 0.001, 64
FEW, MANY, REPEATS = 2, 22, 3


def epoch(X, transposed, y, rates, W, b):
    P = X @ W
    P += b
    np.negative(P, out=P)
    np.exp(P, out=P)
    P += np.float32(1)
    np.reciprocal(P, out=P)
    P -= y
    scale = rates / np.float32(N_ROWS)
    G = transposed @ P
    G *= scale
    W -= G
    b -= scale * P.sum(axis=0)


def time_scipy(X, y, rates, epochs):
    transposed = X.T.tocsr()
    W, b = np.zeros((N_FEATURES, N_UNITS), np.float32), np.zeros(N_UNITS, np.float32)
    begin_s = time.perf_counter()
    for _ in range(epochs):
        epoch(X, transposed, y, rates, W, b)
    return (time.perf_counter() - begin_s) / epochs, W


def time_program(program, device, folder, rates, epochs):
    options = ["--labels", "y.npy", "--target", "0", "--lr", ",".join(map(str, rates)), "--epochs", str(epochs)]
    command = [program, "train", "X.npz", *options, "--device", device, "-o", "m.safetensors"]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    seconds = next(float(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("seconds"))
    return seconds, load_file(folder / "m.safetensors")["W"]


def main(program="build/plethron", *devices):
    program = pathlib.Path(program).resolve()
    random = np.random.default_rng(1)
    X = scipy.sparse.random(N_ROWS, N_FEATURES, DENSITY, format="csr", dtype=np.float32, random_state=random)
    y = (X @ random.standard_normal(N_FEATURES) > 0).astype(np.float32)[:, None]
    rates = np.linspace(0.5, 1, N_UNITS, dtype=np.float32)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        scipy.sparse.save_npz(folder / "X.npz", X, compressed=False)
        np.save(folder / "y.npy", y)
        want = time_scipy(X, y, rates, MANY)[1]
        for device in devices or ["cpu", "host"]:
            few, many, theirs = [], [], []
            time_program(program, device, folder, rates, FEW)  # kernels are built
            for _ in range(REPEATS):
                few.append(time_program(program, device, folder, rates, FEW)[0])
                seconds, W = time_program(program, device, folder, rates, MANY)
                many.append(seconds)
                theirs.append(time_scipy(X, y, rates, 5)[0])
            assert np.abs(W - want).max() <= 1e-4 * np.abs(want).max(), "other weights"
            ours = (min(many) - min(few)) / (MANY - FEW)
            print(f"{device}: {ours:.4f} s an epoch, scipy {min(theirs):.4f} s: {min(theirs) / ours:.2f} x")


main(*sys.argv[1:])
