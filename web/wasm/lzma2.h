#pragma once
#include <stddef.h>
#include <stdint.h>

// Decompresses a raw LZMA2 stream, which must be all of `data`, to exactly `length` bytes of `out`. Returns a status of
// planes: DONE, PLANE_DAMAGED, PLANE_SHORT or PLANE_LONG.
int lzma2_decompress(const uint8_t *data, size_t size, uint8_t *out, size_t length);
