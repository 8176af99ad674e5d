/* SPDX-License-Identifier: MIT */
#include "lib/base/scrape.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/app_counts.h"
#include "lib/base/log.h"
#include "lib/base/must.h"
#include "lib/base/scrape_private.h"

static const char own_prefix[] = "weir_router_";

static void family_init(scrape_family_t *family, const char *name, const char *help, weir_metric_type_t type)
{
    *family = (scrape_family_t){.name = name, .help = help, .type = type};
    family->end = &family->first;
}

weir_metric_sink_t *weir_scrape_create(void)
{
    weir_metric_sink_t *sink = calloc(1, sizeof(*sink));

    WEIR_MUST(sink != NULL);
    weir_arena_init(&sink->arena);
    for (size_t i = 0; i < WEIR_METRICS; i++)
        family_init(&sink->families[i], weir_metrics[i].name, weir_metrics[i].help, weir_metrics[i].type);
    return sink;
}

void weir_scrape_destroy(weir_metric_sink_t **sink)
{
    weir_metric_sink_t *gone = *sink;

    *sink = NULL;
    if (gone == NULL)
        return;
    weir_arena_finish(&gone->arena);
    free(gone);
}

void weir_scrape_want(weir_metric_sink_t *sink, bool apps, bool members)
{
    sink->wants_apps = apps;
    sink->wants_members = members;
}

/* ---- labels ---- */

/* Both formats want UTF-8 and escape three characters; what is not ASCII is told by its bytes: "\\xff". */
static void write_value(FILE *out, weir_span_t value)
{
    for (size_t i = 0; i < value.len; i++) {
        const unsigned char c = (unsigned char)value.base[i];
        if (c == '\n')
            fputs("\\n", out);
        else if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c < ' ' || c >= 0x7f)
            fprintf(out, "\\\\x%02x", c);
        else
            fputc(c, out);
    }
}

/* As they stand between the braces; `le` NULL: none. */
static const char *text_of(weir_metric_sink_t *sink, const weir_metric_label_t *labels, size_t count, const char *le)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    const char *copy;

    WEIR_MUST(out != NULL);
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "%s%s=\"", i == 0 ? "" : ",", labels[i].name);
        write_value(out, labels[i].value);
        fputc('"', out);
    }
    if (le != NULL)
        fprintf(out, "%sle=\"%s\"", count == 0 ? "" : ",", le);
    (void)fclose(out);
    copy = weir_arena_copy(&sink->arena, (weir_span_t){text, bytes + 1}).base; /* 1: its end */
    free(text);
    return copy;
}

/* ---- samples ---- */

static void append(weir_metric_sink_t *sink, scrape_family_t *family, const char *suffix, const char *labels, double value)
{
    scrape_sample_t *sample = weir_arena_alloc(&sink->arena, sizeof(*sample));

    *sample = (scrape_sample_t){.suffix = suffix, .labels = labels, .value = value};
    *family->end = sample;
    family->end = &sample->next;
    family->count++;
}

static scrape_sample_t *find(const scrape_family_t *family, const char *suffix, const char *labels)
{
    scrape_sample_t *sample = family->first;

    while (sample != NULL && (strcmp(sample->suffix, suffix) != 0 || strcmp(sample->labels, labels) != 0))
        sample = sample->next;
    return sample;
}

/* False: the family is full. */
static bool merge(weir_metric_sink_t *sink, scrape_family_t *family, const char *suffix, const char *labels, double value)
{
    scrape_sample_t *sample = find(family, suffix, labels);

    if (sample != NULL) {
        sample->value += value;
        return true;
    }
    if (family->count >= SCRAPE_SERIES)
        return false;
    append(sink, family, suffix, labels, value);
    return true;
}

void weir_scrape_put(weir_metric_sink_t *sink, weir_metric_id_t id, const char *label, const char *value, double number)
{
    const weir_metric_label_t one = {label, {value, value == NULL ? 0 : strlen(value)}};

    (void)merge(sink, &sink->families[id], "", text_of(sink, &one, label != NULL, NULL), number);
}

void weir_scrape_new(weir_metric_sink_t *sink, weir_metric_id_t id, const weir_metric_label_t *labels, size_t label_count,
                     double number)
{
    append(sink, &sink->families[id], "", text_of(sink, labels, label_count, NULL), number);
}

/* OpenMetrics wants a number with a point, and the other format takes it. */
static void bound_text(double bound, char text[static 32])
{
    (void)snprintf(text, 30, "%.9g", bound);
    if (strpbrk(text, ".en") == NULL)
        memcpy(text + strlen(text), ".0", 3);
}

static bool put_histogram(weir_metric_sink_t *sink, scrape_family_t *family, const weir_metric_label_t *labels,
                          size_t label_count, const double *bounds, const uint64_t *counts, size_t bound_count, double sum)
{
    uint64_t below = 0;
    bool has_room = true;

    for (size_t i = 0; i <= bound_count; i++) {
        char le[32] = "+Inf";
        if (i < bound_count)
            bound_text(bounds[i], le);
        below += counts[i];
        has_room = merge(sink, family, "_bucket", text_of(sink, labels, label_count, le), (double)below) && has_room;
    }
    const char *text = text_of(sink, labels, label_count, NULL);
    return merge(sink, family, "_sum", text, sum) && merge(sink, family, "_count", text, (double)below) && has_room;
}

void weir_scrape_histogram(weir_metric_sink_t *sink, weir_metric_id_t id, const weir_metric_label_t *labels, size_t label_count,
                           const weir_bounds_t *bounds, const uint64_t *counts, uint64_t sum_us)
{
    double seconds[WEIR_BUCKETS];

    for (size_t i = 0; i < bounds->count; i++)
        seconds[i] = (double)bounds->us[i] / 1e6;
    (void)put_histogram(sink, &sink->families[id], labels, label_count, seconds, counts, bounds->count, (double)sum_us / 1e6);
}

void weir_scrape_exemplar(weir_metric_sink_t *sink, weir_metric_id_t id, const weir_metric_label_t *labels, size_t label_count,
                          const weir_bounds_t *bounds, size_t bucket, const weir_exemplar_t *exemplar)
{
    scrape_sample_t *sample;
    char le[32] = "+Inf";

    if (bucket < bounds->count)
        bound_text((double)bounds->us[bucket] / 1e6, le);
    sample = find(&sink->families[id], "_bucket", text_of(sink, labels, label_count, le));
    if (sample != NULL)
        sample->exemplar = weir_arena_format(&sink->arena, "{trace_id=\"%.*s\"} %.6f %.3f", WEIR_EXEMPLAR_TRACE_BYTES,
                                             exemplar->trace_id, (double)exemplar->us / 1e6, (double)exemplar->wall_us / 1e6)
                               .base;
}

/* ---- what routers tell ---- */

static bool is_name(const char *name, bool may_colon)
{
    if (name == NULL || *name == '\0' || (*name >= '0' && *name <= '9'))
        return false;
    for (; *name != '\0'; name++) {
        const char c = *name;
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
              (c == ':' && may_colon)))
            return false;
    }
    return true;
}

static bool are_labels(const weir_metric_label_t *labels, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!is_name(labels[i].name, false) || strncmp(labels[i].name, "__", 2) == 0 || strcmp(labels[i].name, "le") == 0)
            return false;
    return count <= SCRAPE_LABELS;
}

/* WEIR_METRICS: there is none. */
static size_t kit_index(const char *name)
{
    size_t i = 0;

    while (i < WEIR_METRICS && (weir_metrics[i].maker != WEIR_METRIC_KIT || strcmp(weir_metrics[i].name, name) != 0))
        i++;
    return i;
}

static scrape_family_t *kit_family(weir_metric_sink_t *sink, const char *name)
{
    const size_t i = kit_index(name);

    return i < WEIR_METRICS ? &sink->families[i] : NULL;
}

static scrape_family_t *own_family(weir_metric_sink_t *sink, const char *name, weir_metric_type_t type)
{
    scrape_family_t *family;

    for (size_t i = 0; i < sink->own_count; i++)
        if (strcmp(sink->own[i].name, name) == 0)
            return &sink->own[i];
    if (sink->own_count == SCRAPE_OWN_FAMILIES)
        return NULL;
    family = &sink->own[sink->own_count++];
    family_init(family, weir_arena_format(&sink->arena, "%s", name).base, "A router's own.", type);
    return family;
}

static bool ends_in_total(const char *name)
{
    const size_t length = strlen(name);

    return length > 6 && strcmp(name + length - 6, "_total") == 0;
}

/* A histogram's samples have names of their own, which no other family may have. */
static scrape_family_t *family_of(weir_metric_sink_t *sink, const char *name, bool is_histogram)
{
    const weir_metric_type_t type = is_histogram                                                 ? WEIR_METRIC_HISTOGRAM
                                    : name != NULL && is_name(name, true) && ends_in_total(name) ? WEIR_METRIC_COUNTER
                                                                                                 : WEIR_METRIC_GAUGE;
    scrape_family_t *family;

    if (name == NULL || !is_name(name, true) || (is_histogram && ends_in_total(name)))
        return NULL;
    family = strncmp(name, own_prefix, sizeof(own_prefix) - 1) == 0 ? own_family(sink, name, type) : kit_family(sink, name);
    return family != NULL && (family->type == WEIR_METRIC_HISTOGRAM) == is_histogram ? family : NULL;
}

static bool is_of_members(const weir_metric_sink_t *sink, const scrape_family_t *family)
{
    return family >= &sink->families[WEIR_METRIC_ID_member_up] && family <= &sink->families[WEIR_METRIC_ID_member_handicap];
}

/* Whether the configuration wants it. */
static bool is_asked_for(const weir_metric_sink_t *sink, const scrape_family_t *family)
{
    if (family == &sink->families[WEIR_METRIC_ID_app_waiting])
        return sink->wants_apps;
    return !is_of_members(sink, family) || sink->wants_members;
}

WEIR_API bool weir_metric_is_wanted(const weir_metric_sink_t *sink, const char *name)
{
    const size_t i = name == NULL ? WEIR_METRICS : kit_index(name);

    if (i == WEIR_METRICS)
        return name != NULL && strncmp(name, own_prefix, sizeof(own_prefix) - 1) == 0;
    const scrape_family_t *family = &sink->families[i];
    return is_asked_for(sink, family) && family->count < (is_of_members(sink, family) ? SCRAPE_MEMBERS : SCRAPE_SERIES);
}

/* Those that are told of by name elsewhere, as far as there is room. */
static void add_app(weir_metric_sink_t *sink, scrape_family_t *family, weir_span_t app, double value)
{
    weir_metric_label_t label = {"app", weir_app_counts_name(app)};

    if (merge(sink, family, "", text_of(sink, &label, 1, NULL), value))
        return;
    label.value = weir_app_counts_other;
    if (find(family, "", text_of(sink, &label, 1, NULL)) == NULL)
        append(sink, family, "", text_of(sink, &label, 1, NULL), value);
    else
        (void)merge(sink, family, "", text_of(sink, &label, 1, NULL), value);
}

static void complain(const char *name, const char *what)
{
    static weir_log_limit_t limit;

    weir_log_limited(&limit, "a router's metric %s: %s", name == NULL ? "without a name" : name, what);
}

static const char not_usable[] =
    "dropped: neither weir_router_… nor of the kit, or of another type, or names that cannot be used";
static const char too_many[] = "dropped: there are too many series of it";

WEIR_API void weir_metric_add(weir_metric_sink_t *sink, const char *name, const weir_metric_label_t *labels, size_t label_count,
                              double value)
{
    scrape_family_t *family = family_of(sink, name, false);

    if (family == NULL || !are_labels(labels, label_count) || (family->type == WEIR_METRIC_COUNTER && !(value >= 0)))
        complain(name, not_usable);
    else if (!is_asked_for(sink, family))
        return;
    else if (family == &sink->families[WEIR_METRIC_ID_app_waiting])
        add_app(sink, family, label_count > 0 ? labels[0].value : (weir_span_t){NULL, 0}, value);
    else if (!merge(sink, family, "", text_of(sink, labels, label_count, NULL), value))
        complain(name, too_many);
}

WEIR_API void weir_metric_histogram(weir_metric_sink_t *sink, const char *name, const weir_metric_label_t *labels,
                                    size_t label_count, const double *bounds, const uint64_t *counts, size_t bound_count,
                                    double sum)
{
    scrape_family_t *family = family_of(sink, name, true);

    if (family == NULL || !are_labels(labels, label_count))
        complain(name, not_usable);
    else if (!put_histogram(sink, family, labels, label_count, bounds, counts, bound_count, sum))
        complain(name, too_many);
}

WEIR_API bool weir_metric_once(weir_metric_sink_t *sink, const void *key)
{
    for (size_t i = 0; i < sink->key_count; i++)
        if (sink->keys[i] == key)
            return false;
    if (sink->key_count < SCRAPE_KEYS)
        sink->keys[sink->key_count++] = key;
    return true;
}
