/* SPDX-License-Identifier: MIT */
#include "lib/base/fault.h"

#include <string.h>

#define FAULT(name_, status_, blame_, sentence_)                                                                               \
    const weir_fault_t weir_fault_##name_ = {#name_, status_, WEIR_BLAME_##blame_, sentence_};
#include "lib/base/fault.def"
#undef FAULT

#define FAULT(name_, status_, blame_, sentence_) &weir_fault_##name_,
const weir_fault_t *const weir_faults[] = {
#include "lib/base/fault.def"
    NULL,
};
#undef FAULT

const weir_fault_t *weir_fault_named(const char *name)
{
    for (const weir_fault_t *const *fault = weir_faults; *fault != NULL; fault++) {
        if (strcmp((*fault)->name, name) == 0)
            return *fault;
    }
    return NULL;
}

const char *weir_blame_name(weir_blame_t blame)
{
    switch (blame) {
    case WEIR_BLAME_NOBODY:
        return "nobody";
    case WEIR_BLAME_CLIENT:
        return "client";
    case WEIR_BLAME_BACKEND:
        return "backend";
    case WEIR_BLAME_ROUTER:
        return "router";
    }
    return "nobody";
}
