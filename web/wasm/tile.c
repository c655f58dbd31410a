// A tile's latents: read from its coded bytes, or made of analysed pixels as the format prescribes for plain tiles.
#include "export.h"
#include "memory.h"
#include "model.h"
#include "status.h"
#include "symbols.h"

#define Z_MAX 31
#define SYMBOL_MAX 32767
#define COSTS 64
#define WRITTEN_WEIGHT 22.0

typedef struct {
    Model *model;
    Tables tables;
    const double *costs;  // [tables][COSTS]: bits of the magnitudes, for plain tiles alone
} Decoder;

// The decoder of the model in `block`: what native/model.c reads, then its tables and costs. NULL: memory is short, or
// the sizes do not fit together.
EXPORT(decoder_load) Decoder *decoder_load(const uint8_t *block, int M, int hyper_channels, int hyper_width, int width,
                                           int blocks, int tables, int frequencies) {
    Decoder *decoder = take(sizeof *decoder);
    Cursor cursor = {block};
    if (!decoder) return NULL;
    decoder->model = networks_load(&cursor, M, hyper_channels, hyper_width, width, blocks);
    if (!decoder->model) return NULL;
    const int32_t *offsets = numbers(&cursor, tables + 1), *entries = numbers(&cursor, frequencies);
    const double *least_bits = next(&cursor, (size_t)tables * 8);
    decoder->costs = next(&cursor, (size_t)tables * COSTS * 8);
    if (offsets[0] || offsets[tables] != frequencies) return NULL;
    for (int t = 0; t < tables; t++)
        if (offsets[t + 1] < offsets[t]) return NULL;
    return tables_load(&decoder->tables, tables, offsets, entries, least_bits) ? decoder : NULL;
}

// Room for one pass: indexes of scales, symbols, means.
typedef struct {
    uint32_t count;
    uint8_t *indexes;
    int16_t *symbols;
    int64_t *means;
} Pass;

static int pass_room(Pass *pass, uint32_t count) {
    *pass = (Pass){count, take(count), take((size_t)count * 2), take((size_t)count * 8)};
    return pass->indexes && pass->symbols && pass->means;
}

// y_hat [h][w][M] of the coded bytes of tile number `tile`; `h` and `w` are positions, multiples of 4. Returns a status.
EXPORT(tile_read) int tile_read(const Decoder *decoder, const uint8_t *data, uint32_t size, uint32_t crc,
                                uint32_t tile, int h, int w, int level, int32_t *y_hat) {
    const Model *model = decoder->model;
    uint32_t hyper = (uint32_t)(h / 4 * (w / 4)) * model->hyper_channels, most = (uint32_t)h * w * (model->M / 4);
    Reader reader;
    Traversal traversal;
    Pass pass;
    uint32_t *order = take((size_t)(hyper > most ? hyper : most) * 4);
    int16_t *z = take((size_t)hyper * 2);
    uint8_t *indexes = take(hyper), *of_position = take(model->hyper_channels);
    if (!pass_room(&pass, most) || !order || !z || !indexes || !of_position) return NO_MEMORY;
    prior_z_index(model, level, of_position);
    for (uint32_t k = 0; k < hyper; k++) indexes[k] = of_position[k % model->hyper_channels];
    int status = reader_begin(&reader, &decoder->tables, data, size, tile);
    if (!status) status = reader_call(&reader, hyper, indexes, z, order);
    if (status) return status;
    for (uint32_t k = 0; k < hyper; k++)
        if (z[k] > Z_MAX || z[k] < -Z_MAX) return HYPER_RANGE;
    status = traversal_begin(&traversal, model, z, h, w, level);
    for (int k = 0; k < PASSES && !status; k++) {
        status = traversal_predict(&traversal, k, 0, h, pass.indexes, pass.means);
        if (!status) status = reader_call(&reader, pass.count, pass.indexes, pass.symbols, order);
        if (!status) status = traversal_take(&traversal, k, 0, h, pass.symbols, pass.means, y_hat);
    }
    return status ? status : reader_end(&reader, (uint16_t)crc);
}

static const int STEPS[PASSES] = {0, 3, 2, 1};

// Chooses the symbols of pass k for `y` [M][h][w], in units of one standard deviation per channel.
static void choose(const Decoder *decoder, int k, const float *y, int h, int w, const int32_t *log2_gain,
                   const Pass *pass) {
    const Model *model = decoder->model;
    int group = model->M / 4;
    uint32_t at = 0;
    for (int row = 0; row < h; row += 2)
        for (int column = 0; column < w; column += 2)
            for (int phase = 0; phase < 4; phase++)
                for (int j = 0; j < group; j++, at++) {
                    int c = 4 * j + (phase ^ STEPS[k]), index = pass->indexes[at];
                    double value = y[((size_t)c * h + row + phase / 2) * w + column + phase % 2];
                    double steps = value * ((double)prior_gain(model, log2_gain[c]) / (1 << 24)) -
                                   (double)pass->means[at] / 64;
                    steps = steps < -SYMBOL_MAX ? -SYMBOL_MAX : steps > SYMBOL_MAX ? SYMBOL_MAX : steps;
                    double size = __builtin_fabs(steps), nearest = __builtin_rint(size);
                    if (nearest > 0 && nearest < COSTS) {
                        const double *costs = decoder->costs + (size_t)index * COSTS + (int)nearest;
                        if (costs[0] - costs[-1] > WRITTEN_WEIGHT * (2 * (size - nearest) + 1)) nearest--;
                    }
                    pass->symbols[at] = index ? (int16_t)(steps < 0 ? -nearest : nearest) : 0;
                }
}

// y_hat [h][w][M] of analysed pixels `y` [M][h][w] and the rounded `z` (docs/format.md, section 8). Returns a status.
EXPORT(tile_write) int tile_write(const Decoder *decoder, const float *y, const int16_t *z, int h, int w, int level,
                                  int32_t *y_hat) {
    Traversal traversal;
    Pass pass;
    if (!pass_room(&pass, (uint32_t)h * w * (decoder->model->M / 4))) return NO_MEMORY;
    int status = traversal_begin(&traversal, decoder->model, z, h, w, level);
    for (int k = 0; k < PASSES && !status; k++) {
        status = traversal_predict(&traversal, k, 0, h, pass.indexes, pass.means);
        if (status) break;
        choose(decoder, k, y, h, w, traversal.log2_gain, &pass);
        status = traversal_take(&traversal, k, 0, h, pass.symbols, pass.means, y_hat);
    }
    return status;
}

// The gains of y: log2 in 1/256 octaves, and with 24 fractional bits as a double, exact.
EXPORT(decoder_gains) int decoder_gains(const Decoder *decoder, int level, int32_t *log2_gain, double *gain) {
    const Model *model = decoder->model;
    prior_log2_gains(model, level, log2_gain);
    for (int c = 0; c < model->M; c++) gain[c] = (double)prior_gain(model, log2_gain[c]);
    return DONE;
}
