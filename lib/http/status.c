/* SPDX-License-Identifier: MIT */
#include "lib/http/status.h"

#include "lib/base/span.h"

/* The IANA registry of HTTP status codes. */
static const char *const reasons[] = {
    [100] = "Continue",
    [101] = "Switching Protocols",
    [102] = "Processing",
    [103] = "Early Hints",
    [200] = "OK",
    [201] = "Created",
    [202] = "Accepted",
    [203] = "Non-Authoritative Information",
    [204] = "No Content",
    [205] = "Reset Content",
    [206] = "Partial Content",
    [207] = "Multi-Status",
    [208] = "Already Reported",
    [226] = "IM Used",
    [300] = "Multiple Choices",
    [301] = "Moved Permanently",
    [302] = "Found",
    [303] = "See Other",
    [304] = "Not Modified",
    [305] = "Use Proxy",
    [307] = "Temporary Redirect",
    [308] = "Permanent Redirect",
    [400] = "Bad Request",
    [401] = "Unauthorized",
    [402] = "Payment Required",
    [403] = "Forbidden",
    [404] = "Not Found",
    [405] = "Method Not Allowed",
    [406] = "Not Acceptable",
    [407] = "Proxy Authentication Required",
    [408] = "Request Timeout",
    [409] = "Conflict",
    [410] = "Gone",
    [411] = "Length Required",
    [412] = "Precondition Failed",
    [413] = "Content Too Large",
    [414] = "URI Too Long",
    [415] = "Unsupported Media Type",
    [416] = "Range Not Satisfiable",
    [417] = "Expectation Failed",
    [421] = "Misdirected Request",
    [422] = "Unprocessable Content",
    [423] = "Locked",
    [424] = "Failed Dependency",
    [425] = "Too Early",
    [426] = "Upgrade Required",
    [428] = "Precondition Required",
    [429] = "Too Many Requests",
    [431] = "Request Header Fields Too Large",
    [451] = "Unavailable For Legal Reasons",
    [500] = "Internal Server Error",
    [501] = "Not Implemented",
    [502] = "Bad Gateway",
    [503] = "Service Unavailable",
    [504] = "Gateway Timeout",
    [505] = "HTTP Version Not Supported",
    [506] = "Variant Also Negotiates",
    [507] = "Insufficient Storage",
    [508] = "Loop Detected",
    [511] = "Network Authentication Required",
};

const char *weir_status_reason(uint16_t status)
{
    if (status >= sizeof(reasons) / sizeof(reasons[0]) || reasons[status] == NULL)
        return "";
    return reasons[status];
}

bool weir_status_has_body(uint16_t status)
{
    return status >= 200 && status != 204 && status != 304;
}

bool weir_method_is_idempotent(weir_span_t method)
{
    switch (method.len) {
    case 3:
        return weir_span_equal(method, WEIR_SPAN("GET")) || weir_span_equal(method, WEIR_SPAN("PUT"));
    case 4:
        return weir_span_equal(method, WEIR_SPAN("HEAD"));
    case 5:
        return weir_span_equal(method, WEIR_SPAN("TRACE"));
    case 6:
        return weir_span_equal(method, WEIR_SPAN("DELETE"));
    case 7:
        return weir_span_equal(method, WEIR_SPAN("OPTIONS"));
    default:
        return false;
    }
}
