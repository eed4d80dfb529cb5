/* IEEE 754 binary16: a sign, 5 bits of exponent, 10 of fraction. Exact, without instructions of a processor. */
#ifndef PLETHRON_HALF_H
#define PLETHRON_HALF_H

#include <stdint.h>
#include <string.h>

static inline uint32_t float_bits(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float float_of_bits(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* The float of the same value. Fraction and exponent move to where a float has them, whose exponents are 112 higher; in
 * a subnormal the fraction counts from 2^-14 on. Without branches, so that loops become vectors. */
static inline float half_to_float(uint16_t half) {
    const uint32_t sign = (uint32_t)(half & 0x8000) << 16, magnitude = (uint32_t)(half & 0x7FFF) << 13;
    const uint32_t normal = magnitude + (UINT32_C(112) << 23), infinite = magnitude | UINT32_C(0x7F800000);
    const uint32_t subnormal = float_bits(float_of_bits(magnitude + (UINT32_C(113) << 23)) - 0x1p-14f);
    const uint32_t finite = magnitude < UINT32_C(0x00800000) ? subnormal : normal;
    return float_of_bits(sign | (magnitude < UINT32_C(0x0F800000) ? finite : infinite));
}

/* The nearest half, ties to even; from 65520 on infinity. A NaN stays one. */
static inline uint16_t half_from_float(float x) {
    const uint32_t bits = float_bits(x), magnitude = bits & UINT32_C(0x7FFFFFFF);
    const uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    if (magnitude > UINT32_C(0x7F800000)) return (uint16_t)(sign | 0x7E00);
    if (magnitude >= UINT32_C(0x477FF000)) return (uint16_t)(sign | 0x7C00);
    if (magnitude < UINT32_C(0x38800000)) /* beside 1/2 a float's steps are those of the subnormals, 2^-24 */
        return (uint16_t)(sign | (float_bits(float_of_bits(magnitude) + 0.5f) - float_bits(0.5f)));
    const uint32_t is_odd = magnitude >> 13 & 1;
    return (uint16_t)(sign | ((magnitude - (UINT32_C(112) << 23) + 0xFFF + is_odd) >> 13));
}

#endif
