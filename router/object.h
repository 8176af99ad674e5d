/* SPDX-License-Identifier: MIT */
#ifndef WEIR_ROUTER_OBJECT_H
#define WEIR_ROUTER_OBJECT_H
/**
 * @file  Shared objects with routers and stages: loaded from a private copy, so that each load gets the file as it is now.
 *
 * dlopen() knows an object by its name and its inode: under a name that is in use it hands out the old code again, and a
 * file that is written over in place changes under the feet of those who run it. A copy of the file in memory has neither
 * trouble, and static variables of its own, so that an old and a new instance never meet. What cannot be loaded from a copy (an
 * object that finds its libraries by $ORIGIN) is loaded from its place.
 *
 * OWNER    Whoever opens it.
 * THREAD   Any.
 */
#include <stddef.h>

typedef struct weir_object weir_object_t;

/** Loads `path`. NULL on failure, with a sentence in `error` that names it. */
weir_object_t *weir_object_open(const char *path, char *error, size_t error_size);

/** What the symbol `name` stands for, or NULL. */
void *weir_object_symbol(const weir_object_t *object, const char *name);

/** The same for a function: *out_function, a pointer to a pointer to one, is NULL if there is none. */
void weir_object_function(const weir_object_t *object, const char *name, void *out_function);

/**
 * From now on objects stay loaded when they are closed: at the end of a process, so that what reports about leaks knows their
 * names.
 */
void weir_object_keep_all(void);

/** Unloads it (its destructors run) and nulls the pointer; harmless on NULL. No code of it may be running. */
void weir_object_close(weir_object_t **object);

#endif
