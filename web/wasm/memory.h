// An arena in the module's linear memory: allocation only ever moves a mark forwards.
#pragma once
#include <stddef.h>
#include <stdint.h>

#define EXPORT(name) __attribute__((export_name(#name)))

// Memory of `size` bytes, aligned to 16, with undefined content; NULL if there is no more.
void *take(size_t size);

// Where the arena stands, and its return to there: all that was taken since is free again.
size_t arena_mark(void);
void arena_release(size_t mark);
