/* SPDX-License-Identifier: MIT */
#include "conf/cli_admin.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/admin_client.h"
#include "conf/admin_wire.h"
#include "conf/cli_admin_print.h"
#include "conf/cli_order.h"
#include "conf/top.h"
#include "conf/units.h"
#include "conf/verbs.h"
#include "conf/yaml.h"

enum {
    WORDS_MOST = CONF_WORDS_MOST,
    TARGET_BYTES = CONF_TARGET_BYTES,
    PARAMETER_BYTES = 32,
    PROBLEM_BYTES = 512,
    FILE_BYTES_MOST = 64 << 20,
    REFUSED_FROM = CONF_FAILED_FROM
};

const char *conf_cli_usual_socket(void)
{
    const char *said = getenv("WEIR_ADMIN");

    return said != NULL && *said != '\0' ? said : "/run/weir/admin.sock";
}

const char conf_cli_admin_help[] =
    "of a process that runs (weir.admin):\n"
    "       weir routers\n"
    "       weir apps [APP]                  what they are, and how they fare\n"
    "       weir backends APP\n"
    "       weir add APP ADDRESS [--id ID] [--weight N] [--tier N] [--zone ZONE] [--max-requests N]\n"
    "       weir remove APP ID [--drain 30s] [--cut] [--wait]   --drain: nobody new first; --cut: nobody at all then\n"
    "       weir weight APP ID N             0 to 1000\n"
    "       weir drain|off|up APP ID [--max 30s] [--wait]   --max: so long, then off, up, as it was\n"
    "                                        drain --ramp 20s: who is pinned leaves by and by\n"
    "       weir quarantine APP ID [--max 60s]\n"
    "       weir pause APP [--max 30s] [--wait]   new requests wait\n"
    "       weir resume APP [--spread 5s]\n"
    "       weir stop APP                    new requests are refused\n"
    "       weir domains [PREFIX]\n"
    "       weir domain add DOMAIN APP [--take]   DOMAIN: NAME, *.NAME or NAME/PATH; --take: also from another app\n"
    "       weir domain remove DOMAIN\n"
    "       weir apply FILE                  a list of changes in JSON (-: standard input): all of them or none\n"
    "       weir dump [--save FILE]          all of it in JSON\n"
    "       weir state [accept]              where apps come from, and what was refused; accept: what is held back may go\n"
    "       weir revert APP [ID] | DOMAIN    the configuration holds again\n"
    "       weir watch [--after SEQ]         what changes, as it does\n"
    "       weir top [--once] [--interval SECONDS]   how all of it fares, each second anew\n"
    "       -s SOCKET or URL, or the socket of -c FILE, or WEIR_ADMIN, or /run/weir/admin.sock; --router NAME; --json\n"
    "       of a URL: --token-file PATH (or WEIR_ADMIN_TOKEN_FILE), --ca-file, --certificate-file, --key-file PATH\n"
    "       exit: 0 done, 1 refused, 2 usage, 6 nobody answers\n";

typedef struct verb {
    const char *name;
    int least, most; /* words behind it */
    const char *words;
    int (*run)(const order_t *order);
} verb_t;

/* ---- calling ---- */

int conf_order_complain(const char *format, ...)
{
    va_list arguments;

    fputs("weir: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputs("\n", stderr);
    return EXIT_USAGE;
}

/* Adds "/word", percent-encoded. */
void conf_cli_add_segment(char target[TARGET_BYTES], const char *word)
{
    size_t length = strlen(target);

    if (length + 2 < TARGET_BYTES)
        target[length++] = '/';
    for (; *word != '\0' && length + 4 < TARGET_BYTES; word++) {
        if (isalnum((unsigned char)*word) || strchr("-._~:", *word) != NULL)
            target[length++] = *word;
        else
            length += (size_t)snprintf(target + length, 4, "%%%02X", (unsigned char)*word);
    }
    target[length] = '\0';
}

/* Segments behind the router's; NULL at the end. */
void conf_order_target(const order_t *order, char target[TARGET_BYTES], const char *const *segments)
{
    snprintf(target, TARGET_BYTES, "/v1");
    if (order->router != NULL) {
        conf_cli_add_segment(target, "routers");
        conf_cli_add_segment(target, order->router);
    }
    for (; *segments != NULL; segments++)
        conf_cli_add_segment(target, *segments);
}

/* Returns an exit status; with EXIT_FINE the document is the caller's. */
int conf_order_call(const order_t *order, const char *method, const char *target, const json_t *body, json_t **out_document)
{
    char problem[PROBLEM_BYTES];
    conf_admin_answer_t answer;

    *out_document = NULL;
    if (!conf_admin_call(order->socket, method, target, body, &answer, problem, sizeof(problem))) {
        (void)conf_order_complain("%s", problem);
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
        (void)conf_order_complain("%s", detail != NULL ? detail : "it was refused");
    json_decref(answer.document);
    return EXIT_REFUSED;
}

static void add_parameter(char target[TARGET_BYTES], const char *parameter)
{
    const size_t length = strlen(target);

    snprintf(target + length, TARGET_BYTES - length, "%c%s", strchr(target, '?') == NULL ? '?' : '&', parameter);
}

/* The same of a whole target, and prints what comes of it. */
static int call_and_print(const order_t *order, const char *method, char target[TARGET_BYTES], const json_t *body,
                          void (*print)(const json_t *document))
{
    json_t *document;

    if (order->waits)
        add_parameter(target, "wait=idle");
    const int status = conf_order_call(order, method, target, body, &document);
    if (status != EXIT_FINE)
        return status;
    if (order->is_json && document != NULL)
        conf_print_json(document);
    else if (!order->is_json && print != NULL)
        print(document);
    json_decref(document);
    return EXIT_FINE;
}

int conf_order_call_and_print(const order_t *order, const char *method, const char *const *segments, const json_t *body,
                              void (*print)(const json_t *document))
{
    char target[TARGET_BYTES];

    conf_order_target(order, target, segments);
    return call_and_print(order, method, target, body, print);
}

/* ---- commands ---- */

static int run_routers(const order_t *order)
{
    json_t *document;
    const int status = conf_order_call(order, "GET", "/v1/routers", NULL, &document);

    if (status == EXIT_FINE && order->is_json)
        conf_print_json(document);
    else if (status == EXIT_FINE)
        conf_print_routers(document);
    json_decref(document);
    return status;
}

/* Page by page, as one list. */
static int run_all_apps(const order_t *order)
{
    json_t *all = json_array(), *document;
    char target[TARGET_BYTES], page[2 * TARGET_BYTES + 32];
    const char *after = NULL;
    int status;

    conf_order_target(order, target, (const char *const[]){"apps", NULL});
    snprintf(page, sizeof(page), "%s?limit=1000", target);
    while ((status = conf_order_call(order, "GET", page, NULL, &document)) == EXIT_FINE) {
        char escaped[TARGET_BYTES] = "";
        json_array_extend(all, json_object_get(document, "apps"));
        after = json_string_value(json_object_get(document, "after"));
        if (after != NULL)
            conf_cli_add_segment(escaped, after);
        json_decref(document);
        if (after == NULL)
            break;
        snprintf(page, sizeof(page), "%s?limit=1000&after=%s", target, escaped + 1);
    }
    if (status == EXIT_FINE && order->is_json)
        conf_print_json(all);
    else if (status == EXIT_FINE)
        conf_print_apps(all);
    json_decref(all);
    return status;
}

static int run_apps(const order_t *order)
{
    if (order->word_count == 0)
        return run_all_apps(order);
    return conf_order_call_and_print(order, "GET", (const char *const[]){"apps", order->words[0], NULL}, NULL, conf_print_app);
}

static int run_backends(const order_t *order)
{
    return conf_order_call_and_print(order, "GET", (const char *const[]){"apps", order->words[0], "backends", NULL}, NULL,
                                     conf_print_backends);
}

static bool put_number(json_t *body, const char *key, const char *text)
{
    uint64_t number;

    if (text == NULL)
        return true;
    if (!conf_number_read(text, CONF_UNIT_NONE, 0, INT32_MAX, &number)) {
        (void)conf_order_complain("%s: %s is no number", key, text);
        return false;
    }
    json_object_set_new(body, key, json_integer((json_int_t)number));
    return true;
}

static bool put_duration(json_t *body, const char *key, const char *text)
{
    uint64_t ms;

    if (text == NULL)
        return true;
    if (!conf_number_read(text, CONF_UNIT_MS, 0, INT32_MAX, &ms)) {
        (void)conf_order_complain("%s is no time: 250ms, 30s, 5m", text);
        return false;
    }
    json_object_set_new(body, key, json_integer((json_int_t)ms));
    return true;
}

static int run_add(const order_t *order)
{
    json_t *body = json_pack("{s:s, s:s*, s:s*}", "at", order->words[1], "id", order->id, "zone", order->zone);
    int status = EXIT_USAGE;

    if (put_number(body, "weight", order->weight) && put_number(body, "tier", order->tier) &&
        put_number(body, "max_requests", order->max_requests))
        status = conf_order_call_and_print(order, "POST", (const char *const[]){"apps", order->words[0], "backends", NULL},
                                           body, NULL);
    json_decref(body);
    return status;
}

static bool add_drain(const order_t *order, char target[TARGET_BYTES])
{
    char parameter[PARAMETER_BYTES];
    uint64_t ms;

    if (order->drain == NULL)
        return true;
    if (!conf_number_read(order->drain, CONF_UNIT_MS, 0, INT32_MAX, &ms)) {
        (void)conf_order_complain("%s is no time: 250ms, 30s, 5m", order->drain);
        return false;
    }
    snprintf(parameter, sizeof(parameter), "drain_ms=%llu", (unsigned long long)ms);
    add_parameter(target, parameter);
    return true;
}

static int run_remove(const order_t *order)
{
    char target[TARGET_BYTES];

    conf_order_target(order, target, (const char *const[]){"apps", order->words[0], "backends", order->words[1], NULL});
    if (!add_drain(order, target))
        return EXIT_USAGE;
    if (order->cuts)
        add_parameter(target, "cut=true");
    return call_and_print(order, "DELETE", target, NULL, NULL);
}

static int run_weight(const order_t *order)
{
    json_t *body = json_object();
    int status = EXIT_USAGE;

    if (put_number(body, "weight", order->words[2]))
        status = conf_order_call_and_print(
            order, "PATCH", (const char *const[]){"apps", order->words[0], "backends", order->words[1], NULL}, body, NULL);
    json_decref(body);
    return status;
}

/* Drain, off, quarantine, up: the verb is the path's. */
static int run_state(const order_t *order)
{
    json_t *body = json_object();
    int status = EXIT_USAGE;

    if (put_duration(body, "max_ms", order->max) && put_duration(body, "ramp_ms", order->ramp))
        status = conf_order_call_and_print(
            order, "POST", (const char *const[]){"apps", order->words[0], "backends", order->words[1], order->verb, NULL}, body,
            NULL);
    json_decref(body);
    return status;
}

static int run_course(const order_t *order)
{
    json_t *body = json_object();
    int status = EXIT_USAGE;

    if (put_duration(body, "max_ms", order->max) && put_duration(body, "spread_ms", order->spread))
        status = conf_order_call_and_print(order, "POST", (const char *const[]){"apps", order->words[0], order->verb, NULL},
                                           body, NULL);
    json_decref(body);
    return status;
}

static int run_top(const order_t *order)
{
    const conf_top_wish_t wish = {order->socket, order->interval, order->is_json, order->is_once};

    return conf_top_run(&wish);
}

static const verb_t verbs[] = {
    {"routers", 0, 0, "", run_routers},
    {"apps", 0, 1, "[APP]", run_apps},
    {"backends", 1, 1, "APP", run_backends},
    {"add", 2, 2, "APP ADDRESS", run_add},
    {"remove", 2, 2, "APP ID [--drain 30s] [--cut]", run_remove},
    {"weight", 3, 3, "APP ID N", run_weight},
    {"drain", 2, 2, "APP ID", run_state},
    {"off", 2, 2, "APP ID", run_state},
    {"quarantine", 2, 2, "APP ID", run_state},
    {"up", 2, 2, "APP ID", run_state},
    {"pause", 1, 1, "APP", run_course},
    {"resume", 1, 1, "APP", run_course},
    {"stop", 1, 1, "APP", run_course},
    {"domains", 0, 1, "[PREFIX]", conf_run_domains},
    {"domain", 2, 3, "add DOMAIN APP | remove DOMAIN", conf_run_domain},
    {"apply", 1, 1, "FILE", conf_run_apply},
    {"dump", 0, 0, "[--save FILE]", conf_run_dump},
    {"state", 0, 1, "[accept|put|delete|import|export|diff]", conf_run_state},
    {"revert", 1, 2, "APP [ID] | DOMAIN", conf_run_revert},
    {"watch", 0, 0, "[--after SEQ]", conf_run_watch},
    {"top", 0, 0, "[--once] [--interval SECONDS]", run_top},
};

/* ---- arguments ---- */

static const verb_t *find(const char *name)
{
    for (size_t i = 0; name != NULL && i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

const char **conf_cli_option(const conf_cli_option_t *options, const char *name)
{
    for (; options->name != NULL; options++)
        if (strcmp(options->name, name) == 0)
            return options->value;
    return conf_admin_credential(name);
}

static const char **option_of(order_t *order, const char *name)
{
    const conf_cli_option_t options[] = {{"-s", &order->socket},
                                         {"--socket", &order->socket},
                                         {"-c", &order->file},
                                         {"--conf", &order->file},
                                         {"--router", &order->router},
                                         {"--id", &order->id},
                                         {"--weight", &order->weight},
                                         {"--tier", &order->tier},
                                         {"--zone", &order->zone},
                                         {"--max-requests", &order->max_requests},
                                         {"--max", &order->max},
                                         {"--spread", &order->spread},
                                         {"--drain", &order->drain},
                                         {"--ramp", &order->ramp},
                                         {"--interval", &order->interval},
                                         {"--save", &order->save},
                                         {"--after", &order->after},
                                         {NULL, NULL}};

    return conf_cli_option(options, name);
}

static int read_arguments(int argc, char **argv, order_t *order)
{
    for (int i = 1; i < argc; i++) {
        const char **option = option_of(order, argv[i]);
        if (strcmp(argv[i], "--json") == 0) {
            order->is_json = true;
        } else if (strcmp(argv[i], "--once") == 0) {
            order->is_once = true;
        } else if (strcmp(argv[i], "--wait") == 0) {
            order->waits = true;
        } else if (strcmp(argv[i], "--take") == 0) {
            order->takes = true;
        } else if (strcmp(argv[i], "--cut") == 0) {
            order->cuts = true;
        } else if (option != NULL && i + 1 < argc) {
            *option = argv[++i];
        } else if (argv[i][0] == '-' && argv[i][1] != '\0') {
            return conf_order_complain(option != NULL ? "%s: a value must follow" : "unknown option: %s", argv[i]);
        } else if (order->verb == NULL) {
            order->verb = argv[i];
        } else if (order->word_count == WORDS_MOST) {
            return conf_order_complain("one word too many: %s", argv[i]);
        } else {
            order->words[order->word_count++] = argv[i];
        }
    }
    return EXIT_FINE;
}

char *conf_cli_socket_of(const char *file)
{
    yoml_t *document = conf_yaml_load(file), *admin = document == NULL ? NULL : conf_yaml_get(document, "weir.admin");
    const yoml_t *path = admin == NULL || admin->type != YOML_TYPE_MAPPING ? NULL : conf_yaml_get(admin, "path");
    char *copy = path == NULL || path->type != YOML_TYPE_SCALAR ? NULL : strdup(path->data.scalar);

    if (copy == NULL)
        (void)conf_order_complain("%s: there is no weir.admin with a path", file);
    conf_yaml_release(&document);
    return copy;
}

int conf_cli_find_socket(const char **socket, const char *file, char **out_owned)
{
    *out_owned = NULL;
    if (*socket == NULL && file != NULL)
        *socket = *out_owned = conf_cli_socket_of(file);
    else if (*socket == NULL)
        *socket = conf_cli_usual_socket();
    return *socket == NULL ? EXIT_USAGE : EXIT_FINE;
}

bool conf_cli_admin(int argc, char **argv, int *out_status)
{
    const verb_t *verb = argc > 1 ? find(argv[1]) : NULL;
    order_t order = {0};
    char *from_file;

    if (verb == NULL)
        return false;
    *out_status = read_arguments(argc, argv, &order);
    if (*out_status != EXIT_FINE)
        return true;
    if (order.word_count < verb->least || order.word_count > verb->most) {
        *out_status = conf_order_complain("usage: weir %s %s", verb->name, verb->words);
        return true;
    }
    *out_status = conf_cli_find_socket(&order.socket, order.file, &from_file);
    if (*out_status == EXIT_FINE)
        *out_status = verb->run(&order);
    free(from_file);
    return true;
}
