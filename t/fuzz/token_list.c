/* SPDX-License-Identifier: MIT */
/* One field value, read by everything that reads lists: elements, codings, expectations, nominations, hosts. */
#include <stdlib.h>

#include "lib/base/must.h"
#include "lib/base/span.h"
#include "lib/http/expect.h"
#include "lib/http/forwarded.h"
#include "lib/http/framing.h"
#include "lib/http/hop.h"
#include "lib/http/host.h"
#include "lib/http/token_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

static void check_elements(weir_span_t value)
{
    weir_span_t list = value, element;

    while (weir_token_list_next(&list, &element)) {
        WEIR_MUST(element.len != 0 && element.base >= value.base && element.base + element.len <= value.base + value.len);
        WEIR_MUST(memchr(element.base, ',', element.len) == NULL);
        WEIR_MUST(weir_span_trim(element).len == element.len);
        WEIR_MUST(list.base + list.len == value.base + value.len);
        WEIR_MUST(weir_token_list_has(value, element));
    }
    WEIR_MUST(list.len == 0);
}

static void check_host(weir_span_t value)
{
    weir_span_t host;
    int32_t port;

    if (!weir_host_split(value, &host, &port))
        return;
    WEIR_MUST(host.base == value.base && host.len <= value.len && port >= -1 && port <= 65535);
    WEIR_MUST(port != -1 || host.len == value.len);
    for (size_t i = 0; i < host.len; i++)
        WEIR_MUST((unsigned char)(host.base[i] - 0x21) < 0x5e && strchr("/?#@\\\"<>^`{|} ", host.base[i]) == NULL);
}

static void check_fields(weir_span_t value, weir_arena_t *arena)
{
    weir_header_t fields[] = {
        {WEIR_SPAN("Transfer-Encoding"), value, WEIR_HEADER_TRANSFER_ENCODING},
        {WEIR_SPAN("Connection"), value, WEIR_HEADER_CONNECTION},
        {WEIR_SPAN("Upgrade"), value, WEIR_HEADER_UPGRADE},
        {WEIR_SPAN("Expect"), value, WEIR_HEADER_EXPECT},
        {WEIR_SPAN("X-Foo"), value, WEIR_HEADER_OTHER},
        {WEIR_SPAN("Via"), value, WEIR_HEADER_VIA},
    };
    weir_headers_t headers = {fields, 6, 6};
    weir_framing_t framing;
    const weir_header_t *via;
    bool flag;

    if (weir_framing_of_request(&headers, 1, &framing) == NULL)
        WEIR_MUST(framing.kind == WEIR_FRAMING_CHUNKED && weir_equal_nocase(weir_span_trim(value), WEIR_SPAN("chunked")));
    if (weir_expect_read(&headers, &flag) == NULL && flag)
        WEIR_MUST(weir_token_list_has(value, WEIR_SPAN("100-continue")));
    if (weir_upgrade_read(&headers, &flag) == NULL && weir_token_list_has(value, WEIR_SPAN("upgrade")))
        WEIR_MUST(flag);
    weir_hop_strip_request(&headers, false);
    WEIR_MUST(weir_headers_count(&headers, WEIR_HEADER_CONNECTION) == 0);
    weir_forwarded_append(&headers, arena, WEIR_HEADER_VIA, WEIR_SPAN("via"), WEIR_SPAN("1.1 weir"));
    WEIR_MUST(weir_headers_count(&headers, WEIR_HEADER_VIA) == 1);
    via = weir_headers_find(&headers, WEIR_HEADER_VIA);
    WEIR_MUST(via != NULL && via->value.len >= 8 && memcmp(via->value.base + via->value.len - 8, "1.1 weir", 8) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    char *copy = malloc(length + !length);
    weir_span_t value = {copy, length};
    weir_arena_t arena;
    uint64_t number;
    char digits[20];

    WEIR_MUST(copy != NULL);
    if (length != 0)
        memcpy(copy, input, length);
    weir_arena_init(&arena);
    check_elements(value);
    check_host(value);
    check_fields(value, &arena);
    if (weir_span_to_u63(value, &number))
        WEIR_MUST(weir_span_to_u63(weir_span_of_u64(number, digits), &number));
    weir_arena_finish(&arena);
    free(copy);
    return 0;
}
