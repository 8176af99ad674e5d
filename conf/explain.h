/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_EXPLAIN_H
#define WEIR_CONF_EXPLAIN_H
/**
 * @file  POST /v1/explain: what would become of a request, from the path of the configuration on to what its router says.
 *
 *   explain_read.c (the question) ─► explain_place.c (host, path) ─► explain.c (the router, headers) ─► explain_text.c
 *
 * THREAD   Answers: the steward's. A configuration is in use, and given up, by any.
 */
#include <jansson.h>

#include "conf/snapshot.h"
#include "lib/walk/explained.h"

/** This is the configuration that new requests meet. */
void conf_explain_use(const conf_t *conf);
/** It will be freed: nothing looks at it when this returns. */
void conf_explain_give_up(const conf_t *conf);

/** Routes of the admin endpoint. */
void conf_explain_answer(weir_admin_call_t *call);

/** Answers with a document, or with its text where that is asked for. Frees it. */
void conf_explain_send(weir_admin_call_t *call, json_t *document, char *(*text_of)(const json_t *document));

/* explain_read.c */
enum { CONF_EXPLAIN_FIELDS = 100, CONF_EXPLAIN_BYTES = 16384 };
/** What was asked, in the arena. */
typedef struct conf_explain_question {
    weir_explained_t request;
    weir_headers_t headers;
    const char *url;
} conf_explain_question_t;
/** Reads a body into a zeroed question. False: `*pointer` says where in it the trouble is, `problem` what. */
bool conf_explain_read(const json_t *body, weir_arena_t *arena, conf_explain_question_t *out, const char **pointer,
                       const char **problem);

/* explain_place.c */
/** The path that answers for it, as libh2o finds it; NULL: none does. `*out_host`: the host that was found. */
const conf_path_t *conf_explain_place(const conf_t *conf, const weir_explained_t *request, const char **out_host);

/* explain_text.c */
/** The document for people; to be freed. */
char *conf_explain_text(const json_t *document);
/** A terminal gets nothing that it could take for an order: those bytes become question marks. */
void conf_explain_clean(char *text);

/* explain_request.c */
/** GET /v1/requests/ID. */
void conf_explain_answer_request(weir_admin_call_t *call);
/** Its document for people; to be freed. */
char *conf_explain_request_text(const json_t *document);

#endif
