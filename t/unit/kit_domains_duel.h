/* SPDX-License-Identifier: MIT */
#ifndef KIT_DOMAINS_DUEL_H
#define KIT_DOMAINS_DUEL_H
/**
 * @file  The table of domains against a plain list that is searched from end to end: whatever is done to both, they answer the
 * same. Bytes say what is done. Ends the process where they differ.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/must.h"
#include "router/kit/domains.h"

enum { DUEL_STEP_BYTES = 5, DUEL_APPS = 16, DUEL_ENTRIES = 1 << 16, DUEL_RETIRED = 1 << 16 };

/* What a step does; its first byte modulo DUEL_DEEDS. */
enum { DUEL_ADD, DUEL_REMOVE, DUEL_MOVE, DUEL_FIND, DUEL_QUIET, DUEL_TEXT, DUEL_DEEDS };

typedef struct duel_entry {
    kit_match_t match;
    weir_span_t name, prefix; /* in `text` */
    void *app;
    char text[];
} duel_entry_t;

typedef struct duel_retired {
    void *memory;
    void (*release)(void *memory);
} duel_retired_t;

static kit_domains_t *duel_domains;
static duel_entry_t *duel_entries[DUEL_ENTRIES];
static size_t duel_count;
static duel_retired_t duel_retired[DUEL_RETIRED];
static size_t duel_retired_count;
static char duel_apps[DUEL_APPS];

/* ---- memory that is let go of only when the bytes say so ---- */

static inline void duel_quiet(void)
{
    for (size_t i = 0; i < duel_retired_count; i++)
        duel_retired[i].release(duel_retired[i].memory);
    duel_retired_count = 0;
}

static inline void duel_retire(void *memory, void (*release)(void *memory))
{
    if (duel_retired_count == DUEL_RETIRED)
        duel_quiet();
    duel_retired[duel_retired_count++] = (duel_retired_t){memory, release};
}

/* ---- the list ---- */

static inline bool duel_is_equal(weir_span_t a, weir_span_t b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.base, b.base, a.len) == 0);
}

static inline duel_entry_t *duel_read(weir_span_t text)
{
    duel_entry_t *entry = malloc(sizeof(*entry) + text.len);
    size_t slash = 0;

    WEIR_MUST(entry != NULL);
    memcpy(entry->text, text.base, text.len);
    while (slash < text.len && entry->text[slash] != '/')
        slash++;
    for (size_t i = 0; i < slash; i++)
        entry->text[i] = (char)(entry->text[i] >= 'A' && entry->text[i] <= 'Z' ? entry->text[i] - 'A' + 'a' : entry->text[i]);
    entry->name = (weir_span_t){entry->text, slash};
    entry->prefix = (weir_span_t){entry->text + slash, text.len - slash};
    if (entry->prefix.len > 0 && entry->text[text.len - 1] == '/')
        entry->prefix.len--;
    if (slash > 1 && entry->text[slash - 1] == '.')
        entry->name.len--;
    entry->match = slash == 1 && entry->text[0] == '*' ? KIT_MATCH_ANY : KIT_MATCH_EXACT;
    if (slash > 1 && entry->text[0] == '*') {
        entry->match = KIT_MATCH_SUFFIX;
        entry->name.base++;
        entry->name.len--;
    }
    return entry;
}

static inline bool duel_is_same_domain(const duel_entry_t *a, const duel_entry_t *b)
{
    return a->match == b->match && duel_is_equal(a->name, b->name);
}

/* The index of an entry; duel_count: it is not there. *out_prefixes: how many its domain has. */
static inline size_t duel_index(const duel_entry_t *entry, size_t *out_prefixes)
{
    size_t index = duel_count;

    *out_prefixes = 0;
    for (size_t i = 0; i < duel_count; i++) {
        if (!duel_is_same_domain(duel_entries[i], entry))
            continue;
        *out_prefixes += duel_entries[i]->prefix.len > 0;
        if (duel_is_equal(duel_entries[i]->prefix, entry->prefix))
            index = i;
    }
    return index;
}

static inline bool duel_is_of_host(const duel_entry_t *entry, weir_span_t host)
{
    if (entry->match == KIT_MATCH_ANY)
        return true;
    if (host.len == 0 || host.len > 255)
        return false;
    if (entry->match == KIT_MATCH_EXACT)
        return duel_is_equal(entry->name, host);
    return host.len > entry->name.len && memcmp(host.base + host.len - entry->name.len, entry->name.base, entry->name.len) == 0;
}

static inline bool duel_is_of_path(const duel_entry_t *entry, weir_span_t path)
{
    size_t length = entry->prefix.len;

    if (length == 0)
        return true;
    if (path.len < length || memcmp(path.base, entry->prefix.base, length) != 0)
        return false;
    return path.len == length || path.base[length] == '/' || path.base[length] == '?' || path.base[length] == '#';
}

/* The more the better: how exact the domain is, then how long it is, then how long the prefix is. */
static inline size_t duel_rank(const duel_entry_t *entry)
{
    size_t rank = entry->match == KIT_MATCH_EXACT ? 2 : entry->match == KIT_MATCH_SUFFIX ? 1 : 0;

    return (rank * 1000 + entry->name.len) * 10000 + entry->prefix.len + 1;
}

static inline const duel_entry_t *duel_best(weir_span_t host, weir_span_t path)
{
    const duel_entry_t *best = NULL;

    if (host.len > 1 && host.base[host.len - 1] == '.')
        host.len--;
    for (size_t i = 0; i < duel_count; i++) {
        const duel_entry_t *entry = duel_entries[i];
        if (duel_is_of_host(entry, host) && duel_is_of_path(entry, path) &&
            (best == NULL || duel_rank(entry) > duel_rank(best)))
            best = entry;
    }
    return best;
}

/* ---- both ---- */

static inline void duel_open(void)
{
    duel_domains = kit_domains_create(duel_retire);
    duel_count = 0;
}

/* What has been retired by then is released only when the table has gone. */
static inline void duel_close(void)
{
    kit_domains_destroy(&duel_domains);
    duel_quiet();
    while (duel_count > 0)
        free(duel_entries[--duel_count]);
}

static inline void duel_add(weir_span_t text, void *app)
{
    duel_entry_t *entry = duel_read(text);
    size_t prefixes, i = duel_index(entry, &prefixes);
    bool is_full, must_be_full = i == duel_count && entry->prefix.len > 0 && prefixes == KIT_PREFIXES_MOST;
    void *has_it = kit_domains_add(duel_domains, text, app, &is_full);

    WEIR_MUST(is_full == must_be_full);
    WEIR_MUST(has_it == (i < duel_count ? duel_entries[i]->app : NULL));
    if (i < duel_count || is_full) {
        free(entry);
    } else {
        WEIR_MUST(duel_count < DUEL_ENTRIES);
        entry->app = app;
        duel_entries[duel_count++] = entry;
    }
    WEIR_MUST(kit_domains_count(duel_domains) == duel_count);
}

static inline void duel_remove(weir_span_t text)
{
    duel_entry_t *entry = duel_read(text);
    size_t prefixes, i = duel_index(entry, &prefixes);

    WEIR_MUST(kit_domains_remove(duel_domains, text) == (i < duel_count ? duel_entries[i]->app : NULL));
    if (i < duel_count) {
        free(duel_entries[i]);
        duel_entries[i] = duel_entries[--duel_count];
    }
    free(entry);
    WEIR_MUST(kit_domains_count(duel_domains) == duel_count);
}

static inline void duel_move(weir_span_t text, void *app)
{
    duel_entry_t *entry = duel_read(text);
    size_t prefixes, i = duel_index(entry, &prefixes);

    WEIR_MUST(kit_domains_move(duel_domains, text, app) == (i < duel_count));
    if (i < duel_count)
        duel_entries[i]->app = app;
    free(entry);
}

static inline void duel_find(weir_span_t host, weir_span_t path)
{
    const duel_entry_t *best = duel_best(host, path);
    kit_found_t found = kit_domains_find(duel_domains, host, path);

    WEIR_MUST(found.app == (best != NULL ? best->app : NULL));
    WEIR_MUST(found.match == (best != NULL ? best->match : KIT_MATCH_NONE));
    WEIR_MUST(found.prefix_bytes == (best != NULL ? best->prefix.len : 0));
}

/* ---- what bytes say ---- */

/* One to four labels of four: in the 2nd byte how many, in the 3rd which. */
static inline size_t duel_write_labels(const uint8_t *step, char *out)
{
    static const char *const labels[] = {"a", "b", "c", "ab"};
    size_t length = 0;

    for (unsigned i = 0; i <= (step[1] & 3u); i++)
        length += (size_t)sprintf(out + length, "%s%s", i > 0 ? "." : "", labels[step[2] >> 2 * i & 3]);
    if ((step[1] & 16) != 0)
        out[length++] = '.';
    return length;
}

/* Up to three segments of four: in the 4th byte. */
static inline size_t duel_write_path(const uint8_t *step, char *out)
{
    size_t length = 0;

    for (unsigned i = 0; i < (step[3] & 3u); i++) {
        out[length++] = '/';
        out[length++] = "abcd"[step[3] >> (2 + 2 * i) & 3];
    }
    return length;
}

static inline weir_span_t duel_write_entry(const uint8_t *step, char *out)
{
    unsigned kind = step[1] >> 2 & 3;
    size_t length = 0;

    if (kind >= 2)
        out[length++] = '*';
    if (kind == 2)
        out[length++] = '.';
    if (kind != 3)
        length += duel_write_labels(step, out + length);
    if ((step[1] & 32) != 0) {
        for (size_t i = 0; i < length; i++)
            out[i] = (char)(out[i] >= 'a' && out[i] <= 'z' ? out[i] - 32 : out[i]);
    }
    length += duel_write_path(step, out + length);
    if ((step[1] & 64) != 0)
        out[length++] = '/';
    return (weir_span_t){out, length};
}

static inline void duel_find_step(const uint8_t *step)
{
    static const char *const ends[] = {"", "/", "?q=/a", "x", "/a", "#a", "//", "/a/b"};
    char host[64], path[64];
    size_t host_length = 0, path_length;

    if ((step[1] & 12) == 12)
        host[host_length++] = '.';
    if ((step[1] & 32) == 0)
        host_length += duel_write_labels(step, host + host_length);
    path_length = duel_write_path(step, path);
    path_length += (size_t)sprintf(path + path_length, "%s", ends[step[4] & 7]);
    duel_find((weir_span_t){host, host_length}, (weir_span_t){path, path_length});
}

/* Any bytes at all: what is valid is added, and looked for. Returns how many bytes it took. */
static inline size_t duel_text_step(const uint8_t *step, size_t length)
{
    size_t taken = length - DUEL_STEP_BYTES < step[1] ? length - DUEL_STEP_BYTES : step[1];
    weir_span_t text = {(const char *)step + DUEL_STEP_BYTES, taken}, path = text;

    duel_find(text, text);
    if (kit_domains_problem(text) != NULL)
        return taken;
    duel_add(text, &duel_apps[step[4] % DUEL_APPS]);
    while (path.len > 0 && path.base[0] != '/') {
        path.base++;
        path.len--;
    }
    duel_find((weir_span_t){text.base, text.len - path.len}, path);
    return taken;
}

/* One step of the bytes, at least DUEL_STEP_BYTES of them. Returns how many it took. */
static inline size_t duel_step(const uint8_t *step, size_t length)
{
    char text[64];
    weir_span_t entry = duel_write_entry(step, text);
    void *app = &duel_apps[step[4] % DUEL_APPS];

    switch (step[0] % DUEL_DEEDS) {
    case DUEL_ADD:
        WEIR_MUST(kit_domains_problem(entry) == NULL);
        duel_add(entry, app);
        break;
    case DUEL_REMOVE:
        duel_remove(entry);
        break;
    case DUEL_MOVE:
        duel_move(entry, app);
        break;
    case DUEL_FIND:
        duel_find_step(step);
        break;
    case DUEL_QUIET:
        duel_quiet();
        break;
    default:
        return DUEL_STEP_BYTES + duel_text_step(step, length);
    }
    return DUEL_STEP_BYTES;
}

#endif
