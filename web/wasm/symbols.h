// The symbols of a tile, out of its coded bytes (docs/format.md, sections 4 and 5).
#pragma once
#include <stdint.h>

#include "tables.h"

typedef struct {
    const Tables *tables;
    const uint8_t *data;
    uint32_t words, read;   // in `data`, and how many the coder has taken, past the end included
    uint64_t range, offset;
    double bits_left;       // what the data can still hold
    uint16_t crc;
    int any;                // whether a symbol was coded at all
} Reader;

// Begins tile number `tile` of `size` coded bytes. Returns a status.
int reader_begin(Reader *reader, const Tables *tables, const uint8_t *data, uint32_t size, uint32_t tile);

// Reads one call: `count` symbols under `indexes`. `order` has room for `count` numbers. Returns a status.
int reader_call(Reader *reader, uint32_t count, const uint8_t *indexes, int16_t *symbols, uint32_t *order);

// After the last call. Returns a status.
int reader_end(const Reader *reader, uint16_t crc);
