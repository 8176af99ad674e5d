/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_TOP_SCREEN_H
#define WEIR_CONF_TOP_SCREEN_H
/**
 * @file  The screen of `weir top`: what it shows, and what keys do to that. No terminal and no socket is known here.
 *
 *   keys ─► top_screen_key() ─► the state ─┐
 *   documents ─► a model ─────────────────►├─ top_screen_draw() ─► a page
 *
 * Who is selected is known by name, so that rows may move.
 */
#include "conf/top_model.h"
#include "conf/top_page.h"

enum { TOP_FILTER_BYTES = 64 };

/** What has been typed. */
typedef enum top_key {
    TOP_KEY_NONE,
    TOP_KEY_CHARACTER, /* top_typed.character */
    TOP_KEY_UP,
    TOP_KEY_DOWN,
    TOP_KEY_PAGE_UP,
    TOP_KEY_PAGE_DOWN,
    TOP_KEY_FIRST,
    TOP_KEY_LAST,
    TOP_KEY_ENTER,
    TOP_KEY_ESCAPE,
    TOP_KEY_ERASE,
    TOP_KEY_INTERRUPT, /* Ctrl-C */
    TOP_KEY_SUSPEND,   /* Ctrl-Z */
} top_key_t;

typedef struct top_typed {
    top_key_t key;
    char character;
    size_t bytes; /* that it was made of; 0: what is there is the beginning of a key */
} top_typed_t;

/** The first key of some bytes (count > 0). `is_all`: nothing will follow, an Escape is one. */
top_typed_t top_read_key(const char *bytes, size_t count, bool is_all);

typedef enum top_view { TOP_VIEW_APPS, TOP_VIEW_MEMBERS, TOP_VIEW_HELP } top_view_t;

/** Zeroed, it is the list of apps by requests. */
typedef struct top_screen {
    top_view_t view, before_help;
    top_order_t order;
    char filter[TOP_FILTER_BYTES];
    bool is_filtering;                                /* keys go into the filter */
    char selected[2 * TOP_NAME_BYTES];                /* as it is shown; "": the first */
    size_t at, first;                                 /* of the selected one; and the first row that is shown */
    char router[TOP_NAME_BYTES], app[TOP_NAME_BYTES]; /* whose members are shown */
    size_t member_first;
    char problem[TOP_NAME_BYTES]; /* why there are no news; "": there are */
    bool is_over;
} top_screen_t;

/** A key. `model` (or NULL) is what is shown now, sorted; `rows` the terminal's. */
void top_screen_key(top_screen_t *screen, const top_model_t *model, const top_typed_t *typed, size_t rows);

/** Draws it on a page that has begun. `members`: the document of the app's backends, or NULL: it is not there yet. */
void top_screen_draw(top_screen_t *screen, const top_model_t *model, const json_t *members, top_page_t *page);

/** The same without what only a terminal needs: all apps, one below the other. */
void top_screen_print(const top_model_t *model, FILE *out, size_t width);

/** top_members.c: draws an app's members on the rows that are left but for one. Returns how many members there are. */
size_t top_members_draw(const json_t *members, size_t first, top_page_t *page);

/** The name of an order, as the screen has it. */
const char *top_order_name(top_order_t order);

#endif
