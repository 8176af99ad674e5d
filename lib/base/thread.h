/* SPDX-License-Identifier: MIT */
#ifndef WEIR_BASE_THREAD_H
#define WEIR_BASE_THREAD_H
/**
 * @file  Which thread this is, for a comparison: cheaper than asking the system.
 */

/** An address that differs between threads. That of a thread that has ended may come again. */
const void *weir_thread(void);

#endif
