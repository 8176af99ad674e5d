/* SPDX-License-Identifier: MIT */
#include "lib/wire/tls/tls_directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/must.h"
#include "lib/wire/tls/tls_ocsp.h"

enum { CHECK_US = 10000000, COMPLAINT_US = 1000000, PATH_BYTES = 4096, NAMES_FIRST = 64 };

struct weir_tls_directory {
    char *path;
    pthread_mutex_t lock;
    weir_tls_names_t kept; /* under the lock; the one used last at the end */
    atomic_uint_fast64_t said_at_us;
};

weir_tls_directory_t *weir_tls_directory_open(const char *path, char problem[static WEIR_TLS_PROBLEM_BYTES])
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd == -1) {
        snprintf(problem, WEIR_TLS_PROBLEM_BYTES, "%s cannot be opened: %s", path, strerror(errno));
        return NULL;
    }
    close(fd);
    weir_tls_directory_t *directory = calloc(1, sizeof(*directory));
    WEIR_MUST(directory != NULL && pthread_mutex_init(&directory->lock, NULL) == 0);
    directory->path = strdup(path);
    WEIR_MUST(directory->path != NULL);
    return directory;
}

void weir_tls_directory_close(weir_tls_directory_t **slot)
{
    weir_tls_directory_t *directory = *slot;

    *slot = NULL;
    if (directory == NULL)
        return;
    weir_tls_names_finish(&directory->kept);
    pthread_mutex_destroy(&directory->lock);
    free(directory->path);
    free(directory);
}

/* ---- files ---- */

/* False if there is no such file. Names are clean: no slash, no dot at the beginning, no two dots in a row. */
static bool find_file(const weir_tls_directory_t *directory, weir_span_t name, const char *end, char path[PATH_BYTES],
                      uint64_t *out_changed_at_ns)
{
    struct stat there;
    int len = snprintf(path, PATH_BYTES, "%s/%.*s%s", directory->path, (int)name.len, name.base, end);

    if (len >= PATH_BYTES || stat(path, &there) != 0 || !S_ISREG(there.st_mode))
        return false;
    *out_changed_at_ns = (uint64_t)there.st_mtim.tv_sec * 1000000000 + (uint64_t)there.st_mtim.tv_nsec;
    return true;
}

/* Changes with any of the three. */
static uint64_t version_of(const weir_tls_directory_t *directory, weir_span_t name, uint64_t certificate_ns, uint64_t key_ns)
{
    char path[PATH_BYTES];
    uint64_t answer_ns = 0;

    (void)find_file(directory, name, ".ocsp", path, &answer_ns);
    return certificate_ns ^ key_ns << 1 ^ answer_ns << 2;
}

static void complain(weir_tls_directory_t *directory, const char *what, const char *problem)
{
    uint64_t now_us = weir_clock_monotonic_us(), last_us = atomic_load(&directory->said_at_us);

    if (now_us - last_us >= COMPLAINT_US && atomic_compare_exchange_strong(&directory->said_at_us, &last_us, now_us))
        weir_log("%s cannot be used: %s", what, problem);
}

/* NULL if there is no pair for this very name, or none that can be used. */
static weir_tls_cert_t *load(weir_tls_directory_t *directory, weir_span_t name, uint64_t *out_version)
{
    char certificate[PATH_BYTES], key[PATH_BYTES], problem[WEIR_TLS_PROBLEM_BYTES];
    uint64_t certificate_ns, key_ns;

    if (!find_file(directory, name, ".crt", certificate, &certificate_ns))
        return NULL;
    if (!find_file(directory, name, ".key", key, &key_ns)) {
        snprintf(problem, sizeof(problem), "%.400s has no key beside it", certificate);
        complain(directory, "a certificate", problem);
        return NULL;
    }
    *out_version = version_of(directory, name, certificate_ns, key_ns);
    weir_tls_cert_t *cert = weir_tls_cert_load(certificate, key, problem);
    if (cert == NULL)
        complain(directory, "a certificate", problem);
    return cert;
}

/* Has `cert` show the answer that lies beside it, or else what `before` shows, which may be NULL. */
static void staple(weir_tls_directory_t *directory, weir_span_t name, weir_tls_cert_t *cert, weir_tls_cert_t *before)
{
    char path[PATH_BYTES], text[WEIR_TLS_PROBLEM_BYTES];
    uint64_t changed_at_ns;

    if (!find_file(directory, name, ".ocsp", path, &changed_at_ns))
        return;
    const char *problem = weir_tls_ocsp_show_file(cert, path);
    if (problem == NULL)
        return;
    snprintf(text, sizeof(text), "%.400s: %s", path, problem);
    complain(directory, "an OCSP answer", text);
    if (before != NULL && X509_cmp(weir_tls_cert_leaf(before), weir_tls_cert_leaf(cert)) == 0)
        weir_tls_cert_inherit_staple(cert, before);
}

static bool is_same(const weir_tls_directory_t *directory, weir_span_t name, uint64_t version)
{
    char path[PATH_BYTES];
    uint64_t certificate_ns, key_ns;

    return find_file(directory, name, ".crt", path, &certificate_ns) && find_file(directory, name, ".key", path, &key_ns) &&
           version_of(directory, name, certificate_ns, key_ns) == version;
}

/* ---- what is kept ---- */

static weir_tls_cert_t *find_kept(weir_tls_directory_t *directory, weir_span_t name, uint64_t now_us, bool *out_must_check,
                                  uint64_t *out_version)
{
    weir_tls_cert_t *cert = NULL;

    pthread_mutex_lock(&directory->lock);
    weir_tls_name_t *entry = weir_tls_names_find(&directory->kept, name);
    if (entry != NULL) {
        weir_list_remove(&entry->link);
        weir_list_append(&directory->kept.names, &entry->link);
        *out_must_check = now_us - entry->checked_at_us >= CHECK_US;
        *out_version = entry->version;
        entry->checked_at_us = *out_must_check ? now_us : entry->checked_at_us; /* others need not look, too */
        cert = weir_tls_cert_hold(entry->cert);
    }
    pthread_mutex_unlock(&directory->lock);
    return cert;
}

/* In place of what was there under this name; `cert` NULL removes only. */
static void keep(weir_tls_directory_t *directory, weir_span_t name, weir_tls_cert_t *cert, uint64_t version, uint64_t now_us)
{
    pthread_mutex_lock(&directory->lock);
    weir_tls_names_t *kept = &directory->kept;
    weir_tls_name_t *entry = weir_tls_names_find(kept, name);
    if (entry != NULL)
        weir_tls_names_remove(kept, entry);
    if (cert != NULL) {
        if (kept->count >= WEIR_TLS_DIRECTORY_KEPT)
            weir_tls_names_remove(kept, WEIR_AROUND(kept->names.next, weir_tls_name_t, link));
        entry = weir_tls_names_add(kept, name, weir_tls_cert_hold(cert));
        entry->checked_at_us = now_us;
        entry->version = version;
    }
    pthread_mutex_unlock(&directory->lock);
}

/*
 * The certificate of this very name. A pair that has become unusable does not replace one that is in use; one that is gone
 * does.
 */
static weir_tls_cert_t *find_exactly(weir_tls_directory_t *directory, weir_span_t name)
{
    char path[PATH_BYTES];
    uint64_t now_us = weir_clock_monotonic_us(), version, changed_at_ns;
    bool must_check = false;
    weir_tls_cert_t *cert = find_kept(directory, name, now_us, &must_check, &version);

    if (cert != NULL && (!must_check || is_same(directory, name, version)))
        return cert;
    weir_tls_cert_t *loaded = load(directory, name, &version);
    if (loaded == NULL && (cert == NULL || find_file(directory, name, ".crt", path, &changed_at_ns)))
        return cert;
    if (loaded != NULL)
        staple(directory, name, loaded, cert);
    weir_tls_cert_release(&cert);
    keep(directory, name, loaded, version, now_us);
    return loaded;
}

weir_tls_cert_t *weir_tls_directory_find(weir_tls_directory_t *directory, weir_span_t name)
{
    char any[WEIR_TLS_NAME_BYTES + 1];
    weir_tls_cert_t *cert = find_exactly(directory, name);
    weir_span_t wildcard = weir_tls_name_wildcard(name, any);

    if (cert != NULL || wildcard.len == 0)
        return cert;
    cert = find_exactly(directory, wildcard);
    any[0] = '_';
    return cert != NULL ? cert : find_exactly(directory, wildcard);
}

/* ---- telling of all ---- */

typedef struct found {
    char **names;
    size_t count, capacity, further;
} found_t;

/* NAME of "NAME.crt"; empty where no client could ask for it. */
static weir_span_t name_of(const char *file)
{
    static const char end[] = ".crt";
    const size_t len = strlen(file), end_len = sizeof(end) - 1;
    char clean[WEIR_TLS_NAME_BYTES + 1];
    size_t clean_len;

    if (len <= end_len || strcmp(file + len - end_len, end) != 0)
        return (weir_span_t){NULL, 0};
    const weir_span_t name = {file, len - end_len};
    const bool is_clean = weir_tls_name_clean(name, clean, &clean_len) && memcmp(clean, file, clean_len) == 0;
    return is_clean ? name : (weir_span_t){NULL, 0};
}

static void add_found(found_t *found, weir_span_t name, size_t most)
{
    if (found->count == most) {
        found->further++;
        return;
    }
    if (found->count == found->capacity) {
        found->capacity = 2 * found->capacity + NAMES_FIRST;
        found->names = realloc(found->names, found->capacity * sizeof(found->names[0]));
        WEIR_MUST(found->names != NULL);
    }
    found->names[found->count] = strndup(name.base, name.len);
    WEIR_MUST(found->names[found->count] != NULL);
    found->count++;
}

static int by_name(const void *one, const void *other)
{
    return strcmp(*(char *const *)one, *(char *const *)other);
}

/* False: see errno. */
static bool find_all(const char *path, size_t most, found_t *found)
{
    DIR *files = opendir(path);
    const struct dirent *file;

    if (files == NULL)
        return false;
    while ((file = readdir(files)) != NULL) {
        const weir_span_t name = name_of(file->d_name);
        if (name.len > 0)
            add_found(found, name, most);
    }
    closedir(files);
    if (found->count > 0)
        qsort(found->names, found->count, sizeof(found->names[0]), by_name);
    return true;
}

/* False: it cannot be read. */
static bool tell_one(weir_tls_directory_t *directory, const char *text, const weir_tls_telling_t *telling)
{
    const weir_span_t name = {text, strlen(text)};
    char path[PATH_BYTES], problem[WEIR_TLS_PROBLEM_BYTES];
    uint64_t changed_at_ns;

    if (!find_file(directory, name, ".key", path, &changed_at_ns) || !find_file(directory, name, ".crt", path, &changed_at_ns))
        return true; /* it is no pair */
    weir_tls_cert_t *cert = weir_tls_cert_load(path, NULL, problem);
    if (cert == NULL) {
        complain(directory, "a certificate", problem);
        return false;
    }
    if (find_file(directory, name, ".ocsp", path, &changed_at_ns))
        (void)weir_tls_ocsp_show_file(cert, path);
    weir_tls_cert_tell(cert, telling->each, telling->context);
    weir_tls_cert_release(&cert);
    return true;
}

size_t weir_tls_directory_tell(weir_tls_directory_t *directory, size_t most, const weir_tls_telling_t *telling)
{
    found_t found = {.count = 0};
    bool goes_on = true;

    if (!find_all(directory->path, most, &found)) {
        complain(directory, directory->path, strerror(errno));
        return 1;
    }
    size_t left_out = found.further;
    for (size_t i = 0; i < found.count; i++) {
        goes_on = goes_on && telling->goes_on(telling->context);
        left_out += !goes_on || !tell_one(directory, found.names[i], telling);
        free(found.names[i]);
    }
    free(found.names);
    return left_out;
}
