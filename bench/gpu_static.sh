#!/usr/bin/env bash
# Proof for GPUs without a GPU: compiles every program that the library would build on a GPU (build/kernel_plans prints
# them) with the GPU compilers that are here, and prints a row a kernel and target: registers, spills, scratch, local
# memory, occupancy, the share of fma in the hottest block, its 16-byte loads from local memory. These are what the
# compiler made, not speed.
#
# Usage: bench/gpu_static.sh [KERNEL_PLANS]      default: build/kernel_plans; build it with
#        cmake -S . -B build && cmake --build build --target kernel_plans
#
#   nvptx64, sm_80, sm_90   clang-19 with libclc-19 or clang-15 with libclc-15 (the two libclc exclude each other);
#                           registers, spills and occupancy need ptxas of CUDA 12 or newer on PATH or in PTXAS; with
#                           nvdisasm beside it the machine's own instructions are counted instead of PTX
#   gfx90a, gfx1100         the same compilers; clang-15 reports spills on gfx11 that newer ones do not make, so
#                           gfx1100 needs clang-19
#
# Exit code: 0 all well, or nothing could be compiled here; 1 a kernel has spills, scratch or an unresolved call, does not
# compile, or a file of kernels/ is in no program; 2 usage.
#
# A new strategy: its name into `strategies` in bench/kernel_plans.c, nothing here.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
plans=${1:-$root/build/kernel_plans}
libclc=/usr/lib/clc

if (($# > 1)) || [[ ! -x $plans ]]; then
    echo "usage: gpu_static.sh [KERNEL_PLANS]; '$plans' is no program: cmake --build build --target kernel_plans" >&2
    exit 2
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# compile COMPILER TARGET SOURCE OUTPUT OPTION...
compile() {
    local compiler=$1 target=$2 source=$3 output=$4 bitcode machine
    shift 4
    case $target in
    nvptx64)
        bitcode=$libclc/nvptx64--nvidiacl.bc
        machine=(-target nvptx64-nvidia-cuda -Xclang -target-cpu -Xclang sm_80 -Xclang -target-feature -Xclang +ptx75)
        ;;
    *)
        bitcode=$libclc/amdgcn--amdhsa.bc
        machine=(-target amdgcn-amd-amdhsa "-mcpu=$target")
        ;;
    esac
    "$compiler" -x cl -O3 -w "${machine[@]}" -nogpulib -Xclang -finclude-default-header \
        -Xclang -mlink-builtin-bitcode -Xclang "$bitcode" "$@" -S -o "$output" "$source"
}

# The compiler whose version matches the installed libclc, newest first.
find_compiler() {
    local candidate
    echo '__kernel void probe(__global float *x_g) { x_g[get_global_id(0)] = fabs(x_g[0]); }' >"$work/probe.cl"
    for candidate in clang-19 clang-15; do
        command -v "$candidate" >/dev/null || continue
        if compile "$candidate" gfx90a "$work/probe.cl" "$work/probe.s" -cl-std=CL1.2 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
}

compiler=$(find_compiler)
if [[ -z $compiler ]]; then
    echo "skipped: no GPU compiler here; Debian's packages clang-19 and libclc-19 (or clang-15 and libclc-15) bring one"
    exit 0
fi
targets=(nvptx64 gfx90a)
if [[ $compiler == clang-19 ]]; then
    targets+=(gfx1100)
else
    echo "gfx1100 is left out: clang-19 and libclc-19 are needed"
fi
ptxas=${PTXAS:-$(command -v ptxas || true)}
nvdisasm=$([[ -z $ptxas ]] || command -v "$(dirname "$ptxas")/nvdisasm" || true)
[[ -n $ptxas ]] || echo "registers on NVIDIA are left out: ptxas (CUDA, or the package nvidia-cuda-nvcc of PyPI) is not on PATH"
echo "compiled by $("$compiler" --version | head -n 1)${ptxas:+, $("$ptxas" --version | grep -o 'release [0-9.]*')}"

mkdir "$work/programs"
"$plans" "$work/programs" >"$work/launches" 2>"$work/legend"

# One job a program and target: its listing, and for NVIDIA a log of ptxas for each architecture.
# shellcheck disable=SC2317 # xargs calls it
one_program() {
    local number=$1 target=$2 options architecture base=$work/programs/$1-$2
    options=$(awk -F '\t' -v n="$number" '$4 == n { print $5; exit }' "$work/launches")
    # shellcheck disable=SC2086 # options are words
    compile "$compiler" "$target" "$work/programs/$number.cl" "$base.s" $options 2>"$base.errors" || return 0
    [[ $target == nvptx64 && -n $ptxas ]] || return 0
    for architecture in sm_80 sm_90; do
        "$ptxas" -v "-arch=$architecture" -o "$base.$architecture.cubin" "$base.s" 2>"$base.$architecture.log" ||
            continue
        [[ -z $nvdisasm ]] || "$nvdisasm" -c "$base.$architecture.cubin" >"$base.$architecture.sass" 2>/dev/null || true
    done
}
export -f one_program compile
export work compiler libclc ptxas nvdisasm

for target in "${targets[@]}"; do
    cut -f 4 "$work/launches" | sort -nu | sed "s/\$/ $target/"
done | xargs -P "$(nproc)" -L 1 bash -c 'one_program "$@"' one_program

failures=0
python3 -B "$root/bench/gpu_listing.py" "$work" "${targets[@]}" || failures=1
for file in "$root"/kernels/*.cl; do
    name=$(basename "$file")
    grep -q "CPUs alone run this" "$file" && continue
    if ! grep -qs "^#line 1 \"$name\"" "$work"/programs/*.cl; then
        echo "FAILED: $name is in no program of kernel_plans: add its strategy to bench/kernel_plans.c"
        failures=1
    fi
done
exit "$failures"
