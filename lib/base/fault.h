/* SPDX-License-Identifier: MIT */
#ifndef WEIR_BASE_FAULT_H
#define WEIR_BASE_FAULT_H
/**
 * @file  The proxy's own reasons, one constant each: weir_fault_bad_request, weir_fault_backend_refused, …
 *
 * A function that can fail returns `const weir_fault_t *`; NULL is success. The constants live as long as the program.
 */
#include "weir_types.h"

#define WEIR_CHECKED __attribute__((warn_unused_result))

#define FAULT(name_, status_, blame_, sentence_) extern const weir_fault_t weir_fault_##name_;
#include "lib/base/fault.def"
#undef FAULT

/** All of them, NULL at the end; for documentation and tests. */
extern const weir_fault_t *const weir_faults[];

/** "nobody", "client", "backend" or "router". */
const char *weir_blame_name(weir_blame_t blame);

#endif
