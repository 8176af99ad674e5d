/* SPDX-License-Identifier: MIT */
/*
 * A worker in C with libnghttp2: a small HTTP/2 server whose connections are dialled to Weir.
 *
 *   cc -O2 -pthread worker.c -o worker -lnghttp2          Debian: libnghttp2-dev
 *   ./worker                                              ROUTER=127.0.0.1:9001 APP=demo, and TOKEN, if there is one
 *
 * It knows no TLS: it is for a Weir on the same machine or behind a tunnel. A thread for each connection.
 * SIGTERM: it takes nothing new, finishes what runs, and exits.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <nghttp2/nghttp2.h>

enum {
    CONNECTIONS = 2,
    CAPACITY = 100,  /* each of the connections takes so many requests at once         */
    DEAD_MS = 15000, /* Weir sends a PING every five seconds: three are missing        */
    PIECE = 65536,
};

typedef struct request {
    struct request *next;
    int32_t id;
    char method[16], path[64];
    size_t received;
    char text[128]; /* the response */
    size_t length, sent, at_once;
    int64_t rest_at; /* when what is not sent at once is */
} request_t;

typedef struct link {
    int fd;
    nghttp2_session *session;
    request_t *requests;
    char bytes[PIECE];
} link_t;

static const char *router = "127.0.0.1:9001";
static char words[2048]; /* by which it registers */
static int stopping[2];  /* a pipe: its other end is closed when it is time to go */

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- the application: it fills in the response of a request that is complete ---- */

static void app(request_t *request)
{
    if (strcmp(request->method, "POST") == 0) {
        snprintf(request->text, sizeof(request->text), "%zu bytes\n", request->received);
    } else if (strcmp(request->path, "/slow") == 0) {
        snprintf(request->text, sizeof(request->text), "slow... and done\n");
        request->at_once = strlen("slow...");
        request->rest_at = now_ms() + 1000;
    } else {
        snprintf(request->text, sizeof(request->text), "hello from C %d\n", (int)getpid());
    }
    request->length = strlen(request->text);
}

/* ---- the server ---- */

static ssize_t read_response(nghttp2_session *session, int32_t id, uint8_t *to, size_t room, uint32_t *flags,
                             nghttp2_data_source *source, void *user)
{
    request_t *request = source->ptr;
    const size_t until = now_ms() >= request->rest_at ? request->length : request->at_once;
    const size_t count = until - request->sent < room ? until - request->sent : room;

    memcpy(to, request->text + request->sent, count);
    request->sent += count;
    if (request->sent == request->length)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    else if (count == 0)
        return NGHTTP2_ERR_DEFERRED; /* resume_due() goes on with it */
    return (ssize_t)count;
}

static int on_begin(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    link_t *link = user;
    request_t *request = calloc(1, sizeof(*request));

    if (request == NULL)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    request->id = frame->hd.stream_id;
    request->next = link->requests;
    link->requests = request;
    return nghttp2_session_set_stream_user_data(session, request->id, request);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_length,
                     const uint8_t *value, size_t value_length, uint8_t flags, void *user)
{
    request_t *request = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

    if (request != NULL && name_length == 7 && memcmp(name, ":method", 7) == 0)
        snprintf(request->method, sizeof(request->method), "%.*s", (int)value_length, (const char *)value);
    else if (request != NULL && name_length == 5 && memcmp(name, ":path", 5) == 0)
        snprintf(request->path, sizeof(request->path), "%.*s", (int)value_length, (const char *)value);
    return 0;
}

/* libnghttp2 opens the windows again by itself. */
static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t length, void *user)
{
    request_t *request = nghttp2_session_get_stream_user_data(session, id);

    if (request != NULL)
        request->received += length;
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    static uint8_t status[] = ":status", ok[] = "200", type[] = "content-type", plain[] = "text/plain";
    const nghttp2_nv head[] = {{status, ok, 7, 3, 0}, {type, plain, 12, 10, 0}};
    request_t *request = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

    if ((frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) || request == NULL ||
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0)
        return 0;
    app(request);
    const nghttp2_data_provider provider = {{.ptr = request}, read_response};
    return nghttp2_submit_response(session, request->id, head, 2, strcmp(request->method, "HEAD") == 0 ? NULL : &provider);
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t error_code, void *user)
{
    link_t *link = user;

    for (request_t **at = &link->requests; *at != NULL; at = &(*at)->next) {
        request_t *request = *at;
        if (request->id == id) {
            *at = request->next;
            free(request);
            break;
        }
    }
    return 0;
}

static ssize_t on_send(nghttp2_session *session, const uint8_t *data, size_t length, int flags, void *user)
{
    const ssize_t sent = send(((link_t *)user)->fd, data, length, MSG_NOSIGNAL);

    return sent < 0 ? NGHTTP2_ERR_CALLBACK_FAILURE : sent;
}

static nghttp2_session *create_session(link_t *link)
{
    const nghttp2_settings_entry most = {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, CAPACITY};
    nghttp2_session_callbacks *callbacks;
    nghttp2_session *session;

    if (nghttp2_session_callbacks_new(&callbacks) != 0)
        abort();
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    nghttp2_session_callbacks_set_send_callback(callbacks, on_send);
    if (nghttp2_session_server_new(&session, callbacks, link) != 0 ||
        nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, &most, 1) != 0)
        abort();
    nghttp2_session_callbacks_del(callbacks);
    return session;
}

static link_t *create_link(int fd)
{
    link_t *link = calloc(1, sizeof(*link));

    if (link == NULL)
        abort();
    link->fd = fd;
    link->session = create_session(link);
    return link;
}

static void destroy_link(link_t *link)
{
    nghttp2_session_del(link->session);
    for (request_t *request = link->requests, *next; request != NULL; request = next) {
        next = request->next;
        free(request);
    }
    close(link->fd);
    free(link);
}

/* Goes on with responses whose time has come; the time until the next one's, at most `most`. */
static int resume_due(link_t *link, int64_t now, int most)
{
    for (request_t *request = link->requests; request != NULL; request = request->next) {
        if (request->rest_at == 0 || request->length == request->sent)
            continue;
        if (request->rest_at <= now)
            (void)nghttp2_session_resume_data(link->session, request->id);
        else if (request->rest_at - now < most)
            most = (int)(request->rest_at - now);
    }
    return most;
}

/* Until the connection ends. So many bytes of it have been read already. */
static void serve(link_t *link, size_t count)
{
    struct pollfd waits[] = {{.fd = link->fd, .events = POLLIN}, {.fd = stopping[0], .events = POLLIN}};
    int64_t heard = now_ms();
    ssize_t received = (ssize_t)count;

    while (nghttp2_session_mem_recv(link->session, (uint8_t *)link->bytes, (size_t)received) >= 0) {
        const int64_t now = now_ms();
        const int wait = resume_due(link, now, (int)(heard + DEAD_MS - now));
        if (wait <= 0 || nghttp2_session_send(link->session) != 0)
            break;
        if (!nghttp2_session_want_read(link->session) && !nghttp2_session_want_write(link->session))
            break;
        received = 0;
        if (poll(waits, 2, wait) <= 0)
            continue;
        if (waits[1].revents != 0) { /* a GOAWAY; Weir closes the connection when what runs has ended */
            waits[1].fd = -1;
            (void)nghttp2_submit_shutdown_notice(link->session);
        }
        if (waits[0].revents != 0) {
            received = recv(link->fd, link->bytes, sizeof(link->bytes), 0);
            if (received <= 0)
                break;
            heard = now_ms();
        }
    }
}

/* ---- a connection, as any client makes it ---- */

static int connect_to(void)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    const struct timeval patience = {.tv_sec = DEAD_MS / 1000};
    const char *colon = strrchr(router, ':');
    struct addrinfo *found;
    char host[256];

    if (colon == NULL)
        return -1;
    snprintf(host, sizeof(host), "%.*s", (int)(colon - router), router);
    if (getaddrinfo(host, colon + 1, &hints, &found) != 0)
        return -1;
    const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (connect(fd, found->ai_addr, found->ai_addrlen) != 0)
        fprintf(stderr, "%s: %s\n", router, strerror(errno));
    freeaddrinfo(found);
    return fd;
}

/* ---- the dialler ---- */

/* How many bytes have come behind the 101, now at the beginning of link->bytes: HTTP/2's first, as a rule; -1: no 101. */
static ssize_t enter(link_t *link)
{
    size_t count = 0;
    const char *end = NULL;

    if (send(link->fd, words, strlen(words), MSG_NOSIGNAL) < 0)
        return -1;
    while (end == NULL && count < PIECE) {
        const ssize_t received = recv(link->fd, link->bytes + count, PIECE - count, 0);
        if (received <= 0)
            return -1;
        count += (size_t)received;
        end = memmem(link->bytes, count, "\r\n\r\n", 4);
    }
    if (end == NULL || strncmp(link->bytes, "HTTP/1.1 101 ", 13) != 0)
        return fprintf(stderr, "%s: %.*s\n", router, (int)count, link->bytes), -1;
    fprintf(stderr, "registered with %s\n", router);
    count -= (size_t)(end + 4 - link->bytes);
    memmove(link->bytes, end + 4, count);
    return (ssize_t)count;
}

static void *keep_dialling(void *unused)
{
    struct pollfd stop = {.fd = stopping[0], .events = POLLIN};
    unsigned seed = (unsigned)(now_ms() ^ getpid() ^ (intptr_t)&stop);

    for (int wait = 200, pause = 0; poll(&stop, 1, pause) == 0; wait = wait < 1000 ? wait * 2 : 2000) {
        link_t *link = create_link(connect_to());
        const ssize_t count = enter(link);
        if (count >= 0) {
            serve(link, (size_t)count);
            wait = 200;
        }
        destroy_link(link);
        pause = (int)(wait * (0.5 + (double)rand_r(&seed) / RAND_MAX));
        fprintf(stderr, "%s: no connection; again in %d ms\n", router, pause);
    }
    return NULL;
}

/* ---- main ---- */

static const char *setting(const char *name, const char *otherwise)
{
    const char *value = getenv(name);

    return value != NULL ? value : otherwise;
}

int main(void)
{
    pthread_t threads[CONNECTIONS];
    sigset_t term;
    int signal_number;
    const char *token = getenv("TOKEN");

    router = setting("ROUTER", router);
    snprintf(words, sizeof(words),
             "GET /workers/v1/%s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: ptth\r\nALPN: h2\r\n"
             "Worker-Protocol: 1\r\nWorker-Id: c-%d\r\nWorker-Capacity: %d\r\n%s%s%s\r\n",
             setting("APP", "demo"), router, (int)getpid(), CAPACITY, token != NULL ? "Authorization: Bearer " : "",
             token != NULL ? token : "", token != NULL ? "\r\n" : "");
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &term, NULL);
    if (pipe(stopping) != 0)
        return 1;
    for (int i = 0; i < CONNECTIONS; i++)
        pthread_create(&threads[i], NULL, keep_dialling, NULL);
    sigwait(&term, &signal_number);
    close(stopping[1]);
    for (int i = 0; i < CONNECTIONS; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
