// What Python loads from this library, and holds until it gives it back. Calls come from several threads.
#pragma once

#ifdef _WIN32
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

// Something loaded or begun, with all its memory.
typedef struct Handle Handle;

// Starts the arena of this thread for a new thing; and ends it: NULL, and all memory free, if `content` is NULL.
void handle_open(void);
Handle *handle_close(void *content);

void *content_of(const Handle *handle);

// Frees what was taken since `handle_open` and not kept by `handle_close`.
void arena_drop(void);
