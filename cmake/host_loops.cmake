# Compiles host/host_loops.c once a variant of the processor: gives HOST_LOOPS_OBJECTS. strategy_host.c chooses among
# the variants at run time.

function(add_host_loops variant)
    add_library(${variant} OBJECT host/host_loops.c)
    target_compile_definitions(${variant} PRIVATE HOST_LOOPS=${variant})
    # Flags may change the speed and nothing else: no -ffast-math, ever. Vectors are passed between functions of this
    # one file only, so how a variant passes them (-Wpsabi) does not matter.
    target_compile_options(${variant} PRIVATE -O3 -fno-math-errno -Wno-psabi ${ARGN})
    target_include_directories(${variant} PRIVATE include host kernels)
    target_link_libraries(${variant} PRIVATE ${PLETHRON_DEPENDENCIES})
    set(HOST_LOOPS_OBJECTS ${HOST_LOOPS_OBJECTS} $<TARGET_OBJECTS:${variant}> PARENT_SCOPE)
endfunction()

add_host_loops(host_loops_plain)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$" AND CMAKE_C_COMPILER_ID MATCHES "GNU|Clang")
    add_host_loops(host_loops_avx2 -mavx2 -mfma)
    add_host_loops(host_loops_avx512 -mavx512f -mavx512vl -mavx512dq -mavx512bw -mavx2 -mfma
                   -mprefer-vector-width=512)
    add_compile_definitions(PLETHRON_X86_VARIANTS=1)
endif()
