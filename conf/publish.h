/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_PUBLISH_H
#define WEIR_CONF_PUBLISH_H
/**
 * @file  A publisher's connection to the store: where that is, all its keys, and what is written.
 *
 * OWNER    A command of a publisher (cli_publish.c).
 * THREAD   One, which waits.
 * FAILURE  An exit status (verbs.h), after a sentence on standard error.
 */
#include "conf/publish_keys.h"
#include "conf/snapshot.h"
#include "lib/wire/store/etcd.h"

enum { CONF_PUBLISH_ROOT_BYTES = 256 };

/** What the arguments say; NULL: nothing, and then the configuration counts. */
typedef struct conf_publish_where {
    const char *file; /* the configuration */
    const char *etcd; /* URLs, commas between them */
    const char *prefix, *ca_file, *certificate_file, *key_file, *server_name, *user, *password_file;
} conf_publish_where_t;

typedef struct conf_publisher {
    conf_t *conf; /* NULL: there is no configuration */
    weir_etcd_t *etcd;
    size_t endpoint_count;
    char root[CONF_PUBLISH_ROOT_BYTES]; /* "/weir/v1/" */
} conf_publisher_t;

/** Reads the configuration, and connects. To be closed either way. */
int conf_publish_open(const conf_publish_where_t *where, conf_publisher_t *out);
void conf_publish_close(conf_publisher_t *publisher);

/** All keys, sorted. `may_be_denied`: if we may not read them, that is said, and there are none. */
int conf_publish_read(conf_publisher_t *publisher, bool may_be_denied, conf_publish_keys_t *out);

/** What has been written, of all. */
typedef struct conf_publish_sum {
    size_t puts, removals, transactions;
} conf_publish_sum_t;

/** Writes them in this order, in as few transactions as that takes. What was written before it fails is counted. */
int conf_publish_write(conf_publisher_t *publisher, const conf_publish_changes_t *changes, int64_t lease,
                       conf_publish_sum_t *out_sum);
/** Removes keys, or (`is_all`) all that begin with them, in one transaction. */
int conf_publish_remove(conf_publisher_t *publisher, const char *const *keys, size_t count, bool is_all);

/** A lease of so many seconds; and its end, of which nothing is said. */
int conf_publish_lease(conf_publisher_t *publisher, int64_t ttl_s, int64_t *out_lease);
void conf_publish_lease_end(conf_publisher_t *publisher, int64_t lease);

#endif
