/* SPDX-License-Identifier: MIT */
#include "lib/wire/client/refusal.h"

#include <stdio.h>

#include "lib/base/log.h"
#include "lib/http/logfmt.h"
#include "lib/http/status.h"

size_t weir_refusal_page(const weir_fault_t *fault, char page[static WEIR_REFUSAL_BYTES])
{
    int length = snprintf(page, WEIR_REFUSAL_BYTES, "%u %s\n%s: %s\n", fault->status, weir_status_reason(fault->status),
                          fault->name, fault->sentence);

    return (size_t)length < WEIR_REFUSAL_BYTES ? (size_t)length : WEIR_REFUSAL_BYTES - 1;
}

void weir_refusal_log(const weir_client_t *client, const weir_fault_t *fault, uint16_t status, size_t body_bytes)
{
    weir_access_log_t *log = client->loop->settings->access_log;

    if (log == NULL)
        return;
    char buffer[1024];
    weir_logfmt_t line;
    const weir_span_t none = {"", 0};
    weir_logfmt_begin(&line, buffer, sizeof(buffer));
    weir_logfmt_text(&line, "at", WEIR_SPAN("error"));
    weir_logfmt_text(&line, "code", (weir_span_t){fault->name, strlen(fault->name)});
    weir_logfmt_quoted(&line, "desc", (weir_span_t){fault->sentence, strlen(fault->sentence)});
    weir_logfmt_text(&line, "method", none);
    weir_logfmt_quoted(&line, "path", none);
    weir_logfmt_text(&line, "host", none);
    weir_logfmt_text(&line, "request_id", none);
    weir_logfmt_quoted(&line, "fwd", weir_peer_text(&client->peer));
    weir_logfmt_text(&line, "dyno", none);
    weir_logfmt_text(&line, "connect", none);
    weir_logfmt_text(&line, "service", none);
    if (status == 0)
        weir_logfmt_text(&line, "status", none);
    else
        weir_logfmt_number(&line, "status", status, "");
    weir_logfmt_number(&line, "bytes", body_bytes, "");
    weir_logfmt_text(&line, "protocol", client->peer.is_https ? WEIR_SPAN("https") : WEIR_SPAN("http"));
    weir_access_log_write(log, weir_logfmt_end(&line));
}
