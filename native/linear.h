// Linear maps of the channels of a position, for the float networks: inputs and weights become whole numbers of 14 and
// of up to 16 bits, their products are added in 32 bits, and the sums become floats again. Maps have channels last.
#pragma once
#include <stdint.h>

#define GROUP 8  // positions that are multiplied at a time: so many may be read after the last of a map

// Packed weights, and for each output the step of its weights and its bias.
typedef struct {
    int inputs, outputs;
    int16_t *weight;
    float *step, *bias;
} Linear;

// Room for a layer; false if memory is short or a size does not fit.
int linear_take(Linear *layer, int inputs, int outputs);

// Weights [outputs][inputs] and biases, NULL for none. Weights become as fine as sums in 32 bits allow for any input.
void linear_fill(Linear *layer, const float *weight, const float *bias);

// `count` positions as whole numbers, and the step of each position: its largest number over 8191.
void quantise(const float *x, int inputs, int count, int16_t *out, float *steps);

// Outputs of `count` positions, biases included, or if `adds` these added to what is in `out`.
void linear(const Linear *layer, const int16_t *x, const float *steps, int count, float *out, int adds);
