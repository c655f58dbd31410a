// The functions of the float networks that src/cwic/networks/native_layers.py calls. Those that work on a band of rows
// return false if memory is short.
#include "host.h"
#include "memory.h"
#include "transforms.h"

#define CHUNK 32  // positions that a convolution works on at a time

EXPORT Handle *floats_linear_load(int inputs, int outputs, const float *weight, const float *bias) {
    handle_open();
    Linear *layer = take(sizeof *layer);
    if (!layer || !linear_take(layer, inputs, outputs)) return handle_close(NULL);
    linear_fill(layer, weight, bias);
    return handle_close(layer);
}

// Outputs of `count` positions.
EXPORT int floats_linear(const Handle *handle, const float *x, int64_t count, float *out) {
    handle_open();
    return linear_map(content_of(handle), x, count, out);
}

// A 3x3 convolution: weights [9][outputs][inputs].
EXPORT Handle *floats_convolution_load(int inputs, int outputs, const float *weight, const float *bias) {
    handle_open();
    Linear *taps = take(TAPS * sizeof *taps);
    for (int tap = 0; tap < TAPS; tap++) {
        if (!taps || !linear_take(taps + tap, inputs, outputs)) return handle_close(NULL);
        linear_fill(taps + tap, weight + (size_t)tap * inputs * outputs, tap ? NULL : bias);
    }
    return handle_close(taps);
}

// The rows of a map [h][w][channels] from `first` to `last` as whole numbers, in a map with a border of zeros:
// [h + 2][w + 2][channels], steps [h + 2][w + 2].
EXPORT void floats_quantise(const float *x, int w, int channels, int first, int last, int16_t *out, float *steps) {
    for (int row = first; row < last; row++) {
        size_t at = (size_t)(row + 1) * (w + 2) + 1;
        quantise(x + (size_t)row * w * channels, channels, w, out + at * channels, steps + at);
    }
}

// Rows of a convolution of what `floats_quantise` gave, or if `adds` added to what is in `out` [h][w][outputs].
EXPORT void floats_convolve(const Handle *handle, const int16_t *x, const float *steps, int w, int first, int last,
                            float *out, int adds) {
    const Linear *taps = content_of(handle);
    int inputs = taps->inputs, outputs = taps->outputs;
    for (int row = first; row < last; row++)
        for (int i = 0; i < w; i += CHUNK)
            for (int tap = 0; tap < TAPS; tap++) {
                size_t at = (size_t)(row + tap / 3) * (w + 2) + i + tap % 3;
                linear(taps + tap, x + at * inputs, steps + at, w - i < CHUNK ? w - i : CHUNK,
                       out + ((size_t)row * w + i) * outputs, adds || tap > 0);
            }
}

EXPORT Handle *floats_depthwise_load(int channels, const float *weight, const float *bias) {
    handle_open();
    DepthwiseFloats *layer = take(sizeof *layer);
    if (!layer || !depthwise_take(layer, channels)) return handle_close(NULL);
    depthwise_fill(layer, weight, bias);
    return handle_close(layer);
}

// Rows of a depth-wise convolution of a map with a border, [h + 2][w + 2][channels].
EXPORT void floats_depthwise(const Handle *handle, const float *x, int w, int first, int last, const float *gain,
                             float *out) {
    const DepthwiseFloats *layer = content_of(handle);
    size_t line = (size_t)(w + 2) * layer->channels;
    for (int row = first; row < last; row++) {
        const float *rows[3] = {x + row * line, x + (row + 1) * line, x + (row + 2) * line};
        depthwise(layer, rows, 0, w, gain, out + (size_t)row * w * layer->channels);
    }
}

// See `block_fill` in transforms.h.
EXPORT Handle *floats_block_load(int channels, const float *const weights[10], float slope) {
    handle_open();
    TrunkBlock *block = take(sizeof *block);
    if (!block || !block_take(block, channels)) return handle_close(NULL);
    block_fill(block, weights, slope);
    return handle_close(block);
}

// See `block_rows` in transforms.h.
EXPORT int floats_block(const Handle *handle, const float *x, int h, int w, int first, int last,
                        const float *const gains[2], float *out) {
    handle_open();
    return block_rows(content_of(handle), x, h, w, first, last, gains, out);
}
