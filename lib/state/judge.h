/* SPDX-License-Identifier: MIT */
#ifndef WEIR_STATE_JUDGE_H
#define WEIR_STATE_JUDGE_H
/**
 * @file  A key and its value, as anybody may have written them: what they say, or what is wrong with them.
 *
 * THREAD   One.
 */
#include "lib/state/table.h"

/** Why a value is refused. */
typedef enum state_bad {
    STATE_BAD_NAME,     /* a key that names nothing                       */
    STATE_BAD_LENGTH,   /* longer than anything may be                    */
    STATE_BAD_JSON,     /* no JSON, or not UTF-8                          */
    STATE_BAD_TYPE,     /* no object, or a member of the wrong kind       */
    STATE_BAD_RESERVED, /* it says what other keys say, or Weir itself    */
    STATE_BAD_LOOP,     /* a redirect that leads back                     */
    STATE_BAD_REFUSED,  /* a router will not have it                      */
    STATE_BADS
} state_bad_t;

/** "name", "length", …, for metrics. */
extern const char *const state_bad_words[STATE_BADS];

enum { STATE_PROBLEM_BYTES = 512, STATE_JUDGE_BYTES = STATE_VALUE_MOST + 2 * STATE_KEY_BYTES };

typedef enum state_verdict {
    STATE_TAKEN,   /* `said` says it            */
    STATE_IGNORED, /* of a kind that is not ours */
    STATE_REFUSED  /* `bad` and `problem`        */
} state_verdict_t;

typedef struct state_judged {
    state_said_t said; /* borrows from the key, the value and `room` */
    state_bad_t bad;
    char problem[STATE_PROBLEM_BYTES];
    char room[STATE_JUDGE_BYTES];
} state_judged_t;

/** `key` as in state_said_t. The table tells where redirects lead. NULL: nobody looks. */
state_verdict_t state_judge(const state_table_t *table, weir_span_t key, weir_span_t value, state_judged_t *out);

/** Of `meta`: the least version of a reader. 0: it does not say. */
int state_judge_least_reader(weir_span_t value);
enum { STATE_READER = 1 };

#endif
