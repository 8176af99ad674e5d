/* SPDX-License-Identifier: MIT */
#include "conf/metrics_endpoint.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/complain.h"
#include "conf/listen.h"
#include "conf/networks.h"
#include "conf/state.h"
#include "lib/base/clock.h"
#include "lib/base/must.h"
#include "lib/walk/watch.h"
#include "lib/wire/door/inherited.h"
#include "lib/wire/local/metrics.h"

enum { OK = 200, UNAVAILABLE = 503, WORDS_BYTES = 512 };

static struct {
    weir_admin_t *admin; /* NULL: there is none */
    char *text;
    _Atomic int fd;
} present = {.fd = -1};

static struct {
    pthread_mutex_t lock;
    weir_metrics_settings_t settings; /* under it */
    _Atomic conf_ready_t ready;
} process = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- the directive ---- */

/* One way of writing for equal values: an address and the networks behind it. */
static const char *text_of(conf_t *conf, const conf_metrics_place_t *place)
{
    char one[WEIR_NETWORK_TEXT];
    const char *text = place->listen.name;

    for (size_t i = 0; i < place->from_count; i++)
        text = weir_arena_format(&conf->arena, "%s %s", text, weir_network_write(&place->from[i], one)).base;
    return weir_arena_copy(&conf->arena, (weir_span_t){text, strlen(text)}).base;
}

static void be_for_this_machine(conf_t *conf, conf_metrics_place_t *place)
{
    static const char *const usual[] = {"127.0.0.0/8", "::1"};
    weir_network_t *networks = weir_arena_alloc(&conf->arena, sizeof(usual) / sizeof(usual[0]) * sizeof(*networks));

    for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
        WEIR_MUST(weir_network_read(usual[i], &networks[i]));
    place->from = networks;
    place->from_count = sizeof(usual) / sizeof(usual[0]);
}

static int read_address(conf_t *conf, const yoml_t *node, conf_metrics_place_t *place)
{
    const char *problem =
        node->type != YOML_TYPE_SCALAR ? "must be HOST:PORT" : conf_listen_address(conf, node->data.scalar, &place->listen);

    place->listen.where = conf_where(&conf->arena, node);
    if (problem == NULL)
        return 0;
    return conf_complain(node, "weir.metrics: %s%s%s", node->type == YOML_TYPE_SCALAR ? node->data.scalar : "",
                         node->type == YOML_TYPE_SCALAR ? ": " : "", problem);
}

static int read_mapping(conf_t *conf, const yoml_t *node, conf_metrics_place_t *place)
{
    static const char *const keys[] = {"at", "from", NULL};
    bool has_address = false;

    for (size_t i = 0; i < node->data.mapping.size; i++) {
        const yoml_mapping_element_t *entry = &node->data.mapping.elements[i];
        const char *key = entry->key->type == YOML_TYPE_SCALAR ? entry->key->data.scalar : "";
        const bool is_address = strcmp(key, keys[0]) == 0;
        if (!is_address && strcmp(key, keys[1]) != 0)
            return conf_complain_unknown(entry->key, "weir.metrics", keys);
        has_address = has_address || is_address;
        if (is_address
                ? read_address(conf, entry->value, place) != 0
                : conf_networks_read(entry->value, "weir.metrics: from", &conf->arena, &place->from, &place->from_count) != 0)
            return -1;
    }
    return has_address ? 0 : conf_complain(node, "weir.metrics: `at` is missing");
}

int conf_metrics_place_read(conf_t *conf, const yoml_t *node)
{
    conf_metrics_place_t place = {.listen = {.owner = (uid_t)-1, .group = (gid_t)-1}};

    be_for_this_machine(conf, &place);
    if ((node->type == YOML_TYPE_MAPPING ? read_mapping(conf, node, &place) : read_address(conf, node, &place)) != 0)
        return -1;
    place.text = text_of(conf, &place);
    conf->metrics_place = place;
    return 0;
}

int conf_metrics_place_check(const conf_t *conf, const yoml_t *node)
{
    const weir_listen_t *own = &conf->metrics_place.listen;

    for (size_t i = 0; conf->metrics_place.text != NULL && i < conf->listens.count; i++) {
        const weir_listen_t *listen = &conf->listens.at[i];
        if (listen->address_len == own->address_len && memcmp(&listen->address, &own->address, own->address_len) == 0) {
            (void)conf_complain_at(own->where, 0, "weir.metrics: %s is listened on for clients", own->name);
            return -1;
        }
    }
    return 0;
}

/* ---- what answers ---- */

void conf_ready_set(conf_ready_t state)
{
    atomic_store(&process.ready, state);
}

bool conf_is_ready(void)
{
    return atomic_load(&process.ready) == CONF_READY;
}

void conf_metrics_use(const weir_metrics_settings_t *settings)
{
    pthread_mutex_lock(&process.lock);
    process.settings = *settings;
    pthread_mutex_unlock(&process.lock);
}

void conf_metrics_answer(weir_admin_call_t *call)
{
    const weir_metrics_format_t format = weir_scrape_format(weir_admin_field(call, "accept"));
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);

    WEIR_MUST(out != NULL);
    pthread_mutex_lock(&process.lock);
    const weir_metrics_settings_t settings = process.settings;
    pthread_mutex_unlock(&process.lock);
    weir_metrics_write(&settings, format, out);
    (void)fclose(out);
    weir_admin_add(call, "vary", "accept");
    weir_admin_answer_as(call, OK, weir_scrape_type(format), text, bytes);
    free(text);
}

static void say(weir_admin_call_t *call, uint16_t status, const char *words)
{
    char line[WORDS_BYTES + 2];
    const int length = snprintf(line, sizeof(line), "%s\n", words);

    weir_admin_answer_as(call, status, "text/plain; charset=utf-8", line,
                         (size_t)length < sizeof(line) ? (size_t)length : sizeof(line) - 1);
}

void conf_livez_answer(weir_admin_call_t *call)
{
    char words[WORDS_BYTES];

    if (weir_watch_stuck(weir_clock_monotonic_us(), words, sizeof(words)) > 0)
        say(call, UNAVAILABLE, words);
    else
        say(call, OK, "ok");
}

void conf_readyz_answer(weir_admin_call_t *call)
{
    static const char *const words[] = {"the proxy starts", "ok", "the proxy drains",
                                        "a successor serves in place of this process"};
    const conf_ready_t ready = atomic_load(&process.ready);

    if (ready == CONF_READY && !conf_state_is_ready())
        say(call, UNAVAILABLE, "the first state is awaited (weir.state)");
    else
        say(call, ready == CONF_READY ? OK : UNAVAILABLE, words[ready]);
}

static const weir_admin_route_t routes[] = {
    {"GET", "/metrics", conf_metrics_answer}, {"HEAD", "/metrics", conf_metrics_answer}, {"GET", "/livez", conf_livez_answer},
    {"HEAD", "/livez", conf_livez_answer},    {"GET", "/readyz", conf_readyz_answer},    {"GET", "/ready", conf_readyz_answer},
    {"HEAD", "/ready", conf_readyz_answer},   {"HEAD", "/readyz", conf_readyz_answer},   {NULL, NULL, NULL},
};

/* ---- the listener ---- */

bool conf_metrics_endpoint_bind(const conf_t *conf)
{
    const conf_metrics_place_t *place = &conf->metrics_place;
    weir_bound_t bound = {.fds = NULL};

    if (place->text == NULL)
        return true;
    (void)weir_inherited_take(&place->listen, 1, &bound);
    if (weir_listener_bind(&place->listen, 1, false, &bound) != 0)
        return false;
    atomic_store(&present.fd, bound.fds[0]);
    present.admin = weir_admin_adopt(bound.fds[0], place->from, place->from_count);
    present.text = strdup(place->text);
    bound.fds[0] = -1;
    weir_bound_finish(&bound, &place->listen);
    return true;
}

void conf_metrics_endpoint_start(void)
{
    if (present.admin != NULL)
        weir_admin_start(present.admin, routes);
}

bool conf_metrics_endpoint_is(const conf_metrics_place_t *place)
{
    if (place->text == NULL || present.text == NULL)
        return place->text == NULL && present.text == NULL;
    return strcmp(place->text, present.text) == 0;
}

int conf_metrics_endpoint_fd(void)
{
    return atomic_load(&present.fd);
}

void conf_metrics_endpoint_retreat(void)
{
    if (present.admin != NULL)
        weir_admin_retreat(present.admin);
    atomic_store(&present.fd, -1);
}

void conf_metrics_endpoint_stop(void)
{
    weir_admin_stop(&present.admin);
    atomic_store(&present.fd, -1);
    free(present.text);
    present.text = NULL;
}
