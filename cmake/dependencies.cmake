# What the library stands on. Finds everything and gives PLETHRON_DEPENDENCIES, the libraries to link.

# CUDA's bin folder is often on PATH, and CMake would look beside it for OpenCL before it looks into the system's
# folders. The system's loader and headers are the ones wanted; CUDA's copy still serves where there are no others.
set(CMAKE_FIND_USE_SYSTEM_ENVIRONMENT_PATH OFF)
find_package(OpenCL REQUIRED)
unset(CMAKE_FIND_USE_SYSTEM_ENVIRONMENT_PATH)

find_package(PkgConfig REQUIRED)
pkg_check_modules(jansson REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(libmd REQUIRED IMPORTED_TARGET libmd)
pkg_check_modules(libzip REQUIRED IMPORTED_TARGET libzip)
pkg_check_modules(zlib REQUIRED IMPORTED_TARGET zlib) # of the program only; libzip needs it, too
pkg_check_modules(hdf5 REQUIRED IMPORTED_TARGET hdf5)
pkg_check_modules(protobuf_c REQUIRED IMPORTED_TARGET libprotobuf-c)

find_package(Threads REQUIRED)
find_package(OpenMP COMPONENTS C) # without it the strategy `host` and the readers run on one core

set(PLETHRON_DEPENDENCIES OpenCL::OpenCL PkgConfig::jansson PkgConfig::libmd PkgConfig::libzip PkgConfig::hdf5
    PkgConfig::protobuf_c Threads::Threads m)
if(OpenMP_C_FOUND)
    list(APPEND PLETHRON_DEPENDENCIES OpenMP::OpenMP_C)
endif()

# The kernels and the calls are OpenCL 1.2, which every implementation in use has.
add_compile_definitions(CL_TARGET_OPENCL_VERSION=120)
