# Embeds kernels/*.cl: gives KERNEL_SOURCES_C, a generated C file that is made anew when a kernel changes.

file(GLOB kernels CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/*.cl)
set(KERNEL_SOURCES_C ${PROJECT_BINARY_DIR}/generated/kernel_sources.c)
set(embed ${PROJECT_SOURCE_DIR}/cmake/embed.cmake)

add_custom_command(
    OUTPUT ${KERNEL_SOURCES_C}
    COMMAND ${CMAKE_COMMAND} "-DKERNELS=${kernels}" -DOUTPUT=${KERNEL_SOURCES_C} -P ${embed}
    DEPENDS ${kernels} ${embed}
    COMMENT "Embedding the kernels"
    VERBATIM)
