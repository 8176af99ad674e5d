/* SPDX-License-Identifier: MIT */
#include "router/admin.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/must.h"
#include "lib/walk/at_work.h"

enum { OK = 200, NOT_FOUND = 404, NOT_ALLOWED = 405, CONFLICT = 409 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static weir_list_t known = {&known, &known};

void weir_administered_enter(weir_administered_t *one, const char *name, const weir_instance_t *instance,
                             const weir_router_t *router, weir_router_admin_t *admin, weir_shared_t *shared)
{
    one->name = name != NULL ? name : weir_instance_name(instance);
    one->instance = instance;
    one->router = router;
    one->admin = admin;
    one->shared = shared;
    weir_list_init(&one->link);
    pthread_mutex_lock(&lock);
    weir_list_prepend(&known, &one->link);
    pthread_mutex_unlock(&lock);
}

void weir_administered_leave(weir_administered_t *one)
{
    if (one->instance == NULL)
        return;
    pthread_mutex_lock(&lock);
    weir_list_remove(&one->link);
    pthread_mutex_unlock(&lock);
    one->instance = NULL;
}

static weir_administered_t *of(const weir_list_t *node)
{
    return WEIR_AROUND(node, weir_administered_t, link);
}

/* Whether a newer one has its name. */
static bool is_replaced(const weir_administered_t *one)
{
    for (weir_list_t *node = known.next; node != &one->link; node = node->next)
        if (strcmp(of(node)->name, one->name) == 0)
            return true;
    return false;
}

/* ---- the list ---- */

/* Names come from a configuration: what JSON does not take as it is becomes an escape. */
static void write_text(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\' || (unsigned char)*text < ' ')
            fprintf(out, "\\u%04x", (unsigned char)*text);
        else
            fputc(*text, out);
    }
    fputc('"', out);
}

static void write_one(FILE *out, const weir_administered_t *one)
{
    fputs("{\"name\":", out);
    write_text(out, one->name);
    fputs(",\"router\":", out);
    write_text(out, one->router->name);
    fputs(",\"at\":", out);
    write_text(out, weir_instance_where(one->instance));
    fprintf(out, ",\"generation\":%" PRIu64 ",\"admin\":%s}", weir_instance_generation(one->instance),
            one->admin != NULL ? "true" : "false");
}

void weir_administered_list(weir_admin_call_t *call)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    const char *before = "";

    WEIR_MUST(out != NULL);
    fputs("{\"routers\":[", out);
    pthread_mutex_lock(&lock);
    for (weir_list_t *node = known.prev; node != &known; node = node->prev) {
        if (is_replaced(of(node)))
            continue;
        fputs(before, out);
        write_one(out, of(node));
        before = ",";
    }
    pthread_mutex_unlock(&lock);
    fputs("]}", out);
    fclose(out);
    weir_admin_answer(call, OK, text, bytes);
    free(text);
}

/* ---- one of them ---- */

/* Of that name; base NULL: who can be asked. *out_count: how many there are. */
static weir_administered_t *find(weir_span_t name, size_t *out_count)
{
    weir_administered_t *found = NULL;

    *out_count = 0;
    for (weir_list_t *node = known.next; node != &known; node = node->next) {
        weir_administered_t *one = of(node);
        const bool is_it = name.base == NULL ? one->admin != NULL
                                             : strlen(one->name) == name.len && memcmp(one->name, name.base, name.len) == 0;
        if (!is_it || is_replaced(one))
            continue;
        found = one;
        ++*out_count;
    }
    return found;
}

static bool has_answered(const weir_administered_t *one, weir_admin_call_t *call)
{
    const weir_before_t before = weir_at_work_on(NULL, "router", one->router->name, "admin");
    const bool is_answered = one->admin(one->shared, call);

    weir_at_work_back(before);
    return is_answered;
}

static void ask(const weir_administered_t *one, weir_admin_call_t *call)
{
    if (one->admin == NULL) {
        weir_admin_problem(call, NOT_ALLOWED, "read-only", NULL, "the router %s cannot be asked", one->router->name);
        return;
    }
    if (!has_answered(one, call))
        weir_admin_problem(call, NOT_FOUND, "unknown-path", NULL, "the router %s has nothing at this path", one->router->name);
}

void weir_administered_ask(weir_span_t name, weir_admin_call_t *call)
{
    size_t count;

    pthread_mutex_lock(&lock);
    const weir_administered_t *one = find(name, &count);
    if (name.base == NULL && count > 1)
        weir_admin_problem(call, CONFLICT, "ambiguous", NULL, "there are %zu routers: say which, by /v1/routers/NAME/…", count);
    else if (one == NULL)
        weir_admin_problem(call, NOT_FOUND, "unknown-router", NULL,
                           name.base == NULL ? "no router can be asked" : "there is no router of this name");
    else
        ask(one, call);
    pthread_mutex_unlock(&lock);
}

/* ---- all of them ---- */

void weir_administered_each(const weir_administered_asking_t *asking)
{
    pthread_mutex_lock(&lock);
    for (weir_list_t *node = known.prev; node != &known; node = node->prev) {
        const weir_administered_t *one = of(node);
        if (one->admin == NULL || is_replaced(one))
            continue;
        weir_admin_call_t *call = asking->begin(asking->context);
        asking->end(asking->context, one->name, call, has_answered(one, call));
    }
    pthread_mutex_unlock(&lock);
}
