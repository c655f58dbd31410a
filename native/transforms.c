#include "transforms.h"

#include <string.h>

#include "memory.h"
#include "vectors.h"

#define CHUNK 32  // positions that are worked on at a time, so that they stay in the nearest cache

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

int depthwise_take(DepthwiseFloats *layer, int channels) {
    *layer = (DepthwiseFloats){channels, take((size_t)TAPS * channels * 4), take((size_t)channels * 4)};
    return channels % LANES == 0 && layer->taps && layer->bias;
}

void depthwise_fill(DepthwiseFloats *layer, const float *weight, const float *bias) {
    int channels = layer->channels;
    for (int c = 0; c < channels; c++) {
        for (int tap = 0; tap < TAPS; tap++) layer->taps[(size_t)tap * channels + c] = weight[(size_t)c * TAPS + tap];
        layer->bias[c] = bias[c];
    }
}

void depthwise(const DepthwiseFloats *layer, const float *const rows[3], int first, int count, const float *gain,
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

int linear_map(const Linear *layer, const float *x, int64_t count, float *out) {
    size_t mark = arena_mark();
    Room room;
    int is_ready = room_take(&room, layer->inputs, 0);
    for (int64_t i = 0; is_ready && i < count; i += CHUNK) {
        int n = count - i < CHUNK ? (int)(count - i) : CHUNK;
        quantise(x + i * layer->inputs, layer->inputs, n, room.whole, room.steps);
        linear(layer, room.whole, room.steps, n, out + i * layer->outputs, 0);
    }
    arena_release(mark);
    return is_ready;
}

int block_take(TrunkBlock *block, int channels) {
    return linear_take(&block->expand, channels, channels) && linear_take(&block->project, channels, channels) &&
           linear_take(&block->gate, channels, 2 * channels) && linear_take(&block->merge, channels, channels) &&
           depthwise_take(&block->depthwise, channels);
}

void block_fill(TrunkBlock *block, const float *const weights[10], float slope) {
    const float *const *biases = weights + 5;
    Linear *const layers[4] = {&block->expand, &block->project, &block->gate, &block->merge};
    for (int i = 0; i < 4; i++) linear_fill(layers[i], weights[i], biases[i]);
    depthwise_fill(&block->depthwise, weights[4], biases[4]);
    block->slope = slope;
}

// A row of the expanded map, with a border of zeros at both ends; zeros for rows beyond the map.
static void expand_row(const TrunkBlock *block, const float *x, int h, int w, int row, Room *room, float *restrict out) {
    int channels = block->expand.inputs;
    size_t position = channels * sizeof *out;
    if (row < 0 || row >= h) {
        memset(out, 0, (w + 2) * position);
        return;
    }
    memset(out, 0, position);
    x += (size_t)row * w * channels, out += channels;
    memset(out + (size_t)w * channels, 0, position);
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
        float moved = power + ROUNDER, part = power - (moved - ROUNDER);
        float exp2 = 1.3333558e-3f;
        exp2 = exp2 * part + 9.6181291e-3f, exp2 = exp2 * part + 5.5504109e-2f, exp2 = exp2 * part + 2.4022651e-1f;
        exp2 = exp2 * part + 6.9314718e-1f, exp2 = exp2 * part + 1;
        // What moves out at the top belongs to ROUNDER.
        float factor = float_of((int32_t)((uint32_t)bits_of(moved) << 23) + (127 << 23));
        out[c] = gates[c] * gain[c] / (1 + exp2 * factor);
    }
}

// Positions of a row, from the expanded rows around it.
static void block_chunk(const TrunkBlock *block, const float *const rows[3], const float *x, int first, int count,
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

int block_rows(const TrunkBlock *block, const float *x, int h, int w, int first, int last, const float *const gains[2],
               float *out) {
    int channels = block->expand.inputs;
    size_t line = (size_t)(w + 2) * channels, mark = arena_mark();
    Room room;
    float *lines = take(3 * line * sizeof *lines);
    if (!lines || !room_take(&room, channels, 2 * channels)) {
        arena_release(mark);
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
    arena_release(mark);
    return 1;
}
