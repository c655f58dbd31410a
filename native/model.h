// A model out of one block of memory: its integer tensors in the order of native/model.c, each padded to 16 bytes.
#pragma once
#include <stddef.h>

#include "prior.h"

typedef struct {
    const uint8_t *at;
} Cursor;

// The next `bytes` of the block, and the next `count` numbers.
const void *next(Cursor *cursor, size_t bytes);
const int32_t *numbers(Cursor *cursor, size_t count);

// The networks and tables of the prior, or NULL: memory is short, or the sizes do not fit together.
Model *networks_load(Cursor *cursor, int M, int hyper_channels, int hyper_width, int width, int blocks);
