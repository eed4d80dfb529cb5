/* How far results in f32 may lie from the reference: bounds that are computed along with it, nothing measured.
 *
 * Notation: u = 2^-24, what one f32 rounding adds at most relative to its result; gamma(n) = n u / (1 - n u), what n
 * roundings in a row add (N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., chapter 3). With
 * bound[k] >= |w_f32[k] - w[k]| before an epoch, for every order of summation that has no longer chain than a block of
 * rows and the blocks:
 *
 *   z      |dz| <= sum |x_k| bound_k + bound_b + gamma(n_features + 1) (sum |x_k w_k| + |b|), |w| the larger of the two
 *   p      |dp| <= |dz| / 4 + 3 u: the sigmoid's slope is at most 1/4. Its own error is p (1 - p) 9e-8 from exp_bounded
 *          (test_arithmetic.c), and a rounding each from 1 + exp and the reciprocal
 *   delta  |dr| <= |dp| + 3 u: dr/dp is at most 1 for every loss, and r = (p - y) slope has at most four roundings of
 *          |r| <= 1 (log: one), 4/27 (mse), 1/4 (tutorial; there the slope's s adds 0.47 * 3 u)
 *   sum    sum |x_k| |dr| + gamma(chain) sum |x_k| (|r| + |dr|), chain = rows of a block + blocks + 1
 *   step   the slope has four roundings (the scale's own among them), the new weight one
 *
 * Measures add a row's error in the same way; see tolerance.c. */
#ifndef PLETHRON_TOLERANCE_H
#define PLETHRON_TOLERANCE_H

#include "reference.h"

/* Takes `bound` [n_features + 1] through the epoch that starts at the reference's weights w: call before
 * reference_epoch. `work` is room for 2 (n_features + 1) doubles. */
void tolerance_epoch(const reference_unit *unit, const double *w, double *bound, double *work);

/* Of p for one row, and of the measures, at weights within `bound` of w. */
double tolerance_prediction(const reference_unit *unit, const double *w, const double *bound, size_t sample);
double tolerance_mean_loss(const reference_unit *unit, const double *w, const double *bound);
double tolerance_error_sum(const reference_unit *unit, const double *w, const double *bound);
/* Rows whose p is too near to 0.5 to tell its side may fall either way. */
double tolerance_accuracy(const reference_unit *unit, const double *w, const double *bound);

#endif
