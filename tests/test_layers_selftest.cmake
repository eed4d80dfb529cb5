# Shows that test_layers.cmake sees what it must: in the small tree TREE an allowed include passes, a forbidden one
# fails, and so does a file without a layer.

cmake_minimum_required(VERSION 3.25)

# Writes a tree of one file, `source`, that includes `included`, and expects "passes" or "fails".
function(expect verdict source included)
    file(REMOVE_RECURSE ${TREE})
    foreach(header include/plethron.h host/status.h host/io/csv.h host/device.h host/device_cl.h
                   host/program.h host/strategy.h host/plan.h
                   host/bank.h cli/options.h kernels/row.cl)
        file(WRITE ${TREE}/${header} "/* no includes */\n")
    endforeach()
    file(WRITE ${TREE}/${source} "#include <stdio.h>\n#  include ${included}\n")
    execute_process(
        COMMAND ${CMAKE_COMMAND} -DROOT=${TREE} -P ${CMAKE_CURRENT_LIST_DIR}/test_layers.cmake
        RESULT_VARIABLE result ERROR_VARIABLE text OUTPUT_QUIET)
    if(result EQUAL 0)
        set(seen passes)
    elseif(text MATCHES "must not include|has no layer")
        set(seen fails)
    else()
        set(seen "breaks: ${text}")
    endif()
    if(NOT seen STREQUAL verdict)
        message(SEND_ERROR "${source} with #include ${included}: expected ${verdict}, it ${seen}")
    endif()
endfunction()

expect(passes host/status.c [["plethron.h"]])
expect(passes host/device_list.c "<CL/cl.h>")
expect(passes host/program.c [["device_cl.h"]])
expect(passes host/io/npy.c [["../status.h"]])
expect(passes host/strategy_host.c [["row.cl"]])
expect(passes host/train.c [["io/csv.h"]])
expect(passes cli/train.c [["options.h"]])
expect(passes tests/test_plan.c [["plan.h"]])

expect(fails host/status.c [["device.h"]])
expect(fails host/io/npy.c [["../device.h"]])
expect(fails host/io/npy.c "<CL/cl.h>")
expect(fails host/device.c [["program.h"]])
expect(fails host/program.c [["strategy.h"]])
expect(fails host/dataset.c [["strategy.h"]])
expect(fails host/strategy_host.c [["plan.h"]])
expect(fails host/strategy_host.c "<CL/cl.h>")
expect(fails host/strategy_staged.c [["device_cl.h"]])
expect(fails host/plan.c [["bank.h"]])
expect(fails host/train.c "<CL/opencl.h>")
expect(fails cli/train.c [["../host/status.h"]])
expect(fails cli/train.c [["status.h"]])
expect(fails examples/and.c "<bank.h>")
expect(fails include/plethron.h "<CL/cl.h>")
expect(fails host/new_folder/file.c [["plethron.h"]])
expect(fails host/stray.c [["plethron.h"]])
