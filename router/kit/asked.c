/* SPDX-License-Identifier: MIT */
#include "asked.h"

#include <stdio.h>

#include "alloc.h"
#include "asleep.h"
#include "document.h"
#include "state_file.h"
#include "wait.h"
#include "weir_span.h"

enum { NOT_ALLOWED = 405 };

bool kit_asked_has_method(const kit_asked_t *asked, const char *method)
{
    return weir_span_is(weir_admin_method(asked->call), method);
}

bool kit_asked_refuse_method(const kit_asked_t *asked, const char *allowed)
{
    weir_admin_add(asked->call, "Allow", allowed);
    weir_admin_problem(asked->call, NOT_ALLOWED, "method-not-allowed", NULL, "this path takes %s", allowed);
    return true;
}

bool kit_asked_has_object(const kit_asked_t *asked)
{
    if (json_is_object(asked->body))
        return true;
    weir_admin_problem(asked->call, KIT_MALFORMED, "malformed", NULL, "the body must be a JSON object");
    return false;
}

/* ---- answers ---- */

static void add_seq(const kit_asked_t *asked)
{
    char seq[KIT_TAG_BYTES];

    snprintf(seq, sizeof(seq), "%llu", (unsigned long long)asked->kit->instance->seq);
    weir_admin_add(asked->call, "Weir-Seq", seq);
}

static uint64_t seq_of_app(const kit_asked_t *asked)
{
    const struct kit_overlay *overlay = kit_overlay_find(asked->kit->instance, asked->app);

    return overlay == NULL ? 0 : overlay->seq;
}

static void add_tag(const kit_asked_t *asked)
{
    char tag[KIT_TAG_BYTES];

    snprintf(tag, sizeof(tag), "\"%llu\"", (unsigned long long)seq_of_app(asked));
    weir_admin_add(asked->call, "ETag", tag);
}

bool kit_asked_answer(const kit_asked_t *asked, uint16_t status, json_t *document)
{
    char *text = json_dumps(document, JSON_COMPACT);

    add_seq(asked);
    weir_admin_answer(asked->call, status, text, text == NULL ? 0 : strlen(text));
    free(text);
    json_decref(document);
    return true;
}

static bool wants_all(const kit_asked_t *asked)
{
    return weir_span_is(weir_admin_parameter(asked->call, "effective"), "1");
}

/* The change holds; its answer may wait for more. */
static bool answer_later(const kit_asked_t *asked, uint16_t status, const char *text)
{
    const weir_span_t wanted = weir_admin_parameter(asked->call, "wait");
    const bool is_idle = weir_span_is(wanted, "idle") && asked->app != NULL, is_grace = weir_span_is(wanted, "grace");
    const kit_wait_what_t what = {asked->app, asked->id, wants_all(asked)};
    struct kit_state_file *file = asked->kit->instance->file;
    weir_admin_held_t *held;

    if (!asked->has_changed)
        return false;
    if (!is_idle && !is_grace && (file == NULL || !kit_state_file_is_strict(file)))
        return false;
    held = weir_admin_hold(asked->call);
    if (is_idle)
        kit_wait_idle(asked->kit->instance, &held, &what, status, text);
    else if (is_grace)
        kit_wait_grace(&held, status, text);
    else
        kit_state_file_answers(file, &held, status, text);
    return true;
}

bool kit_asked_answer_change(const kit_asked_t *asked, uint16_t status, json_t *document)
{
    char *text = document == NULL ? NULL : json_dumps(document, JSON_COMPACT);

    add_seq(asked);
    if (asked->app != NULL)
        add_tag(asked);
    if (!answer_later(asked, status, text))
        weir_admin_answer(asked->call, status, text, text == NULL ? 0 : strlen(text));
    free(text);
    json_decref(document);
    return true;
}

static kit_app_t *app_of(const kit_asked_t *asked)
{
    return kit_app_awake(asked->kit, (weir_span_t){asked->app, strlen(asked->app)});
}

bool kit_asked_answer_app(const kit_asked_t *asked, uint16_t status)
{
    return kit_asked_answer_change(asked, status, kit_document_of_app(asked->kit, app_of(asked), wants_all(asked)));
}

bool kit_asked_answer_member(const kit_asked_t *asked, uint16_t status)
{
    json_t *document = kit_document_of_member(asked->kit, app_of(asked), asked->id);

    if (document != NULL)
        return kit_asked_answer_change(asked, status, document);
    weir_admin_problem(asked->call, KIT_NOT_FOUND, "unknown-backend", NULL, "the app %s has no backend %s", asked->app,
                       asked->id);
    return true;
}

bool kit_asked_answer_problem(const kit_asked_t *asked)
{
    const kit_problem_t *problem = &asked->change.problem;

    if (asked->app != NULL)
        add_tag(asked);
    weir_admin_problem(asked->call, problem->status, problem->type, problem->pointer[0] == '\0' ? NULL : problem->pointer, "%s",
                       problem->detail);
    return true;
}

/* ---- changes ---- */

kit_change_t *kit_asked_begin(kit_asked_t *asked)
{
    kit_change_begin(&asked->change, asked->kit, weir_admin_caller(asked->call));
    return &asked->change;
}

bool kit_asked_end(kit_asked_t *asked, bool is_fine)
{
    if (is_fine) {
        (void)kit_change_commit(&asked->change);
        asked->has_changed = true;
        return true;
    }
    kit_change_roll_back(&asked->change);
    (void)kit_asked_answer_problem(asked);
    return false;
}

bool kit_asked_may(kit_asked_t *asked, bool is_there)
{
    char what[KIT_PROBLEM_BYTES / 2];

    snprintf(what, sizeof(what), "the app %s", asked->app);
    return kit_change_may(&asked->change, what, seq_of_app(asked), is_there, weir_admin_field(asked->call, "if-match"),
                          weir_admin_field(asked->call, "if-none-match"));
}
