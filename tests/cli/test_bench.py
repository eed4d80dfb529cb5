"""plethron bench on small shapes: what it refuses, what it writes. Nothing here passes or fails on a time."""

import html.parser
import json
import math
import os
import re
import xml.etree.ElementTree as ElementTree

import pytest

SMALL = ["--shape", "300,7,5,3", "--device", "host"]


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    """A folder with b.json of a small run, what the run printed, and the document."""
    from conftest import Program

    program = Program(tmp_path_factory.mktemp("bench"))
    done = program.run("bench", *SMALL, "--json", "b.json")
    return program, done, json.loads((program.folder / "b.json").read_text())


def test_list(program):
    lines = program.run("bench", "--list").stdout.splitlines()
    names = [line.split()[0] for line in lines]
    for name in ("train-many", "train-ten", "train-one", "train-one-f16", "train-one-u8", "predict-one", "predict-many", "tiny", "seed", "sweep", "entities"):
        assert name in names


@pytest.mark.parametrize(
    "arguments, text",
    [
        (["--device", "nosuch"], "no device matches 'nosuch'"),
        (["--device", "host,nosuch"], "no device matches 'nosuch'"),
        (["--json", "nowhere/b.json"], "nowhere/b.json"),
        (["--report", "nowhere/b.html"], "nowhere/b.html"),
        (["--compare", "missing.json"], "missing.json"),
        (["--from", "missing.json"], "missing.json"),
    ],
)
def test_fails_at_once(program, arguments, text):
    assert text in program.fails("bench", *arguments)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"format": "plethron-bench", "version": 1, "rows": [3]}', '{"format": "plethron-bench", "version": 2, "rows": []}', '{"rows": []}', "\x00"]
)
def test_no_document(program, content):
    program.write("old.json", content)
    assert "old.json" in program.fails("bench", "--from", "old.json")


@pytest.mark.parametrize(
    "arguments, text",
    [
        (["--case", "nosuch"], "there is no case 'nosuch'"),
        (["--shape", "1,2"], "--shape '1,2'"),
        (["--shape", "1,0,2"], "--shape '1,0,2'"),
        (["--shape", "1,2,3,4,5"], "--shape '1,2,3,4,5'"),
        (["--shape", "1,2,3,-1"], "--shape '1,2,3,-1'"),
        (["--shape", "1,2,x"], "--shape '1,2,x'"),
        (["--shape", "99999999999999999999,2,3"], "--shape"),
        (["--shape", "5,2,3", "--case", "tiny"], "exclude each other"),
        (["--json", "a", "--report", "a"], "--json and --report are both 'a'"),
        (["--seed", "-1"], "--seed '-1'"),
        (["surplus"], "'surplus' is one argument too many"),
    ],
)
def test_usage(program, arguments, text):
    done = program.run("bench", *arguments, code=2)
    assert text in done.stderr and done.stdout == ""


def test_too_large(program):
    """Memory that nobody has is an error, not a crash."""
    done = program.run("bench", "--shape", "2000000000,2000000000,1", "--device", "host", code=1)
    assert "not enough memory" in done.stderr.splitlines()[-1]


def test_document(document):
    _, _, written = document
    assert written["format"] == "plethron-bench" and written["version"] == 1 and written["seed"] == 1
    assert written["machine"]["cores"] >= 1
    (device,) = written["devices"]
    assert device["selector"] == "host"
    assert all(value > 0 for value in device["ceilings"].values())


def test_rows(document):
    _, _, written = document
    rows = {row["device"]: row for row in written["rows"]}
    assert {"host", "scalar"} <= set(rows)
    for row in rows.values():
        assert (row["n_samples"], row["n_features"], row["epochs"]) == (300, 7, 3)
        assert 0 <= row["verified_error"] < 1e-4
        flops = 4 * 300 * 7 * row["n_units"] * 3
        assert math.isclose(row["gflops"], flops / row["seconds"]["device"] / 1e9, rel_tol=1e-3)
        assert math.isclose(
            row["speedup_over"]["host"], row["gflops"] / rows["host"]["gflops"], rel_tol=1e-3
        )  # fmt: skip
        assert row["bound"] in ("fma", "read", "latency")
    host = rows["host"]
    assert host["n_units"] == 5 and host["strategy"] and host["plan"]
    assert host["seconds"]["cold"] > 0 and host["seconds"]["warm"] > 0
    for name in ("device", "end_to_end"):
        low, high = host["spread"][name]
        assert low <= host["seconds"][name] <= high
    assert host["seconds"]["end_to_end"] >= host["seconds"]["upload"]


def test_table(document):
    _, done, written = document
    assert done.stderr.count("bench: ") >= 1
    for row in written["rows"]:
        assert any(line.split()[:2] == [row["case"], row["device"]] for line in done.stdout.splitlines())


def test_ratios_to_itself(document):
    program, _, written = document
    done = program.run("bench", "--from", "b.json", "--compare", "b.json")
    ratios = done.stdout[done.stdout.index("Against b.json") :].splitlines()[1:]
    assert len(ratios) == len(written["rows"])
    assert all(" 1.00x " in line and line.endswith("within the noise") for line in ratios)


def test_ratios_outside_the_noise(document):
    program, _, written = document
    old = json.loads(json.dumps(written))
    (host,) = (row for row in old["rows"] if row["device"] == "host")
    host["gflops"] /= 1e6  # beyond any noise
    old["rows"] = [host]
    program.write("slow.json", json.dumps(old))
    done = program.run("bench", "--from", "b.json", "--compare", "slow.json")
    assert any("host" in line and line.endswith("faster") for line in done.stdout.splitlines())
    assert any("scalar" in line and line.endswith("is not in it") for line in done.stdout.splitlines())


def test_peers_are_added(document):
    program, _, written = document
    peer = dict(written["rows"][0], device="numpy")
    program.write("peers.json", json.dumps(dict(written, rows=[peer], baselines={"numpy": "2.0"})))
    program.run("bench", "--from", "b.json", "--peers", "peers.json", "--json", "all.json")
    merged = json.loads((program.folder / "all.json").read_text())
    assert [row["device"] for row in merged["rows"]] == [row["device"] for row in written["rows"]] + ["numpy"]
    assert merged["baselines"]["numpy"] == "2.0"


class Page(html.parser.HTMLParser):
    """Counts tags, and checks that every one that must be closed is."""

    FREE = {"meta", "li", "th", "td", "tr", "p"}

    def __init__(self):
        super().__init__()
        self.open, self.count, self.text = [], {}, ""

    def handle_starttag(self, tag, attributes):
        self.count[tag] = self.count.get(tag, 0) + 1
        if tag not in self.FREE:
            self.open.append(tag)
        for name, value in attributes:
            assert name not in ("src", "href"), "the page needs something from elsewhere"
            assert "nan" not in (value or "").split(",") and "inf" not in (value or ""), (tag, name, value)

    def handle_endtag(self, tag):
        if tag not in self.FREE:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def read_page(path):
    page = Page()
    page.feed(path.read_text())
    assert page.open == []
    return page


SVG = "{http://www.w3.org/2000/svg}"


def read_pictures(path):
    """(title, root) of every picture in the page."""
    roots = map(ElementTree.fromstring, re.findall(r"<svg.*?</svg>", path.read_text(), re.S))
    return [(root.find(SVG + "title").text, root) for root in roots]


def texts(picture):
    return {"".join(text.itertext()) for text in picture.iter(SVG + "text")}


def points(picture):
    transforms = (use.get("transform") for use in picture.iter(SVG + "use"))
    found = (re.match(r"translate\((.*?),(.*?)\) scale", text or "") for text in transforms)
    return [tuple(map(float, match.groups())) for match in found if match]


def test_report(document):
    """A page whose every picture has its bars, and which says who wins; with hostile names, and curves made up."""
    program, _, written = document
    made_up = json.loads(json.dumps(written))
    (host,) = (row for row in written["rows"] if row["device"] == "host")
    for size, seconds, blas in ((1, 0.001, 0.0005), (16, 0.002, 0.0015), (256, 0.02, 0.04)):
        made_up["rows"].append(dict(host, case=f"units-{size}", seconds={"end_to_end": seconds}))
        made_up["rows"].append(dict(host, case=f"units-{size}", device="openblas", seconds={"end_to_end": blas}))
        made_up["rows"].append(dict(host, case=f"samples-{size}", seconds={"end_to_end": seconds}))
        made_up["rows"].append(dict(host, case=f"samples-{size}", device="openblas", seconds={"end_to_end": 1}))
    made_up["rows"].append(dict(host, device="<peer> & \"co\"", gflops=1e6, seconds={"end_to_end": 1e-9}))
    made_up["rows"].append(dict(host, case="fit", device="other", gflops=None, seconds={"end_to_end": 2.0}))
    made_up["rows"].append(dict(host, case="large", bound="fma"))
    program.write("made-up.json", json.dumps(made_up))
    program.run("bench", "--from", "made-up.json", "--report", "r.html")
    page = read_page(program.folder / "r.html")
    assert (program.folder / "r.html").read_text().count("<style>") == 1
    assert '<peer> & "co" wins' in page.text
    # 16 * 16^f units, f = log(0.002 / 0.0015) / (log(0.002 / 0.0015) - log(0.02 / 0.04)): lines between logarithms
    assert "host overtakes openblas at about 36 units." in page.text
    assert "host is faster than openblas at every size measured." in page.text
    pictures = read_pictures(program.folder / "r.html")
    bars = [picture for title, picture in pictures if title == host["case"]]
    assert len(bars) == 1 and len(list(bars[0].iter(SVG + "polygon"))) == len(written["rows"]) + 1
    assert '<peer> & "co"' in texts(bars[0])
    (fit,) = (picture for title, picture in pictures if title == "fit")
    assert len(list(fit.iter(SVG + "polygon"))) == 1 and {"other", "2 s"} <= texts(fit)
    (curve,) = (picture for title, picture in pictures if title == "units")
    assert len(points(curve)) == 2 * (3 + 1)  # and one in the legend
    assert {"host", "openblas", "units", "seconds from end to end"} <= texts(curve)
    x, y = zip(*points(curve)[:3])
    assert math.isclose(x[1] - x[0], x[2] - x[1], abs_tol=0.03)  # logarithms: 1, 16, 256 units
    assert math.isclose((y[0] - y[1]) / (y[1] - y[2]), math.log(2) / math.log(10), rel_tol=1e-3)  # 0.001, 0.002, 0.02 s
    (roof,) = (picture for title, picture in pictures if title == "roofline")
    assert len(points(roof)) == 1 and "large" in texts(roof)


def test_a_longer_bar_is_faster(document):
    program, _, written = document
    program.run("bench", "--from", "b.json", "--report", "r.html")
    ((_, picture),) = (p for p in read_pictures(program.folder / "r.html") if p[0] == written["rows"][0]["case"])
    rates = sorted((row["gflops"] for row in written["rows"]), reverse=True)
    bars = [[float(corner.split(",")[0]) for corner in bar.get("points").split()] for bar in picture.iter(SVG + "polygon")]
    lengths = [max(x) - min(x) for x in bars]
    assert all(abs(length / lengths[0] - max(rate / rates[0], 0.002)) < 1e-3 for length, rate in zip(lengths, rates))


def test_report_without_gnuplot(document):
    """The page is whole, and says what it lacks."""
    program, _, written = document
    done = program.run("bench", "--from", "b.json", "--report", "n.html", env={"PATH": str(program.folder)})
    assert "gnuplot" in done.stderr and "the report will have no pictures" in done.stderr
    page = read_page(program.folder / "n.html")
    assert "The pictures are missing: gnuplot" in page.text and "svg" not in page.count
    assert all(row["device"] in page.text for row in written["rows"])


def test_plot(document):
    """The part of its ceiling that each row of a device reaches."""
    program, _, written = document
    (host,) = (row for row in written["rows"] if row["device"] == "host")
    shares = {"a": 0.5, "b": 0.25, "tiny": None, "units-3": 0.75}  # of the last two no bars
    rows = [dict(host, case=case, bound="fma", fraction_of_ceiling=share) for case, share in shares.items()]
    program.write("large.json", json.dumps(dict(written, rows=[*rows, dict(rows[0], device="numpy")])))
    program.run("plot", "large.json", "-o", "b.svg")
    picture = ElementTree.parse(program.folder / "b.svg").getroot()
    bars = [[float(corner.split(",")[0]) for corner in bar.get("points").split()] for bar in picture.iter(SVG + "polygon")]
    lengths = [max(x) - min(x) for x in bars]
    assert len(lengths) == 2 and math.isclose(lengths[0], 2 * lengths[1], abs_tol=0.1)
    assert {"a, host", "b, host", "0.50 of fma", "0.25 of fma"} <= texts(picture)
    program.write("none.json", json.dumps(dict(written, rows=[])))
    assert "none.json: no row of a device" in program.fails("plot", "none.json", "-o", "n.svg")
    program.write("other.json", '{"a": 1}')
    assert "other.json" in program.fails("plot", "other.json", "-o", "n.svg")
    assert "drawn without DATA" in program.fails("plot", "b.json", "b.json", "-o", "n.svg")
    assert "n.svg" not in os.listdir(program.folder)


@pytest.mark.parametrize("rows", [[], [{}], [{"case": "a"}], [{"case": "a", "device": "b", "gflops": 0}]])
def test_report_of_little(program, rows):
    program.write("little.json", json.dumps({"format": "plethron-bench", "version": 1, "rows": rows}))
    program.run("bench", "--from", "little.json", "--report", "r.html")
    read_page(program.folder / "r.html")


def test_prediction(program):
    program.run("bench", "--shape", "1000,9,33,0", "--json", "p.json")
    rows = json.loads((program.folder / "p.json").read_text())["rows"]
    for row in rows:
        assert row["epochs"] == 0 and 0 <= row["verified_error"] < 1e-5
        assert math.isclose(
            row["gflops"], 2 * 1000 * 9 * row["n_units"] / row["seconds"]["end_to_end"] / 1e9, rel_tol=1e-3
        )  # fmt: skip


def test_ceilings_alone(program):
    program.run("bench", "--case", "ceilings", "--json", "c.json", "--device", "host")
    assert json.loads((program.folder / "c.json").read_text())["rows"] == []


def test_every_device(program):
    """The default device and the host run the same shape to the same result."""
    program.run("bench", "--shape", "500,9,33,4", "--no-starts", "--json", "d.json")
    rows = json.loads((program.folder / "d.json").read_text())["rows"]
    assert {"host", "scalar"} <= {row["device"] for row in rows}
    assert all(0 <= row["verified_error"] < 1e-4 for row in rows)
