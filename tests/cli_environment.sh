#!/usr/bin/env bash
# Makes the Python environment of the command line's tests at $1, or leaves it as it is when it is up to date.
set -euo pipefail

env_dir=$1
requirements=$(dirname "$0")/requirements.txt

cmp -s "$requirements" "$env_dir/requirements.txt" && exit 0
python3 -m venv --clear "$env_dir"
"$env_dir/bin/pip" install --quiet --disable-pip-version-check -r "$requirements"
cp "$requirements" "$env_dir/requirements.txt" # last: only a complete environment counts as up to date
