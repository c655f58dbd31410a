#include "prior.h"

#include <string.h>

#include "memory.h"
#include "status.h"

#define VALUE_BITS 6
#define GAIN_BITS 24
#define STREAM_BITS 8
#define MAGNITUDE_BITS 4
#define VALUE_CLAMP (1 << 20)
#define Z_BITS 6
#define KNOT_BITS 7
#define SCALES 64
#define SCALE_STEP 48
#define LOG2_SCALE_MIN (-815)
#define BAND 64  // positions that layers work on at a time: their feature maps stay in a core's cache

static const int STEPS[PASSES] = {0, 3, 2, 1};

static int64_t shift_round(int64_t x, int bits) { return (x + (1ll << (bits - 1))) >> bits; }

static int32_t interpolate(const int32_t *knots, int channels, int level, int c) {
    int low = level >> KNOT_BITS, weight = level & ((1 << KNOT_BITS) - 1);
    const int32_t *from = knots + low * channels + c;
    return (from[0] * ((1 << KNOT_BITS) - weight) + from[channels] * weight + (1 << (KNOT_BITS - 1))) >> KNOT_BITS;
}

static uint8_t scale_index(int32_t log2_scale) {
    int32_t distance = log2_scale - (LOG2_SCALE_MIN - SCALE_STEP / 2);
    if (distance < 0) distance = 0;
    if (distance > SCALE_STEP * SCALES - 1) distance = SCALE_STEP * SCALES - 1;
    return (uint8_t)(distance * 43691 >> 21);
}

void prior_z_index(const Model *model, int level, uint8_t *indexes) {
    for (int c = 0; c < model->hyper_channels; c++)
        indexes[c] = scale_index(interpolate(model->z_log2_scale, model->hyper_channels, level, c));
}

int64_t prior_gain(const Model *model, int32_t log2_gain) {
    int64_t mantissa = model->exp2[log2_gain & (OCTAVE - 1)];
    return (mantissa << ((log2_gain >> STREAM_BITS) + GAIN_OCTAVES)) >> GAIN_OCTAVES;
}

void prior_log2_gains(const Model *model, int level, int32_t *gains) {
    for (int c = 0; c < model->M; c++) {
        int32_t gain = interpolate(model->log2_gain, model->M, level, c), limit = GAIN_OCTAVES * OCTAVE;
        gains[c] = gain < -limit ? -limit : gain > limit ? limit : gain;
    }
}

static int smaller(int a, int b) { return a < b ? a : b; }

// [h][w][4 c] to [2 h][2 w][c].
static void shuffle(const int32_t *from, int h, int w, int c, int32_t *to) {
    for (int row = 0; row < h; row++)
        for (int column = 0; column < w; column++)
            for (int part = 0; part < 4; part++, from += c)
                memcpy(to + ((size_t)(2 * row + part / 2) * 2 * w + 2 * column + part % 2) * c, from,
                       c * sizeof *to);
}

// A layer over the positions of a stream.
static void mapped(const Pointwise *layer, const int32_t *x, int positions, int32_t *out, int16_t *rows) {
    for (int first = 0; first < positions; first += BAND) {
        int count = smaller(BAND, positions - first);
        lower(x + (size_t)first * layer->inputs, count * layer->inputs, rows);
        pointwise_stream(layer, rows, count, out + (size_t)first * layer->outputs);
    }
}

// t + layer(t), in place; `padded` and `line` are room for the padded map and one row.
static void mixed(const Depthwise *layer, int32_t *t, int h, int w, int16_t *padded, int32_t *line) {
    int size = w * layer->channels;
    lower_padded(t, h, w, layer->channels, padded);
    for (int row = 0; row < h; row++, t += size) {
        depthwise_row(layer, padded, w, row, line);
        add(t, line, size);
    }
}

static int32_t *hyper_synthesis(const Model *model, const int16_t *z, int h, int w) {
    int width = model->hyper_width, C = model->hyper_channels, small = h / 4 * (w / 4), middle = 4 * small;
    int wider = 4 * (width > C ? width : C);
    int32_t *state = take((size_t)h * w * model->width * 4);
    size_t mark = arena_mark();
    int32_t *in = take((size_t)small * C * 4), *t = take((size_t)small * width * 4);
    int32_t *large = take((size_t)middle * width * 4), *t2 = take((size_t)middle * width * 4);
    int32_t *left = take((size_t)middle * 4 * model->width * 4);
    int16_t *padded = take((size_t)(h / 2 + 2) * (w / 2 + 2) * width * 2), *rows = take((size_t)BAND * wider * 2);
    int32_t *line = take((size_t)w * width * 4);
    if (!state || !in || !t || !large || !t2 || !left || !padded || !rows || !line) return NULL;
    for (int k = 0; k < small * C; k++) in[k] = (int32_t)z[k] << Z_BITS;
    mapped(&model->enter, in, small, t, rows);
    leaky(t, (int64_t)small * width);
    mixed(&model->mix, t, h / 4, w / 4, padded, line);
    mapped(&model->enlarge, t, small, large, rows);
    shuffle(large, h / 4, w / 4, width, t2);
    leaky(t2, (int64_t)middle * width);
    mixed(&model->mix_enlarged, t2, h / 2, w / 2, padded, line);
    mapped(&model->leave, t2, middle, left, rows);
    shuffle(left, h / 2, w / 2, model->width, state);
    arena_release(mark);
    return state;
}

// Room for a band of rows: feature maps, and what layers need for some positions at a time.
typedef struct {
    int32_t *t, *next, *sums;
    int16_t *padded, *rows, *hidden;
} Room;

static int room_take(Room *room, const Model *model, int h, int w) {
    int channels = model->width, group = model->M / 4, widest = channels > 2 * group ? channels : 2 * group;
    int band = w > 2 * BAND ? w : 2 * BAND;
    size_t size = (size_t)h * w * channels;
    room->t = take(size * 4), room->next = take(size * 4);
    room->padded = take((size_t)(h + 2) * (w + 2) * channels * 2);
    room->rows = take((size_t)band * widest * 2), room->hidden = take((size_t)band * widest * 2);
    room->sums = take((size_t)band * widest * 4);
    return room->t && room->next && room->padded && room->rows && room->hidden && room->sums;
}

// t + project(leaky(expand(mix(t)))), from `t` [h][w][channels] to `next`, which then change places.
static void context_block(const Block *block, int h, int w, Room *room) {
    int channels = block->mix.channels, together = w < BAND ? BAND / w : 1;
    lower_padded(room->t, h, w, channels, room->padded);
    for (int row = 0; row < h; row += together) {
        int lines = smaller(together, h - row), positions = lines * w;
        for (int line = 0; line < lines; line++)
            depthwise_row(&block->mix, room->padded, w, row + line, room->sums + (size_t)line * w * channels);
        lower(room->sums, positions * channels, room->rows);
        pointwise_lowered_leaky(&block->expand, room->rows, positions, room->sums, room->hidden);
        pointwise_stream(&block->project, room->hidden, positions, room->sums);
        size_t first = (size_t)row * w * channels;
        memcpy(room->next + first, room->t + first, (size_t)positions * channels * sizeof *room->next);
        add(room->next + first, room->sums, (int64_t)positions * channels);
    }
    int32_t *done = room->next;
    room->next = room->t;
    room->t = done;
}

int traversal_predict(const Traversal *traversal, int k, int first_row, int last_row, uint8_t *indexes,
                      int64_t *means) {
    const Model *model = traversal->model;
    const int32_t *log2_gain = traversal->log2_gain;
    int w = traversal->w, channels = model->width, group = model->M / 4;
    // Each block looks one row around: those rows are computed with the band, and again with the bands beside it.
    int top = first_row > model->blocks ? first_row - model->blocks : 0;
    int bottom = smaller(last_row + model->blocks, traversal->h), h = bottom - top;
    size_t mark = arena_mark();
    Room room;
    if (!room_take(&room, model, h, w)) {
        arena_release(mark);
        return NO_MEMORY;
    }
    const int32_t *state = traversal->state + (size_t)top * w * channels;
    int32_t *added = room.sums;
    for (int c = 0; c < channels; c++) added[c] = interpolate(model->level[k], channels, traversal->level, c);
    for (size_t at = 0; at < (size_t)h * w * channels; at += channels)
        for (int c = 0; c < channels; c++) room.t[at + c] = state[at + c] + added[c];
    for (int i = 0; i < model->blocks; i++) context_block(&model->block[k][i], h, w, &room);
    leaky(room.t, (int64_t)h * w * channels);
    for (int row = first_row; row < last_row; row++)
        for (int side = 0; side < 2; side++) {
            int phase = 2 * (row % 2) + side, g = phase ^ STEPS[k];
            for (int first = 0; first < w / 2; first += BAND) {
                int count = smaller(BAND, w / 2 - first);
                for (int n = 0; n < count; n++)
                    lower(room.t + ((size_t)(row - top) * w + 2 * (first + n) + side) * channels, channels,
                          room.rows + (size_t)n * channels);
                pointwise_stream(&model->head[k][phase], room.rows, count, room.sums);
                for (int n = 0; n < count; n++) {
                    const int32_t *mean = room.sums + (size_t)n * 2 * group, *log2_scale = mean + group;
                    size_t to = (((size_t)(row / 2) * (w / 2) + first + n) * 4 + phase) * group;
                    for (int j = 0; j < group; j++) {
                        int32_t gain = log2_gain[4 * j + g];
                        indexes[to + j] = scale_index(log2_scale[j] + gain);
                        means[to + j] = shift_round(mean[j] * prior_gain(model, gain),
                                                    STREAM_BITS + GAIN_BITS - VALUE_BITS);
                    }
                }
            }
        }
    arena_release(mark);
    return DONE;
}

// What was decoded in pass k in some rows, fed back: state += embed(features).
static void feed_back(const Traversal *traversal, int k, int first_row, int last_row, const int32_t *y_hat, Room *room) {
    const Model *model = traversal->model;
    const int32_t *log2_gain = traversal->log2_gain;
    int32_t *state = traversal->state;
    int w = traversal->w, channels = model->width, group = model->M / 4;
    for (int row = first_row; row < last_row; row++)
        for (int side = 0; side < 2; side++) {
            int g = (2 * (row % 2) + side) ^ STEPS[k];
            for (int first = 0; first < w / 2; first += BAND) {
                int count = smaller(BAND, w / 2 - first);
                for (int n = 0; n < count; n++) {
                    int32_t *seen = room->sums;
                    const int32_t *values = y_hat + ((size_t)row * w + 2 * (first + n) + side) * model->M;
                    for (int j = 0; j < group; j++) {
                        int64_t value = values[4 * j + g], size = value < 0 ? -value : value;
                        int32_t gain = log2_gain[4 * j + g];
                        int64_t in_y = shift_round(value * prior_gain(model, -gain), VALUE_BITS + GAIN_BITS - STREAM_BITS);
                        in_y = in_y < -VALUE_CLAMP ? -VALUE_CLAMP : in_y > VALUE_CLAMP ? VALUE_CLAMP : in_y;
                        int64_t looked_up = shift_round(size, VALUE_BITS - MAGNITUDE_BITS);
                        seen[j] = (int32_t)in_y;
                        seen[group + j] = model->magnitude[looked_up < MAGNITUDES ? looked_up : MAGNITUDES - 1] -
                                          model->gain_magnitude[gain + GAIN_OCTAVES * OCTAVE];
                    }
                    lower(seen, 2 * group, room->rows + (size_t)n * 2 * group);
                }
                pointwise_stream(&model->embed[g], room->rows, count, room->sums);
                for (int n = 0; n < count; n++) {
                    int32_t *to = state + ((size_t)row * w + 2 * (first + n) + side) * channels;
                    add(to, room->sums + (size_t)n * channels, channels);
                }
            }
        }
}

int traversal_begin(Traversal *traversal, const Model *model, const int16_t *z, int h, int w, int level) {
    int32_t *state = hyper_synthesis(model, z, h, w), *log2_gain = take((size_t)model->M * 4);
    if (!state || !log2_gain) return NO_MEMORY;
    prior_log2_gains(model, level, log2_gain);
    *traversal = (Traversal){.model = model, .h = h, .w = w, .level = level, .state = state, .log2_gain = log2_gain};
    return DONE;
}

int traversal_take(const Traversal *traversal, int k, int first_row, int last_row, const int16_t *symbols,
                   const int64_t *means, int32_t *y_hat) {
    int w = traversal->w, M = traversal->model->M, group = M / 4;
    size_t from = (size_t)(first_row / 2) * (w / 2) * M;
    for (int row = first_row; row < last_row; row += 2)
        for (int column = 0; column < w; column += 2)
            for (int phase = 0; phase < 4; phase++) {
                int32_t *to = y_hat + ((size_t)(row + phase / 2) * w + column + phase % 2) * M;
                for (int j = 0; j < group; j++, from++)
                    to[4 * j + (phase ^ STEPS[k])] = (int32_t)(symbols[from] * (1 << VALUE_BITS) + means[from]);
            }
    if (k + 1 == PASSES) return DONE;
    size_t mark = arena_mark();
    Room room;
    int is_ready = room_take(&room, traversal->model, 1, w);
    if (is_ready) feed_back(traversal, k, first_row, last_row, y_hat, &room);
    arena_release(mark);
    return is_ready ? DONE : NO_MEMORY;
}
