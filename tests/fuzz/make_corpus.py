"""Writes the seed corpus into the folder `corpus` beside this file. Needs numpy, scipy, h5py, safetensors, and the program:

    build/test-env/bin/python tests/fuzz/make_corpus.py build/plethron
"""

import io
import pathlib
import subprocess
import sys
import tempfile

import h5py
import numpy as np
import scipy.sparse
from safetensors.numpy import save

HERE = pathlib.Path(__file__).resolve().parent
CORPUS = HERE / "corpus"
EXAMPLES = HERE.parents[1] / "examples"


def write(reader, name, content):
    folder = CORPUS / reader
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def npy(array, version=None):
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, version)
    return buffer.getvalue()


def npz(save, **arrays):
    buffer = io.BytesIO()
    save(buffer, **arrays)
    return buffer.getvalue()


def hdf5(fill):
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        fill(file)
    return buffer.getvalue()


def csv():
    write("csv", "plain", "a,b,y\n1,2.5,0\n-3e-2,.5,1\n4.,+6,0\n")
    write("csv", "quotes", '"a","b ""c""",d\r\n"1","x, y","two\nlines"\r\n 2 ,"",nan\r\n')
    write("csv", "tabs", "\ufeffa\tb\n1\t\n\t2\n")
    write("csv", "semicolons", "a;b\r1;0,5\r\r2;inf\r")
    write("csv", "numbers", "x\n0.1234567890123456789\n1e-45\n3.4028235677973366e38\n16777217\n1e400\n-0\n00012\n")
    write("csv", "open-quote", 'a,b\n1,"2\n3,4\n')
    write("csv", "short-row", "a,b\n1,2\n3\n")
    write("csv", "blank", "\n \t\n\na\n\n1\n\n")
    write("csv", "long-open-row", "x\n" + "text " * 300)
    write("csv", "many", "a,b,c\n" + "".join(f'{i},"{i}\n",t{i}\n' for i in range(200)))


def svmlight():
    write("svmlight", "one-based", "1 1:0.5 3:-2e3\n-1 2:1 # why\n0\n")
    write("svmlight", "zero-based", "# a comment\n1 qid:1 0:1 5:2\r\n2 qid:2 1:3\r\n")
    write("svmlight", "labels", "1,3 1:1\n 2:1\n-2.5,1 3:nan\n")
    write("svmlight", "broken", "1 2:1 2:2\n")
    write("svmlight", "large", "1 1048575:1\n1 99999999999999999999:1\n")


def arrays():
    for dtype in ["?", "<f2", ">f2", "<f4", ">f4", "<f8", ">f8", "<i1", ">i2", "<i4", ">i8", "<u1", "<u2", ">u4", "<u8"]:
        array = np.arange(6).reshape(2, 3).astype(dtype)
        name = dtype.strip("<").replace(">", "big-").replace("?", "bool")
        write("npy", name, npy(np.asfortranarray(array) if dtype[0] == ">" else array))
    write("npy", "version-2", npy(np.array([1.5, np.nan, 1e300]), (2, 0)))
    write("npy", "version-3", npy(np.arange(3.0), (3, 0)))
    array = np.arange(12, dtype=np.float32).reshape(4, 3)
    write("npz", "stored", npz(np.savez, x=array))
    write("npz", "deflated", npz(np.savez_compressed, x=array, y=array[0]))
    write("npz", "empty", npz(np.savez))
    write("safetensors", "one", save({"W": array}))
    write("safetensors", "types", save({"W": array.astype(np.float16), "b": array[0] > 1, "i": array.astype(np.int64)}))


def matrices():
    array = np.array([[0, 1.5, 0], [0, 0, 0], [-2, 0, 3]])
    for name in ["csr", "csc", "coo", "bsr"]:
        buffer = io.BytesIO()
        scipy.sparse.save_npz(buffer, scipy.sparse.csr_matrix(array).asformat(name), compressed=name == "csc")
        write("npz_sparse", name, buffer.getvalue())
    buffer = io.BytesIO()
    scipy.sparse.save_npz(buffer, scipy.sparse.coo_array(([1, 2, 3], ([0, 0, 1], [2, 2, 0])), shape=(2, 3)), compressed=False)
    write("npz_sparse", "doubled", buffer.getvalue())
    parts = {"format": b"csr", "shape": [2, 2], "data": [1.0, 2.0], "indices": [1, 0], "indptr": [0, 1, 2]}
    for name, changes in {
        "falling": {"indptr": [0, 2, 1]},
        "outside": {"indices": [1, 2]},
        "huge": {"shape": [2, 1 << 40]},
        "empty-rows": {"format": b"coo", "shape": [1 << 30, 2], "row": [0, 1], "col": [0, 1]},
        "no-values": {"data": [], "indices": np.zeros(0, int), "indptr": [0, 0, 0]},
        "text": {"data": ["a", "b"]},
    }.items():
        write("npz_sparse", name, npz(np.savez, **{key: np.array(part) for key, part in {**parts, **changes}.items()}))


def datasets():
    array = np.arange(12.0).reshape(4, 3)
    write("hdf5", "contiguous", hdf5(lambda file: file.create_dataset("x", data=array)))
    write("hdf5", "packed", hdf5(lambda file: file.create_dataset("x", data=array.astype(">i2"), chunks=(2, 2), compression="gzip")))
    write("hdf5", "bool", hdf5(lambda file: file.create_dataset("x", data=array[0] > 1)))


def models(program):
    with tempfile.TemporaryDirectory() as folder:
        model = pathlib.Path(folder) / "m.safetensors"
        for name, data, options in [
            ("two-units", "diabetes.csv", ["--target", "Diabetic", "--features", "Smoking,Obesity", "--lr", "0.1,1"]),
            ("classes", "digits.csv", ["--target", "digit", "--features", "pixel_2_2,pixel_3_4"]),
        ]:
            command = [program, "train", EXAMPLES / data, *options, "--epochs", "2", "--device", "host", "-q", "-o", model]
            subprocess.run(command, check=True)
            write("model", name, model.read_bytes())
        options = ["--target", "Diabetic", "--features", "Smoking,Obesity", "--optimizer", "adam", "--patience", "10"]
        checkpoint = pathlib.Path(folder) / "c"
        command = [program, "train", EXAMPLES / "diabetes.csv", *options, "--folds", "2", "--epochs", "20", "-q"]
        subprocess.run([*command, "--strategy", "host", "-o", model, "--checkpoint", checkpoint], check=True)
        write("checkpoint", "adam", checkpoint.read_bytes())
        write("checkpoint", "half", checkpoint.read_bytes()[:4000])
    write("model", "no-metadata", save({"W": np.zeros((2, 1), np.float32), "b": np.zeros(1, np.float32)}))


csv()
svmlight()
arrays()
matrices()
datasets()
models(sys.argv[1])
