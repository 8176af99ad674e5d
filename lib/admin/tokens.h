/* SPDX-License-Identifier: MIT */
#ifndef WEIR_ADMIN_TOKENS_H
#define WEIR_ADMIN_TOKENS_H
/**
 * @file  The file of tokens: who may call over TCP. Private to lib/admin.
 *
 *   # a comment
 *   deploy: Zm9vYmFyYmF6cXV4cXV1eA      a name, which the log has, and the token
 *   c2Vjb25kIHRva2VuIGhlcmU             one without a name: "token of line 3"
 *
 * A token has 16 to 255 characters of RFC 6750 (letters, digits, -._~+/=); a file 64 of them, and 32 KiB. Others than its owner
 * and its group may not read it. It is looked at once a second at most, when somebody calls, and read anew if it is another;
 * one that cannot be used is told in the log, and the tokens that were known stay.
 *
 * OWNER    Whoever opens it.
 * THREAD   One at a time. Waits for the disk.
 */
#include "weir_types.h"

enum { ADMIN_TOKEN_NAME_BYTES = 64 };

typedef struct admin_tokens admin_tokens_t;

/** NULL: what is wrong stands in `problem`, behind the path. */
admin_tokens_t *admin_tokens_open(const char *path, char *problem, size_t bytes);
/** Frees and nulls; harmless on NULL. */
void admin_tokens_close(admin_tokens_t **slot);
/** Whose token it is; NULL: nobody's. All are compared, each to its end, whatever is given. Borrowed until the next call. */
const char *admin_tokens_find(admin_tokens_t *tokens, weir_span_t given, uint64_t now_us);

#endif
