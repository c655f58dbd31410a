#include "linear.h"

#include <stddef.h>

#include "memory.h"
#include "vectors.h"

#define OUTPUTS (2 * LANES)  // of a block of packed weights
#define LARGEST_INPUT 8191
#define LARGEST_WEIGHT 32767
#define LARGEST_SUM 2147483647.0
#define SMALLEST 1e-30f         // a position or a row of weights that is nowhere larger counts as zero,
#define LARGEST 1e30            // and so does a row of weights that is larger than this, or no number

// The factor by which weights become whole numbers: no sum of products with inputs may leave 32 bits.
static double scale_of(const float *weight, int inputs) {
    double sum = 0, largest = 0;
    for (int k = 0; k < inputs; k++) {
        double size = __builtin_fabs(weight[k]);
        sum += size, largest = size > largest ? size : largest;
    }
    if (!(largest > SMALLEST && sum < LARGEST)) return 0;
    double by_sum = (LARGEST_SUM / LARGEST_INPUT - inputs) / sum, by_size = LARGEST_WEIGHT / largest;
    return by_sum < by_size ? by_sum : by_size;
}

static int padded(int outputs) { return (outputs + OUTPUTS - 1) / OUTPUTS * OUTPUTS; }

int linear_take(Linear *layer, int inputs, int outputs) {
    if (inputs % 2 || inputs < 2 || outputs < 1) return 0;
    size_t all = padded(outputs);
    *layer = (Linear){inputs, outputs, take(inputs * all * 2), take(all * 4), take(all * 4)};
    return layer->weight && layer->step && layer->bias;
}

// Packed weights: for each block of outputs, for each pair of inputs, all outputs' two weights side by side. Outputs
// beyond the last have weights of 0.
void linear_fill(Linear *layer, const float *weight, const float *bias) {
    int inputs = layer->inputs, outputs = layer->outputs;
    for (int o = 0; o < padded(outputs); o++) {
        const float *row = weight + (size_t)o * inputs;
        double scale = o < outputs ? scale_of(row, inputs) : 0;
        layer->step[o] = scale > 0 ? (float)(1 / scale) : 0;
        layer->bias[o] = o < outputs && bias ? bias[o] : 0;
        int16_t *to = layer->weight + (size_t)(o / OUTPUTS) * inputs * OUTPUTS + o % OUTPUTS * 2;
        for (int k = 0; k < inputs; k++)
            to[(size_t)(k / 2) * 2 * OUTPUTS + k % 2] = scale > 0 ? (int16_t)__builtin_rint(row[k] * scale) : 0;
    }
}

void quantise(const float *restrict x, int inputs, int count, int16_t *restrict out, float *restrict steps) {
    for (int i = 0; i < count; i++, x += inputs, out += inputs) {
        // The bits of floats without a sign are in the order of their sizes.
        int32_t bits = 0;
        for (int k = 0; k < inputs; k++) {
            int32_t size = bits_of(x[k]) & 0x7fffffff;
            bits = size > bits ? size : bits;
        }
        float largest = float_of(bits), scale = largest > SMALLEST ? LARGEST_INPUT / largest : 0;
        steps[i] = largest / LARGEST_INPUT;
        for (int k = 0; k < inputs; k++) out[k] = (int16_t)bits_of(x[k] * scale + ROUNDER);
    }
}

// The sums of a position as floats: `count` of one block.
static inline void finish(const int32_t *restrict sums, float step, const float *restrict steps,
                          const float *restrict bias, int count, int adds, float *restrict out) {
    if (adds)
        for (int k = 0; k < count; k++) out[k] += (float)sums[k] * (step * steps[k]) + bias[k];
    else
        for (int k = 0; k < count; k++) out[k] = (float)sums[k] * (step * steps[k]) + bias[k];
}

typedef int32_t Sums[GROUP][OUTPUTS];

// The sums of GROUP positions, for the first or for both vectors of a block of outputs. Four positions at a time where
// there are 16 registers, eight where there are 32.
#if LANES == 16

static void multiply(const int16_t *x, const int16_t *w, int inputs, int vectors, Sums sums) {
    ptrdiff_t row = inputs;
    const int16_t *end = x + inputs, *x3 = x + 3 * row, *x6 = x + 6 * row;
    Ints a0 = zero(), b0 = a0, c0 = a0, d0 = a0, e0 = a0, f0 = a0, g0 = a0, h0 = a0;
    Ints a1 = a0, b1 = a0, c1 = a0, d1 = a0, e1 = a0, f1 = a0, g1 = a0, h1 = a0, w0, w1, p;
    if (vectors == 2)
        for (; x < end; x += 2, x3 += 2, x6 += 2, w += 2 * OUTPUTS) {
            w0 = load_pairs(w), w1 = load_pairs(w + OUTPUTS);
            p = same_pair(x), a0 = add_products(a0, p, w0), a1 = add_products(a1, p, w1);
            p = same_pair(x + row), b0 = add_products(b0, p, w0), b1 = add_products(b1, p, w1);
            p = same_pair(x + 2 * row), c0 = add_products(c0, p, w0), c1 = add_products(c1, p, w1);
            p = same_pair(x3), d0 = add_products(d0, p, w0), d1 = add_products(d1, p, w1);
            p = same_pair(x3 + row), e0 = add_products(e0, p, w0), e1 = add_products(e1, p, w1);
            p = same_pair(x3 + 2 * row), f0 = add_products(f0, p, w0), f1 = add_products(f1, p, w1);
            p = same_pair(x6), g0 = add_products(g0, p, w0), g1 = add_products(g1, p, w1);
            p = same_pair(x6 + row), h0 = add_products(h0, p, w0), h1 = add_products(h1, p, w1);
        }
    else
        for (; x < end; x += 2, x3 += 2, x6 += 2, w += 2 * OUTPUTS) {
            w0 = load_pairs(w);
            a0 = add_products(a0, same_pair(x), w0), b0 = add_products(b0, same_pair(x + row), w0);
            c0 = add_products(c0, same_pair(x + 2 * row), w0), d0 = add_products(d0, same_pair(x3), w0);
            e0 = add_products(e0, same_pair(x3 + row), w0), f0 = add_products(f0, same_pair(x3 + 2 * row), w0);
            g0 = add_products(g0, same_pair(x6), w0), h0 = add_products(h0, same_pair(x6 + row), w0);
        }
    store(sums[0], a0), store(sums[1], b0), store(sums[2], c0), store(sums[3], d0);
    store(sums[4], e0), store(sums[5], f0), store(sums[6], g0), store(sums[7], h0);
    if (vectors == 1) return;
    store(sums[0] + LANES, a1), store(sums[1] + LANES, b1), store(sums[2] + LANES, c1), store(sums[3] + LANES, d1);
    store(sums[4] + LANES, e1), store(sums[5] + LANES, f1), store(sums[6] + LANES, g1), store(sums[7] + LANES, h1);
}

#else

static void multiply(const int16_t *x, const int16_t *weight, int inputs, int vectors, Sums sums) {
    (void)vectors;
    ptrdiff_t row = inputs;
    for (int half = 0; half < GROUP; half += 4, x += 3 * row) {
        const int16_t *end = x + inputs, *x3 = x + 3 * row, *w = weight;
        Ints a0 = zero(), b0 = a0, c0 = a0, d0 = a0, a1 = a0, b1 = a0, c1 = a0, d1 = a0, w0, w1, p;
        for (; x < end; x += 2, x3 += 2, w += 2 * OUTPUTS) {
            w0 = load_pairs(w), w1 = load_pairs(w + OUTPUTS);
            p = same_pair(x), a0 = add_products(a0, p, w0), a1 = add_products(a1, p, w1);
            p = same_pair(x + row), b0 = add_products(b0, p, w0), b1 = add_products(b1, p, w1);
            p = same_pair(x + 2 * row), c0 = add_products(c0, p, w0), c1 = add_products(c1, p, w1);
            p = same_pair(x3), d0 = add_products(d0, p, w0), d1 = add_products(d1, p, w1);
        }
        store(sums[half], a0), store(sums[half + 1], b0), store(sums[half + 2], c0), store(sums[half + 3], d0);
        store(sums[half] + LANES, a1), store(sums[half + 1] + LANES, b1);
        store(sums[half + 2] + LANES, c1), store(sums[half + 3] + LANES, d1);
    }
}

#endif

void linear(const Linear *layer, const int16_t *x, const float *steps, int count, float *out, int adds) {
    int inputs = layer->inputs, outputs = layer->outputs;
    for (int o = 0; o < outputs; o += OUTPUTS) {
        const float *step = layer->step + o, *bias = layer->bias + o;
        int width = outputs - o < OUTPUTS ? outputs - o : OUTPUTS;
        for (int i = 0; i < count; i += GROUP) {
            Sums sums;
            multiply(x + (size_t)i * inputs, layer->weight + (size_t)o * inputs, inputs, width > LANES ? 2 : 1, sums);
            float *to = out + (size_t)i * outputs + o;
            for (int row = 0; row < GROUP && i + row < count; row++, to += outputs)
                if (width == OUTPUTS)  // a number that the compiler knows
                    finish(sums[row], steps[i + row], step, bias, OUTPUTS, adds, to);
                else
                    finish(sums[row], steps[i + row], step, bias, width, adds, to);
        }
    }
}
