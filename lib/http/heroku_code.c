/* SPDX-License-Identifier: MIT */
#include "lib/http/heroku_code.h"

#include <string.h>

enum { STATUS_MISDIRECTED = 421 };

typedef const weir_heroku_code_t code_t;

static code_t crashed = {"H10", "App crashed"};
static code_t too_deep = {"H11", "Backlog too deep"};
static code_t timeout = {"H12", "Request timeout"};
static code_t closed = {"H13", "Connection closed without response"};
static code_t no_processes = {"H14", "No web processes running"};
static code_t idle = {"H15", "Idle connection"};
static code_t malformed = {"H17", "Poorly formatted HTTP response"};
static code_t interrupted = {"H18", "Server Request Interrupted"};
static code_t connect_timeout = {"H19", "Backend connection timeout"};
static code_t starting = {"H20", "App boot timeout"};
static code_t refused = {"H21", "Backend connection refused"};
static code_t limit_reached = {"H22", "Connection limit reached"};
static code_t forced = {"H24", "Forced close"};
static code_t length = {"H25", "HTTP restriction: invalid content length"};
static code_t cookie = {"H25", "HTTP restriction: oversized cookie"};
static code_t header = {"H25", "HTTP restriction: oversized header"};
static code_t status_line = {"H25", "HTTP restriction: oversized status line"};
static code_t request_error = {"H26", "Request Error"};
static code_t client_interrupted = {"H27", "Client Request Interrupted"};
static code_t client_idle = {"H28", "Client Connection Idle"};
static code_t misdirected = {"H31", "Misdirected Request"};
static code_t stream_broken = {"H33", "HTTP/2 Stream Broken"};
static code_t quarantined = {"H34", "All up dynos are quarantined"};
static code_t maintenance = {"H80", "Maintenance mode"};
static code_t blank = {"H81", "Blank app"};
static code_t platform = {"H99", "Platform error"};

static const struct {
    const char *name;
    code_t *code;
    code_t *behind; /* of a response that has begun; NULL: the same */
} rows[] = {
    {"crashed", &crashed, NULL},
    {"backlog_too_deep", &too_deep, NULL},
    {"backlog_timeout", &too_deep, NULL},
    {"backend_timeout", &timeout, &idle},
    {"backend_closed", &closed, NULL},
    {"backend_reset", &closed, &interrupted},
    {"backend_goaway", &closed, NULL},
    {"worker_gone", &closed, NULL},
    {"backend_stream_refused", &closed, NULL},
    {"no_backend", &no_processes, NULL},
    {"tunnel_idle", &idle, NULL},
    {"backend_invalid_status", &malformed, NULL},
    {"backend_bad_chunk", &malformed, NULL},
    {"backend_invalid_transfer_encoding", &malformed, NULL},
    {"backend_invalid_header", &malformed, NULL},
    {"backend_truncated", &interrupted, NULL},
    {"backend_connect_timeout", &connect_timeout, NULL},
    {"backends_starting", &starting, NULL},
    {"backend_refused", &refused, NULL},
    {"backend_unreachable", &refused, NULL},
    {"conn_limit_reached", &limit_reached, NULL},
    {"shutting_down", &forced, NULL},
    {"backend_content_length", &length, NULL},
    {"backend_cookie_length", &cookie, NULL},
    {"backend_header_length", &header, NULL},
    {"backend_status_length", &status_line, NULL},
    {"expectation_failed", &request_error, NULL},
    {"bad_request_header", &request_error, NULL},
    {"client_bad_chunk", &request_error, NULL},
    {"client_closed", &client_interrupted, NULL},
    {"client_timeout", &client_idle, NULL},
    {"client_stalled", &client_idle, NULL},
    {"http2_stream_error", &stream_broken, NULL},
    {"backends_ill", &quarantined, NULL},
    {"maintenance", &maintenance, NULL},
    {"paused", &maintenance, NULL},
    {"app_blank", &blank, NULL},
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static size_t row_of(const char *name)
{
    size_t row = 0;

    while (row < ROWS && strcmp(rows[row].name, name) != 0)
        row++;
    return row;
}

/* A router that has tried them all may say so in its own words: Heroku tells by the last connect. */
static bool is_of_last_connect(code_t *code, const weir_fault_t *fault)
{
    return code == &no_processes || fault == &weir_fault_too_many_attempts;
}

static code_t *code_of_connect(const weir_fault_t *cause)
{
    const size_t row = cause != NULL ? row_of(cause->name) : ROWS;
    code_t *code = row < ROWS ? rows[row].code : NULL;

    return code == &connect_timeout || code == &refused ? code : NULL;
}

const weir_heroku_code_t *weir_heroku_code(const weir_fault_t *fault, const weir_fault_t *cause, bool has_begun)
{
    const size_t row = row_of(fault->name);
    code_t *code = &platform, *last;

    if (row < ROWS)
        code = has_begun && rows[row].behind != NULL ? rows[row].behind : rows[row].code;
    else if (fault->status == STATUS_MISDIRECTED)
        code = &misdirected;
    last = is_of_last_connect(code, fault) ? code_of_connect(cause) : NULL;
    return last != NULL ? last : code;
}

const weir_heroku_code_t *weir_heroku_code_of_app(const weir_fault_t *fault, const weir_fault_t *cause, bool has_begun)
{
    return strcmp(fault->name, "not_found") == 0 ? &blank : weir_heroku_code(fault, cause, has_begun);
}

const char *weir_heroku_name(size_t index)
{
    return index < ROWS ? rows[index].name : NULL;
}
