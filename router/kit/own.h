/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_OWN_H
#define WEIR_KIT_OWN_H
/**
 * @file  Apps that operators have made, and what else of theirs stands beside a configuration: that an app is gone, and whose a
 * domain is. A configuration that is put in force takes all that over from the overlay (overlay.h).
 *
 * An app that is gone is found no more, but kept until its configuration goes: requests that found it may be under way.
 *
 * OWNER    The configuration.
 * THREAD   Under the instance's lock. Readers find what is published.
 */
#include "overlay.h"

typedef struct kit_own {
    struct kit_own *next; /* of its chain, or of the keepers */
    kit_app_t app;
} kit_own_t;

/**
 * Reads an app of that name. `document` is what its mapping would be in the configuration, without domains; of its backends
 * only that matters which decides how they are spoken to. NULL: what is wrong stands in `problem`.
 */
kit_own_t *kit_own_read(struct weir_kit *kit, const char *name, const json_t *document, char *problem, size_t bytes);
/** One of that name, zeroed. */
kit_own_t *kit_own_create(const char *name);
/** The one that the app lies in: not of those that the configuration has. */
kit_own_t *kit_own_of(kit_app_t *app);
/** It can be found from now on. */
void kit_own_add(struct weir_kit *kit, kit_own_t *read);
/** What the router has read of an app becomes that of the present one; what says the same stays. */
void kit_own_take_extra(struct weir_kit *kit, kit_app_t *app, kit_app_t *read);
/** It is not wanted after all. Harmless on NULL. */
void kit_own_discard(const struct weir_kit *kit, kit_own_t *read);
/**
 * It is in force from now on: in the place of the one that there is, or as a new app, which can be found when this returns.
 * Takes it over, and its overlay is what kit_app_put_in_force() goes by.
 */
kit_app_t *kit_own_take(struct weir_kit *kit, kit_own_t *read, uint64_t now_us);
/** It has no backends any more. */
void kit_own_empty(struct weir_kit *kit, kit_own_t *own, uint64_t now_us);
/** All of a configuration. Nobody reads any more. */
void kit_own_free(struct weir_kit *kit);

/**
 * New apps can be found by their names from now on. While the kit's has_more is set they are gathered, since the list of all is
 * made anew each time.
 */
void kit_own_publish(struct weir_kit *kit);
/** The same once a second, for those that were said to be followed by others. */
void kit_own_publish_late(struct weir_kit *kit, uint64_t now_us);
/** The app of that name, also if it has not been published yet; NULL: there is none. */
kit_app_t *kit_own_find(const struct weir_kit *kit, const char *name);

/** An entry of the table of domains is this app's from now on; NULL: nobody's. False: there is no such app, or no room. */
bool kit_own_place_domain(struct weir_kit *kit, const char *entry, const char *app);

/** What operators have changed is put on top of a configuration that was read; what it says anew wins, with a word. */
void kit_own_apply(struct weir_kit *kit, uint64_t now_us);

/** Apps that are paused or stopped, but run: for the state file has said so. Behind putting them in force. */
void kit_own_begin_courses(struct weir_kit *kit, uint64_t now_us);

/** What a configuration says of an app, as a word that is another one where it says another thing. */
json_t *kit_app_digest(const kit_app_t *app);

/** The apps, those of operators among them. */
const kit_apps_t *kit_apps(const struct weir_kit *kit);

#endif
