#!/usr/bin/env bash
# Measures what others do on the cases of plethron bench, on this machine's CPU: numpy, PyTorch and JAX run the same epochs
# of the same gradient in f32; scikit-learn and LIBLINEAR fit whole models to the same objective. Results are checked
# before times are kept. Writes one document, for `plethron bench --peers FILE`. Takes some ten minutes on two cores, after
# the packages are installed.
#
# Usage: bench/peers/run.sh [-o FILE] [--without-torch]      default: build/peers.json
#
# The packages come from PyPI into PLETHRON_PEERS_ENV (default: build/peers-env). PyPI's PyTorch for x86-64 is built with
# CUDA, of which the CPU part is used: 6 GB on disk. It is left out, with a word, where less than 12 GB are free.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
environment=${PLETHRON_PEERS_ENV:-$root/build/peers-env}
output=$root/build/peers.json
torch=yes
while (($#)); do
    case $1 in
    -o)
        output=${2:?"-o needs a file"}
        shift 2
        ;;
    --without-torch)
        torch=no
        shift
        ;;
    *)
        echo "usage: run.sh [-o FILE] [--without-torch]; '$1' is neither" >&2
        exit 2
        ;;
    esac
done
touch "$output" || exit 1

# OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE make a current numpy slower; its own choice is what is measured.
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE OMP_NUM_THREADS
export PYTHONDONTWRITEBYTECODE=1 JAX_PLATFORMS=cpu CUDA_VISIBLE_DEVICES=""

mkdir -p "$(dirname "$environment")"
[[ -x $environment/bin/python ]] || python3 -m venv "$environment"
install() { "$environment/bin/python" -m pip install -q --disable-pip-version-check "$@"; }
install numpy scikit-learn threadpoolctl
peers=(numpy)
if install jax; then peers+=(jax jax-vmap); else echo "JAX cannot be installed here: left out"; fi
free_gb=$(df -P -B 1000000000 "$environment" | awk 'NR == 2 { print $4 }')
if [[ $torch == yes ]] && ! "$environment/bin/python" -c "import torch" 2>/dev/null; then
    if ((free_gb < 12)); then
        echo "PyTorch needs 6 GB and leaves too little of the $free_gb GB that are free: left out"
        torch=no
    elif ! install torch; then
        echo "PyTorch cannot be installed here: left out"
        torch=no
    fi
fi
[[ $torch == no ]] || peers+=(torch torch-vmap)
install liblinear-official || echo "LIBLINEAR cannot be installed here (it needs a C++ compiler): left out"

# A process each, so that no peer's threads wait beside another's.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for peer in "${peers[@]}"; do
    timeout 200 "$environment/bin/python" "$here/throughput.py" "$peer" >"$work/$peer.rows" ||
        echo "$peer ended early: what it had finished is kept"
done
timeout 200 "$environment/bin/python" "$here/fits.py" "$root/examples/digits.csv" >"$work/fits.rows" ||
    echo "the fits ended early: what they had finished is kept"
"$environment/bin/python" "$here/document.py" "$output" "$work"/*.rows
