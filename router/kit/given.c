/* SPDX-License-Identifier: MIT */
#include "given.h"

#include <stddef.h>
#include <stdio.h>

#include "alloc.h"
#include "config.h"
#include "wanted.h"
#include "weir_kit.h"
#include "workers.h"

enum { NAME_MOST = 255, WHY_BYTES = 512 };

/* ---- reading ---- */

typedef struct reading {
    struct weir_kit *kit;
    kit_own_t *own;
    const weir_config_t *said;
} reading_t;

static bool has_domain(const kit_own_t *own, const char *entry)
{
    for (const char *at = own->domains; at != NULL && *at != '\0'; at += strlen(at) + 1)
        if (strcmp(at, entry) == 0)
            return true;
    return false;
}

/* `used` bytes stand there, the last end aside. */
static size_t add_domain(kit_own_t *own, size_t used, const char *entry)
{
    const size_t bytes = strlen(entry) + 1;

    if (has_domain(own, entry))
        return used;
    own->domains = realloc(own->domains, used + bytes + 1);
    if (own->domains == NULL)
        abort();
    memcpy(own->domains + used, entry, bytes);
    own->domains[used + bytes] = '\0';
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
    return kit_read_own(it->kit, &it->own->app, it->said, weir_config_get(root, "defaults")) && read_domains(it);
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
    reading_t it = {kit, kit_alloc(1, sizeof(*it.own)), said};
    json_t *around = kit->defaults == NULL ? NULL : json_pack("{s:O}", "defaults", kit->defaults);
    char *text = around == NULL ? kit_copy("{}") : json_dumps(around, JSON_COMPACT);

    json_decref(around);
    it.own->app.name = kit_copy(name);
    it.own->app.is_given = true;
    const bool is_fine = weir_config_of_text(text, strlen(text), read_app, &it, why, why_bytes);
    free(text);
    if (is_fine) {
        share_settings(kit, &it.own->app);
        return it.own;
    }
    kit_own_discard(kit, it.own);
    return NULL;
}

/* ---- domains ---- */

static kit_own_t *own_of(kit_app_t *app)
{
    return (kit_own_t *)(void *)((char *)app - offsetof(kit_own_t, app));
}

/* An app of a source that is gone, and has left domains behind since an operator had removed it. */
static bool has_left(const struct weir_kit *kit, const kit_app_t *app)
{
    return atomic_load(&app->is_gone) && !kit_app_is_written(kit, app);
}

/* Whose it is instead; NULL: it is the app's. What operators say of it holds whoever else wants it. */
static const char *place(struct weir_kit *kit, const kit_app_t *app, const char *entry)
{
    const weir_span_t span = {entry, strlen(entry)};
    const kit_domain_edit_t *edit = kit_domain_edit_find(kit->instance, entry);
    const kit_app_t *owner = kit_domains_owner(kit->domains, span);

    kit_wanted_drop(&kit->wanted, entry, app->name);
    if (owner == app)
        return NULL;
    if (edit != NULL) {
        if (edit->app == NULL || kit_own_find(kit, edit->app) != NULL) /* else it may come yet */
            (void)kit_own_place_domain(kit, entry, edit->app);
        return NULL;
    }
    if (owner != NULL && !has_left(kit, owner) && !kit_workers_have_claimed(kit->instance, entry, owner->name)) {
        kit_wanted_note(&kit->wanted, entry, app->name);
        return owner->name;
    }
    return kit_own_place_domain(kit, entry, app->name) ? NULL : "nobody, for it has too many paths";
}

static void place_all(struct weir_kit *kit, const kit_own_t *own, char *why, size_t why_bytes)
{
    for (const char *at = own->domains; at != NULL && *at != '\0'; at += strlen(at) + 1) {
        const char *owner = place(kit, &own->app, at);
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

/* Of a source, and there: it may have what it wanted. */
static bool may_follow(struct weir_kit *kit, const char *name, const char *entry)
{
    kit_app_t *app = kit_own_find(kit, name);

    return app != NULL && app->is_given && !atomic_load(&app->is_gone) && has_domain(own_of(app), entry) &&
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

/* Those that it has no more. `now` NULL: all. */
static void give_back(struct weir_kit *kit, const kit_app_t *app, const char *domains, const kit_own_t *now)
{
    for (const char *at = domains; at != NULL && *at != '\0'; at += strlen(at) + 1) {
        if (now != NULL && has_domain(now, at))
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

static void take(struct weir_kit *kit, kit_own_t *read, char *why, size_t why_bytes)
{
    const uint64_t now_us = weir_instance_now_us(kit->host);
    const bool stays_gone = is_removed(kit, &read->app);
    char *domains = read->domains, *before;

    read->domains = NULL;
    kit_app_t *app = kit_own_take(kit, read, now_us);
    kit_own_t *own = own_of(app);
    before = own->domains;
    own->domains = domains;
    atomic_store(&app->is_gone, stays_gone);
    give_back(kit, app, before, own);
    free(before);
    if (stays_gone)
        return;
    place_all(kit, own, why, why_bytes);
    if (kit->instance->domain_edits.count > 0)
        place_edits(kit, app);
}

void kit_given_return(struct weir_kit *kit, kit_app_t *app)
{
    char why[WHY_BYTES] = "";

    place_all(kit, own_of(app), why, sizeof(why));
    if (why[0] != '\0')
        weir_instance_log(kit->host, "app %s: %s", app->name, why);
}

static void let_go(struct weir_kit *kit, kit_app_t *app)
{
    kit_own_t *own = own_of(app);

    if (!app->is_given)
        return;
    const uint64_t now_us = weir_instance_now_us(kit->host);
    const bool is_taken_over = !atomic_load(&app->is_gone) && kit_workers_take_over(kit, app->name, now_us);
    app->is_given = false;
    if (!is_taken_over)
        atomic_store(&app->is_gone, true);
    give_back(kit, app, own->domains, NULL);
    free(own->domains);
    own->domains = NULL;
    if (!is_taken_over)
        kit_own_empty(kit, own, now_us);
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
        take(kit, read, why, why_bytes);
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
