/* SPDX-License-Identifier: MIT */
#include "conf/cli_explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/admin_client.h"
#include "conf/admin_wire.h"
#include "conf/cli_admin.h"
#include "conf/cli_admin_print.h"
#include "conf/explain.h"
#include "conf/units.h"
#include "conf/verbs.h"

enum { PROBLEM_BYTES = 512, WORDS_MOST = 2, REFUSED_FROM = 400 };

const char conf_cli_explain_help[] =
    "       weir explain [METHOD] URL [--from ADDRESS] [-H 'Name: value']… [--seed N]\n"
    "                                        what would become of such a request, and why; does none of it\n"
    "       weir explain --request-id ID     what has become of that one\n";

static const char usage[] = "usage: weir explain [METHOD] URL [--from ADDRESS] [-H 'Name: value']… [--seed N], or "
                            "--request-id ID";

typedef struct order {
    const char *words[WORDS_MOST];
    int word_count;
    const char *socket, *file, *from, *seed, *request_id;
    json_t *headers;
    bool is_json;
} order_t;

static int complain(const char *what, const char *about)
{
    fprintf(stderr, "weir: %s%s%s\n", what, about == NULL ? "" : ": ", about == NULL ? "" : about);
    return EXIT_USAGE;
}

/* ---- arguments ---- */

/* A field that comes twice is a list. */
static bool add_header(json_t *headers, const char *line)
{
    const char *colon = strchr(line, ':');
    char *name = colon == NULL ? NULL : strndup(line, (size_t)(colon - line));

    if (name == NULL)
        return false;
    for (colon++; *colon == ' ' || *colon == '\t';)
        colon++;
    if (json_object_get(headers, name) == NULL)
        json_object_set_new(headers, name, json_array());
    json_array_append_new(json_object_get(headers, name), json_string(colon));
    free(name);
    return true;
}

static const char **option_of(order_t *order, const char *name)
{
    const conf_cli_option_t options[] = {{"-s", &order->socket},
                                         {"--socket", &order->socket},
                                         {"-c", &order->file},
                                         {"--conf", &order->file},
                                         {"--from", &order->from},
                                         {"--seed", &order->seed},
                                         {"--request-id", &order->request_id},
                                         {NULL, NULL}};

    return conf_cli_option(options, name);
}

static bool is_header_option(const char *argument)
{
    return strcmp(argument, "-H") == 0 || strcmp(argument, "--header") == 0;
}

static int read_arguments(int argc, char **argv, order_t *order)
{
    for (int i = 2; i < argc; i++) {
        const char **option = option_of(order, argv[i]);
        if (strcmp(argv[i], "--json") == 0) {
            order->is_json = true;
        } else if ((option != NULL || is_header_option(argv[i])) && i + 1 == argc) {
            return complain(argv[i], "a value must follow");
        } else if (option != NULL) {
            *option = argv[++i];
        } else if (is_header_option(argv[i])) {
            if (!add_header(order->headers, argv[++i]))
                return complain("a field is written 'Name: value'", argv[i]);
        } else if (argv[i][0] == '-') {
            return complain("unknown option", argv[i]);
        } else if (order->word_count == WORDS_MOST) {
            return complain("one word too many", argv[i]);
        } else {
            order->words[order->word_count++] = argv[i];
        }
    }
    const bool is_fine = order->request_id == NULL ? order->word_count > 0 : order->word_count == 0;
    return is_fine ? EXIT_FINE : complain(usage, NULL);
}

/* ---- the call ---- */

static int call(const order_t *order, const char *method, const char *target, const json_t *body,
                char *(*text_of)(const json_t *document))
{
    char problem[PROBLEM_BYTES];
    conf_admin_answer_t answer;

    if (!conf_admin_call(order->socket, method, target, body, &answer, problem, sizeof(problem))) {
        (void)complain(problem, NULL);
        return EXIT_NOBODY;
    }
    const bool is_refused = answer.status >= REFUSED_FROM;
    const char *detail = json_string_value(json_object_get(answer.document, "detail"));
    if (order->is_json && answer.document != NULL) {
        conf_print_json(answer.document);
    } else if (is_refused) {
        (void)complain(detail != NULL ? detail : "it was refused", NULL);
    } else {
        char *text = text_of(answer.document);
        fputs(text, stdout);
        free(text);
    }
    json_decref(answer.document);
    return is_refused ? EXIT_REFUSED : EXIT_FINE;
}

static int explain_url(const order_t *order)
{
    const bool has_method = order->word_count == 2;
    uint64_t seed = 0;

    if (order->seed != NULL && !conf_number_read(order->seed, CONF_UNIT_NONE, 0, INT64_MAX, &seed))
        return complain("--seed is a number", order->seed);
    json_t *body = json_pack("{s:s, s:s, s:O, s:s*}", "method", has_method ? order->words[0] : "GET", "url",
                             order->words[has_method], "headers", order->headers, "from", order->from);
    if (body == NULL)
        return complain("this is no UTF-8", NULL);
    if (order->seed != NULL)
        json_object_set_new(body, "seed", json_integer((json_int_t)seed));
    const int status = call(order, "POST", "/v1/explain", body, conf_explain_text);
    json_decref(body);
    return status;
}

static int explain_id(const order_t *order)
{
    char target[CONF_CLI_TARGET_BYTES] = "/v1/requests";

    conf_cli_add_segment(target, order->request_id);
    return call(order, "GET", target, NULL, conf_explain_request_text);
}

static int run(order_t *order)
{
    char *from_file;
    int status;

    status = conf_cli_find_socket(&order->socket, order->file, &from_file);
    if (status == EXIT_FINE)
        status = order->request_id != NULL ? explain_id(order) : explain_url(order);
    free(from_file);
    return status;
}

bool conf_cli_explain(int argc, char **argv, int *out_status)
{
    order_t order = {0};

    if (argc < 2 || strcmp(argv[1], "explain") != 0)
        return false;
    order.headers = json_object();
    *out_status = read_arguments(argc, argv, &order);
    if (*out_status == EXIT_FINE)
        *out_status = run(&order);
    json_decref(order.headers);
    return true;
}
