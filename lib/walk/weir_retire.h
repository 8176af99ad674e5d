/* SPDX-License-Identifier: MIT */
#ifndef WEIR_RETIRE_H
#define WEIR_RETIRE_H
/**
 * @file  Data that many threads read without a lock while one changes it.
 *
 * A writer makes the new state beside the old one, stores one atomic pointer to it (memory_order_release), and gives the old
 * one to weir_retire(). A reader loads the pointer (memory_order_acquire) in a callback, and has left what it found when the
 * callback returns. What is to be kept for longer is counted by you: retire it when the count is zero and nobody can find it.
 */
#include "weir_types.h"

WEIR_C_BEGIN

/**
 * Has release(memory) called once, when every callback that was running has returned, on a thread that serves no request: a
 * second later as a rule, and later while a callback blocks. `release` is free() of libc, or the host's own: the module that
 * retires may be unloaded by then. Any thread; does not wait.
 */
WEIR_API void weir_retire(void *memory, void (*release)(void *memory));

WEIR_C_END

#endif
