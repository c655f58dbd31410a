// The exact path on this machine: its memory, and the functions that src/cwic/latents/native.py calls.
#include <stdlib.h>

#include "memory.h"
#include "model.h"
#include "status.h"

#ifdef _WIN32
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

// A piece of memory, before which stands where the one taken before it is.
typedef struct Piece {
    struct Piece *before;
    size_t number;
} Piece;

static _Thread_local Piece *last;  // of what this call takes

void *take(size_t size) {
    Piece *piece = malloc(sizeof *piece + size);
    if (!piece) return NULL;
    *piece = (Piece){last, last ? last->number + 1 : 1};
    last = piece;
    return piece + 1;
}

size_t arena_mark(void) { return last ? last->number : 0; }

void arena_release(size_t mark) {
    while (last && last->number > mark) {
        Piece *piece = last;
        last = piece->before;
        free(piece);
    }
}

// Something loaded or begun, with all its memory.
typedef struct {
    Piece *pieces;
    Model *model;
    Traversal traversal;
} Handle;

EXPORT void exact_end(Handle *handle) {
    last = handle->pieces;
    arena_release(0);
    free(handle);
}

static Handle *handle_of(Handle *handle, int is_whole) {
    handle->pieces = last;
    if (is_whole) return handle;
    exact_end(handle);
    return NULL;
}

// The widest instructions that this processor has and `native.py` has a library for.
EXPORT int exact_level(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2")) return 0;
    return __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw") &&
                   __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")
               ? 2
               : 1;
#else
    return 0;
#endif
}

// A model in `block`, which stays where it is until `exact_end`; NULL if memory is short or the sizes do not fit.
EXPORT Handle *exact_load(const uint8_t *block, int M, int hyper_channels, int hyper_width, int width, int blocks) {
    Handle *handle = malloc(sizeof *handle);
    if (!handle) return NULL;
    last = NULL;
    Cursor cursor = {block};
    handle->model = networks_load(&cursor, M, hyper_channels, hyper_width, width, blocks);
    return handle_of(handle, handle->model != NULL);
}

// See prior.h; NULL if memory is short.
EXPORT Handle *exact_begin(const Handle *loaded, const int16_t *z, int h, int w, int level) {
    Handle *handle = malloc(sizeof *handle);
    if (!handle) return NULL;
    last = NULL;
    return handle_of(handle, traversal_begin(&handle->traversal, loaded->model, z, h, w, level) == DONE);
}

EXPORT void exact_predict(Handle *handle, int k, uint8_t *indexes, int64_t *means) {
    traversal_predict(&handle->traversal, k, indexes, means);
}

EXPORT void exact_take(Handle *handle, int k, const int16_t *symbols, const int64_t *means, int32_t *y_hat) {
    traversal_take(&handle->traversal, k, symbols, means, y_hat);
}
