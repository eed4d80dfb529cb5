"""plethron plot: the pictures' data, by the coordinates in the SVG; what is refused; names that would like to be code."""

import csv
import io
import os
import re
import struct
import subprocess
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from conftest import EXAMPLES, PROGRAM, Program

SVG, LINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}href"
SERIES = ["#0b66c3", "#c4520a"]


def rgb(color):
    return "rgb({:3d}, {:3d}, {:3d})".format(*bytes.fromhex(color[1:]))


class Picture:
    """An SVG that gnuplot drew. The coordinates of its data are those of the page: x to the right, y down."""

    def __init__(self, path):
        self.root = ElementTree.parse(path).getroot()
        self.texts = ["".join(text.itertext()) for text in self.root.iter(SVG + "text")]
        self.size = (int(self.root.get("width")), int(self.root.get("height")))

    def plot(self, name):
        """The group of the N-th thing drawn; of several panels "1a", "1b"."""
        (group,) = (g for g in self.root.iter(SVG + "g") if g.get("id") == f"gnuplot_plot_{name}")
        return group

    def points(self, name):
        """Without the one in the legend, which comes last."""
        uses = [use for use in self.plot(name).iter(SVG + "use") if use.get(LINK) == "#gpPt6"]
        return np.array([re.match(r"translate\((.*?),(.*?)\)", use.get("transform")).groups() for use in uses], float)

    def line(self, name, n_legend=2):
        """Without the sample in the legend, which comes first."""
        paths = [re.findall(r"[ML]([\d.-]+),([\d.-]+)", path.get("d")) for path in self.plot(name).iter(SVG + "path")]
        return np.array(sum(paths, []), float)[n_legend:]

    def polygons(self, name):
        """(color, corners) of each."""
        return [
            (p.get("fill"), np.array(re.findall(r"([\d.-]+),([\d.-]+)", p.get("points")), float))
            for p in self.plot(name).iter(SVG + "polygon")
        ]


def assert_linear(values, places, falls=False):
    """The places on the page are a straight function of the values, to a hundredth of a pixel's rounding."""
    slope, start = np.polyfit(values, places, 1)
    assert slope < 0 if falls else slope > 0
    assert np.abs(slope * np.asarray(values) + start - places).max() < 0.03


def write_table(program, name, header, rows):
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    program.write(name, text.getvalue())


SWEEP = (
    "unit,target,class,loss,optimizer,lr,l2,l1,fold,epochs,state,training_loss,training_accuracy,training_auc,"
    "held_out_loss,held_out_accuracy,held_out_auc"
).split(",")
HISTORY = ["epoch", "unit", "error_sum", "loss"]
INTERVALS = ["target", "class", "feature", "weight", "mean", "deviation", "low", "high"]


def history_rows(n_epochs, n_units):
    return [[e, u, 50 / (e + 1 + u), (u + 1) / (e + 2)] for e in range(0, 10 * n_epochs, 10) for u in range(n_units)]


def sweep_row(unit, lr, l2, value, optimizer="gd", state="max epochs"):
    return [unit, "t", "c", "log", optimizer, lr, l2, 0, 0, 9, state, 0.1, 0.9, "", value, 0.8, ""]


def interval_rows():
    return [["t", "c", f"x{k}", w, w, 0.1, w - 0.2, w + 0.3] for k, w in enumerate([0.1, -0.9, 0.7, -0.05])]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A folder with m.safetensors of digits 3, 8 and 9, its history, and the lines of its units as train printed them."""
    program = Program(tmp_path_factory.mktemp("plot"))
    done = program.run(
        "train", EXAMPLES / "digits.csv", "--target", "digit", "--class", "3,8,9", "--standardize", "--lr", "0.5",
        "--epochs", "60", "--auc", "--device", "host", "--history", "h.csv", "-o", "m.safetensors",
    )  # fmt: skip
    units = [line.split() for line in done.stdout.splitlines() if re.match(r" +\d+  digit", line)]
    return program, units


@pytest.fixture(scope="module")
def digits_data():
    """X, digit"""
    with open(EXAMPLES / "digits.csv", newline="") as file:
        rows = np.array([list(map(float, row)) for row in list(csv.reader(file))[1:]])
    return rows[:, :-1], rows[:, -1]


def unit_z(program, data, unit):
    tensors, _ = program.model("m.safetensors")
    return data.astype(float) @ tensors["W"].astype(float)[:, unit] + float(tensors["b"][unit])


# ---- What is drawn ---------------------------------------------------------------------------------------------------


def test_history_of_few_units(program):
    rows = history_rows(40, 3)
    write_table(program, "h.csv", HISTORY, rows)
    program.run("plot", "h.csv", "-o", "h.svg")
    drawn = Picture(program.folder / "h.svg")
    assert {"unit 0", "unit 1", "unit 2", "epoch", "loss", "sum of errors", "Training of 3 units"} <= set(drawn.texts)
    table = np.array(rows)
    for unit in range(3):
        of_unit = table[table[:, 1] == unit]
        for panel, column in (("a", 3), ("b", 2)):
            line = drawn.line(f"{unit + 1}{panel}", n_legend=2 if panel == "a" else 0)
            assert_linear(of_unit[:, 0], line[:, 0])
            assert_linear(np.log(of_unit[:, column]), line[:, 1], falls=True)  # more than a factor of 30: a logarithm


def test_history_of_chosen_units(program):
    write_table(program, "h.csv", HISTORY, history_rows(40, 30))
    program.run("plot", "h.csv", "--unit", "29,4", "-o", "h.svg")
    drawn = Picture(program.folder / "h.svg")
    assert "unit 29" in drawn.texts and "unit 4" in drawn.texts and "median" not in drawn.texts


def test_history_of_many_units(program):
    """The bands are the quantiles of the finite values, and the best unit is the one of the lowest last loss."""
    rows = [[e, u, u - 7, np.nan if u == 5 and e > 200 else 1 + (1 + (u * 7) % 31) / (e + 20)] for e in range(0, 400, 10) for u in range(31)]
    write_table(program, "h.csv", HISTORY, rows[::-1])  # the order of lines does not matter
    program.run("plot", "h.csv", "-o", "h.svg")
    drawn = Picture(program.folder / "h.svg")
    assert {"nine in ten units", "half of the units", "median", "unit 0, the best"} <= set(drawn.texts)
    loss = np.array(rows)[:, 3].reshape(40, 31)
    epochs = np.arange(0, 400, 10)
    median = drawn.line("3a")
    assert_linear(epochs, median[:, 0])
    slope, start = np.polyfit(np.nanmedian(loss, axis=1), median[:, 1], 1)
    assert_linear(np.nanmedian(loss, axis=1), median[:, 1], falls=True)
    for name, low, high in (("1a", 0.05, 0.95), ("2a", 0.25, 0.75)):
        corners = np.concatenate([points for _, points in drawn.polygons(name)[1:]])
        for share in (low, high):
            for epoch, value in zip(median[:, 0], slope * np.nanquantile(loss, share, axis=1) + start):
                assert np.abs(corners - [epoch, value]).max(axis=1).min() < 0.05
    assert_linear(loss[:, 0], drawn.line("4a")[:, 1], falls=True)


def test_history_of_train(model):
    program, _ = model
    program.run("plot", "h.csv", "-o", "h.svg")
    table = program.table("h.csv")
    losses = np.array([float(row["loss"]) for row in table if row["unit"] == "1"])
    line = Picture(program.folder / "h.svg").line("2a")
    assert len(line) == 61 and np.all(np.diff(line[:, 1]) > 0) and np.all(np.diff(losses) < 0)


def test_sweep(program):
    """A cell a combination, as light as it is good; the mean over the units; a frame around the best."""
    values = {(lr, l2): 0.1 + abs(lr - 0.3) + 100 * l2 for lr in (0.1, 0.3, 1.0) for l2 in (0, 0.001)}
    rows = [sweep_row(0, lr, l2, v + d) for (lr, l2), v in values.items() for d in (-0.01, 0.01)]
    write_table(program, "s.csv", SWEEP, rows)
    program.run("plot", "s.csv", "-o", "s.svg")
    drawn = Picture(program.folder / "s.svg")
    cells = drawn.polygons("1a")
    assert len(cells) == 6
    assert {"lr", "l2", "0.1", "0.3", "1", "0", "0.001", "log, gd, l1 0"} <= set(drawn.texts)
    for value in values.values():
        assert f"{value:.4g}" in drawn.texts
    lightness = [np.dot([0.2126, 0.7152, 0.0722], list(map(int, re.findall(r"\d+", color)))) for color, _ in cells]
    in_order = [values[lr, l2] for l2 in (0, 0.001) for lr in (0.1, 0.3, 1.0)]  # as the cells are written
    assert list(np.argsort(lightness)) == list(np.argsort(in_order)[::-1])
    lefts, tops = (np.array([corners[:, axis].min() for _, corners in cells]) for axis in (0, 1))
    assert len(set(np.round(lefts))) == 3 and len(set(np.round(tops))) == 2
    best = np.argmin(in_order)
    frame = [p for p in drawn.root.iter(SVG + "path") if p.get("stroke") == rgb("#c4122f")]
    assert len(frame) == 1
    corners = np.array(re.findall(r"[ML]([\d.-]+),([\d.-]+)", frame[0].get("d")), float)
    assert np.abs(corners.mean(axis=0) - cells[best][1].mean(axis=0)).max() < 20


def test_sweep_of_other_measures_and_panels(program):
    rows = [sweep_row(0, lr, 0, 0.1 * lr, optimizer) for lr in (1, 2) for optimizer in ("gd", "adam", "momentum")]
    write_table(program, "s.csv", SWEEP, rows + [sweep_row(9, 2, 0, "", "adam", "diverged")])
    program.run("plot", "s.csv", "--measure", "held_out_accuracy", "-o", "s.svg")
    texts = Picture(program.folder / "s.svg").texts
    assert {"log, gd, l1 0", "log, adam, l1 0", "log, momentum, l1 0"} <= set(texts)
    assert texts.count("0.8") == 5 and texts.count("-") == 1  # one has diverged
    error = program.fails("plot", "s.csv", "--measure", "held_out_auc", "-o", "s.svg")
    assert error.endswith("s.csv: no combination has a number in column 'held_out_auc'")


def test_a_sweep_is_drawn_as_it_is_ranked(model):
    """The means in the picture are the held-out losses that the sweep prints."""
    program, _ = model
    done = program.run(
        "sweep", EXAMPLES / "diabetes.csv", "--target", "Diabetic", "--features", "Smoking,Obesity,Exercise", "--lr",
        "0.1,1", "--l2", "0.01,0.1", "--folds", "2", "--epochs", "20", "--device", "host", "--table", "s.csv",
    )  # fmt: skip
    losses = [float(line.split()[8]) for line in done.stdout.splitlines() if re.match(r" +\d+  log", line)]
    program.run("plot", "s.csv", "-o", "s.svg")
    texts = Picture(program.folder / "s.svg").texts
    assert len(losses) == 4 and all(f"{loss:.4g}" in texts for loss in losses)


def test_intervals(program):
    write_table(program, "i.csv", INTERVALS, interval_rows() + [["t", "c", "(bias)", 99, 99, 1, 98, 100]])
    program.run("plot", "i.csv", "-o", "i.svg")
    drawn = Picture(program.folder / "i.svg")
    assert "Bootstrap intervals of 4 weights" in drawn.texts and "(bias)" not in drawn.texts
    unsure, sure = drawn.points("2"), drawn.points("4")
    assert len(unsure) == 2 and len(sure) == 2
    places = np.concatenate([unsure, sure])
    assert_linear([0.1, -0.05, -0.9, 0.7], places[:, 0])
    assert_linear([0, 3, 1, 2], places[:, 1])
    slope, start = np.polyfit([0.1, -0.05, -0.9, 0.7], places[:, 0], 1)
    ends = [np.array(re.findall(r"[ML]([\d.-]+),([\d.-]+)", p.get("d")), float) for p in drawn.plot("3").iter(SVG + "path")]
    drawn_ends = sorted(x for path in ends for x in path[:, 0])
    assert np.allclose(drawn_ends, sorted(slope * w + start for w in (-1.1, -0.6, 0.5, 1.0)), atol=0.05)


def test_the_surest_intervals_of_several_units(program):
    rows = [[t, "", f"x{k}", w, w, 0.1, w - 0.2, w + 0.3] for t in "ab" for k, w in enumerate([0.1, -0.9, 0.7])]
    write_table(program, "i.csv", INTERVALS, rows)
    program.run("plot", "i.csv", "--top", "2", "-o", "i.svg")
    assert {"a: x1", "b: x1"} <= set(Picture(program.folder / "i.svg").texts)
    program.run("plot", "i.csv", "--top", "2", "--unit", "1", "-o", "i.svg")
    texts = Picture(program.folder / "i.svg").texts
    assert {"b: x1", "b: x2", "Bootstrap intervals of the 2 surest of 3 weights"} <= set(texts) and "a: x1" not in texts


def test_intervals_of_sweep(model):
    program, _ = model
    program.run(
        "sweep", EXAMPLES / "diabetes.csv", "--target", "Diabetic", "--features", "Smoking,Obesity,Exercise", "--epochs",
        "20", "--folds", "2", "--bootstrap", "20", "--intervals", "i.csv", "--device", "host",
    )  # fmt: skip
    program.run("plot", "i.csv", "-o", "i.svg")
    assert {"Smoking", "Obesity", "Exercise"} <= set(Picture(program.folder / "i.svg").texts)


def test_sigmoid(model, digits_data):
    """Each row at its z, on its side; the curve is the sigmoid."""
    program, units = model
    X, digit = digits_data
    program.run("plot", "m.safetensors", EXAMPLES / "digits.csv", "--unit", "1", "-o", "u.svg")
    drawn = Picture(program.folder / "u.svg")
    z = unit_z(program, X, 1)
    no, yes = drawn.points("1")[:-1], drawn.points("2")[:-1]
    assert len(no) == np.sum(digit != 8) and len(yes) == np.sum(digit == 8)
    assert_linear(np.concatenate([z[digit != 8], z[digit == 8]]), np.concatenate([no, yes])[:, 0])
    curve = drawn.line("3")
    slope, start = np.polyfit(np.concatenate([z[digit != 8], z[digit == 8]]), np.concatenate([no, yes])[:, 0], 1)
    assert_linear(1 / (1 + np.exp(-(curve[:, 0] - start) / slope)), curve[:, 1], falls=True)
    assert yes[:, 1].max() < curve[:, 1].min() and no[:, 1].min() > curve[:, 1].max()  # beyond 1 and 0: there are many
    accuracy = np.mean((z >= 0) == (digit == 8))
    assert f"digit=8: 1797 rows, {100 * accuracy:.2f} % on the right side" in drawn.texts
    assert abs(accuracy - float(units[1][10])) < 1e-3


def test_sigmoid_of_few_rows_and_of_probabilities(program):
    """Few rows stand on their target; the target may be a probability, and may be missing."""
    program.write("p.csv", "x,y\n0,0.2\n1,0.4\n2,0.9\n3,1\n4,\n")
    program.run("train", "p.csv", "--target", "y", "--epochs", "50", "--device", "host", "-o", "p.safetensors")
    program.run("plot", "p.safetensors", "p.csv", "-o", "p.svg")
    drawn = Picture(program.folder / "p.svg")
    points = np.concatenate([drawn.points("1")[:-1], drawn.points("2")[:-1]])
    assert_linear([0, 1, 2, 3], points[:, 0])
    assert_linear([0.2, 0.4, 0.9, 1], points[:, 1], falls=True)


def test_roc(model, digits_data):
    """The areas are those that train measured, and scikit-learn's; so are the curves."""
    program, units = model
    X, digit = digits_data
    program.run("plot", "m.safetensors", EXAMPLES / "digits.csv", "--kind", "roc", "-o", "r.svg")
    drawn = Picture(program.folder / "r.svg")
    for unit, label in enumerate((3, 8, 9)):
        z = unit_z(program, X, unit)
        area = roc_auc_score(digit == label, z)
        assert f"AUC {area:.4f}  digit={label}" in drawn.texts
        assert abs(area - float(units[unit][11])) < 1.1e-4
        false_share, true_share, _ = roc_curve(digit == label, z)
        line = drawn.line(str(unit + 2))
        x = (line[:, 0] - line[0, 0]) / (line[-1, 0] - line[0, 0])
        y = (line[:, 1] - line[0, 1]) / (line[-1, 1] - line[0, 1])
        assert abs(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2) - area) < 2e-3
        corners = np.stack([false_share, true_share], axis=1)
        for corner in corners:  # each lies on the line: near one of its points, in one of the two directions
            assert np.abs(np.stack([x, y], axis=1) - corner).min(axis=1).min() < 2e-3


def test_roc_of_tied_rows_and_of_chosen_units(program):
    """Rows that are alike are one step across; half of it counts."""
    program.write("t.csv", "x,y\n0,0\n0,1\n1,0\n1,1\n1,1\n0,0\n")
    program.run("train", "t.csv", "--target", "y", "--lr", "0.1,1", "--epochs", "9", "--auc", "--device", "host", "-o", "t.safetensors")
    program.run("plot", "t.safetensors", "t.csv", "--kind", "roc", "--unit", "1", "-o", "t.svg")
    drawn = Picture(program.folder / "t.svg")
    assert "AUC 0.6667  y #1" in drawn.texts and len(drawn.line("2")) == 3


def test_entities(program):
    """A unit of an entity is drawn on the rows of its entity."""
    program.run("train", EXAMPLES / "stores.csv", "--target", "returned", "--features", "price,discount,online", "--entity",
                "store", "--epochs", "20", "--device", "host", "-o", "s.safetensors")  # fmt: skip
    program.run("plot", "s.safetensors", EXAMPLES / "stores.csv", "--unit", "5", "-o", "s.svg")
    with open(EXAMPLES / "stores.csv", newline="") as file:
        stores = [row["store"] for row in csv.DictReader(file)]
    drawn = Picture(program.folder / "s.svg")
    n_rows = stores.count(sorted(set(stores))[5])
    assert len(drawn.points("1")) + len(drawn.points("2")) - 2 == n_rows


# ---- How it is drawn -------------------------------------------------------------------------------------------------


def test_png(program):
    write_table(program, "h.csv", HISTORY, history_rows(40, 3))
    program.run("plot", "h.csv", "-o", "h.png")
    content = (program.folder / "h.png").read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">II", content[16:24]) == (800, 560)
    program.run("plot", "h.csv", "--width", "640", "--height", "333", "-o", "h.png")
    assert struct.unpack(">II", (program.folder / "h.png").read_bytes()[16:24]) == (640, 333)


def test_size_title_and_theme(program):
    write_table(program, "h.csv", HISTORY, history_rows(40, 3))
    styles = {}
    for theme in ("auto", "light", "dark"):
        program.run("plot", "h.csv", "--theme", theme, "--width", "999", "--title", "A & <B>", "-o", "h.svg")
        drawn = Picture(program.folder / "h.svg")
        assert drawn.size == (999, 560) and drawn.texts.count("A & <B>") == 1
        assert drawn.root.find(SVG + "title").text == "A & <B>"
        styles[theme] = (program.folder / "h.svg").read_text()
    assert "prefers-color-scheme: dark" in styles["auto"]
    assert all("<style>" not in styles[theme] for theme in ("light", "dark"))
    assert "#fcfcfa" in styles["light"] and "#16181c" in styles["dark"]
    assert rgb(SERIES[0]) in styles["light"] and rgb("#5aa9f5") in styles["dark"]
    # every colour that stands in the picture has its twin for dark screens
    used = set(re.findall(r"(?:stroke|color|fill ?) ?= ?['\"](rgb\(.*?\)|#[0-9a-f]{6})['\"]", styles["auto"].split("</style>")[1]))
    rules = set(re.findall(r"='(rgb\(.*?\)|#[0-9a-f]{6})'\]", styles["auto"].split("</style>")[0]))
    assert used and used <= rules
    program.run("plot", "h.csv", "--title", "", "-o", "h.svg")
    assert Picture(program.folder / "h.svg").root.find(SVG + "title").text is None


def test_pictures_that_are_small(program):
    """What has no room is refused, and no search for room goes on for ever."""
    write_table(program, "h.csv", HISTORY, history_rows(40, 30))
    error = program.fails("plot", "h.csv", "--width", "200", "-o", "h.svg")
    assert error.endswith("200 x 560 pixels leave no room for the axes: a larger --width or --height is needed")
    write_table(program, "s.csv", SWEEP, [sweep_row(0, lr, 0, 0.5, f"o{i}") for lr in range(1, 9) for i in range(24)])
    assert "no room" in program.fails("plot", "s.csv", "--width", "200", "--height", "200", "-o", "s.svg")
    write_table(program, "i.csv", INTERVALS, interval_rows())
    program.run("plot", "i.csv", "--width", "300", "--height", "200", "--title", "long " * 99, "-o", "i.svg")
    drawn = Picture(program.folder / "i.svg")
    assert any(text.startswith("long long") and text.endswith("...") and len(text) < 40 for text in drawn.texts)
    assert drawn.root.find(SVG + "title").text.startswith("long " * 40)


HOSTILE = [
    "`touch pwned`", "$(touch pwned)", "a'b\"c", "<b>&amp; &#x41; &#xZZ; ]]>", "50 % of %g %d %s %%", "x_1^2{/Bold y} @a ~b \\n",
    "line\nbreak\ttab\x01", "ünïcödé 日本", "system('touch pwned')", "!touch pwned", "' ; !touch pwned ; '", "#comment", "@PATH", "\\",
    "\\'", "'5", "'", "\"; system('touch pwned') #", "\\n1", "`", "%", "x" * 500, "-1e999", "END", "\ufffe",
]  # fmt: skip


def shown(name, n_letters):
    """A name as a picture has it: what XML or a line cannot hold as '?', and not too long."""
    letters = ["?" if ord(letter) < 32 or letter == "\ufffe" else letter for letter in name]
    if letters[-1] == "?" and name[-1] == "\ufffe":
        letters[-1:] = "???"  # a byte each
    return "".join(letters[:n_letters]) + ("..." if len(letters) > n_letters else "")


@pytest.mark.parametrize("format", ["svg", "png"])
def test_hostile_names(program, format):
    """Names of features are text, to gnuplot as to the shell and to XML."""
    rows = [["t", "c", name, w, w, 0.1, w - 0.2, w + 0.3] for w, name in enumerate(HOSTILE, 1)]
    write_table(program, "i.csv", INTERVALS, rows)
    before = set(os.listdir(program.folder))
    program.run("plot", "i.csv", "--title", "".join(HOSTILE), "-o", f"i.{format}")
    assert set(os.listdir(program.folder)) == before | {f"i.{format}"}
    if format == "svg":
        texts = Picture(program.folder / "i.svg").texts
        for name in HOSTILE:
            assert shown(name, 32) in texts


def test_bytes_that_are_no_text(program):
    rows = b"".join(b"t,c,%s,1,1,1,0.5,2\n" % name for name in (b"\xff\xfe", b"\xc3", b"\xe2\x82", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80"))
    program.write("i.csv", ",".join(INTERVALS).encode() + b"\n" + rows)
    program.run("plot", "i.csv", "-o", "i.svg")
    assert {"??", "?", "???", "????"} <= set(Picture(program.folder / "i.svg").texts)


def test_settings_of_the_user_change_nothing(program):
    write_table(program, "i.csv", INTERVALS, interval_rows())
    program.run("plot", "i.csv", "-o", "a.svg")
    program.write(".gnuplot", "set title 'mine'\nset terminal dumb\nset output 'elsewhere'\n")
    program.run("plot", "i.csv", "-o", "b.svg", env={"HOME": str(program.folder), "GNUTERM": "dumb", "LC_ALL": "C"})
    assert (program.folder / "a.svg").read_bytes() == (program.folder / "b.svg").read_bytes()


# ---- What is refused -------------------------------------------------------------------------------------------------


def test_without_gnuplot(program):
    write_table(program, "i.csv", INTERVALS, interval_rows())
    program.write("i.svg", "as it was")
    error = program.fails("plot", "i.csv", "-o", "i.svg", env={"PATH": str(program.folder)})
    assert "gnuplot" in error and "apt-get install gnuplot-nox" in error
    assert (program.folder / "i.svg").read_text() == "as it was"
    assert sorted(os.listdir(program.folder)) == ["i.csv", "i.svg"]


@pytest.mark.parametrize("script, text", [("echo 'no such terminal' >&2; exit 3", "(exit code 3): no such terminal"), ("exit 0", "gnuplot failed"), ("kill -9 $$", "(signal 9)")])
def test_a_gnuplot_that_fails(program, script, text):
    write_table(program, "i.csv", INTERVALS, interval_rows())
    (program.folder / "bin").mkdir()
    program.write("bin/gnuplot", f"#!/bin/sh\n{script}\n").chmod(0o755)
    error = program.fails("plot", "i.csv", "-o", "i.svg", env={"PATH": f"{program.folder}/bin:/usr/bin:/bin"})
    assert text in error and not (program.folder / "i.svg").exists()


@pytest.mark.parametrize(
    "arguments, text",
    [
        ([], "needs FILE"),
        (["i.csv"], "-o PICTURE is missing"),
        (["i.csv", "-o", "i.jpg"], "-o 'i.jpg' ends in neither .svg nor .png"),
        (["i.csv", "-o", "svg"], "-o 'svg' ends in neither .svg nor .png"),
        (["i.svg", "-o", "i.svg"], "-o 'i.svg' would overwrite FILE"),
        (["i.csv", "d.svg", "-o", "d.svg"], "-o 'd.svg' would overwrite DATA"),
        (["i.csv", "-o", "i.svg", "--kind", "pie"], "--kind 'pie' is none of history, sweep, intervals, sigmoid, roc"),
        (["i.csv", "-o", "i.svg", "--theme", "pink"], "--theme 'pink' is none of auto, light, dark"),
        (["i.csv", "-o", "i.svg", "--measure", "loss"], "--measure 'loss' is none of held_out_loss"),
        (["i.csv", "-o", "i.svg", "--unit", "1,-1"], "--unit '-1' is not a whole number"),
        (["i.csv", "-o", "i.svg", "--unit", "1,x"], "--unit 'x' is not a whole number"),
        (["i.csv", "-o", "i.svg", "--unit", "0,1,2,3,4,5,6,7,8,9,10"], "--unit names 11 units"),
        (["i.csv", "-o", "i.svg", "--top", "0"], "--top '0'"),
        (["i.csv", "-o", "i.svg", "--width", "10"], "--width '10' is not a whole number from 200 to 10000"),
        (["i.csv", "-o", "i.svg", "--height", "1e3"], "--height '1e3'"),
        (["i.csv", "a", "b", "-o", "i.svg"], "one argument too many"),
        (["i.csv", "-o", "i.svg", "--color"], "unknown or ambiguous option '--color'"),
    ],
)
def test_usage(program, arguments, text):
    done = program.run("plot", *arguments, code=2)
    assert text in done.stderr and done.stdout == ""


def test_help(program):
    assert "plot" in program.run("--help").stdout
    assert "--kind roc" in program.run("plot", "--help").stdout


@pytest.mark.parametrize(
    "content, arguments, text",
    [
        ("", [], "f.csv"),
        ("a,b\n1,2\n", [], "f.csv: is no model and has not the columns of a history (epoch, unit, error_sum, loss)"),
        ("a,b\n1,2\n", ["--kind", "history"], "epoch"),
        ("a,b\n1,2\n", ["--kind", "sweep"], "lr"),
        ("a,b\n1,2\n", ["--kind", "intervals"], "target"),
        ("a,b\n1,2\n", ["--kind", "roc"], "f.csv"),
        ("epoch,unit,error_sum,loss\n", [], "f.csv"),
        ("epoch,unit,error_sum,loss\n0,0,nan,nan\n", [], "no loss and no error sum of these units is a finite number"),
        ("epoch,unit,error_sum,loss\n0,,1,1\n", [], "f.csv: row 1 has no unit"),
        ("epoch,unit,error_sum,loss\nnan,0,1,1\n", [], "f.csv: row 1 has no epoch"),
        ("epoch,unit,error_sum,loss\n0,0,1,much\n", [], "much"),
        ("epoch,unit,error_sum,loss\n0,0,1,1\n", ["--unit", "3"], "f.csv: holds no unit 3"),
        (",".join(SWEEP) + "\n", [], "f.csv"),
        (",".join(SWEEP) + "\n0,t,c,log,gd,,0,0,0,9,max epochs,1,1,,1,1,\n", [], "f.csv: row 1 has no lr"),
        (",".join(SWEEP) + "\n0,t,c,log,gd,1,0,0,0,9,diverged,,,,,,\n", [], "no combination has a number in column 'held_out_loss'"),
        (",".join(INTERVALS) + "\n", [], "f.csv"),
        (",".join(INTERVALS) + "\nt,c,x,1,1,1,,\n", [], "f.csv: no weight of these units has an interval"),
        (",".join(INTERVALS) + "\nt,c,x,1,1,1,0,2\n", ["--unit", "1"], "f.csv: holds no unit 1; it has the units 0 to 0"),
        (",".join(INTERVALS) + "\nt,c,x,1,1,1,0,2\n", ["d.csv"], "f.csv: intervals are drawn without DATA"),
    ],
)
def test_bad_tables(program, content, arguments, text):
    program.write("f.csv", content)
    assert text in program.fails("plot", "f.csv", *arguments, "-o", "f.svg")
    assert sorted(os.listdir(program.folder)) == ["f.csv"]


def test_too_many_panels(program):
    write_table(program, "s.csv", SWEEP, [sweep_row(0, 1, 0, 0.5, f"o{i}") for i in range(25)])
    assert "s.csv: holds 25 combinations of loss, optimizer and l1: at most 24" in program.fails("plot", "s.csv", "-o", "s.svg")


def test_bad_files(model):
    program, _ = model
    digits = EXAMPLES / "digits.csv"
    assert "missing.csv" in program.fails("plot", "missing.csv", "-o", "x.svg")
    assert "nowhere/x.svg" in program.fails("plot", "h.csv", "-o", "nowhere/x.svg")
    assert "DATA to draw it on is missing" in program.fails("plot", "m.safetensors", "-o", "x.svg")
    assert "missing.csv" in program.fails("plot", "m.safetensors", "missing.csv", "-o", "x.svg")
    assert "has no unit 3; it has the units 0 to 2" in program.fails("plot", "m.safetensors", digits, "--unit", "3", "-o", "x.svg")
    assert "a sigmoid is drawn of one" in program.fails("plot", "m.safetensors", digits, "--unit", "0,1", "-o", "x.svg")
    assert "pixel_0_0" in program.fails("plot", "m.safetensors", EXAMPLES / "people.csv", "-o", "x.svg")
    assert "has no unit 9" in program.fails("plot", "m.safetensors", digits, "--unit", "0,9", "--kind", "roc", "-o", "x.svg")
    assert not (program.folder / "x.svg").exists()


def test_bad_data(model):
    """A value that is no number, classes that the model does not know, and rows of one side only."""
    program, _ = model
    with open(EXAMPLES / "digits.csv", newline="") as file:
        header, *rows = list(csv.reader(file))[:20]
    write_table(program, "nan.csv", header, [["nan", *rows[0][1:]], *rows[1:]])
    assert "nan.csv" in program.fails("plot", "m.safetensors", "nan.csv", "-o", "x.svg")
    write_table(program, "other.csv", header, [[*row[:-1], "17"] for row in rows])
    assert "'digit' holds none of the model's classes" in program.fails("plot", "m.safetensors", "other.csv", "-o", "x.svg")
    write_table(program, "one.csv", header, [[*row[:-1], "3"] for row in rows])
    assert "all rows are on one side for unit 0" in program.fails("plot", "m.safetensors", "one.csv", "-k", "roc", "-o", "x.svg")
    write_table(program, "none.csv", header, [[*row[:-1], ""] for row in rows])
    assert "none.csv" in program.fails("plot", "m.safetensors", "none.csv", "-o", "x.svg")


def test_standard_input(program):
    write_table(program, "i.csv", INTERVALS, interval_rows())
    program.run("plot", "i.csv", "-o", "a.svg")
    done = subprocess.run([str(PROGRAM), "plot", "-", "-o", "b.svg"], cwd=program.folder, input=(program.folder / "i.csv").read_bytes())
    assert done.returncode == 0
    assert (program.folder / "a.svg").read_bytes() == (program.folder / "b.svg").read_bytes()
