# C code of ONNX's schema, by protobuf-c's compiler: gives ONNX_SOURCES_C and ONNX_INCLUDE_DIR.

find_program(PROTOC_C protoc-c REQUIRED)
set(ONNX_INCLUDE_DIR ${PROJECT_BINARY_DIR}/generated/onnx)
set(ONNX_SOURCES_C ${ONNX_INCLUDE_DIR}/onnx.pb-c.c)
set(schema_dir ${PROJECT_SOURCE_DIR}/third_party/onnx)

file(MAKE_DIRECTORY ${ONNX_INCLUDE_DIR})
add_custom_command(
    OUTPUT ${ONNX_SOURCES_C} ${ONNX_INCLUDE_DIR}/onnx.pb-c.h
    COMMAND ${PROTOC_C} --proto_path=${schema_dir} --c_out=${ONNX_INCLUDE_DIR} onnx.proto
    DEPENDS ${schema_dir}/onnx.proto
    COMMENT "Compiling ONNX's schema"
    VERBATIM)
