# How every C file of the project is compiled.

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
add_compile_definitions(_XOPEN_SOURCE=700) # POSIX.1-2008 with its XSI part: realpath
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes)
if(PLETHRON_WARNINGS_AS_ERRORS)
    add_compile_options(-Werror)
endif()

# The bit contract needs every product and sum rounded on its own, except where the code says fma.
add_compile_options(-ffp-contract=off)

if(PLETHRON_FUZZ)
    set(PLETHRON_SANITIZE fuzzer-no-link,address,undefined) # libFuzzer's coverage, without its main
endif()
if(PLETHRON_SANITIZE)
    add_compile_options(-fsanitize=${PLETHRON_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -g)
    add_link_options(-fsanitize=${PLETHRON_SANITIZE})
endif()
