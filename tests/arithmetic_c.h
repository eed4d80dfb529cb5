/* The functions of kernels/arithmetic.cl, compiled as C: a file of its own, because host/opencl_c.h gives the names of
 * math.h another meaning. */
#ifndef PLETHRON_ARITHMETIC_C_H
#define PLETHRON_ARITHMETIC_C_H

float c_exp_bounded(float t);
float c_refine_reciprocal(float x, float y);
float c_sigmoid(float z);
float c_log_one_plus(float u);
float c_softplus(float z);
float c_log_from_one(float x);
float c_cos_pi(float t);
float c_square_root(float x);
float c_quotient(float a, float b);

#endif
