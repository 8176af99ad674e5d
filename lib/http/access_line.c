/* SPDX-License-Identifier: MIT */
#include "lib/http/access_line.h"

#include <string.h>

/* What a client chooses, as escaped: together they leave 6 KiB of a line for all that it does not. */
enum { METHOD_MOST = 128, PATH_MOST = 8192, HOST_MOST = 512, ID_MOST = 1024, FWD_MOST = 8192 };

static weir_span_t text(const char *string)
{
    return (weir_span_t){string, strlen(string)};
}

static void write_ms(weir_logfmt_t *line, const char *key, int64_t ms)
{
    if (ms < 0)
        weir_logfmt_text(line, key, (weir_span_t){NULL, 0});
    else
        weir_logfmt_number(line, key, (uint64_t)ms, "ms");
}

static void write_status(weir_logfmt_t *line, uint16_t status)
{
    if (status == 0)
        weir_logfmt_text(line, "status", (weir_span_t){NULL, 0});
    else
        weir_logfmt_number(line, "status", status, "");
}

static void write_fault(weir_logfmt_t *line, const weir_fault_t *fault, const weir_heroku_code_t *heroku)
{
    if (heroku != NULL) {
        weir_logfmt_text(line, "code", text(heroku->code));
        weir_logfmt_quoted(line, "desc", text(heroku->desc));
        return;
    }
    weir_logfmt_text(line, "code", text(fault->name));
    weir_logfmt_quoted(line, "desc", text(fault->sentence != NULL ? fault->sentence : fault->name));
}

void weir_access_line_write(weir_logfmt_t *line, const weir_access_line_t *what)
{
    const weir_fault_t *fault = what->fault;

    weir_logfmt_text(line, "at", text(what->level));
    if (fault != NULL)
        write_fault(line, fault, what->heroku);
    weir_logfmt_text_most(line, "method", what->method, METHOD_MOST);
    weir_logfmt_quoted_most(line, "path", what->path, PATH_MOST);
    weir_logfmt_text_most(line, "host", what->host, HOST_MOST);
    weir_logfmt_text_most(line, "request_id", what->request_id, ID_MOST);
    weir_logfmt_quoted_end(line, "fwd", what->fwd, FWD_MOST); /* who the client is stands last */
    weir_logfmt_text(line, "dyno", what->dyno);
    write_ms(line, "connect", what->connect_ms);
    write_ms(line, "service", what->service_ms);
    write_status(line, what->status);
    weir_logfmt_number(line, "bytes", what->bytes, "");
    weir_logfmt_text(line, "protocol", what->protocol);
    if (what->is_http2)
        weir_logfmt_text(line, "version", WEIR_SPAN("HTTP/2"));
    weir_logfmt_number(line, "tries", what->tries, "");
    write_ms(line, "route", what->route_ms);
    write_ms(line, "total", what->total_ms);
    if (what->cause != NULL)
        weir_logfmt_text(line, "cause", text(what->cause->name));
    if (what->trace.len != 0)
        weir_logfmt_text(line, "trace", what->trace);
    if (fault != NULL && what->heroku != NULL)
        weir_logfmt_text(line, "reason", text(fault->name));
}
