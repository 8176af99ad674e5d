/* SPDX-License-Identifier: MIT */
#include "conf/cli_process.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/admin_client.h"
#include "conf/admin_wire.h"
#include "conf/cli_admin.h"
#include "conf/cli_admin_print.h"
#include "conf/units.h"
#include "conf/verbs.h"

enum {
    PROBLEM_BYTES = 512,
    TARGET_BYTES = 128,
    REFUSED_FROM = 400,
    NAMES_BYTES = 40,
    DAYS_MOST = 100000,
    LONG_WAIT_MS = 120000,
    LIMIT_MOST = 10000,
    MS_OF_S = 1000
};

const char conf_cli_process_help[] = "       weir reload                      as SIGHUP, and says what came of it\n"
                                     "       weir upgrade                     as SIGUSR2, and says what came of it\n"
                                     "       weir connections [--limit N]     of clients; 100 of them\n"
                                     "       weir certificates [--expires-in DAYS]   exit 1 if one ends sooner\n"
                                     "       weir metrics\n";

typedef struct order {
    const char *verb, *socket, *file, *expires_in, *limit;
    bool is_json;
} order_t;

static int complain(const char *what, const char *about)
{
    fprintf(stderr, "weir: %s%s%s\n", what, about == NULL ? "" : ": ", about == NULL ? "" : about);
    return EXIT_USAGE;
}

/* ---- calling ---- */

/* Returns an exit status; with EXIT_FINE the document is the caller's. */
static int call(const order_t *order, const char *method, const char *target, json_t **out_document)
{
    char problem[PROBLEM_BYTES];
    conf_admin_answer_t answer;

    *out_document = NULL;
    conf_admin_wait(LONG_WAIT_MS);
    if (!conf_admin_call(order->socket, method, target, NULL, &answer, problem, sizeof(problem))) {
        (void)complain(problem, NULL);
        return EXIT_NOBODY;
    }
    if (answer.status < REFUSED_FROM) {
        *out_document = answer.document;
        return EXIT_FINE;
    }
    const char *detail = json_string_value(json_object_get(answer.document, "detail"));
    if (order->is_json && answer.document != NULL)
        conf_print_json(answer.document);
    else
        fprintf(stderr, "%s\n", detail != NULL ? detail : "weir: it was refused");
    json_decref(answer.document);
    return EXIT_REFUSED;
}

static void print_said(const json_t *document)
{
    const char *said = json_string_value(json_object_get(document, "said"));

    if (said != NULL)
        fprintf(stderr, "%s\n", said);
}

static int run_reload(const order_t *order)
{
    json_t *document;
    const int status = call(order, "POST", "/v1/reload", &document);

    if (status != EXIT_FINE)
        return status;
    print_said(document);
    if (order->is_json)
        conf_print_json(document);
    else
        printf("%s is in use\n", json_string_value(json_object_get(document, "file")));
    json_decref(document);
    return EXIT_FINE;
}

static int run_upgrade(const order_t *order)
{
    json_t *document;
    const int status = call(order, "POST", "/v1/upgrade", &document);

    if (status != EXIT_FINE)
        return status;
    if (order->is_json)
        conf_print_json(document);
    else
        printf("process %" JSON_INTEGER_FORMAT " serves, the one before drains\n",
               json_integer_value(json_object_get(document, "pid")));
    json_decref(document);
    return EXIT_FINE;
}

static int run_metrics(const order_t *order)
{
    char problem[PROBLEM_BYTES], *text;
    unsigned status = 0;

    if (!conf_admin_fetch(order->socket, "/metrics", &status, &text, problem, sizeof(problem))) {
        (void)complain(problem, NULL);
        return EXIT_NOBODY;
    }
    fputs(text, status < REFUSED_FROM ? stdout : stderr);
    free(text);
    return status < REFUSED_FROM ? EXIT_FINE : EXIT_REFUSED;
}

static void print_connections(const json_t *document)
{
    const json_t *list = json_object_get(document, "connections"), *one;
    size_t i;

    printf("%-10s %-40s %-24s %-8s %-3s %4s %9s %9s\n", "ID", "FROM", "LISTEN", "PROTOCOL", "TLS", "LOOP", "AGE-S",
           "IN-FLIGHT");
    json_array_foreach(list, i, one)
        printf("%-10" JSON_INTEGER_FORMAT " %-40s %-24s %-8s %-3s %4" JSON_INTEGER_FORMAT " %9.1f %9" JSON_INTEGER_FORMAT "\n",
               json_integer_value(json_object_get(one, "id")), json_string_value(json_object_get(one, "from")),
               json_string_value(json_object_get(one, "listen")), json_string_value(json_object_get(one, "protocol")),
               json_is_true(json_object_get(one, "tls")) ? "yes" : "no", json_integer_value(json_object_get(one, "loop")),
               (double)json_integer_value(json_object_get(one, "age_ms")) / MS_OF_S,
               json_integer_value(json_object_get(one, "in_flight")));
    printf("%zu of %" JSON_INTEGER_FORMAT "\n", json_array_size(list), json_integer_value(json_object_get(document, "count")));
}

static int run_connections(const order_t *order)
{
    char target[TARGET_BYTES] = "/v1/connections";
    uint64_t limit;
    json_t *document;

    if (order->limit != NULL) {
        if (!conf_number_read(order->limit, CONF_UNIT_NONE, 1, LIMIT_MOST, &limit))
            return complain("the limit must be from 1 to 10000", order->limit);
        snprintf(target, sizeof(target), "/v1/connections?limit=%" PRIu64, limit);
    }
    const int status = call(order, "GET", target, &document);
    if (status != EXIT_FINE)
        return status;
    if (order->is_json)
        conf_print_json(document);
    else
        print_connections(document);
    json_decref(document);
    return EXIT_FINE;
}

/* ---- certificates ---- */

/* The first ones, and how many more there are. */
static void write_names(const json_t *names, char text[NAMES_BYTES])
{
    const size_t count = json_array_size(names);
    size_t length = 0;

    text[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        const char *name = json_string_value(json_array_get(names, i));
        const int room = NAMES_BYTES - 8 - (int)length;
        if (i > 0 && (int)strlen(name) + 1 > room) {
            snprintf(text + length, NAMES_BYTES - length, " +%zu", count - i);
            return;
        }
        length += (size_t)snprintf(text + length, NAMES_BYTES - length, "%s%s", i == 0 ? "" : " ", name);
        if (length >= NAMES_BYTES - 8)
            length = NAMES_BYTES - 8;
    }
}

static void print_certificates(const json_t *list)
{
    const json_t *one;
    size_t i;

    printf("%-24s %-40s %-21s %5s  %-8s %s\n", "LISTEN", "NAMES", "NOT-AFTER", "DAYS", "OCSP", "FILE");
    json_array_foreach(list, i, one)
    {
        char names[NAMES_BYTES];
        const char *ends = json_string_value(json_object_get(one, "not_after"));
        write_names(json_object_get(one, "names"), names);
        printf("%-24s %-40s %-21s %5" JSON_INTEGER_FORMAT "  %-8s %s\n", json_string_value(json_object_get(one, "listen")),
               names, ends != NULL ? ends : "-", json_integer_value(json_object_get(one, "days_left")),
               json_string_value(json_object_get(one, "ocsp")), json_string_value(json_object_get(one, "file")));
    }
}

static int run_certificates(const order_t *order)
{
    char target[TARGET_BYTES] = "/v1/certificates";
    uint64_t days;
    json_t *document;

    if (order->expires_in != NULL) {
        if (!conf_number_read(order->expires_in, CONF_UNIT_NONE, 0, DAYS_MOST, &days))
            return complain("this is no number of days", order->expires_in);
        snprintf(target, sizeof(target), "/v1/certificates?expires_in=%" PRIu64, days);
    }
    const int status = call(order, "GET", target, &document);
    if (status != EXIT_FINE)
        return status;
    const json_t *list = json_object_get(document, "certificates");
    const json_int_t left_out = json_integer_value(json_object_get(document, "left_out"));
    const json_int_t unread = json_integer_value(json_object_get(document, "unread"));
    const size_t count = json_array_size(list);
    if (order->is_json)
        conf_print_json(document);
    else if (count > 0 || order->expires_in == NULL)
        print_certificates(list);
    if (left_out > 0 && !order->is_json)
        printf("and %" JSON_INTEGER_FORMAT " more\n", left_out);
    if (unread > 0 && !order->is_json)
        printf("and %" JSON_INTEGER_FORMAT " that were not read\n", unread);
    json_decref(document);
    return order->expires_in != NULL && (count > 0 || unread > 0) ? EXIT_REFUSED : EXIT_FINE;
}

/* ---- arguments ---- */

static const struct verb {
    const char *name;
    int (*run)(const order_t *order);
} verbs[] = {{"reload", run_reload},
             {"upgrade", run_upgrade},
             {"connections", run_connections},
             {"certificates", run_certificates},
             {"metrics", run_metrics}};

static const struct verb *find(const char *name)
{
    for (size_t i = 0; name != NULL && i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

static const char **option_of(order_t *order, const char *name)
{
    const conf_cli_option_t options[] = {
        {"-s", &order->socket},     {"--socket", &order->socket},         {"-c", &order->file}, {"--conf", &order->file},
        {"--limit", &order->limit}, {"--expires-in", &order->expires_in}, {NULL, NULL}};

    return conf_cli_option(options, name);
}

static int read_arguments(int argc, char **argv, order_t *order)
{
    for (int i = 2; i < argc; i++) {
        const char **option = option_of(order, argv[i]);
        if (strcmp(argv[i], "--json") == 0)
            order->is_json = true;
        else if (option != NULL && i + 1 < argc)
            *option = argv[++i];
        else if (option != NULL)
            return complain("a value must follow", argv[i]);
        else
            return complain(argv[i][0] == '-' ? "unknown option" : "one word too many", argv[i]);
    }
    return EXIT_FINE;
}

bool conf_cli_process(int argc, char **argv, int *out_status)
{
    const struct verb *verb = argc > 1 ? find(argv[1]) : NULL;
    order_t order = {0};
    char *from_file;

    if (verb == NULL)
        return false;
    *out_status = read_arguments(argc, argv, &order);
    if (*out_status != EXIT_FINE)
        return true;
    *out_status = conf_cli_find_socket(&order.socket, order.file, &from_file);
    if (*out_status == EXIT_FINE)
        *out_status = verb->run(&order);
    free(from_file);
    return true;
}
