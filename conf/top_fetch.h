/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_TOP_FETCH_H
#define WEIR_CONF_TOP_FETCH_H
/**
 * @file  Asks the admin endpoint on a thread of its own, so that keys are answered while nobody answers there.
 *
 * THREAD   The main one.
 */
#include <stdbool.h>

#include <jansson.h>

enum { TOP_TARGET_BYTES = 4096, TOP_PROBLEM_BYTES = 512 };

typedef struct top_fetch top_fetch_t;

/** What has come. */
typedef struct top_news {
    json_t *top, *members;           /* the caller's; NULL: there is none */
    char problem[TOP_PROBLEM_BYTES]; /* why `top` is not there            */
} top_news_t;

/** `socket` is borrowed until the process ends. */
top_fetch_t *top_fetch_begin(const char *socket);
/** Asks for `top` and, unless it is empty, for `members`. Nothing if it is still asking. */
void top_fetch_ask(top_fetch_t *fetch, const char *top, const char *members);
/** Readable when there are news. */
int top_fetch_fd(const top_fetch_t *fetch);
/** False: there are none. */
bool top_fetch_take(top_fetch_t *fetch, top_news_t *out_news);

/** One GET. False: `problem` says why. */
bool top_get(const char *socket, const char *target, json_t **out_document, char problem[static TOP_PROBLEM_BYTES]);

#endif
