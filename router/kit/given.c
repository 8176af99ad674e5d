/* SPDX-License-Identifier: MIT */
#include "given.h"

#include <stddef.h>
#include <stdio.h>

#include "alloc.h"
#include "asleep.h"
#include "config.h"
#include "wanted.h"
#include "weir_kit.h"
#include "workers.h"

enum { NAME_MOST = 255, WHY_BYTES = 512 };

/* ---- reading ---- */

typedef struct reading {
    const struct weir_kit *kit;
    kit_own_t *own;
    const weir_config_t *said;
    bool is_again; /* it was read before: what it says is right, and the router's part is there */
} reading_t;

/* Of a list as kit_own_t has it; NULL: it is empty. */
static bool has_domain(const char *domains, const char *entry)
{
    for (const char *at = domains; at != NULL && *at != '\0'; at += strlen(at) + 1)
        if (strcmp(at, entry) == 0)
            return true;
    return false;
}

/* `used` bytes stand there, the last end aside. */
static size_t add_domain(kit_own_t *own, size_t used, const char *entry)
{
    const size_t bytes = strlen(entry) + 1;

    if (has_domain(own->app.domains, entry))
        return used;
    own->app.domains = realloc(own->app.domains, used + bytes + 1);
    if (own->app.domains == NULL)
        abort();
    memcpy(own->app.domains + used, entry, bytes);
    own->app.domains[used + bytes] = '\0';
    return used + bytes;
}

static bool read_domains(const reading_t *it)
{
    const weir_config_t *node = weir_config_get(it->said, "domains");
    size_t used = 0;

    if (node != NULL && weir_config_kind(node) != WEIR_CONFIG_LIST)
        return weir_config_wrong(node, "domains are a list");
    for (size_t i = 0; node != NULL && i < weir_config_count(node); i++) {
        char entry[KIT_ENTRY_BYTES];
        const char *text = weir_config_text(weir_config_at(node, i));
        const weir_span_t span = {text, text == NULL ? 0 : strlen(text)};
        const char *problem = text == NULL ? "is no text" : kit_domains_problem(span);
        if (problem != NULL)
            return weir_config_wrong(weir_config_at(node, i), "`%s` is no domain: %s", text == NULL ? "this" : text, problem);
        kit_domain_text(span, entry);
        used = add_domain(it->own, used, entry);
    }
    return true;
}

static bool read_app(void *of, const weir_config_t *root)
{
    const reading_t *it = of;

    if (weir_config_kind(it->said) != WEIR_CONFIG_MAP)
        return weir_config_wrong(it->said, "an app is a map of settings");
    const weir_config_t *defaults = weir_config_get(root, "defaults");
    const bool is_fine = it->is_again ? kit_read_again(it->kit, &it->own->app, it->said, defaults)
                                      : kit_read_own((struct weir_kit *)(uintptr_t)it->kit, &it->own->app, it->said, defaults);
    return is_fine && read_domains(it);
}

static void share_settings(struct weir_kit *kit, kit_app_t *app)
{
    kit_settings_t *last = kit->given_settings;

    if (last != NULL && kit_settings_equal(last, app->settings)) {
        kit_settings_release(app->settings);
        app->settings = kit_settings_hold(last);
        return;
    }
    kit_settings_release(last);
    kit->given_settings = kit_settings_hold(app->settings);
}

static kit_own_t *read_own(struct weir_kit *kit, const char *name, const weir_config_t *said, char *why, size_t why_bytes)
{
    reading_t it = {kit, kit_own_create(name), said, false};

    it.own->app.is_given = true;
    if (weir_config_of_text(kit->defaults_text, strlen(kit->defaults_text), read_app, &it, why, why_bytes)) {
        share_settings(kit, &it.own->app);
        return it.own;
    }
    kit_own_discard(kit, it.own);
    return NULL;
}

static bool read_said(void *of, const weir_config_t *node)
{
    reading_t *it = of;
    const char *defaults = it->kit->defaults_text;
    char why[WHY_BYTES] = "";

    it->said = node;
    const bool is_fine = weir_config_of_text(defaults, strlen(defaults), read_app, it, why, sizeof(why));
    if (!is_fine && it->kit->host != NULL) /* it was fine before */
        weir_instance_log(it->kit->host, "app %s: %s", it->own->app.name, why);
    return is_fine;
}

kit_own_t *kit_given_read_again(const struct weir_kit *kit, const kit_app_t *app)
{
    const char *json = weir_state_text_json(app->text);
    reading_t it = {kit, kit_own_create(app->name), NULL, true};
    char why[WHY_BYTES];

    (void)weir_config_of_text(json, strlen(json), read_said, &it, why, sizeof(why));
    if (it.own->app.manner == NULL)
        it.own->app.manner = kit_manner_create();
    return it.own;
}

static char *copy_list(const char *domains)
{
    size_t bytes = 1;

    for (const char *at = domains; *at != '\0'; at += strlen(at) + 1)
        bytes += strlen(at) + 1;
    return kit_copy_bytes(domains, bytes);
}

/* A copy of those that an app has: of one that sleeps they stand in its text. NULL: none. */
static char *domains_of(const struct weir_kit *kit, kit_app_t *app)
{
    if (app->is_packed) {
        kit_own_t *read = kit_given_read_again(kit, app);
        char *domains = read->app.domains;
        read->app.domains = NULL;
        kit_own_discard(kit, read);
        return domains;
    }
    return app->domains == NULL ? NULL : copy_list(app->domains);
}

/* ---- domains ---- */

/* An app of a source that is gone, and has left domains behind since an operator had removed it. */
static bool has_left(const struct weir_kit *kit, const kit_app_t *app)
{
    return atomic_load(&app->is_gone) && !kit_app_is_written(kit, app);
}

/* Whose it is instead; NULL: it is the app's. What operators say of it holds whoever else wants it. */
static const char *place(struct weir_kit *kit, kit_app_t *app, const char *entry)
{
    const weir_span_t span = {entry, strlen(entry)};
    const kit_domain_edit_t *edit = kit_domain_edit_find(kit->instance, entry);
    bool is_full = false;
    const kit_app_t *owner =
        edit != NULL ? kit_domains_owner(kit->domains, span) : kit_domains_add(kit->domains, span, app, &is_full);

    kit_wanted_drop(&kit->wanted, entry, app->name);
    if (is_full)
        return "nobody, for it has too many paths";
    if (owner == app || (owner == NULL && edit == NULL))
        return NULL;
    if (edit != NULL) {
        if (edit->app == NULL || kit_own_find(kit, edit->app) != NULL) /* else it may come yet */
            (void)kit_own_place_domain(kit, entry, edit->app);
        return NULL;
    }
    if (!has_left(kit, owner) && !kit_workers_have_claimed(kit->instance, entry, owner->name)) {
        kit_wanted_note(&kit->wanted, entry, app->name);
        return owner->name;
    }
    return kit_own_place_domain(kit, entry, app->name) ? NULL : "nobody, for it has too many paths";
}

static void place_all(struct weir_kit *kit, kit_app_t *app, const char *domains, char *why, size_t why_bytes)
{
    for (const char *at = domains; at != NULL && *at != '\0'; at += strlen(at) + 1) {
        const char *owner = place(kit, app, at);
        if (owner != NULL && why[0] == '\0')
            snprintf(why, why_bytes, "the domain %s stays with the app %s", at, owner);
    }
}

/* What operators have said of domains before it came. */
static void place_edits(struct weir_kit *kit, const kit_app_t *app)
{
    void **edits = kit_keyed_all(&kit->instance->domain_edits);

    for (size_t i = 0; i < kit->instance->domain_edits.count; i++) {
        const kit_domain_edit_t *edit = edits[i];
        if (edit->app != NULL && strcmp(edit->app, app->name) == 0)
            (void)kit_own_place_domain(kit, edit->entry, edit->app);
    }
    free(edits);
}

static bool wants(struct weir_kit *kit, kit_app_t *app, const char *entry)
{
    char *domains = domains_of(kit, app);
    const bool is_there = has_domain(domains, entry);

    free(domains);
    return is_there;
}

/* Of a source, and there: it may have what it wanted. */
static bool may_follow(struct weir_kit *kit, const char *name, const char *entry)
{
    kit_app_t *app = kit_own_find(kit, name);

    return app != NULL && app->is_given && !atomic_load(&app->is_gone) && wants(kit, app, entry) &&
           kit_domain_edit_find(kit->instance, entry) == NULL;
}

/* Nobody's, or at once another's: between the two no request finds it without an owner. */
static void hand_on(struct weir_kit *kit, const char *entry)
{
    const char *name = kit_wanted_by(&kit->wanted, entry);

    if (name != NULL && may_follow(kit, name, entry)) {
        (void)kit_own_place_domain(kit, entry, name);
        kit_wanted_drop(&kit->wanted, entry, name);
        return;
    }
    (void)kit_domains_remove(kit->domains, (weir_span_t){entry, strlen(entry)});
    kit_workers_claim_again(kit, entry);
}

/* Those that it has no more. `now`: those that it has, or NULL. */
static void give_back(struct weir_kit *kit, const kit_app_t *app, const char *domains, const char *now)
{
    for (const char *at = domains; at != NULL && *at != '\0'; at += strlen(at) + 1) {
        if (has_domain(now, at))
            continue;
        kit_wanted_drop(&kit->wanted, at, app->name);
        if (kit_domains_owner(kit->domains, (weir_span_t){at, strlen(at)}) == app)
            hand_on(kit, at);
    }
}

/* ---- an app ---- */

/* Why a source may not say anything of it; NULL: it may. */
static const char *objection(const struct weir_kit *kit, const char *name, const kit_app_t *present)
{
    const struct kit_overlay *overlay = kit->instance == NULL ? NULL : kit_overlay_find(kit->instance, name);

    if (present != NULL && kit_app_is_written(kit, present))
        return "the configuration has an app of that name";
    if (overlay != NULL && overlay->own != NULL)
        return "operators have made an app of that name";
    return NULL;
}

/* Whether an operator has removed it: that holds until its source says something new. */
static bool is_removed(struct weir_kit *kit, const kit_app_t *app)
{
    struct kit_overlay *overlay = kit_overlay_find(kit->instance, app->name);

    if (overlay == NULL || overlay->gone == NULL)
        return false;
    json_t *present = kit_app_digest(app);
    const bool is_same = json_equal(present, overlay->gone) != 0;
    json_decref(present);
    if (is_same)
        return true;
    weir_instance_log(kit->host, "app %s: its removal is dropped: its source says something new of it", app->name);
    json_decref(overlay->gone);
    overlay->gone = NULL;
    return false;
}

/* In force, with these domains, which become the app's; or asleep, with those of the text. */
static kit_app_t *put(struct weir_kit *kit, kit_app_t *present, kit_own_t *read, weir_state_text_t *text, char *domains)
{
    kit_app_t *app =
        text != NULL && kit_app_may_sleep(kit, present, &read->app) ? kit_app_lay_down(kit, present, read, text) : NULL;

    if (app != NULL)
        return app;
    app = kit_own_take(kit, read, weir_instance_now_us(kit->host));
    free(app->domains);
    app->domains = domains;
    return app;
}

static void take(struct weir_kit *kit, kit_app_t *present, kit_own_t *read, weir_state_text_t *text, char *why,
                 size_t why_bytes)
{
    const bool stays_gone = is_removed(kit, &read->app);
    char *domains = read->app.domains, *before = present == NULL ? NULL : domains_of(kit, present);

    read->app.domains = NULL;
    kit_app_t *app = put(kit, present, read, stays_gone ? NULL : text, domains);
    atomic_store(&app->is_gone, stays_gone);
    give_back(kit, app, before, domains);
    free(before);
    if (!stays_gone)
        place_all(kit, app, domains, why, why_bytes);
    if (app->is_packed)
        free(domains);
    if (!stays_gone && kit->instance->domain_edits.count > 0)
        place_edits(kit, app);
}

void kit_given_return(struct weir_kit *kit, kit_app_t *app)
{
    char why[WHY_BYTES] = "";

    kit_app_wake(kit, app);
    place_all(kit, app, app->domains, why, sizeof(why));
    if (why[0] != '\0')
        weir_instance_log(kit->host, "app %s: %s", app->name, why);
}

static void let_go(struct weir_kit *kit, kit_app_t *app)
{
    kit_own_t *own = kit_own_of(app);

    if (!app->is_given)
        return;
    char *domains = domains_of(kit, app);
    const uint64_t now_us = weir_instance_now_us(kit->host);
    const bool is_taken_over = !atomic_load(&app->is_gone) && kit_workers_take_over(kit, app->name, now_us);
    app->is_given = false;
    if (!is_taken_over)
        atomic_store(&app->is_gone, true);
    give_back(kit, app, domains, NULL);
    free(domains);
    kit_app_forget_text(kit, app);
    free(app->domains);
    app->domains = NULL;
    if (!is_taken_over)
        kit_own_empty(kit, own, now_us);
}

/* Of an older host there is none. */
static weir_state_text_t *text_of(const weir_state_app_t *said)
{
    return said->size >= offsetof(weir_state_app_t, text) + sizeof(said->text) ? said->text : NULL;
}

static bool follow(struct weir_kit *kit, const char *name, const weir_state_app_t *said, char *why, size_t why_bytes)
{
    kit_app_t *present = kit_own_find(kit, name);
    const char *wrong = objection(kit, name, present);
    kit_own_t *read;

    if (said->said == NULL) {
        if (wrong == NULL && present != NULL && !said->is_only_checked)
            let_go(kit, present);
        return true;
    }
    if (wrong != NULL)
        snprintf(why, why_bytes, "%s", wrong);
    read = wrong != NULL ? NULL : read_own(kit, name, said->said, why, why_bytes);
    if (read == NULL)
        return false;
    if (said->is_only_checked)
        kit_own_discard(kit, read);
    else
        take(kit, present, read, text_of(said), why, why_bytes);
    return true;
}

static bool is_name(weir_span_t name)
{
    return name.len > 0 && name.len <= NAME_MOST && memchr(name.base, '/', name.len) == NULL &&
           memchr(name.base, '\0', name.len) == NULL;
}

bool weir_kit_state(weir_kit_t *kit, const weir_state_app_t *app, char *why, size_t why_bytes)
{
    bool is_fine;

    if (!kit->takes_state)
        return true;
    why[0] = '\0';
    if (!is_name(app->name)) {
        snprintf(why, why_bytes, "the name of an app is a word of 1 to %d characters, without /", NAME_MOST);
        return false;
    }
    char *name = kit_copy_bytes(app->name.base, app->name.len);
    if (kit->instance != NULL)
        pthread_mutex_lock(&kit->instance->lock);
    kit->has_more = app->has_more;
    is_fine = follow(kit, name, app, why, why_bytes);
    kit->has_more = false;
    if (!app->has_more)
        kit_own_publish(kit);
    if (kit->instance != NULL)
        pthread_mutex_unlock(&kit->instance->lock);
    free(name);
    return is_fine;
}
