// Probability tables (docs/format.md, section 5.1).
#pragma once
#include <stdint.h>

#define PRECISION 24
#define TOTAL (1u << PRECISION)
#define MAX_TABLES 256
#define BUCKETS 256

typedef struct {
    int32_t reach;          // L
    const uint32_t *left;   // 2 L + 3 partial sums, the last of them TOTAL
    const uint16_t *start;  // of each bucket of 2^16 targets, the entry that holds its first target
    double least_bits;      // what the likeliest symbol costs
} Table;

typedef struct {
    int count;
    Table table[MAX_TABLES];
} Tables;

// Tables from their `frequencies`, which begin at `offsets` [count + 1]. False if they are none, or memory is short.
int tables_load(Tables *tables, int count, const int32_t *offsets, const int32_t *frequencies, const double *least_bits);
