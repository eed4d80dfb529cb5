# The shared library LIBRARY must export exactly the functions that the headers in the folder HEADERS declare.
# NM is binutils' nm.

cmake_minimum_required(VERSION 3.25)

file(GLOB headers ${HEADERS}/*.h)
set(text "")
foreach(header ${headers})
    file(READ ${header} part)
    string(APPEND text "${part}")
endforeach()
string(REGEX MATCHALL "PLETHRON_API [^;(]*[ *]plethron_[a-z0-9_]+\\(" declarations "${text}")
list(TRANSFORM declarations REPLACE ".*[ *](plethron_[a-z0-9_]+)\\(" "\\1" OUTPUT_VARIABLE declared)

execute_process(
    COMMAND ${NM} -D --defined-only --format=posix ${LIBRARY} OUTPUT_VARIABLE listing COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "[^\n]+" lines "${listing}")
list(TRANSFORM lines REPLACE " .*" "" OUTPUT_VARIABLE exported)

list(LENGTH declared n_declared)
if(n_declared LESS 10)
    message(FATAL_ERROR "only ${n_declared} functions were recognised in ${HEADERS}: this test reads it wrongly")
endif()
foreach(name ${declared})
    if(NOT name IN_LIST exported)
        message(SEND_ERROR "declared in a header but not exported: ${name}")
    endif()
endforeach()
foreach(name ${exported})
    if(NOT name IN_LIST declared)
        message(SEND_ERROR "exported but not declared in a header: ${name}")
    endif()
endforeach()
message(STATUS "${n_declared} functions declared")
