/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_CHANGE_INSIDE_H
#define WEIR_KIT_CHANGE_INSIDE_H
/**
 * @file  What a change has touched, as it was before. Private to change*.c and saved.c.
 */
#include "change.h"

/** An app. The texts and documents are holds of what the overlay had. */
typedef struct kit_touched {
    kit_keyed_t keyed;
    struct kit_touched *next;
    char *name;
    bool had_overlay;
    json_t *own, *gone, *settings, *course;
    kit_edit_t *edits;
    uint64_t seq;
    kit_own_t *read; /* what it becomes, if operators say all of it; NULL: nothing of that kind */
} kit_touched_t;

/** An entry of the table of domains. */
typedef struct kit_touched_domain {
    kit_keyed_t keyed;
    struct kit_touched_domain *next;
    bool had_edit;
    char *app;  /* of the edit */
    char *base; /* what the configuration says: whose it is; NULL: nobody's */
    uint64_t seq;
    char entry[];
} kit_touched_domain_t;

/** The app, if it has been touched; else NULL. */
kit_touched_t *kit_change_touched(const kit_change_t *change, const char *app);
/** A backend with the configuration's keys, and without what is only shown. */
json_t *kit_change_respelled(const json_t *document);
/** Lays `more` upon `patch`: a null takes back what was changed, so that the configuration's word holds, or the default. */
void kit_change_merge(json_t *patch, const json_t *more);
/** Puts `value` (taken over; may be NULL) in the place of what stands there. */
static inline void kit_replace(json_t **place, json_t *value)
{
    json_decref(*place);
    *place = value;
}
/** The domains that an app had when the change began, and has still; the caller's. */
json_t *kit_change_domains_of(kit_change_t *change, const char *app);
/** Keeps what the edit of this entry was. */
void kit_change_touch_domain(kit_change_t *change, const char *entry);
/** Whether the configuration has it. */
bool kit_app_is_configured(const struct weir_kit *kit, const kit_app_t *app);
/** Whether there is such an app, with what has been changed so far. */
bool kit_change_has_app(const kit_change_t *change, const char *app);

#endif
