"""Sparse features, from svmlight files and from what scipy.sparse.save_npz writes."""

import io
import resource
import subprocess
import zipfile

import numpy as np
import pytest
import scipy.sparse
from sklearn.datasets import dump_svmlight_file
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from conftest import EXAMPLES

N_ROWS, N_FEATURES = 300, 200
FAST = ["--device", "host", "--epochs", "30", "--lr", "1"]


@pytest.fixture(scope="module")
def thin():
    """A sparse matrix, 4 % of it given, and labels that a plane tells apart, nearly."""
    random = np.random.default_rng(7)
    X = scipy.sparse.random(N_ROWS, N_FEATURES, 0.04, format="csr", random_state=random, dtype=np.float32)
    X.data -= np.float32(0.3)
    X.data[X.indices == N_FEATURES - 1] = 0  # svmlight files lack the last feature
    X.eliminate_zeros()
    y = (X @ random.standard_normal(N_FEATURES) + 0.1 * random.standard_normal(N_ROWS) > 0).astype(int)
    return X.tocsr(), y


def write(program, X, y, zero_based=False):
    dump_svmlight_file(X, y, str(program.folder / "t.svm"), zero_based=zero_based)
    program.write("y.csv", "y,w,f\n" + "".join(f"{label},{i % 3},{i % 4}\n" for i, label in enumerate(y)))
    for name in ["csr", "csc", "coo"]:
        scipy.sparse.save_npz(program.folder / f"{name}.npz", X.asformat(name))


def plan(done):
    return next(line for line in done.stdout.splitlines() if line.startswith("plan"))


# ---- The same as dense features, and whatever the format -------------------------------------------------------------


@pytest.mark.parametrize("zero_based", [False, True])
def test_the_bits_of_dense_features(program, thin, zero_based):
    X, y = thin
    write(program, X, y, zero_based)
    done = program.run("train", "t.svm", "--target", "label", *FAST, "-o", "s.safetensors")
    assert plan(done).split()[1] == "sparse"
    program.run("train", "t.svm", "--target", "label", *FAST, "--dense", "--strategy", "host", "-o", "d.safetensors")
    sparse, dense = program.model("s.safetensors"), program.model("d.safetensors")
    for name in dense[0]:
        np.testing.assert_array_equal(sparse[0][name], dense[0][name], name)
    assert sparse[1]["features"] == dense[1]["features"]
    np.testing.assert_array_equal(
        program.predict("s.safetensors", "t.svm")[1], program.predict("d.safetensors", "t.svm")[1]
    )


@pytest.mark.parametrize("name", ["csr", "csc", "coo"])
def test_formats_of_scipy(program, thin, name):
    X, y = thin
    write(program, X, y)
    program.run("train", "t.svm:200", "--target", "label", *FAST, "-o", "s.safetensors")
    done = program.run("train", f"{name}.npz", "--labels", "y.csv", "--target", "y", *FAST, "-o", "n.safetensors")
    assert f"features  {N_FEATURES}, sparse: {X.nnz} values given" in done.stdout
    svm, npz = program.model("s.safetensors"), program.model("n.safetensors")
    np.testing.assert_array_equal(svm[0]["W"], npz[0]["W"])
    assert npz[1]["features"] == [str(k) for k in range(N_FEATURES)]
    P = program.predict("n.safetensors", f"{name}.npz")[1]
    z = X @ npz[0]["W"].astype(float)[:, 0] + float(npz[0]["b"][0])
    np.testing.assert_allclose(P[:, 0], 1 / (1 + np.exp(-z)), rtol=1e-5, atol=1e-6)


def test_arrays_of_scipy_unsorted_and_doubled(program, thin):
    """What coo gives twice is added up; the columns of csr may stand in any order; indices of eight bytes, doubles."""
    X, y = thin
    write(program, X, y)
    coo = X.tocoo()
    halves = (np.concatenate([coo.data, coo.data]) / 2).astype(np.float64)
    twice = (np.concatenate([coo.row, coo.row]), np.concatenate([coo.col, coo.col]))
    array = getattr(scipy.sparse, "coo_array", scipy.sparse.coo_matrix)
    scipy.sparse.save_npz(program.folder / "twice.npz", array((halves, twice), shape=X.shape), compressed=False)
    backwards = X.copy()
    for i in range(N_ROWS):
        row = slice(X.indptr[i], X.indptr[i + 1])
        backwards.indices[row] = X.indices[row][::-1]
        backwards.data[row] = X.data[row][::-1]
    backwards.indices = backwards.indices.astype(np.int64)
    backwards.indptr = backwards.indptr.astype(np.int64)
    np.savez(
        program.folder / "backwards.npz", format=b"csr", shape=X.shape, data=backwards.data, indices=backwards.indices,
        indptr=backwards.indptr,
    )  # fmt: skip
    program.run("train", "csr.npz", "--labels", "y.csv", "--target", "y", *FAST, "-o", "m.safetensors")
    want = program.predict("m.safetensors", "csr.npz")[1]
    for name in ["twice", "backwards"]:
        np.testing.assert_array_equal(program.predict("m.safetensors", f"{name}.npz")[1], want)


def test_weights_folds_batches_and_a_sweep(program, thin):
    """Options that name columns of --labels, and what takes rows apart, as with dense features."""
    X, y = thin
    write(program, X, y)
    np.save(program.folder / "t.npy", X.toarray())
    options = ["--labels", "y.csv", "--target", "y", "--weights", "w", "--folds-column", "f", *FAST]
    for batch in [[], ["--batch", "64"]]:
        more = [*options, *batch, "--hold-out", "1", "--optimizer", "adam", "--auc"]
        sparse = program.run("train", "csr.npz", *more, "-o", "s.safetensors").stdout.splitlines()
        dense = program.run("train", "t.npy", *more, "--strategy", "host", "-o", "d.safetensors").stdout.splitlines()
        assert sparse[8:] == dense[8:]
        for name, tensor in program.model("d.safetensors")[0].items():
            np.testing.assert_array_equal(program.model("s.safetensors")[0][name], tensor, name)
    more = [*options, "--l2", "0,0.01", "--bootstrap", "5", "--intervals"]
    sparse = program.run("sweep", "csr.npz", *more, "i.csv", "-o", "s.safetensors").stdout.splitlines()
    dense = program.run("sweep", "t.npy", *more, "j.csv", "--strategy", "host", "-o", "d.safetensors").stdout.splitlines()
    assert [line for line in sparse[7:] if ":" not in line] == [line for line in dense[7:] if ":" not in line]
    assert (program.folder / "i.csv").read_text() == (program.folder / "j.csv").read_text()


def test_several_labels(program):
    program.write("t.svm", "1,3 1:0.5\n 20:1\n3 1:2 3:4\n1 20:-1\n")
    options = ["--target", "label=1,label=3", *FAST]
    program.run("train", "t.svm", *options, "-o", "s.safetensors")
    program.run("train", "t.svm", *options, "--dense", "--strategy", "host", "-o", "d.safetensors")
    np.testing.assert_array_equal(program.model("s.safetensors")[0]["W"], program.model("d.safetensors")[0]["W"])
    assert program.predict("s.safetensors", "t.svm")[0] == "label=1,label=3"
    for k in [1, 2]:
        program.check_top("s.safetensors", "t.svm", k)


def test_how_svmlight_is_read(program, thin):
    """Sparse where less than a tenth is given; --dense and --sparse say otherwise, --features needs columns."""
    X, y = thin
    write(program, X, y)
    program.write("thick.svm", "".join(f"{i % 2} 1:{i} 2:{-i} 3:1\n" for i in range(1, 30)))
    for name, options, strategy in [
        ("thick.svm", [], "dense"),
        ("thick.svm", ["--sparse"], "sparse"),
        ("t.svm", ["--features", "1,2,3"], "dense"),
        ("t.svm", ["--dense"], "dense"),
        ("t.svm", [], "sparse"),
    ]:
        done = program.run("train", name, "--target", "label", *FAST, *options, "-o", "m.safetensors")
        assert (plan(done).split()[1] == "sparse") == (strategy == "sparse"), (name, options)
    assert "sparse" in program.fails("train", EXAMPLES / "digits.csv", "--target", "digit", "--sparse", "-o", "m")


def test_a_row_longer_than_what_is_looked_at(program):
    """The format is told from the first 64 KiB: of a row that is longer, a piece at their end is cut."""
    row = " ".join(f"{k}:{k % 7}.25" for k in range(1, 200_000, 17))
    program.write("long.svm", f"0 {row}\n1 1:1\n")
    assert len(row) > 1 << 16
    done = program.run("train", "long.svm", "--target", "label", *FAST, "--sparse", "--dry-run")
    assert "sparse on host" in done.stdout


def test_a_dry_run(program, thin):
    write(program, *thin)
    done = program.run("train", "t.svm", "--target", "label", *FAST, "--dry-run")
    assert "sparse on host" in done.stdout and not list(program.folder.glob("*.safetensors"))


# ---- Beside scikit-learn ---------------------------------------------------------------------------------------------


def test_standardised_as_scikit_learn_does(program, thin):
    """StandardScaler(with_mean=False), and the same optimum of the log loss with l2."""
    X, y = thin
    write(program, X, y)
    l2 = 0.01
    program.run(
        "train", "csr.npz", "--labels", "y.csv", "--target", "y", "--device", "host", "--standardize", "--l2", l2,
        "--optimizer", "nesterov", "--lr", "0.3", "--epochs", "20000", "--tolerance", "2e-6", "-o", "m.safetensors",
    )  # fmt: skip
    tensors = program.model("m.safetensors")[0]
    scaler = StandardScaler(with_mean=False).fit(X.astype(float))
    model = LogisticRegression(C=1 / (l2 * N_ROWS), tol=1e-10, max_iter=20000)
    model.fit(scaler.transform(X.astype(float)), y)
    np.testing.assert_allclose(tensors["W"][:, 0] * scaler.scale_, model.coef_[0], atol=1e-3)
    np.testing.assert_allclose(tensors["b"], model.intercept_, atol=1e-3)


# ---- Predicting ------------------------------------------------------------------------------------------------------


def test_predictions_for_other_files(program, thin):
    X, y = thin
    write(program, X, y)
    program.run("train", "csr.npz", "--labels", "y.csv", "--target", "y", *FAST, "-o", "m.safetensors")
    program.run("train", "t.svm:200", "--target", "label", *FAST, "-o", "s.safetensors")
    narrow = scipy.sparse.csr_matrix(X[:, :50])
    scipy.sparse.save_npz(program.folder / "narrow.npz", narrow)
    assert "50 columns, 200 features" in program.fails("predict", "m.safetensors", "narrow.npz")
    dump_svmlight_file(narrow, y, str(program.folder / "narrow.svm"), zero_based=False)
    padded = scipy.sparse.hstack([narrow, scipy.sparse.csr_matrix((N_ROWS, 150))]).tocsr()
    scipy.sparse.save_npz(program.folder / "padded.npz", padded)
    P = program.predict("s.safetensors", "narrow.svm")[1]
    np.testing.assert_array_equal(P, program.predict("m.safetensors", "padded.npz")[1])
    program.write("wide.svm", "0 1:1\n1 201:1\n")
    assert "line 2: feature 201: the features 1 to 200 are known" in program.fails("predict", "s.safetensors", "wide.svm")
    program.write("zero.svm", "0 0:1\n")
    assert "line 1: feature 0: the features 1 to 200" in program.fails("predict", "s.safetensors", "zero.svm")
    program.run("predict", "m.safetensors", "csr.npz", "-o", "p.npy", "--memory-limit", "16M", "-v")
    np.testing.assert_allclose(np.load(program.folder / "p.npy"), program.predict("m.safetensors", "csr.npz")[1], rtol=1e-6)
    classes = program.run("predict", "m.safetensors", "csr.npz", "--classes").stdout.split()
    assert classes[0] == "y" and set(classes[1:]) == {"0", "1"}


# ---- What is refused -------------------------------------------------------------------------------------------------


def npz(program, **changes):
    parts = {
        "format": b"csr", "shape": np.array([3, 4]), "data": np.array([1.0, 2.0, 3.0]),
        "indices": np.array([0, 3, 1], np.int32), "indptr": np.array([0, 2, 2, 3], np.int32), **changes,
    }  # fmt: skip
    np.savez(program.folder / "bad.npz", **{name: part for name, part in parts.items() if part is not None})
    program.write("three.csv", "y\n0\n1\n1\n")


def refused(program):
    return program.fails("train", "bad.npz", "--labels", "three.csv", "--target", "y", *FAST, "-o", "m.safetensors")


INT32 = np.int32


@pytest.mark.parametrize(
    "changes, what",
    [
        ({"indptr": np.array([0, 2, 1, 3], INT32)}, "'indptr'[2] is 1 after 2: it may not fall"),
        ({"indptr": np.array([1, 2, 2, 3], INT32)}, "'indptr' goes from 1 to 3: from 0 to the 3 values"),
        ({"indptr": np.array([0, 2, 2, 9], INT32)}, "'indptr' goes from 0 to 9"),
        ({"indptr": np.array([0, 2, 3], INT32)}, "'indptr' has the shape (3, 1): one dimension of 4"),
        ({"indptr": np.array([0.0, 2.0, 2.0, 3.0])}, "'indptr' holds no whole numbers"),
        ({"indices": np.array([0, 4, 1], INT32)}, "'indices'[1] is 4: 0 to 3 are allowed"),
        ({"indices": np.array([0, -1, 1], INT32)}, "'indices'[1] is -1"),
        ({"indices": np.array([0, 2**63, 1], np.uint64)}, "'indices'[1] is 9223372036854775807"),
        ({"indices": np.array([0, 3], INT32)}, "'indices' has the shape (2, 1)"),
        ({"indices": np.array([0.0, 3.0, 1.0])}, "'indices' holds no whole numbers"),
        ({"data": np.array([1.0, np.nan, 3.0])}, "row 0, column 3 holds nan: a finite number"),
        ({"data": np.array([1.0, 1e300, 3.0])}, "holds inf"),
        ({"data": np.array([1, 2j, 3])}, "a type of"),
        ({"data": np.array(["1", "2", "3"])}, "a type of"),
        ({"data": np.ones((3, 2))}, "'data' has the shape (3, 2)"),
        ({"shape": np.array([3, 0])}, "3 x 0"),
        ({"shape": np.array([-3, 4])}, "-3 x 4"),
        ({"shape": np.array([3, 2**40])}, "3 x 1099511627776"),
        ({"shape": np.array([3])}, "'shape' has the shape (1, 1): one dimension of 2"),
        ({"format": b"bsr"}, "the format 'bsr': csr, csc or coo were expected"),
        ({"format": b"coo"}, "without 'row'"),
        ({"format": b"coo", "row": np.array([0, 3, 1]), "col": np.zeros(3, int)}, "'row'[1] is 3: 0 to 2"),
        ({"format": b"coo", "row": np.zeros(3, int), "col": np.array([0, 3, 9])}, "'col'[2] is 9: 0 to 3"),
        ({"format": b"coo", "shape": np.array([2**30, 4]), "row": np.zeros(3, int), "col": np.zeros(3, int)}, "1073741824 rows"),
        ({"indices": None}, "without 'indices'"),
        ({"shape": np.array([3, 2**30])}, "with a weight for each feature"),
    ],
)  # fmt: skip
def test_bad_matrices(program, changes, what):
    npz(program, **changes)
    assert what in refused(program)
    assert not (program.folder / "m.safetensors").exists()


def test_cut_and_packed_archives(program):
    npz(program)
    whole = (program.folder / "bad.npz").read_bytes()
    for n in range(0, len(whole), 97):
        program.write("bad.npz", whole[:n])
        refused(program)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (1 << 40,)})
    with zipfile.ZipFile(program.folder / "bad.npz", "w") as archive, zipfile.ZipFile(io.BytesIO(whole)) as good:
        for entry in good.namelist():
            archive.writestr(entry, header.getvalue() if entry == "data.npy" else good.read(entry))
    assert "bytes of data found" in refused(program)


def test_options_that_do_not_go_together(program, thin):
    X, y = thin
    write(program, X, y)
    train = ["train", "csr.npz", *FAST, "-o", "m.safetensors"]
    assert "--labels FILE was expected" in program.fails(*train, "--target", "y")
    assert "no column 'z'" in program.fails(*train, "--labels", "y.csv", "--target", "z")
    assert "--entity needs dense" in program.fails(*train, "--labels", "y.csv", "--target", "y", "--entity", "f")
    program.write("short.csv", "y\n1\n0\n")
    assert "short.csv: has 2 rows, but csr.npz has 300" in program.fails(*train, "--labels", "short.csv", "--target", "y")
    done = program.run(*train, "--labels", "y.csv", "--target", "y", "--features", "1", "--sparse", code=2)
    assert "--sparse does not go with --features" in done.stderr
    line = program.fails(*train, "--labels", "y.csv", "--target", "y", "--strategy", "staged")
    assert "'staged' does not apply" in line and "sparse" in line
    program.write("nan.svm", "0 1:1\n1 20:nan\n")
    program.write("huge.svm", "0 1:1\n1 1000000000:1\n")
    line = program.fails("train", "huge.svm", "--target", "label", *FAST, "-o", "m.safetensors")
    assert "1000000000 sparse features" in line
    line = program.fails("train", "nan.svm", "--target", "label", *FAST, "-o", "m.safetensors")
    assert "nan.svm: line 2: feature 20 holds 'nan': a finite number" in line


# ---- Memory ----------------------------------------------------------------------------------------------------------


def test_a_million_features(program):
    """100,000 rows of a million features, five of them given in each: dense they would take 400 GB."""
    random = np.random.default_rng(3)
    n = 100_000
    columns = np.sort(random.integers(0, 1_000_000, (n, 5)), axis=1)
    with open(program.folder / "t.svm", "w") as file:
        for i, row in enumerate(columns):
            file.write(f"{i % 2} " + " ".join(f"{k + 1}:1" for k in dict.fromkeys(row)) + "\n")
        file.write("1 1000000:1\n")
    command = program.command(
        "train", "t.svm", "--target", "label", "--device", "host", "--epochs", "2", "-q", "-o", "m.safetensors"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    subprocess.run(command, cwd=program.folder, check=True)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss  # of the largest child so far, in KiB
    assert peak == before or peak < 1 << 20, f"{peak >> 10} MiB"
    assert program.model("m.safetensors")[0]["W"].shape == (1_000_000, 1)
