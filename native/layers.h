// Integer layers (docs/determinism.md): streams are int32 with 8 fractional bits, activations whole numbers of
// 4 fractional bits from -127 to 127, kept in int16; maps have their channels last.
#pragma once
#include <stdint.h>

// A linear map of channels: packed weights, and per output a multiplier and a bias.
typedef struct {
    int inputs, outputs;
    const int16_t *weight;
    const int32_t *multiplier, *bias;
} Pointwise;

// A 3x3 depth-wise convolution: weights [9][channels].
typedef struct {
    int channels;
    const int16_t *weight;
    const int32_t *multiplier, *bias;
} Depthwise;

// Layers from int8 weights [outputs][inputs] or [channels][9]. False if memory is short or a size does not fit.
int pointwise_load(Pointwise *layer, int inputs, int outputs, const int8_t *weight, const int32_t *multiplier,
                   const int32_t *bias);
int depthwise_load(Depthwise *layer, int channels, const int8_t *weight, const int32_t *multiplier,
                   const int32_t *bias);

// `count` numbers of a stream as activations.
void lower(const int32_t *stream, int count, int16_t *out);

// Leaky ReLU of slope 1/8, in place.
void leaky(int32_t *stream, int64_t count);

// to += other, for `count` numbers.
void add(int32_t *to, const int32_t *other, int64_t count);

// The stream that a layer makes of `rows` rows of activations [rows][inputs].
void pointwise_stream(const Pointwise *layer, const int16_t *rows, int count, int32_t *out);

// Its leaky ReLU as activations; `sums` has room for [rows][outputs].
void pointwise_lowered_leaky(const Pointwise *layer, const int16_t *rows, int count, int32_t *sums, int16_t *out);

// Activations of a stream [h][w][c] with a border of zeros: [h + 2][w + 2][c].
void lower_padded(const int32_t *stream, int h, int w, int c, int16_t *out);

// A row of a depth-wise convolution: sums [w][c] around row `row` of what `lower_padded` gave, as a stream.
void depthwise_row(const Depthwise *layer, const int16_t *padded, int w, int row, int32_t *out);
