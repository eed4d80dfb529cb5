# Tells cli/bench_document.c the commit that is built, as PLETHRON_COMMIT; the build is configured anew after a commit.

find_package(Git QUIET)
if(GIT_FOUND)
    execute_process(
        COMMAND ${GIT_EXECUTABLE} -C ${PROJECT_SOURCE_DIR} rev-parse --short=12 HEAD
        OUTPUT_VARIABLE commit
        ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
    execute_process(
        COMMAND ${GIT_EXECUTABLE} -C ${PROJECT_SOURCE_DIR} rev-parse --git-path logs/HEAD
        OUTPUT_VARIABLE head
        ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
    if(commit)
        set_source_files_properties(cli/bench_document.c PROPERTIES COMPILE_DEFINITIONS PLETHRON_COMMIT="${commit}")
        cmake_path(ABSOLUTE_PATH head BASE_DIRECTORY ${PROJECT_SOURCE_DIR})
        if(EXISTS ${head})
            set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${head})
        endif()
    endif()
endif()
