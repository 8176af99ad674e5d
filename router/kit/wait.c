/* SPDX-License-Identifier: MIT */
#include "wait.h"

#include "alloc.h"
#include "document.h"
#include "queue.h"
#include "state_file.h"
#include "weir_retire.h"

enum { CONFLICT = 409, UNAVAILABLE = 503 };

typedef struct kit_wait {
    struct kit_wait *next;
    weir_admin_held_t *held;
    uint64_t until_us; /* 0: the next tick says */
    uint16_t status;
    char *app, *id, *text;
    bool is_effective;
    uint64_t file_number; /* of the state file, which comes first; 0: it need not */
} kit_wait_t;

static kit_wait_t *create(weir_admin_held_t **held, uint16_t status, const char *text)
{
    kit_wait_t *wait = kit_alloc(1, sizeof(*wait));

    wait->held = *held;
    wait->status = status;
    wait->text = kit_copy(text == NULL ? "" : text);
    *held = NULL;
    return wait;
}

static void destroy(kit_wait_t *wait)
{
    free(wait->app);
    free(wait->id);
    free(wait->text);
    free(wait);
}

static void answer(void *of)
{
    kit_wait_t *wait = of;

    weir_admin_held_answer(&wait->held, wait->status, wait->text, strlen(wait->text));
    destroy(wait);
}

void kit_wait_grace(weir_admin_held_t **held, uint16_t status, const char *text)
{
    weir_retire(create(held, status, text), answer);
}

void kit_wait_idle(kit_instance_t *instance, weir_admin_held_t **held, const kit_wait_what_t *what, uint16_t status,
                   const char *text)
{
    kit_wait_t *wait = create(held, status, text);

    wait->app = kit_copy(what->app);
    wait->id = kit_copy(what->id);
    wait->is_effective = what->is_effective;
    if (instance->file != NULL && kit_state_file_is_strict(instance->file))
        wait->file_number = kit_state_file_number(instance->file);
    wait->next = instance->waits;
    instance->waits = wait;
}

static uint64_t count_of(const weir_member_t *member, const char *id)
{
    const uint64_t load = atomic_load(&member->load);

    return id != NULL && strcmp(member->id, id) != 0 ? 0 : kit_in_flight(load) + kit_tunnels(load);
}

static kit_app_t *app_of(const kit_instance_t *instance, const kit_wait_t *wait)
{
    return instance->started == NULL ? NULL : kit_app_find(instance->started, (weir_span_t){wait->app, strlen(wait->app)});
}

static bool is_idle(const kit_instance_t *instance, const kit_wait_t *wait)
{
    const kit_app_t *app = app_of(instance, wait);
    uint64_t count = 0;

    if (wait->file_number != 0 && instance->file != NULL && !kit_state_file_has_handled(instance->file, wait->file_number))
        return false;
    if (app == NULL || app->set == NULL)
        return true;
    for (size_t i = 0; i < app->set->member_count; i++)
        count += count_of(app->set->members[i], wait->id);
    for (size_t i = 0; i < app->set->leaving_count; i++)
        count += count_of(app->set->leaving[i], wait->id);
    return count == 0;
}

/* The document as it is now: in the one of the change something was in flight yet. What is gone by now is told as it was. */
static void renew(const kit_instance_t *instance, kit_wait_t *wait)
{
    kit_app_t *app = app_of(instance, wait);
    json_t *document;
    char *text;

    if (wait->text[0] == '\0' || app == NULL || app->set == NULL)
        return;
    document = wait->id != NULL ? kit_document_of_member(instance->started, app, wait->id)
                                : kit_document_of_app(instance->started, app, wait->is_effective);
    text = document == NULL ? NULL : json_dumps(document, JSON_COMPACT);
    json_decref(document);
    if (text == NULL)
        return;
    free(wait->text);
    wait->text = text;
}

void kit_waits_tick(kit_instance_t *instance, uint64_t now_us)
{
    for (kit_wait_t **at = &instance->waits, *wait; (wait = *at) != NULL;) {
        if (wait->until_us == 0)
            wait->until_us = now_us + (uint64_t)KIT_WAIT_MOST_MS * 1000;
        if (is_idle(instance, wait)) {
            *at = wait->next;
            renew(instance, wait);
            answer(wait);
        } else if (now_us >= wait->until_us) {
            *at = wait->next;
            weir_admin_held_problem(&wait->held, CONFLICT, "not-idle", "it holds, but requests are still under way");
            destroy(wait);
        } else {
            at = &wait->next;
        }
    }
}

void kit_waits_end(kit_instance_t *instance)
{
    for (kit_wait_t *wait = instance->waits, *next; wait != NULL; wait = next) {
        next = wait->next;
        weir_admin_held_problem(&wait->held, UNAVAILABLE, "busy", "it holds, but the proxy ends");
        destroy(wait);
    }
    instance->waits = NULL;
}
