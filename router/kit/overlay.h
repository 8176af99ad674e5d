/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_OVERLAY_H
#define WEIR_KIT_OVERLAY_H
/**
 * @file  What operators have changed while the proxy runs, against the configuration: it lies on top of that, also of the next.
 *
 *   configuration ─ kit_app_t ─┐
 *                              ├─ kit_overlay_compose() ─ kit_set_apply()
 *   operators ─ kit_overlay_t ─┘
 *
 * An edit of a backend is a patch (RFC 7396) over what the configuration says of it, a backend of its own, or that it is gone.
 * Where the configuration says something else than it did then, the configuration wins, and the edit is dropped with a word.
 *
 * OWNER    The instance.
 * THREAD   Under the instance's lock.
 */
#include <jansson.h>

#include "instance.h"

typedef struct kit_edit {
    struct kit_edit *next;
    char *id;
    json_t *base;  /* what the configuration said when it was made; NULL: nothing, it is the operator's own backend */
    json_t *patch; /* NULL: the backend is gone. `then` of it: what is done with it when; later.h */
    /* The same as they are read, which takes longer than all else of a change: NULL where nobody has asked yet. */
    kit_wanted_t *said; /* base */
    kit_wanted_t *read; /* base with the patch on top */
} kit_edit_t;

/* One app's. */
struct kit_overlay {
    kit_keyed_t keyed;
    json_t *own;      /* it is the operators': what they say of it, but for domains and backends; NULL: the configuration's */
    json_t *gone;     /* they have removed the configuration's: what that said (kit_app_digest()); NULL: it is there */
    json_t *settings; /* a patch over the app's; NULL: none */
    json_t *course;   /* "stopped", or {"paused_until_ms": …} on the wall's clock; NULL: it runs */
    kit_edit_t *edits;
    uint64_t seq; /* of its last change */
    char app[];
};

/** An entry of the table of domains that operators have changed. */
typedef struct kit_domain_edit {
    kit_keyed_t keyed;
    char *app;  /* whose it is; NULL: nobody's */
    char *base; /* whose the configuration said it was then; NULL: nobody's */
    uint64_t seq;
    char entry[]; /* kit_domain_text() */
} kit_domain_edit_t;

/** The app's; NULL: nothing was changed. */
struct kit_overlay *kit_overlay_find(const kit_instance_t *instance, const char *app);
/** The app's, made if there is none. */
struct kit_overlay *kit_overlay_of(kit_instance_t *instance, const char *app);
/** Forgets it, if there is one. */
void kit_overlay_forget(kit_instance_t *instance, const char *app);
/** Frees all of the instance's. */
void kit_overlays_free(kit_instance_t *instance);

/** Of a domain; NULL: the configuration holds. */
kit_domain_edit_t *kit_domain_edit_find(const kit_instance_t *instance, const char *entry);
/** Puts it in the place of the one that there is; copies all. */
kit_domain_edit_t *kit_domain_edit_put(kit_instance_t *instance, const char *entry, const char *app, const char *base);
/** The configuration holds again. Harmless if there is none. */
void kit_domain_edit_drop(kit_instance_t *instance, const char *entry);

/** The edit of a backend; NULL: there is none. */
kit_edit_t *kit_overlay_edit(const struct kit_overlay *overlay, const char *id);
/** Puts it in the place of the one that there is; takes over `base` and `patch`. */
kit_edit_t *kit_overlay_put(struct kit_overlay *overlay, const char *id, json_t *base, json_t *patch);
/** The configuration holds again. Harmless if there is none. */
void kit_overlay_drop(struct kit_overlay *overlay, const char *id);

/** An app's backends and settings, with what lies on top. */
typedef struct kit_composed {
    kit_wanted_t *wanted; /* shallow: the configuration's, and those of the edits */
    size_t count;
    kit_settings_t *settings; /* held */
} kit_composed_t;

/** `expanded` (`count` of them) is what the configuration wants. To be given back by kit_composed_free(). */
void kit_overlay_compose(struct weir_kit *kit, const kit_app_t *app, const kit_wanted_t *expanded, size_t count,
                         kit_composed_t *out);
void kit_composed_free(kit_composed_t *composed);

/** What an app's backend of that id is to be, as a document with the configuration's keys; NULL: there is none. */
json_t *kit_overlay_member(const kit_app_t *app, const struct kit_overlay *overlay, const char *id);
/** What the configuration alone says of it; NULL: nothing. */
json_t *kit_configured_member(const kit_app_t *app, const char *id);

/** What a backend is as a document, with the configuration's keys. */
json_t *kit_wanted_json(const kit_wanted_t *wanted);
/** What the configuration said (NULL: nothing) with a patch on top: a null takes a key away (RFC 7396). */
json_t *kit_edit_document(const json_t *base, const json_t *patch);
/** Whether it is one of a worker, which nobody can write. */
bool kit_document_is_of_worker(const json_t *document);
/** Reads one. False: what is wrong stands in `problem`. *out is to be freed by kit_wanted_free() either way. */
bool kit_wanted_of_json(const json_t *document, kit_wanted_t *out, char *problem, size_t bytes);
/** What holds of an app with this patch on top; NULL: what is wrong stands in `problem`. Held once. */
kit_settings_t *kit_settings_patched(const kit_settings_t *base, const json_t *patch, char *problem, size_t bytes);

#endif
