/* SPDX-License-Identifier: MIT */
#include "conf/directives.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "conf/complain.h"
#include "conf/units.h"
#include "lib/base/must.h"
#include "lib/base/span.h"
#include "lib/http/headers.h"
#include "lib/http/hop.h"
#include "lib/http/host.h"

enum { NAME_BYTES = 100 };

const conf_directive_info_t conf_directives[CONF_DIRECTIVES] = {
#define DIRECTIVE(id_, name_, type_, default_, least_, most_, levels_, vegur_, sentence_)                                      \
    [CONF_##id_] = {.name = name_,                                                                                             \
                    .type = CONF_TYPE_##type_,                                                                                 \
                    .initial = default_,                                                                                       \
                    .least = least_,                                                                                           \
                    .most = most_,                                                                                             \
                    .levels = CONF_LEVELS_##levels_,                                                                           \
                    .vegur = vegur_,                                                                                           \
                    .sentence = sentence_},
#include "conf/directives.def"
#undef DIRECTIVE
};

conf_directive_t conf_directive_named(const char *name)
{
    conf_directive_t directive = 0;

    while (directive < CONF_DIRECTIVES && strcmp(conf_directives[directive].name, name) != 0)
        directive++;
    return directive;
}

const char *conf_where(weir_arena_t *arena, const yoml_t *node)
{
    return weir_arena_format(arena, "%s:%zu", node->filename != NULL ? node->filename : "-", node->line + 1).base;
}

static conf_unit_t unit_of(conf_type_t type)
{
    return type == CONF_TYPE_MS ? CONF_UNIT_MS : type == CONF_TYPE_BYTES ? CONF_UNIT_BYTES : CONF_UNIT_NONE;
}

/* Whether a header of ours may be called so: neither the message nor what else is written into it depends on it. */
static bool is_free_name(const char *text)
{
    static const weir_header_id_t taken[] = {
        WEIR_HEADER_DATE,
        WEIR_HEADER_HOST,
        WEIR_HEADER_SERVER,
        WEIR_HEADER_SET_COOKIE,
        WEIR_HEADER_VIA,
        WEIR_HEADER_PROXY_AUTHENTICATE,
        WEIR_HEADER_X_FORWARDED_FOR,
        WEIR_HEADER_PROXY_AUTHORIZATION,
        WEIR_HEADER_X_FORWARDED_PORT,
        WEIR_HEADER_X_FORWARDED_PEER_PORT,
        WEIR_HEADER_X_FORWARDED_PROTO,
    };
    const weir_span_t name = {text, strlen(text)};
    const weir_header_id_t id = weir_header_id(name);

    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
        if (taken[i] == id)
            return false;
    return name.len <= NAME_BYTES && weir_hop_may_set(name, WEIR_SPAN(""));
}

static bool is_printable(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;

    while (*at >= 0x20 && *at != 0x7f)
        at++;
    return *at == '\0' && at != (const unsigned char *)text;
}

static bool is_host(const char *text)
{
    weir_span_t host;
    int32_t port;

    return weir_host_split((weir_span_t){text, strlen(text)}, &host, &port) && host.len > 0;
}

/* Reads one of two words, letters of either case being equal; the second is 1. */
static bool read_word(const char *text, const char *zero, const char *one, uint64_t *out_number)
{
    *out_number = strcasecmp(text, one) == 0;
    return *out_number == 1 || strcasecmp(text, zero) == 0;
}

static bool read_flag(const char *text, uint64_t *out_number)
{
    bool is_on;

    if (!conf_flag_read(text, &is_on))
        return false;
    *out_number = is_on;
    return true;
}

static bool read_text(const conf_directive_info_t *info, const char *text, uint64_t *out_number)
{
    switch (info->type) {
    case CONF_TYPE_MS:
    case CONF_TYPE_BYTES:
    case CONF_TYPE_COUNT:
        return conf_number_read(text, unit_of(info->type), info->least, info->most, out_number);
    case CONF_TYPE_TOKEN:
        return is_free_name(text);
    case CONF_TYPE_TEXT:
    case CONF_TYPE_PATH:
        return is_printable(text);
    case CONF_TYPE_FLAG:
        return read_flag(text, out_number);
    case CONF_TYPE_CASE:
        return read_word(text, "preserve", "canonical", out_number);
    case CONF_TYPE_STRICTNESS:
        return read_word(text, "lenient", "strict", out_number);
    case CONF_TYPE_CODES:
        return read_word(text, "weir", "heroku", out_number);
    case CONF_TYPE_HOST:
        return is_host(text);
    case CONF_TYPE_NODE:
        break;
    }
    return false;
}

static int complain_about_value(const conf_directive_info_t *info, const yoml_t *node)
{
    switch (info->type) {
    case CONF_TYPE_MS:
    case CONF_TYPE_BYTES:
    case CONF_TYPE_COUNT:
        return conf_complain(node, "%s: must be %s from %" PRIu64 " to %" PRIu64, info->name,
                             conf_unit_sentence(unit_of(info->type)), info->least, info->most);
    case CONF_TYPE_TOKEN:
        return conf_complain(node, "%s: must be the name of a header that says nothing else", info->name);
    case CONF_TYPE_FLAG:
        return conf_complain(node, "%s: must be ON or OFF", info->name);
    case CONF_TYPE_CASE:
        return conf_complain(node, "%s: must be preserve or canonical", info->name);
    case CONF_TYPE_STRICTNESS:
        return conf_complain(node, "%s: must be lenient or strict", info->name);
    case CONF_TYPE_CODES:
        return conf_complain(node, "%s: must be weir or heroku", info->name);
    case CONF_TYPE_HOST:
        return conf_complain(node, "%s: must be a host, with or without a port", info->name);
    case CONF_TYPE_TEXT:
    case CONF_TYPE_PATH:
    case CONF_TYPE_NODE:
        break;
    }
    return conf_complain(node, "%s: must be a text without control characters", info->name);
}

/* As a user would write it who knows no units and one word for each flag: equal values are equal texts. */
static const char *written(const conf_directive_info_t *info, const char *text, uint64_t number, weir_arena_t *arena)
{
    if (info->type == CONF_TYPE_FLAG)
        return number == 1 ? "ON" : "OFF";
    if (info->type == CONF_TYPE_MS || info->type == CONF_TYPE_BYTES || info->type == CONF_TYPE_COUNT)
        return weir_arena_format(arena, "%" PRIu64, number).base;
    return weir_arena_copy(arena, (weir_span_t){text, strlen(text)}).base;
}

int conf_value_read(conf_directive_t directive, yoml_t *node, weir_arena_t *arena, conf_value_t *out_value)
{
    const conf_directive_info_t *info = &conf_directives[directive];
    conf_value_t value = {.where = conf_where(arena, node)};

    if (info->type == CONF_TYPE_NODE) {
        value.node = node;
    } else if (node->type != YOML_TYPE_SCALAR || !read_text(info, node->data.scalar, &value.number)) {
        return complain_about_value(info, node);
    } else {
        value.text = written(info, node->data.scalar, value.number, arena);
    }
    *out_value = value;
    return 0;
}

void conf_values_default(conf_value_t *values)
{
    for (conf_directive_t i = 0; i < CONF_DIRECTIVES; i++) {
        values[i] = (conf_value_t){.text = conf_directives[i].initial};
        if (values[i].text != NULL)
            WEIR_MUST(read_text(&conf_directives[i], values[i].text, &values[i].number));
    }
}
