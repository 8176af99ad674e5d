/* SPDX-License-Identifier: MIT */
#include "lib/wire/client/refusal.h"

#include <stdio.h>

#include "lib/base/log.h"
#include "lib/http/access_line.h"
#include "lib/http/status.h"

size_t weir_refusal_page(const weir_fault_t *fault, char page[static WEIR_REFUSAL_BYTES])
{
    int length = snprintf(page, WEIR_REFUSAL_BYTES, "%u %s\n%s: %s\n", fault->status, weir_status_reason(fault->status),
                          fault->name, fault->sentence);

    return (size_t)length < WEIR_REFUSAL_BYTES ? (size_t)length : WEIR_REFUSAL_BYTES - 1;
}

void weir_refusal_log(const weir_client_t *client, const weir_fault_t *fault, uint16_t status, size_t body_bytes)
{
    const weir_server_settings_t *settings = client->loop->settings;
    weir_access_log_t *log = settings->access_log;

    if (log == NULL)
        return;
    const weir_access_line_t what = {
        .level = "error",
        .fault = fault,
        .heroku = settings->has_heroku_codes ? weir_heroku_code(fault, NULL, false) : NULL,
        .fwd = weir_peer_text(&client->peer),
        .connect_ms = -1,
        .service_ms = -1,
        .status = status,
        .bytes = body_bytes,
        .protocol = client->peer.is_https ? WEIR_SPAN("https") : WEIR_SPAN("http"),
        .is_http2 = client->ops->is_http2,
        .route_ms = -1,
        .total_ms = -1,
    };
    char buffer[1024];
    weir_logfmt_t line;
    weir_logfmt_begin(&line, buffer, sizeof(buffer));
    weir_access_line_write(&line, &what);
    (settings->has_log_time ? weir_access_log_write_timed : weir_access_log_write)(log, weir_logfmt_end(&line));
}
