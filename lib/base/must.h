/* SPDX-License-Identifier: MIT */
#ifndef WEIR_BASE_MUST_H
#define WEIR_BASE_MUST_H
/**
 * @file  For what cannot be: WEIR_MUST(condition) is always compiled in and ends the process with a sentence.
 *
 * WEIR_MUST_SANE(condition) is for invariants too dear to check on each request: it is compiled into sanitizer
 * and debug builds only (WEIR_CHECK_INVARIANTS).
 */
/** What is said beside the sentence: `tell` writes it to a file descriptor. NULL: nothing. Once, before threads are started. */
void weir_must_tell_with(void (*tell)(int fd));

/** Writes that, unless it was written already: a condition that did not hold, and then the signal. Async-signal-safe. */
void weir_must_tell(int fd);

void weir_must_fail(const char *condition, const char *file, int line) __attribute__((noreturn, cold));

#define WEIR_MUST(condition)                                                                                                   \
    do {                                                                                                                       \
        if (__builtin_expect(!(condition), 0))                                                                                 \
            weir_must_fail(#condition, __FILE__, __LINE__);                                                                    \
    } while (0)

#ifdef WEIR_CHECK_INVARIANTS
#define WEIR_MUST_SANE(condition) WEIR_MUST(condition)
#else
#define WEIR_MUST_SANE(condition) ((void)0)
#endif

#endif
