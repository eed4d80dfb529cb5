#!/usr/bin/env bash
# Compares the ceilings of plethron bench with those that others find on the same device in the same minute: clpeak, and
# a loop like STREAM's in C with OpenMP. Needs a quiet machine: it takes the better of two rounds of each.
#
# Usage: bench/check_ceilings.sh [DEVICE [CLPEAK_PLATFORM [CLPEAK_DEVICE]]]      default: cpu 0 0
#
# Within 10%: the read bandwidth of the host, and of a CPU device, and the stream loop; copies and clpeak's.
# Against clpeak on a CPU the fma rate and the read bandwidth must only not be lower: its kernels are chains of mad() that
# wait for one another, which no CPU fills its units with. On a GPU they must agree within 10%.
# The launches are shown without a verdict: clpeak counts from the queue to the kernel's start, plethron to its end.
# Exit code: 0 they agree, 1 they do not, 77 clpeak or a compiler is missing.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
plethron=${PLETHRON:-$root/build/plethron}
device=${1:-cpu}
platform_number=${2:-0}
device_number=${3:-0}

for tool in clpeak cc python3; do
    command -v "$tool" >/dev/null || { echo "skipped: $tool is not here (Debian: clpeak gcc python3)"; exit 77; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cc -O3 -march=native -ffast-math -fopenmp "$root/bench/stream_read.c" -o "$work/stream_read"

for round in 1 2; do
    "$plethron" bench --case ceilings --device "$device,host" --json "$work/ours-$round.json" >/dev/null 2>&1
    "$work/stream_read" >"$work/stream-$round"
    clpeak -p "$platform_number" -d "$device_number" --compute-sp --global-bandwidth --transfer-bandwidth \
        --kernel-latency >"$work/clpeak-$round"
done
python3 -B - "$work" <<'END'
import json, pathlib, re, sys

work = pathlib.Path(sys.argv[1])
rounds = (1, 2)


def ours(device, key, best=max):
    return best(json.loads((work / f"ours-{r}.json").read_text())["devices"][device]["ceilings"][key] for r in rounds)


def clpeak(part, best=max):
    """The best number of the lines after a heading, or on a line."""
    found = []
    for r in rounds:
        text = (work / f"clpeak-{r}").read_text()
        lines = re.search(part + r"[^\n:]*(?::([^\n]*)|\n((?:      \S[^\n]*\n)+))", text)
        found += [float(number) for number in re.findall(r":? *([0-9.]+)(?: us)?\s*$", lines[1] or lines[2], re.M)]
    return best(found)


kind = json.loads((work / "ours-1.json").read_text())["devices"][0]["kind"]
stream = max(float((work / f"stream-{r}").read_text()) for r in rounds)
gpu = kind == "gpu"
# name, ours, theirs, and the ratio's bounds
least, around, any_ratio = (0.9, float("inf")), (0.9, 1.1), (0, float("inf"))
by_kind = around if gpu else least
rows = [("host reads, stream loop", ours(1, "read_bytes_per_s") / 1e9, stream / 1e9, around)]
if not gpu:
    rows.append(("device reads, stream loop", ours(0, "read_bytes_per_s") / 1e9, stream / 1e9, around))
rows += [
    ("device reads, clpeak", ours(0, "read_bytes_per_s") / 1e9, clpeak("Global memory bandwidth"), by_kind),
    ("fma, clpeak", ours(0, "fma_flops_per_s") / 1e9, clpeak("Single-precision compute"), by_kind),
    ("upload, clpeak", ours(0, "upload_bytes_per_s") / 1e9, clpeak("enqueueWriteBuffer "), around),
    ("download, clpeak", ours(0, "download_bytes_per_s") / 1e9, clpeak("enqueueReadBuffer "), around),
    ("launches a second, clpeak", 1 / ours(0, "launch_s", min), 1e6 / clpeak("Kernel launch latency", min), any_ratio),
]
failed = False
for name, mine, theirs, (low, high) in rows:
    ratio = mine / theirs
    well = low <= ratio <= high
    failed = failed or not well
    verdict = "-" if (low, high) == any_ratio else "agrees" if well else "DIFFERS"
    print(f"{name:<28} {mine:10.2f} {theirs:10.2f}   ratio {ratio:5.2f}  {verdict}")
sys.exit(failed)
END
