// The library on this machine: its memory, what Python holds of it, and which of its kind runs here.
#include "host.h"

#include <stdint.h>
#include <stdlib.h>

#include "memory.h"

#define ALIGNMENT 64  // of a line of a cache

// A piece of memory, before which stands where the one taken before it is.
typedef struct Piece {
    struct Piece *before;
    size_t number;
} Piece;

static _Thread_local Piece *last;  // of what this call takes

void *take(size_t size) {
    Piece *piece = malloc(sizeof *piece + ALIGNMENT + size);
    if (!piece) return NULL;
    *piece = (Piece){last, last ? last->number + 1 : 1};
    last = piece;
    return (void *)(((uintptr_t)(piece + 1) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
}

size_t arena_mark(void) { return last ? last->number : 0; }

void arena_release(size_t mark) {
    while (last && last->number > mark) {
        Piece *piece = last;
        last = piece->before;
        free(piece);
    }
}

struct Handle {
    Piece *pieces;
    void *content;
};

void handle_open(void) { last = NULL; }

void arena_drop(void) { arena_release(0); }

Handle *handle_close(void *content) {
    Handle *handle = content ? malloc(sizeof *handle) : NULL;
    if (handle)
        *handle = (Handle){last, content};
    else
        arena_drop();
    return handle;
}

void *content_of(const Handle *handle) { return handle->content; }

EXPORT void native_end(Handle *handle) {
    last = handle->pieces;
    arena_drop();
    free(handle);
}

// The widest instructions that this processor has and src/cwic/libraries.py has a library for.
EXPORT int native_level(void) {
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
