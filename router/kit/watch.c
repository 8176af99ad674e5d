/* SPDX-License-Identifier: MIT */
#include "watch.h"

#include <stdio.h>

#include "alloc.h"
#include "document.h"

enum { PATH_BYTES = 1024 };

typedef struct line {
    uint64_t seq;
    size_t bytes;
    char *text; /* ends with "\n" */
} line_t;

typedef struct watcher {
    struct watcher *next;
    struct kit_watch *watch;
    weir_admin_stream_t *stream;
    bool wants_health;
} watcher_t;

/* As long as its instance, and as a watcher who has not been told of his end. */
struct kit_watch {
    pthread_mutex_t lock; /* of `watchers` and `holders`: their ends come on a thread of the host's */
    unsigned holders;
    line_t
        lines[KIT_WATCH_KEPT]; /* the `first` of those that were ever told, up to `end`, each at its number % KIT_WATCH_KEPT */
    size_t first, end;
    size_t bytes;                     /* of all that are kept */
    json_t *latest[KIT_WATCH_LATEST]; /* of the `told`, each at its number % KIT_WATCH_LATEST */
    size_t told;
    uint64_t forgot_seq; /* the last one that is not kept any more */
    watcher_t *watchers;
    json_t *healths; /* by app and backend, as they were told; NULL: nobody has wanted to know */
};

/* `known_seq`: what has changed before is not known. */
static struct kit_watch *watch_of(kit_instance_t *instance, uint64_t known_seq)
{
    if (instance->watch == NULL) {
        instance->watch = kit_alloc(1, sizeof(*instance->watch));
        instance->watch->forgot_seq = known_seq;
        instance->watch->holders = 1;
        if (pthread_mutex_init(&instance->watch->lock, NULL) != 0)
            abort();
    }
    return instance->watch;
}

/* ---- telling ---- */

static json_t *who_of(const weir_admin_caller_t *who)
{
    if (who == NULL)
        return json_null();
    return json_pack("{s:I, s:I, s:s*, s:s*}", "uid", (json_int_t)who->uid, "pid", (json_int_t)who->pid, "name", who->name,
                     "address", who->address);
}

static char *line_of(json_t *event, const kit_change_t *change, uint64_t seq)
{
    char *text, *line;

    json_object_set_new(event, "seq", json_integer((json_int_t)seq));
    json_object_set_new(event, "at", kit_document_time(0, 0));
    json_object_set_new(event, "who", who_of(change->who));
    text = json_dumps(event, JSON_COMPACT);
    const size_t length = text == NULL ? 0 : strlen(text);
    line = kit_alloc(length + 2, 1);
    memcpy(line, text == NULL ? "" : text, length);
    line[length] = '\n';
    free(text);
    return line;
}

static void forget_oldest(struct kit_watch *watch)
{
    line_t *line = &watch->lines[watch->first++ % KIT_WATCH_KEPT];

    watch->forgot_seq = line->seq;
    watch->bytes -= line->bytes;
    free(line->text);
    line->text = NULL;
}

/* Who comes back gets at once what he has missed: so it is no more than a watcher may be behind. */
static void keep(struct kit_watch *watch, uint64_t seq, char *text)
{
    const size_t bytes = strlen(text);

    if (watch->end - watch->first == KIT_WATCH_KEPT)
        forget_oldest(watch);
    watch->lines[watch->end++ % KIT_WATCH_KEPT] = (line_t){seq, bytes, text};
    watch->bytes += bytes;
    while (watch->bytes > KIT_WATCH_BYTES)
        forget_oldest(watch);
}

/* A line may be as long as all of an app; who asks for the latest does so each second. */
static void note_latest(struct kit_watch *watch, const json_t *event)
{
    json_t **slot = &watch->latest[watch->told++ % KIT_WATCH_LATEST];

    json_decref(*slot);
    *slot =
        json_pack("{s:O, s:O, s:O, s:O, s:O}", "seq", json_object_get(event, "seq"), "at", json_object_get(event, "at"), "who",
                  json_object_get(event, "who"), "op", json_object_get(event, "op"), "path", json_object_get(event, "path"));
}

static void send(struct kit_watch *watch, const char *text, bool is_health)
{
    pthread_mutex_lock(&watch->lock);
    for (watcher_t *watcher = watch->watchers; watcher != NULL; watcher = watcher->next)
        if (watcher->wants_health || !is_health)
            weir_admin_stream_write(watcher->stream, text, strlen(text));
    pthread_mutex_unlock(&watch->lock);
}

void kit_watch_tell(kit_instance_t *instance, const kit_change_t *change, uint64_t seq)
{
    struct kit_watch *watch = watch_of(instance, seq - 1);
    json_t *event;
    size_t i;

    json_array_foreach(change->events, i, event)
    {
        char *text = line_of(event, change, seq);
        send(watch, text, false);
        keep(watch, seq, text);
        note_latest(watch, event);
    }
}

json_t *kit_watch_latest(const kit_instance_t *instance)
{
    const struct kit_watch *watch = instance->watch;
    const size_t told = watch == NULL ? 0 : watch->told;
    json_t *list = json_array();

    for (size_t i = 0; i < told && i < KIT_WATCH_LATEST; i++)
        json_array_append(list, watch->latest[(told - 1 - i) % KIT_WATCH_LATEST]);
    return list;
}

/* ---- health ---- */

static void tell_health(struct kit_watch *watch, const weir_set_t *set, const weir_member_t *member, const char *before,
                        const char *after)
{
    char path[PATH_BYTES];
    json_t *event;

    snprintf(path, sizeof(path), "/apps/%s/backends/%s", set->name, member->id);
    event = json_pack("{s:o, s:s, s:s, s:{s:s}, s:{s:s}}", "at", kit_document_time(0, 0), "op", "health", "path", path,
                      "before", "health", before, "after", "health", after);
    char *text = json_dumps(event, JSON_COMPACT), *line = kit_alloc(text == NULL ? 2 : strlen(text) + 2, 1);
    snprintf(line, strlen(text == NULL ? "" : text) + 2, "%s\n", text == NULL ? "" : text);
    send(watch, line, true);
    free(line);
    free(text);
    json_decref(event);
}

static bool is_wanted(struct kit_watch *watch)
{
    bool is_wanted = false;

    pthread_mutex_lock(&watch->lock);
    for (const watcher_t *watcher = watch->watchers; watcher != NULL; watcher = watcher->next)
        is_wanted = is_wanted || watcher->wants_health;
    pthread_mutex_unlock(&watch->lock);
    return is_wanted;
}

void kit_watch_health(kit_instance_t *instance, const weir_set_t *set)
{
    struct kit_watch *watch = instance->watch;
    json_t *known;

    if (watch == NULL || watch->healths == NULL)
        return;
    if (!is_wanted(watch)) {
        json_decref(watch->healths);
        watch->healths = NULL;
        return;
    }
    known = json_object_get(watch->healths, set->name);
    if (known == NULL)
        json_object_set_new(watch->healths, set->name, known = json_object());
    for (size_t i = 0; i < set->member_count; i++) {
        const weir_member_t *member = set->members[i];
        const char *before = json_string_value(json_object_get(known, member->id)), *after = kit_document_health(member);
        if (strcmp(before == NULL ? "well" : before, after) == 0)
            continue;
        tell_health(watch, set, member, before == NULL ? "well" : before, after);
        json_object_set_new(known, member->id, json_string(after));
    }
}

/* ---- watching ---- */

/* Unlocks, too. */
static void let_go(struct kit_watch *watch)
{
    const bool is_last = --watch->holders == 0;

    pthread_mutex_unlock(&watch->lock);
    if (!is_last)
        return;
    for (size_t i = 0; i < KIT_WATCH_KEPT; i++)
        free(watch->lines[i].text);
    for (size_t i = 0; i < KIT_WATCH_LATEST; i++)
        json_decref(watch->latest[i]);
    json_decref(watch->healths);
    pthread_mutex_destroy(&watch->lock);
    free(watch);
}

static void on_gone(void *context)
{
    watcher_t *watcher = context;
    struct kit_watch *watch = watcher->watch;

    pthread_mutex_lock(&watch->lock);
    for (watcher_t **at = &watch->watchers; *at != NULL; at = &(*at)->next)
        if (*at == watcher) {
            *at = watcher->next;
            break;
        }
    free(watcher);
    let_go(watch);
}

static void send_kept(struct kit_watch *watch, weir_admin_stream_t *stream, uint64_t after)
{
    for (size_t i = watch->first; i < watch->end; i++) {
        const line_t *line = &watch->lines[i % KIT_WATCH_KEPT];
        if (line->seq > after)
            weir_admin_stream_write(stream, line->text, line->bytes);
    }
}

bool kit_watch_answer(kit_instance_t *instance, weir_admin_call_t *call, uint64_t after, bool is_once, bool wants_health)
{
    struct kit_watch *watch = watch_of(instance, instance->seq);
    watcher_t *watcher;

    if (after < watch->forgot_seq)
        return false;
    watcher = kit_alloc(1, sizeof(*watcher));
    watcher->watch = watch;
    watcher->wants_health = wants_health;
    if (wants_health && watch->healths == NULL)
        watch->healths = json_object();
    watcher->stream = weir_admin_stream(call, "application/x-ndjson", on_gone, watcher);
    send_kept(watch, watcher->stream, after);
    pthread_mutex_lock(&watch->lock);
    watcher->next = watch->watchers;
    watch->watchers = watcher;
    watch->holders++;
    pthread_mutex_unlock(&watch->lock);
    if (is_once && weir_admin_stream_end(&watcher->stream))
        on_gone(watcher);
    return true;
}

void kit_watch_end(kit_instance_t *instance)
{
    struct kit_watch *watch = instance->watch;
    watcher_t *next;

    if (watch == NULL)
        return;
    instance->watch = NULL;
    pthread_mutex_lock(&watch->lock);
    for (watcher_t *watcher = watch->watchers; watcher != NULL; watcher = next) {
        next = watcher->next;
        if (!weir_admin_stream_end(&watcher->stream))
            continue; /* on_gone() frees it */
        watch->holders--;
        free(watcher);
    }
    watch->watchers = NULL;
    let_go(watch);
}
