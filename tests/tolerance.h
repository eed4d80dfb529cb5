/* How far results in f32 may lie from the reference: bounds that are computed along with it, nothing measured.
 *
 * Notation: u = 2^-24, what one f32 rounding adds at most relative to its result; gamma(n) = n u / (1 - n u), what n
 * roundings in a row add (N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., chapter 3). With
 * bound[k] >= |w_f32[k] - w[k]| before a step, for every order of summation that has no longer chain than a block of
 * rows and the blocks:
 *
 *   z      |dz| <= sum |x_k| bound_k + bound_b + gamma(n_features + 1) (sum |x_k w_k| + |b|), |w| the larger of the two
 *   p      |dp| <= |dz| / 4 + 3 u: the sigmoid's slope is at most 1/4. Its own error is p (1 - p) 9e-8 from exp_bounded
 *          (test_arithmetic.c), and a rounding each from 1 + exp and the reciprocal
 *   delta  |dr| <= |dp| + 3 u: dr/dp is at most 1 for every loss, and r = (p - y) slope has at most four roundings of
 *          |r| <= 1 (log: one), 4/27 (mse), 1/4 (tutorial; there the slope's s adds 0.47 * 3 u)
 *   weight a row's weight s = (sample weight x count) x class weight, where the class weight is fma(y, spread,
 * negative): one, one and two roundings, and one of delta times s sum    sum |x_k| |d(s r)| + gamma(chain) sum |x_k|
 * (|s r| + |d(s r)|), chain = rows of a block + blocks + 1 scale  1 / (sum of weights): the sum has a chain, too, and
 * two roundings a row; nothing where all are integers step   the slope has six roundings (the batch's factor and its
 * own among them), the new weight one; moments and direction as in step_bound of tolerance.c
 *
 * Measures add a row's error in the same way; see tolerance.c. */
#ifndef PLETHRON_TOLERANCE_H
#define PLETHRON_TOLERANCE_H

#include "reference.h"

/* Takes the reference and the bounds of its weights and moments through one step, or an epoch with all rows at once.
 * `work` is room for 3 (n_features + 1) doubles. */
void tolerance_step(const reference_unit *unit, const reference_batch *batch, reference_point *at,
                    reference_point *bound, double *work);
void tolerance_epoch(const reference_unit *unit, reference_point *at, reference_point *bound, double *work);

/* Of p for one row, and of the measures, at weights within `bound` of w. */
double tolerance_prediction(const reference_unit *unit, const double *w, const double *bound, size_t sample);
double tolerance_mean_loss(const reference_unit *unit, const double *w, const double *bound);
double tolerance_error_sum(const reference_unit *unit, const double *w, const double *bound);
/* Rows whose p is too near to 0.5 to tell its side may fall either way. */
double tolerance_accuracy(const reference_unit *unit, const double *w, const double *bound);
/* Pairs of rows whose z are too near to each other may stand either way. */
double tolerance_auc(const reference_unit *unit, const double *w, const double *bound);
/* Of sums of weights, relative. */
double tolerance_weight_sum(const reference_unit *unit);
/* Of each component of the gradient, to `out` [n_features + 1]; `work` is room for 2 (n_features + 1) doubles. */
void tolerance_gradient(const reference_unit *unit, const reference_batch *batch, const double *w, const double *bound,
                        double *out, double *work);

#endif
