/* SPDX-License-Identifier: MIT */
/* Queues of bytes, connections, and what both ends do with a message. */
#define _GNU_SOURCE
#include "mixed_conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

__attribute__((format(printf, 2, 3))) void complain(const conn_t *conn, const char *format, ...)
{
    va_list args;

    if (++world.complaints > 20)
        return;
    fprintf(stderr, "%s, request %" PRIu64 " (", conn->is_client ? "client" : "backend", conn->id);
    plan_print(&conn->plan, stderr);
    fprintf(stderr, "): ");
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, " [status %u, offset %" PRIu64 "]\n", conn->status, conn->offset);
}
/* ---- bytes ---- */

size_t count_of(const bytes_t *bytes)
{
    return bytes->end - bytes->start;
}

char *reserve(bytes_t *bytes, size_t count)
{
    if (bytes->start > 0) {
        memmove(bytes->at, bytes->at + bytes->start, count_of(bytes));
        bytes->end -= bytes->start;
        bytes->start = 0;
    }
    if (bytes->end + count > bytes->capacity) {
        bytes->capacity = 2 * (bytes->end + count);
        bytes->at = realloc(bytes->at, bytes->capacity);
        if (bytes->at == NULL)
            abort();
    }
    return bytes->at + bytes->end;
}

void put(bytes_t *bytes, const char *data, size_t count)
{
    memcpy(reserve(bytes, count), data, count);
    bytes->end += count;
}

__attribute__((format(printf, 2, 3))) void put_text(bytes_t *bytes, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    int count = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    put(bytes, text, (size_t)count);
}

void put_content(bytes_t *bytes, uint64_t id, side_t side, uint64_t from, uint64_t count)
{
    content_fill(reserve(bytes, count), id, side, from, count);
    bytes->end += count;
}

/* The first `count` bytes of a body of `total`, in its framing; all of it includes its end. */
void put_body(bytes_t *bytes, const plan_t *plan, uint64_t id, side_t side, framing_t framing, uint64_t count, uint64_t total)
{
    if (framing != FRAMING_CHUNKED) {
        put_content(bytes, id, side, 0, count);
        return;
    }
    for (uint64_t at = 0; at < count;) {
        uint64_t size = 1 + (mix(id ^ at ^ plan->salt) & (total > 10000 ? 0x3fff : 0xff));
        if (size > count - at)
            size = count - at;
        put_text(bytes, (size & 3) == 0 ? "%" PRIx64 ";x=\"y;\"\r\n" : "%" PRIX64 "\r\n", size);
        put_content(bytes, id, side, at, size);
        put(bytes, "\r\n", 2);
        at += size;
    }
    if (count == total)
        put_text(bytes, "0\r\n%s\r\n", plan->has_trailer ? "X-Sum: 1\r\n" : "");
}
/* ---- connections ---- */

void update(conn_t *conn)
{
    uint32_t events = 0;

    if (conn->is_gone)
        return;
    if (!conn->has_ended && !conn->is_slow)
        events |= EPOLLIN;
    if (count_of(&conn->out) > 0 && !conn->has_broken && !conn->trickles)
        events |= EPOLLOUT;
    if (events == conn->events)
        return;
    conn->events = events;
    struct epoll_event event = {.events = events, .data.ptr = conn};
    epoll_ctl(world.epoll, EPOLL_CTL_MOD, conn->fd, &event);
}

conn_t *conn_create(int fd, bool is_client)
{
    int on = 1;
    conn_t *conn = calloc(1, sizeof(*conn));

    if (conn == NULL)
        abort();
    conn->fd = fd;
    conn->is_client = is_client;
    conn->abort_written = conn->abort_received = UINT64_MAX;
    conn->moved_at_ms = now_ms();
    conn->events = EPOLLIN;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};
    epoll_ctl(world.epoll, EPOLL_CTL_ADD, fd, &event);
    conn->next = world.conns;
    world.conns = conn;
    return conn;
}

/* It is freed by the sweep, as an event of this turn may still point to it. */
void conn_close(conn_t *conn, bool is_reset)
{
    const struct linger linger = {.l_onoff = 1, .l_linger = 0};

    if (conn->is_gone)
        return;
    conn->is_gone = true;
    if (is_reset)
        setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    close(conn->fd);
}

int listen_on(uint16_t *out_port, bool is_dead)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    if (fd == -1 || bind(fd, (struct sockaddr *)&address, len) != 0 || (!is_dead && listen(fd, 4096) != 0) ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        perror("listen");
        exit(2);
    }
    *out_port = ntohs(address.sin_port);
    return fd;
}
/* ---- messages ---- */

/* The value of a header, or NULL. The head ends with a NUL. */
const char *find_header(const char *head, const char *name)
{
    size_t len = strlen(name);

    for (const char *line = strchr(head, '\n'); line != NULL; line = strchr(line + 1, '\n')) {
        if (strncasecmp(line + 1, name, len) == 0 && line[1 + len] == ':')
            return line + 2 + len + strspn(line + 2 + len, " ");
    }
    return NULL;
}

void read_framing(conn_t *conn, const char *head, bool has_body, reading_t otherwise)
{
    const char *length = find_header(head, "Content-Length"), *coding = find_header(head, "Transfer-Encoding");

    if (length != NULL && coding != NULL)
        complain(conn, "two framings");
    conn->offset = 0;
    if (!has_body)
        conn->reading = DONE;
    else if (coding != NULL)
        conn->reading = SIZE;
    else if (length == NULL)
        conn->reading = otherwise;
    else
        conn->left = strtoull(length, NULL, 10), conn->reading = conn->left > 0 ? LENGTH : DONE;
}

static char *take_line(conn_t *conn)
{
    char *at = conn->in.at + conn->in.start, *end = memmem(at, count_of(&conn->in), "\r\n", 2);

    if (end == NULL)
        return NULL;
    *end = '\0';
    conn->in.start = (size_t)(end + 2 - conn->in.at);
    return at;
}

static void check_content(conn_t *conn, size_t count)
{
    side_t side = conn->is_client ? conn->reading == TUNNEL ? SIDE_REQUEST : SIDE_RESPONSE : SIDE_REQUEST;
    bool is_ours = !conn->is_client || !conn->is_page;

    if (is_ours && !content_matches(conn->in.at + conn->in.start, conn->id, side, conn->offset, count)) {
        complain(conn, "foreign bytes");
        conn->is_page = conn->is_client; /* once is enough */
    }
    conn->offset += count;
    conn->in.start += count;
}

static size_t at_most(const conn_t *conn, uint64_t left)
{
    return count_of(&conn->in) < left ? count_of(&conn->in) : (size_t)left;
}

/* Reads on in the body; false if more bytes are needed. */
bool read_body(conn_t *conn)
{
    char *line, *end;
    size_t count;

    switch (conn->reading) {
    case SIZE:
        if ((line = take_line(conn)) == NULL)
            return false;
        conn->left = strtoull(line, &end, 16);
        if (end == line || *end != '\0')
            complain(conn, "a chunk size \"%.30s\"", line);
        conn->reading = conn->left > 0 ? DATA : TRAILER;
        return true;
    case TRAILER:
        if ((line = take_line(conn)) == NULL)
            return false;
        if (*line == '\0')
            conn->reading = DONE;
        return true;
    case DATA_END:
        if ((line = take_line(conn)) == NULL)
            return false;
        if (*line != '\0')
            complain(conn, "a chunk that is too long");
        conn->reading = SIZE;
        return true;
    case LENGTH:
    case DATA:
        count = at_most(conn, conn->left);
        check_content(conn, count);
        conn->left -= count;
        if (conn->left == 0)
            conn->reading = conn->reading == DATA ? DATA_END : DONE;
        return count > 0 || conn->left == 0;
    case UNTIL_END:
    case TUNNEL:
        check_content(conn, count_of(&conn->in));
        return false;
    case HEAD:
    case DONE:
        break;
    }
    return false;
}

/* Takes a head from the input; NULL if it is not complete. */
char *take_head(conn_t *conn)
{
    char *at = conn->in.at + conn->in.start, *end = memmem(at, count_of(&conn->in), "\r\n\r\n", 4);

    if (end == NULL)
        return NULL;
    end[2] = '\0';
    conn->in.start = (size_t)(end + 4 - conn->in.at);
    return at;
}
