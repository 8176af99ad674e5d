/* SPDX-License-Identifier: MIT */
#include "lib/wire/local/compress.h"

#include "lib/base/span.h"
#include "lib/http/token_list.h"
#include "lib/wire/local/gzip.h"
#include "lib/wire/local/takes.h"
#include "lib/wire/loop/generation.h"
#include "lib/wire/relay/front.h"

enum { CHUNK_BYTES = 16384 }; /* what generators that ask are told to send at once */

typedef struct compress_filter {
    h2o_filter_t super;
    int level;
    size_t least_bytes;
} compress_filter_t;

typedef struct encoder {
    h2o_ostream_t super;
    weir_deflater_t *deflater;
} encoder_t;

typedef enum hint { HINT_NONE, HINT_ON, HINT_OFF } hint_t;

static weir_span_t span_of(h2o_iovec_t bytes)
{
    return (weir_span_t){bytes.base, bytes.len};
}

/* ---- what the response says ---- */

/* Takes the field out: it is said to us alone. */
static hint_t take_hint(h2o_req_t *req)
{
    hint_t hint = HINT_NONE;
    ssize_t at;

    while ((at = h2o_find_header(&req->res.headers, H2O_TOKEN_X_COMPRESS_HINT, -1)) != -1) {
        const weir_span_t value = weir_span_trim(span_of(req->res.headers.entries[at].value));
        if (weir_equal_nocase(value, WEIR_SPAN("off")))
            hint = HINT_OFF;
        else if (hint == HINT_NONE && weir_equal_nocase(value, WEIR_SPAN("on")))
            hint = HINT_ON;
        (void)h2o_delete_header(&req->res.headers, at);
    }
    return hint;
}

static bool forbids_transforms(const h2o_headers_t *headers)
{
    ssize_t at = -1;

    while ((at = h2o_find_header(headers, H2O_TOKEN_CACHE_CONTROL, at)) != -1)
        if (weir_token_list_has(span_of(headers->entries[at].value), WEIR_SPAN("no-transform")))
            return true;
    return false;
}

/* RFC 9530 and the two before it: all of them speak of the bytes as they are coded. */
static bool has_digest(const h2o_headers_t *headers)
{
    static const char *const names[] = {"content-digest", "repr-digest", "digest", "content-md5"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (h2o_find_header_by_str(headers, names[i], strlen(names[i]), -1) != -1)
            return true;
    return false;
}

static bool is_worth_it(const compress_filter_t *self, h2o_req_t *req, hint_t hint)
{
    if (hint == HINT_ON)
        return true;
    if (req->res.mime_attr == NULL)
        h2o_req_fill_mime_attributes(req);
    return req->res.mime_attr->is_compressible && req->res.content_length >= self->least_bytes;
}

static bool may_be_compressed(const compress_filter_t *self, h2o_req_t *req, hint_t hint)
{
    return req->version >= 0x101 && req->res.status == 200 && hint != HINT_OFF &&
           h2o_find_header(&req->res.headers, H2O_TOKEN_CONTENT_ENCODING, -1) == -1 && !forbids_transforms(&req->res.headers) &&
           !forbids_transforms(&req->headers) && !has_digest(&req->res.headers) && is_worth_it(self, req, hint);
}

/* ---- what becomes of it ---- */

static void weaken_etag(h2o_req_t *req)
{
    const ssize_t at = h2o_find_header(&req->res.headers, H2O_TOKEN_ETAG, -1);
    h2o_iovec_t *value = at != -1 ? &req->res.headers.entries[at].value : NULL;

    if (value != NULL && value->len > 0 && value->base[0] == '"')
        *value = h2o_concat(&req->pool, h2o_iovec_init(H2O_STRLIT("W/")), *value);
}

static void change_head(h2o_req_t *req)
{
    h2o_headers_t *headers = &req->res.headers;

    weir_front_frame_in_chunks(req);
    h2o_add_header(&req->pool, headers, H2O_TOKEN_CONTENT_ENCODING, NULL, H2O_STRLIT("gzip"));
    h2o_set_header_token(&req->pool, headers, H2O_TOKEN_VARY, H2O_STRLIT("accept-encoding"));
    h2o_set_header(&req->pool, headers, H2O_TOKEN_ACCEPT_RANGES, H2O_STRLIT("none"), 1);
    weaken_etag(req);
}

static void on_send(h2o_ostream_t *super, h2o_req_t *req, h2o_iovec_t *pieces, size_t count, h2o_send_state_t state)
{
    encoder_t *self = (encoder_t *)(void *)super;

    if (state == H2O_SEND_STATE_ERROR) {
        h2o_ostream_send_next(super, req, NULL, 0, state);
        return;
    }
    h2o_iovec_t out = weir_deflater_run(self->deflater, pieces, count, state == H2O_SEND_STATE_FINAL);
    const bool is_taken = weir_front_is_taken_at_once(super->next);
    h2o_ostream_send_next(super, req, &out, out.len > 0 ? 1 : 0, state);
    if (is_taken)
        weir_deflater_free_result(self->deflater);
}

static h2o_ostream_t **put_encoder(const compress_filter_t *self, h2o_req_t *req, h2o_ostream_t **slot)
{
    encoder_t *encoder = (encoder_t *)(void *)h2o_add_ostream(req, sizeof(*encoder), slot);

    encoder->super.do_send = on_send;
    encoder->super.stop = weir_front_takes_at_once;
    encoder->deflater = weir_deflater_open(weir_loop_of(req->conn->ctx), &req->pool, self->level);
    if (req->preferred_chunk_size > CHUNK_BYTES)
        req->preferred_chunk_size = CHUNK_BYTES;
    return &encoder->super.next;
}

static void on_setup(h2o_filter_t *super, h2o_req_t *req, h2o_ostream_t **slot)
{
    const compress_filter_t *self = (const compress_filter_t *)(const void *)super;
    const hint_t hint = take_hint(req);

    if (may_be_compressed(self, req, hint)) {
        if (weir_request_takes(req, WEIR_SPAN("gzip"))) {
            change_head(req);
            if (!h2o_memis(req->input.method.base, req->input.method.len, H2O_STRLIT("HEAD")))
                slot = put_encoder(self, req, slot);
        } else {
            /* for caches: another client would have got other bytes */
            h2o_set_header_token(&req->pool, &req->res.headers, H2O_TOKEN_VARY, H2O_STRLIT("accept-encoding"));
        }
    }
    h2o_setup_next_ostream(req, slot);
}

void weir_compress_register(h2o_pathconf_t *path, int level, size_t least_bytes)
{
    compress_filter_t *self = (compress_filter_t *)(void *)h2o_create_filter(path, sizeof(*self));

    self->super.on_setup_ostream = on_setup;
    self->level = level;
    self->least_bytes = least_bytes;
}
