/* SPDX-License-Identifier: MIT */
#include "conf/workers.h"

#include <string.h>

#include "conf/complain.h"
#include "conf/units.h"
#include "conf/yaml.h"
#include "conf/yaml_node.h"
#include "lib/walk/exchange.h"
#include "lib/walk/steward.h"
#include "lib/wire/worker/endpoint.h"
#include "router/workers.h"

enum {
    REVIEW_MS = 1000,
    DRAIN_LOOK_MS = 50,
    DRAIN_GRACE_US = 1000000,
    PEERS_BYTES = 4096,
    MS_MOST = 3600000,
    WINDOW_LEAST = 65535,
    WINDOW_MOST = 1 << 30
};

/* ---- the short form ---- */

static yoml_t *shared(yoml_t *node)
{
    node->_refcnt++;
    return node;
}

/* All of a mapping but for one key. */
static void put_all_but(conf_entries_t *entries, const yoml_t *mapping, const char *key)
{
    for (size_t i = 0; mapping != NULL && i < mapping->data.mapping.size; i++) {
        const yoml_mapping_element_t *element = &mapping->data.mapping.elements[i];
        if (key == NULL || element->key->type != YOML_TYPE_SCALAR || strcmp(element->key->data.scalar, key) != 0)
            conf_entries_add(entries, shared(element->key), shared(element->value), false);
    }
}

static yoml_t *map_of_one(const yoml_t *node, const char *key, yoml_t *value)
{
    conf_entries_t entries = {0};

    conf_entries_put(&entries, node, key, value);
    return conf_node_map(conf_node_place(node), &entries);
}

/* { listen: …, paths: { /: { weir.workers: { the rest } } } } */
static yoml_t *host_of(const yoml_t *node, yoml_t *listen)
{
    conf_entries_t rest = {0}, host = {0};

    put_all_but(&rest, node, "listen");
    yoml_t *path = map_of_one(node, "weir.workers", conf_node_map(conf_node_place(node), &rest));
    conf_entries_put(&host, node, "listen", shared(listen));
    conf_entries_put(&host, node, "paths", map_of_one(node, "/", path));
    return conf_node_map(conf_node_place(node), &host);
}

static yoml_t *hosts_with(const yoml_t *hosts, const yoml_t *node, yoml_t *host)
{
    conf_entries_t entries = {0};

    put_all_but(&entries, hosts, NULL);
    conf_entries_put(&entries, node, CONF_WORKERS_HOST, host);
    return conf_node_map(conf_node_place(hosts != NULL ? hosts : node), &entries);
}

void conf_workers_expand(yoml_t **document)
{
    yoml_t *node = conf_yaml_get(*document, "weir.workers"), *listen = conf_yaml_get(node, "listen"),
           *hosts = conf_yaml_get(*document, "hosts");
    conf_entries_t entries = {0};

    if (listen == NULL || (hosts != NULL && hosts->type != YOML_TYPE_MAPPING))
        return;
    for (size_t i = 0; i < (*document)->data.mapping.size; i++) {
        const yoml_mapping_element_t *element = &(*document)->data.mapping.elements[i];
        if (element->value != node && element->value != hosts)
            conf_entries_add(&entries, shared(element->key), shared(element->value), false);
    }
    conf_entries_put(&entries, hosts != NULL ? hosts : node, "hosts", hosts_with(hosts, node, host_of(node, listen)));
    yoml_t *whole = conf_node_map(conf_node_place(*document), &entries);
    conf_yaml_release(document);
    *document = whole;
}

/* ---- reading ---- */

static const char *scalar(const yoml_t *node)
{
    return node->type == YOML_TYPE_SCALAR ? node->data.scalar : "";
}

static int read_auth(conf_t *conf, const yoml_t *node, weir_workers_settings_t *out)
{
    const char *word = scalar(node);
    const bool is_both = strcmp(word, "both") == 0;

    out->needs_token = is_both || strcmp(word, "token") == 0;
    out->needs_certificate = is_both || strcmp(word, "certificate") == 0;
    if (!out->needs_token && !out->needs_certificate && strcmp(word, "none") != 0)
        return conf_complain(node, "weir.workers: auth must be token, certificate, both or none");
    return 0;
}

static int read_flag(const yoml_t *node, const char *key, bool *out)
{
    return conf_flag_read(scalar(node), out) ? 0 : conf_complain(node, "weir.workers: %s must be ON or OFF", key);
}

static int read_anywhere(conf_t *conf, const yoml_t *node, weir_workers_settings_t *out)
{
    return read_flag(node, "from-anywhere", &out->is_open);
}

static int read_clear(conf_t *conf, const yoml_t *node, weir_workers_settings_t *out)
{
    return read_flag(node, "tokens-in-clear", &out->takes_clear_tokens);
}

static int read_hand_over(conf_t *conf, const yoml_t *node, weir_workers_settings_t *out)
{
    if (strcmp(scalar(node), "always") != 0 && strcmp(scalar(node), "needed") != 0)
        return conf_complain(node, "weir.workers: hand-over must be needed or always");
    conf->hands_over_always = strcmp(scalar(node), "always") == 0;
    return 0;
}

static int read_peers(conf_t *conf, const yoml_t *node, weir_workers_settings_t *out)
{
    const bool is_list = node->type == YOML_TYPE_SEQUENCE;
    const size_t count = is_list ? node->data.sequence.size : 1;
    const char *all = "";

    for (size_t i = 0; i < count; i++) {
        const char *one = scalar(is_list ? node->data.sequence.elements[i] : node);
        if (*one == '\0' || strpbrk(one, " ,\r\n\t") != NULL || strlen(all) + strlen(one) > PEERS_BYTES)
            return conf_complain(node, "weir.workers: peers must be a list of host:port");
        all = weir_arena_format(&conf->arena, "%s%s%s", all, i == 0 ? "" : ", ", one).base;
    }
    out->peers = all;
    return 0;
}

static const struct {
    const char *key;
    conf_unit_t unit;
    size_t at;
    uint64_t least, most;
} numbers[] = {
    {"capacity", CONF_UNIT_NONE, offsetof(weir_workers_settings_t, capacity_most), 1, WEIR_WORKER_CAPACITY_MOST},
    {"header-timeout", CONF_UNIT_MS, offsetof(weir_workers_settings_t, header_timeout_ms), 1, MS_MOST},
    {"registrations-per-second", CONF_UNIT_NONE, offsetof(weir_workers_settings_t, registrations_per_s), 1, 1000000},
    {"ping", CONF_UNIT_MS, offsetof(weir_workers_settings_t, connection.ping_ms), 100, 5000},
    {"drain-timeout", CONF_UNIT_MS, offsetof(weir_workers_settings_t, connection.drain_timeout_ms), 1, MS_MOST},
    {"stream-window", CONF_UNIT_BYTES, offsetof(weir_workers_settings_t, connection.stream_window), WINDOW_LEAST, WINDOW_MOST},
    {"connection-window", CONF_UNIT_BYTES, offsetof(weir_workers_settings_t, connection.connection_window), WINDOW_LEAST,
     WINDOW_MOST},
    {"resets", CONF_UNIT_NONE, offsetof(weir_workers_settings_t, connection.reset_burst), 1, 1000000},
    {"resets-per-second", CONF_UNIT_NONE, offsetof(weir_workers_settings_t, connection.resets_per_s), 1, 1000000},
};

static const struct {
    const char *key;
    int (*read)(conf_t *conf, const yoml_t *node, weir_workers_settings_t *out);
} word_keys[] = {
    {"auth", read_auth},   {"from-anywhere", read_anywhere}, {"tokens-in-clear", read_clear}, {"hand-over", read_hand_over},
    {"peers", read_peers},
};

enum { NUMBERS = sizeof(numbers) / sizeof(numbers[0]), WORDS = sizeof(word_keys) / sizeof(word_keys[0]) };

static int read_number(const yoml_t *node, size_t which, weir_workers_settings_t *out)
{
    uint64_t number;

    if (!conf_number_read(scalar(node), numbers[which].unit, numbers[which].least, numbers[which].most, &number))
        return conf_complain(node, "weir.workers: %s must be %s from %llu to %llu", numbers[which].key,
                             conf_unit_sentence(numbers[which].unit), (unsigned long long)numbers[which].least,
                             (unsigned long long)numbers[which].most);
    *(uint32_t *)(void *)((char *)out + numbers[which].at) = (uint32_t)number;
    return 0;
}

static int complain_of_key(const yoml_t *key)
{
    const char *known[NUMBERS + WORDS + 2] = {"listen"};

    for (size_t i = 0; i < WORDS; i++)
        known[1 + i] = word_keys[i].key;
    for (size_t i = 0; i < NUMBERS; i++)
        known[1 + WORDS + i] = numbers[i].key;
    known[NUMBERS + WORDS + 1] = NULL;
    return conf_complain_unknown(key, "weir.workers", known);
}

static int read_entry(conf_t *conf, const yoml_mapping_element_t *entry, weir_workers_settings_t *out)
{
    const char *key = scalar(entry->key);

    for (size_t i = 0; i < WORDS; i++)
        if (strcmp(word_keys[i].key, key) == 0)
            return word_keys[i].read(conf, entry->value, out);
    for (size_t i = 0; i < NUMBERS; i++)
        if (strcmp(numbers[i].key, key) == 0)
            return read_number(entry->value, i, out);
    if (strcmp(key, "listen") == 0)
        return conf_complain(entry->key, "weir.workers: `listen` stands at the global level; at a path its host's counts");
    return complain_of_key(entry->key);
}

/* As measured: docs/workers.md. */
static const weir_workers_settings_t usual = {
    .needs_token = true,
    .capacity_most = WEIR_WORKER_CAPACITY_MOST,
    .registrations_per_s = 1000,
    .header_timeout_ms = 5000,
    .connection = {.ping_ms = 5000,
                   .drain_timeout_ms = 30000,
                   .stream_window = 262144,
                   .connection_window = 1048576,
                   .reset_burst = 500,
                   .resets_per_s = 20},
    .judge = weir_worker_judge,
};

/* A listener of its own has the time for a head as well: nothing else comes in there. */
static int settle_form(conf_t *conf, const h2o_hostconf_t *host, const yoml_t *node, const weir_workers_settings_t *settings)
{
    const yoml_t *said = conf_yaml_get(node, "header-timeout");

    if (strcmp(host->authority.hostport.base, CONF_WORKERS_HOST) == 0)
        conf->workers_header_ms = settings->header_timeout_ms;
    else if (said != NULL)
        return conf_complain(said,
                             "weir.workers: `header-timeout` stands beside `listen`; at a path weir.header-timeout counts");
    return 0;
}

int conf_workers_read(conf_t *conf, const h2o_hostconf_t *host, h2o_pathconf_t *pathconf, const yoml_t *node)
{
    weir_workers_settings_t *settings;
    bool is_on = true;

    if (pathconf == NULL)
        return conf_complain(node, "weir.workers: at the global level it is a mapping with `listen`");
    if (node->type == YOML_TYPE_SEQUENCE || (node->type == YOML_TYPE_SCALAR && !conf_flag_read(node->data.scalar, &is_on)))
        return conf_complain(node, "weir.workers: must be ON, OFF or a mapping");
    if (!is_on)
        return 0;
    settings = weir_arena_alloc(&conf->arena, sizeof(*settings));
    *settings = usual;
    for (size_t i = 0; node->type == YOML_TYPE_MAPPING && i < node->data.mapping.size; i++)
        if (read_entry(conf, &node->data.mapping.elements[i], settings) != 0)
            return -1;
    conf->has_workers = conf->level->takes_workers = true;
    if (settle_form(conf, host, node, settings) != 0)
        return -1;
    settings->loops = &conf->settings.threads;
    conf->workers_ways |= 1u << (settings->needs_token + 2u * settings->needs_certificate);
    weir_workers_register(pathconf, settings);
    return 0;
}

/* ---- while the process runs ---- */

static struct {
    weir_loop_t *loop; /* the steward's */
    weir_timer_t timer, drain;
    weir_letter_t letter, drain_letter;
    uint64_t drain_until_us;
    bool is_begun;         /* the main thread's */
    _Atomic unsigned ways; /* a bit for each way of proof that an endpoint of the newest configuration asks for */
} review;

/* Whether some endpoint asks for no more than the worker has shown when it came. */
static bool has_way(const weir_worker_words_t *words)
{
    const unsigned ways = atomic_load(&review.ways), shown = words->needs_token + 2u * words->needs_certificate;

    for (unsigned asked = 0; asked < 4; asked++)
        if ((ways >> asked & 1) != 0 && (asked & ~shown) == 0)
            return true;
    return false;
}

static const char *judge_again(const weir_worker_words_t *words)
{
    return has_way(words) ? weir_worker_judge_again(words) : "not welcome any more";
}

/* Tokens end, configurations and operators take them away: whoever may not stay is sent away within a second. */
static void on_review(weir_timer_t *timer)
{
    if (weir_worker_count() > 0)
        weir_workers_review(judge_again);
    weir_timer_set(review.loop, timer, REVIEW_MS, on_review);
}

static void on_begin(weir_letter_t *letter)
{
    weir_timer_set(review.loop, &review.timer, REVIEW_MS, on_review);
}

static void on_end(weir_letter_t *letter)
{
    weir_timer_cancel(&review.timer);
    weir_timer_cancel(&review.drain);
}

static void post(weir_letter_t *letter, void (*open)(weir_letter_t *letter))
{
    letter->open = open;
    weir_list_init(&letter->link);
    weir_loop_post(review.loop, letter);
}

void conf_workers_use(const conf_t *conf)
{
    back_worker_send_elsewhere(conf->hands_over_always);
    atomic_store(&review.ways, conf->workers_ways);
    if (!conf->has_workers || review.is_begun)
        return;
    review.is_begun = true;
    review.loop = weir_steward();
    weir_workers_on_change(weir_worker_tell);
    post(&review.letter, on_begin);
}

/* Requests that came just before, or wait, still want a worker: those go when no request is under way, or a second later. */
static void on_drain(weir_timer_t *timer)
{
    const weir_books_t books = weir_exchange_books();

    if (books.begun == books.ended || weir_loop_now_us(review.loop) >= review.drain_until_us)
        weir_workers_dismiss_all("drain");
    else
        weir_timer_set(review.loop, timer, DRAIN_LOOK_MS, on_drain);
}

static void on_drain_letter(weir_letter_t *letter)
{
    review.drain_until_us = weir_loop_now_us(review.loop) + DRAIN_GRACE_US;
    weir_timer_set(review.loop, &review.drain, DRAIN_LOOK_MS, on_drain);
}

void conf_workers_drain(void)
{
    if (review.is_begun)
        post(&review.drain_letter, on_drain_letter);
}

void conf_workers_end(void)
{
    weir_workers_on_change(NULL);
    if (review.is_begun)
        post(&review.letter, on_end);
    review.is_begun = false;
}
