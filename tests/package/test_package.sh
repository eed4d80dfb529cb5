#!/usr/bin/env bash
# Installs the build, moves the installed tree, and builds and runs a consumer against it in four ways: shared and
# static, by CMake's find_package and by pkg-config.
set -euo pipefail

cmake=$1
compiler=$2
build_dir=$3
work_dir=$4
here=$(cd "$(dirname "$0")" && pwd)

rm -rf "$work_dir"
mkdir -p "$work_dir"
"$cmake" --install "$build_dir" --prefix "$work_dir/first" >"$work_dir/install.log"
mv "$work_dir/first" "$work_dir/moved"
prefix=$work_dir/moved

if grep -rlF -e "$build_dir" -e "$work_dir" "$prefix" --include='*.cmake' --include='*.pc' --include='*.h'; then
    echo "the installed files above name the folder that they were built or first installed in" >&2
    exit 1
fi
"$prefix/bin/plethron" --version

echo "-- find_package"
"$cmake" -S "$here" -B "$work_dir/cmake" -DCMAKE_C_COMPILER="$compiler" -DCMAKE_PREFIX_PATH="$prefix" \
    >"$work_dir/configure.log"
"$cmake" --build "$work_dir/cmake" >"$work_dir/build.log"
"$work_dir/cmake/consumer_shared"
"$work_dir/cmake/consumer_static"

echo "-- pkg-config"
pc_dir=$(dirname "$(find "$prefix" -name plethron.pc)")
export PKG_CONFIG_PATH=$pc_dir
read -ra shared <<<"$(pkg-config --cflags --libs plethron)"
"$compiler" "$here/consumer.c" "${shared[@]}" -o "$work_dir/pc_shared"
LD_LIBRARY_PATH=$(dirname "$pc_dir") "$work_dir/pc_shared"

# Both libraries lie in one folder, so the static one must be named by its file.
read -ra static <<<"$(pkg-config --static --cflags --libs plethron | sed 's/-lplethron/-l:libplethron.a/')"
"$compiler" "$here/consumer.c" "${static[@]}" -o "$work_dir/pc_static"
"$work_dir/pc_static"
