// Planes of samples without loss (docs/format.md, section 7).
#include "export.h"
#include "lzma2.h"
#include "memory.h"
#include "status.h"

enum { NONE, LEFT, UP, GRADIENT, CONSTANT };

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
    int status = lzma2_decompress(data + 1, size - 1, out, length);
    if (status || kind == NONE) return status;
    for (int row = 0; row < height; row++, out += width) {
        if (kind != UP)
            for (int column = 1; column < width; column++) out[column] = (uint8_t)(out[column] + out[column - 1]);
        if (kind != LEFT && row)
            for (int column = 0; column < width; column++) out[column] = (uint8_t)(out[column] + out[column - width]);
    }
    return DONE;
}
