// The functions of the C library that native/ uses; memory.c has them for what compilers make of other code. As builtins
// they become loads and stores where sizes are known and small, and otherwise one instruction.
#pragma once
#include <stddef.h>

void *memset(void *to, int value, size_t size);
void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
int memcmp(const void *a, const void *b, size_t size);

#ifndef OWN_STRING
#define memset __builtin_memset
#define memcpy __builtin_memcpy
#define memmove __builtin_memmove
#endif
