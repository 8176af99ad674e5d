/* SPDX-License-Identifier: MIT */
#ifndef WEIR_RETIRE_H
#define WEIR_RETIRE_H 
#include "weir_types.h"
WEIR_C_BEGIN
WEIR_API void weir_retire(void *memory, void (*release)(void *memory));
WEIR_C_END
#endif
