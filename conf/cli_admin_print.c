/* SPDX-License-Identifier: MIT */
#include "conf/cli_admin_print.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/must.h"

enum { COLUMNS_MOST = 16, CELL_BYTES = 128, GAP = 2 };

/* Rows of cells, printed when all widths are known. */
typedef struct table {
    size_t columns, rows, capacity;
    char (*cells)[CELL_BYTES];
    unsigned numbers; /* a bit for each column that is aligned to the right */
} table_t;

static void add_row(table_t *table)
{
    if ((table->rows + 1) * table->columns > table->capacity) {
        table->capacity = table->capacity * 2 + table->columns * 16;
        table->cells = realloc(table->cells, table->capacity * sizeof(table->cells[0]));
        WEIR_MUST(table->cells != NULL);
    }
    memset(table->cells[table->rows * table->columns], 0, table->columns * CELL_BYTES);
    table->rows++;
}

static char *cell(const table_t *table, size_t column)
{
    return table->cells[(table->rows - 1) * table->columns + column];
}

/* What is no text, number or null is left out: a terminal gets nothing that it could take for an order. */
static void put(const table_t *table, size_t column, const json_t *value)
{
    char *to = cell(table, column);

    if (json_is_string(value))
        snprintf(to, CELL_BYTES, "%s", json_string_value(value));
    else if (json_is_integer(value))
        snprintf(to, CELL_BYTES, "%lld", (long long)json_integer_value(value));
    else if (json_is_real(value))
        snprintf(to, CELL_BYTES, "%.1f", json_real_value(value));
    else
        snprintf(to, CELL_BYTES, "%s", json_is_boolean(value) ? (json_is_true(value) ? "yes" : "no") : "-");
    for (; *to != '\0'; to++)
        *to = (unsigned char)*to < ' ' || *to == 127 ? '?' : *to;
}

static int width_of(const table_t *table, size_t column)
{
    size_t width = 0;

    for (size_t row = 0; row < table->rows; row++) {
        const size_t length = strlen(table->cells[row * table->columns + column]);
        width = length > width ? length : width;
    }
    return (int)width;
}

static void print(table_t *table)
{
    int widths[COLUMNS_MOST];

    for (size_t column = 0; column < table->columns; column++)
        widths[column] = width_of(table, column);
    for (size_t row = 0; row < table->rows; row++) {
        for (size_t column = 0; column < table->columns; column++) {
            const char *text = table->cells[row * table->columns + column];
            const bool is_last = column + 1 == table->columns, is_number = (table->numbers >> column & 1) != 0;
            printf("%*s%s", is_number ? widths[column] : is_last ? 0 : -widths[column], text, is_last ? "\n" : "");
            if (!is_last)
                printf("%*s", GAP, "");
        }
    }
    free(table->cells);
}

/* Headings in capitals; "#" in front of those of numbers. */
static table_t begin(const char *const *headings)
{
    table_t table = {0};

    while (headings[table.columns] != NULL)
        table.columns++;
    WEIR_MUST(table.columns <= COLUMNS_MOST);
    add_row(&table);
    for (size_t i = 0; i < table.columns; i++) {
        const bool is_number = headings[i][0] == '#';
        table.numbers |= (unsigned)is_number << i;
        snprintf(cell(&table, i), CELL_BYTES, "%s", headings[i] + is_number);
    }
    return table;
}

static void add_object(table_t *table, const json_t *object, const char *const *keys)
{
    add_row(table);
    for (size_t i = 0; i < table->columns; i++)
        put(table, i, json_object_get(object, keys[i]));
}

/* ---- documents ---- */

void conf_print_json(const json_t *document)
{
    json_dumpf(document, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
    putchar('\n');
}

void conf_print_routers(const json_t *document)
{
    static const char *const headings[] = {"NAME", "ROUTER", "#GENERATION", "ADMIN", "AT", NULL};
    static const char *const keys[] = {"name", "router", "generation", "admin", "at"};
    table_t table = begin(headings);
    const json_t *routers = json_object_get(document, "routers");

    for (size_t i = 0; i < json_array_size(routers); i++)
        add_object(&table, json_array_get(routers, i), keys);
    print(&table);
}

static const char *word_in(const json_t *object, const char *key)
{
    const char *word = json_string_value(json_object_get(object, key));

    return word == NULL ? "" : word;
}

static json_int_t count_well(const json_t *backends)
{
    json_int_t count = 0;

    for (size_t i = 0; i < json_array_size(backends); i++) {
        const json_t *backend = json_array_get(backends, i);
        count += strcmp(word_in(backend, "state"), "up") == 0 && strcmp(word_in(backend, "health"), "well") == 0;
    }
    return count;
}

void conf_print_apps(const json_t *apps)
{
    static const char *const headings[] = {"APP", "STATE", "#IN-FLIGHT", "#WAITING", "#BACKENDS", "#WELL", NULL};
    table_t table = begin(headings);

    for (size_t i = 0; i < json_array_size(apps); i++) {
        const json_t *app = json_array_get(apps, i), *backends = json_object_get(app, "backends");
        add_row(&table);
        put(&table, 0, json_object_get(app, "app"));
        put(&table, 1, json_object_get(app, "state"));
        put(&table, 2, json_object_get(app, "in_flight"));
        put(&table, 3, json_object_get(json_object_get(app, "queue"), "waiting"));
        snprintf(cell(&table, 4), CELL_BYTES, "%zu", json_array_size(backends));
        snprintf(cell(&table, 5), CELL_BYTES, "%lld", (long long)count_well(backends));
    }
    print(&table);
}

void conf_print_backends(const json_t *document)
{
    static const char *const headings[] = {"ID",        "AT",       "#TIER",      "#WEIGHT",  "STATE",
                                           "HEALTH",    "UNTIL",    "#IN-FLIGHT", "#WAITING", "#TUNNELS",
                                           "#HANDICAP", "#HEAD-MS", "#10S",       "#FAILED",  NULL};
    static const char *const keys[] = {"id",        "at",      "tier",    "weight",   "state",   "health",      "until",
                                       "in_flight", "waiting", "tunnels", "handicap", "head_ms", "answers_10s", "failures_10s"};
    table_t table = begin(headings);
    const json_t *backends = json_object_get(document, "backends");

    for (size_t i = 0; i < json_array_size(backends); i++)
        add_object(&table, json_array_get(backends, i), keys);
    print(&table);
}

static void print_settings(const json_t *settings, const char *group)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)settings, key, value)
    {
        if (json_is_object(value)) {
            print_settings(value, key);
            continue;
        }
        char *text = json_dumps(value, JSON_ENCODE_ANY);
        printf("  %s%s%s: %s\n", group, *group == '\0' ? "" : ".", key, text == NULL ? "" : text);
        free(text);
    }
}

void conf_print_app(const json_t *app)
{
    const json_t *settings = json_object_get(app, "settings");

    printf("%s: %s, %lld in flight, %lld waiting\n", word_in(app, "app"), word_in(app, "state"),
           (long long)json_integer_value(json_object_get(app, "in_flight")),
           (long long)json_integer_value(json_object_get(json_object_get(app, "queue"), "waiting")));
    if (json_object_size(settings) > 0)
        printf("settings that are not the usual ones:\n");
    print_settings(settings, "");
    conf_print_backends(app);
}

void conf_print_domains(const json_t *domains)
{
    static const char *const headings[] = {"DOMAIN", "APP", NULL};
    static const char *const keys[] = {"domain", "app"};
    table_t table = begin(headings);

    for (size_t i = 0; i < json_array_size(domains); i++)
        add_object(&table, json_array_get(domains, i), keys);
    print(&table);
}
