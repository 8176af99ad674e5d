/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_TOP_TERMINAL_H
#define WEIR_CONF_TOP_TERMINAL_H
/**
 * @file  The terminal of `weir top`: each key at once, a screen beside the one that was there, and all of it given back,
 * whatever ends the program but SIGKILL.
 *
 * THREAD   The main one.
 */
#include <stdbool.h>
#include <stddef.h>

/** Whether there is one to be used: standard input and output are terminals, and TERM is no "dumb" one. */
bool top_terminal_is_there(void);

/** Takes it. False: it cannot be set, errno says why. */
bool top_terminal_begin(void);
/** Gives it back. Harmless if it was not taken. */
void top_terminal_end(void);

/** Its size now; 80 and 24 where it does not say. */
void top_terminal_size(size_t *out_columns, size_t *out_rows);

/** What has happened. */
typedef struct top_terminal_events {
    bool has_keys, has_news; /* standard input; the other descriptor */
    bool is_resized;
    bool is_continued; /* it was stopped, and is taken again */
    int signal;        /* that ends the program; 0: none     */
} top_terminal_events_t;

/** Waits for something, at most so long; `news_fd` is looked at, too. */
top_terminal_events_t top_terminal_wait(int news_fd, int timeout_ms);

/** Stops the program as Ctrl-Z does; returns when it goes on. */
void top_terminal_suspend(void);

/** Gives the terminal back and ends the program by the signal of this number. */
void top_terminal_die(int number) __attribute__((noreturn));

#endif
