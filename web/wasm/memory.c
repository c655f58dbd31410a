// The arena in the module's linear memory: it only ever grows.
#include "memory.h"

#include <stdint.h>
#define OWN_STRING
#include <string.h>

#include "export.h"

#define PAGE 65536u

extern unsigned char __heap_base;
static size_t top;

void *take(size_t size) {
    if (!top) top = ((size_t)&__heap_base + 15) & ~(size_t)15;
    if (size > 0xF0000000u - top) return NULL;
    size_t end = (top + size + 15) & ~(size_t)15;
    size_t pages = (end + PAGE - 1) / PAGE;
    size_t have = __builtin_wasm_memory_size(0);
    if (pages > have && __builtin_wasm_memory_grow(0, pages - have) == (size_t)-1) return NULL;
    void *taken = (void *)top;
    top = end;
    return taken;
}

EXPORT(arena_take) void *arena_take(size_t size) { return take(size); }

EXPORT(arena_mark) size_t arena_mark(void) {
    if (!top) top = ((size_t)&__heap_base + 15) & ~(size_t)15;
    return top;
}

EXPORT(arena_release) void arena_release(size_t mark) { top = mark; }

// What a compiler may call; there is no C library here.

void *memset(void *to, int value, size_t size) {
    unsigned char *byte = to;
    while (size--) *byte++ = (unsigned char)value;
    return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t size) {
    unsigned char *byte = to;
    const unsigned char *source = from;
    while (size--) *byte++ = *source++;
    return to;
}

void *memmove(void *to, const void *from, size_t size) {
    unsigned char *byte = to;
    const unsigned char *source = from;
    if (byte < source) {
        while (size--) *byte++ = *source++;
    } else {
        while (size--) byte[size] = source[size];
    }
    return to;
}

int memcmp(const void *a, const void *b, size_t size) {
    const unsigned char *x = a, *y = b;
    for (size_t k = 0; k < size; k++)
        if (x[k] != y[k]) return x[k] < y[k] ? -1 : 1;
    return 0;
}
