// The synthesis of models without attention, g_s: a linear map from latents to 1/8 of the resolution, blocks, and a
// linear map to pixels.
#include <string.h>

#include "export.h"
#include "memory.h"
#include "status.h"
#include "transforms.h"

#define UP 2     // positions of the blocks for one of the latents, a side
#define PIXELS 8 // pixels for one position of the blocks, a side
#define COLOURS 3
#define PLANES (COLOURS * PIXELS * PIXELS)

typedef struct {
    int M, channels, count;
    Linear enter, leave;
    TrunkBlock *blocks;
} Synthesis;

// Room for a synthesis of M latents, blocks of so many channels, and so many blocks. NULL if memory is short or sizes do
// not fit. Its weights follow, as floats.
EXPORT(synthesis_take) Synthesis *synthesis_take(int M, int channels, int count) {
    Synthesis *synthesis = take(sizeof *synthesis);
    if (!synthesis || count < 0) return NULL;
    *synthesis = (Synthesis){.M = M, .channels = channels, .count = count};
    synthesis->blocks = take((size_t)count * sizeof *synthesis->blocks);
    if (!synthesis->blocks || !linear_take(&synthesis->enter, M, UP * UP * channels) ||
        !linear_take(&synthesis->leave, channels, PLANES))
        return NULL;
    for (int i = 0; i < count; i++)
        if (!block_take(&synthesis->blocks[i], channels)) return NULL;
    return synthesis;
}

// Weights [channels * 4][M]: outputs in the order of the graph, each channel's four positions together.
EXPORT(synthesis_enter) int synthesis_enter(Synthesis *synthesis, const float *weight) {
    int M = synthesis->M, channels = synthesis->channels;
    float *ordered = take((size_t)UP * UP * channels * M * sizeof *ordered);
    if (!ordered) return NO_MEMORY;
    for (int c = 0; c < channels; c++)
        for (int part = 0; part < UP * UP; part++)
            memcpy(ordered + (size_t)(part * channels + c) * M, weight + (size_t)(c * UP * UP + part) * M, M * 4);
    linear_fill(&synthesis->enter, ordered, NULL);
    return DONE;
}

EXPORT(synthesis_leave) void synthesis_leave(Synthesis *synthesis, const float *weight, const float *bias) {
    linear_fill(&synthesis->leave, weight, bias);
}

// See `block_fill` in native/transforms.h.
EXPORT(synthesis_block) void synthesis_block(Synthesis *synthesis, int number, const float *const *weights, float slope) {
    block_fill(&synthesis->blocks[number], weights, slope);
}

// [h][w][4][channels] to [2 h][2 w][channels].
static void enlarge(const float *from, int h, int w, int channels, float *to) {
    for (int row = 0; row < h; row++)
        for (int column = 0; column < w; column++)
            for (int part = 0; part < UP * UP; part++, from += channels)
                memcpy(to + ((size_t)(UP * row + part / UP) * UP * w + UP * column + part % UP) * channels, from,
                       channels * sizeof *to);
}

// [h][w][3][8][8] to [3][8 h][8 w].
static void spread(const float *from, int h, int w, float *to) {
    for (int row = 0; row < h; row++)
        for (int column = 0; column < w; column++)
            for (int line = 0; line < COLOURS * PIXELS; line++, from += PIXELS)
                memcpy(to + (((size_t)(line / PIXELS) * h + row) * PIXELS + line % PIXELS) * w * PIXELS + column * PIXELS,
                       from, PIXELS * sizeof *to);
}

// x_hat [3][16 h][16 w] of latents y [h][w][M]; gains [count][2][channels] are those of the blocks. Returns a status.
EXPORT(synthesis_run) int synthesis_run(const Synthesis *synthesis, const float *y, int h, int w, const float *gains,
                                        float *x_hat) {
    int channels = synthesis->channels, H = UP * h, W = UP * w;
    size_t size = (size_t)H * W * (channels > PLANES ? channels : PLANES) * 4;
    float *map = take(size), *next = take(size);
    if (!map || !next || !linear_map(&synthesis->enter, y, (int64_t)h * w, next)) return NO_MEMORY;
    enlarge(next, h, w, channels, map);
    for (int i = 0; i < synthesis->count; i++, gains += 2 * channels) {
        const float *pair[2] = {gains, gains + channels};
        if (!block_rows(&synthesis->blocks[i], map, H, W, 0, H, pair, next)) return NO_MEMORY;
        float *done = next;
        next = map, map = done;
    }
    if (!linear_map(&synthesis->leave, map, (int64_t)H * W, next)) return NO_MEMORY;
    spread(next, H, W, x_hat);
    return DONE;
}
