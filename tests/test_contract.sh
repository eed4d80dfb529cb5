#!/usr/bin/env bash
# Compares the bits of the same trainings between processes: other numbers of threads, another device of the same
# platform, no OpenCL at all, other implementations of OpenCL.
# Usage: test_contract.sh CONTRACT_DIGEST
set -euo pipefail
digest=$1

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
all=$folder/all

# run TITLE ENVIRONMENT...: adds the lines of a process to all lines, and shows how often each digest came.
run() {
    local title=$1 lines=$folder/lines
    shift
    env "$@" "$digest" >"$lines"
    echo "$title:"
    sed 's/^\([^ ]*\) \(.*\), [^,]*$/    \1 on \2/' "$lines" | sort | uniq -c
    cat "$lines" >>"$all"
}

# compare FILE: all digests of a file must be the same where the bit contract holds.
compare() {
    if [ "$(cut -d ' ' -f 1 "$1" | grep -v none | sort -u | wc -l)" -ne 1 ]; then
        echo "FAILED: digests differ where the bit contract holds:"
        sort "$1" | uniq -c
        exit 1
    fi
}

# expect PATTERN NUMBER: the last run must have had so many devices of that name.
expect() {
    local found
    found=$(grep -c "$1" "$folder/lines" || true)
    if [ "$found" -ne "$2" ]; then
        echo "FAILED: $2 lines with '$1' were expected, $found came"
        exit 1
    fi
}

mkdir "$folder/no-vendors"
# The host has two strategies: for dense features and for sparse ones.
run "the host alone, 1 core" OCL_ICD_VENDORS="$folder/no-vendors" OMP_NUM_THREADS=1
expect "" 2
run "the host alone, 2 cores" OCL_ICD_VENDORS="$folder/no-vendors" OMP_NUM_THREADS=2
expect "" 2

# PoCL reads the first name up to version 3, the second since.
for n in 1 2; do
    run "every device, PoCL with $n threads" POCL_MAX_PTHREAD_COUNT=$n POCL_CPU_MAX_CU_COUNT=$n
done

planned=$(grep -c "staged, planner's tiling" "$folder/lines" || true)
run "PoCL with two devices" POCL_DEVICES="pthread pthread"
if grep -q "pthread\|cpu-" "$folder/lines"; then expect "staged, planner's tiling" $((planned + 1)); fi

# run_planned FILE ENVIRONMENT...: the planner's tilings alone, a process each.
run_planned() {
    local lines=$1 way
    shift
    for way in "host native" "staged planned" "fused planned" "resident planned" "sparse planned" "rows planned" \
        "grouped planned"; do
        # A way is a strategy and a tiling.
        # shellcheck disable=SC2086
        env "$@" "$digest" $way 300 19 21 >>"$lines"
    done
}

# Lanes are rows in `rows` and `grouped`, units in the others; `grouped` sums its measures by lanes too: three orders.
by_order() {
    local order=$folder/order
    grep -v ", rows,\|, grouped," "$1" >"$order"
    compare "$order"
    for with in rows grouped; do
        grep ", $with," "$1" >"$order" || continue
        compare "$order"
    done
}
by_order "$all"

echo "PoCL with and without optimisation:"
run_planned "$folder/optimisation" POCL_EXTRA_BUILD_FLAGS=
run_planned "$folder/optimisation" POCL_EXTRA_BUILD_FLAGS=-cl-opt-disable
sort "$folder/optimisation"
by_order "$folder/optimisation"

# Mesa's OpenCL on the CPU takes minutes to compile the widest vectors, so the planner's tiling stands for all.
echo "rusticl:"
run_planned "$folder/rusticl" RUSTICL_ENABLE=llvmpipe
if grep llvmpipe "$folder/rusticl"; then by_order "$folder/rusticl"; else echo "    skipped: it is not installed"; fi
