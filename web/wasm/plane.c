// Planes of samples without loss (docs/format.md, section 7). LZMA2 is XZ Embedded's (web/vendor).
#include "memory.h"
#include "status.h"
#include "xz_private.h"

#define DICTIONARY_PROPERTY 16  // a dictionary of 2^20 bytes

enum { NONE, LEFT, UP, GRADIENT, CONSTANT };

static int decompress(const uint8_t *data, size_t size, uint8_t *out, size_t length) {
    struct xz_dec_lzma2 *decoder = xz_dec_lzma2_create(XZ_SINGLE, 0);
    if (!decoder) return NO_MEMORY;
    if (xz_dec_lzma2_reset(decoder, DICTIONARY_PROPERTY) != XZ_OK) return PLANE_DAMAGED;
    struct xz_buf buffer = {.in = data, .in_size = size, .out = out, .out_size = length};
    enum xz_ret ended = xz_dec_lzma2_run(decoder, &buffer);
    if (ended == XZ_STREAM_END) {
        if (buffer.out_pos < length) return PLANE_SHORT;
        return buffer.in_pos < size ? PLANE_LONG : DONE;
    }
    if (ended != XZ_OK) return PLANE_DAMAGED;
    return buffer.out_pos == length ? PLANE_LONG : PLANE_SHORT;
}

// The plane [height][width] in `size` bytes of coded form, to `out`. Returns a status.
EXPORT(plane_read) int plane_read(const uint8_t *data, uint32_t size, int height, int width, uint8_t *out) {
    if (!size || data[0] > CONSTANT) return PLANE_DAMAGED;
    size_t length = (size_t)height * width;
    int kind = data[0];
    if (kind == CONSTANT) {
        if (size != 2) return PLANE_DAMAGED;
        __builtin_memset(out, data[1], length);
        return DONE;
    }
    int status = decompress(data + 1, size - 1, out, length);
    if (status || kind == NONE) return status;
    for (int row = 0; row < height; row++, out += width) {
        if (kind != UP)
            for (int column = 1; column < width; column++) out[column] = (uint8_t)(out[column] + out[column - 1]);
        if (kind != LEFT && row)
            for (int column = 0; column < width; column++) out[column] = (uint8_t)(out[column] + out[column - width]);
    }
    return DONE;
}
