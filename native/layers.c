#include "layers.h"

#include <string.h>

#include "memory.h"
#include "vectors.h"

#define MULTIPLIER_BITS 20
#define OUTPUTS (2 * LANES)  // of a block of packed weights
#define ROWS 4               // that are multiplied at a time

// Packed weights: for each block of outputs, for each pair of inputs, all outputs' two weights side by side. Outputs
// beyond the last have weights of 0.
int pointwise_load(Pointwise *layer, int inputs, int outputs, const int8_t *weight, const int32_t *multiplier,
                   const int32_t *bias) {
    if (inputs % 8 || outputs % 8) return 0;
    int blocks = (outputs + OUTPUTS - 1) / OUTPUTS;
    int16_t *packed = take((size_t)inputs * blocks * OUTPUTS * sizeof *packed);
    if (!packed) return 0;
    layer->inputs = inputs, layer->outputs = outputs, layer->weight = packed;
    layer->multiplier = multiplier, layer->bias = bias;
    for (int block = 0; block < blocks * OUTPUTS; block += OUTPUTS)
        for (int k = 0; k < inputs; k += 2)
            for (int o = block; o < block + OUTPUTS; o++)
                for (int of_pair = 0; of_pair < 2; of_pair++)
                    *packed++ = o < outputs ? weight[(size_t)o * inputs + k + of_pair] : 0;
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

void lower(const int32_t *restrict stream, int count, int16_t *restrict out) {
    for (int k = 0; k < count; k++) {
        int32_t x = (stream[k] + 8) >> 4;
        x = x < 127 ? x : 127;
        out[k] = (int16_t)(x > -127 ? x : -127);
    }
}

void leaky(int32_t *stream, int64_t count) {
    for (int64_t k = 0; k < count; k++) {
        int32_t low = stream[k] >> 3;
        stream[k] = stream[k] > low ? stream[k] : low;
    }
}

void add(int32_t *restrict to, const int32_t *restrict other, int64_t count) {
    for (int64_t k = 0; k < count; k++) to[k] += other[k];
}

// sum * multiplier >> 20, rounded half up, + bias: 64 bits in between. The result fits 32 bits, so that a shift that
// does not keep the sign gives the same, and that one is an instruction on every processor.
static void scale(int32_t *restrict sums, const int32_t *restrict multiplier, const int32_t *restrict bias, int count) {
    for (int k = 0; k < count; k++) {
        uint64_t scaled = (uint64_t)((int64_t)sums[k] * multiplier[k] + (1 << (MULTIPLIER_BITS - 1)));
        sums[k] = (int32_t)(scaled >> MULTIPLIER_BITS) + bias[k];
    }
}

// The sums of ROWS rows, for all outputs.
static void multiply_rows(const Pointwise *layer, const int16_t *a, int32_t *out) {
    int inputs = layer->inputs, outputs = layer->outputs;
    const int16_t *w = layer->weight, *b = a + inputs, *c = b + inputs, *d = c + inputs;
    for (int o = 0; o < outputs; o += OUTPUTS) {
        Ints a0 = zero(), a1 = a0, b0 = a0, b1 = a0, c0 = a0, c1 = a0, d0 = a0, d1 = a0;
        for (int k = 0; k < inputs; k += 2, w += 2 * OUTPUTS) {
            Ints w0 = load_pairs(w), w1 = load_pairs(w + OUTPUTS), x;
            x = same_pair(a + k), a0 = add_products(a0, x, w0), a1 = add_products(a1, x, w1);
            x = same_pair(b + k), b0 = add_products(b0, x, w0), b1 = add_products(b1, x, w1);
            x = same_pair(c + k), c0 = add_products(c0, x, w0), c1 = add_products(c1, x, w1);
            x = same_pair(d + k), d0 = add_products(d0, x, w0), d1 = add_products(d1, x, w1);
        }
        int32_t block[ROWS][OUTPUTS];
        int count = outputs - o < OUTPUTS ? outputs - o : OUTPUTS;
        store(block[0], a0), store(block[0] + LANES, a1), store(block[1], b0), store(block[1] + LANES, b1);
        store(block[2], c0), store(block[2] + LANES, c1), store(block[3], d0), store(block[3] + LANES, d1);
        for (int row = 0; row < ROWS; row++) memcpy(out + (size_t)row * outputs + o, block[row], count * sizeof *out);
    }
}

// The sums of the last row or rows, one at a time.
static void multiply_row(const Pointwise *layer, const int16_t *a, int32_t *out) {
    int inputs = layer->inputs, outputs = layer->outputs;
    const int16_t *w = layer->weight;
    for (int o = 0; o < outputs; o += OUTPUTS) {
        Ints a0 = zero(), a1 = a0;
        for (int k = 0; k < inputs; k += 2, w += 2 * OUTPUTS) {
            Ints x = same_pair(a + k);
            a0 = add_products(a0, x, load_pairs(w)), a1 = add_products(a1, x, load_pairs(w + OUTPUTS));
        }
        int32_t block[OUTPUTS];
        store(block, a0), store(block + LANES, a1);
        memcpy(out + o, block, (outputs - o < OUTPUTS ? outputs - o : OUTPUTS) * sizeof *out);
    }
}

void pointwise_stream(const Pointwise *layer, const int16_t *rows, int count, int32_t *out) {
    int row = 0;
    for (; row + ROWS <= count; row += ROWS)
        multiply_rows(layer, rows + (size_t)row * layer->inputs, out + (size_t)row * layer->outputs);
    for (; row < count; row++)
        multiply_row(layer, rows + (size_t)row * layer->inputs, out + (size_t)row * layer->outputs);
    for (row = 0; row < count; row++, out += layer->outputs) scale(out, layer->multiplier, layer->bias, layer->outputs);
}

void pointwise_lowered_leaky(const Pointwise *layer, const int16_t *rows, int count, int32_t *sums, int16_t *out) {
    pointwise_stream(layer, rows, count, sums);
    leaky(sums, (int64_t)count * layer->outputs);
    lower(sums, count * layer->outputs, out);
}

void lower_padded(const int32_t *stream, int h, int w, int c, int16_t *out) {
    size_t line = (size_t)(w + 2) * c;
    memset(out, 0, line * sizeof *out);
    memset(out + line * (h + 1), 0, line * sizeof *out);
    for (int row = 0; row < h; row++) {
        int16_t *to = out + line * (row + 1);
        memset(to, 0, c * sizeof *to);
        lower(stream + (size_t)row * w * c, w * c, to + c);
        memset(to + line - c, 0, c * sizeof *to);
    }
}

// Two products of activations and int8 weights, at most 127 * 128 each, fit 16 bits together.
void depthwise_row(const Depthwise *layer, const int16_t *padded, int w, int row, int32_t *restrict out) {
    int channels = layer->channels;
    size_t line = (size_t)(w + 2) * channels;
    const int16_t *from = padded + line * row;
    for (int column = 0; column < w; column++, from += channels, out += channels) {
        const int16_t *x[9], *t[9];
        for (int tap = 0; tap < 9; tap++) {
            x[tap] = from + line * (tap / 3) + (size_t)(tap % 3) * channels;
            t[tap] = layer->weight + (size_t)tap * channels;
        }
        for (int c = 0; c < channels; c++) {
            int32_t sum = (int16_t)(x[8][c] * t[8][c]);
            for (int tap = 0; tap < 8; tap += 2)
                sum += (int16_t)(x[tap][c] * t[tap][c] + x[tap + 1][c] * t[tap + 1][c]);
            out[c] = sum;
        }
        scale(out, layer->multiplier, layer->bias, channels);
    }
}
