# Compiles host/host_loops.c and host/host_kernels.c once a variant of the processor: gives HOST_LOOPS_OBJECTS. They are
# chosen among at run time.

function(add_host_loops variant)
    add_library(host_${variant} OBJECT host/host_loops.c host/host_kernels.c)
    target_compile_definitions(host_${variant} PRIVATE HOST_LOOPS=host_loops_${variant}
                                                       HOST_KERNELS=host_kernels_${variant})
    # Flags may change the speed and nothing else: no -ffast-math, ever. Vectors are passed between functions of this
    # one file only, so how a variant passes them (-Wpsabi) does not matter. Kernels are written as OpenCL C wants them:
    # int indices, pragmas of its own.
    target_compile_options(host_${variant} PRIVATE -O3 -fno-math-errno -Wno-psabi -Wno-sign-conversion
                                                   -Wno-unknown-pragmas ${ARGN})
    target_include_directories(host_${variant} PRIVATE include host kernels)
    target_link_libraries(host_${variant} PRIVATE ${PLETHRON_DEPENDENCIES})
    set(HOST_LOOPS_OBJECTS ${HOST_LOOPS_OBJECTS} $<TARGET_OBJECTS:host_${variant}> PARENT_SCOPE)
endfunction()

add_host_loops(plain)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$" AND CMAKE_C_COMPILER_ID MATCHES "GNU|Clang")
    add_host_loops(avx2 -mavx2 -mfma)
    add_host_loops(avx512 -mavx512f -mavx512vl -mavx512dq -mavx512bw -mavx2 -mfma
                   -mprefer-vector-width=512)
    add_compile_definitions(PLETHRON_X86_VARIANTS=1)
endif()
