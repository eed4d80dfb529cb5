"""The cases and data of plethron bench (cli/bench_cases.c), the same numbers."""

from dataclasses import dataclass

import numpy as np

X, PLANE, NOISE, CLASS, PROTOTYPE, RATE, START, ROW = range(8)
N_CLASSES = 10


@dataclass
class Case:
    name: str
    source: str
    n_samples: int
    n_features: int
    n_units: int
    epochs: int  # 0: a prediction
    loss: str = "log"
    reduction: str = "mean"
    l2: float = 0.0


CASES = [
    Case("train-many", "plane", 10240, 128, 1024, 20),
    Case("train-ten", "plane", 60000, 784, 10, 20),
    Case("train-one", "plane", 1048576, 64, 1, 20),
    Case("predict-one", "plane", 1048576, 64, 1, 0),
    Case("predict-many", "plane", 200000, 128, 256, 0),
    Case("tiny", "tutorial", 5, 3, 131072, 100, "mse", "sum"),  # fewer epochs: rates are compared
    Case("sweep", "classes", 1797, 64, 1000, 300, l2=1e-3),
]


def uniform(seed, stream, first, count):
    """Values first ... first + count - 1 of a stream, uniform in [0, 1): splitmix64's finaliser on a counter."""
    x = np.arange(first, first + count, dtype=np.uint64) + np.uint64((seed << 48) + (stream << 40))
    x = (x + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return (x >> np.uint64(40)).astype(np.float32) * np.float32(2**-24)


def spread(seed, stream, count):
    return np.float32(2) * uniform(seed, stream, 0, count) - np.float32(1)


@dataclass
class Problem:
    case: Case
    X: np.ndarray  # [n_samples, n_features], f32 like all
    Y: np.ndarray  # [n_samples, n_units], or [n_samples, 1] where all units learn the same
    rate: np.ndarray  # [n_units]
    W: np.ndarray  # [n_features, n_units]
    b: np.ndarray  # [n_units]


def problem(case, seed=1):
    n, d, m = case.n_samples, case.n_features, case.n_units
    rate = np.float32(0.1) + np.float32(0.4) * uniform(seed, RATE, 0, m)
    if case.source == "tutorial":
        x = np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0], [1, 1, 0], [1, 1, 1]], np.float32)
        y = np.array([[1], [0], [0], [1], [1]], np.float32)
        rate = np.full(m, 0.05, np.float32)
    elif case.source == "classes":
        classes = (N_CLASSES * uniform(seed, CLASS, 0, n)).astype(int)
        prototypes = spread(seed, PROTOTYPE, N_CLASSES * d).reshape(N_CLASSES, d)
        x = prototypes[classes] + np.float32(2) * spread(seed, X, n * d).reshape(n, d)
        y = (classes[:, None] == np.arange(m) % N_CLASSES).astype(np.float32)
    else:
        x = spread(seed, X, n * d).reshape(n, d)
        plane = spread(seed, PLANE, d).astype(np.float64)
        z = 2.0 * spread(seed, NOISE, n) + np.concatenate([part @ plane for part in np.array_split(x, 64)])
        y = (z > 0).astype(np.float32)[:, None]
    start = np.zeros((d + 1, m), np.float32)
    if case.epochs == 0:
        start = np.float32(0.5) * spread(seed, START, (d + 1) * m).reshape(d + 1, m)
    return Problem(case, x, y, rate, start[:d].copy(), start[d].copy())


def reference(p, units):
    """Weights [n_features + 1, units] after all epochs, or predictions [n_samples, units], in double precision."""
    case = p.case
    x, w, b = p.X.astype(np.float64), p.W[:, units].astype(np.float64), p.b[units].astype(np.float64)
    y = p.Y[:, units] if p.Y.shape[1] > 1 else p.Y
    scale = 1.0 / case.n_samples if case.reduction == "mean" else 1.0
    if case.epochs == 0:
        return 1.0 / (1.0 + np.exp(-(x @ w + b)))
    for _ in range(case.epochs):
        probability = 1.0 / (1.0 + np.exp(-(x @ w + b)))
        delta = probability - y
        if case.loss == "mse":
            delta *= probability * (1.0 - probability)
        w, b = w - p.rate[units] * (scale * (x.T @ delta) + case.l2 * w), b - p.rate[units] * scale * delta.sum(0)
    return np.vstack([w, b])


def error(got, expected):
    worst = np.max(np.abs(got - expected) / (1.0 + np.abs(expected)))
    return float(worst) if np.isfinite(worst) else float("inf")


def tolerance(case):
    return 64 * 2**-24 * (case.n_samples**0.5 + case.epochs**0.5)
