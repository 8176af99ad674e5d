/* SPDX-License-Identifier: MIT */
#include "conf/admin_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "conf/admin_wire.h"
#include "lib/base/must.h"

enum {
    WAIT_MS = 60000,
    WAIT_LONG_MS = 660000,
    STATUS_FAILED = 400,
    PIECE_BYTES = 65536,
    ANSWER_MOST = 256 << 20,
};

static unsigned usual_wait_ms = WAIT_MS;

typedef struct text {
    char *at;
    size_t length, capacity;
} text_t;

static bool say(char *problem, size_t bytes, const char *path, const char *what)
{
    snprintf(problem, bytes, "%s: %s", path, what);
    return false;
}

static bool send_request(conf_admin_wire_t *wire, const char *method, const char *target, const json_t *body)
{
    char *text = body == NULL ? NULL : json_dumps(body, JSON_COMPACT), *request = NULL;
    const bool has_token = wire->token[0] != '\0';
    const int length =
        asprintf(&request, "%s %s HTTP/1.1\r\nHost: %s\r\n%s%s%sConnection: close\r\nContent-Length: %zu\r\n\r\n%s", method,
                 target, wire->host, has_token ? "Authorization: Bearer " : "", wire->token, has_token ? "\r\n" : "",
                 text == NULL ? 0 : strlen(text), text == NULL ? "" : text);

    WEIR_MUST(length != -1);
    const bool is_sent = conf_admin_wire_send(wire, request, (size_t)length);
    free(request);
    free(text);
    return is_sent;
}

/* Until its end; NUL-terminated. */
static bool receive_all(conf_admin_wire_t *wire, text_t *text)
{
    for (;;) {
        if (text->capacity - text->length < PIECE_BYTES + 1) {
            text->capacity = text->capacity * 2 + 2 * (size_t)PIECE_BYTES;
            text->at = realloc(text->at, text->capacity);
            WEIR_MUST(text->at != NULL);
        }
        const ssize_t count = conf_admin_wire_receive(wire, text->at + text->length, PIECE_BYTES);
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

/* The body; NULL: what has come is no answer. */
static char *read_head(text_t *text, unsigned *out_status)
{
    static const char version[] = "HTTP/1.1 ";
    char *head_end = strstr(text->at, "\r\n\r\n");

    if (head_end == NULL || strncmp(text->at, version, sizeof(version) - 1) != 0)
        return NULL;
    *out_status = (unsigned)strtoul(text->at + sizeof(version) - 1, NULL, 10);
    *head_end = '\0';
    char *body = head_end + 4;
    if (strcasestr(text->at, "transfer-encoding: chunked") != NULL)
        join_chunks(body);
    return body;
}

static bool read_answer(text_t *text, conf_admin_answer_t *out)
{
    const char *body = read_head(text, &out->status);

    if (body == NULL)
        return false;
    out->document = *body == '\0' ? NULL : json_loads(body, 0, NULL);
    return *body == '\0' || out->document != NULL;
}

void conf_admin_wait(unsigned ms)
{
    usual_wait_ms = ms;
}

/* All of the answer; false: the reason stands in `problem`. */
static bool exchange(const char *path, const char *method, const char *target, const json_t *body, text_t *text, char *problem,
                     size_t problem_bytes)
{
    const bool is_long = strstr(target, "wait=") != NULL;
    conf_admin_wire_t wire;

    if (!conf_admin_wire_open(&wire, path, is_long ? WAIT_LONG_MS : usual_wait_ms)) {
        snprintf(problem, problem_bytes, "%s", wire.why);
        return false;
    }
    const bool is_fine = send_request(&wire, method, target, body) && receive_all(&wire, text) && text->length > 0;
    conf_admin_wire_close(&wire);
    return is_fine || say(problem, problem_bytes, path, wire.why[0] == '\0' ? "there is no answer" : wire.why);
}

bool conf_admin_call(const char *path, const char *method, const char *target, const json_t *body, conf_admin_answer_t *out,
                     char *problem, size_t problem_bytes)
{
    text_t text = {NULL, 0, 0};

    *out = (conf_admin_answer_t){0, NULL};
    bool is_fine = exchange(path, method, target, body, &text, problem, problem_bytes);
    if (is_fine && !read_answer(&text, out))
        is_fine = say(problem, problem_bytes, path, "what answers there is no admin endpoint");
    free(text.at);
    return is_fine;
}

bool conf_admin_fetch(const char *path, const char *target, unsigned *out_status, char **out_text, char *problem,
                      size_t problem_bytes)
{
    text_t text = {NULL, 0, 0};
    const char *body = NULL;

    *out_text = NULL;
    bool is_fine = exchange(path, "GET", target, NULL, &text, problem, problem_bytes);
    if (is_fine && (body = read_head(&text, out_status)) == NULL)
        is_fine = say(problem, problem_bytes, path, "what answers there is no admin endpoint");
    if (is_fine) {
        *out_text = strdup(body);
        WEIR_MUST(*out_text != NULL);
    }
    free(text.at);
    return is_fine;
}

/* ---- a stream ---- */

/* What has been received and not looked at. */
typedef struct stream {
    text_t text, line;
} stream_t;

static void add_to_line(stream_t *stream, char c)
{
    text_t *line = &stream->line;

    if (line->length + 2 > line->capacity) {
        line->capacity = line->capacity * 2 + PIECE_BYTES;
        line->at = realloc(line->at, line->capacity);
        WEIR_MUST(line->at != NULL);
    }
    line->at[line->length++] = c;
    line->at[line->length] = '\0';
}

/* False: nobody wants more. */
static bool take_bytes(stream_t *stream, const char *bytes, size_t count, bool (*on_line)(void *context, const char *line),
                       void *context)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] != '\n') {
            add_to_line(stream, bytes[i]);
            continue;
        }
        const bool is_blank = stream->line.length == 0;
        stream->line.length = 0;
        if (!is_blank && !on_line(context, stream->line.at))
            return false;
    }
    return true;
}

/* As many whole pieces as there are (RFC 9112 §7.1). */
static bool take_chunks(stream_t *stream, bool (*on_line)(void *context, const char *line), void *context)
{
    text_t *text = &stream->text;
    size_t at = 0;
    bool wants_more = true;

    while (wants_more && at < text->length) {
        char *end = memmem(text->at + at, text->length - at, "\r\n", 2);
        const unsigned long size = end == NULL ? 0 : strtoul(text->at + at, NULL, 16);
        const size_t head = end == NULL ? 0 : (size_t)(end - text->at) + 2 - at;
        if (end == NULL || text->length - at < head + size + 2)
            break;
        wants_more = size != 0 && take_bytes(stream, text->at + at + head, size, on_line, context);
        at += head + size + 2;
    }
    memmove(text->at, text->at + at, text->length - at);
    text->length -= at;
    text->at[text->length] = '\0';
    return wants_more;
}

static bool receive_more(conf_admin_wire_t *wire, text_t *text)
{
    ssize_t count;

    if (text->capacity - text->length < PIECE_BYTES + 1) {
        text->capacity = text->capacity * 2 + 2 * (size_t)PIECE_BYTES;
        text->at = realloc(text->at, text->capacity);
        WEIR_MUST(text->at != NULL);
    }
    count = conf_admin_wire_receive(wire, text->at + text->length, PIECE_BYTES);
    if (count <= 0)
        return false;
    text->length += (size_t)count;
    text->at[text->length] = '\0';
    return true;
}

/* The head is read, and cut off. False: there is none, or it is a refusal, which is in *out. */
static bool begin_stream(conf_admin_wire_t *wire, text_t *text, conf_admin_answer_t *out)
{
    char *end;

    while (text->length == 0 || (end = strstr(text->at, "\r\n\r\n")) == NULL)
        if (!receive_more(wire, text))
            return false;
    out->status = (unsigned)strtoul(text->at + strcspn(text->at, " "), NULL, 10);
    if (out->status >= STATUS_FAILED) {
        if (receive_all(wire, text))
            (void)read_answer(text, out);
        return false;
    }
    text->length -= (size_t)(end + 4 - text->at);
    memmove(text->at, end + 4, text->length + 1);
    return true;
}

bool conf_admin_follow(const char *path, const char *target, bool (*on_line)(void *context, const char *line), void *context,
                       conf_admin_answer_t *out, char *problem, size_t problem_bytes)
{
    stream_t stream = {0};
    conf_admin_wire_t wire;

    *out = (conf_admin_answer_t){0, NULL};
    if (!conf_admin_wire_open(&wire, path, WAIT_MS)) {
        snprintf(problem, problem_bytes, "%s", wire.why);
        return false;
    }
    bool is_fine = send_request(&wire, "GET", target, NULL);
    if (is_fine && begin_stream(&wire, &stream.text, out))
        while (take_chunks(&stream, on_line, context) && receive_more(&wire, &stream.text))
            continue;
    is_fine = is_fine && out->status != 0;
    conf_admin_wire_close(&wire);
    if (!is_fine)
        (void)say(problem, problem_bytes, path, "there is no answer");
    free(stream.text.at);
    free(stream.line.at);
    return is_fine;
}
