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

EXPORT void exact_predict(Handle *handle, int k, uint8_t *indexes, int64_t *means) {
    traversal_predict(content_of(handle), k, indexes, means);
}

EXPORT void exact_take(Handle *handle, int k, const int16_t *symbols, const int64_t *means, int32_t *y_hat) {
    traversal_take(content_of(handle), k, symbols, means, y_hat);
}
