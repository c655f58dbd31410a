// The functions of the exact path that src/cwic/latents/native.py calls.
#include "host.h"
#include "memory.h"
#include "model.h"
#include "status.h"

// A model in `block`, which stays where it is until `native_end`; NULL if memory is short or the sizes do not fit.
EXPORT Handle *exact_load(const uint8_t *block, int M, int hyper_channels, int hyper_width, int width, int blocks) {
    Cursor cursor = {block};
    handle_open();
    return handle_close(networks_load(&cursor, M, hyper_channels, hyper_width, width, blocks));
}

// See prior.h; NULL if memory is short.
EXPORT Handle *exact_begin(const Handle *loaded, const int16_t *z, int h, int w, int level) {
    handle_open();
    Traversal *traversal = take(sizeof *traversal);
    int begun = traversal && traversal_begin(traversal, content_of(loaded), z, h, w, level) == DONE;
    return handle_close(begun ? traversal : NULL);
}

// See prior.h; false if memory is short.
EXPORT int exact_predict(const Handle *handle, int k, int first_row, int last_row, uint8_t *indexes, int64_t *means) {
    handle_open();
    return traversal_predict(content_of(handle), k, first_row, last_row, indexes, means) == DONE;
}

EXPORT int exact_take(const Handle *handle, int k, int first_row, int last_row, const int16_t *symbols,
                      const int64_t *means, int32_t *y_hat) {
    handle_open();
    return traversal_take(content_of(handle), k, first_row, last_row, symbols, means, y_hat) == DONE;
}
