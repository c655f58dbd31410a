#include "tables.h"

#include "memory.h"

int tables_load(Tables *tables, int count, const int32_t *offsets, const int32_t *frequencies, const double *least_bits) {
    if (count < 1 || count > MAX_TABLES) return 0;
    tables->count = count;
    for (int t = 0; t < count; t++) {
        int size = offsets[t + 1] - offsets[t];
        if (size < 2 || size % 2 || size > 65536) return 0;
        uint32_t *left = take((size + 1) * sizeof *left);
        uint16_t *start = take(BUCKETS * sizeof *start);
        if (!left || !start) return 0;
        uint64_t sum = 0;
        for (int k = 0; k < size; k++) {
            int32_t frequency = frequencies[offsets[t] + k];
            if (frequency < 1) return 0;
            left[k] = (uint32_t)sum;
            sum += frequency;
            if (sum > TOTAL) return 0;
        }
        if (sum != TOTAL) return 0;
        left[size] = TOTAL;
        for (int bucket = 0, entry = 0; bucket < BUCKETS; bucket++) {
            while (left[entry + 1] <= (uint32_t)bucket << (PRECISION - 8)) entry++;
            start[bucket] = (uint16_t)entry;
        }
        tables->table[t] = (Table){size / 2 - 1, left, start, t ? least_bits[t] : 0};
    }
    return 1;
}
