// An arena: memory that is taken piece by piece, and given back all at once. web/wasm/memory.c has it for the browser,
// host.c for this machine.
#pragma once
#include <stddef.h>

// Memory of `size` bytes, aligned to 16, with undefined content; NULL if there is no more.
void *take(size_t size);

// Where the arena stands, and its return to there: all that was taken since is free again.
size_t arena_mark(void);
void arena_release(size_t mark);
