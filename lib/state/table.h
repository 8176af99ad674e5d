/* SPDX-License-Identifier: MIT */
#ifndef WEIR_STATE_TABLE_H
#define WEIR_STATE_TABLE_H
/**
 * @file  What the store's keys say, as it holds: each key is an object, and apps have those that are theirs.
 *
 *   domains/www.shop.example ─┐
 *   backends/shop/web-1 ──────┼─► slot "shop" ─► one document, as in `apps` of the configuration
 *   apps/shop ────────────────┘
 *
 * OWNER    One source.
 * THREAD   Its own.
 */
#include "lib/base/list.h"
#include "lib/base/pieces.h"
#include "lib/state/names.h"

/** By the first piece of a key. */
typedef enum state_kind {
    STATE_APP,
    STATE_BACKEND,
    STATE_DOMAIN,
    STATE_CONFIG,
    STATE_CERT,
    STATE_META,
    STATE_KINDS
} state_kind_t;

/** "apps", "backends", …; a key is "KIND/REST". */
extern const char *const state_kind_words[STATE_KINDS];

enum { STATE_KEY_BYTES = 768, STATE_VALUE_MOST = 65536, STATE_NAME_MOST = 255, STATE_SLOTS_REDIRECT_MOST = 300 };

/** An app, or where domains are redirected to; known while an object is its. */
typedef struct state_slot {
    state_name_t by_name;
    struct state_object *app; /* apps/NAME; NULL: there is none (yet) */
    weir_list_t backends, domains;
    weir_list_t dirty; /* in table->dirty: its document is to be made */
    uint32_t backend_count, domain_count;
    uint32_t olds;               /* objects that were its before the present step   */
    uint32_t suspects;           /* of its backends: gone, and kept                 */
    struct state_losses *losses; /* NULL: no lease of it has ended yet              */
    bool is_redirect, is_put;    /* it has been put, and not taken back */
    bool has_newcomer;           /* a backend was said since the last document that was taken */
    uint16_t name_length;
    char name[]; /* and a NUL; of a redirect: "redirect-to:TARGET" */
} state_slot_t;

/** Leases of an app that have ended, in the window that began then. */
typedef struct state_losses {
    uint64_t from_us;
    uint32_t count, of;
} state_losses_t;

/** A key. */
typedef struct state_object {
    state_name_t by_key;
    struct state_object *old; /* during a step: what the key said before; NULL: nothing, or it has been put */
    weir_list_t sibling;      /* in its slot   */
    state_slot_t *slot;       /* of an app, a backend, a domain */
    int64_t mod_revision;
    uint32_t value_length;
    uint16_t key_length;
    uint8_t kind;
    bool is_fresh : 1;   /* said in the present step         */
    bool is_absent : 1;  /* the store has it no more; it is held back */
    bool is_suspect : 1; /* so, as one of many whose leases have ended */
    bool is_seen : 1;    /* the present snapshot has it      */
    bool has_lease : 1;
    char bytes[]; /* the key, a NUL, and the value: of a domain its path, of others JSON; a NUL */
} state_object_t;

typedef struct state_table {
    weir_pieces_t pieces; /* objects and slots */
    state_names_t objects, slots;
    weir_list_t dirty;
    size_t counts[STATE_KINDS];
    size_t absent[STATE_KINDS]; /* of those: held back */
    state_object_t *defaults;   /* config/defaults; NULL: none */
    state_slot_t *last_slot;    /* that was looked for: the next key is often its, too; NULL: none */
} state_table_t;

/** What a key says, once it has been judged. All is borrowed. */
typedef struct state_said {
    state_kind_t kind;
    weir_span_t key;   /* "domains/www.shop.example"                          */
    weir_span_t slot;  /* whose it is; empty: no app's                        */
    bool is_redirect;  /* `slot` is a target                                  */
    weir_span_t value; /* as state_object_t has it                            */
    int64_t mod_revision;
    bool has_lease;
} state_said_t;

static inline weir_span_t state_object_key(const state_object_t *object)
{
    return (weir_span_t){object->bytes, object->key_length};
}

/** Behind "KIND/", and of a backend behind "APP/". */
weir_span_t state_object_rest(const state_object_t *object);

static inline weir_span_t state_object_value(const state_object_t *object)
{
    return (weir_span_t){object->bytes + object->key_length + 1, object->value_length};
}

void state_table_init(state_table_t *table);
void state_table_dispose(state_table_t *table);

/** So many keys will come. */
void state_table_expect(state_table_t *table, size_t keys);
/** It will be looked for soon. */
void state_table_prefetch(const state_table_t *table, weir_span_t key);
state_object_t *state_table_find(const state_table_t *table, weir_span_t key);
state_slot_t *state_table_slot(const state_table_t *table, weir_span_t text);

/** It is so from now on, and fresh; what was stays behind it until the step ends. Its slot is dirty, and the one before. */
state_object_t *state_table_set(state_table_t *table, const state_said_t *said);
/** It is no more; its slot is dirty. */
void state_table_remove(state_table_t *table, state_object_t *object);

/** Puts a fresh object out, and what was before it in (if anything was), or the other way round. Slots become dirty. */
void state_table_take_back(state_table_t *table, state_object_t *fresh);
void state_table_take_again(state_table_t *table, state_object_t *fresh);
/** Ends the step for one: what was before is freed. */
void state_table_settle(state_table_t *table, state_object_t *fresh);
/** Frees one that was taken back, for good: what was before it stays. */
void state_table_discard(state_table_t *table, state_object_t *fresh);

/** The store has it no more, and it stays; and it has it again, whatever that says. Harmless if that was so. */
void state_table_hold(state_table_t *table, state_object_t *object, bool is_suspect);
void state_table_release(state_table_t *table, state_object_t *object);

void state_table_touch(state_table_t *table, state_slot_t *slot);
/** Frees a slot that has nothing, and is neither put nor dirty; harmless on others. */
void state_table_drop_slot(state_table_t *table, state_slot_t *slot);

/** Its value as it may stand in the store: JSON; the caller's. compose.c */
char *state_object_text(const state_object_t *object);

/** Whether there is an app to be put. */
bool state_slot_is_whole(const state_slot_t *slot);
/** The app's document: JSON; the caller's. Only of a slot that is whole. compose.c */
char *state_compose(const state_table_t *table, const state_slot_t *slot);

#endif
