// What XZ Embedded asks of its surroundings, without a C library: memory comes from the arena and is never given back.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memory.h"
#include "xz.h"

#define XZ_DEC_SINGLE

#define kmalloc(size, flags) take(size)
#define kfree(pointer) ((void)(pointer))
#define vmalloc(size) take(size)
#define vfree(pointer) ((void)(pointer))

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);
int memcmp(const void *a, const void *b, size_t size);

#define memeq(a, b, size) (memcmp(a, b, size) == 0)
#define memzero(buffer, size) memset(buffer, 0, size)
#define min(x, y) ((x) < (y) ? (x) : (y))
#define min_t(type, x, y) min(x, y)
#define NOINLINE __attribute__((noinline))
#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif
#define get_le32(pointer) (*(const uint32_t *)(pointer))
