"""Gradient descent and prediction by one peer, the same epochs of the same gradient: prints a row of JSON a line.

    throughput.py numpy|torch|torch-vmap|jax|jax-vmap
"""

import json
import os
import statistics
import sys
import time

import numpy as np

import data

FLOAT = np.float32
REPEATS, BUDGET_S = 5, 8.0  # no repeat is begun that would exceed the budget


def by_numpy(p):
    case, x, y, rate = p.case, p.X, p.Y, p.rate
    scale = FLOAT(1 / case.n_samples if case.reduction == "mean" else 1)

    def forward(w, b):
        z = x @ w
        z += b
        np.negative(z, out=z)
        np.exp(z, out=z)
        z += 1
        return np.reciprocal(z, out=z)

    def run():
        w, b = p.W.copy(), p.b.copy()
        if case.epochs == 0:
            return forward(w, b)
        for _ in range(case.epochs):
            probability = forward(w, b)
            delta = probability - y
            if case.loss == "mse":
                delta *= probability * (1 - probability)
            w -= rate * (scale * (x.T @ delta) + FLOAT(case.l2) * w)
            b -= rate * scale * delta.sum(0)
        return np.vstack([w, b])

    return run, np.__version__


def by_torch(p):
    import torch

    torch.set_num_threads(os.cpu_count())
    case = p.case
    x, y, rate = torch.from_numpy(p.X), torch.from_numpy(p.Y), torch.from_numpy(p.rate)
    scale = 1 / case.n_samples if case.reduction == "mean" else 1.0

    @torch.no_grad()
    def run():
        w, b = torch.from_numpy(p.W.copy()), torch.from_numpy(p.b.copy())
        if case.epochs == 0:
            return torch.addmm(b, x, w).sigmoid_().numpy()
        for _ in range(case.epochs):
            probability = torch.addmm(b, x, w).sigmoid_()
            delta = probability - y
            if case.loss == "mse":
                delta *= probability * (1 - probability)
            w -= rate * (scale * (x.T @ delta) + case.l2 * w)
            b -= rate * scale * delta.sum(0)
        return torch.vstack([w, b]).numpy()

    return run, torch.__version__


def by_torch_vmap(p):
    """A loss of one unit, differentiated and mapped over the units: how ensembles are written there."""
    import torch
    from torch.func import grad, vmap

    torch.set_num_threads(os.cpu_count())
    case = p.case
    if case.epochs == 0:
        return None, ""
    x, y, rate = torch.from_numpy(p.X), torch.from_numpy(p.Y.T.copy()), torch.from_numpy(p.rate)

    def loss(weights, target):
        z = x @ weights[0] + weights[1]
        if case.loss == "mse":
            row = 0.5 * (z.sigmoid() - target) ** 2
        else:
            row = torch.nn.functional.softplus(z) - target * z
        total = row.mean() if case.reduction == "mean" else row.sum()
        return total + 0.5 * case.l2 * (weights[0] ** 2).sum()

    gradient = vmap(grad(loss), in_dims=(0, 0 if len(y) > 1 else None))
    targets = y if len(y) > 1 else y[0]

    def run():
        w, b = torch.from_numpy(p.W.T.copy()), torch.from_numpy(p.b.copy())
        for _ in range(case.epochs):
            g, g_b = gradient((w, b), targets)
            w, b = w - rate[:, None] * g, b - rate * g_b
        return torch.vstack([w.T, b]).numpy()

    return run, torch.__version__


def by_jax(p, vmap=False):
    import jax
    import jax.numpy as jnp

    case = p.case
    scale = FLOAT(1 / case.n_samples if case.reduction == "mean" else 1)
    x, y, rate = jnp.asarray(p.X), jnp.asarray(p.Y), jnp.asarray(p.rate)

    def gradients(x, y, w, b):
        probability = jax.nn.sigmoid(x @ w + b)
        delta = probability - y
        if case.loss == "mse":
            delta *= probability * (1 - probability)
        return scale * (x.T @ delta) + FLOAT(case.l2) * w, scale * delta.sum(0)

    def loss(weights, target, x):
        z = x @ weights[0] + weights[1]
        if case.loss == "mse":
            row = 0.5 * (jax.nn.sigmoid(z) - target) ** 2
        else:
            row = jax.nn.softplus(z) - target * z
        return scale * row.sum() + 0.5 * FLOAT(case.l2) * (weights[0] ** 2).sum()

    def mapped(x, y, w, b):
        of_unit = jax.vmap(jax.grad(loss), in_axes=((1, 0), 1 if y.shape[1] > 1 else None, None), out_axes=(1, 0))
        return of_unit((w, b), y if y.shape[1] > 1 else y[:, 0], x)

    @jax.jit
    def train(x, y, rate, w, b):
        def step(_, weights):
            g, g_b = (mapped if vmap else gradients)(x, y, *weights)
            return weights[0] - rate * g, weights[1] - rate * g_b

        w, b = jax.lax.fori_loop(0, case.epochs, step, (w, b))
        return jnp.vstack([w, b])

    @jax.jit
    def predict(x, w, b):
        return jax.nn.sigmoid(x @ w + b)

    if vmap and case.epochs == 0:
        return None, ""
    w, b = jnp.asarray(p.W), jnp.asarray(p.b)
    if case.epochs == 0:
        return lambda: np.asarray(predict(x, w, b)), jax.__version__
    return lambda: np.asarray(train(x, y, rate, w, b)), jax.__version__


PEERS = {
    "numpy": by_numpy,
    "torch": by_torch,
    "torch-vmap": by_torch_vmap,
    "jax": by_jax,
    "jax-vmap": lambda p: by_jax(p, vmap=True),
}


def timed(run):
    start = time.perf_counter()
    result = run()
    return time.perf_counter() - start, result


def measure(peer, case):
    p = data.problem(case)
    run, version = PEERS[peer](p)
    if run is None:
        return None
    units = sorted({0, case.n_units - 1})
    first, result = timed(run)  # compiles, where there is something to compile
    error = data.error(result[:, units], data.reference(p, units))
    if not error <= data.tolerance(case):
        print(f"{peer}: {case.name}: the result is wrong by {error:.3g}: not timed", file=sys.stderr)
        return None
    seconds = [timed(run)[0]]
    while len(seconds) < REPEATS and sum(seconds) + seconds[-1] < BUDGET_S:
        seconds.append(timed(run)[0])
    seconds.sort()
    median = statistics.median(seconds)
    flops = 2.0 * case.n_samples * case.n_features * case.n_units * (2 * case.epochs or 1)
    x_bytes = 4.0 * case.n_samples * case.n_features * (case.epochs or 1)
    return {
        "case": case.name,
        "device": peer,
        "strategy": "",
        "plan": f"{peer.split('-')[0]} {version}",
        "n_samples": case.n_samples,
        "n_features": case.n_features,
        "n_units": case.n_units,
        "epochs": case.epochs,
        "n_repeats": len(seconds),
        "seconds": {"cold": first, "warm": None, "upload": None, "device": None, "end_to_end": median},
        "spread": {"device": None, "end_to_end": [seconds[0], seconds[-1]]},
        "gflops": flops / median / 1e9,
        "gbytes_per_s": x_bytes / median / 1e9,
        "bound": "",
        "fraction_of_ceiling": None,
        "speedup_over": {},
        "verified_error": error,
    }


def main(peer):
    for case in data.CASES:
        print(f"{peer}: {case.name}", file=sys.stderr)
        row = measure(peer, case)
        if row:
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
