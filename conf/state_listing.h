/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_STATE_LISTING_H
#define WEIR_CONF_STATE_LISTING_H
/**
 * @file  The files of a directory of apps, as they were when it was looked at; two such listings tell what has changed.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

/** What was written so lately may be written once more in the same tick of the clock: it has no stamp, and is read again. */
enum { CONF_LISTING_YOUNG_MS = 50 };

/** What a file was when it was read. Zeroed: it is to be read again. */
typedef struct conf_stamp {
    ino_t inode;
    off_t size;
    struct timespec written_at, changed_at;
} conf_stamp_t;

typedef struct conf_listed {
    char *file, *app; /* without the directory */
    conf_stamp_t stamp;
    bool is_second; /* another file is the app's */
} conf_listed_t;

/** Sorted by apps, and then by files. */
typedef struct conf_listing {
    conf_listed_t *at;
    size_t count;
} conf_listing_t;

/**
 * Lists the files of apps. What cannot be looked at is listed as well: it tells why when it is read. Returns NULL, or what is
 * wrong (static, or strerror's); then nothing is known. *has_young: something may be written again without a trace.
 */
const char *conf_listing_read(const char *path, conf_listing_t *out, bool *has_young);
void conf_listing_free(conf_listing_t *listing);
/** Adds one that is not there any more, as if it were; to be sorted then. */
void conf_listing_keep(conf_listing_t *now, const conf_listed_t *gone);
void conf_listing_sort(conf_listing_t *listing);

/** The first from *index on that counts; NULL: there is none. *index is where it stands. */
const conf_listed_t *conf_listing_first(const conf_listing_t *listing, size_t *index);
/** Of two, while both listings are walked: less than 0, the first has none in the other. Either may be NULL. */
int conf_listed_order(const conf_listed_t *before, const conf_listed_t *now);
/** Whether the file is what it was. */
bool conf_listed_is_same(const conf_listed_t *one, const conf_listed_t *other);
/** How many apps of `before` are not in `now`. */
size_t conf_listing_lost(const conf_listing_t *before, const conf_listing_t *now);

#endif
