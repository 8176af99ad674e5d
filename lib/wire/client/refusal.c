/* SPDX-License-Identifier: MIT */
#include "lib/wire/client/refusal.h"

#include <stdio.h>

#include "lib/base/log.h"
#include "lib/base/metrics.h"
#include "lib/http/access_line.h"
#include "lib/http/status.h"

enum { RETRY_S = 2, SPREAD_S = 4 };

size_t weir_refusal_page(const weir_fault_t *fault, char page[static WEIR_REFUSAL_BYTES])
{
    int length = snprintf(page, WEIR_REFUSAL_BYTES, "%u %s\n%s: %s\n", fault->status, weir_status_reason(fault->status),
                          fault->name, fault->sentence);

    return (size_t)length < WEIR_REFUSAL_BYTES ? (size_t)length : WEIR_REFUSAL_BYTES - 1;
}

size_t weir_refusal_proxy_status(const weir_client_t *client, const weir_fault_t *fault,
                                 char text[static WEIR_REFUSAL_STATUS_BYTES])
{
    const char *type = fault == &weir_fault_conn_limit_reached ? "http_request_denied" : "http_request_error";

    if (!client->loop->settings->has_proxy_status)
        return 0;
    return (size_t)snprintf(text, WEIR_REFUSAL_STATUS_BYTES, "weir; error=%s; details=\"%s\"", type, fault->name);
}

const char *weir_refusal_heroku(const weir_client_t *client, const weir_fault_t *fault)
{
    return client->loop->settings->has_heroku_codes ? weir_heroku_code(fault, NULL, false)->code : NULL;
}

unsigned weir_refusal_retry_after_s(const weir_client_t *client, const weir_fault_t *fault)
{
    uint8_t dice;

    if (fault != &weir_fault_conn_limit_reached)
        return 0;
    weir_loop_random(client->loop, &dice, sizeof(dice));
    return RETRY_S + dice % SPREAD_S;
}

void weir_refusal_log(const weir_client_t *client, const weir_fault_t *fault, uint16_t status, size_t body_bytes,
                      const weir_refused_t *request)
{
    const weir_server_settings_t *settings = client->loop->settings;
    weir_access_log_t *log = settings->access_log;
    const weir_refused_t known = request != NULL ? *request : (weir_refused_t){0};

    weir_metrics_count_request(weir_metrics_page(), status, fault);
    weir_metrics_add(WEIR_CELL_sent_client, body_bytes);
    if (log == NULL)
        return;
    const weir_access_line_t what = {
        .level = "error",
        .fault = fault,
        .heroku = settings->has_heroku_codes ? weir_heroku_code(fault, NULL, false) : NULL,
        .method = known.method,
        .path = known.path,
        .host = known.host,
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
    char buffer[WEIR_ACCESS_LINE_BYTES];
    weir_logfmt_t line;
    weir_logfmt_begin(&line, buffer, sizeof(buffer));
    weir_access_line_write(&line, &what);
    (settings->has_log_time ? weir_access_log_write_timed : weir_access_log_write)(log, weir_logfmt_end(&line));
}
