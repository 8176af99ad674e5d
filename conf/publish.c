/* SPDX-License-Identifier: MIT */
#include "conf/publish.h"

#include <stdlib.h>
#include <string.h>

#include "conf/state_store.h"
#include "conf/verbs.h"
#include "lib/base/log.h"
#include "lib/base/must.h"

enum { TRIES_MOST = 3, AGAIN_MS = 300, PAGE = 20000, WRITE_BYTES_MOST = 1 << 20, KEY_OVERHEAD = 32, PREFIX_MOST = 200 };

/* ---- where ---- */

/* Commas become ends; `text` stays borrowed. False: there are too many. */
static bool split(char *text, const char *endpoints[CONF_ETCD_ENDPOINTS_MOST], size_t *out_count)
{
    *out_count = 0;
    for (char *rest = NULL, *one = strtok_r(text, ",", &rest); one != NULL; one = strtok_r(NULL, ",", &rest)) {
        if (*out_count == CONF_ETCD_ENDPOINTS_MOST)
            return false;
        endpoints[(*out_count)++] = one;
    }
    return *out_count > 0;
}

/* Another certificate has another key, and another user another password. */
static void override(const conf_publish_where_t *where, weir_etcd_settings_t *store)
{
    if (where->ca_file != NULL)
        store->ca_file = where->ca_file;
    if (where->certificate_file != NULL) {
        store->certificate_file = where->certificate_file;
        store->key_file = where->key_file;
    }
    if (where->server_name != NULL)
        store->server_name = where->server_name;
    if (where->user != NULL) {
        store->user = where->user;
        store->password_file = where->password_file;
    }
    store->has_tls = store->has_tls || where->ca_file != NULL || where->certificate_file != NULL || where->server_name != NULL;
}

static const char *problem_of(const conf_publish_where_t *where)
{
    const size_t length = where->prefix == NULL ? 0 : strlen(where->prefix);

    if (where->file == NULL && where->etcd == NULL)
        return "where is the store? -c FILE, or --etcd URL[,URL...]";
    if ((where->user == NULL) != (where->password_file == NULL))
        return "--user and --password-file belong together";
    if (where->key_file != NULL && where->certificate_file == NULL)
        return "--key-file needs --certificate-file";
    if (where->prefix != NULL &&
        (length < 2 || length > PREFIX_MOST || where->prefix[0] != '/' || where->prefix[length - 1] == '/'))
        return "--prefix begins with /, does not end with it, and has 200 characters at most";
    return NULL;
}

static int complain(int status, const char *what)
{
    weir_log("%s", what);
    return status;
}

/* The sentence of the last call, with the endpoint; as an exit status. */
static int tell(const conf_publisher_t *publisher, weir_etcd_status_t status)
{
    const char *problem = weir_etcd_problem(publisher->etcd), *endpoint = weir_etcd_endpoint(publisher->etcd);
    const char *scheme_end = strstr(endpoint, "://");
    const bool says_where = strstr(problem, scheme_end == NULL ? endpoint : scheme_end + 3) != NULL;

    weir_log("etcd%s%s: %s", says_where ? "" : " ", says_where ? "" : endpoint, problem);
    return status == WEIR_ETCD_CUT ? EXIT_NOBODY : EXIT_REFUSED;
}

static weir_etcd_status_t connect_to_any(conf_publisher_t *publisher)
{
    weir_etcd_status_t status = WEIR_ETCD_CUT;

    for (size_t i = 0; i < publisher->endpoint_count && status != WEIR_ETCD_FINE; i++)
        status = weir_etcd_connect(publisher->etcd);
    return status;
}

static int open_store(const conf_publish_where_t *where, conf_publisher_t *out)
{
    const conf_etcd_t *said = out->conf == NULL ? NULL : out->conf->state_etcd;
    weir_etcd_settings_t store = {0};
    const char *endpoints[CONF_ETCD_ENDPOINTS_MOST] = {NULL}, *prefix = said == NULL ? "/weir" : said->follow.prefix;
    char problem[WEIR_ETCD_PROBLEM_BYTES], *urls = where->etcd == NULL ? NULL : strdup(where->etcd);

    if (said != NULL)
        store = said->follow.store;
    if (urls != NULL && !split(urls, endpoints, &store.endpoint_count)) {
        free(urls);
        return complain(EXIT_USAGE, "--etcd is a URL, or up to 32 of them with commas between");
    }
    if (urls != NULL)
        store.endpoints = endpoints;
    override(where, &store);
    snprintf(out->root, sizeof(out->root), "%s/v1/", where->prefix != NULL ? where->prefix : prefix);
    out->endpoint_count = store.endpoint_count;
    out->etcd = weir_etcd_create(&store, problem);
    free(urls);
    if (out->etcd == NULL)
        return complain(EXIT_USAGE, problem);
    const weir_etcd_status_t status = connect_to_any(out);
    return status == WEIR_ETCD_FINE ? EXIT_FINE : tell(out, status);
}

int conf_publish_open(const conf_publish_where_t *where, conf_publisher_t *out)
{
    const char *problem = problem_of(where);

    *out = (conf_publisher_t){0};
    if (problem != NULL)
        return complain(EXIT_USAGE, problem);
    if (where->file != NULL)
        out->conf = conf_load(where->file, true);
    if (where->file != NULL && out->conf == NULL)
        return EXIT_START_UP;
    if (where->etcd == NULL && out->conf->state_etcd == NULL) {
        weir_log("%s: there is no weir.state with etcd; --etcd URL says where the store is", where->file);
        return EXIT_USAGE;
    }
    return open_store(where, out);
}

void conf_publish_close(conf_publisher_t *publisher)
{
    weir_etcd_destroy(&publisher->etcd);
    conf_destroy(&publisher->conf);
    weir_arena_forget_blocks();
}

/* ---- reading ---- */

typedef struct paging {
    const conf_publisher_t *publisher;
    conf_publish_keys_t *keys;
    char *next; /* where the next page begins */
    size_t next_length;
} paging_t;

/* A key's successor is that key with a NUL. */
static void note_next(paging_t *it, weir_span_t key)
{
    it->next = realloc(it->next, key.len + 1);
    WEIR_MUST(it->next != NULL);
    memcpy(it->next, key.base, key.len);
    it->next[key.len] = '\0';
    it->next_length = key.len + 1;
}

static void on_item(const weir_etcd_item_t *item, void *context)
{
    paging_t *it = context;
    const size_t root = strlen(it->publisher->root);

    note_next(it, item->key);
    if (item->key.len > root)
        conf_publish_keys_add(it->keys, (weir_span_t){item->key.base + root, item->key.len - root}, item->value,
                              item->lease != 0);
}

/* All of it as it was at one revision. */
static weir_etcd_status_t read_pages(paging_t *it)
{
    char end[CONF_PUBLISH_ROOT_BYTES];
    weir_etcd_header_t header;
    weir_etcd_range_t range = {.limit = PAGE};
    bool has_more = true;
    size_t end_length;

    WEIR_MUST(
        weir_etcd_prefix_end((weir_span_t){it->publisher->root, strlen(it->publisher->root)}, end, sizeof(end), &end_length));
    range.end = (weir_span_t){end, end_length};
    while (has_more) {
        range.key = (weir_span_t){it->next, it->next_length};
        const weir_etcd_status_t status = weir_etcd_read(it->publisher->etcd, &range, on_item, it, &header, &has_more);
        if (status == WEIR_ETCD_TOO_LONG && range.limit > 1) {
            range.limit /= 2;
            has_more = true;
            continue;
        }
        if (status != WEIR_ETCD_FINE)
            return status;
        range.revision = range.revision == 0 ? header.revision : range.revision;
    }
    return WEIR_ETCD_FINE;
}

int conf_publish_read(conf_publisher_t *publisher, bool may_be_denied, conf_publish_keys_t *out)
{
    paging_t it = {.publisher = publisher, .keys = out};

    note_next(&it, (weir_span_t){publisher->root, strlen(publisher->root)});
    it.next_length--; /* the root itself: without the NUL */
    const weir_etcd_status_t status = read_pages(&it);
    free(it.next);
    if (status == WEIR_ETCD_FINE) {
        conf_publish_keys_sort(out);
        return EXIT_FINE;
    }
    conf_publish_keys_free(out);
    if (status != WEIR_ETCD_DENIED || !may_be_denied)
        return tell(publisher, status);
    weir_log("what is in the store may not be read, and so these values are judged by themselves: %s",
             weir_etcd_problem(publisher->etcd));
    return EXIT_FINE;
}

/* ---- writing ---- */

/* What is written twice is as if it was written once: nobody knows whether what was cut is in force. */
static weir_etcd_status_t write_once(conf_publisher_t *publisher, const weir_etcd_write_t *writes, size_t count)
{
    weir_etcd_header_t header;
    weir_etcd_status_t status = weir_etcd_write(publisher->etcd, writes, count, &header);

    for (int i = 1; i < TRIES_MOST && status == WEIR_ETCD_CUT; i++) {
        (void)weir_etcd_sleep(publisher->etcd, AGAIN_MS);
        status = connect_to_any(publisher);
        if (status == WEIR_ETCD_FINE)
            status = weir_etcd_write(publisher->etcd, writes, count, &header);
    }
    return status;
}

static weir_span_t key_of(const conf_publisher_t *publisher, const char *key, size_t length)
{
    const size_t root = strlen(publisher->root);
    char *whole = malloc(root + length + 1);

    WEIR_MUST(whole != NULL);
    memcpy(whole, publisher->root, root);
    memcpy(whole + root, key, length);
    whole[root + length] = '\0';
    return (weir_span_t){whole, root + length};
}

static void free_keys(weir_etcd_write_t *writes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free((char *)(uintptr_t)writes[i].key.base);
        free((char *)(uintptr_t)writes[i].end.base);
    }
}

/* How many of them make the next transaction. Proxies take its writes before its removals: no write stands behind one. */
static size_t count_next(const conf_publisher_t *publisher, const conf_publish_changes_t *changes, size_t from)
{
    const size_t overhead = strlen(publisher->root) + KEY_OVERHEAD;
    size_t count = 0, bytes = 0;

    for (bool has_removed = false; from + count < changes->count && count < WEIR_ETCD_WRITES_MOST; count++) {
        const conf_publish_change_t *change = &changes->at[from + count];
        const conf_publish_key_t *key = change->after != NULL ? change->after : change->before;
        bytes += overhead + key->key_length + (change->after == NULL ? 0 : key->value_length);
        if (count > 0 && (bytes > WRITE_BYTES_MOST || (has_removed && change->after != NULL)))
            break;
        has_removed = has_removed || change->after == NULL;
    }
    return count;
}

static weir_etcd_status_t write_some(conf_publisher_t *publisher, const conf_publish_change_t *changes, size_t count,
                                     int64_t lease)
{
    weir_etcd_write_t writes[WEIR_ETCD_WRITES_MOST];

    for (size_t i = 0; i < count; i++) {
        const conf_publish_key_t *after = changes[i].after, *key = after != NULL ? after : changes[i].before;
        writes[i] = (weir_etcd_write_t){.key = key_of(publisher, key->key, key->key_length), .is_removal = after == NULL};
        if (after == NULL)
            continue;
        writes[i].value = (weir_span_t){after->value, after->value_length};
        writes[i].lease = lease;
    }
    const weir_etcd_status_t status = write_once(publisher, writes, count);
    free_keys(writes, count);
    return status;
}

int conf_publish_write(conf_publisher_t *publisher, const conf_publish_changes_t *changes, int64_t lease,
                       conf_publish_sum_t *out_sum)
{
    *out_sum = (conf_publish_sum_t){0};
    for (size_t from = 0, count; from < changes->count; from += count) {
        count = count_next(publisher, changes, from);
        const weir_etcd_status_t status = write_some(publisher, &changes->at[from], count, lease);
        if (status != WEIR_ETCD_FINE)
            return tell(publisher, status);
        for (size_t i = from; i < from + count; i++) {
            out_sum->puts += changes->at[i].after != NULL;
            out_sum->removals += changes->at[i].after == NULL;
        }
        out_sum->transactions++;
    }
    return EXIT_FINE;
}

int conf_publish_remove(conf_publisher_t *publisher, const char *const *keys, size_t count, bool is_all)
{
    weir_etcd_write_t writes[WEIR_ETCD_WRITES_MOST];

    WEIR_MUST(count <= WEIR_ETCD_WRITES_MOST);
    for (size_t i = 0; i < count; i++) {
        writes[i] = (weir_etcd_write_t){.key = key_of(publisher, keys[i], strlen(keys[i])), .is_removal = true};
        if (!is_all)
            continue;
        char *end = malloc(writes[i].key.len + 1);
        WEIR_MUST(end != NULL && weir_etcd_prefix_end(writes[i].key, end, writes[i].key.len + 1, &writes[i].end.len));
        writes[i].end.base = end;
    }
    const weir_etcd_status_t status = write_once(publisher, writes, count);
    free_keys(writes, count);
    return status == WEIR_ETCD_FINE ? EXIT_FINE : tell(publisher, status);
}

/* ---- leases ---- */

int conf_publish_lease(conf_publisher_t *publisher, int64_t ttl_s, int64_t *out_lease)
{
    const weir_etcd_status_t status = weir_etcd_lease(publisher->etcd, ttl_s, out_lease);

    return status == WEIR_ETCD_FINE ? EXIT_FINE : tell(publisher, status);
}

void conf_publish_lease_end(conf_publisher_t *publisher, int64_t lease)
{
    (void)weir_etcd_lease_end(publisher->etcd, lease);
}
