/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "alloc.h"
#include "settings_fields.h"

/* ---- the table ---- */

enum { SECOND_MS = 1000, MINUTE_MS = 60000, HOUR_MS = 3600000, DAY_MS = 86400000, COUNT_MOST = 1000000, YEAR_S = 31536000 };

static const char *const balances[] = {"best", "least", "round-robin", "random", "hash", NULL};
static const char *const secures[] = {"auto", "ON", "OFF", NULL};
static const char *const same_sites[] = {"lax", "strict", "none", "omit", NULL};
static const char *const orders[] = {"fair", "fifo", NULL};
static const char *const endings[] = {"reset", "timeout", "status", NULL};
static const char *const methods[] = {"idempotent", "keyed", NULL};

#define AT(member) offsetof(kit_settings_t, member)
#define FLAG(group, key, member, standard)                                                                                     \
    {                                                                                                                          \
        group, key, KIT_FIELD_FLAG, AT(member), 0, 1, standard, NULL, NULL                                                     \
    }
#define NUMBER(group, key, member, least, most, standard)                                                                      \
    {                                                                                                                          \
        group, key, KIT_FIELD_NUMBER, AT(member), least, most, standard, NULL, NULL                                            \
    }
#define MS(group, key, member, least, most, standard)                                                                          \
    {                                                                                                                          \
        group, key, KIT_FIELD_MS, AT(member), least, most, standard, NULL, NULL                                                \
    }
#define WORD(group, key, member, words)                                                                                        \
    {                                                                                                                          \
        group, key, KIT_FIELD_WORD, AT(member), 0, 0, 0, NULL, words                                                           \
    }
#define WORDS(group, key, member, words, standard)                                                                             \
    {                                                                                                                          \
        group, key, KIT_FIELD_WORDS, AT(member), 0, 0, standard, NULL, words                                                   \
    }
#define STATUS(group, key, member, least, text)                                                                                \
    {                                                                                                                          \
        group, key, KIT_FIELD_STATUS, AT(member), least, KIT_STATUS_MOST, 0, text, NULL                                        \
    }
#define TEXT(kind, group, key, member, most, text)                                                                             \
    {                                                                                                                          \
        group, key, KIT_FIELD_##kind, AT(member), 0, most, 0, text, NULL                                                       \
    }

const kit_field_t kit_fields[] = {
    WORD(NULL, "balance", choice.balance, balances),
    NUMBER(NULL, "choices", choice.choices, 2, KIT_CHOICES_MOST, 3),
    {NULL, "hash-bound", KIT_FIELD_BOUND, AT(choice.hash_bound_percent), 101, 1000, 150, NULL, NULL},
    {NULL, "hash-seed", KIT_FIELD_LONG, AT(choice.hash_seed), 0, 0, 0, NULL, NULL},
    MS(NULL, "slow-start", choice.slow_start_ms, 0, HOUR_MS, 0),
    MS(NULL, "warm-up", warm_up_ms, 0, HOUR_MS, MINUTE_MS),
    NUMBER(NULL, "zone-handicap", choice.zone_handicap, 0, 4, 1),
    FLAG(NULL, "spill", choice.spills, false),

    TEXT(TEXT, "affinity", "cookie", affinity.cookie.name, 0, "weir-affinity"),
    NUMBER("affinity", "max-age", affinity.cookie.max_age_s, 0, YEAR_S, 86400),
    TEXT(TEXT, "affinity", "path", affinity.cookie.path, 0, "/"),
    TEXT(TEXT, "affinity", "domain", affinity.cookie.domain, 0, NULL),
    FLAG("affinity", "http-only", affinity.cookie.is_http_only, true),
    WORD("affinity", "secure", affinity.cookie.secure, secures),
    WORD("affinity", "same-site", affinity.cookie.same_site, same_sites),
    FLAG("affinity", "partitioned", affinity.cookie.is_partitioned, false),
    MS("affinity", "grace", affinity.grace_ms, 0, HOUR_MS, 10 * SECOND_MS),
    MS("affinity", "patience", affinity.patience_ms, 0, HOUR_MS, SECOND_MS),
    FLAG("affinity", "strict", affinity.is_strict, false),
    TEXT(PATH, "affinity", "key-file", affinity.key_file, 0, NULL),

    NUMBER(NULL, "max-requests", max_requests, 0, COUNT_MOST, 0),
    NUMBER(NULL, "max-tunnels", max_tunnels, 0, COUNT_MOST, 0),
    NUMBER(NULL, "app-max-requests", app_max_requests, 0, COUNT_MOST, 0),
    NUMBER("queue", "length", queue.length, 0, 100000, 1000),
    MS("queue", "timeout", queue.timeout_ms, 1, HOUR_MS, 5 * SECOND_MS),
    WORD("queue", "order", queue.order, orders),
    TEXT(CLIENT, "queue", "client", queue.client_header, 0, NULL),
    MS(NULL, "hold", hold_ms, 0, HOUR_MS, 0),
    NUMBER(NULL, "release-window", release_window, 1, 10000, 10),

    FLAG(NULL, "quarantine", quarantine.is_on, true),
    NUMBER(NULL, "quarantine-most", quarantine.most_percent, 0, 100, 50),
    MS(NULL, "quarantine-base", quarantine.base_ms, 100, HOUR_MS, 5 * SECOND_MS),
    MS(NULL, "quarantine-longest", quarantine.longest_ms, 100, DAY_MS, 5 * MINUTE_MS),
    STATUS(NULL, "failure-status", quarantine.failure_status, 400, "500,502-504"),

    TEXT(VALUE, "health", "http", health.http_path, 1024, NULL),
    FLAG("health", "tcp", health.is_tcp, false),
    TEXT(TEXT, "health", "grpc", health.grpc_service, 0, NULL),
    STATUS("health", "expect", health.expect, KIT_STATUS_LEAST, "200-399"),
    TEXT(VALUE, "health", "host", health.host, 255, NULL),
    NUMBER("health", "port", health.port, 1, 65535, 0),
    MS("health", "interval", health.interval_ms, 100, HOUR_MS, 5 * SECOND_MS),
    MS("health", "fast-interval", health.fast_interval_ms, 100, HOUR_MS, SECOND_MS),
    MS("health", "idle-interval", health.idle_interval_ms, 100, DAY_MS, MINUTE_MS),
    MS("health", "timeout", health.timeout_ms, 1, HOUR_MS, 2 * SECOND_MS),
    NUMBER("health", "rise", health.rise, 1, 100, 2),
    NUMBER("health", "fall", health.fall, 1, 100, 3),
    FLAG("health", "agent", health.has_agent, false),
    NUMBER(NULL, "panic", choice.panic_percent, 0, 100, 50),

    WORDS("retry", "on", retry.on, endings, 0),
    STATUS("retry", "status", retry.status, 400, "502-504"),
    WORDS("retry", "methods", retry.methods, methods, KIT_RETRY_IDEMPOTENT),
    NUMBER("retry", "most", retry.most, 1, KIT_TRIES_MOST - 1, 2),
    MS("retry", "try-timeout", retry.try_timeout_ms, 0, HOUR_MS, 0),
    NUMBER("retry", "body-buffer", retry.body_buffer_bytes, 0, 1 << 20, 65536),
    NUMBER("retry-budget", "percent", retry.budget_percent, 0, 100, 10),
    NUMBER("retry-budget", "floor", retry.budget_floor, 0, 1000, 3),

    TEXT(TOKENS, "workers", "tokens", workers.tokens, 0, NULL),
    TEXT(NAMES, "workers", "domains", workers.domains, 0, NULL),
    NUMBER("workers", "max-connections", workers.connections_most, 1, 100000, 200),

    MS(NULL, "drain-timeout", drain_timeout_ms, 0, DAY_MS, 30 * SECOND_MS),
    FLAG(NULL, "blank", is_blank, false),
};
const size_t kit_field_count = sizeof(kit_fields) / sizeof(kit_fields[0]);

const char *const kit_settings_keys[] = {
    "balance",
    "choices",
    "hash-on",
    "hash-bound",
    "hash-seed",
    "slow-start",
    "warm-up",
    "zone-handicap",
    "spill",
    "affinity",
    "max-requests",
    "max-tunnels",
    "app-max-requests",
    "queue",
    "hold",
    "release-window",
    "quarantine",
    "quarantine-most",
    "quarantine-base",
    "quarantine-longest",
    "failure-status",
    "health",
    "panic",
    "retry",
    "retry-budget",
    "workers",
    "drain-timeout",
    "blank",
    NULL,
};

/* An enum is stored by its number, as all compilers here have it. */
_Static_assert(sizeof(kit_balance_t) == sizeof(uint32_t) && sizeof(kit_secure_t) == sizeof(uint32_t) &&
                   sizeof(kit_same_site_t) == sizeof(uint32_t) && sizeof(kit_order_t) == sizeof(uint32_t) &&
                   sizeof(unsigned) == sizeof(uint32_t),
               "fields of one size");

/* ---- status codes ---- */

/* Three digits. */
static bool read_code(const char *at, uint32_t least, uint32_t most, uint32_t *out)
{
    *out = 0;
    for (size_t i = 0; i < 3; i++) {
        if (at[i] < '0' || at[i] > '9')
            return false;
        *out = *out * 10 + (uint32_t)(at[i] - '0');
    }
    return *out >= least && *out <= most;
}

bool kit_status_add(kit_status_set_t *set, weir_span_t text, uint32_t least, uint32_t most)
{
    uint32_t first, last;

    if ((text.len != 3 && text.len != 7) || !read_code(text.base, least, most, &first))
        return false;
    last = first;
    if (text.len == 7 && (text.base[3] != '-' || !read_code(text.base + 4, first, most, &last)))
        return false;
    for (uint32_t bit = first - KIT_STATUS_LEAST; bit <= last - KIT_STATUS_LEAST; bit++)
        set->bits[bit / 64] |= UINT64_C(1) << bit % 64;
    return true;
}

/* "500,502-504", of the table. */
static void set_codes(kit_status_set_t *set, const char *text)
{
    for (size_t length; *text != '\0'; text += length + (text[length] == ',')) {
        length = strcspn(text, ",");
        if (!kit_status_add(set, (weir_span_t){text, length}, KIT_STATUS_LEAST, KIT_STATUS_MOST))
            abort();
    }
}

/* ---- as a whole ---- */

static void set_default(const kit_field_t *field, kit_settings_t *out)
{
    void *at = kit_field_of(field, out);

    if (kit_field_is_text(field))
        *(const char **)at = kit_copy(field->text);
    else if (field->kind == KIT_FIELD_STATUS)
        set_codes(at, field->text);
    else if (field->kind == KIT_FIELD_FLAG)
        *(bool *)at = field->standard != 0;
    else if (field->kind == KIT_FIELD_LONG)
        *(uint64_t *)at = field->standard;
    else
        *(uint32_t *)at = field->standard;
}

void kit_settings_default(kit_settings_t *out)
{
    *out = (kit_settings_t){0};
    for (size_t i = 0; i < kit_field_count; i++)
        set_default(&kit_fields[i], out);
}

kit_settings_t *kit_settings_create(void)
{
    kit_settings_t *settings = kit_alloc(1, sizeof(*settings));

    kit_settings_default(settings);
    atomic_init(&settings->holders, 1);
    return settings;
}

kit_settings_t *kit_settings_hold(kit_settings_t *settings)
{
    atomic_fetch_add_explicit(&settings->holders, 1, memory_order_relaxed);
    return settings;
}

void kit_settings_release(void *of)
{
    kit_settings_t *settings = of;

    if (settings == NULL || atomic_fetch_sub_explicit(&settings->holders, 1, memory_order_acq_rel) > 1)
        return;
    kit_settings_free(settings);
    free(settings);
}

void kit_settings_copy(const kit_settings_t *from, kit_settings_t *out)
{
    *out = *from;
    atomic_init(&out->holders, 1);
    for (size_t i = 0; i < kit_field_count; i++) {
        const char **text = kit_field_of(&kit_fields[i], out);

        if (kit_field_is_text(&kit_fields[i]))
            *text = kit_copy(*text);
    }
    for (size_t i = 0; i < out->hash_on_count; i++)
        out->hash_on[i].name = kit_copy(out->hash_on[i].name);
}

static bool is_same_field(const kit_field_t *field, const kit_settings_t *a, const kit_settings_t *b)
{
    const void *one = kit_field_of(field, a), *other = kit_field_of(field, b);

    if (kit_field_is_text(field))
        return kit_is_same_text(*(const char *const *)one, *(const char *const *)other);
    if (field->kind == KIT_FIELD_STATUS)
        return memcmp(one, other, sizeof(kit_status_set_t)) == 0;
    if (field->kind == KIT_FIELD_FLAG)
        return *(const bool *)one == *(const bool *)other;
    if (field->kind == KIT_FIELD_LONG)
        return *(const uint64_t *)one == *(const uint64_t *)other;
    return *(const uint32_t *)one == *(const uint32_t *)other;
}

bool kit_settings_equal(const kit_settings_t *a, const kit_settings_t *b)
{
    bool is_same = a->hash_on_count == b->hash_on_count && a->affinity.is_on == b->affinity.is_on &&
                   a->health.kind == b->health.kind && a->workers.is_on == b->workers.is_on &&
                   a->workers.is_off == b->workers.is_off;

    for (size_t i = 0; is_same && i < a->hash_on_count; i++)
        is_same = a->hash_on[i].source == b->hash_on[i].source && kit_is_same_text(a->hash_on[i].name, b->hash_on[i].name);
    for (size_t i = 0; is_same && i < kit_field_count; i++)
        is_same = is_same_field(&kit_fields[i], a, b);
    return is_same;
}

void kit_settings_free(kit_settings_t *settings)
{
    for (size_t i = 0; i < kit_field_count; i++) {
        const char **text = kit_field_of(&kit_fields[i], settings);

        if (kit_field_is_text(&kit_fields[i]))
            free((char *)(uintptr_t)*text);
    }
    for (size_t i = 0; i < settings->hash_on_count; i++)
        free((char *)(uintptr_t)settings->hash_on[i].name);
    *settings = (kit_settings_t){0};
}
