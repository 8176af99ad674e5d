/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_CHANGE_H
#define WEIR_KIT_CHANGE_H
/**
 * @file  A change: one or many things at once, all of them or none, under one sequence number.
 *
 *   kit_change_begin() ─ kit_change_member_…(), …_app_…(), …_domain_…() ─┬─ kit_change_commit()
 *                                                                        └─ kit_change_roll_back(), behind a problem
 *
 * Steps change the overlay (overlay.h) and keep what it was before. Requests see nothing of it until the commit.
 *
 * OWNER    Whoever begins it. One at a time.
 * THREAD   Under the instance's lock.
 */
#include "own.h"
#include "weir_admin.h"

enum { KIT_POINTER_BYTES = 64, KIT_PROBLEM_BYTES = 512, KIT_TAG_BYTES = 24 };

/** Why a step cannot be: an answer of the admin endpoint. */
typedef struct kit_problem {
    uint16_t status; /* 0: none */
    const char *type;
    char pointer[KIT_POINTER_BYTES]; /* into what was to be set; empty: none */
    char detail[KIT_PROBLEM_BYTES];
} kit_problem_t;

struct kit_touched;
struct kit_touched_domain;

typedef struct kit_change {
    struct weir_kit *kit;
    const weir_admin_caller_t *who; /* NULL: the proxy itself */
    struct kit_touched *apps;       /* as they were before, newest first */
    struct kit_touched_domain *domains;
    kit_keyed_table_t app_table, domain_table; /* the same by their names */
    json_t *domains_of;     /* lists by the names of apps, of the table as it was; NULL: nobody has asked for a second app */
    bool has_asked_domains; /* for a first one */
    json_t *events;         /* what is told to who watches */
    kit_problem_t problem;
} kit_change_t;

void kit_change_begin(kit_change_t *change, struct weir_kit *kit, const weir_admin_caller_t *who);
/** It holds when this returns, and is told. Its sequence number. */
uint64_t kit_change_commit(kit_change_t *change);
/** Nothing was. */
void kit_change_roll_back(kit_change_t *change);

/** Notes the problem; false. `pointer` NULL: none. */
bool kit_change_refuse(kit_change_t *change, uint16_t status, const char *type, const char *pointer, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/** The app as it is with what has been changed so far; NULL: there is none, which the problem says. */
kit_app_t *kit_change_app(kit_change_t *change, const char *app);
/** If-Match (RFC 9110 §13.1.1) and If-None-Match of the app, or the domain; either may be base NULL. False: a problem. */
bool kit_change_may(kit_change_t *change, const char *what, uint64_t seq, bool is_there, weir_span_t match, weir_span_t none);
/** The app's overlay, to be changed. */
struct kit_overlay *kit_change_touch(kit_change_t *change, const char *app);
/** Notes what is told: takes over `before` and `after`, which may be NULL. */
void kit_change_tell(kit_change_t *change, const char *op, const char *path, json_t *before, json_t *after);

/* ── Steps: false is a problem. Documents are borrowed. ── */

/** PUT (is_whole), PATCH or POST of a backend. */
bool kit_change_member(kit_change_t *change, const char *app, const char *id, const json_t *document, bool is_whole);
bool kit_change_member_remove(kit_change_t *change, const char *app, const char *id);
/** What has been changed of it holds no more. */
bool kit_change_member_revert(kit_change_t *change, const char *app, const char *id);
/** PUT of an app: all that it is, with its domains and backends. Made if there is none. */
bool kit_change_app_put(kit_change_t *change, const char *app, const json_t *document);
/** PATCH of its settings. */
bool kit_change_settings(kit_change_t *change, const char *app, const json_t *document);
bool kit_change_app_remove(kit_change_t *change, const char *app);
/** What has been changed of it and its backends holds no more. */
bool kit_change_app_revert(kit_change_t *change, const char *app);
/** That it is paused (until then, on the wall's clock), stopped, or runs: as weir_set_pause() has it. NULL: it runs. */
bool kit_change_course(kit_change_t *change, const char *app, const char *op, json_t *course);
/** PUT of a domain. `may_take`: also from another app. */
bool kit_change_domain(kit_change_t *change, const char *entry, const char *app, bool may_take);
bool kit_change_domain_remove(kit_change_t *change, const char *entry);
bool kit_change_domain_revert(kit_change_t *change, const char *entry);
/** Whose a domain is now; NULL: nobody's. The entry is a valid one. */
const char *kit_change_domain_owner(const kit_change_t *change, const char *entry);

#endif
