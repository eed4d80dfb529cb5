#include "problem.h"

#include <stdlib.h>

/* Of a unit; 0 in a problem that was never opened. */
static size_t n_weights(const train_problem *problem) {
    return problem->dataset ? problem->dataset->n_features + 1 : 0;
}

/* The matrices [rows, unit_stride] of a problem, for code that treats them alike. */
typedef struct matrix {
    float **memory;
    size_t n_rows; /* 0: this problem has none */
    const char *name;
} matrix;

enum { N_MATRICES = 6 };

static void list_matrices(train_problem *problem, matrix matrices[N_MATRICES]) {
    const size_t rows = n_weights(problem);
    const bool has_moments = problem->uses & (USE_MOMENTUM | USE_ADAM);
    matrices[0] = (matrix){&problem->weights, rows, "the weights"};
    matrices[1] = (matrix){&problem->moments, has_moments ? 2 * rows : 0, "the moments"};
    matrices[2] = (matrix){&problem->best, problem->uses & USE_PATIENCE ? rows : 0, "the best weights"};
    matrices[3] = (matrix){&problem->units, UNIT_FIELDS, "the units' values"};
    matrices[4] = (matrix){&problem->state, STATE_FIELDS, "the units' states"};
    matrices[5] = (matrix){&problem->held_scale, 1, "the units' held-out weights"};
}

size_t problem_unit_stride(size_t n_units, bool is_sparse) {
    const size_t padding = is_sparse ? SPARSE_UNIT_PADDING : UNIT_PADDING;
    return (n_units + padding - 1) / padding * padding;
}

size_t problem_blocks(size_t n_rows) {
    return size_divide_up(n_rows, DATASET_BLOCK_ROWS);
}

size_t problem_batch_rows(const train_problem *problem) {
    const size_t n_samples = problem->dataset->n_samples;
    return problem->batch_rows && problem->batch_rows < n_samples ? problem->batch_rows : n_samples;
}

size_t problem_batch_blocks(const train_problem *problem) {
    return problem_blocks(problem_batch_rows(problem));
}

plethron_status problem_open(const train_problem *like, size_t n_units, train_problem *out, plethron_error *err) {
    plethron_status status;
    train_problem problem = *like;
    matrix matrices[N_MATRICES];
    problem.n_units = n_units;
    problem.unit_stride = problem_unit_stride(n_units, problem.dataset->sparse != NULL);
    list_matrices(&problem, matrices);
    for (size_t m = 0; m < N_MATRICES; m++) *matrices[m].memory = NULL;
    for (size_t m = 0; m < N_MATRICES; m++) {
        void *memory = NULL;
        if (matrices[m].n_rows == 0) continue;
        TRY(memory_allocate(matrices[m].n_rows * problem.unit_stride, sizeof(float), matrices[m].name, &memory, err));
        *matrices[m].memory = memory;
    }
    for (size_t j = n_units; j < problem.unit_stride; j++) {
        problem_integers(&problem, UNIT_WEIGHT_COLUMN)[j] = -1;
        problem_integers(&problem, UNIT_EXCLUDED_FOLD)[j] = -1;
    }
    *out = problem;
    return PLETHRON_OK;
out:
    problem_close(&problem);
    return status;
}

void problem_close(train_problem *problem) {
    matrix matrices[N_MATRICES];
    list_matrices(problem, matrices);
    for (size_t m = 0; m < N_MATRICES; m++) {
        free(*matrices[m].memory);
        *matrices[m].memory = NULL;
    }
}

float *problem_floats(const train_problem *problem, int field) {
    return problem->units + (size_t)field * problem->unit_stride;
}

int32_t *problem_integers(const train_problem *problem, int field) {
    return (int32_t *)(void *)problem_floats(problem, field);
}

int32_t *problem_state_integers(const train_problem *problem, int field) {
    return (int32_t *)(void *)(problem->state + (size_t)field * problem->unit_stride);
}

/* Copies as integers: some of the floats are integers, and a NaN keeps its bits. */
static void copy(const float *from, float *to) {
    *(int32_t *)(void *)to = *(const int32_t *)(const void *)from;
}

void problem_take(const train_problem *from, const size_t *chosen, train_problem *to) {
    train_problem source = *from;
    matrix sources[N_MATRICES], targets[N_MATRICES];
    list_matrices(&source, sources);
    list_matrices(to, targets);
    for (size_t m = 0; m < N_MATRICES; m++)
        for (size_t row = 0; row < targets[m].n_rows; row++)
            for (size_t j = 0; j < to->n_units; j++)
                copy(*sources[m].memory + row * source.unit_stride + chosen[j],
                     *targets[m].memory + row * to->unit_stride + j);
    for (size_t j = to->n_units; j < to->unit_stride; j++)
        problem_integers(to, UNIT_TARGET)[j] = problem_integers(to, UNIT_TARGET)[0];
}

void problem_put_back(const train_problem *from, const size_t *chosen, train_problem *to) {
    train_problem source = *from;
    matrix sources[N_MATRICES], targets[N_MATRICES];
    list_matrices(&source, sources);
    list_matrices(to, targets);
    for (size_t m = 0; m < N_MATRICES; m++)
        for (size_t row = 0; row < targets[m].n_rows; row++)
            for (size_t j = 0; j < source.n_units; j++)
                copy(*sources[m].memory + row * source.unit_stride + j,
                     *targets[m].memory + row * to->unit_stride + chosen[j]);
}

size_t problem_max_rows(const train_problem *problem) {
    size_t most = 0;
    if (!problem->has_ranges) return problem->dataset->n_samples;
    for (size_t j = 0; j < problem->n_units; j++)
        if ((size_t)problem_integers(problem, UNIT_ROWS)[j] > most)
            most = (size_t)problem_integers(problem, UNIT_ROWS)[j];
    return most;
}
