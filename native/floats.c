// The layers of the float networks, which src/cwic/networks/native_layers.py calls: maps are float, channels last, and
// products are made by linear.c. A call works on a band of rows; it returns false if memory is short.
#include <string.h>

#include "host.h"
#include "linear.h"
#include "memory.h"
#include "vectors.h"

#define CHUNK 32  // positions that are worked on at a time, so that they stay in the nearest cache
#define TAPS 9

// A 3x3 depth-wise convolution: taps [9][channels].
typedef struct {
    int channels;
    const float *taps, *bias;
} Depthwise;

// A block of a trunk (cwic.nn.depth_conv): depth-wise convolution between two linear maps, then a gated linear unit.
typedef struct {
    Linear expand, project, gate, merge;
    Depthwise depthwise;
    float slope;
} Block;

// Room for the positions of a chunk, and for those that a multiplication reads after them.
typedef struct {
    int16_t *whole;
    float *wide, *narrow, steps[CHUNK];
} Room;

static int room_take(Room *room, int channels, int wide) {
    size_t count = (size_t)CHUNK * channels;
    *room = (Room){take(count * 2), take((size_t)CHUNK * wide * 4), take(count * 4), {0}};
    if (!room->whole || !room->wide || !room->narrow) return 0;
    memset(room->whole, 0, count * 2);
    return 1;
}

static int at_most(int count, int limit) { return count < limit ? count : limit; }

static int depthwise_load(Depthwise *layer, int channels, const float *weight, const float *bias) {
    float *taps = take((size_t)(TAPS + 1) * channels * sizeof *taps);
    if (!taps || channels % LANES) return 0;
    for (int c = 0; c < channels; c++) {
        for (int tap = 0; tap < TAPS; tap++) taps[(size_t)tap * channels + c] = weight[(size_t)c * TAPS + tap];
        taps[(size_t)TAPS * channels + c] = bias[c];
    }
    *layer = (Depthwise){channels, taps, taps + (size_t)TAPS * channels};
    return 1;
}

// `count` positions of a row from `first` on, times the gain of each channel: from three rows of padded maps.
static void depthwise(const Depthwise *layer, const float *const rows[3], int first, int count, const float *gain,
                      float *out) {
    int channels = layer->channels;
    for (int c = 0; c < channels; c += LANES) {
        Floats bias = *(const Floats *)(layer->bias + c), factor = *(const Floats *)(gain + c), taps[TAPS];
        for (int tap = 0; tap < TAPS; tap++) taps[tap] = *(const Floats *)(layer->taps + (size_t)tap * channels + c);
        for (int i = 0; i < count; i++) {
            const float *at[3];
            for (int row = 0; row < 3; row++) at[row] = rows[row] + (size_t)(first + i) * channels + c;
            Floats sum = bias;
#pragma GCC unroll 9
            for (int tap = 0; tap < TAPS; tap++) sum += taps[tap] * *(const Floats *)(at[tap / 3] + tap % 3 * channels);
            *(Floats *)(out + (size_t)i * channels + c) = sum * factor;
        }
    }
}

EXPORT Handle *floats_linear_load(int inputs, int outputs, const float *weight, const float *bias) {
    handle_open();
    Linear *layer = take(sizeof *layer);
    return handle_close(layer && linear_load(layer, inputs, outputs, weight, bias) ? layer : NULL);
}

// Outputs of `count` positions.
EXPORT int floats_linear(const Handle *handle, const float *x, int64_t count, float *out) {
    const Linear *layer = content_of(handle);
    handle_open();
    Room room;
    int is_ready = room_take(&room, layer->inputs, 0);
    for (int64_t i = 0; is_ready && i < count; i += CHUNK) {
        int n = count - i < CHUNK ? (int)(count - i) : CHUNK;
        quantise(x + i * layer->inputs, layer->inputs, n, room.whole, room.steps);
        linear(layer, room.whole, room.steps, n, out + i * layer->outputs, 0);
    }
    arena_drop();
    return is_ready;
}

// A 3x3 convolution: weights [9][outputs][inputs].
EXPORT Handle *floats_convolution_load(int inputs, int outputs, const float *weight, const float *bias) {
    handle_open();
    Linear *taps = take(TAPS * sizeof *taps);
    int is_loaded = taps != NULL;
    for (int tap = 0; is_loaded && tap < TAPS; tap++)
        is_loaded = linear_load(taps + tap, inputs, outputs, weight + (size_t)tap * inputs * outputs, tap ? NULL : bias);
    return handle_close(is_loaded ? taps : NULL);
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
                linear(taps + tap, x + at * inputs, steps + at, at_most(w - i, CHUNK),
                       out + ((size_t)row * w + i) * outputs, adds || tap > 0);
            }
}

EXPORT Handle *floats_depthwise_load(int channels, const float *weight, const float *bias) {
    handle_open();
    Depthwise *layer = take(sizeof *layer);
    return handle_close(layer && depthwise_load(layer, channels, weight, bias) ? layer : NULL);
}

// Rows of a depth-wise convolution of a map with a border, [h + 2][w + 2][channels].
EXPORT void floats_depthwise(const Handle *handle, const float *x, int w, int first, int last, const float *gain,
                             float *out) {
    const Depthwise *layer = content_of(handle);
    size_t line = (size_t)(w + 2) * layer->channels;
    for (int row = first; row < last; row++) {
        const float *rows[3] = {x + row * line, x + (row + 1) * line, x + (row + 2) * line};
        depthwise(layer, rows, 0, w, gain, out + (size_t)row * w * layer->channels);
    }
}

// `weights` are those of the block's five layers in the order of `Block`, then their biases.
EXPORT Handle *floats_block_load(int channels, const float *const weights[10], float slope) {
    handle_open();
    Block *block = take(sizeof *block);
    if (!block) return handle_close(NULL);
    block->slope = slope;
    const float *const *biases = weights + 5;
    int is_loaded = linear_load(&block->expand, channels, channels, weights[0], biases[0]) &&
                    linear_load(&block->project, channels, channels, weights[1], biases[1]) &&
                    linear_load(&block->gate, channels, 2 * channels, weights[2], biases[2]) &&
                    linear_load(&block->merge, channels, channels, weights[3], biases[3]) &&
                    depthwise_load(&block->depthwise, channels, weights[4], biases[4]);
    return handle_close(is_loaded ? block : NULL);
}

// A row of the expanded map, with a border of zeros at both ends; zeros for rows beyond the map.
static void expand_row(const Block *block, const float *x, int h, int w, int row, Room *room, float *restrict out) {
    int channels = block->expand.inputs;
    memset(out, 0, (size_t)(w + 2) * channels * sizeof *out);
    if (row < 0 || row >= h) return;
    x += (size_t)row * w * channels, out += channels;
    float slope = block->slope;
    for (int i = 0; i < w; i += CHUNK) {
        int n = at_most(w - i, CHUNK);
        float *restrict to = out + (size_t)i * channels;
        quantise(x + (size_t)i * channels, channels, n, room->whole, room->steps);
        linear(&block->expand, room->whole, room->steps, n, to, 0);
        for (int k = 0; k < n * channels; k++) to[k] = to[k] > to[k] * slope ? to[k] : to[k] * slope;
    }
}

// a * sigmoid(b) * gain, for a position's gates a and b.
static void gated(const float *restrict gates, const float *restrict gain, int channels, float *restrict out) {
    const float *restrict b = gates + channels;
    for (int c = 0; c < channels; c++) {
        // exp(-b) = 2^(whole + part), with a polynomial for 2^part that is right to 2e-7.
        float power = b[c] * -1.44269504f;
        power = power < 126 ? power : 126;
        power = power > -126 ? power : -126;
        float whole = power + 12582912.0f - 12582912.0f, part = power - whole, factor;
        float exp2 = 1.3333558e-3f;
        exp2 = exp2 * part + 9.6181291e-3f, exp2 = exp2 * part + 5.5504109e-2f, exp2 = exp2 * part + 2.4022651e-1f;
        exp2 = exp2 * part + 6.9314718e-1f, exp2 = exp2 * part + 1;
        int32_t bits = ((int32_t)whole + 127) << 23;
        memcpy(&factor, &bits, sizeof factor);
        out[c] = gates[c] * gain[c] / (1 + exp2 * factor);
    }
}

// Positions of a row, from the expanded rows around it.
static void block_chunk(const Block *block, const float *const rows[3], const float *x, int first, int count,
                        const float *const gains[2], Room *room, float *out) {
    int channels = block->expand.inputs;
    depthwise(&block->depthwise, rows, first, count, gains[0], room->narrow);
    quantise(room->narrow, channels, count, room->whole, room->steps);
    memcpy(out, x, (size_t)count * channels * sizeof *out);
    linear(&block->project, room->whole, room->steps, count, out, 1);
    quantise(out, channels, count, room->whole, room->steps);
    linear(&block->gate, room->whole, room->steps, count, room->wide, 0);
    for (int i = 0; i < count; i++)
        gated(room->wide + (size_t)2 * i * channels, gains[1], channels, room->narrow + (size_t)i * channels);
    quantise(room->narrow, channels, count, room->whole, room->steps);
    linear(&block->merge, room->whole, room->steps, count, out, 1);
}

// Rows of a block of x [h][w][channels]. `gains` are those of the depth-wise convolution and of the gated unit.
EXPORT int floats_block(const Handle *handle, const float *x, int h, int w, int first, int last,
                        const float *const gains[2], float *out) {
    const Block *block = content_of(handle);
    int channels = block->expand.inputs;
    size_t line = (size_t)(w + 2) * channels;
    handle_open();
    Room room;
    float *lines = take(3 * line * sizeof *lines);
    if (!lines || !room_take(&room, channels, 2 * channels)) {
        arena_drop();
        return 0;
    }
    float *rows[3] = {lines, lines + line, lines + 2 * line};
    for (int row = 0; row < 2; row++) expand_row(block, x, h, w, first - 1 + row, &room, rows[row]);
    for (int row = first; row < last; row++) {
        expand_row(block, x, h, w, row + 1, &room, rows[2]);
        for (int i = 0; i < w; i += CHUNK) {
            size_t at = ((size_t)row * w + i) * channels;
            block_chunk(block, (const float *const *)rows, x + at, i, at_most(w - i, CHUNK), gains, &room, out + at);
        }
        float *oldest = rows[0];
        rows[0] = rows[1], rows[1] = rows[2], rows[2] = oldest;
    }
    arena_drop();
    return 1;
}
