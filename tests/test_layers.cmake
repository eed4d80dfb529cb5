# Reads the #include lines of the tree ROOT and fails when one of them points up in the layer picture of
# docs/architecture.md, or when a source file has no place in it.

cmake_minimum_required(VERSION 3.25)

# layer(NAME FILES pattern... USES layer...): the layer's files, and the layers that they may include besides their own.
# A file belongs to the first layer that names it. OpenCL stands for <CL/...>.
macro(layer name)
    cmake_parse_arguments(this "" "" "FILES;USES" ${ARGN})
    set(uses_${name} ${name} ${this_USES})
    list(TRANSFORM this_FILES PREPEND ${ROOT}/)
    file(GLOB files RELATIVE ${ROOT} ${this_FILES})
    foreach(file ${files})
        if(NOT DEFINED layer_of_${file})
            set(layer_of_${file} ${name})
        endif()
    endforeach()
endmacro()

# From the bottom up.
layer(public FILES include/*.h USES)
layer(status FILES host/status.* host/digest.* host/half.h host/cache_folder.* USES public)
layer(io FILES host/io/* USES public status)
layer(kernels FILES kernels/*.cl USES)
layer(handles FILES host/device_cl.h USES public status device OpenCL) # the device's raw handles, shared with program
layer(device FILES host/device*.* USES public status handles OpenCL)
layer(host_kernels FILES host/host_kernels.* host/host_loops.* host/host_variant.c host/opencl_c.h
      USES public status device dataset kernels) # the kernels' text compiled as C
layer(program FILES host/program.* host/kernel_cache.* USES public status device handles host_kernels OpenCL)
layer(ceilings FILES host/ceilings*.* USES public status device program)
layer(random FILES host/random.* USES host_kernels kernels)
layer(dataset FILES host/dataset*.* host/folds.* USES public status device program random)
layer(problem FILES host/problem.* USES public status device dataset kernels)
layer(forward FILES host/tiling.* host/forward.* USES public status device program dataset host_kernels)
set(below_strategies public status device program dataset host_kernels problem forward kernels)
# The live set calls the strategy that it was given, and strategies read the live set.
layer(strategies FILES host/live*.* host/strategy*.* USES ${below_strategies} random)
layer(plan FILES host/plan*.* USES ${below_strategies} strategies random)
layer(
    train FILES host/bank*.* host/model*.* host/export*.* host/checkpoint*.* host/train*.* host/predict*.*
    USES ${below_strategies} random strategies plan io)
set(internal ${below_strategies} ceilings handles random strategies plan train io)
layer(tests FILES tests/*.c tests/*.h tests/fuzz/*.c tests/fuzz/*.h USES ${internal} OpenCL)
layer(consumer FILES tests/package/*.c USES public)
layer(bench FILES bench/*.c bench/*.h USES ${internal} OpenCL)
layer(cli FILES cli/*.c cli/*.h USES public)
layer(examples FILES examples/*.c examples/*.h USES public)

# The file that `name`, included by `includer`, means: beside the includer, or on the include path. Empty for headers
# that are not the project's.
function(find_include includer name out)
    get_filename_component(beside ${includer} DIRECTORY)
    foreach(folder ${beside} include host kernels)
        cmake_path(SET path NORMALIZE ${folder}/${name})
        if(EXISTS ${ROOT}/${path})
            set(${out} ${path} PARENT_SCOPE)
            return()
        endif()
    endforeach()
    set(${out} "" PARENT_SCOPE)
endfunction()

function(check_include includer name)
    if(name MATCHES "^CL/")
        set(included <${name}>)
        set(layer OpenCL)
    else()
        find_include(${includer} ${name} included)
        if(NOT included)
            return()
        endif()
        set(layer ${layer_of_${included}})
    endif()
    if(NOT layer IN_LIST uses_${layer_of_${includer}})
        message(SEND_ERROR "${includer} (${layer_of_${includer}}) must not include ${included} (${layer})")
    endif()
endfunction()

set(n_includes 0)
file(GLOB_RECURSE sources RELATIVE ${ROOT} ${ROOT}/include/*.h ${ROOT}/host/*.[ch] ${ROOT}/kernels/*.cl
     ${ROOT}/cli/*.[ch] ${ROOT}/tests/*.[ch] ${ROOT}/bench/*.[ch] ${ROOT}/examples/*.[ch])
foreach(source ${sources})
    if(NOT DEFINED layer_of_${source})
        message(SEND_ERROR "${source} has no layer: give it one in the table of tests/test_layers.cmake")
        continue()
    endif()
    file(STRINGS ${ROOT}/${source} lines REGEX "^[ \t]*#[ \t]*include[ \t]*[<\"]")
    foreach(line ${lines})
        string(REGEX REPLACE "^[^<\"]*[<\"]([^>\"]*)[>\"].*" "\\1" name "${line}")
        check_include(${source} ${name})
        math(EXPR n_includes "${n_includes} + 1")
    endforeach()
endforeach()
message(STATUS "${n_includes} includes read")
