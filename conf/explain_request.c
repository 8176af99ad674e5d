/* SPDX-License-Identifier: MIT */
/* GET /v1/requests/ID: what has become of a request, out of the rings of the loops. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/explain.h"
#include "lib/base/log_time.h"
#include "lib/base/must.h"
#include "lib/walk/recent.h"

enum { NOT_FOUND = 404, ANSWERS_MOST = 16, US_PER_MS = 1000, TRY_WORDS = 4, WORD_BYTES = 64 };

/* ---- the document ---- */

static json_t *text_of(const char *bytes, size_t length)
{
    json_t *text = json_stringn(bytes, length);

    return text != NULL ? text : json_string("?"); /* no UTF-8: it was cut within a character, or came so */
}

static json_t *time_of(uint64_t wall_us)
{
    char text[WEIR_LOG_TIME_BYTES];

    return json_stringn(text, weir_log_time_write(wall_us, text) - 1); /* without the blank */
}

/* "reason reach status us backend", as recent.c writes it. */
static json_t *try_of(const weir_recent_t *cell)
{
    char words[TRY_WORDS][WORD_BYTES] = {""};
    char text[WEIR_RECENT_TEXT_BYTES + 1] = "";
    int at = 0;

    memcpy(text, cell->text, cell->length < WEIR_RECENT_TEXT_BYTES ? cell->length : WEIR_RECENT_TEXT_BYTES);
    (void)sscanf(text, "%63s %63s %63s %63s %n", words[0], words[1], words[2], words[3], &at);
    const long status = strtol(words[2], NULL, 10);
    return json_pack("{s:o, s:o, s:s, s:o, s:o}", "backend", text_of(text + at, strlen(text + at)), "reason",
                     strcmp(words[0], "-") == 0 ? json_null() : json_string(words[0]), "reach", words[1], "status",
                     status == 0 ? json_null() : json_integer(status), "us",
                     json_integer((json_int_t)strtoull(words[3], NULL, 10)));
}

/* They stand newest first. */
static void add_more(json_t *request, const weir_recent_t *cells, size_t count)
{
    json_t *tries = json_array();

    for (size_t i = 1; i < count; i++) {
        if (cells[i].kind == WEIR_RECENT_TRY)
            json_array_insert_new(tries, 0, try_of(&cells[i]));
        else if (cells[i].kind == WEIR_RECENT_FAULT)
            json_object_set_new(request, "reason", text_of(cells[i].text, cells[i].length));
        else if (cells[i].kind == WEIR_RECENT_FIELDS)
            json_object_set_new(request, "router", text_of(cells[i].text, cells[i].length));
    }
    json_object_set_new(request, "earlier", tries);
}

static void add_request(void *context, const weir_recent_t *cells, size_t count)
{
    const weir_recent_t *head = &cells[0];
    const size_t id_bytes = head->length < WEIR_RECENT_ID_BYTES ? head->length : WEIR_RECENT_ID_BYTES - 8;
    json_t *request =
        json_pack("{s:o, s:o, s:o, s:o, s:i, s:i, s:i, s:I, s:I, s:I, s:I}", "id", text_of(head->id, id_bytes), "at",
                  time_of(head->wall_us), "app", text_of(head->app, head->app_bytes), "backend",
                  text_of(head->backend, head->backend_bytes), "status", (int)head->status, "backend_status",
                  (int)head->backend_status, "tries", (int)head->tries, "queue_us", (json_int_t)head->queue_us, "connect_us",
                  (json_int_t)head->connect_us, "head_us", (json_int_t)head->head_us, "total_us", (json_int_t)head->total_us);

    json_object_set_new(request, "reason", json_null());
    json_object_set_new(request, "router", json_null());
    add_more(request, cells, count);
    json_array_append_new(context, request);
}

void conf_explain_answer_request(weir_admin_call_t *call)
{
    const weir_span_t id = weir_admin_segment(call, 0);
    json_t *list = json_array();

    if (weir_recent_cells() == 0) {
        weir_admin_problem(call, NOT_FOUND, "unknown-request", NULL, "no requests are remembered: weir.explain-ring is 0");
        json_decref(list);
        return;
    }
    if (weir_recent_find(id, ANSWERS_MOST, add_request, list) == 0) {
        weir_admin_problem(call, NOT_FOUND, "unknown-request", NULL,
                           "no request of this id is remembered: it was too long ago, is not over yet, or was one of many that "
                           "went well");
        json_decref(list);
        return;
    }
    conf_explain_send(call, json_pack("{s:o}", "requests", list), conf_explain_request_text);
}

/* ---- the text ---- */

static const char *word(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text == NULL || *text == '\0' ? "-" : text;
}

static double ms(const json_t *object, const char *key)
{
    return (double)json_integer_value(json_object_get(object, key)) / US_PER_MS;
}

static long long number(const json_t *object, const char *key)
{
    return (long long)json_integer_value(json_object_get(object, key));
}

static void write_tries(FILE *out, const json_t *request)
{
    const json_t *earlier = json_object_get(request, "earlier");

    for (size_t i = 0; i < json_array_size(earlier); i++) {
        const json_t *one = json_array_get(earlier, i);
        fprintf(out, "%-10s%s: %s, reached %s", i == 0 ? "tries" : "", word(one, "backend"), word(one, "reason"),
                word(one, "reach"));
        if (number(one, "status") != 0)
            fprintf(out, " (%lld)", number(one, "status"));
        fprintf(out, ", %.1f ms\n", ms(one, "us"));
    }
    fprintf(out, "%-10s%s: ", json_array_size(earlier) == 0 ? "tries" : "", word(request, "backend"));
    if (number(request, "backend_status") == 0)
        fprintf(out, "%s\n", word(request, "reason"));
    else
        fprintf(out, "%lld, connected after %.1f ms, head after %.1f ms\n", number(request, "backend_status"),
                ms(request, "connect_us"), ms(request, "head_us"));
}

static void write_request(FILE *out, const json_t *request)
{
    fprintf(out, "request   %s at %s: %lld", word(request, "id"), word(request, "at"), number(request, "status"));
    if (json_is_string(json_object_get(request, "reason")))
        fprintf(out, ", %s", word(request, "reason"));
    fprintf(out, "; %.1f ms\n", ms(request, "total_us"));
    fprintf(out, "app       %s; queue %.1f ms; %lld tries\n", word(request, "app"), ms(request, "queue_us"),
            number(request, "tries"));
    if (number(request, "tries") > 0)
        write_tries(out, request);
    if (json_is_string(json_object_get(request, "router")))
        fprintf(out, "router    %s\n", word(request, "router"));
}

char *conf_explain_request_text(const json_t *document)
{
    const json_t *requests = json_object_get(document, "requests");
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);

    WEIR_MUST(out != NULL);
    for (size_t i = 0; i < json_array_size(requests); i++)
        write_request(out, json_array_get(requests, i));
    fclose(out);
    conf_explain_clean(text);
    return text;
}
