/* SPDX-License-Identifier: MIT */
/* Explanations for people: a word in front of each part, and the members in columns. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/explain.h"
#include "lib/base/must.h"

enum { LABEL = 10, COLUMNS = 8, CELL_BYTES = 160 };

/* ---- reading a document, whoever has made it ---- */

static const json_t *at(const json_t *object, const char *key)
{
    return json_object_get(object, key);
}

static const char *word(const json_t *object, const char *key)
{
    const char *text = json_string_value(at(object, key));

    return text == NULL ? "" : text;
}

static long long number(const json_t *object, const char *key)
{
    return (long long)json_integer_value(at(object, key));
}

static bool has(const json_t *object, const char *key)
{
    const json_t *value = at(object, key);

    return value != NULL && !json_is_null(value);
}

/* A terminal gets nothing that it could take for an order. */
void conf_explain_clean(char *text)
{
    for (; *text != '\0'; text++)
        *text = ((unsigned char)*text < ' ' && *text != '\n') || *text == 127 ? '?' : *text;
}

static void begin(FILE *out, const char *label)
{
    fprintf(out, "%-*s", LABEL, label);
}

/* ---- what is known before the router ---- */

static void write_place(FILE *out, const json_t *document)
{
    const json_t *place = at(document, "path"), *router = at(document, "router");

    begin(out, "path");
    fprintf(out, "%s %s", has(place, "host") ? word(place, "host") : "-", has(place, "path") ? word(place, "path") : "-");
    if (has(place, "at"))
        fprintf(out, " (%s)", word(place, "at"));
    if (json_is_object(router))
        fprintf(out, " → router %s (%s), generation %lld", word(router, "name"), word(router, "router"),
                number(router, "generation"));
    if (json_is_object(router) && number(place, "handlers_before") > 0)
        fprintf(out, "; %lld of libh2o's handlers come before it, and may answer", number(place, "handlers_before"));
    if (number(place, "stages") > 0)
        fprintf(out, "; %lld stages of weir.stages, which may answer, too", number(place, "stages"));
    fputc('\n', out);
    if (!has(document, "unknown"))
        return;
    begin(out, "router");
    fprintf(out, "unknown: %s\n", word(document, "unknown"));
}

/* ---- the kit's ---- */

static void write_lookup(FILE *out, const json_t *lookup)
{
    if (!json_is_object(lookup))
        return;
    begin(out, "lookup");
    if (!has(lookup, "domain")) {
        fprintf(out, "app %s\n", word(lookup, "app"));
        return;
    }
    if (has(lookup, "app"))
        fprintf(out, "%s → app %s (%s); entry %s, %s; ", word(lookup, "domain"), word(lookup, "app"), word(lookup, "source"),
                word(lookup, "entry"), word(lookup, "match"));
    else
        fprintf(out, "%s: no app; ", word(lookup, "domain"));
    fprintf(out, "prefix %s; of %lld entries\n", has(lookup, "prefix") ? word(lookup, "prefix") : "none",
            number(lookup, "entries"));
}

static void write_affinity(FILE *out, const json_t *affinity)
{
    if (!json_is_object(affinity))
        return;
    begin(out, "affinity");
    fprintf(out, "%s %s", word(affinity, "name"), word(affinity, "cookie"));
    if (has(affinity, "key"))
        fprintf(out, ", key %lld, issued %lld s ago", number(affinity, "key"), number(affinity, "age_s"));
    if (has(affinity, "key"))
        fprintf(out, " → %s%s%s", has(affinity, "member") ? word(affinity, "member") : "who has left",
                has(affinity, "health") ? ": " : "", word(affinity, "health"));
    if (has(affinity, "grace_left_ms"))
        fprintf(out, ", grace %lld ms left", number(affinity, "grace_left_ms"));
    fprintf(out, " → %s%s\n", word(affinity, "verdict"), json_is_true(at(affinity, "strict")) ? " (strict)" : "");
}

static void write_bound(FILE *out, const json_t *object, const char *key, const char *name)
{
    if (has(object, key))
        fprintf(out, "; %s %lld", name, number(object, key));
    else
        fprintf(out, "; %s none", name);
}

static void write_app(FILE *out, const json_t *app)
{
    const json_t *queue = at(app, "queue");

    if (!json_is_object(app))
        return;
    begin(out, "app");
    fprintf(out, "%s; balance %s; queue %lld of %lld; in flight %lld", word(app, "state"), word(app, "balance"),
            number(queue, "waiting"), number(queue, "length"), number(app, "in_flight"));
    write_bound(out, app, "max_requests", "app-max-requests");
    write_bound(out, app, "window", "release window");
    fprintf(out, "; panic %s\n", json_is_true(at(app, "panic")) ? "yes" : "no");
}

/* ---- members ---- */

typedef char row_t[COLUMNS][CELL_BYTES];

/* "skipped: silent until 2026-…", "picked". */
static void write_verdict(char *cell, const json_t *member)
{
    snprintf(cell, CELL_BYTES, "%s%s%s%s%s", word(member, "verdict"), has(member, "because") ? ": " : "",
             word(member, "because"), has(member, "until") ? " until " : "", word(member, "until"));
}

static void fill_row(row_t row, const json_t *member)
{
    const bool is_well = strcmp(word(member, "health"), "well") == 0 || strcmp(word(member, "state"), "up") != 0;

    snprintf(row[0], CELL_BYTES, "%s", word(member, "id"));
    snprintf(row[1], CELL_BYTES, "%lld", number(member, "tier"));
    snprintf(row[2], CELL_BYTES, "%lld", number(member, "weight"));
    snprintf(row[3], CELL_BYTES, "%s", word(member, is_well ? "state" : "health"));
    if (number(member, "max_requests") > 0)
        snprintf(row[4], CELL_BYTES, "%lld/%lld", number(member, "in_flight"), number(member, "max_requests"));
    else
        snprintf(row[4], CELL_BYTES, "%lld", number(member, "in_flight"));
    snprintf(row[5], CELL_BYTES, "%lld", number(member, "handicap"));
    if (has(member, "cost"))
        snprintf(row[6], CELL_BYTES, "%.1f", json_number_value(at(member, "cost")));
    else
        snprintf(row[6], CELL_BYTES, "-");
    write_verdict(row[7], member);
}

static void print_rows(FILE *out, row_t *rows, size_t count)
{
    int widths[COLUMNS] = {0};

    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < COLUMNS; k++)
            widths[k] = (int)strlen(rows[i][k]) > widths[k] ? (int)strlen(rows[i][k]) : widths[k];
    for (size_t i = 0; i < count; i++) {
        begin(out, i == 0 ? "members" : "");
        for (size_t k = 0; k + 1 < COLUMNS; k++)
            fprintf(out, "%-*s  ", widths[k], rows[i][k]);
        fprintf(out, "%s\n", rows[i][COLUMNS - 1]);
    }
}

static void write_members(FILE *out, const json_t *members)
{
    static const char *const headings[COLUMNS] = {"ID", "TIER", "WEIGHT", "STATE", "IN-FLIGHT", "HANDICAP", "COST", "VERDICT"};
    const size_t count = json_array_size(members);

    if (count == 0)
        return;
    row_t *rows = calloc(count + 1, sizeof(rows[0]));
    WEIR_MUST(rows != NULL);
    for (size_t k = 0; k < COLUMNS; k++)
        snprintf(rows[0][k], CELL_BYTES, "%s", headings[k]);
    for (size_t i = 0; i < count; i++)
        fill_row(rows[i + 1], json_array_get(members, i));
    print_rows(out, rows, count + 1);
    free(rows);
}

/* ---- what comes of it ---- */

static void write_outcome(FILE *out, const json_t *document)
{
    const json_t *outcome = at(document, "outcome"), *pick = at(document, "pick");

    if (!json_is_object(outcome))
        return;
    begin(out, "outcome");
    fprintf(out, "%s", word(outcome, "what"));
    if (json_is_object(pick))
        fprintf(out, " %s at %s (%s)", word(pick, "id"), word(pick, "at"), word(pick, "how"));
    if (has(outcome, "to"))
        fprintf(out, " to %s", word(outcome, "to"));
    if (has(outcome, "reason"))
        fprintf(out, ": %s, %lld %s", word(outcome, "reason"), number(outcome, "status"), word(outcome, "detail"));
    fputc('\n', out);
}

static void write_retry(FILE *out, const json_t *retry)
{
    if (!json_is_object(retry))
        return;
    begin(out, "retry");
    fprintf(out, "%s; budget %lld of %lld left in 10 s; %lld more members\n", json_is_true(at(retry, "is_on")) ? "on" : "off",
            number(retry, "budget_left"), number(retry, "budget"), number(retry, "more"));
}

static void write_headers(FILE *out, const json_t *list, const char *label)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *line = json_string_value(json_array_get(list, i));
        begin(out, i == 0 ? label : "");
        fprintf(out, "%s\n", line == NULL ? "" : line);
    }
}

static FILE *open_text(char **text, size_t *bytes)
{
    FILE *out = open_memstream(text, bytes);

    WEIR_MUST(out != NULL);
    return out;
}

char *conf_explain_text(const json_t *document)
{
    const json_t *headers = at(document, "headers");
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_text(&text, &bytes);

    write_place(out, document);
    write_lookup(out, at(document, "lookup"));
    write_affinity(out, at(document, "affinity"));
    write_app(out, at(document, "app"));
    write_members(out, at(document, "members"));
    write_outcome(out, document);
    write_retry(out, at(document, "retry"));
    write_headers(out, at(headers, "to_backend"), "backend");
    write_headers(out, at(headers, "to_client"), "client");
    fclose(out);
    conf_explain_clean(text);
    return text;
}
