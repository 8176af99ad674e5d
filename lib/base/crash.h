/* SPDX-License-Identifier: MIT */
#ifndef WEIR_BASE_CRASH_H
#define WEIR_BASE_CRASH_H
/**
 * @file  What is said and saved when the process crashes: SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGSYS and SIGABRT.
 *
 * The signal, the address, and the module whose code it was; what the thread was at (weir_must_tell()); then what the access
 * logs hold is written. After that the signal does what it would have done without us: a core, a sanitizer's report, an end.
 * Everything in the handler is async-signal-safe and bounded in time; a crash in it goes on with its next step.
 */
#include <stdint.h>

/**
 * Has the signals handled. Once, before threads are started, and before the calls below. The calling thread gets a stack for
 * it.
 */
void weir_crash_begin(void);

/** Has them handled as before. Harmless without weir_crash_begin(). */
void weir_crash_end(void);

/**
 * Lets the signals through on this thread, and gives it a stack of its own for the handler: an overflow of the thread's is told
 * as well. Harmless twice.
 */
void weir_crash_thread_begin(void);

/** Takes it away. Before the thread ends; harmless without one. */
void weir_crash_thread_end(void);

/**
 * The code in [start, end) is that of the object `path`, which is copied. Any thread but a signal handler. Beyond 64 at a time
 * they are not known.
 */
void weir_crash_know_code(uintptr_t start, uintptr_t end, const char *path);

/** No longer: it is unloaded. */
void weir_crash_forget_code(uintptr_t start);

#endif
