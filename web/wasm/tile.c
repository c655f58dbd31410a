// A tile's latents: read from its coded bytes, or made of analysed pixels as the format prescribes for plain tiles.
#include "memory.h"
#include "prior.h"
#include "status.h"
#include "symbols.h"

#define Z_MAX 31
#define SYMBOL_MAX 32767
#define WRITTEN_WEIGHT 22.0

typedef struct {
    Reader reader;
    uint32_t *order;
} Decoding;

static int read_pass(void *context, int k, const Pass *pass) {
    Decoding *decoding = context;
    (void)k;
    return reader_call(&decoding->reader, pass->count, pass->indexes, pass->symbols, decoding->order);
}

// y_hat [h][w][M] of the coded bytes of tile number `tile`; `h` and `w` are positions, multiples of 4. Returns a status.
EXPORT(tile_read) int tile_read(const Model *model, const uint8_t *data, uint32_t size, uint32_t crc, uint32_t tile,
                                int h, int w, int level, int32_t *y_hat) {
    uint32_t hyper = (uint32_t)(h / 4 * (w / 4)) * model->hyper_channels, most = (uint32_t)h * w * (model->M / 4);
    Decoding decoding;
    decoding.order = take((size_t)(hyper > most ? hyper : most) * 4);
    int16_t *z = take((size_t)hyper * 2);
    uint8_t *indexes = take(hyper), *of_position = take(model->hyper_channels);
    if (!decoding.order || !z || !indexes || !of_position) return NO_MEMORY;
    prior_z_index(model, level, of_position);
    for (uint32_t k = 0; k < hyper; k++) indexes[k] = of_position[k % model->hyper_channels];
    int status = reader_begin(&decoding.reader, &model->tables, data, size, tile);
    if (!status) status = reader_call(&decoding.reader, hyper, indexes, z, decoding.order);
    if (status) return status;
    for (uint32_t k = 0; k < hyper; k++)
        if (z[k] > Z_MAX || z[k] < -Z_MAX) return HYPER_RANGE;
    status = prior_traverse(model, z, h, w, level, read_pass, &decoding, y_hat);
    return status ? status : reader_end(&decoding.reader, (uint16_t)crc);
}

typedef struct {
    const Model *model;
    const float *y;  // [M][h][w], in units of one standard deviation per channel
    int h, w;
    const int32_t *log2_gain;
} Writing;

static const int STEPS[PASSES] = {0, 3, 2, 1};

static int write_pass(void *context, int k, const Pass *pass) {
    const Writing *writing = context;
    const Model *model = writing->model;
    int group = model->M / 4, h = writing->h, w = writing->w;
    uint32_t at = 0;
    for (int row = 0; row < h; row += 2)
        for (int column = 0; column < w; column += 2)
            for (int phase = 0; phase < 4; phase++)
                for (int j = 0; j < group; j++, at++) {
                    int c = 4 * j + (phase ^ STEPS[k]), index = pass->indexes[at];
                    double y = writing->y[((size_t)c * h + row + phase / 2) * w + column + phase % 2];
                    double steps = y * ((double)prior_gain(model, writing->log2_gain[c]) / (1 << 24)) -
                                   (double)pass->means[at] / 64;
                    steps = steps < -SYMBOL_MAX ? -SYMBOL_MAX : steps > SYMBOL_MAX ? SYMBOL_MAX : steps;
                    double size = __builtin_fabs(steps), nearest = __builtin_rint(size);
                    if (nearest > 0 && nearest < COSTS) {
                        const double *costs = model->costs + (size_t)index * COSTS + (int)nearest;
                        if (costs[0] - costs[-1] > WRITTEN_WEIGHT * (2 * (size - nearest) + 1)) nearest--;
                    }
                    pass->symbols[at] = index ? (int16_t)(steps < 0 ? -nearest : nearest) : 0;
                }
    return DONE;
}

// y_hat [h][w][M] of analysed pixels `y` [M][h][w] and the rounded `z` (docs/format.md, section 8). Returns a status.
EXPORT(tile_write) int tile_write(const Model *model, const float *y, const int16_t *z, int h, int w, int level,
                                  int32_t *y_hat) {
    int32_t *log2_gain = take((size_t)model->M * 4);
    if (!log2_gain) return NO_MEMORY;
    prior_log2_gains(model, level, log2_gain);
    Writing writing = {model, y, h, w, log2_gain};
    return prior_traverse(model, z, h, w, level, write_pass, &writing, y_hat);
}

// The gains of y: log2 in 1/256 octaves, and with 24 fractional bits as a double, exact.
EXPORT(model_gains) int model_gains(const Model *model, int level, int32_t *log2_gain, double *gain) {
    prior_log2_gains(model, level, log2_gain);
    for (int c = 0; c < model->M; c++) gain[c] = (double)prior_gain(model, log2_gain[c]);
    return DONE;
}
