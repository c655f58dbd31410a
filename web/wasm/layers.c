#include "layers.h"

#include <wasm_simd128.h>

#include "memory.h"

#define MULTIPLIER_BITS 20
#define OUTPUTS 8  // of a block of packed weights
#define ROWS 4     // that are multiplied at a time

// Packed weights: for each block of 8 outputs, for each pair of inputs, the 8 outputs' two weights side by side.
// One instruction then multiplies a pair of activations with the weights of 4 outputs and adds the products.
int pointwise_load(Pointwise *layer, int inputs, int outputs, const int8_t *weight, const int32_t *multiplier,
                   const int32_t *bias) {
    if (inputs % 8 || outputs % OUTPUTS) return 0;
    int16_t *packed = take((size_t)inputs * outputs * sizeof *packed);
    if (!packed) return 0;
    int16_t *to = packed;
    for (int block = 0; block < outputs; block += OUTPUTS)
        for (int k = 0; k < inputs; k += 2)
            for (int o = block; o < block + OUTPUTS; o++) {
                *to++ = weight[(size_t)o * inputs + k];
                *to++ = weight[(size_t)o * inputs + k + 1];
            }
    *layer = (Pointwise){inputs, outputs, packed, multiplier, bias};
    return 1;
}

int depthwise_load(Depthwise *layer, int channels, const int8_t *weight, const int32_t *multiplier,
                   const int32_t *bias) {
    if (channels % 8) return 0;
    int16_t *taps = take((size_t)channels * 9 * sizeof *taps);
    if (!taps) return 0;
    for (int c = 0; c < channels; c++)
        for (int tap = 0; tap < 9; tap++) taps[tap * channels + c] = weight[c * 9 + tap];
    *layer = (Depthwise){channels, taps, multiplier, bias};
    return 1;
}

static inline v128_t lowered(v128_t stream) {
    v128_t x = wasm_i32x4_shr(wasm_i32x4_add(stream, wasm_i32x4_splat(8)), 4);
    return wasm_i32x4_max(wasm_i32x4_min(x, wasm_i32x4_splat(127)), wasm_i32x4_splat(-127));
}

void lower(const int32_t *stream, int count, int16_t *out) {
    for (int k = 0; k < count; k += 8) {
        v128_t low = lowered(wasm_v128_load(stream + k)), high = lowered(wasm_v128_load(stream + k + 4));
        wasm_v128_store(out + k, wasm_i16x8_narrow_i32x4(low, high));
    }
}

static inline v128_t leaked(v128_t stream) { return wasm_i32x4_max(stream, wasm_i32x4_shr(stream, 3)); }

void leaky(int32_t *stream, int64_t count) {
    for (int64_t k = 0; k < count; k += 4) wasm_v128_store(stream + k, leaked(wasm_v128_load(stream + k)));
}

// sum * multiplier >> 20, rounded half up, + bias: 64 bits in between.
static inline v128_t scaled(v128_t sums, const int32_t *multiplier, const int32_t *bias) {
    v128_t m = wasm_v128_load(multiplier), half = wasm_i64x2_splat(1ll << (MULTIPLIER_BITS - 1));
    v128_t low = wasm_i64x2_shr(wasm_i64x2_add(wasm_i64x2_extmul_low_i32x4(sums, m), half), MULTIPLIER_BITS);
    v128_t high = wasm_i64x2_shr(wasm_i64x2_add(wasm_i64x2_extmul_high_i32x4(sums, m), half), MULTIPLIER_BITS);
    return wasm_i32x4_add(wasm_i32x4_shuffle(low, high, 0, 2, 4, 6), wasm_v128_load(bias));
}

static inline v128_t pair(const int16_t *activations) { return wasm_v128_load32_splat(activations); }

static void multiply(const Pointwise *layer, const int16_t *rows, int count, int32_t *out) {
    int inputs = layer->inputs, outputs = layer->outputs, row = 0;
    for (; row + ROWS <= count; row += ROWS) {
        const int16_t *a = rows + (size_t)row * inputs, *b = a + inputs, *c = b + inputs, *d = c + inputs;
        const int16_t *w = layer->weight;
        for (int o = 0; o < outputs; o += OUTPUTS) {
            v128_t zero = wasm_i32x4_splat(0);
            v128_t a0 = zero, a1 = zero, b0 = zero, b1 = zero, c0 = zero, c1 = zero, d0 = zero, d1 = zero;
            for (int k = 0; k < inputs; k += 2, w += 2 * OUTPUTS) {
                v128_t w0 = wasm_v128_load(w), w1 = wasm_v128_load(w + OUTPUTS), x;
                x = pair(a + k);
                a0 = wasm_i32x4_add(a0, wasm_i32x4_dot_i16x8(x, w0));
                a1 = wasm_i32x4_add(a1, wasm_i32x4_dot_i16x8(x, w1));
                x = pair(b + k);
                b0 = wasm_i32x4_add(b0, wasm_i32x4_dot_i16x8(x, w0));
                b1 = wasm_i32x4_add(b1, wasm_i32x4_dot_i16x8(x, w1));
                x = pair(c + k);
                c0 = wasm_i32x4_add(c0, wasm_i32x4_dot_i16x8(x, w0));
                c1 = wasm_i32x4_add(c1, wasm_i32x4_dot_i16x8(x, w1));
                x = pair(d + k);
                d0 = wasm_i32x4_add(d0, wasm_i32x4_dot_i16x8(x, w0));
                d1 = wasm_i32x4_add(d1, wasm_i32x4_dot_i16x8(x, w1));
            }
            int32_t *to = out + (size_t)row * outputs + o;
            wasm_v128_store(to, a0), wasm_v128_store(to + 4, a1), to += outputs;
            wasm_v128_store(to, b0), wasm_v128_store(to + 4, b1), to += outputs;
            wasm_v128_store(to, c0), wasm_v128_store(to + 4, c1), to += outputs;
            wasm_v128_store(to, d0), wasm_v128_store(to + 4, d1);
        }
    }
    for (; row < count; row++) {
        const int16_t *a = rows + (size_t)row * inputs, *w = layer->weight;
        for (int o = 0; o < outputs; o += OUTPUTS) {
            v128_t a0 = wasm_i32x4_splat(0), a1 = a0;
            for (int k = 0; k < inputs; k += 2, w += 2 * OUTPUTS) {
                v128_t x = pair(a + k);
                a0 = wasm_i32x4_add(a0, wasm_i32x4_dot_i16x8(x, wasm_v128_load(w)));
                a1 = wasm_i32x4_add(a1, wasm_i32x4_dot_i16x8(x, wasm_v128_load(w + OUTPUTS)));
            }
            int32_t *to = out + (size_t)row * outputs + o;
            wasm_v128_store(to, a0), wasm_v128_store(to + 4, a1);
        }
    }
}

void pointwise_stream(const Pointwise *layer, const int16_t *rows, int count, int32_t *out) {
    multiply(layer, rows, count, out);
    for (int row = 0; row < count; row++, out += layer->outputs)
        for (int o = 0; o < layer->outputs; o += 4)
            wasm_v128_store(out + o, scaled(wasm_v128_load(out + o), layer->multiplier + o, layer->bias + o));
}

void pointwise_lowered_leaky(const Pointwise *layer, const int16_t *rows, int count, int32_t *sums, int16_t *out) {
    pointwise_stream(layer, rows, count, sums);
    leaky(sums, (int64_t)count * layer->outputs);
    lower(sums, count * layer->outputs, out);
}

void lower_padded(const int32_t *stream, int h, int w, int c, int16_t *out) {
    size_t line = (size_t)(w + 2) * c;
    __builtin_memset(out, 0, line * sizeof *out);
    __builtin_memset(out + line * (h + 1), 0, line * sizeof *out);
    for (int row = 0; row < h; row++) {
        int16_t *to = out + line * (row + 1);
        __builtin_memset(to, 0, c * sizeof *to);
        lower(stream + (size_t)row * w * c, w * c, to + c);
        __builtin_memset(to + line - c, 0, c * sizeof *to);
    }
}

void depthwise_row(const Depthwise *layer, const int16_t *padded, int w, int row, int32_t *out) {
    int channels = layer->channels;
    size_t line = (size_t)(w + 2) * channels;
    const int16_t *from = padded + line * row;
    for (int column = 0; column < w; column++, from += channels, out += channels)
        for (int c = 0; c < channels; c += 8) {
            v128_t low = wasm_i32x4_splat(0), high = low;
            for (int tap = 0; tap < 9; tap++) {
                v128_t x = wasm_v128_load(from + line * (tap / 3) + (size_t)(tap % 3) * channels + c);
                v128_t t = wasm_v128_load(layer->weight + tap * channels + c);
                low = wasm_i32x4_add(low, wasm_i32x4_extmul_low_i16x8(x, t));
                high = wasm_i32x4_add(high, wasm_i32x4_extmul_high_i16x8(x, t));
            }
            wasm_v128_store(out + c, scaled(low, layer->multiplier + c, layer->bias + c));
            wasm_v128_store(out + c + 4, scaled(high, layer->multiplier + c + 4, layer->bias + c + 4));
        }
}
