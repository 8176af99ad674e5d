/* SPDX-License-Identifier: MIT */
#include "lib/wire/store/store_status.h"

#include <stdio.h>

#include "lib/base/span.h"

enum { HTTP_OK = 200, MOST_CODE = 999 };

/* gRPC's codes (https://grpc.io/docs/guides/status-codes/). */
enum {
    CODE_OK = 0,
    CODE_INVALID = 3,
    CODE_DEADLINE = 4,
    CODE_PERMISSION = 7,
    CODE_EXHAUSTED = 8,
    CODE_OUT_OF_RANGE = 11,
    CODE_UNAVAILABLE = 14,
    CODE_UNAUTHENTICATED = 16
};

void store_status_init(store_status_t *status)
{
    *status = (store_status_t){.code = WEIR_ETCD_CODE_NONE};
}

/* What somebody else says goes to logs: none of it ends a line. Bytes of UTF-8 stay. */
void store_copy_words(char *to, size_t bytes, weir_span_t from)
{
    size_t count = 0;

    for (size_t i = 0; i < from.len && count + 1 < bytes; i++) {
        const unsigned char c = (unsigned char)from.base[i];
        to[count++] = c < ' ' || c == 0x7f ? ' ' : (char)c;
    }
    to[count] = '\0';
}

/* Percent-encoded, as gRPC has it. In place: it only gets shorter. */
static void decode_message(char *message)
{
    const char *from = message;
    char *to = message;

    while (*from != '\0') {
        const int high = from[0] == '%' ? weir_hex_value(from[1]) : -1;
        const int low = high >= 0 ? weir_hex_value(from[2]) : -1;
        const int c = low >= 0 ? high * 16 + low : (unsigned char)*from;
        from += low >= 0 ? 3 : 1;
        *to++ = c < ' ' || c == 0x7f ? ' ' : (char)c;
    }
    *to = '\0';
}

static int read_number(weir_span_t value)
{
    uint64_t number;

    return weir_span_to_u63(value, &number) && number <= MOST_CODE ? (int)number : MOST_CODE;
}

void store_status_take(store_status_t *status, weir_span_t name, weir_span_t value)
{
    if (weir_span_is(name, ":status")) {
        status->http = read_number(value);
    } else if (weir_span_is(name, "content-type")) {
        status->is_grpc = weir_span_starts_with(value, WEIR_SPAN("application/grpc"));
    } else if (weir_span_is(name, "grpc-status")) {
        status->code = read_number(value);
    } else if (weir_span_is(name, "grpc-message")) {
        store_copy_words(status->message, sizeof(status->message), value);
        decode_message(status->message);
    }
}

static bool says(const store_status_t *status, const char *words)
{
    return strstr(status->message, words) != NULL;
}

bool store_status_wants_token(const store_status_t *status)
{
    return (status->code == CODE_UNAUTHENTICATED && says(status, "invalid auth token")) ||
           (status->code == CODE_INVALID && says(status, "revision of auth store is old"));
}

/* A user that is not known, or nobody where somebody is wanted, is an invalid argument to etcd. */
static bool is_denied(const store_status_t *status)
{
    return status->code == CODE_PERMISSION || status->code == CODE_UNAUTHENTICATED ||
           (status->code == CODE_INVALID &&
            (says(status, "authentication failed") || says(status, "user name is empty") || says(status, "auth store is old")));
}

static weir_etcd_status_t judge_code(const store_status_t *status)
{
    if (is_denied(status))
        return WEIR_ETCD_DENIED;
    switch (status->code) {
    case CODE_DEADLINE:
    case CODE_UNAVAILABLE:
        return WEIR_ETCD_CUT;
    case CODE_EXHAUSTED:
        return WEIR_ETCD_FULL;
    case CODE_OUT_OF_RANGE:
        return WEIR_ETCD_COMPACTED;
    default:
        return WEIR_ETCD_FAILED;
    }
}

/* Whoever stands between, or does not know gRPC. */
static weir_etcd_status_t judge_http(const store_status_t *status)
{
    switch (status->http) {
    case 401:
    case 403:
        return WEIR_ETCD_DENIED;
    case 429:
    case 502:
    case 503:
    case 504:
        return WEIR_ETCD_CUT;
    default:
        return WEIR_ETCD_FAILED;
    }
}

weir_etcd_status_t store_status_judge(const store_status_t *status, char problem[static WEIR_ETCD_PROBLEM_BYTES])
{
    const char *message = status->message[0] != '\0' ? status->message : "etcd does not say why";

    if (status->code == CODE_OK)
        return WEIR_ETCD_FINE;
    if (status->code != WEIR_ETCD_CODE_NONE) {
        (void)snprintf(problem, WEIR_ETCD_PROBLEM_BYTES, "%s (code %d)", message, status->code);
        return judge_code(status);
    }
    if (status->http == HTTP_OK && status->is_grpc) {
        (void)snprintf(problem, WEIR_ETCD_PROBLEM_BYTES, "the answer ends without a status");
        return WEIR_ETCD_CUT;
    }
    (void)snprintf(problem, WEIR_ETCD_PROBLEM_BYTES, "no gRPC is spoken there (HTTP status %d)", status->http);
    return judge_http(status);
}
