"""train --entity: a model for each value of a column, from the rows that have it, all in one go."""

import re

import numpy as np
import pytest

from conftest import Program

N_STORES, MOST_ROWS, N_FEATURES = 2000, 500, 4
OPTIONS = ["--target", "y", "--standardize", "--l2", "0.01", "--lr", "0.5", "--epochs", "40", "--strategy", "grouped"]


def make_stores(seed=11):
    """Stores of 1 to 500 rows, most of them small; the rows stand in no order. store, X, y."""
    rng = np.random.default_rng(seed)
    sizes = np.minimum(1 + rng.geometric(0.03, size=N_STORES), MOST_ROWS)
    sizes[:3] = [1, 2, MOST_ROWS]
    store = rng.permutation(np.repeat(np.arange(N_STORES), sizes))
    X = rng.normal(size=(len(store), N_FEATURES)).astype(np.float32).round(3)
    taste = rng.normal(size=(N_STORES, N_FEATURES))
    y = ((X * taste[store]).sum(axis=1) + rng.normal(size=len(store)) > 0).astype(int)
    return store, X, y


def write_rows(program, name, store, X, y, rows):
    lines = [",".join([f"s{store[i]:04}", *(f"{x:.3f}" for x in X[i]), str(y[i])]) for i in rows]
    header = ",".join(["store", *(f"x{k}" for k in range(N_FEATURES)), "y"])
    return program.write(name, "\n".join([header, *lines]) + "\n")


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """The program, its rows, and what training on all stores printed; the model is stores.safetensors."""
    program = Program(tmp_path_factory.mktemp("stores"))
    rows = make_stores()
    data = write_rows(program, "stores.csv", *rows, range(len(rows[0])))
    done = program.run("train", data, *OPTIONS, "--entity", "store", "-v", "-o", "stores.safetensors")
    return program, rows, done


def test_a_unit_for_each_store(stores):
    program, (store, _, _), done = stores
    assert re.search(rf"^entities +{N_STORES}$", done.stdout, re.M)
    tensors, metadata = program.model("stores.safetensors")
    assert tensors["W"].shape == (N_FEATURES, N_STORES)
    assert metadata["strategy"] == "grouped" and metadata["entity_column"] == "store"
    assert metadata["entities"] == [f"s{s:04}" for s in range(N_STORES)]
    assert np.array_equal(tensors["entity"], np.arange(N_STORES))
    assert np.array_equal(tensors["row_weight"], np.bincount(store))


def test_a_launch_trains_all_stores(stores):
    """Epochs are cut into a few chunks, a launch each, whatever the number of stores; the rest is measuring."""
    _, _, done = stores
    assert int(re.search(r"(\d+) launches", done.stderr).group(1)) < 100


def test_a_store_alone_has_the_same_bits(stores):
    """Its rows alone, without --entity, under the same strategy."""
    program, (store, X, y), _ = stores
    together = program.model("stores.safetensors")[0]
    chosen = [2, *np.random.default_rng(3).choice(N_STORES, 5, replace=False)]
    n_alone = 0
    for s in chosen:
        rows = np.flatnonzero(store == s)
        if len(set(y[rows])) < 2:
            continue
        data = write_rows(program, "one.csv", store, X, y, rows)
        features = ",".join(f"x{k}" for k in range(N_FEATURES))
        program.run("train", data, *OPTIONS, "--features", features, "-o", "one.safetensors")
        alone = program.model("one.safetensors")[0]
        for name in ["W", "b", "state", "epochs_done", "final_loss", "error_sum", "accuracy", "row_weight"]:
            assert np.array_equal(alone[name][..., 0], together[name][..., s]), (s, name)
        n_alone += 1
    assert n_alone >= 4


def test_a_store_with_one_class_or_one_row_is_its_own_matter(stores):
    program, (store, _, y), done = stores
    tensors = program.model("stores.safetensors")[0]
    one_class = [len(set(y[store == s])) == 1 for s in range(N_STORES)]
    assert np.array_equal(tensors["state"] == 5, one_class)
    assert f"{sum(one_class)} of {N_STORES} units: one class" in done.stderr
    assert np.all(np.isfinite(tensors["W"]))


def test_predict_takes_each_row_to_its_store(stores):
    program, (store, X, _), _ = stores
    tensors = program.model("stores.safetensors")[0]
    header, p = program.predict("stores.safetensors", "stores.csv")
    z = (X * tensors["W"].T[store]).sum(axis=1, dtype=float) + tensors["b"][store]
    assert header == "y"
    np.testing.assert_allclose(p[:, 0], 1 / (1 + np.exp(-z)), rtol=0, atol=1e-5)


def test_a_row_of_an_unknown_store_gets_no_prediction(stores):
    program, (store, X, y), _ = stores
    data = write_rows(program, "some.csv", store, X, y, [0, 1])
    program.write("some.csv", data.read_text().replace(f"s{store[0]:04}", "elsewhere"))
    done = program.run("predict", "stores.safetensors", "some.csv")
    lines = done.stdout.splitlines()
    assert lines[1] == "" and 0 <= float(lines[2]) <= 1
    assert "1 of 2 rows have a 'store' that the model does not know" in done.stderr


def test_predict_in_blocks(stores):
    """Blocks of 1 MiB; the same file at once gives the same bits."""
    program, (store, X, y), _ = stores
    data = write_rows(program, "large.csv", store, X, y, np.resize(np.arange(len(store)), 4 * len(store)))
    assert data.stat().st_size > 4 << 20
    for name, options in [("whole.npy", []), ("blocks.npy", ["--memory-limit", "16M"])]:
        program.run("predict", "stores.safetensors", data, *options, "-o", name)
    whole, blocks = (np.load(program.folder / name) for name in ["whole.npy", "blocks.npy"])
    np.testing.assert_array_equal(whole, blocks)
    np.testing.assert_array_equal(whole[: len(store)], whole[-len(store) :])


@pytest.mark.parametrize("labels", [["007", "7", "north"], ["7", "8", "9"]])
def test_labels_do_not_depend_on_other_rows(program, labels):
    """One row at a time gets what all rows get, whether they look like numbers or not."""
    rng = np.random.default_rng(5)
    lines = [f"{labels[i % 3]},{rng.normal() + i % 2 * (i % 3):.3f},{i % 2}" for i in range(60)]
    program.write("t.csv", "\n".join(["store,x,y", *lines]) + "\n")
    program.run("train", "t.csv", "--target", "y", "--entity", "store", "-o", "m.safetensors")
    header, p = program.predict("m.safetensors", "t.csv")
    for i in range(3):
        program.write("one.csv", f"store,x,y\n{lines[i]}\n")
        assert program.predict("m.safetensors", "one.csv")[1][0, 0] == p[i, 0]
    program.write("other.csv", f"store,x,y\nsouth,1,0\n{lines[0]}\n")
    printed = program.run("predict", "m.safetensors", "other.csv")
    assert printed.stdout.splitlines()[1] == "" and float(printed.stdout.splitlines()[2]) == p[0, 0]
    assert "1 of 2 rows have a 'store' that the model does not know" in printed.stderr


def test_order_of_the_rows_of_other_stores_does_not_matter(program):
    store, X, y = make_stores()
    rows = np.flatnonzero(store < 40)
    by_store = rows[np.argsort(store[rows], kind="stable")]
    models = []
    for name, order in [("mixed.csv", rows), ("sorted.csv", by_store)]:
        data = write_rows(program, name, store, X, y, order)
        program.run("train", data, *OPTIONS, "--entity", "store", "-o", "m.safetensors")
        models.append((program.folder / "m.safetensors").read_bytes())
    assert models[0] == models[1]


def test_combinations_for_each_store(program):
    store, X, y = make_stores()
    data = write_rows(program, "t.csv", store, X, y, np.flatnonzero(store < 8))
    program.run("train", data, *OPTIONS, "--entity", "store", "--l2", "0.01,0.1", "-o", "m.safetensors")
    tensors = program.model("m.safetensors")[0]
    assert np.array_equal(tensors["entity"], np.repeat(np.arange(8), 2))
    np.testing.assert_allclose(tensors["l2"], np.tile([0.01, 0.1], 8), rtol=1e-6)
    shown = program.run("inspect", "m.safetensors").stdout
    assert "store, 8 values" in shown and re.search(r"^ +3  s0001 +y ", shown, re.M)


def test_likeliest_of_a_store(program):
    """Rows of the stores 8 and 9 have none."""
    store, X, y = make_stores()
    data = write_rows(program, "t.csv", store, X, y, np.flatnonzero(store < 8))
    more = write_rows(program, "more.csv", store, X, y, np.flatnonzero(store < 10))
    program.run("train", data, *OPTIONS, "--entity", "store", "--l2", "0.01,0.1,0.01", "-o", "m.safetensors")
    for k in [1, 3]:
        program.check_top("m.safetensors", more, k)


def test_hold_out_within_stores(program):
    store, X, y = make_stores()
    rows = np.flatnonzero(store < 30)
    lines = write_rows(program, "t.csv", store, X, y, rows).read_text().splitlines()
    fold = np.arange(len(rows)) % 4
    program.write("t.csv", "\n".join([lines[0] + ",f", *(f"{l},{f}" for l, f in zip(lines[1:], fold))]) + "\n")
    options = [*OPTIONS, "--entity", "store", "--folds-column", "f", "--hold-out", "1", "--patience", "20"]
    program.run("train", "t.csv", *options, "-o", "m.safetensors")
    tensors = program.model("m.safetensors")[0]
    assert np.array_equal(tensors["row_weight"], np.bincount(store[rows][fold != 1], minlength=30))
    known = np.bincount(store[rows][fold == 1], minlength=30) > 0
    trained = tensors["state"] != 8
    assert np.array_equal(np.isfinite(tensors["held_out_loss"])[trained], known[trained])
