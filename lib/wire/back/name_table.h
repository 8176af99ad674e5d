/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_NAME_TABLE_H
#define WEIR_WIRE_NAME_TABLE_H
/**
 * @file  What is known of backends' names, in the whole process: answers with their times, questions under way, who waits.
 *
 *   a loop's question ─► fresh: told at once
 *                     └► asked for, once for all who ask ─► answered ─► all are told
 *                                                        ├► late: those who have old addresses go on with them
 *                                                        └► never answered: that is a failure
 *
 * It knows neither threads nor sockets, and time is told to it. Times are monotonic microseconds.
 *
 * OWNER    names.c has the one of the process; tests make their own.
 * THREAD   One.
 */
#include <netinet/in.h>

#include "lib/walk/loop.h"
#include "weir_span.h"

enum {
    WEIR_NAME_TTL_LEAST_MS = 1000,   /* a name with a smaller TTL is not asked for more often                       */
    WEIR_NAME_TTL_MOST_MS = 3600000, /* a larger one counts as this                                                 */
    WEIR_NAME_TTL_UNSAID_MS = 10000, /* of what says none: /etc/hosts, modules of nsswitch.conf */
    WEIR_NAME_FAILED_MS = 2000,      /* for how long a name that could not be resolved is not asked for again       */
    WEIR_NAME_DOUBT_MS = 1000,       /* how old an answer must be before a failed connect has the name asked again  */
    WEIR_NAME_LATE_MS = 1000,        /* of a question; then who has old addresses goes on with them                 */
    WEIR_NAME_QUESTION_MS = 5000,    /* the most a question may take; then it has failed                            */
    WEIR_NAME_STALE_MS = 86400000,   /* beyond its TTL: how long old addresses serve while questions fail (RFC 8767) */
    WEIR_NAME_ABSENT_MS = 30000,     /* how long they serve once it is said that the name has none                  */
    WEIR_NAMES_MAX = 4096,           /* beyond it the name that was asked for least recently is forgotten           */
    WEIR_NAME_ADDRESSES_MAX = 64,    /* per name; further ones are left out                                         */
};

/** One address of a name; the port is 0, and what does not belong to the address is zeroed. */
typedef union weir_name_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} weir_name_address_t;

/** Whether both are the same address. */
bool weir_name_address_equals(const weir_name_address_t *one, const weir_name_address_t *other);

struct weir_names_user;

/** What a name came to: a copy for the loop that asked, and its own from then on. One piece of memory. */
typedef struct weir_addresses {
    weir_letter_t letter; /* on its way to that loop */
    struct weir_names_user *user;
    uint64_t answered_at_us; /* when the last answer came, whatever it was */
    uint64_t refresh_at_us;  /* from then on the name is asked for again, while these are in use */
    uint64_t fresh_until_us; /* then they are no longer used unseen */
    unsigned edition;        /* of the world: see weir_names_edition() */
    uint32_t holders;        /* the loop's resolver and connects that go through them; that loop's */
    weir_span_t name;        /* within */
    size_t count;            /* 0: the name cannot be resolved */
    weir_name_address_t at[];
} weir_addresses_t;

/** A loop wants to know a name. malloc'ed; the table's once it is given. */
typedef struct weir_name_question {
    weir_list_t link;
    struct weir_names_user *user; /* only passed on */
    uint64_t doubts_us;           /* an answer of this time has proved wrong; 0: none has */
    size_t name_len;
    char name[]; /* NUL-terminated */
} weir_name_question_t;

typedef enum weir_name_outcome {
    WEIR_NAME_FOUND,
    WEIR_NAME_ABSENT, /* there is no such name, or it has no address: who is to know has said so */
    WEIR_NAME_FAILED, /* nobody has said anything, or nothing useful */
} weir_name_outcome_t;

/** What a question of the table's has come to; borrowed. */
typedef struct weir_name_answer {
    weir_name_outcome_t outcome;
    uint64_t ttl_ms;
    size_t count;
    const weir_name_address_t *at;
} weir_name_answer_t;

struct weir_known_name;

/** What the table asks of its owner. */
typedef struct weir_name_table_hooks {
    /** Finds out `name` (NUL-terminated, borrowed for the call): weir_name_table_answer() follows, or comes at once. */
    void (*ask)(void *arg, struct weir_known_name *known, const char *name);
    /** Is not to answer any more. */
    void (*drop)(void *arg, struct weir_known_name *known);
    /** Takes over `addresses`, for addresses->user. */
    void (*tell)(void *arg, weir_addresses_t *addresses);
    void *arg;
} weir_name_table_hooks_t;

struct weir_name_table *weir_name_table_create(const weir_name_table_hooks_t *hooks);

/** Drops what is asked, tells nobody, frees it and nulls the pointer. */
void weir_name_table_destroy(struct weir_name_table **table);

/** Takes the question over: its answer is told now or later, once. */
void weir_name_table_question(struct weir_name_table *table, weir_name_question_t *question, uint64_t now_us);

/** What ask() asked for has come to this. */
void weir_name_table_answer(struct weir_name_table *table, struct weir_known_name *known, const weir_name_answer_t *answer,
                            uint64_t now_us);

/** Whoever was late is late, whoever has had his time has failed. */
void weir_name_table_tick(struct weir_name_table *table, uint64_t now_us);

/** When weir_name_table_tick() is due; 0: not at all. */
uint64_t weir_name_table_due_us(const struct weir_name_table *table);

/** From now on answers of another edition than this one are not fresh, whatever their TTL. */
void weir_name_table_set_edition(struct weir_name_table *table, unsigned edition);

#endif
