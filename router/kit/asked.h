/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_ASKED_H
#define WEIR_KIT_ASKED_H
/**
 * @file  One call of the admin endpoint to a kit, and how it is answered. Private to admin*.c.
 *
 * THREAD   The host's, under the instance's lock.
 */
#include "change.h"

enum { KIT_OK = 200, KIT_CREATED = 201, KIT_NO_CONTENT = 204, KIT_MALFORMED = 400, KIT_NOT_FOUND = 404, KIT_INVALID = 422 };

typedef struct kit_asked {
    weir_admin_call_t *call;
    struct weir_kit *kit;
    json_t *body;    /* NULL: there is none */
    const char *app; /* NULL: none is named; also one that there is not */
    const char *id;  /* of a backend; NULL: none is named */
    kit_change_t change;
    bool has_changed; /* and it holds */
} kit_asked_t;

bool kit_asked_has_method(const kit_asked_t *asked, const char *method);
/** Each answers, and is true: for returning. */
bool kit_asked_refuse_method(const kit_asked_t *asked, const char *allowed);
bool kit_asked_answer(const kit_asked_t *asked, uint16_t status, json_t *document);
bool kit_asked_answer_app(const kit_asked_t *asked, uint16_t status);
bool kit_asked_answer_member(const kit_asked_t *asked, uint16_t status);
bool kit_asked_answer_problem(const kit_asked_t *asked);

/** Begins its change. */
kit_change_t *kit_asked_begin(kit_asked_t *asked);
/** False: the steps were not possible; it is rolled back, and was answered. True: it holds now. */
bool kit_asked_end(kit_asked_t *asked, bool is_fine);
/** Answers to a change that holds: as `wait` of the query and the state file want it. `document` NULL: none. */
bool kit_asked_answer_change(const kit_asked_t *asked, uint16_t status, json_t *document);
/** Whether the conditions of the head hold for the app; else it was answered. */
bool kit_asked_may(kit_asked_t *asked, bool is_there);
/** Whether the body is an object; else it was answered. */
bool kit_asked_has_object(const kit_asked_t *asked);

/** admin_more.c: what is not about one app. False: there is no such path. */
bool kit_asked_domains(kit_asked_t *asked);
bool kit_asked_changes(kit_asked_t *asked);
bool kit_asked_watch(kit_asked_t *asked);
/** admin_state.c */
bool kit_asked_state(kit_asked_t *asked);
/** One step of a list of changes: {op, path, value, if_match}. */
bool kit_asked_step(kit_change_t *change, const json_t *step);

#endif
