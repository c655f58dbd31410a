// The exact prior: from z and the symbols so far to the next distributions (docs/format.md, section 6).
#pragma once
#include <stdint.h>

#include "layers.h"

#define PASSES 4
#define KNOTS 9
#define MAX_BLOCKS 8
#define OCTAVE 256
#define GAIN_OCTAVES 11
#define MAGNITUDES (255 * 16 + 1)

typedef struct {
    Depthwise mix;
    Pointwise expand, project;
} Block;

typedef struct {
    int M, hyper_channels, hyper_width, width, blocks;
    Pointwise enter, enlarge, leave;
    Depthwise mix, mix_enlarged;
    Pointwise embed[4], head[PASSES][4];
    Block block[PASSES][MAX_BLOCKS];
    const int32_t *level[PASSES], *log2_gain, *z_log2_scale;
    const int32_t *exp2, *magnitude, *gain_magnitude;
} Model;

// The scale index of every channel of z at `level`.
void prior_z_index(const Model *model, int level, uint8_t *indexes);

// 2^x with 24 fractional bits, of x in 1/256 octaves.
int64_t prior_gain(const Model *model, int32_t log2_gain);

// log2 of the gains of y at `level`, in 1/256 octaves.
void prior_log2_gains(const Model *model, int level, int32_t *gains);

// A visit to all latents of a tile in coding order: begun, then for each of the four passes what is predicted, and the
// symbols. Both may be done by bands of rows, in any order and at the same time: first and last rows are even.
typedef struct {
    const Model *model;
    int h, w, level;           // positions, multiples of 4
    int32_t *state;            // [h][w][width]
    const int32_t *log2_gain;  // [M]
} Traversal;

// Begins with `z` [h/4][w/4][hyper_channels]. All three return a status.
int traversal_begin(Traversal *traversal, const Model *model, const int16_t *z, int h, int w, int level);

// Predicts pass k: `indexes` of scales, and `means` with 6 fractional bits, in quantisation steps: [h/2][w/2][4][M/4].
int traversal_predict(const Traversal *traversal, int k, int first_row, int last_row, uint8_t *indexes,
                      int64_t *means);

// Takes the symbols of pass k, which had these means. What they decode to goes to `y_hat` [h][w][M], with 6 fractional
// bits, in quantisation steps. All bands are predicted before the first is taken.
int traversal_take(const Traversal *traversal, int k, int first_row, int last_row, const int16_t *symbols,
                   const int64_t *means, int32_t *y_hat);
