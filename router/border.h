/* SPDX-License-Identifier: MIT */
#ifndef WEIR_ROUTER_BORDER_H
#define WEIR_ROUTER_BORDER_H
/**
 * @file  What crosses the border between a module and this proxy: which functions it may call, and structs that begin with
 * their size. Private to router/.
 */
#include <stdbool.h>

#include "router/object.h"

/** What is being taken in, for sentences. */
typedef struct border {
    const char *what;    /* "router", "stage"                */
    const char *macro;   /* that fills in the size           */
    const char *symbol;  /* of the int that names its ABI    */
    const char *version; /* what that int should be          */
    int abi;             /* this proxy's                     */
} border_t;

/** Whether the object was made for an ABI that this proxy has; else a sentence in `error` says what to do. */
bool border_is_of_our_time(const border_t *border, const weir_object_t *object, const char *path, char *error,
                           size_t error_size);

/**
 * Copies the struct `from`, whose first member is its size_t size, to `to` (`size` bytes): what it lacks is zeroed, and what it
 * has beyond that must be zero. `least` bytes it must have. False with a sentence in `error`.
 */
bool border_copy(const border_t *border, const char *origin, const void *from, size_t least, void *to, size_t size, char *error,
                 size_t error_size);

#endif
