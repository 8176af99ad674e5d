/* SPDX-License-Identifier: MIT */
#include "conf/state_listing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "conf/state_files.h"
#include "lib/base/clock.h"
#include "lib/base/must.h"

void conf_listing_free(conf_listing_t *listing)
{
    for (size_t i = 0; i < listing->count; i++) {
        free(listing->at[i].file);
        free(listing->at[i].app);
    }
    free(listing->at);
    *listing = (conf_listing_t){0};
}

static int by_app(const void *a, const void *b)
{
    const conf_listed_t *one = a, *other = b;
    const int order = strcmp(one->app, other->app);

    return order != 0 ? order : strcmp(one->file, other->file);
}

static bool is_young(const struct stat *facts)
{
    const uint64_t changed_ms = (uint64_t)facts->st_ctim.tv_sec * 1000 + (uint64_t)facts->st_ctim.tv_nsec / 1000000;
    const uint64_t now_ms = weir_clock_wall_us() / 1000;

    return now_ms < changed_ms + CONF_LISTING_YOUNG_MS && changed_ms < now_ms + CONF_LISTING_YOUNG_MS; /* clocks are set back */
}

/* What is named and cannot be looked at is there, and tells why when it is read. */
static void list_one(int directory_fd, const char *name, conf_listing_t *listing, bool *has_young)
{
    char app[WEIR_STATE_NAME_MOST + 1];
    struct stat facts = {.st_size = 0};

    if (!conf_state_file_app(name, app))
        return;
    if (fstatat(directory_fd, name, &facts, 0) == -1) {
        const int error = errno;
        if (error == ENOENT && fstatat(directory_fd, name, &facts, AT_SYMLINK_NOFOLLOW) == -1)
            return; /* it has gone since */
        facts = (struct stat){.st_size = 0};
    }
    if ((listing->count & (listing->count - 1)) == 0)
        listing->at = realloc(listing->at, (listing->count == 0 ? 1 : 2 * listing->count) * sizeof(listing->at[0]));
    WEIR_MUST(listing->at != NULL);
    conf_listed_t *known = &listing->at[listing->count++];
    *known = (conf_listed_t){
        .file = strdup(name), .app = strdup(app), .stamp = {facts.st_ino, facts.st_size, facts.st_mtim, facts.st_ctim}};
    WEIR_MUST(known->file != NULL && known->app != NULL);
    if (is_young(&facts)) {
        known->stamp = (conf_stamp_t){0};
        *has_young = true;
    }
}

void conf_listing_sort(conf_listing_t *listing)
{
    if (listing->count > 0)
        qsort(listing->at, listing->count, sizeof(listing->at[0]), by_app);
}

const char *conf_listing_read(const char *path, conf_listing_t *out, bool *has_young)
{
    DIR *directory = opendir(path);
    const struct dirent *entry;

    *out = (conf_listing_t){0};
    *has_young = false;
    if (directory == NULL)
        return strerror(errno);
    errno = 0;
    while ((entry = readdir(directory)) != NULL && out->count < CONF_STATE_FILES_MOST) {
        list_one(dirfd(directory), entry->d_name, out, has_young);
        errno = 0;
    }
    const int error = entry != NULL ? E2BIG : errno;
    closedir(directory);
    if (error != 0) {
        conf_listing_free(out);
        return error == E2BIG ? "there are more than 100000 apps" : strerror(error);
    }
    conf_listing_sort(out);
    for (size_t i = 1; i < out->count; i++)
        out->at[i].is_second = strcmp(out->at[i - 1].app, out->at[i].app) == 0;
    return NULL;
}

void conf_listing_keep(conf_listing_t *now, const conf_listed_t *gone)
{
    conf_listed_t kept = {.file = strdup(gone->file), .app = strdup(gone->app)};

    now->at = realloc(now->at, (now->count + 1) * 2 * sizeof(now->at[0]));
    WEIR_MUST(now->at != NULL && kept.file != NULL && kept.app != NULL);
    now->at[now->count++] = kept;
}

static bool is_same_time(struct timespec one, struct timespec other)
{
    return one.tv_sec == other.tv_sec && one.tv_nsec == other.tv_nsec;
}

bool conf_listed_is_same(const conf_listed_t *one, const conf_listed_t *other)
{
    return one->is_second == other->is_second && strcmp(one->file, other->file) == 0 && one->stamp.inode != 0 &&
           one->stamp.inode == other->stamp.inode && one->stamp.size == other->stamp.size &&
           is_same_time(one->stamp.written_at, other->stamp.written_at) &&
           is_same_time(one->stamp.changed_at, other->stamp.changed_at);
}

const conf_listed_t *conf_listing_first(const conf_listing_t *listing, size_t *index)
{
    while (*index < listing->count && listing->at[*index].is_second)
        ++*index;
    return *index < listing->count ? &listing->at[*index] : NULL;
}

int conf_listed_order(const conf_listed_t *before, const conf_listed_t *now)
{
    return before == NULL ? 1 : now == NULL ? -1 : strcmp(before->app, now->app);
}

size_t conf_listing_lost(const conf_listing_t *before, const conf_listing_t *now)
{
    size_t lost = 0, i = 0, k = 0;

    for (const conf_listed_t *one, *other; (one = conf_listing_first(before, &i)) != NULL;) {
        other = conf_listing_first(now, &k);
        const int order = conf_listed_order(one, other);
        lost += order < 0;
        i += order <= 0;
        k += order >= 0;
    }
    return lost;
}
