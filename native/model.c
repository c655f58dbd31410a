#include "model.h"

#include "memory.h"

const void *next(Cursor *cursor, size_t bytes) {
    const void *here = cursor->at;
    cursor->at += (bytes + 15) & ~(size_t)15;
    return here;
}

static int pointwise(Cursor *cursor, Pointwise *layers, int maps, int inputs, int outputs) {
    const int8_t *weight = next(cursor, (size_t)maps * inputs * outputs);
    const int32_t *multiplier = next(cursor, (size_t)maps * outputs * 4), *bias = next(cursor, (size_t)maps * outputs * 4);
    for (int map = 0; map < maps; map++)
        if (!pointwise_load(layers + map, inputs, outputs, weight + (size_t)map * inputs * outputs,
                            multiplier + map * outputs, bias + map * outputs))
            return 0;
    return 1;
}

static int depthwise(Cursor *cursor, Depthwise *layer, int channels) {
    const int8_t *weight = next(cursor, (size_t)channels * 9);
    const int32_t *multiplier = next(cursor, (size_t)channels * 4), *bias = next(cursor, (size_t)channels * 4);
    return depthwise_load(layer, channels, weight, multiplier, bias);
}

const int32_t *numbers(Cursor *cursor, size_t count) { return next(cursor, count * 4); }

Model *networks_load(Cursor *cursor, int M, int hyper_channels, int hyper_width, int width, int blocks) {
    Model *model = take(sizeof *model);
    if (!model || M % 16 || blocks < 1 || blocks > MAX_BLOCKS) return NULL;
    model->M = M, model->hyper_channels = hyper_channels, model->hyper_width = hyper_width;
    model->width = width, model->blocks = blocks;
    int group = M / 4;
    int fits = pointwise(cursor, &model->enter, 1, hyper_channels, hyper_width) &&
               depthwise(cursor, &model->mix, hyper_width) &&
               pointwise(cursor, &model->enlarge, 1, hyper_width, 4 * hyper_width) &&
               depthwise(cursor, &model->mix_enlarged, hyper_width) &&
               pointwise(cursor, &model->leave, 1, hyper_width, 4 * width) &&
               pointwise(cursor, model->embed, 4, 2 * group, width);
    for (int k = 0; fits && k < PASSES; k++) {
        for (int i = 0; fits && i < blocks; i++) {
            Block *block = &model->block[k][i];
            fits = depthwise(cursor, &block->mix, width) && pointwise(cursor, &block->expand, 1, width, width) &&
                   pointwise(cursor, &block->project, 1, width, width);
        }
        fits = fits && pointwise(cursor, model->head[k], 4, width, 2 * group);
        model->level[k] = numbers(cursor, (size_t)KNOTS * width);
    }
    if (!fits) return NULL;
    model->log2_gain = numbers(cursor, (size_t)KNOTS * M);
    model->z_log2_scale = numbers(cursor, (size_t)KNOTS * hyper_channels);
    model->exp2 = numbers(cursor, OCTAVE);
    model->magnitude = numbers(cursor, MAGNITUDES);
    model->gain_magnitude = numbers(cursor, 2 * GAIN_OCTAVES * OCTAVE + 1);
    return model;
}
