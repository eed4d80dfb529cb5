#include "arithmetic_c.h"

#include "opencl_c.h"

#include "arithmetic.cl"

float c_exp_bounded(float t) {
    return exp_bounded(t);
}

float c_refine_reciprocal(float x, float y) {
    return refine_reciprocal(x, y);
}

float c_sigmoid(float z) {
    return sigmoid(z);
}

float c_log_one_plus(float u) {
    return log_one_plus(u);
}

float c_softplus(float z) {
    return softplus(z);
}

float c_log_from_one(float x) {
    return log_from_one(x);
}

float c_cos_pi(float t) {
    return cos_pi(t);
}

float c_square_root(float x) {
    return square_root(x);
}

float c_quotient(float a, float b) {
    return quotient(a, b);
}
