"""Makes one document, as plethron bench writes them, of the rows in files: document.py OUTPUT ROWS..., a row a line."""

import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import sys

PACKAGES = ("numpy", "scipy", "scikit-learn", "torch", "jax", "jaxlib", "liblinear-official")


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown"


def versions():
    for package in PACKAGES:
        try:
            yield package, importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            pass


def blas():
    from threadpoolctl import threadpool_info

    import numpy  # noqa: F401  its libraries are what is asked for

    return "; ".join(
        f"{pool.get('internal_api')} {pool.get('version')} for {pool.get('architecture')}, {pool['num_threads']} threads"
        for pool in threadpool_info()
        if pool["user_api"] == "blas"
    )


def main(output, files):
    rows = [json.loads(line) for file in files for line in pathlib.Path(file).read_text().splitlines()]
    installed = dict(versions())
    document = {
        "format": "plethron-bench",
        "version": 1,
        "plethron": "",
        "commit": "",
        "created": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "seed": 1,
        "machine": {
            "processor": processor(),
            "cores": os.cpu_count(),
            "memory_bytes": float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGESIZE")),
            "system": platform.system(),
            "environment": {},
        },
        "devices": [],
        "baselines": {**installed, "numpy": f"{installed.get('numpy')} with {blas()}", "python": platform.python_version()},
        "rows": rows,
    }
    temporary = pathlib.Path(f"{output}.new")
    temporary.write_text(json.dumps(document, indent=2) + "\n")
    temporary.replace(output)
    print(f"{len(rows)} rows in {output}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
