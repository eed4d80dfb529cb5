#!/usr/bin/env bash
# gpu_static.sh finds what it is there to find: scratch, a call that is left over, a kernel that does not compile, a
# kernel file that no plan uses.
# Usage: gpu_static.sh SCRIPT KERNEL_PLANS
set -euo pipefail
script=$1
plans=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Without any compiler: each kernel file is in a program, but for what says that CPUs alone run it.
mkdir "$folder/programs"
"$plans" "$folder/programs" >"$folder/launches" 2>/dev/null
for file in "$(dirname "$script")"/../kernels/*.cl; do
    grep -q "CPUs alone run this" "$file" && continue
    grep -qs "^#line 1 \"$(basename "$file")\"" "$folder"/programs/*.cl || {
        echo "FAILED: $(basename "$file") is in no program of kernel_plans: add its strategy to bench/kernel_plans.c"
        exit 1
    }
done
[[ $(wc -l <"$folder/launches") -ge 6 ]] || { echo "FAILED: kernel_plans prints no launches"; exit 1; }

# Stands in for kernel_plans: one program, taken from the environment variable BODY.
cat >"$folder/plans" <<'END'
#!/usr/bin/env bash
printf '%s\n' "$BODY" >"$1/0.cl"
printf 'label\tf\t64\t0\t-cl-std=CL1.2\n'
END
chmod +x "$folder/plans"

# finds TEXT BODY
finds() {
    local code=0
    BODY=$2 bash "$script" "$folder/plans" >"$folder/out" 2>&1 || code=$?
    if grep -q '^skipped' "$folder/out"; then
        cat "$folder/out"
        exit 77
    fi
    if [[ $code != 1 ]] || ! grep -q "^FAILED: .*$1" "$folder/out"; then
        cat "$folder/out"
        echo "FAILED: no '$1' was found (exit code $code)"
        exit 1
    fi
}

finds "forward.cl is in no program" \
    '__kernel void f(__global float *x_g) { x_g[get_global_id(0)] = 1.0f; }'
finds "bytes of scratch" '__kernel void f(__global float *x_g, __global const int *i_g) {
    float x[64];
    for (int i = 0; i < 64; i++) x[i_g[i]] = x_g[i];
    x_g[0] = x[i_g[get_global_id(0)]];
}'
finds "calls are left over" 'float nowhere(float x);
__kernel void f(__global float *x_g) { x_g[get_global_id(0)] = nowhere(x_g[0]); }'
finds "does not compile" '__kernel void f(__global float *x_g) { x_g[0] = unknown; }'
finds "registers are spilled" '__kernel void f(__global float16 *x_g, int n) {
    float16 x[40];
#pragma unroll
    for (int i = 0; i < 40; i++) x[i] = x_g[i];
    for (int k = 0; k < n; k++) {
#pragma unroll
        for (int i = 0; i < 40; i++) x[i] = fma(x[i], x_g[k], x[(i + 1) % 40]);
    }
#pragma unroll
    for (int i = 0; i < 40; i++) x_g[i] = x[i];
}'
echo "all were found"
