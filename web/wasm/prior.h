// The exact prior: from z and the symbols so far to the next distributions (docs/format.md, section 6).
#pragma once
#include <stdint.h>

#include "layers.h"
#include "tables.h"

#define PASSES 4
#define KNOTS 9
#define MAX_BLOCKS 8
#define OCTAVE 256
#define GAIN_OCTAVES 11
#define MAGNITUDES (255 * 16 + 1)
#define COSTS 64

typedef struct {
    Depthwise mix;
    Pointwise expand, project;
} Block;

typedef struct {
    int M, hyper_channels, hyper_width, width, blocks;
    Tables tables;
    const double *costs;  // [tables][COSTS]: bits of the magnitudes, for plain tiles alone
    Pointwise enter, enlarge, leave;
    Depthwise mix, mix_enlarged;
    Pointwise embed[4], head[PASSES][4];
    Block block[PASSES][MAX_BLOCKS];
    const int32_t *level[PASSES], *log2_gain, *z_log2_scale;
    const int32_t *exp2, *magnitude, *gain_magnitude;
} Model;

// Works on the symbols of one pass, `count` of them. `steps` are set where latents are written, not read.
typedef struct {
    uint32_t count;
    uint8_t *indexes;   // of scales
    int16_t *symbols;
    int64_t *means;     // 6 fractional bits, in quantisation steps
} Pass;

// Asked for the symbols of each pass in turn. Returns a status.
typedef int (*Coder)(void *context, int k, const Pass *pass);

// The scale index of every channel of z at `level`.
void prior_z_index(const Model *model, int level, uint8_t *indexes);

// 2^x with 24 fractional bits, of x in 1/256 octaves.
int64_t prior_gain(const Model *model, int32_t log2_gain);

// log2 of the gains of y at `level`, in 1/256 octaves.
void prior_log2_gains(const Model *model, int level, int32_t *gains);

// Visits the latents of `h` by `w` positions, multiples of 4, in coding order: `z` is [h/4][w/4][hyper_channels]; what
// is decoded goes to `y_hat` [h][w][M], with 6 fractional bits, in quantisation steps. Returns a status.
int prior_traverse(const Model *model, const int16_t *z, int h, int w, int level, Coder code, void *context,
                   int32_t *y_hat);
