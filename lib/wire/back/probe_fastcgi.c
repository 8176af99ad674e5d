/* SPDX-License-Identifier: MIT */
/* A probe of a FastCGI application: GET of a script, or of what the application answers by itself (php-fpm's ping.path). */
#include "lib/base/fault.h"
#include "lib/http/cgi_head.h"
#include "lib/http/fastcgi.h"
#include "lib/wire/back/probe.h"

typedef struct talk {
    weir_fastcgi_reader_t reader;
    weir_cgi_head_reader_t head_reader;
} talk_t;

static void add(weir_probing_t *probing, weir_span_t name, weir_span_t value)
{
    char head[WEIR_FASTCGI_HEAD_BYTES], *pair = weir_arena_alloc(&probing->arena, weir_fastcgi_pair_bytes(name.len, value.len));
    const char *end = weir_fastcgi_write_pair(pair, name, value);

    weir_fastcgi_write_head(head, WEIR_FASTCGI_PARAMS, (size_t)(end - pair));
    weir_bytes_append(&probing->out, (weir_span_t){head, sizeof(head)});
    weir_bytes_append(&probing->out, (weir_span_t){pair, (size_t)(end - pair)});
}

static void add_end(weir_probing_t *probing, weir_fastcgi_type_t type)
{
    char head[WEIR_FASTCGI_HEAD_BYTES];

    weir_fastcgi_write_head(head, type, 0);
    weir_bytes_append(&probing->out, (weir_span_t){head, sizeof(head)});
}

static weir_span_t before(weir_span_t text, char end, weir_span_t *behind)
{
    const char *at = memchr(text.base, end, text.len);
    const size_t len = at == NULL ? text.len : (size_t)(at - text.base);

    *behind = at == NULL ? WEIR_SPAN("") : (weir_span_t){at + 1, text.len - len - 1};
    return (weir_span_t){text.base, len};
}

static void add_script(weir_probing_t *probing)
{
    const weir_fastcgi_t *fastcgi = probing->target.fastcgi;
    const weir_span_t root = fastcgi == NULL ? (weir_span_t){NULL, 0} : fastcgi->root;
    weir_span_t query, script = before(probing->path, '?', &query);

    add(probing, WEIR_SPAN("SCRIPT_NAME"), script);
    add(probing, WEIR_SPAN("SCRIPT_FILENAME"),
        weir_arena_format(&probing->arena, "%.*s%.*s", (int)root.len, root.base, (int)script.len, script.base));
    if (root.len > 0)
        add(probing, WEIR_SPAN("DOCUMENT_ROOT"), root);
    add(probing, WEIR_SPAN("REQUEST_URI"), probing->path);
    add(probing, WEIR_SPAN("QUERY_STRING"), query);
}

static void begin(weir_probing_t *probing)
{
    char begin_record[WEIR_FASTCGI_BEGIN_BYTES];

    probing->talk = weir_arena_zalloc(&probing->arena, sizeof(talk_t));
    weir_fastcgi_write_begin(begin_record, false);
    weir_bytes_append(&probing->out, (weir_span_t){begin_record, sizeof(begin_record)});
    add_script(probing);
    add(probing, WEIR_SPAN("REQUEST_METHOD"), WEIR_SPAN("GET"));
    add(probing, WEIR_SPAN("GATEWAY_INTERFACE"), WEIR_SPAN("CGI/1.1"));
    add(probing, WEIR_SPAN("SERVER_PROTOCOL"), WEIR_SPAN("HTTP/1.1"));
    add(probing, WEIR_SPAN("SERVER_NAME"), probing->host);
    add(probing, WEIR_SPAN("SERVER_PORT"), WEIR_SPAN("80"));
    add(probing, WEIR_SPAN("REMOTE_ADDR"), WEIR_SPAN("127.0.0.1"));
    add(probing, WEIR_SPAN("REDIRECT_STATUS"), WEIR_SPAN("200"));
    add(probing, WEIR_SPAN("HTTP_HOST"), probing->host);
    add(probing, WEIR_SPAN("HTTP_USER_AGENT"), WEIR_SPAN("weir-probe"));
    add_end(probing, WEIR_FASTCGI_PARAMS);
    add_end(probing, WEIR_FASTCGI_STDIN);
}

static probe_progress_t read_head(weir_probing_t *probing, weir_span_t output)
{
    talk_t *talk = probing->talk;
    weir_header_t fields[WEIR_PROBE_FIELDS];
    const weir_fault_t *fault = NULL;
    weir_response_head_t head;
    size_t consumed_bytes = 0;

    weir_bytes_append(&probing->in, output);
    switch (weir_cgi_head_read(&talk->head_reader, weir_bytes_span(&probing->in), &probe_limits, fields, &head, &consumed_bytes,
                               &fault)) {
    case WEIR_HEAD_FAULTY:
        return probe_fail(probing, fault);
    case WEIR_HEAD_COMPLETE:
        probe_answer(probing, &head);
        return PROBE_DONE;
    case WEIR_HEAD_PARTIAL:
        break;
    }
    return PROBE_MORE;
}

static probe_progress_t take(weir_probing_t *probing, weir_span_t bytes)
{
    talk_t *talk = probing->talk;
    const weir_fault_t *fault = NULL;
    weir_span_t output;

    for (;;) {
        switch (weir_fastcgi_read(&talk->reader, &bytes, &output, &fault)) {
        case WEIR_FASTCGI_MORE:
            return PROBE_MORE;
        case WEIR_FASTCGI_OUTPUT:
            if (read_head(probing, output) == PROBE_DONE)
                return PROBE_DONE;
            break;
        case WEIR_FASTCGI_ERRORS:
            break; /* what it has to tell of clients' requests it tells with those */
        case WEIR_FASTCGI_END:
            return probe_fail(probing, &weir_fault_backend_fastcgi_incomplete);
        case WEIR_FASTCGI_BROKEN:
            return probe_fail(probing, fault);
        }
    }
}

static void end(weir_probing_t *probing)
{
}

const probe_ops_t probe_fastcgi_ops = {begin, take, end};
