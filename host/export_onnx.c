/* A bank as an ONNX model: features -> Gemm -> Sigmoid -> probabilities. third_party/onnx/onnx.proto is the schema. */
#include "export.h"
#include "io/json_text.h"

#include "onnx.pb-c.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "raw tensors are little-endian, and this code swaps no bytes"
#endif

/* Version 13 of the operators and 7 of the file came out together, in ONNX 1.8 (2020). */
enum { IR_VERSION = 7, OPERATORS_VERSION = 13 };

static char input_name[] = "features", scores_name[] = "scores", weights_name[] = "W", biases_name[] = "b";

/* ---- Metadata ---------------------------------------------------------------------------------------------------- */

/* The name at a position, the position where the list does not reach, null for PLETHRON_NONE. */
static json_t *position_to_json(const name_list *names, int64_t position) {
    if (position == PLETHRON_NONE) return json_null();
    return (uint64_t)position < names->count ? json_string(names->names[position]) : json_integer(position);
}

/* Takes over `value`; false where there was no memory for either. */
static bool append(json_t *array, json_t *value) {
    return json_array_append_new(array, value) == 0;
}

/* The features' names as a JSON text, for free. */
static plethron_status make_features(const plethron_bank *bank, const char *path, char **out, plethron_error *err) {
    json_t *array = json_array();
    bool is_whole = true;
    for (size_t k = 0; k < bank->features.count && is_whole; k++)
        is_whole = append(array, json_string(bank->features.names[k]));
    const plethron_status status = json_text(is_whole ? array : NULL, path, out, err);
    json_decref(array);
    return status;
}

/* Each unit's target and class likewise. */
static plethron_status make_units(const plethron_bank *bank, const char *path, char **out, plethron_error *err) {
    const name_list none = {0};
    json_t *array = json_array();
    bool is_whole = true;
    for (size_t j = 0; j < bank->n_units && is_whole; j++) {
        const int64_t target = bank->target[j];
        const name_list *labels = (uint64_t)target < bank->targets.count ? &bank->classes[target] : &none;
        is_whole = append(array, json_pack("{s:o, s:o}", "target", position_to_json(&bank->targets, target), "class",
                                           position_to_json(labels, bank->positive_class[j])));
    }
    const plethron_status status = json_text(is_whole ? array : NULL, path, out, err);
    json_decref(array);
    return status;
}

/* ---- The message ------------------------------------------------------------------------------------------------- */

/* One target gives the output its name, where that is no other name of the graph. */
static char *output_name(const plethron_bank *bank) {
    static char otherwise[] = "predictions";
    const char *const taken[] = {input_name, scores_name, weights_name, biases_name};
    if (bank->targets.count != 1 || !*bank->targets.names[0]) return otherwise;
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        if (strcmp(bank->targets.names[0], taken[i]) == 0) return otherwise;
    return bank->targets.names[0];
}

/* Floats [rows, n], rows of any number. The parts point at each other, so they stay where they are. */
typedef struct matrix_info {
    Onnx__TensorShapeProto__Dimension rows, columns, *dimensions[2];
    Onnx__TensorShapeProto shape;
    Onnx__TypeProto__Tensor tensor;
    Onnx__TypeProto type;
    Onnx__ValueInfoProto info;
} matrix_info;

static void matrix_info_make(matrix_info *self, char *name, size_t n_columns) {
    static char any_number[] = "rows";
    onnx__tensor_shape_proto__dimension__init(&self->rows);
    self->rows.value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
    self->rows.dim_param = any_number;
    onnx__tensor_shape_proto__dimension__init(&self->columns);
    self->columns.value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
    self->columns.dim_value = (int64_t)n_columns;
    self->dimensions[0] = &self->rows;
    self->dimensions[1] = &self->columns;
    onnx__tensor_shape_proto__init(&self->shape);
    self->shape.n_dim = 2;
    self->shape.dim = self->dimensions;
    onnx__type_proto__tensor__init(&self->tensor);
    self->tensor.has_elem_type = 1;
    self->tensor.elem_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    self->tensor.shape = &self->shape;
    onnx__type_proto__init(&self->type);
    self->type.value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    self->type.tensor_type = &self->tensor;
    onnx__value_info_proto__init(&self->info);
    self->info.name = name;
    self->info.type = &self->type;
}

/* protobuf-c's messages are not const; packing only reads. */
static Onnx__TensorProto tensor_make(char *name, int64_t *sizes, size_t n_sizes, const float *values, size_t n_values) {
    Onnx__TensorProto tensor;
    onnx__tensor_proto__init(&tensor);
    tensor.n_dims = n_sizes;
    tensor.dims = sizes;
    tensor.has_data_type = 1;
    tensor.data_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    tensor.name = name;
    tensor.has_raw_data = 1;
    tensor.raw_data.len = n_values * sizeof *values;
    memcpy(&tensor.raw_data.data, &values, sizeof values);
    return tensor;
}

static Onnx__NodeProto node_make(char *type, char **inputs, size_t n_inputs, char **output) {
    Onnx__NodeProto node;
    onnx__node_proto__init(&node);
    node.n_input = n_inputs;
    node.input = inputs;
    node.n_output = 1;
    node.output = output;
    node.name = type;
    node.op_type = type;
    return node;
}

/* protobuf-c hands its bytes to `write_bytes`. */
typedef struct stream_buffer {
    ProtobufCBuffer base;
    FILE *stream;
} stream_buffer;

static void write_bytes(ProtobufCBuffer *buffer, size_t n, const uint8_t *bytes) {
    fwrite(bytes, 1, n, ((stream_buffer *)buffer)->stream);
}

static plethron_status write_model(const Onnx__ModelProto *model, const char *path, FILE *stream, plethron_error *err) {
    const size_t n_bytes = onnx__model_proto__get_packed_size(model);
    if (n_bytes > INT_MAX)
        return error_set(err, PLETHRON_ERROR_UNSUPPORTED, "%s: the model takes %zu bytes: an ONNX file has at most %d",
                         path, n_bytes, INT_MAX);
    stream_buffer buffer = {{write_bytes}, stream};
    onnx__model_proto__pack_to_buffer(model, &buffer.base);
    return PLETHRON_OK;
}

/* Puts the graph into a model, with what readers want to know about it. */
static plethron_status write_graph(const plethron_bank *bank, Onnx__GraphProto *graph, const char *path, FILE *stream,
                                   plethron_error *err) {
    static char producer[] = "plethron", standard_domain[] = "", keys[2][9] = {"features", "units"};
    plethron_status status;
    char version[32], *features = NULL, *units = NULL;
    snprintf(version, sizeof version, "%s", plethron_version());
    TRY(make_features(bank, path, &features, err));
    TRY(make_units(bank, path, &units, err));
    Onnx__StringStringEntryProto texts[2] = {ONNX__STRING_STRING_ENTRY_PROTO__INIT,
                                             ONNX__STRING_STRING_ENTRY_PROTO__INIT};
    texts[0].key = keys[0];
    texts[0].value = features;
    texts[1].key = keys[1];
    texts[1].value = units;
    Onnx__OperatorSetIdProto operators = ONNX__OPERATOR_SET_ID_PROTO__INIT;
    operators.domain = standard_domain;
    operators.has_version = 1;
    operators.version = OPERATORS_VERSION;
    Onnx__ModelProto model = ONNX__MODEL_PROTO__INIT;
    model.has_ir_version = 1;
    model.ir_version = IR_VERSION;
    model.n_opset_import = 1;
    model.opset_import = (Onnx__OperatorSetIdProto *[]){&operators};
    model.producer_name = producer;
    model.producer_version = version;
    model.graph = graph;
    model.n_metadata_props = 2;
    model.metadata_props = (Onnx__StringStringEntryProto *[]){&texts[0], &texts[1]};
    TRY(write_model(&model, path, stream, err));
out:
    free(units);
    free(features);
    return status;
}

plethron_status export_onnx(const plethron_bank *bank, const char *path, FILE *stream, plethron_error *err) {
    static char gemm[] = "Gemm", sigmoid[] = "Sigmoid", graph_name[] = "perceptrons";
    char *output = output_name(bank), *scores = scores_name, *gemm_inputs[] = {input_name, weights_name, biases_name};
    int64_t sizes[] = {(int64_t)bank->n_features, (int64_t)bank->n_units};
    matrix_info features, predictions;
    matrix_info_make(&features, input_name, bank->n_features);
    matrix_info_make(&predictions, output, bank->n_units);
    Onnx__TensorProto weights = tensor_make(weights_name, sizes, 2, bank->weights, bank->n_features * bank->n_units);
    Onnx__TensorProto biases = tensor_make(biases_name, sizes + 1, 1, bank->biases, bank->n_units);
    Onnx__NodeProto product = node_make(gemm, gemm_inputs, 3, &scores),
                    activation = node_make(sigmoid, &scores, 1, &output);
    Onnx__GraphProto graph = ONNX__GRAPH_PROTO__INIT;
    graph.name = graph_name;
    graph.n_node = 2;
    graph.node = (Onnx__NodeProto *[]){&product, &activation};
    graph.n_initializer = 2;
    graph.initializer = (Onnx__TensorProto *[]){&weights, &biases};
    graph.n_input = 1;
    graph.input = (Onnx__ValueInfoProto *[]){&features.info};
    graph.n_output = 1;
    graph.output = (Onnx__ValueInfoProto *[]){&predictions.info};
    return write_graph(bank, &graph, path, stream, err);
}
