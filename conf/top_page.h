/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_TOP_PAGE_H
#define WEIR_CONF_TOP_PAGE_H
/**
 * @file  A page of text lines for a terminal of some size, and tables on it whose columns give way where it is narrow.
 *
 * A line is UTF-8 without orders to the terminal, each character one column wide; how it looks is said beside it.
 *
 * OWNER    Who draws.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "conf/top_numbers.h"

enum { TOP_LINES_MOST = 512, TOP_LINE_BYTES = 1024, TOP_COLUMNS_MOST = 400, TOP_TABLE_MOST = 16 };

typedef enum top_look { TOP_PLAIN, TOP_BOLD, TOP_DIM, TOP_REVERSED, TOP_ALARM } top_look_t;

typedef struct top_line {
    char text[TOP_LINE_BYTES];
    top_look_t look;
} top_line_t;

typedef struct top_page {
    size_t columns, rows; /* of the terminal; rows at most TOP_LINES_MOST */
    top_line_t lines[TOP_LINES_MOST];
    size_t count;
} top_page_t;

/** Empties it. Sizes beyond the bounds become the bounds. */
void top_page_begin(top_page_t *page, size_t columns, size_t rows);
/** Adds a line, cut at the terminal's width; nothing if the page is full. */
void top_page_add(top_page_t *page, top_look_t look, const char *format, ...) __attribute__((format(printf, 3, 4)));
/** Adds empty lines until there are so many. */
void top_page_fill(top_page_t *page, size_t count);

/** A column of a table. The first one takes what the others leave, `width` at the least. */
typedef struct top_column {
    const char *heading;
    size_t width;
    bool is_text;  /* to the left; numbers stand to the right */
    unsigned rank; /* the highest gives way first; 0: never   */
} top_column_t;

/** A table: what stands in a cell is asked for. */
typedef struct top_table {
    const top_column_t *columns; /* TOP_TABLE_MOST at most */
    size_t column_count;
    void (*cell)(const void *of, size_t row, size_t column, char text[static TOP_CELL_BYTES]);
    top_look_t (*look)(const void *of, size_t row); /* NULL: plain */
    const void *of;
    size_t row_count, first, shown_most; /* the first row that is shown, and how many may be */
    size_t selected;                     /* SIZE_MAX: none */
} top_table_t;

/** Adds its headings and rows. */
void top_page_table(top_page_t *page, const top_table_t *table);

/** Writes it, as it is on a terminal from its upper left corner on; with colours if wanted. */
void top_page_paint(const top_page_t *page, FILE *out, bool has_colours);
/** Writes it as text. */
void top_page_print(const top_page_t *page, FILE *out);

#endif
