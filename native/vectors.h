// Vectors of 32-bit integers, for the one operation that compilers do not find by themselves: products of pairs of
// 16-bit numbers, added to sums. Everything else is left to loops, which compilers turn into vectors.
//
//     Ints zero(void)                       LANES zeros
//     Ints load_pairs(const int16_t *)      LANES pairs
//     Ints same_pair(const int16_t *)       one pair, LANES times
//     Ints add_products(sums, a, b)         sums + a[0] b[0] + a[1] b[1], for each pair
//     void store(int32_t *, Ints)
#pragma once
#include <stdint.h>
#include <string.h>

static inline int32_t pair_bits(const int16_t *pair) {
    int32_t bits;
    memcpy(&bits, pair, sizeof bits);
    return bits;
}

#if defined(__wasm_simd128__)

#include <wasm_simd128.h>
#define LANES 4
typedef v128_t Ints;
static inline Ints zero(void) { return wasm_i32x4_splat(0); }
static inline Ints load_pairs(const int16_t *pairs) { return wasm_v128_load(pairs); }
static inline Ints same_pair(const int16_t *pair) { return wasm_v128_load32_splat(pair); }
static inline Ints add_products(Ints sums, Ints a, Ints b) { return wasm_i32x4_add(sums, wasm_i32x4_dot_i16x8(a, b)); }
static inline void store(int32_t *to, Ints from) { wasm_v128_store(to, from); }

#elif defined(__AVX512VNNI__)

#include <immintrin.h>
#define LANES 16
typedef __m512i Ints;
static inline Ints zero(void) { return _mm512_setzero_si512(); }
static inline Ints load_pairs(const int16_t *pairs) { return _mm512_loadu_si512(pairs); }
static inline Ints same_pair(const int16_t *pair) { return _mm512_set1_epi32(pair_bits(pair)); }
static inline Ints add_products(Ints sums, Ints a, Ints b) { return _mm512_dpwssd_epi32(sums, a, b); }
static inline void store(int32_t *to, Ints from) { _mm512_storeu_si512(to, from); }

#elif defined(__AVX2__)

#include <immintrin.h>
#define LANES 8
typedef __m256i Ints;
static inline Ints zero(void) { return _mm256_setzero_si256(); }
static inline Ints load_pairs(const int16_t *pairs) { return _mm256_loadu_si256((const __m256i *)pairs); }
static inline Ints same_pair(const int16_t *pair) { return _mm256_set1_epi32(pair_bits(pair)); }
static inline Ints add_products(Ints sums, Ints a, Ints b) { return _mm256_add_epi32(sums, _mm256_madd_epi16(a, b)); }
static inline void store(int32_t *to, Ints from) { _mm256_storeu_si256((__m256i *)to, from); }

#elif defined(__SSE2__)

#include <emmintrin.h>
#define LANES 4
typedef __m128i Ints;
static inline Ints zero(void) { return _mm_setzero_si128(); }
static inline Ints load_pairs(const int16_t *pairs) { return _mm_loadu_si128((const __m128i *)pairs); }
static inline Ints same_pair(const int16_t *pair) { return _mm_set1_epi32(pair_bits(pair)); }
static inline Ints add_products(Ints sums, Ints a, Ints b) { return _mm_add_epi32(sums, _mm_madd_epi16(a, b)); }
static inline void store(int32_t *to, Ints from) { _mm_storeu_si128((__m128i *)to, from); }

#else  // any processor, by the vectors of GCC and clang

#define LANES 4
typedef int32_t Ints __attribute__((vector_size(4 * LANES)));
static inline Ints zero(void) { return (Ints){0}; }
static inline Ints load_pairs(const int16_t *pairs) {
    Ints loaded;
    memcpy(&loaded, pairs, sizeof loaded);
    return loaded;
}
static inline Ints same_pair(const int16_t *pair) { return (Ints){0} + pair_bits(pair); }
static inline Ints add_products(Ints sums, Ints a, Ints b) {
    return sums + (a >> 16) * (b >> 16) + ((a << 16) >> 16) * ((b << 16) >> 16);
}
static inline void store(int32_t *to, Ints from) { memcpy(to, &from, sizeof from); }

#endif

// 1.5 * 2^23: added to a small float, it leaves the nearest whole number in the low bits.
#define ROUNDER 12582912.0f

static inline int32_t bits_of(float x) {
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float float_of(int32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

// Floats that are computed in order: LANES at once, from any address.
typedef float Floats __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
