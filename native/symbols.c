// What the coder and the file do with many symbols at once: grouping.py and checksum.py of src/cwic/entropy.
#include <stdint.h>

#include "host.h"

#define TABLES 256
#define LANES 8
#define POLYNOMIAL 0x1021

// The stable order that groups `count` positions by index, and where the group of each index ends in it.
EXPORT void symbols_group(const uint8_t *indexes, int64_t count, int64_t *order, int64_t *ends) {
    int64_t next[TABLES] = {0};
    for (int64_t i = 0; i < count; i++) next[indexes[i]]++;
    int64_t end = 0;
    for (int k = 0; k < TABLES; k++) {
        int64_t start = end;
        ends[k] = end += next[k];
        next[k] = start;
    }
    for (int64_t i = 0; i < count; i++) order[next[indexes[i]]++] = i;
}

// The CRC-16 of bytes (docs/format.md, section 1) that goes on from `crc`, eight bytes at a time.
EXPORT unsigned symbols_crc(const uint8_t *bytes, int64_t count, unsigned crc) {
    uint16_t table[LANES][TABLES];  // of a byte with so many zero bytes behind it
    for (int byte = 0; byte < TABLES; byte++) {
        unsigned value = (unsigned)byte << 8;
        for (int bit = 0; bit < 8; bit++) value = value & 0x8000 ? value << 1 ^ POLYNOMIAL : value << 1;
        table[0][byte] = (uint16_t)value;
    }
    for (int lane = 1; lane < LANES; lane++)
        for (int byte = 0; byte < TABLES; byte++) {
            unsigned before = table[lane - 1][byte];
            table[lane][byte] = (uint16_t)(before << 8 ^ table[0][before >> 8]);
        }
    crc &= 0xFFFF;
    for (; count >= LANES; count -= LANES, bytes += LANES) {
        unsigned sum = table[7][bytes[0] ^ crc >> 8] ^ table[6][bytes[1] ^ (crc & 0xFF)];
        for (int i = 2; i < LANES; i++) sum ^= table[LANES - 1 - i][bytes[i]];
        crc = sum;
    }
    for (; count; count--) crc = (crc << 8 ^ table[0][*bytes++ ^ crc >> 8]) & 0xFFFF;
    return crc;
}
