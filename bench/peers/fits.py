"""Whole fits of logistic regression by scikit-learn and LIBLINEAR, to the same objective: prints a row of JSON a line.

    fits.py DIGITS.csv

The objective is the sum of the log losses and |w|^2 / (2 C), the bias free. What is more than 1e-4 above the optimum is
not reported. In f64, which is all that scikit-learn's solvers and LIBLINEAR have.
"""

import csv
import importlib.metadata
import json
import os
import statistics
import sys
import time

import joblib
import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from threadpoolctl import threadpool_limits

import data

try:
    from liblinear.liblinearutil import parameter, problem, train
except ImportError:
    train = None

ALLOWED_GAP = 1e-4
REPEATS = 5
CORES = os.cpu_count()


def read_digits(path):
    with open(path, newline="") as file:
        header, *rows = csv.reader(file)
    table = np.array(rows, float)
    target = header.index("digit")
    x = np.delete(table, target, axis=1)
    deviation = x.std(0)
    return (x - x.mean(0)) / np.where(deviation > 0, deviation, 1), table[:, target].astype(int)


def objective(x, y, w, b, c):
    """y is -1 or 1."""
    return np.logaddexp(0, -y * (x @ w + b)).sum() + w @ w / (2 * c)


def by_sklearn(solver, tol, x, y, c):
    model = LogisticRegression(C=c, solver=solver, tol=tol, max_iter=10000).fit(x, y)
    return model.coef_[0], model.intercept_[0]


def by_liblinear(tol, x, y, c):
    """The dense matrix becomes LIBLINEAR's sparse one in here: that is a part of its fit."""
    model = train(problem(y, x, bias=1), parameter(f"-s 0 -c {c} -e {tol} -B 1 -R -q"))
    w, b = model.get_decfun()
    return np.array(w), b


SOLVERS = {
    "sklearn-lbfgs": lambda *a: by_sklearn("lbfgs", *a),
    "sklearn-newton": lambda *a: by_sklearn("newton-cholesky", *a),
    "liblinear": by_liblinear,
}
TOLERANCES = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7)  # the loosest that suffices is timed


def fit_all(solver, tol, x, targets, c):
    """One model a target, on all cores: a model a core. LIBLINEAR holds Python's lock, so it gets processes."""
    prefer = "processes" if solver == "liblinear" and len(targets) > 1 else "threads"
    with threadpool_limits(1 if len(targets) > 1 else CORES):
        jobs = (joblib.delayed(SOLVERS[solver])(tol, x, y, c) for y in targets)
        return joblib.Parallel(n_jobs=min(CORES, len(targets)), prefer=prefer)(jobs)


def row(case, device, plan, x, n_units, seconds, gap):
    return {
        "case": case,
        "device": device,
        "strategy": "",
        "plan": plan,
        "n_samples": x.shape[0],
        "n_features": x.shape[1],
        "n_units": n_units,
        "epochs": 0,
        "n_repeats": len(seconds),
        "seconds": {"cold": None, "warm": None, "upload": None, "device": None,
                    "end_to_end": statistics.median(seconds)},
        "spread": {"device": None, "end_to_end": [min(seconds), max(seconds)]},
        "gflops": None,
        "gbytes_per_s": None,
        "bound": "",
        "fraction_of_ceiling": None,
        "speedup_over": {},
        "verified_error": gap,
    }  # fmt: skip


def version_of(solver):
    if solver == "liblinear":
        return f"LIBLINEAR {importlib.metadata.version('liblinear-official')}"
    return f"scikit-learn {sklearn.__version__}"


def whole_fits(case, x, targets, c):
    """All models of a case by each solver, at the loosest tolerance that reaches the objective."""
    best = np.array([objective(x, y, *by_sklearn("newton-cholesky", 1e-10, x, y, c), c) for y in targets])
    rows = []
    for solver in SOLVERS:
        if solver == "liblinear" and train is None:
            continue
        print(f"{solver}: {case}", file=sys.stderr)
        for tol in TOLERANCES:
            models = fit_all(solver, tol, x, targets, c)
            reached = np.array([objective(x, y, w, b, c) for y, (w, b) in zip(targets, models)])
            gap = float(np.max(reached / best - 1))
            if gap <= ALLOWED_GAP:
                break
        else:
            print(f"{solver}: {case}: {gap:.2g} above the best objective: not reported", file=sys.stderr)
            continue
        seconds = []
        for _ in range(REPEATS):
            start = time.perf_counter()
            fit_all(solver, tol, x, targets, c)
            seconds.append(time.perf_counter() - start)
        cores = "a fit a core" if len(targets) > 1 else "all cores"
        plan = f"{version_of(solver)}, f64, {len(targets)} of C = {c}, tolerance {tol}, {cores}"
        rows.append(row(case, solver, plan, x, len(targets), seconds, max(gap, 0.0)))
    return rows


def sweep(x, digits):
    """The sweep over the digits (10 classes, 4 learning rates, 5 penalties, 5 folds: 1,000 units) as scikit-learn would do
    it: a learning rate means nothing to lbfgs, so 250 fits give the same table."""
    folds = list(StratifiedKFold(5, shuffle=True, random_state=7).split(x, digits))
    penalties = [0, 1e-4, 1e-3, 1e-2, 1e-1]

    def fit(digit, l2, inside, outside):
        c = 1 / (l2 * len(inside)) if l2 else np.inf
        model = LogisticRegression(C=c, solver="lbfgs", tol=1e-4, max_iter=1000)
        model.fit(x[inside], digits[inside] == digit)
        return l2, model.score(x[outside], digits[outside] == digit)

    print("sklearn-lbfgs: sweep", file=sys.stderr)
    start = time.perf_counter()
    with threadpool_limits(1):
        jobs = (joblib.delayed(fit)(k, l2, *fold) for k in range(10) for l2 in penalties for fold in folds)
        scores = joblib.Parallel(n_jobs=CORES, prefer="threads")(jobs)
    seconds = time.perf_counter() - start
    accuracy = max(np.mean([score for l2, score in scores if l2 == penalty]) for penalty in penalties)
    plan = (
        f"{version_of('sklearn-lbfgs')}, f64: 250 lbfgs fits (10 classes, 5 penalties, 5 folds) to convergence, "
        f"best mean held-out accuracy of a class against the rest {accuracy:.4f}; as many fits as the sweep has units, "
        f"1,000, would take {4 * seconds:.1f} s, but lbfgs needs no learning rate"
    )
    return [row("sweep-digits", "sklearn-lbfgs", plan, x, len(scores), [seconds], None)]


def show(rows):
    for row in rows:
        print(json.dumps(row), flush=True)


def main(path):
    import warnings

    warnings.filterwarnings("ignore")  # of fits that reach max_iter in the sweep: without a penalty there is no optimum
    x, digits = read_digits(path)
    show(whole_fits("fit-digits", x, [np.where(digits == k, 1.0, -1.0) for k in range(10)], 1.0))
    made = data.problem(data.Case("fit-one", "plane", 10240, 128, 1, 1))
    show(whole_fits("fit-one", made.X.astype(float), [np.where(made.Y[:, 0] > 0, 1.0, -1.0)], 1.0))
    show(sweep(x, digits))


if __name__ == "__main__":
    main(sys.argv[1])
