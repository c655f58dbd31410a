// The layers of the float networks that g_s is made of: maps are float, channels last, and products are made by linear.c.
#pragma once
#include <stdint.h>

#include "linear.h"

#define TAPS 9

// A 3x3 depth-wise convolution: taps [9][channels].
typedef struct {
    int channels;
    float *taps, *bias;
} DepthwiseFloats;

// A block of a trunk (cwic.nn.depth_conv): depth-wise convolution between two linear maps, then a gated linear unit.
typedef struct {
    Linear expand, project, gate, merge;
    DepthwiseFloats depthwise;
    float slope;
} TrunkBlock;

// Room for a layer, false if memory is short or a size does not fit; and its weights [channels][9].
int depthwise_take(DepthwiseFloats *layer, int channels);
void depthwise_fill(DepthwiseFloats *layer, const float *weight, const float *bias);

// `count` positions of a row from `first` on, times the gain of each channel: from three rows of padded maps.
void depthwise(const DepthwiseFloats *layer, const float *const rows[3], int first, int count, const float *gain,
               float *out);

// Outputs of `count` positions. False if memory is short.
int linear_map(const Linear *layer, const float *x, int64_t count, float *out);

// Room for a block, and its weights: those of its five layers in the order of TrunkBlock, then their biases.
int block_take(TrunkBlock *block, int channels);
void block_fill(TrunkBlock *block, const float *const weights[10], float slope);

// Rows of a block of x [h][w][channels]. `gains` are those of the depth-wise convolution and of the gated unit. False if
// memory is short.
int block_rows(const TrunkBlock *block, const float *x, int h, int w, int first, int last, const float *const gains[2],
               float *out);
