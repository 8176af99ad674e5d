/* SPDX-License-Identifier: MIT */
#include "conf/top_page.h"

#include <stdarg.h>
#include <stdint.h>
#include <string.h>

enum { GAP = 1, LEAST_COLUMNS = 20, LEAST_ROWS = 4 };

/* ---- characters ---- */

static bool begins_character(char c)
{
    return ((unsigned char)c & 0xc0) != 0x80;
}

/* Bytes of the first `columns` characters. */
static size_t bytes_of(const char *text, size_t columns)
{
    size_t at = 0;

    for (; text[at] != '\0'; at++)
        if (begins_character(text[at]) && columns-- == 0)
            break;
    return at;
}

static size_t width_of(const char *text)
{
    size_t width = 0;

    for (; *text != '\0'; text++)
        width += begins_character(*text);
    return width;
}

/* ---- lines ---- */

static size_t between(size_t value, size_t least, size_t most)
{
    return value < least ? least : value > most ? most : value;
}

void top_page_begin(top_page_t *page, size_t columns, size_t rows)
{
    page->columns = between(columns, LEAST_COLUMNS, TOP_COLUMNS_MOST);
    page->rows = between(rows, LEAST_ROWS, TOP_LINES_MOST);
    page->count = 0;
}

void top_page_add(top_page_t *page, top_look_t look, const char *format, ...)
{
    va_list arguments;

    if (page->count == page->rows)
        return;
    top_line_t *line = &page->lines[page->count++];
    line->look = look;
    va_start(arguments, format);
    vsnprintf(line->text, sizeof(line->text), format, arguments);
    va_end(arguments);
    line->text[bytes_of(line->text, page->columns)] = '\0';
}

void top_page_fill(top_page_t *page, size_t count)
{
    while (page->count < count && page->count < page->rows)
        top_page_add(page, TOP_PLAIN, "%s", "");
}

/* ---- tables ---- */

/* Those that stay, and how wide the first one is. */
typedef struct plan {
    bool is_shown[TOP_TABLE_MOST];
    size_t first_width;
} plan_t;

static size_t width_of_others(const top_table_t *table, const plan_t *plan)
{
    size_t width = 0;

    for (size_t i = 1; i < table->column_count; i++)
        width += plan->is_shown[i] ? table->columns[i].width + GAP : 0;
    return width;
}

/* The one that gives way next; 0: none does. */
static size_t next_to_go(const top_table_t *table, const plan_t *plan)
{
    size_t found = 0;

    for (size_t i = 1; i < table->column_count; i++)
        if (plan->is_shown[i] && table->columns[i].rank > (found == 0 ? 0 : table->columns[found].rank))
            found = i;
    return found;
}

static plan_t plan_of(const top_table_t *table, size_t columns)
{
    plan_t plan = {.first_width = table->columns[0].width};
    size_t gone;

    for (size_t i = 0; i < table->column_count; i++)
        plan.is_shown[i] = true;
    while (plan.first_width + width_of_others(table, &plan) > columns && (gone = next_to_go(table, &plan)) != 0)
        plan.is_shown[gone] = false;
    const size_t others = width_of_others(table, &plan);
    if (plan.first_width + others < columns)
        plan.first_width = columns - others;
    return plan;
}

/* A cell that does not fit is cut, and says so. */
static void add_cell(char line[static TOP_LINE_BYTES], const char *text, size_t width, bool is_text, bool is_first)
{
    const size_t length = strlen(line), own = width_of(text), left = own < width ? width - own : 0;
    const size_t bytes = own > width ? bytes_of(text, width - 1) : strlen(text);
    const int pad = (int)left;

    snprintf(line + length, TOP_LINE_BYTES - length, "%*s%*s%.*s%s%*s", is_first ? 0 : GAP, "", is_text ? 0 : pad, "",
             (int)bytes, text, own > width ? "~" : "", is_text ? pad : 0, "");
}

static void add_row(top_page_t *page, const top_table_t *table, const plan_t *plan, size_t row)
{
    char line[TOP_LINE_BYTES] = "";
    const bool is_heading = row == SIZE_MAX;

    for (size_t i = 0; i < table->column_count; i++) {
        char text[TOP_CELL_BYTES];
        if (!plan->is_shown[i])
            continue;
        if (is_heading)
            snprintf(text, sizeof(text), "%s", table->columns[i].heading);
        else
            table->cell(table->of, row, i, text);
        add_cell(line, text, i == 0 ? plan->first_width : table->columns[i].width, table->columns[i].is_text, i == 0);
    }
    const top_look_t own = is_heading || table->look == NULL ? TOP_PLAIN : table->look(table->of, row);
    top_page_add(page, is_heading ? TOP_BOLD : row == table->selected ? TOP_REVERSED : own, "%s", line);
}

void top_page_table(top_page_t *page, const top_table_t *table)
{
    const plan_t plan = plan_of(table, page->columns);

    add_row(page, table, &plan, SIZE_MAX);
    for (size_t i = 0; i < table->shown_most && table->first + i < table->row_count; i++)
        add_row(page, table, &plan, table->first + i);
}

/* ---- out ---- */

static const char *order_of(top_look_t look, bool has_colours)
{
    switch (look) {
    case TOP_PLAIN:
        return "";
    case TOP_BOLD:
        return "\x1b[1m";
    case TOP_DIM:
        return "\x1b[2m";
    case TOP_REVERSED:
        return "\x1b[7m";
    case TOP_ALARM:
        return has_colours ? "\x1b[31m" : "\x1b[1m";
    }
    return "";
}

/*
 * Each line is written over the one before, and what is left of that erased: nothing flickers. Behind a full line the cursor
 * still stands on its last character, which is not to be erased.
 */
void top_page_paint(const top_page_t *page, FILE *out, bool has_colours)
{
    fputs("\x1b[H", out);
    for (size_t i = 0; i < page->count; i++) {
        const top_line_t *line = &page->lines[i];
        const size_t left = page->columns - width_of(line->text);
        fprintf(out, "%s%s", order_of(line->look, has_colours), line->text);
        if (line->look == TOP_REVERSED)
            fprintf(out, "%*s", (int)left, "");
        fprintf(out, "%s%s%s", line->look == TOP_PLAIN ? "" : "\x1b[0m", left > 0 ? "\x1b[K" : "",
                i + 1 < page->count ? "\r\n" : "");
    }
    fputs("\x1b[J", out);
}

void top_page_print(const top_page_t *page, FILE *out)
{
    for (size_t i = 0; i < page->count; i++) {
        const char *text = page->lines[i].text;
        size_t length = strlen(text);
        while (length > 0 && text[length - 1] == ' ')
            length--;
        fprintf(out, "%.*s\n", (int)length, text);
    }
}
