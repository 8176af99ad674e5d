/* SPDX-License-Identifier: MIT */
/*
 * Clients and backends in one process, with a proxy between them: many requests of every kind, backends that misbehave, clients
 * that leave. What request N is, how its backend behaves and what must come of it follows from the seed and N, so both ends
 * know it and every byte is looked at on either side.
 *
 *   mixed SEED REQUESTS CONNECTIONS SECONDS LEDGER
 *
 * Prints "ports A STALE DEAD", waits for a line with the proxy's port, runs, prints a summary. Exit 0: nothing was wrong.
 * LEDGER gets a line "N must|may STATUS" for each request: whether it has reached the proxy for certain, and what its client
 * was told.
 *
 * Hosts: plain, deep (end to end 100-continue), none (no keep-alive), retry (DEAD, then A), dead (DEAD), stale (STALE), quiet
 * (short timeouts).
 */
#define _GNU_SOURCE
#include "mixed.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 128, READ_BYTES = 65536, SLOW_BYTES = 2048, TRICKLE_BYTES = 700, HANG_MS = 30000, SESSION_MOST = 8 };

/* What became of a request, as both ends have seen it. */
typedef struct record {
    uint16_t status; /* of the complete response, or 0 */
    bool is_started, is_seen, is_answered, is_aborted;
} record_t;

typedef struct bytes {
    char *at;
    size_t start, end, capacity;
} bytes_t;

typedef enum reading { HEAD, LENGTH, SIZE, DATA, DATA_END, TRAILER, UNTIL_END, TUNNEL, DONE } reading_t;

typedef struct conn {
    struct conn *next;
    int fd;
    bool is_client, is_listener, is_gone, has_ended, has_broken, is_slow, trickles, is_pipelined, ends_behind_out,
        resets_behind_out;
    uint16_t port;
    uint32_t events;
    int64_t moved_at_ms;
    bytes_t in, out;
    /* the message being read */
    reading_t reading;
    uint64_t id, offset, left;
    plan_t plan;
    unsigned status, interims;
    bool is_page, says_close, has_continued, is_drained;
    /* a client's session: requests [id, last), those before `sent` are on their way */
    uint64_t last, sent;
    uint64_t written, received, abort_written, abort_received; /* UINT64_MAX: stays */
} conn_t;

static struct {
    uint64_t requests, next, finished, complaints, aborted, complete, cut, pages, tunnels;
    record_t *records;
    conn_t *conns;
    unsigned clients;
    int epoll;
    uint16_t proxy_port;
} world;

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

__attribute__((format(printf, 2, 3))) static void complain(const conn_t *conn, const char *format, ...)
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

static size_t count_of(const bytes_t *bytes)
{
    return bytes->end - bytes->start;
}

static char *reserve(bytes_t *bytes, size_t count)
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

static void put(bytes_t *bytes, const char *data, size_t count)
{
    memcpy(reserve(bytes, count), data, count);
    bytes->end += count;
}

__attribute__((format(printf, 2, 3))) static void put_text(bytes_t *bytes, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    int count = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    put(bytes, text, (size_t)count);
}

static void put_content(bytes_t *bytes, uint64_t id, side_t side, uint64_t from, uint64_t count)
{
    content_fill(reserve(bytes, count), id, side, from, count);
    bytes->end += count;
}

/* The first `count` bytes of a body of `total`, in its framing; all of it includes its end. */
static void put_body(bytes_t *bytes, const plan_t *plan, uint64_t id, side_t side, framing_t framing, uint64_t count,
                     uint64_t total)
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

static void update(conn_t *conn)
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

static conn_t *conn_create(int fd, bool is_client)
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
static void conn_close(conn_t *conn, bool is_reset)
{
    const struct linger linger = {.l_onoff = 1, .l_linger = 0};

    if (conn->is_gone)
        return;
    conn->is_gone = true;
    if (is_reset)
        setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    close(conn->fd);
}

static int listen_on(uint16_t *out_port, bool is_dead)
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

/* ---- a client's requests ---- */

static void put_request(conn_t *conn, uint64_t id)
{
    plan_t plan = plan_of(id);

    world.records[id].is_started = true;
    put_text(&conn->out, "%s /r/%" PRIu64 " HTTP/1.%d\r\nHost: %s\r\n", plan.method, id, plan.is_old ? 0 : 1, plan.host);
    if (plan.closes)
        put_text(&conn->out, "Connection: close\r\n");
    if (plan.upgrades)
        put_text(&conn->out, "Connection: Upgrade\r\nUpgrade: echo\r\n");
    if (plan.expects)
        put_text(&conn->out, "Expect: 100-continue\r\n");
    if (plan.request_framing == FRAMING_LENGTH)
        put_text(&conn->out, "Content-Length: %" PRIu64 "\r\n", plan.request_bytes);
    if (plan.request_framing == FRAMING_CHUNKED)
        put_text(&conn->out, "Transfer-Encoding: chunked\r\n");
    put_text(&conn->out, "X-Id: %" PRIu64 "\r\n\r\n", id);
    if (plan.request_framing != FRAMING_NONE && !plan.waits)
        put_body(&conn->out, &plan, id, SIDE_REQUEST, plan.request_framing, plan.request_bytes, plan.request_bytes);
}

static void begin_response(conn_t *conn)
{
    conn->reading = HEAD;
    conn->offset = conn->interims = conn->status = 0;
    conn->is_page = conn->says_close = conn->has_continued = false;
    conn->plan = plan_of(conn->id);
}

/* The next request, or several in one go; false if the session is over. */
static bool send_requests(conn_t *conn)
{
    if (conn->id == conn->last)
        return false;
    begin_response(conn);
    while (conn->sent < conn->last && (conn->sent == conn->id || conn->is_pipelined)) {
        put_request(conn, conn->sent++);
        if (plan_of(conn->sent - 1).waits || plan_of(conn->sent - 1).upgrades)
            break; /* what follows on the wire depends on the answer */
    }
    return true;
}

static void session_start(uint64_t first, uint64_t last)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(world.proxy_port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), small = 4096;
    uint64_t dice = mix(first * 31 + last + 7);
    bool is_slow = (dice & 15) == 0;

    if (fd != -1 && is_slow)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    if (fd == -1 || (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0 && errno != EINPROGRESS)) {
        perror("connect");
        exit(2);
    }
    conn_t *conn = conn_create(fd, true);
    world.clients++;
    conn->id = conn->sent = first;
    conn->last = last;
    conn->is_slow = is_slow;
    conn->is_pipelined = (dice >> 4 & 3) == 0;
    conn->trickles = (dice >> 6 & 31) == 0;
    if ((dice >> 12 & 15) == 0)
        conn->abort_written = (dice >> 16) % 1000;
    else if ((dice >> 12 & 15) == 1)
        conn->abort_received = (dice >> 16) % 3000;
    send_requests(conn);
    update(conn);
}

/* Ends the connection; what the session has not got to yet goes on over another one. */
static void session_end(conn_t *conn, bool is_reset)
{
    if (conn->is_gone)
        return;
    conn_close(conn, is_reset);
    world.clients--;
    if (conn->id < conn->last)
        session_start(conn->id, conn->last);
}

static void session_abort(conn_t *conn)
{
    world.aborted++;
    world.records[conn->id].is_aborted = true;
    for (uint64_t id = conn->id; id < conn->sent; id++) {
        world.records[id].is_aborted = true;
        world.finished++;
    }
    conn->id = conn->sent;
    session_end(conn, (mix(conn->id) & 1) != 0);
}

/* ---- what must have come of a request ---- */

static bool is_right(const conn_t *conn, bool is_complete)
{
    const plan_t *plan = &conn->plan;
    bool is_answer = is_complete && !conn->is_page && conn->status == plan->status;

    switch (plan->fault) {
    case FAULT_NONE:
    case FAULT_SURPLUS:
    case FAULT_EARLY:
    case FAULT_EARLY_END:
    case FAULT_STORM:
        return is_answer && (plan->is_old || conn->interims == plan->interims);
    case FAULT_LEAVE:
        return is_answer || (!plan_is_repeatable(plan) && is_complete && conn->is_page && conn->status == 503);
    case FAULT_FLOOD:
        return is_complete && conn->is_page && conn->status == 502;
    case FAULT_CLOSE:
    case FAULT_RESET:
    case FAULT_REFUSED:
    case FAULT_SILENCE:
        return is_complete && conn->is_page && conn->status == 503;
    case FAULT_BAD_HEAD:
        return is_complete && conn->is_page && (conn->status == 502 || conn->status == 503);
    case FAULT_TRUNCATE:
    case FAULT_STALL:
    case FAULT_TRUNCATE_RESET:
    case FAULT_BAD_CHUNK:
        if (conn->is_page)
            return is_complete && (conn->status == 502 || conn->status == 503);
        if (plan->fault != FAULT_BAD_CHUNK && plan->response_framing == FRAMING_LENGTH && plan->response_bytes <= 65536)
            return false;                                                    /* short ones are held until they are whole */
        return !is_complete || (plan->is_old && conn->reading == UNTIL_END); /* HTTP/1.0 cannot tell */
    }
    return false;
}

/* The response is over, one way or the other. */
static void judge(conn_t *conn, bool is_complete)
{
    record_t *record = &world.records[conn->id];

    if (!is_right(conn, is_complete))
        complain(conn, "%s response%s, after %u interim ones", is_complete ? "a complete" : "an incomplete",
                 conn->is_page ? " of the proxy" : "", conn->interims);
    if (is_complete && !conn->is_page && conn->plan.fault != FAULT_BAD_CHUNK && conn->reading != TUNNEL &&
        plan_has_body(&conn->plan) && conn->offset != conn->plan.response_bytes && is_answer_fault(conn->plan.fault))
        complain(conn, "a body of another length");
    if (is_complete && conn->reading != UNTIL_END)
        record->status = (uint16_t)conn->status;
    world.complete += is_complete && !conn->is_page;
    world.pages += conn->is_page;
    world.cut += !is_complete;
    world.finished++;
    bool lives =
        is_complete && !conn->says_close && !conn->plan.is_old && conn->reading != TUNNEL && conn->reading != UNTIL_END;
    conn->id++;
    if (!lives || conn->id == conn->last) {
        session_end(conn, false);
        return;
    }
    if (conn->sent > conn->id)
        begin_response(conn); /* it is on its way already */
    else
        send_requests(conn);
}

/* ---- messages ---- */

/* The value of a header, or NULL. The head ends with a NUL. */
static const char *find_header(const char *head, const char *name)
{
    size_t len = strlen(name);

    for (const char *line = strchr(head, '\n'); line != NULL; line = strchr(line + 1, '\n')) {
        if (strncasecmp(line + 1, name, len) == 0 && line[1 + len] == ':')
            return line + 2 + len + strspn(line + 2 + len, " ");
    }
    return NULL;
}

static void read_framing(conn_t *conn, const char *head, bool has_body, reading_t otherwise)
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

static void begin_tunnel(conn_t *conn)
{
    world.tunnels++;
    conn->reading = TUNNEL;
    put_content(&conn->out, conn->id, SIDE_REQUEST, 0, conn->plan.tunnel_bytes);
}

static void on_interim(conn_t *conn)
{
    if (conn->status != 100) {
        conn->interims++;
        return;
    }
    if (!conn->plan.expects || conn->has_continued)
        complain(conn, "a 100 that nobody waits for");
    conn->has_continued = true;
    if (conn->plan.waits)
        put_body(&conn->out, &conn->plan, conn->id, SIDE_REQUEST, conn->plan.request_framing, conn->plan.request_bytes,
                 conn->plan.request_bytes);
}

static void on_response_head(conn_t *conn, const char *head)
{
    const char *connection = find_header(head, "Connection"), *id = find_header(head, "X-Id");

    if (sscanf(head, "HTTP/1.1 %3u ", &conn->status) != 1) {
        complain(conn, "no status line: %.40s", head);
        session_end(conn, true);
        return;
    }
    world.records[conn->id].is_answered = true;
    if (conn->status < 200 && conn->status != 101) {
        if (conn->plan.is_old)
            complain(conn, "an interim response for HTTP/1.0");
        on_interim(conn);
        return;
    }
    conn->is_page = id == NULL;
    conn->says_close = connection != NULL && strncasecmp(connection, "close", 5) == 0;
    if (id != NULL && strtoull(id, NULL, 10) != conn->id)
        complain(conn, "the response of request %.20s", id);
    if (conn->status == 101)
        begin_tunnel(conn);
    else
        read_framing(conn, head, strcmp(conn->plan.method, "HEAD") != 0 && conn->status != 204 && conn->status != 304,
                     UNTIL_END);
}

/* Takes one line from the input, without its end; NULL if it is not complete. */
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
static bool read_body(conn_t *conn)
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
static char *take_head(conn_t *conn)
{
    char *at = conn->in.at + conn->in.start, *end = memmem(at, count_of(&conn->in), "\r\n\r\n", 4);

    if (end == NULL)
        return NULL;
    end[2] = '\0';
    conn->in.start = (size_t)(end + 4 - conn->in.at);
    return at;
}

static void client_process(conn_t *conn)
{
    while (!conn->is_gone) {
        if (conn->reading == DONE) {
            judge(conn, true);
            continue;
        }
        if (conn->reading == HEAD) {
            char *head = count_of(&conn->in) > 0 ? take_head(conn) : NULL;
            if (head == NULL)
                break;
            on_response_head(conn, head);
            continue;
        }
        if (!read_body(conn))
            break;
    }
    if (!conn->is_gone && conn->reading == TUNNEL && conn->offset == conn->plan.tunnel_bytes && !conn->ends_behind_out) {
        conn->ends_behind_out = true; /* everything came back: our side is said */
        shutdown(conn->fd, SHUT_WR);
    }
}

static void client_ended(conn_t *conn)
{
    if (conn->reading == TUNNEL)
        judge(conn, conn->offset == conn->plan.tunnel_bytes);
    else
        judge(conn, conn->reading == UNTIL_END && !conn->has_broken);
}

/* ---- backends ---- */

static void put_response_head(conn_t *conn, const plan_t *plan)
{
    put_text(&conn->out, "HTTP/1.1 %u Whatever\r\nX-Id: %" PRIu64 "\r\n", plan->status, conn->id);
    if (plan->response_framing == FRAMING_LENGTH && plan->status != 204)
        put_text(&conn->out, "Content-Length: %" PRIu64 "\r\n", plan->response_bytes);
    if (plan->response_framing == FRAMING_CHUNKED && plan_has_body(plan))
        put_text(&conn->out, "Transfer-Encoding: chunked\r\n");
    if (plan->fault == FAULT_EARLY_END)
        put_text(&conn->out, "Connection: close\r\n");
    if (plan->fault == FAULT_BAD_HEAD)
        put_text(&conn->out, "no colon\r\n");
    put_text(&conn->out, "\r\n");
}

static void respond(conn_t *conn)
{
    const plan_t *plan = &conn->plan;
    bytes_t *out = &conn->out;

    if (plan->fault == FAULT_CLOSE || plan->fault == FAULT_RESET || plan->fault == FAULT_SILENCE) {
        if (plan->fault != FAULT_SILENCE)
            conn_close(conn, plan->fault == FAULT_RESET);
        return;
    }
    for (unsigned i = 0; i < plan->interims; i++)
        put_text(out, "HTTP/1.1 %u Interim\r\nX-Interim: %u\r\n\r\n", i % 2 == 0 ? 103 : 102, i);
    if (plan->upgrades) {
        put_text(out, "HTTP/1.1 101 Fine\r\nConnection: Upgrade\r\nUpgrade: echo\r\nX-Id: %" PRIu64 "\r\n\r\n", conn->id);
        conn->reading = TUNNEL;
        return;
    }
    put_response_head(conn, plan);
    uint64_t count = plan->response_bytes;
    if (plan->fault == FAULT_TRUNCATE || plan->fault == FAULT_TRUNCATE_RESET || plan->fault == FAULT_STALL ||
        plan->fault == FAULT_BAD_CHUNK)
        count = mix(conn->id) % count;
    if (plan_has_body(plan))
        put_body(out, plan, conn->id, SIDE_RESPONSE, plan->response_framing, count, plan->response_bytes);
    if (plan->fault == FAULT_BAD_CHUNK)
        put_text(out, "zz\r\n");
    if (plan->fault == FAULT_SURPLUS) /* in one packet: no proxy can know what comes later */
        conn->trickles = false, put_text(out, "HTTP/1.1 200 Evil\r\nX-Id: 0\r\nContent-Length: 4\r\n\r\nevil");
    conn->resets_behind_out = plan->fault == FAULT_TRUNCATE_RESET;
    conn->ends_behind_out = plan->fault == FAULT_TRUNCATE || plan->fault == FAULT_LEAVE || plan->fault == FAULT_EARLY_END ||
                            (plan_has_body(plan) && plan->response_framing == FRAMING_NONE);
}

static void on_request_head(conn_t *conn, const char *head)
{
    const char *path = strstr(head, " /r/");
    uint64_t id = path != NULL ? strtoull(path + 4, NULL, 10) : UINT64_MAX;

    if (id >= world.requests) {
        complain(conn, "a request that nobody made: %.60s", head);
        conn_close(conn, true);
        return;
    }
    conn->id = id;
    conn->plan = plan_of(id);
    world.records[id].is_seen = true;
    const char *header = find_header(head, "X-Id");
    if (header == NULL || strtoull(header, NULL, 10) != id || strncmp(head, conn->plan.method, strlen(conn->plan.method)) != 0)
        complain(conn, "a request put together from several");
    read_framing(conn, head, true, DONE);
    bool is_asked = find_header(head, "Expect") != NULL;
    if (is_asked != (conn->plan.expects && strcmp(conn->plan.host, "deep") == 0))
        complain(conn, "Expect has %s", is_asked ? "arrived" : "been lost");
    conn->is_drained = plan_is_early(&conn->plan);
    if (conn->is_drained)
        respond(conn);
    else if (is_asked)
        put_text(&conn->out, "HTTP/1.1 100 Continue\r\n\r\n");
}

static void backend_process(conn_t *conn)
{
    while (!conn->is_gone) {
        if (conn->reading == HEAD) {
            char *head = count_of(&conn->in) > 0 ? take_head(conn) : NULL;
            if (head == NULL)
                return;
            on_request_head(conn, head);
        } else if (conn->reading == TUNNEL) {
            put(&conn->out, conn->in.at + conn->in.start, count_of(&conn->in));
            conn->in.start = conn->in.end;
            return;
        } else if (conn->reading == DONE) {
            if (conn->offset != conn->plan.request_bytes)
                complain(conn, "a request body of another length");
            conn->reading = HEAD;
            if (!conn->is_drained)
                respond(conn);
        } else if (!read_body(conn)) {
            return;
        }
    }
}

static void backend_ended(conn_t *conn)
{
    bool may_be_cut = world.records[conn->id].is_aborted || !is_answer_fault(conn->plan.fault) || plan_is_early(&conn->plan);

    if (conn->reading != HEAD && conn->reading != TUNNEL && conn->reading != DONE && !may_be_cut)
        complain(conn, "a request body that ends too early");
    if (conn->reading == TUNNEL && count_of(&conn->out) > 0)
        conn->ends_behind_out = true;
    else
        conn_close(conn, false);
}

/* ---- sockets ---- */

static void flush(conn_t *conn)
{
    while (count_of(&conn->out) > 0 && !conn->has_broken && !conn->is_gone) {
        size_t most = conn->trickles ? TRICKLE_BYTES : count_of(&conn->out);
        if (conn->abort_written - conn->written < most)
            most = (size_t)(conn->abort_written - conn->written);
        if (most > count_of(&conn->out))
            most = count_of(&conn->out);
        ssize_t count = most == 0 ? 0 : write(conn->fd, conn->out.at + conn->out.start, most);
        if (count < 0 && errno == EAGAIN)
            return;
        conn->has_broken = count < 0;
        if (count > 0) {
            conn->out.start += (size_t)count;
            conn->written += (size_t)count;
            conn->moved_at_ms = now_ms();
        }
        if (conn->is_client && conn->written == conn->abort_written) {
            session_abort(conn);
            return;
        }
        if (conn->trickles)
            return;
    }
    if (conn->is_client || conn->is_gone || count_of(&conn->out) > 0)
        return;
    if (conn->resets_behind_out)
        conn_close(conn, true);
    else if (conn->ends_behind_out && (conn->has_ended || !conn->is_drained))
        conn_close(conn, false);
    else if (conn->ends_behind_out)
        shutdown(conn->fd, SHUT_WR);
}

static void on_readable(conn_t *conn)
{
    size_t room = conn->is_slow ? SLOW_BYTES : READ_BYTES;

    if (conn->abort_received - conn->received < room)
        room = (size_t)(conn->abort_received - conn->received) + 1;
    ssize_t count = read(conn->fd, reserve(&conn->in, room), room);
    if (count < 0 && errno == EAGAIN)
        return;
    conn->moved_at_ms = now_ms();
    if (count > 0) {
        conn->in.end += (size_t)count;
        conn->received += (size_t)count;
        if (conn->is_client)
            client_process(conn);
        else
            backend_process(conn);
        if (!conn->is_gone && conn->is_client && conn->received > conn->abort_received)
            session_abort(conn);
        return;
    }
    conn->has_ended = true;
    conn->has_broken = conn->has_broken || count < 0;
    if (conn->is_client)
        client_ended(conn);
    else
        backend_ended(conn);
}

static void on_event(conn_t *conn, uint32_t events)
{
    int fd;

    if (conn->is_listener) {
        while ((fd = accept4(conn->fd, NULL, NULL, SOCK_NONBLOCK)) != -1)
            conn_create(fd, false)->trickles = (mix((uint64_t)fd + world.finished) & 31) == 0;
        return;
    }
    if (!conn->is_gone && (events & EPOLLOUT) != 0)
        flush(conn);
    if (!conn->is_gone && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && !conn->has_ended)
        on_readable(conn);
    if (!conn->is_gone)
        flush(conn);
    update(conn);
}

/* The slow ones have their turn, the dead ones are freed, those that hang are told about. */
static void sweep(void)
{
    int64_t now = now_ms();

    for (conn_t **link = &world.conns; *link != NULL;) {
        conn_t *conn = *link;
        if (conn->is_gone) {
            *link = conn->next;
            free(conn->in.at);
            free(conn->out.at);
            free(conn);
            continue;
        }
        link = &conn->next;
        if (conn->is_slow || conn->trickles)
            on_event(conn, EPOLLIN);
        if (!conn->is_gone && conn->is_client && now - conn->moved_at_ms > HANG_MS) {
            complain(conn, "nothing for %d s", HANG_MS / 1000);
            session_abort(conn);
        }
    }
}

static void run(unsigned connections, int64_t until_ms)
{
    struct epoll_event events[EVENTS];

    while (world.finished < world.requests) {
        while (world.clients < connections && world.next < world.requests) {
            uint64_t count = 1 + mix(world.next + 99) % SESSION_MOST, first = world.next;
            world.next = first + count < world.requests ? first + count : world.requests;
            session_start(first, world.next);
        }
        int count = epoll_wait(world.epoll, events, EVENTS, 1);
        for (int i = 0; i < count; i++)
            on_event(events[i].data.ptr, events[i].events);
        sweep();
        if (now_ms() > until_ms) {
            fprintf(stderr, "%" PRIu64 " of %" PRIu64 " requests when the time was over\n", world.finished, world.requests);
            world.complaints++;
            return;
        }
    }
}

static void write_ledger(const char *path)
{
    FILE *file = fopen(path, "w");

    if (file == NULL) {
        perror(path);
        exit(2);
    }
    for (uint64_t id = 0; id < world.requests; id++) {
        const record_t *record = &world.records[id];
        if (record->is_started)
            fprintf(file, "%" PRIu64 " %s %u\n", id, record->is_seen || record->is_answered ? "must" : "may", record->status);
    }
    fclose(file);
}

int main(int argc, char **argv)
{
    uint16_t port, stale_port, dead_port;
    char line[32];

    if (argc != 6) {
        fputs("usage: mixed SEED REQUESTS CONNECTIONS SECONDS LEDGER\n", stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    mixed_seed = strtoull(argv[1], NULL, 10);
    world.requests = strtoull(argv[2], NULL, 10);
    world.records = calloc(world.requests + 1, sizeof(*world.records));
    world.epoll = epoll_create1(0);
    conn_create(listen_on(&port, false), false)->is_listener = true;
    conn_create(listen_on(&stale_port, false), false)->is_listener = true;
    listen_on(&dead_port, true);
    printf("ports %u %u %u\n", port, stale_port, dead_port);
    fflush(stdout);
    if (world.records == NULL || fgets(line, sizeof(line), stdin) == NULL)
        return 2;
    world.proxy_port = (uint16_t)atoi(line);
    int64_t begin = now_ms();
    run((unsigned)atoi(argv[3]), begin + 1000 * atoll(argv[4]));
    write_ledger(argv[5]);
    printf("requests=%" PRIu64 " complete=%" PRIu64 " pages=%" PRIu64 " cut=%" PRIu64 " aborted=%" PRIu64 " tunnels=%" PRIu64
           " complaints=%" PRIu64 " ms=%" PRId64 "\n",
           world.requests, world.complete, world.pages, world.cut, world.aborted, world.tunnels, world.complaints,
           now_ms() - begin);
    return world.complaints == 0 ? 0 : 1;
}
