/* SPDX-License-Identifier: MIT */
#include "lib/wire/back/name_query.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include <ares.h>

#include "lib/base/must.h"
#include "lib/wire/back/file_stamp.h"
#include "lib/wire/back/name_system.h"

enum { OURS_POLLED = 2 };

/* One name that is being asked for. */
typedef struct query {
    weir_list_t link;
    struct weir_name_queries *queries;
    void *asker; /* NULL: nobody wants to know any more */
    int status;  /* what name servers have said */
    bool is_with_system;
    char name[];
} query_t;

struct weir_name_queries {
    weir_name_query_hooks_t hooks;
    ares_channel hosts;   /* reads /etc/hosts; answers at once      */
    ares_channel servers; /* NULL: could not be made, or not yet    */
    char *configured;     /* the servers to ask; NULL: the system's */
    weir_file_stamp_t hosts_stamp, servers_stamp;
    bool is_renewing; /* what ends now is asked again */
    weir_list_t under_way;
    struct weir_name_system *system; /* NULL: could not be made */
    unsigned system_threads;         /* that may ask it         */
    struct pollfd *polled;           /* the first two are ours  */
    size_t polled_count, polled_capacity;
};

/* ---- sockets of c-ares ---- */

static void add_polled(struct weir_name_queries *queries, int fd)
{
    if (queries->polled_count == queries->polled_capacity) {
        queries->polled_capacity = queries->polled_capacity * 2 + 8;
        queries->polled = realloc(queries->polled, queries->polled_capacity * sizeof(queries->polled[0]));
        WEIR_MUST(queries->polled != NULL);
    }
    queries->polled[queries->polled_count++] = (struct pollfd){.fd = fd};
}

static struct pollfd *find_polled(struct weir_name_queries *queries, int fd)
{
    for (size_t i = OURS_POLLED; i < queries->polled_count; i++)
        if (queries->polled[i].fd == fd)
            return &queries->polled[i];
    return NULL;
}

static void on_socket(void *arg, ares_socket_t fd, int wants_read, int wants_write)
{
    struct weir_name_queries *queries = arg;
    struct pollfd *polled = find_polled(queries, fd);

    if (!wants_read && !wants_write) {
        if (polled != NULL)
            *polled = queries->polled[--queries->polled_count];
        return;
    }
    if (polled == NULL) {
        add_polled(queries, fd);
        polled = &queries->polled[queries->polled_count - 1];
    }
    polled->events = (short)((wants_read ? POLLIN : 0) | (wants_write ? POLLOUT : 0));
}

/* ---- channels ---- */

/* From 1.31 on c-ares has a cache of its own, in which who asks because an answer has proved wrong would find that answer. */
#ifdef ARES_OPT_QUERY_CACHE
enum { WITHOUT_CACHE = ARES_OPT_QUERY_CACHE }; /* with qcache_max_ttl 0 */
#else
enum { WITHOUT_CACHE = 0 };
#endif

/* Of one source: 'f', the file of hosts, or 'b', name servers. NULL: it cannot be made. */
static ares_channel open_channel(struct weir_name_queries *queries, char source)
{
    char lookups[2] = {source, '\0'};
    struct ares_options options = {.flags = ARES_FLAG_EDNS,
                                   .timeout = WEIR_NAME_TRY_MS,
                                   .tries = WEIR_NAME_TRIES,
                                   .ednspsz = WEIR_NAME_DATAGRAM_MAX,
                                   .lookups = lookups,
                                   .sock_state_cb = on_socket,
                                   .sock_state_cb_data = queries};
    ares_channel channel;

    if (ares_init_options(&channel, &options,
                          ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ | ARES_OPT_LOOKUPS |
                              ARES_OPT_SOCK_STATE_CB | WITHOUT_CACHE) != ARES_SUCCESS)
        return NULL;
    return channel;
}

static void close_channel(ares_channel *channel)
{
    if (*channel != NULL)
        ares_destroy(*channel);
    *channel = NULL;
}

static void ask_servers(query_t *query);

/* Names under way are asked for once more. */
static void open_servers(struct weir_name_queries *queries)
{
    queries->is_renewing = true;
    close_channel(&queries->servers);
    queries->is_renewing = false;
    queries->servers = open_channel(queries, 'b');
    if (queries->servers != NULL && queries->configured != NULL &&
        ares_set_servers_ports_csv(queries->servers, queries->configured) != ARES_SUCCESS)
        close_channel(&queries->servers);
    weir_list_t again;
    weir_list_init(&again);
    weir_list_move_all(&again, &queries->under_way);
    while (!weir_list_is_empty(&again)) {
        query_t *query = WEIR_AROUND(again.next, query_t, link);
        weir_list_remove(&query->link);
        weir_list_append(&queries->under_way, &query->link);
        if (!query->is_with_system)
            ask_servers(query);
    }
}

struct weir_name_queries *weir_name_queries_create(const weir_name_query_hooks_t *hooks)
{
    struct weir_name_queries *queries = calloc(1, sizeof(*queries));

    WEIR_MUST(queries != NULL && ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS);
    queries->hooks = *hooks;
    weir_list_init(&queries->under_way);
    for (size_t i = 0; i < OURS_POLLED; i++)
        add_polled(queries, -1);
    queries->system = weir_name_system_create();
    queries->hosts = open_channel(queries, 'f');
    (void)weir_file_has_changed("/etc/hosts", &queries->hosts_stamp);
    return queries;
}

void weir_name_queries_destroy(struct weir_name_queries **queries)
{
    struct weir_name_queries *gone = *queries;

    *queries = NULL;
    gone->is_renewing = true;
    close_channel(&gone->servers);
    close_channel(&gone->hosts);
    weir_name_system_destroy(&gone->system);
    while (!weir_list_is_empty(&gone->under_way)) {
        query_t *query = WEIR_AROUND(gone->under_way.next, query_t, link);
        weir_list_remove(&query->link);
        free(query);
    }
    ares_library_cleanup();
    free(gone->configured);
    free(gone->polled);
    free(gone);
}

void weir_name_queries_use(struct weir_name_queries *queries, const char *servers, unsigned system_threads)
{
    bool is_same = servers == NULL ? queries->configured == NULL
                                   : queries->configured != NULL && strcmp(servers, queries->configured) == 0;

    queries->system_threads = system_threads;
    if (is_same)
        return;
    free(queries->configured);
    queries->configured = servers != NULL ? strdup(servers) : NULL;
    WEIR_MUST(servers == NULL || queries->configured != NULL);
    if (queries->servers != NULL)
        open_servers(queries);
}

/* ---- answers ---- */

static bool take_address(const struct sockaddr *from, weir_name_address_t *out_address)
{
    memset(out_address, 0, sizeof(*out_address));
    if (from->sa_family == AF_INET) {
        out_address->v4.sin_family = AF_INET;
        out_address->v4.sin_addr = ((const struct sockaddr_in *)(const void *)from)->sin_addr;
        return true;
    }
    if (from->sa_family != AF_INET6)
        return false;
    out_address->v6.sin6_family = AF_INET6;
    out_address->v6.sin6_addr = ((const struct sockaddr_in6 *)(const void *)from)->sin6_addr;
    out_address->v6.sin6_scope_id = ((const struct sockaddr_in6 *)(const void *)from)->sin6_scope_id;
    return true;
}

static int least(int one, int other)
{
    return other < one ? other : one;
}

/* The smallest of all records that led there, in seconds. */
static uint64_t ttl_ms_of(const struct ares_addrinfo *found)
{
    int ttl_s = INT32_MAX;

    for (const struct ares_addrinfo_cname *alias = found->cnames; alias != NULL; alias = alias->next)
        ttl_s = least(ttl_s, alias->ttl);
    for (const struct ares_addrinfo_node *node = found->nodes; node != NULL; node = node->ai_next)
        ttl_s = least(ttl_s, node->ai_ttl);
    return ttl_s > 0 ? (uint64_t)ttl_s * 1000 : 0;
}

static void report(const query_t *query, const weir_name_answer_t *answer)
{
    if (query->asker != NULL)
        query->queries->hooks.answer(query->queries->hooks.arg, query->asker, answer);
}

static void report_addresses(const query_t *query, const struct ares_addrinfo *found, uint64_t ttl_ms)
{
    weir_name_address_t at[WEIR_NAME_ADDRESSES_MAX];
    weir_name_answer_t answer = {.outcome = WEIR_NAME_FOUND, .ttl_ms = ttl_ms, .at = at};

    for (const struct ares_addrinfo_node *node = found->nodes; node != NULL; node = node->ai_next)
        if (answer.count < WEIR_NAME_ADDRESSES_MAX && take_address(node->ai_addr, &at[answer.count]))
            answer.count++;
    if (answer.count == 0)
        answer.outcome = WEIR_NAME_ABSENT;
    report(query, &answer);
}

/* Whether somebody who should know has said that the name has no address. */
static bool is_absence(int status)
{
    return status == ARES_ENOTFOUND || status == ARES_ENODATA || status == ARES_EBADNAME || status == ARES_ENONAME;
}

static void end_query(query_t *query)
{
    weir_list_remove(&query->link);
    free(query);
}

/* `found`, which is there with ARES_SUCCESS, counts for ttl_ms. */
static void settle(query_t *query, int status, struct ares_addrinfo *found, uint64_t ttl_ms)
{
    const weir_name_answer_t none = {.outcome = is_absence(status) ? WEIR_NAME_ABSENT : WEIR_NAME_FAILED};

    if (status == ARES_SUCCESS && found != NULL)
        report_addresses(query, found, ttl_ms);
    else
        report(query, &none);
    if (found != NULL)
        ares_freeaddrinfo(found);
    end_query(query);
}

/* ---- what else the system has ---- */

/* Whoever names servers has said whom to ask. */
static bool may_ask_system(const query_t *query)
{
    struct weir_name_queries *queries = query->queries;

    return query->asker != NULL && queries->configured == NULL && queries->system != NULL && queries->system_threads > 0 &&
           weir_name_system_is_wanted(queries->system);
}

static void ask_system(query_t *query, int status)
{
    query->status = status;
    query->is_with_system = true;
    weir_name_system_ask(query->queries->system, query->name, query, query->queries->system_threads);
}

static void settle_by_system(query_t *query, const struct addrinfo *found, int error)
{
    weir_name_address_t at[WEIR_NAME_ADDRESSES_MAX];
    weir_name_answer_t answer = {.outcome = WEIR_NAME_FOUND, .ttl_ms = WEIR_NAME_TTL_UNSAID_MS, .at = at};
    bool is_absent = (error == EAI_NONAME || error == EAI_NODATA) && is_absence(query->status);

    for (const struct addrinfo *node = found; node != NULL; node = node->ai_next)
        if (answer.count < WEIR_NAME_ADDRESSES_MAX && take_address(node->ai_addr, &at[answer.count]))
            answer.count++;
    if (answer.count == 0)
        answer.outcome = is_absent ? WEIR_NAME_ABSENT : WEIR_NAME_FAILED;
    report(query, &answer);
    end_query(query);
}

static void take_from_system(struct weir_name_queries *queries)
{
    struct addrinfo *found;
    query_t *query;
    int error;

    while ((query = weir_name_system_take(queries->system, &found, &error)) != NULL) {
        settle_by_system(query, found, error);
        if (found != NULL)
            freeaddrinfo(found);
    }
}

/* ---- hosts and servers ---- */

static void on_servers(void *arg, int status, int timeouts, struct ares_addrinfo *found)
{
    query_t *query = arg;

    if (status == ARES_EDESTRUCTION && query->asker != NULL && query->queries->is_renewing)
        return;
    if (status != ARES_SUCCESS && found == NULL && may_ask_system(query))
        ask_system(query, status);
    else
        settle(query, status, found, status == ARES_SUCCESS ? ttl_ms_of(found) : 0);
}

static const struct ares_addrinfo_hints any_address = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};

static void ask_servers(query_t *query)
{
    if (query->queries->servers == NULL)
        settle(query, ARES_ESERVFAIL, NULL, 0);
    else
        ares_getaddrinfo(query->queries->servers, query->name, NULL, &any_address, on_servers, query);
}

static void on_hosts(void *arg, int status, int timeouts, struct ares_addrinfo *found)
{
    query_t *query = arg;

    if (status == ARES_SUCCESS)
        settle(query, status, found, WEIR_NAME_TTL_UNSAID_MS);
    else
        ask_servers(query);
}

/* ---- questions ---- */

static void look_at_files(struct weir_name_queries *queries)
{
    if (weir_file_has_changed("/etc/hosts", &queries->hosts_stamp))
        queries->hooks.hosts_changed(queries->hooks.arg);
    if (weir_file_has_changed("/etc/resolv.conf", &queries->servers_stamp) || queries->servers == NULL)
        open_servers(queries);
}

void weir_name_queries_ask(struct weir_name_queries *queries, const char *name, void *asker)
{
    size_t bytes = strlen(name) + 1;
    query_t *query = calloc(1, sizeof(*query) + bytes);

    WEIR_MUST(query != NULL);
    look_at_files(queries);
    query->queries = queries;
    query->asker = asker;
    memcpy(query->name, name, bytes);
    weir_list_init(&query->link);
    weir_list_append(&queries->under_way, &query->link);
    if (queries->hosts == NULL)
        ask_servers(query);
    else
        ares_getaddrinfo(queries->hosts, query->name, NULL, &any_address, on_hosts, query);
}

void weir_name_queries_drop(struct weir_name_queries *queries, void *asker)
{
    for (weir_list_t *node = queries->under_way.next; node != &queries->under_way; node = node->next) {
        query_t *query = WEIR_AROUND(node, query_t, link);
        if (query->asker != asker)
            continue;
        query->asker = NULL;
        if (query->is_with_system && weir_name_system_drop(queries->system, query))
            end_query(query);
        return;
    }
}

static int wait_ms(struct weir_name_queries *queries, int most_ms)
{
    struct timeval until, most = {.tv_sec = 3600};

    if (queries->servers == NULL || weir_list_is_empty(&queries->under_way))
        return most_ms;
    const struct timeval *due = ares_timeout(queries->servers, &most, &until);
    int due_ms = (int)(due->tv_sec * 1000 + (due->tv_usec + 999) / 1000);
    return most_ms >= 0 && most_ms < due_ms ? most_ms : due_ms;
}

/* By descriptor, not by place: c-ares closes and opens sockets meanwhile. */
static void process(struct weir_name_queries *queries)
{
    struct pollfd seen[64];
    size_t count = 0;

    for (size_t i = OURS_POLLED; i < queries->polled_count && count < sizeof(seen) / sizeof(seen[0]); i++)
        if (queries->polled[i].revents != 0)
            seen[count++] = queries->polled[i];
    for (size_t i = 0; i < count; i++) {
        bool can_write = (seen[i].revents & POLLOUT) != 0, can_read = (seen[i].revents & ~POLLOUT) != 0;
        ares_process_fd(queries->servers, can_read ? seen[i].fd : ARES_SOCKET_BAD, can_write ? seen[i].fd : ARES_SOCKET_BAD);
    }
    ares_process_fd(queries->servers, ARES_SOCKET_BAD, ARES_SOCKET_BAD); /* for what is overdue */
}

void weir_name_queries_turn(struct weir_name_queries *queries, int wake_fd, int most_ms)
{
    queries->polled[0] = (struct pollfd){.fd = wake_fd, .events = POLLIN};
    queries->polled[1].fd = queries->system != NULL ? weir_name_system_fd(queries->system) : -1;
    queries->polled[1].events = POLLIN;
    for (size_t i = 0; i < queries->polled_count; i++)
        queries->polled[i].revents = 0;
    (void)poll(queries->polled, queries->polled_count, wait_ms(queries, most_ms));
    if (queries->system != NULL && queries->polled[1].revents != 0)
        take_from_system(queries);
    if (queries->servers != NULL)
        process(queries);
}

const char *weir_name_queries_version(void)
{
    return ares_version(NULL);
}
