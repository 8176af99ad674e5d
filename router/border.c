/* SPDX-License-Identifier: MIT */
#include "router/border.h"

#include <stdio.h>
#include <string.h>

enum {
    SIZE_MAX_UNDERSTOOD = 4096,
    ABI_OLDEST = 5
}; /* far beyond any struct that will be written; ABI 5 broke what was before */

/* What was compiled against the headers of another time calls functions that mean something else. */
bool border_is_of_our_time(const border_t *border, const weir_object_t *object, const char *path, char *error,
                           size_t error_size)
{
    const int *abi = weir_object_symbol(object, border->symbol);

    if (abi != NULL && *abi >= ABI_OLDEST)
        return true;
    snprintf(
        error, error_size,
        "%s: this %s was made for ABI 4 of Weir or an older one, and this proxy takes ABI %d to %d: compile it anew with this "
        "version's headers, and add `const int %s = %s;` (see \"From ABI 4 to 5\" in the router guide)",
        path, border->what, ABI_OLDEST, border->abi, border->symbol, border->version);
    return false;
}

bool border_copy(const border_t *border, const char *origin, const void *from, size_t least, void *to, size_t size, char *error,
                 size_t error_size)
{
    const char *bytes = from;
    size_t given;

    memcpy(&given, from, sizeof(given));
    if (given < least || given > SIZE_MAX_UNDERSTOOD) {
        snprintf(error, error_size, "%s: the %s's size %zu is not understood (use %s)", origin, border->what, given,
                 border->macro);
        return false;
    }
    for (size_t i = size; i < given; i++) {
        if (bytes[i] == 0)
            continue;
        snprintf(error, error_size, "%s: the %s is newer than this proxy (ABI %d) and needs what it does not know", origin,
                 border->what, border->abi);
        return false;
    }
    memset(to, 0, size);
    memcpy(to, from, given < size ? given : size);
    memcpy(to, &size, sizeof(size));
    return true;
}
