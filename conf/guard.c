/* SPDX-License-Identifier: MIT */
#include "conf/guard.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "conf/complain.h"
#include "conf/units.h"
#include "lib/base/must.h"
#include "lib/base/span.h"

enum {
    YEAR_SECONDS = 31536000,
    SECONDS_MOST = 2147483,    /* as milliseconds they fit in 31 bits */
    STREAMS_MOST = 2147483647, /* RFC 9113 §5.1.1: 31 bits name a stream */
    DELEGATIONS_MOST = 1000,
    AGE_SECONDS_MOST = 2147483647, /* RFC 9111 §1.2.2 */
};

typedef int call_t(const conf_guarded_t *guarded, h2o_configurator_context_t *context, yoml_t *node);

static call_t call_with_number, call_with_flag, call_expires;

/* What libh2o reads as a number or as ON and OFF. */
static const struct conf_rule {
    const char *name;
    call_t *call;
    conf_unit_t unit;
    uint64_t least, most;
} rules[] = {
    {"handshake-timeout", call_with_number, CONF_UNIT_S, 1, YEAR_SECONDS},
    {"http1-request-timeout", call_with_number, CONF_UNIT_S, 1, SECONDS_MOST},
    {"http2-idle-timeout", call_with_number, CONF_UNIT_S, 1, YEAR_SECONDS},
    {"http2-graceful-shutdown-timeout", call_with_number, CONF_UNIT_S, 0, SECONDS_MOST},
    {"http2-max-concurrent-requests-per-connection", call_with_number, CONF_UNIT_NONE, 1, STREAMS_MOST},
    {"limit-request-body", call_with_number, CONF_UNIT_BYTES, 0, INT64_MAX},
    {"max-delegations", call_with_number, CONF_UNIT_NONE, 0, DELEGATIONS_MOST},
    {"compress-minimum-size", call_with_number, CONF_UNIT_BYTES, 0, INT64_MAX},
    {"compress", call_with_flag, 0, 0, 0},
    {"error-log.emit-request-errors", call_with_flag, 0, 0, 0},
    {"file.dirlisting", call_with_flag, 0, 0, 0},
    {"file.etag", call_with_flag, 0, 0, 0},
    {"file.send-compressed", call_with_flag, 0, 0, 0},
    {"file.send-gzip", call_with_flag, 0, 0, 0},
    {"gzip", call_with_flag, 0, 0, 0},
    {"http2-casper", call_with_flag, 0, 0, 0},
    {"http2-push-preload", call_with_flag, 0, 0, 0},
    {"http2-reprioritize-blocking-assets", call_with_flag, 0, 0, 0},
    {"expires", call_expires, 0, 0, 0},
    {"send-server-name", call_with_flag, 0, 0, 0},
    {"throttle-response", call_with_flag, 0, 0, 0},
};

/* Calls what is behind with `text` in place of what the scalar says. */
static int call_with(const conf_guarded_t *guarded, h2o_configurator_context_t *context, yoml_t *node, char *text)
{
    char *said = node->data.scalar;
    int result;

    node->data.scalar = text;
    result = guarded->callback(guarded->command, context, node);
    node->data.scalar = said;
    return result;
}

static int call_with_number(const conf_guarded_t *guarded, h2o_configurator_context_t *context, yoml_t *node)
{
    const struct conf_rule *rule = guarded->rule;
    char digits[24];
    uint64_t number;

    if (node->type != YOML_TYPE_SCALAR || !conf_number_read(node->data.scalar, rule->unit, rule->least, rule->most, &number))
        return conf_complain(node, "%s: must be %s from %" PRIu64 " to %" PRIu64, rule->name, conf_unit_sentence(rule->unit),
                             rule->least, rule->most);
    snprintf(digits, sizeof(digits), "%" PRIu64, number);
    return call_with(guarded, context, node, digits);
}

/* Other words than those of a flag, and lists, are libh2o's to read. */
static int call_with_flag(const conf_guarded_t *guarded, h2o_configurator_context_t *context, yoml_t *node)
{
    char word[4];
    bool is_on;

    if (node->type != YOML_TYPE_SCALAR || !conf_flag_read(node->data.scalar, &is_on))
        return guarded->callback(guarded->command, context, node);
    snprintf(word, sizeof(word), "%s", is_on ? "ON" : "OFF");
    return call_with(guarded, context, node, word);
}

/* `<number> <unit>`; libh2o knows the units. */
static int call_expires(const conf_guarded_t *guarded, h2o_configurator_context_t *context, yoml_t *node)
{
    static const struct {
        const char *name;
        uint64_t seconds;
    } units[] = {{"sec", 1}, {"min", 60}, {"hour", 3600}, {"day", 86400}, {"mon", 2592000}, {"year", 31536000}};
    const char *text = node->type == YOML_TYPE_SCALAR ? node->data.scalar : "OFF";
    const size_t digits = strspn(text, "0123456789"), spaces = strspn(text + digits, " \t");
    uint64_t number = 0, unit_seconds = 1;

    if (strncasecmp(text, "OFF", 3) == 0)
        return guarded->callback(guarded->command, context, node);
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strncasecmp(text + digits + spaces, units[i].name, strlen(units[i].name)) == 0)
            unit_seconds = units[i].seconds;
    if (!weir_span_to_u63((weir_span_t){text, digits}, &number) || number > AGE_SECONDS_MOST / unit_seconds)
        return conf_complain(node, "expires: must be OFF or `<number> <unit>`, as `30 days`, of at most %d seconds",
                             AGE_SECONDS_MOST);
    return guarded->callback(guarded->command, context, node);
}

/* ---- in front of all ---- */

static const conf_guarded_t *guarded_of(const conf_t *conf, const h2o_configurator_command_t *command)
{
    const conf_guarded_t *guarded = conf->guarded;

    while (guarded != NULL && guarded->command != command)
        guarded = guarded->next;
    WEIR_MUST(guarded != NULL);
    return guarded;
}

/* The levels below these two have been left halfway when they fail: nothing can be read behind them. */
static bool has_levels_below(const char *name)
{
    return strcmp(name, "hosts") == 0 || strcmp(name, "paths") == 0;
}

static int on_guarded(h2o_configurator_command_t *command, h2o_configurator_context_t *context, yoml_t *node)
{
    conf_t *conf = conf_of(context->globalconf);
    const conf_guarded_t *guarded = guarded_of(conf, command);
    const int result =
        guarded->rule != NULL ? guarded->rule->call(guarded, context, node) : guarded->callback(command, context, node);

    if (result == 0 || has_levels_below(command->name))
        return result;
    conf->is_wrong = true;
    return 0;
}

static const struct conf_rule *rule_of(const char *name)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        if (strcmp(rules[i].name, name) == 0)
            return &rules[i];
    return NULL;
}

static void guard(conf_t *conf, h2o_configurator_command_t *command)
{
    conf_guarded_t *guarded = weir_arena_alloc(&conf->arena, sizeof(*guarded));

    *guarded =
        (conf_guarded_t){.next = conf->guarded, .command = command, .callback = command->cb, .rule = rule_of(command->name)};
    conf->guarded = guarded;
    command->cb = on_guarded;
}

void conf_guard_put(conf_t *conf)
{
    h2o_linklist_t *anchor = &conf->globalconf.configurators;

    for (h2o_linklist_t *link = anchor->next; link != anchor; link = link->next) {
        h2o_configurator_t *configurator = H2O_STRUCT_FROM_MEMBER(h2o_configurator_t, _link, link);

        for (size_t i = 0; i < configurator->commands.size; i++)
            guard(conf, &configurator->commands.entries[i]);
    }
}
