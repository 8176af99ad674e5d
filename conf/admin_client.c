/* SPDX-License-Identifier: MIT */
#include "conf/admin_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/must.h"

enum { WAIT_S = 60, PIECE_BYTES = 65536, ANSWER_MOST = 256 << 20 };

typedef struct text {
    char *at;
    size_t length, capacity;
} text_t;

static bool say(char *problem, size_t bytes, const char *path, const char *what)
{
    snprintf(problem, bytes, "%s: %s", path, what);
    return false;
}

/* -1: `problem` says why. */
static int open_socket(const char *path, char *problem, size_t bytes)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct timeval wait = {.tv_sec = WAIT_S};
    int fd;

    if (strlen(path) >= sizeof(address.sun_path)) {
        (void)say(problem, bytes, path, "this is too long for the name of a socket");
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path));
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    WEIR_MUST(fd != -1);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    (void)say(problem, bytes, path, strerror(errno));
    close(fd);
    return -1;
}

static bool send_all(int fd, const char *bytes, size_t count)
{
    while (count > 0) {
        const ssize_t sent = send(fd, bytes, count, MSG_NOSIGNAL);
        if (sent == -1 && errno != EINTR)
            return false;
        if (sent == -1)
            continue;
        bytes += sent;
        count -= (size_t)sent;
    }
    return true;
}

static bool send_request(int fd, const char *method, const char *target, const json_t *body)
{
    char *text = body == NULL ? NULL : json_dumps(body, JSON_COMPACT), *request = NULL;
    const int length = asprintf(&request, "%s %s HTTP/1.1\r\nHost: weir\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
                                method, target, text == NULL ? 0 : strlen(text), text == NULL ? "" : text);

    WEIR_MUST(length != -1);
    const bool is_sent = send_all(fd, request, (size_t)length);
    free(request);
    free(text);
    return is_sent;
}

/* Until its end; NUL-terminated. */
static bool receive_all(int fd, text_t *text)
{
    for (;;) {
        if (text->capacity - text->length < PIECE_BYTES + 1) {
            text->capacity = text->capacity * 2 + 2 * (size_t)PIECE_BYTES;
            text->at = realloc(text->at, text->capacity);
            WEIR_MUST(text->at != NULL);
        }
        const ssize_t count = recv(fd, text->at + text->length, PIECE_BYTES, 0);
        if (count == -1 && errno == EINTR)
            continue;
        if (count > 0)
            text->length += (size_t)count;
        text->at[text->length] = '\0';
        if (count <= 0 || text->length > ANSWER_MOST)
            return count == 0;
    }
}

/* In place: sizes are hexadecimal, each on a line of its own (RFC 9112 §7.1). */
static void join_chunks(char *body)
{
    char *to = body, *end;

    for (;;) {
        const unsigned long size = strtoul(body, &end, 16);
        body = strstr(end, "\r\n");
        if (size == 0 || body == NULL || strlen(body + 2) < size)
            break;
        memmove(to, body + 2, size);
        to += size;
        body += 2 + size + 2;
    }
    *to = '\0';
}

static bool read_answer(text_t *text, conf_admin_answer_t *out)
{
    static const char version[] = "HTTP/1.1 ";
    char *head_end = strstr(text->at, "\r\n\r\n");

    if (head_end == NULL || strncmp(text->at, version, sizeof(version) - 1) != 0)
        return false;
    out->status = (unsigned)strtoul(text->at + sizeof(version) - 1, NULL, 10);
    *head_end = '\0';
    char *body = head_end + 4;
    if (strcasestr(text->at, "transfer-encoding: chunked") != NULL)
        join_chunks(body);
    out->document = *body == '\0' ? NULL : json_loads(body, 0, NULL);
    return *body == '\0' || out->document != NULL;
}

bool conf_admin_call(const char *path, const char *method, const char *target, const json_t *body, conf_admin_answer_t *out,
                     char *problem, size_t problem_bytes)
{
    const int fd = open_socket(path, problem, problem_bytes);
    text_t text = {NULL, 0, 0};

    *out = (conf_admin_answer_t){0, NULL};
    if (fd == -1)
        return false;
    bool is_fine = send_request(fd, method, target, body) && receive_all(fd, &text);
    close(fd);
    if (!is_fine)
        (void)say(problem, problem_bytes, path, "there is no answer");
    else if (!read_answer(&text, out))
        is_fine = say(problem, problem_bytes, path, "what answers there is no admin endpoint");
    free(text.at);
    return is_fine;
}
