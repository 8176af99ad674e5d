/* SPDX-License-Identifier: MIT */
/* Commands about domains, lists of changes, and all that has been changed. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/admin_client.h"
#include "conf/cli_admin_print.h"
#include "conf/cli_order.h"
#include "conf/verbs.h"

enum { SEGMENTS_MOST = 16, PROBLEM_BYTES = 512, PAGE = 1000 };

/* ---- domains ---- */

/* Page by page, as one list. */
int conf_run_domains(const order_t *order)
{
    json_t *all = json_array(), *document;
    char target[CONF_TARGET_BYTES], page[2 * CONF_TARGET_BYTES];
    int status;

    conf_order_target(order, target, (const char *const[]){"domains", NULL});
    snprintf(page, sizeof(page), "%s?limit=%d&prefix=%s", target, PAGE, order->word_count > 0 ? order->words[0] : "");
    while ((status = conf_order_call(order, "GET", page, NULL, &document)) == EXIT_FINE) {
        const char *after = json_string_value(json_object_get(document, "after"));
        json_array_extend(all, json_object_get(document, "domains"));
        if (after != NULL)
            snprintf(page, sizeof(page), "%s?limit=%d&prefix=%s&after=%s", target, PAGE,
                     order->word_count > 0 ? order->words[0] : "", after);
        const bool is_last = after == NULL;
        json_decref(document);
        if (is_last)
            break;
    }
    if (status == EXIT_FINE && order->is_json)
        conf_print_json(all);
    else if (status == EXIT_FINE)
        conf_print_domains(all);
    json_decref(all);
    return status;
}

/* "name/a/b" are three segments behind "domains". */
static void split(char *domain, const char *segments[SEGMENTS_MOST])
{
    size_t count = 0;

    segments[count++] = "domains";
    for (char *part = strtok(domain, "/"); part != NULL && count + 1 < SEGMENTS_MOST; part = strtok(NULL, "/"))
        segments[count++] = part;
    segments[count] = NULL;
}

/* Also from another app. */
static int take(const order_t *order)
{
    json_t *steps = json_pack("[{s:s, s:s+, s:{s:s}, s:s}]", "op", "put", "path", "/domains/", order->words[1], "value", "app",
                              order->words[2], "if_match", "*");
    const int status = conf_order_call_and_print(order, "POST", (const char *const[]){"changes", NULL}, steps, NULL);

    json_decref(steps);
    return status;
}

int conf_run_domain(const order_t *order)
{
    const bool is_add = strcmp(order->words[0], "add") == 0, is_remove = strcmp(order->words[0], "remove") == 0;
    const char *segments[SEGMENTS_MOST];
    json_t *body;
    int status;

    if ((!is_add && !is_remove) || order->word_count != (is_add ? 3 : 2))
        return conf_order_complain("usage: weir domain add DOMAIN APP | weir domain remove DOMAIN");
    if (is_add && order->takes)
        return take(order);
    char *domain = strdup(order->words[1]);
    split(domain, segments);
    body = is_add ? json_pack("{s:s}", "app", order->words[2]) : NULL;
    status = conf_order_call_and_print(order, is_add ? "PUT" : "DELETE", segments, body, NULL);
    json_decref(body);
    free(domain);
    return status;
}

/* ---- changes ---- */

static void print_changes(const json_t *document)
{
    printf("%lld changes, number %lld\n", (long long)json_integer_value(json_object_get(document, "changes")),
           (long long)json_integer_value(json_object_get(document, "seq")));
}

int conf_run_apply(const order_t *order)
{
    const bool is_standard = strcmp(order->words[0], "-") == 0;
    json_error_t error;
    json_t *changes = is_standard ? json_loadf(stdin, JSON_REJECT_DUPLICATES, &error)
                                  : json_load_file(order->words[0], JSON_REJECT_DUPLICATES, &error);
    int status;

    if (changes == NULL)
        return conf_order_complain("%s:%d: %s", order->words[0], error.line, error.text);
    status = conf_order_call_and_print(order, "POST", (const char *const[]){"changes", NULL}, changes, print_changes);
    json_decref(changes);
    return status;
}

int conf_run_dump(const order_t *order)
{
    char target[CONF_TARGET_BYTES];
    json_t *document;
    int status;

    conf_order_target(order, target, (const char *const[]){"state", NULL});
    status = conf_order_call(order, "GET", target, NULL, &document);
    if (status != EXIT_FINE)
        return status;
    if (order->save == NULL)
        conf_print_json(document);
    else if (json_dump_file(document, order->save, JSON_INDENT(2)) != 0)
        status = conf_order_complain("%s cannot be written", order->save);
    json_decref(document);
    return status;
}

/* A domain has a dot, or a star. */
int conf_run_revert(const order_t *order)
{
    const char *name = order->words[0];
    const bool is_domain = order->word_count == 1 && (strchr(name, '.') != NULL || strchr(name, '*') != NULL);
    json_t *steps;
    int status;

    if (order->word_count == 2)
        return conf_order_call_and_print(
            order, "POST", (const char *const[]){"apps", name, "backends", order->words[1], "revert", NULL}, NULL, NULL);
    if (!is_domain)
        return conf_order_call_and_print(order, "POST", (const char *const[]){"apps", name, "revert", NULL}, NULL, NULL);
    steps = json_pack("[{s:s, s:s+}]", "op", "revert", "path", "/domains/", name);
    status = conf_order_call_and_print(order, "POST", (const char *const[]){"changes", NULL}, steps, NULL);
    json_decref(steps);
    return status;
}

/* ---- watching ---- */

static void print_side(const json_t *value)
{
    char *text = json_is_null(value) ? NULL : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_ENSURE_ASCII);

    printf(" %s", text == NULL ? "-" : text);
    free(text);
}

/* jansson escapes what a terminal could take for an order. */
static bool print_change(void *context, const char *line)
{
    const order_t *order = context;
    json_t *change = order->is_json ? NULL : json_loads(line, 0, NULL);
    const json_t *who = json_object_get(change, "who");

    if (change == NULL) {
        puts(line);
        fflush(stdout);
        return true;
    }
    printf("%s %lld uid %lld: %s", json_string_value(json_object_get(change, "at")),
           (long long)json_integer_value(json_object_get(change, "seq")),
           (long long)json_integer_value(json_object_get(who, "uid")), json_string_value(json_object_get(change, "op")));
    print_side(json_object_get(change, "path"));
    print_side(json_object_get(change, "before"));
    printf(" ->");
    print_side(json_object_get(change, "after"));
    puts("");
    fflush(stdout);
    json_decref(change);
    return true;
}

int conf_run_watch(const order_t *order)
{
    char target[CONF_TARGET_BYTES], with_query[CONF_TARGET_BYTES + 64], problem[PROBLEM_BYTES];
    conf_admin_answer_t answer;

    conf_order_target(order, target, (const char *const[]){"watch", NULL});
    snprintf(with_query, sizeof(with_query), "%s?%s%.40s%s", target,
             order->after == NULL ? "" : "after=", order->after == NULL ? "" : order->after, order->is_once ? "&once=1" : "");
    if (!conf_admin_follow(order->socket, with_query, print_change, (void *)(uintptr_t)order, &answer, problem,
                           sizeof(problem))) {
        (void)conf_order_complain("%s", problem);
        return EXIT_NOBODY;
    }
    if (answer.status < CONF_FAILED_FROM)
        return EXIT_FINE;
    const char *detail = json_string_value(json_object_get(answer.document, "detail"));
    (void)conf_order_complain("%s", detail == NULL ? "it was refused" : detail);
    json_decref(answer.document);
    return EXIT_REFUSED;
}
