/* SPDX-License-Identifier: MIT */
#include "lib/wire/door/inherited.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/base/must.h"
#include "lib/base/span.h"
#include "lib/walk/address.h"

enum { FIRST_FD = 3 /* sd_listen_fds(3) */ };

typedef struct inherited {
    int fd;
    struct sockaddr_storage address; /* zeroed behind its end, as those of listens are */
    struct stat what;
    bool is_foreign; /* its path is somebody else's */
    bool is_both;    /* of IPv6, and takes IPv4 as well */
    bool is_taken;
} inherited_t;

static inherited_t *all;
static size_t all_count;

/* ---- reading ---- */

static int option_of(int fd, int level, int name)
{
    int value = 0;
    socklen_t len = sizeof(value);

    return getsockopt(fd, level, name, &value, &len) == 0 ? value : -1;
}

static bool is_known(const struct stat *what)
{
    for (size_t i = 0; i < all_count; i++)
        if (all[i].what.st_dev == what->st_dev && all[i].what.st_ino == what->st_ino)
            return true;
    return false;
}

static void keep(int fd, const struct stat *what, bool is_foreign)
{
    inherited_t new = {.fd = fd, .what = *what, .is_foreign = is_foreign};
    socklen_t len = sizeof(new.address);
    int on = 1;

    WEIR_MUST(getsockname(fd, (struct sockaddr *)&new.address, &len) == 0);
    new.is_both = weir_address_is_everywhere((const struct sockaddr *)&new.address) &&
                  new.address.ss_family == AF_INET6 &&option_of(fd, IPPROTO_IPV6, IPV6_V6ONLY) == 0;
    if (new.address.ss_family != AF_UNIX) /* what is accepted inherits it */
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (new.address.ss_family != AF_UNIX) /* as those that we open: a reload may bring another that overlaps it */
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    inherited_t *more = realloc(all, (all_count + 1) * sizeof(*all));
    WEIR_MUST(more != NULL);
    all = more;
    all[all_count++] = new;
}

/* One socket under two names is taken once: its other descriptor says nothing new. */
static void look_at(int fd, const char *variable, bool is_foreign)
{
    struct stat what;

    if (fd < FIRST_FD || fcntl(fd, F_SETFD, FD_CLOEXEC) == -1 || fstat(fd, &what) != 0 ||
        option_of(fd, SOL_SOCKET, SO_ACCEPTCONN) != 1 || option_of(fd, SOL_SOCKET, SO_TYPE) != SOCK_STREAM) {
        weir_log("%s: descriptor %d is no listening socket of a stream; it is not used", variable, fd);
        return;
    }
    if (is_known(&what))
        close(fd);
    else if (all_count < WEIR_INHERITED_MOST)
        keep(fd, &what, is_foreign);
    else
        weir_log("%s: descriptor %d is one too many; it is not used", variable, fd);
}

/* False if it is no number that a descriptor may have. */
static bool read_number(weir_span_t text, int *out_number)
{
    uint64_t number;

    if (!weir_span_to_u63(text, &number) || number > INT32_MAX)
        return false;
    *out_number = (int)number;
    return true;
}

static weir_span_t span_of(const char *text)
{
    return (weir_span_t){text, strlen(text)};
}

static void read_systemd(void)
{
    const char *count_text = getenv("LISTEN_FDS"), *pid_text = getenv("LISTEN_PID");
    int count, pid;

    if (count_text == NULL || pid_text == NULL || !read_number(span_of(pid_text), &pid) || pid != getpid())
        return;
    if (!read_number(span_of(count_text), &count) || count > WEIR_INHERITED_MOST) {
        weir_log("LISTEN_FDS must be a number up to %d; it is not looked at: %.40s", WEIR_INHERITED_MOST, count_text);
        return;
    }
    for (int i = 0; i < count; i++)
        look_at(FIRST_FD + i, "LISTEN_FDS", true);
}

/* "ADDRESS=FD": what the address is, the socket knows best. */
static void read_entry(weir_span_t entry)
{
    const char *equals = memrchr(entry.base, '=', entry.len);
    const size_t name_len = equals != NULL ? (size_t)(equals - entry.base) : 0;
    int fd;

    if (equals == NULL || !read_number((weir_span_t){equals + 1, entry.len - name_len - 1}, &fd))
        weir_log("SERVER_STARTER_PORT: must be ADDRESS=DESCRIPTOR: %.*s", entry.len < 40 ? (int)entry.len : 40, entry.base);
    else
        look_at(fd, "SERVER_STARTER_PORT", !weir_span_starts_with(entry, WEIR_SPAN("unix:")));
}

static void read_starter(void)
{
    const char *at = getenv("SERVER_STARTER_PORT");

    while (at != NULL && *at != '\0') {
        const size_t len = strcspn(at, ";");
        read_entry((weir_span_t){at, len});
        at += len + (at[len] == ';');
    }
}

void weir_inherited_read(void)
{
    static const char *const variables[] = {"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "SERVER_STARTER_PORT"};

    read_systemd();
    read_starter();
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
        unsetenv(variables[i]);
}

/* ---- taking ---- */

static bool is_of(const inherited_t *inherited, const weir_listen_t *listen)
{
    return inherited->address.ss_family == listen->address.ss_family &&
           memcmp(&inherited->address, &listen->address, listen->address_len) == 0;
}

static bool is_both_of(const inherited_t *inherited, const weir_listen_t *listen)
{
    return inherited->is_both && listen->address.ss_family == AF_INET &&
           weir_address_is_everywhere((const struct sockaddr *)&listen->address) &&
           weir_address_port((const struct sockaddr *)&inherited->address) ==
               weir_address_port((const struct sockaddr *)&listen->address);
}

/* Those that fit and are free; how many. A queue that no loop looked at would hold clients for ever, so all are taken. */
static unsigned take(const weir_listen_t *listen, bool (*fits)(const inherited_t *, const weir_listen_t *), int *fds)
{
    unsigned found = 0;

    for (size_t i = 0; i < all_count; i++) {
        if (all[i].is_taken || !fits(&all[i], listen))
            continue;
        all[i].is_taken = true;
        fds[found++] = all[i].fd;
    }
    return found;
}

static bool take_and_share(const weir_listen_t *listen, bool (*fits)(const inherited_t *, const weir_listen_t *),
                           unsigned count, weir_bound_t *out_bound)
{
    int *fds = malloc((all_count + count) * sizeof(*fds));

    WEIR_MUST(fds != NULL);
    const unsigned found = take(listen, fits, fds);
    if (found == 0) {
        free(fds);
        return false;
    }
    for (unsigned i = found; i < count; i++) {
        fds[i] = fcntl(fds[i % found], F_DUPFD_CLOEXEC, 0);
        WEIR_MUST(fds[i] != -1);
    }
    *out_bound = (weir_bound_t){.fds = fds, .count = found > count ? found : count, .is_inherited = true};
    return true;
}

bool weir_inherited_take(const weir_listen_t *listen, unsigned count, weir_bound_t *out_bound)
{
    return all_count > 0 && take_and_share(listen, is_of, count, out_bound);
}

bool weir_inherited_take_both(const weir_listen_t *listen, unsigned count, weir_bound_t *out_bound)
{
    if (all_count > 0 && take_and_share(listen, is_both_of, count, out_bound))
        return true;
    for (size_t i = 0; i < all_count; i++)
        if (is_both_of(&all[i], listen))
            return true;
    return false;
}

static void name_socket(const inherited_t *inherited, char *out_name, size_t size)
{
    char host[64] = "", port[8] = "";

    if (inherited->address.ss_family == AF_UNIX)
        snprintf(out_name, size, "unix:%s", ((const struct sockaddr_un *)&inherited->address)->sun_path);
    else if (getnameinfo((const struct sockaddr *)&inherited->address, sizeof(inherited->address), host, sizeof(host), port,
                         sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) == 0)
        snprintf(out_name, size, inherited->address.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
    else
        snprintf(out_name, size, "a socket of another family");
}

void weir_inherited_close_rest(void)
{
    char name[128];

    for (size_t i = 0; i < all_count; i++) {
        if (all[i].is_taken)
            continue;
        name_socket(&all[i], name, sizeof(name));
        weir_log("%s was handed over, but no `listen` names it: closed", name);
        close(all[i].fd);
        all[i].is_taken = true;
    }
}

bool weir_inherited_is_foreign(const weir_listen_t *listen)
{
    for (size_t i = 0; i < all_count; i++)
        if (all[i].is_foreign && is_of(&all[i], listen))
            return true;
    return false;
}

void weir_inherited_forget(void)
{
    free(all);
    all = NULL;
    all_count = 0;
}
