/* SPDX-License-Identifier: MIT */
#include "conf/top_screen.h"

#include <math.h>
#include <string.h>

#include "lib/base/must.h"

enum { HEAD_ROWS = 8, APP_ROWS = 8, SLOW_ROWS = 3, FOOT_ROWS = 1, WIDE_BYTES = 512 };

const char *top_order_name(top_order_t order)
{
    static const char *const names[] = {"requests", "errors", "waiting", "latency"};

    return names[order];
}

/* ---- the head: the process ---- */

static void draw_process(const top_model_t *model, top_page_t *page)
{
    char uptime[TOP_CELL_BYTES], memory[TOP_CELL_BYTES];
    const char *clock = strchr(model->at, 'T');

    top_write_age(model->uptime_ms, uptime);
    top_write_bytes(model->rss_bytes, memory);
    top_page_add(page, TOP_BOLD, "weir %s  %.8s  process %lld, up %s, configuration %llu, memory %s", model->version,
                 clock == NULL ? "" : clock + 1, (long long)model->pid, uptime, (unsigned long long)model->generation, memory);
}

static void draw_requests(const top_model_t *model, top_page_t *page)
{
    const struct {
        double value;
        void (*write)(double value, char text[static TOP_CELL_BYTES]);
    } numbers[] = {
        {model->rate, top_write_count},        {model->in_flight, top_write_count},   {model->waiting, top_write_count},
        {model->share_4xx, top_write_percent}, {model->share_5xx, top_write_percent}, {model->clients, top_write_count},
        {model->backends, top_write_count},
    };
    char text[sizeof(numbers) / sizeof(numbers[0])][TOP_CELL_BYTES];

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        numbers[i].write(numbers[i].value, text[i]);
    top_page_add(page, TOP_PLAIN, "%s requests/s%s, in flight %s, waiting %s, 4xx %s%%, 5xx %s%%; connections: %s + %s",
                 text[0], model->is_since_start ? " (since the start)" : "", text[1], text[2], text[3], text[4], text[5],
                 text[6]);
}

static void draw_percentile(const char *name, const double us[TOP_STAGES], top_page_t *page)
{
    char text[TOP_STAGES][TOP_CELL_BYTES];

    for (size_t i = 0; i < TOP_STAGES; i++)
        top_write_us(us[i], text[i]);
    top_page_add(page, TOP_PLAIN, "%-4s%9s%9s%12s%9s", name, text[0], text[1], text[2], text[3]);
}

static void draw_loops(const top_model_t *model, top_page_t *page)
{
    char line[WIDE_BYTES] = "loops";

    for (size_t i = 0; i < model->loop_count; i++) {
        char share[TOP_CELL_BYTES];
        const size_t length = strlen(line);
        top_write_percent(model->busy[i], share);
        snprintf(line + length, sizeof(line) - length, "  %zu: %s%%", i + 1, share);
    }
    top_page_add(page, TOP_PLAIN, "%s", line);
}

static void draw_head(const top_model_t *model, top_page_t *page)
{
    draw_process(model, page);
    draw_requests(model, page);
    top_page_add(page, TOP_DIM, "%-4s%9s%9s%12s%9s", "", "connect", "queue", "first byte", "total");
    draw_percentile("p50", model->p50_us, page);
    draw_percentile("p99", model->p99_us, page);
    draw_loops(model, page);
    top_page_fill(page, HEAD_ROWS - 1);
}

/* ---- apps ---- */

enum { APP, RATE, IN_FLIGHT, WAITING, P50, P99, HEAD, ERRORS, RETRIES, WELL, ILL, DRAINING };

static const top_column_t columns[] = {
    [APP] = {"APP", 12, true, 0},         [RATE] = {"REQ/S", 7, false, 0},  [IN_FLIGHT] = {"IN-FLIGHT", 9, false, 5},
    [WAITING] = {"WAITING", 7, false, 3}, [P50] = {"P50", 6, false, 6},     [P99] = {"P99", 6, false, 2},
    [HEAD] = {"HEAD", 6, false, 8},       [ERRORS] = {"5XX%", 5, false, 1}, [RETRIES] = {"RETRY/S", 7, false, 7},
    [WELL] = {"WELL", 4, false, 0},       [ILL] = {"ILL", 3, false, 0},     [DRAINING] = {"DRAIN", 5, false, 4},
};

/* Those that the filter lets through, as a list of places. */
typedef struct listed {
    const top_model_t *model;
    size_t *at;
    size_t count;
} listed_t;

static listed_t list_apps(const top_model_t *model, const char *filter)
{
    listed_t listed = {.model = model, .at = calloc(model->app_count + 1, sizeof(size_t))};

    WEIR_MUST(listed.at != NULL);
    for (size_t i = 0; i < model->app_count; i++)
        if (strcasestr(model->apps[i].shown, filter) != NULL)
            listed.at[listed.count++] = i;
    return listed;
}

static const top_app_t *app_at(const listed_t *listed, size_t row)
{
    return &listed->model->apps[listed->at[row]];
}

static void write_app(const top_app_t *app, char text[static TOP_CELL_BYTES])
{
    char whole[2 * TOP_NAME_BYTES + 16];

    snprintf(whole, sizeof(whole), app->course == NULL ? "%s" : "%s (%s)", app->shown, app->course == NULL ? "" : app->course);
    top_clean(whole, text, TOP_CELL_BYTES);
}

static void write_cell(const void *of, size_t row, size_t column, char text[static TOP_CELL_BYTES])
{
    const top_app_t *app = app_at(of, row);

    switch (column) {
    case APP:
        write_app(app, text);
        return;
    case RATE:
        top_write_count(app->rate, text);
        return;
    case IN_FLIGHT:
        top_write_count(app->in_flight, text);
        return;
    case WAITING:
        top_write_count(app->waiting, text);
        return;
    case P50:
        top_write_us(app->p50_us, text);
        return;
    case P99:
        top_write_us(app->p99_us, text);
        return;
    case HEAD:
        top_write_us(app->head_us, text);
        return;
    case ERRORS:
        top_write_percent(app->error_share, text);
        return;
    case RETRIES:
        top_write_count(app->retry_rate, text);
        return;
    case WELL:
        top_write_count(app->well, text);
        return;
    case ILL:
        top_write_count(app->ill, text);
        return;
    case DRAINING:
        top_write_count(app->draining, text);
        return;
    }
    WEIR_MUST(column <= DRAINING);
}

static top_look_t look_of(const void *of, size_t row)
{
    const top_app_t *app = app_at(of, row);
    const bool has_nobody = app->well == 0 && app->ill > 0;

    return has_nobody || app->course != NULL ? TOP_ALARM : app->ill > 0 ? TOP_BOLD : TOP_PLAIN;
}

/* How many rows there are for each. */
typedef struct shares {
    size_t apps, slow, changes;
} shares_t;

static size_t least_of(size_t one, size_t other)
{
    return one < other ? one : other;
}

/* Where rows are few, changes give way first: they have what APP_ROWS apps leave. */
static shares_t share_rows(const top_model_t *model, size_t rows)
{
    const size_t slow = model == NULL ? 0 : least_of(model->slow_count, SLOW_ROWS);
    const size_t taken = HEAD_ROWS + slow + FOOT_ROWS; /* the headings are one of the head's */
    const size_t left = rows > taken + 1 ? rows - taken : 1, spare = left > APP_ROWS ? left - APP_ROWS : 0;
    const size_t changes = model == NULL ? 0 : least_of(model->change_count, spare);

    return (shares_t){left - changes, slow, changes};
}

/* Where the selected one is now; if it is gone, who has its place. */
static void find_selected(top_screen_t *screen, const listed_t *listed)
{
    for (size_t i = 0; i < listed->count; i++)
        if (strcmp(app_at(listed, i)->shown, screen->selected) == 0) {
            screen->at = i;
            return;
        }
    screen->at = listed->count == 0 ? 0 : screen->at < listed->count ? screen->at : listed->count - 1;
}

static void keep_in_sight(top_screen_t *screen, size_t rows, size_t count)
{
    if (screen->at < screen->first)
        screen->first = screen->at;
    if (screen->at >= screen->first + rows)
        screen->first = screen->at - rows + 1;
    if (screen->first + rows > count)
        screen->first = count > rows ? count - rows : 0;
}

static void draw_apps(top_screen_t *screen, const top_model_t *model, top_page_t *page)
{
    const shares_t shares = share_rows(model, page->rows);
    const listed_t listed = list_apps(model, screen->filter);

    find_selected(screen, &listed);
    keep_in_sight(screen, shares.apps, listed.count);
    const top_table_t table = {
        .columns = columns,
        .column_count = sizeof(columns) / sizeof(columns[0]),
        .cell = write_cell,
        .look = look_of,
        .of = &listed,
        .row_count = listed.count,
        .first = screen->first,
        .shown_most = shares.apps,
        .selected = screen->at,
    };
    top_page_table(page, &table);
    free(listed.at);
    top_page_fill(page, HEAD_ROWS + shares.apps);
    for (size_t i = 0; i < shares.slow; i++)
        top_page_add(page, TOP_DIM, "slow: %s", model->slow[i]);
    for (size_t i = 0; i < shares.changes; i++)
        top_page_add(page, TOP_DIM, "change: %s", model->changes[i]);
}

/* ---- the rest ---- */

static void draw_help(top_page_t *page)
{
    static const char *const lines[] = {
        "  r  e  w  l      sort by requests, errors, who waits, latency (p99, or else HEAD)",
        "  /               show only apps whose names have what is typed; Esc ends it",
        "  up down  j k    another app; PgUp, PgDn, Home, End",
        "  Enter           its backends, with state, health and reason",
        "  Esc             back, or the end",
        "  q  Ctrl-C       the end",
        "",
        "  connections     those of clients, and those with backends",
        "  REQ/S    answers of the app's backends in a second",
        "  P50 P99  how long requests took, where weir.metrics-apps counts by app",
        "  HEAD     until the response began, on an average of the last seconds",
        "  5XX%     of the answers to clients where weir.metrics-apps counts by app, else of its backends' answers that failed",
        "  WELL ILL DRAIN   backends that take requests, that do not, and that take only who stays with them",
    };

    top_page_add(page, TOP_BOLD, "weir top");
    top_page_add(page, TOP_PLAIN, "%s", "");
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        top_page_add(page, TOP_PLAIN, "%s", lines[i]);
}

static void draw_foot(const top_screen_t *screen, top_page_t *page)
{
    page->count = page->count < page->rows ? page->count : page->rows - 1;
    top_page_fill(page, page->rows - 1);
    if (screen->problem[0] != '\0')
        top_page_add(page, TOP_ALARM, "%s", screen->problem);
    else if (screen->is_filtering)
        top_page_add(page, TOP_PLAIN, "/%s_", screen->filter);
    else if (screen->view == TOP_VIEW_APPS)
        top_page_add(page, TOP_DIM, "by %s: r e w l   / filter%s%s   Enter backends   ? help   q quit",
                     top_order_name(screen->order), screen->filter[0] == '\0' ? "" : ": ", screen->filter);
    else
        top_page_add(page, TOP_DIM, "Esc back   q quit");
}

static void draw_members(top_screen_t *screen, const json_t *members, top_page_t *page)
{
    char app[TOP_NAME_BYTES];

    top_clean(screen->app, app, sizeof(app));
    top_page_add(page, TOP_BOLD, "backends of %s", app);
    const size_t count = top_members_draw(members, screen->member_first, page);
    if (screen->member_first >= count)
        screen->member_first = count > 0 ? count - 1 : 0;
}

void top_screen_draw(top_screen_t *screen, const top_model_t *model, const json_t *members, top_page_t *page)
{
    if (screen->view == TOP_VIEW_HELP) {
        draw_help(page);
    } else if (model != NULL) {
        draw_head(model, page);
        if (screen->view == TOP_VIEW_MEMBERS)
            draw_members(screen, members, page);
        else
            draw_apps(screen, model, page);
    }
    draw_foot(screen, page);
}

void top_screen_print(const top_model_t *model, FILE *out, size_t width)
{
    static top_page_t page;
    const listed_t listed = list_apps(model, "");
    const top_table_t table = {
        .columns = columns,
        .column_count = sizeof(columns) / sizeof(columns[0]),
        .cell = write_cell,
        .of = &listed,
        .row_count = listed.count,
        .shown_most = listed.count,
        .selected = SIZE_MAX,
    };

    top_page_begin(&page, width, TOP_LINES_MOST);
    draw_head(model, &page);
    top_page_table(&page, &table);
    for (size_t i = 0; i < model->slow_count; i++)
        top_page_add(&page, TOP_PLAIN, "slow: %s", model->slow[i]);
    for (size_t i = 0; i < model->change_count; i++)
        top_page_add(&page, TOP_PLAIN, "change: %s", model->changes[i]);
    top_page_print(&page, out);
    free(listed.at);
}

/* ---- keys ---- */

static void select_at(top_screen_t *screen, const listed_t *listed, size_t at)
{
    if (listed->count == 0)
        return;
    screen->at = at < listed->count ? at : listed->count - 1;
    snprintf(screen->selected, sizeof(screen->selected), "%s", app_at(listed, screen->at)->shown);
}

static void move(top_screen_t *screen, const listed_t *listed, top_key_t key, size_t page)
{
    const size_t at = screen->at;

    if (key == TOP_KEY_UP)
        select_at(screen, listed, at == 0 ? 0 : at - 1);
    else if (key == TOP_KEY_DOWN)
        select_at(screen, listed, at + 1);
    else if (key == TOP_KEY_PAGE_UP)
        select_at(screen, listed, at < page ? 0 : at - page);
    else if (key == TOP_KEY_PAGE_DOWN)
        select_at(screen, listed, at + page);
    else if (key == TOP_KEY_FIRST)
        select_at(screen, listed, 0);
    else if (key == TOP_KEY_LAST)
        select_at(screen, listed, SIZE_MAX);
}

static void open_members(top_screen_t *screen, const listed_t *listed)
{
    if (listed->count == 0)
        return;
    select_at(screen, listed, screen->at);
    snprintf(screen->router, sizeof(screen->router), "%s", app_at(listed, screen->at)->router);
    snprintf(screen->app, sizeof(screen->app), "%s", app_at(listed, screen->at)->name);
    screen->member_first = 0;
    screen->view = TOP_VIEW_MEMBERS;
}

static void type_filter(top_screen_t *screen, const top_typed_t *typed)
{
    const size_t length = strlen(screen->filter);

    if (typed->key == TOP_KEY_ENTER || typed->key == TOP_KEY_ESCAPE)
        screen->is_filtering = false;
    if (typed->key == TOP_KEY_ESCAPE)
        screen->filter[0] = '\0';
    if (typed->key == TOP_KEY_ERASE && length > 0)
        screen->filter[length - 1] = '\0';
    if (typed->key == TOP_KEY_CHARACTER && length + 1 < sizeof(screen->filter))
        memcpy(screen->filter + length, (char[]){typed->character, '\0'}, 2);
}

static void escape(top_screen_t *screen)
{
    if (screen->view != TOP_VIEW_APPS)
        screen->view = TOP_VIEW_APPS;
    else if (screen->filter[0] != '\0')
        screen->filter[0] = '\0';
    else
        screen->is_over = true;
}

static void press(top_screen_t *screen, char character)
{
    static const char orders[] = "rewl";
    const char *order = strchr(orders, character);

    if (character == 'q') {
        screen->is_over = true;
    } else if (character == '?') {
        screen->before_help = screen->view;
        screen->view = TOP_VIEW_HELP;
    } else if (screen->view == TOP_VIEW_APPS && character == '/') {
        screen->is_filtering = true;
    } else if (screen->view == TOP_VIEW_APPS && order != NULL) {
        screen->order = (top_order_t)(order - orders);
        screen->at = screen->first = 0;
        screen->selected[0] = '\0';
    }
}

static void scroll_members(top_screen_t *screen, top_key_t key, size_t page)
{
    const size_t first = screen->member_first;

    if (key == TOP_KEY_UP || key == TOP_KEY_PAGE_UP)
        screen->member_first = key == TOP_KEY_UP ? first - (first > 0) : first < page ? 0 : first - page;
    else if (key == TOP_KEY_DOWN || key == TOP_KEY_PAGE_DOWN)
        screen->member_first = first + (key == TOP_KEY_DOWN ? 1 : page);
    else if (key == TOP_KEY_FIRST)
        screen->member_first = 0;
}

/* j and k are arrows, but where something is typed. */
static top_typed_t arrows_of(const top_screen_t *screen, const top_typed_t *typed)
{
    top_typed_t own = *typed;

    if (typed->key == TOP_KEY_CHARACTER && !screen->is_filtering && (typed->character == 'j' || typed->character == 'k'))
        own.key = typed->character == 'j' ? TOP_KEY_DOWN : TOP_KEY_UP;
    return own;
}

void top_screen_key(top_screen_t *screen, const top_model_t *model, const top_typed_t *typed, size_t rows)
{
    const top_typed_t own = arrows_of(screen, typed);
    const size_t page = share_rows(model, rows).apps;

    if (own.key == TOP_KEY_INTERRUPT) {
        screen->is_over = true;
    } else if (screen->view == TOP_VIEW_HELP && own.key != TOP_KEY_NONE) {
        screen->view = screen->before_help;
        screen->is_over = own.key == TOP_KEY_CHARACTER && own.character == 'q';
    } else if (screen->is_filtering) {
        type_filter(screen, &own);
    } else if (own.key == TOP_KEY_CHARACTER) {
        press(screen, own.character);
    } else if (own.key == TOP_KEY_ESCAPE) {
        escape(screen);
    } else if (screen->view == TOP_VIEW_MEMBERS) {
        scroll_members(screen, own.key, page);
    } else if (model != NULL) {
        const listed_t listed = list_apps(model, screen->filter);
        find_selected(screen, &listed);
        if (own.key == TOP_KEY_ENTER)
            open_members(screen, &listed);
        else
            move(screen, &listed, own.key, page);
        free(listed.at);
    }
}
