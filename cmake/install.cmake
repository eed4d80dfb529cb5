# What `cmake --install` puts where. Everything installed finds its parts relative to itself, so the tree can be moved.

include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/plethron)

install(FILES include/plethron.h include/plethron_files.h include/plethron_prediction.h
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS plethron_program RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

# Two sets of targets: who links the shared library needs none of the libraries that the static one stands on.
foreach(library plethron plethron_static)
    install(
        TARGETS ${library}
        EXPORT ${library}
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
        INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
    install(
        EXPORT ${library}
        NAMESPACE plethron::
        FILE ${library}Targets.cmake
        DESTINATION ${package_dir})
endforeach()

configure_package_config_file(cmake/plethronConfig.cmake.in plethronConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(plethronConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/plethronConfig.cmake ${PROJECT_BINARY_DIR}/plethronConfigVersion.cmake
        DESTINATION ${package_dir})

# pkg-config: what a static link needs besides the packages that it knows by name.
# libzip and hdf5 name, for a static link, what their own static libraries need: here their shared ones serve.
list(JOIN libzip_LDFLAGS " " pc_libzip)
list(JOIN hdf5_LDFLAGS " " pc_hdf5)
set(pc_private_libraries "${pc_libzip} ${pc_hdf5} -lm ${CMAKE_THREAD_LIBS_INIT} ${OpenMP_C_FLAGS}")
file(RELATIVE_PATH pc_prefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(cmake/plethron.pc.in plethron.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/plethron.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
