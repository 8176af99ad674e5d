/* SPDX-License-Identifier: MIT */
#include "lib/http/access_line.h"

#include <string.h>

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

void weir_access_line_write(weir_logfmt_t *line, const weir_access_line_t *what)
{
    const weir_fault_t *fault = what->fault;

    weir_logfmt_text(line, "at", text(what->level));
    if (fault != NULL) {
        weir_logfmt_text(line, "code", text(fault->name));
        weir_logfmt_quoted(line, "desc", text(fault->sentence != NULL ? fault->sentence : fault->name));
    }
    weir_logfmt_text(line, "method", what->method);
    weir_logfmt_quoted(line, "path", what->path);
    weir_logfmt_text(line, "host", what->host);
    weir_logfmt_text(line, "request_id", what->request_id);
    weir_logfmt_quoted(line, "fwd", what->fwd);
    weir_logfmt_text(line, "dyno", what->dyno);
    write_ms(line, "connect", what->connect_ms);
    write_ms(line, "service", what->service_ms);
    write_status(line, what->status);
    weir_logfmt_number(line, "bytes", what->bytes, "");
    weir_logfmt_text(line, "protocol", what->protocol);
    if (what->is_http2)
        weir_logfmt_text(line, "version", WEIR_SPAN("HTTP/2"));
}
