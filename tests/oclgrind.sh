#!/usr/bin/env bash
# Runs every strategy with every tiling in Oclgrind, which simulates a device and reports races between work-items, accesses
# outside of buffers and uses of uninitialised memory; and compares the results' bits with the host's, or of `rows`, whose
# order of summation the host has not, with those of another OpenCL device and of its other tilings.
# Usage: oclgrind.sh CONTRACT_DIGEST
#
# Oclgrind ends with 0 whatever it finds, so its log tells. Of Oclgrind 21.10:
#   - Uninitialised memory is only traced in kernels that are not optimised, because the instruction `freeze` is unknown
#     to that check; races are looked for in the optimised ones.
#   - What it knows of memory that was released and taken again is stale, so every training has its own process.
set -euo pipefail
digest=$1

if ! command -v oclgrind >/dev/null; then
    echo "skipped: oclgrind is not installed"
    exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export PLETHRON_CACHE_DIR="" # Oclgrind's build options are not part of the cache's key
failures=0
declare -A seen # the digest of a strategy and shape

# check STRATEGY TILING SHAPE OPTION...: one training, whose log must be empty and whose digest must be the host's.
check() {
    local strategy=$1 tiling=$2 shape=$3 log=$folder/log want got
    shift 3
    local model="host native"
    case $strategy in rows | grouped) model="$strategy planned" ;; esac
    # A model is a strategy and a tiling, a shape three numbers: samples, features, units; and a fourth: how features are
    # stored.
    # shellcheck disable=SC2086
    want=$("$digest" $model $shape | head -n 1 | cut -d ' ' -f 1)
    : >"$log"
    # shellcheck disable=SC2086
    got=$(oclgrind --log "$log" "$@" "$digest" "$strategy" "$tiling" $shape)
    : "${want:=${seen[$strategy $shape]:-${got%% *}}}"
    seen[$strategy $shape]=$want
    if [ -s "$log" ]; then
        head -n 40 "$log"
        echo "FAILED: $strategy, $tiling, shape $shape: Oclgrind reports the above ($*)"
        failures=$((failures + 1))
    elif [ "$got" != "$want Oclgrind Simulator, $strategy, $tiling" ]; then
        echo "FAILED: $strategy, $tiling, shape $shape: '$got' instead of $want ($*)"
        failures=$((failures + 1))
    else
        echo "$got ($shape: $*)"
    fi
}

# Seven units learn three targets, three one. Three are taken where seven take long: by `rows`, and for uninitialised
# memory outside of the smallest groups, since that is looked for without optimisation.
while read -r strategy tiling; do
    features=18 units=3 many=7
    [ "$strategy" != resident ] || features=16 # the most it takes on a GPU, which Oclgrind is like
    [ "$strategy" != rows ] || many=3
    case $tiling in # two tiles of samples, two slices in local memory, which a group's items share
    group-*) check "$strategy" "$tiling" "17 $features $many" --data-races ;;
    esac
    [ "$tiling" != group-small ] || units=$many
    check "$strategy" "$tiling" "259 3 3" --data-races # two summation blocks
    check "$strategy" "$tiling" "17 $features $units" --uninitialized --build-options -cl-opt-disable
done < <("$digest" ways)

# Features as bytes, which need most to be read: in kernels with local memory and in those without.
bytes=3
for way in "staged wide-8x2" "staged group-small" "fused group-small" "rows group-small" "grouped wide-4" \
    "grouped group-small"; do
    # shellcheck disable=SC2086
    check $way "17 18 3 $bytes" --uninitialized --build-options -cl-opt-disable
done

# check_likeliest OPTION...: kernels/top.cl behind a prediction.
check_likeliest() {
    local log=$folder/log want got
    want=$("$digest" likeliest host)
    : >"$log"
    got=$(oclgrind --log "$log" "$@" "$digest" likeliest 0)
    echo "$got (likeliest: $*)"
    if [ -s "$log" ] || [ "$got" != "${want%% *} Oclgrind Simulator" ]; then
        head -n 40 "$log"
        echo "FAILED: likeliest: Oclgrind reports the above, or the digest is not $want"
        failures=$((failures + 1))
    fi
}

check_likeliest --data-races
check_likeliest --uninitialized --build-options -cl-opt-disable
[ "$failures" -eq 0 ]
