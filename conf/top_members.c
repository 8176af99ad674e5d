/* SPDX-License-Identifier: MIT */
/* An app's members, as GET …/apps/APP/backends tells of them. */
#include <string.h>

#include "conf/top_screen.h"

enum { ID, AT, TIER, WEIGHT, STATE, HEALTH, BECAUSE, UNTIL, IN_FLIGHT, WAITING, HANDICAP, HEAD, ANSWERS, FAILED };

static const top_column_t columns[] = {
    [ID] = {"ID", 12, true, 0},
    [AT] = {"AT", 21, true, 2},
    [TIER] = {"TIER", 4, false, 10},
    [WEIGHT] = {"WEIGHT", 6, false, 8},
    [STATE] = {"STATE", 8, true, 0},
    [HEALTH] = {"HEALTH", 8, true, 0},
    [BECAUSE] = {"BECAUSE", 24, true, 3},
    [UNTIL] = {"UNTIL", 8, true, 7},
    [IN_FLIGHT] = {"IN-FLIGHT", 9, false, 0},
    [WAITING] = {"WAITING", 7, false, 4},
    [HANDICAP] = {"HANDICAP", 8, false, 9},
    [HEAD] = {"HEAD", 6, false, 6},
    [ANSWERS] = {"10S", 6, false, 5},
    [FAILED] = {"FAILED", 6, false, 1},
};

static const char *const keys[] = {
    [ID] = "id",
    [AT] = "at",
    [TIER] = "tier",
    [WEIGHT] = "weight",
    [STATE] = "state",
    [HEALTH] = "health",
    [BECAUSE] = "because",
    [UNTIL] = "until",
    [IN_FLIGHT] = "in_flight",
    [WAITING] = "waiting",
    [HANDICAP] = "handicap",
    [HEAD] = "head_ms",
    [ANSWERS] = "answers_10s",
    [FAILED] = "failures_10s",
};

/* What is drawn: the columns of which something is known. */
typedef struct drawn {
    const json_t *list;
    top_column_t columns[TOP_TABLE_MOST];
    size_t which[TOP_TABLE_MOST], count;
} drawn_t;

static bool is_known(const json_t *list, size_t column)
{
    if (column != BECAUSE && column != UNTIL)
        return true;
    for (size_t i = 0; i < json_array_size(list); i++)
        if (json_is_string(json_object_get(json_array_get(list, i), keys[column])))
            return true;
    return false;
}

static drawn_t drawn_of(const json_t *list)
{
    drawn_t drawn = {.list = list};

    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
        if (!is_known(list, i))
            continue;
        drawn.columns[drawn.count] = columns[i];
        drawn.which[drawn.count++] = i;
    }
    return drawn;
}

static void write_cell(const void *of, size_t row, size_t place, char text[static TOP_CELL_BYTES])
{
    const drawn_t *drawn = of;
    const size_t column = drawn->which[place];
    const json_t *value = json_object_get(json_array_get(drawn->list, row), keys[column]);
    const char *words = json_string_value(value);
    const char *clock = column == UNTIL && words != NULL ? strchr(words, 'T') : NULL;

    if (column == HEAD && json_number_value(value) > 0)
        top_write_us(json_number_value(value) * 1000, text);
    else if (column == HEAD || value == NULL || json_is_null(value))
        snprintf(text, TOP_CELL_BYTES, "-");
    else if (clock != NULL)
        snprintf(text, TOP_CELL_BYTES, "%.8s", clock + 1);
    else if (words != NULL)
        top_clean(words, text, TOP_CELL_BYTES);
    else
        top_write_count(json_number_value(value), text);
}

static top_look_t look_of(const void *of, size_t row)
{
    const json_t *member = json_array_get(((const drawn_t *)of)->list, row);
    const char *state = json_string_value(json_object_get(member, "state")),
               *health = json_string_value(json_object_get(member, "health"));

    if (state != NULL && strcmp(state, "up") != 0)
        return TOP_DIM;
    return health != NULL && strcmp(health, "well") != 0 ? TOP_ALARM : TOP_PLAIN;
}

size_t top_members_draw(const json_t *members, size_t first, top_page_t *page)
{
    const json_t *list = json_object_get(members, "backends");
    const size_t count = json_array_size(list), left = page->rows - page->count;
    const drawn_t drawn = drawn_of(list);
    const top_table_t table = {
        .columns = drawn.columns,
        .column_count = drawn.count,
        .cell = write_cell,
        .look = look_of,
        .of = &drawn,
        .row_count = count,
        .first = first < count ? first
                 : count > 0   ? count - 1
                               : 0,
        .shown_most = left > 2 ? left - 2 : 0,
        .selected = SIZE_MAX,
    };

    if (members == NULL)
        top_page_add(page, TOP_DIM, "…");
    else
        top_page_table(page, &table);
    return count;
}
