/* SPDX-License-Identifier: MIT */
/* Domains, lists of changes, and who watches: /v1/routers/NAME/domains…, …/changes, …/watch. */
#include <stdio.h>

#include "alloc.h"
#include "asked.h"
#include "watch.h"
#include "weir_span.h"

enum { CHANGES_MOST = 10000, GONE = 410, TOO_LARGE = 413, LISTED = 100, LISTED_MOST = 10000, SEGMENTS_MOST = 16 };

/* ---- domains ---- */

/* "NAME" or "NAME/PREFIX": the path behind …/domains. False: it is too long. */
static bool read_entry(const kit_asked_t *asked, char entry[static KIT_ENTRY_BYTES])
{
    size_t length = 0;

    entry[0] = '\0';
    for (size_t i = 1; i < SEGMENTS_MOST; i++) {
        const weir_span_t segment = weir_admin_segment(asked->call, i);
        if (segment.base == NULL)
            break;
        if (length + segment.len + 2 > KIT_ENTRY_BYTES)
            return false;
        if (i > 1)
            entry[length++] = '/';
        memcpy(entry + length, segment.base, segment.len);
        length += segment.len;
        entry[length] = '\0';
    }
    return true;
}

static uint64_t seq_of_domain(const kit_asked_t *asked, const char *entry)
{
    char text[KIT_ENTRY_BYTES];

    kit_domain_text((weir_span_t){entry, strlen(entry)}, text);
    const kit_domain_edit_t *edit = kit_domain_edit_find(asked->kit->instance, text);
    return edit == NULL ? 0 : edit->seq;
}

static bool may_change(kit_asked_t *asked, const char *entry, bool is_there)
{
    char what[KIT_PROBLEM_BYTES / 2];

    snprintf(what, sizeof(what), "the domain %.200s", entry);
    return kit_change_may(&asked->change, what, seq_of_domain(asked, entry), is_there,
                          weir_admin_field(asked->call, "if-match"), weir_admin_field(asked->call, "if-none-match"));
}

static bool answer_domain(const kit_asked_t *asked, const char *entry, uint16_t status)
{
    const kit_change_t now = {.kit = asked->kit};
    const char *owner = kit_change_domain_owner(&now, entry);
    char tag[KIT_TAG_BYTES];

    if (owner == NULL) {
        weir_admin_problem(asked->call, KIT_NOT_FOUND, "unknown-domain", NULL, "there is no domain %s", entry);
        return true;
    }
    snprintf(tag, sizeof(tag), "\"%llu\"", (unsigned long long)seq_of_domain(asked, entry));
    weir_admin_add(asked->call, "ETag", tag);
    return kit_asked_answer_change(asked, status, json_pack("{s:s, s:s}", "domain", entry, "app", owner));
}

static bool put_domain(kit_asked_t *asked, const char *entry)
{
    const char *app;
    kit_change_t *change;

    if (!kit_asked_has_object(asked))
        return true;
    app = json_string_value(json_object_get(asked->body, "app"));
    if (app == NULL) {
        weir_admin_problem(asked->call, KIT_INVALID, "invalid-value", "/app", "a domain needs `app`, whose it is");
        return true;
    }
    change = kit_asked_begin(asked);
    const bool was_there = kit_change_domain_owner(change, entry) != NULL;
    const bool may_take = weir_admin_field(asked->call, "if-match").base != NULL;
    const bool is_fine = may_change(asked, entry, was_there) && kit_change_domain(change, entry, app, may_take);
    return !kit_asked_end(asked, is_fine) || answer_domain(asked, entry, was_there ? KIT_OK : KIT_CREATED);
}

static bool end_domain(kit_asked_t *asked, const char *entry)
{
    kit_change_t *change = kit_asked_begin(asked);
    const bool is_revert = weir_span_is(weir_admin_parameter(asked->call, "revert"), "1");
    const bool is_there = kit_change_domain_owner(change, entry) != NULL;
    const bool is_fine = may_change(asked, entry, is_there) &&
                         (is_revert ? kit_change_domain_revert(change, entry) : kit_change_domain_remove(change, entry));

    return !kit_asked_end(asked, is_fine) || kit_asked_answer_change(asked, KIT_NO_CONTENT, NULL);
}

typedef struct listing {
    const kit_asked_t *asked;
    weir_span_t prefix, after;
    uint64_t limit;
    char **found; /* in order; limit + 1 at most */
    size_t count;
} listing_t;

static void insert(listing_t *it, const char *text)
{
    size_t at = it->count;

    while (at > 0 && strcmp(it->found[at - 1], text) > 0)
        at--;
    if (at > it->limit)
        return;
    if (it->count > it->limit)
        free(it->found[--it->count]);
    memmove(&it->found[at + 1], &it->found[at], (it->count - at) * sizeof(it->found[0]));
    it->found[at] = kit_copy(text);
    it->count++;
}

static void look_at(void *context, weir_span_t entry, void *app)
{
    listing_t *it = context;
    char text[KIT_ENTRY_BYTES];

    if (atomic_load(&((kit_app_t *)app)->is_gone))
        return;
    memcpy(text, entry.base, entry.len);
    text[entry.len] = '\0';
    if ((it->prefix.base == NULL || strncmp(text, it->prefix.base, it->prefix.len) == 0) &&
        (it->after.base == NULL || strcmp(text, it->after.base) > 0))
        insert(it, text);
}

static bool answer_domains(const kit_asked_t *asked)
{
    const kit_change_t now = {.kit = asked->kit};
    listing_t it = {
        asked, weir_admin_parameter(asked->call, "prefix"), weir_admin_parameter(asked->call, "after"), LISTED, NULL, 0};
    json_t *list = json_array(), *next = json_null();

    (void)weir_span_to_number(weir_admin_parameter(asked->call, "limit"), &it.limit);
    it.limit = it.limit == 0 ? 1 : it.limit > LISTED_MOST ? LISTED_MOST : it.limit;
    it.found = kit_alloc(it.limit + 2, sizeof(it.found[0]));
    kit_domains_each(asked->kit->domains, look_at, &it);
    for (size_t i = 0; i < it.count && i < it.limit; i++)
        json_array_append_new(
            list, json_pack("{s:s, s:s}", "domain", it.found[i], "app", kit_change_domain_owner(&now, it.found[i])));
    if (it.count > it.limit)
        next = json_string(it.found[it.limit - 1]);
    for (size_t i = 0; i < it.count; i++)
        free(it.found[i]);
    free(it.found);
    return kit_asked_answer(
        asked, KIT_OK,
        json_pack("{s:I, s:o, s:o}", "seq", (json_int_t)asked->kit->instance->seq, "domains", list, "after", next));
}

bool kit_asked_domains(kit_asked_t *asked)
{
    char entry[KIT_ENTRY_BYTES];
    const char *problem;

    if (weir_admin_segment(asked->call, 1).base == NULL)
        return kit_asked_has_method(asked, "GET") ? answer_domains(asked) : kit_asked_refuse_method(asked, "GET");
    problem = read_entry(asked, entry) ? kit_domains_problem((weir_span_t){entry, strlen(entry)}) : "it is too long";
    if (problem != NULL) {
        weir_admin_problem(asked->call, KIT_INVALID, "invalid-value", NULL, "this is no domain: %s", problem);
        return true;
    }
    if (kit_asked_has_method(asked, "GET"))
        return answer_domain(asked, entry, KIT_OK);
    if (kit_asked_has_method(asked, "PUT"))
        return put_domain(asked, entry);
    return kit_asked_has_method(asked, "DELETE") ? end_domain(asked, entry)
                                                 : kit_asked_refuse_method(asked, "GET, PUT, DELETE");
}

/* ---- many at once ---- */

bool kit_asked_changes(kit_asked_t *asked)
{
    const size_t count = json_array_size(asked->body);
    kit_change_t *change;
    bool is_fine = true;

    if (!kit_asked_has_method(asked, "POST"))
        return kit_asked_refuse_method(asked, "POST");
    if (!json_is_array(asked->body)) {
        weir_admin_problem(asked->call, KIT_MALFORMED, "malformed", NULL, "the body must be a list of changes");
        return true;
    }
    if (count > CHANGES_MOST) {
        weir_admin_problem(asked->call, TOO_LARGE, "too-large", NULL, "a list has at most %d changes", CHANGES_MOST);
        return true;
    }
    change = kit_asked_begin(asked);
    for (size_t i = 0; is_fine && i < count; i++) {
        char pointer[KIT_POINTER_BYTES + 32], inner[KIT_POINTER_BYTES];
        is_fine = kit_asked_step(change, json_array_get(asked->body, i));
        memcpy(inner, change->problem.pointer, sizeof(inner));
        snprintf(pointer, sizeof(pointer), "/%zu%s%.36s", i, inner[0] == '\0' ? "" : "/value", inner);
        if (!is_fine)
            memcpy(change->problem.pointer, pointer, KIT_POINTER_BYTES - 1);
    }
    return !kit_asked_end(asked, is_fine) ||
           kit_asked_answer_change(
               asked, KIT_OK,
               json_pack("{s:I, s:I}", "seq", (json_int_t)asked->kit->instance->seq, "changes", (json_int_t)count));
}

/* ---- watching ---- */

bool kit_asked_watch(kit_asked_t *asked)
{
    const weir_span_t said = weir_admin_parameter(asked->call, "after");
    uint64_t after = asked->kit->instance->seq;

    if (!kit_asked_has_method(asked, "GET"))
        return kit_asked_refuse_method(asked, "GET");
    if (said.base != NULL && !weir_span_to_number(said, &after)) {
        weir_admin_problem(asked->call, KIT_INVALID, "invalid-value", NULL, "`after` is a sequence number");
        return true;
    }
    const bool is_once = weir_span_is(weir_admin_parameter(asked->call, "once"), "1");
    const bool wants_health = weir_span_is(weir_admin_parameter(asked->call, "health"), "1");
    if (kit_watch_answer(asked->kit->instance, asked->call, after, is_once, wants_health))
        return true;
    weir_admin_problem(asked->call, GONE, "gone", NULL, "what has changed since is not kept any more: read the state anew");
    return true;
}
