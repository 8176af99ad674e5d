/* SPDX-License-Identifier: MIT */
/*
 * Keys by dice, several in a step, some of them bad: what is in force is what the keys say that hold, whichever they are; the
 * table is sound after each step; and nothing is put that is in force already. A key stands in a step once, as in the store.
 */
#include "state_world.h"

#include <jansson.h>

#include "lib/base/must.h"
#include "weir_digest.h"

enum {
    APPS = 4,
    BACKENDS = 3, /* of each app */
    TARGETS = 3,
    DOMAINS = 6,
    DEFAULTS = 0, /* places in keys[] */
    FIRST_APP = 1,
    FIRST_BACKEND = FIRST_APP + APPS,
    FIRST_DOMAIN = FIRST_BACKEND + APPS * BACKENDS,
    KEYS = FIRST_DOMAIN + DOMAINS,
    STEPS = 40000, /* WEIR_STEPS says another number */
    COMPARED_EACH = 20
};

typedef struct spoken {
    char name[40], value[80]; /* that holds; "": none */
    bool was_touched;         /* in the present step   */
    bool is_bad;              /* what was said last is refused, once the step ends */
} spoken_t;

static spoken_t keys[KEYS];
static bool is_needed[APPS]; /* one of its keys is bad in this step: the app stays */
static bool has_new_defaults;
static char refused[1024]; /* " NAME …", in this step */
static uint64_t dice;
static unsigned repeated, refusals;

static unsigned roll(unsigned sides)
{
    static const uint64_t key[2] = {3, 4};

    dice = weir_siphash(key, (weir_span_t){(const char *)&dice, sizeof(dice)});
    return (unsigned)(dice % sides);
}

/* ---- who puts them in force ---- */

static bool was_refused(const char *app)
{
    char word[80];

    snprintf(word, sizeof(word), " %s ", app);
    return strstr(refused, word) != NULL;
}

static void put_and_look(void *context, state_change_t *changes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *app = changes[i].app, *before = forced(app)->json, *json = changes[i].json;
        const bool is_as_before = (before == NULL) == (json == NULL) && (json == NULL || strcmp(before, json) == 0);
        /* Who is refused is put as it was, and so is whoever it has got a domain of; apps may say what defaults do. */
        if (!changes[i].is_trial && is_as_before && refused[0] == '\0' && !has_new_defaults)
            repeated++;
        if (json == NULL || strstr(json, poison) == NULL || changes[i].is_trial || was_refused(app))
            continue;
        refusals++;
        assert_true(strlen(refused) + strlen(app) + 3 < sizeof(refused));
        sprintf(refused + strlen(refused), " %s ", app);
    }
    put_in_force(context, changes, count);
}

/* ---- what should be there ---- */

static json_t *read_value(const spoken_t *key)
{
    json_t *json = json_loads(key->value, 0, NULL);

    WEIR_MUST(json != NULL);
    return json;
}

static const char *word_of(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));

    return text == NULL ? "" : text;
}

/* Of whoever has them by that name: as an object, whose order is none. */
static json_t *model_domains(const char *member, const char *owner)
{
    json_t *domains = json_object();

    for (int i = FIRST_DOMAIN; i < KEYS; i++) {
        char name[160];
        if (keys[i].value[0] == '\0')
            continue;
        json_t *value = read_value(&keys[i]);
        snprintf(name, sizeof(name), "%s%s", keys[i].name + strlen("domains/"), word_of(value, "path"));
        if (strcmp(word_of(value, member), owner) == 0)
            json_object_set_new(domains, name, json_true());
        json_decref(value);
    }
    return domains;
}

static json_t *model_backends(int app)
{
    json_t *backends = json_object();

    for (int i = 0; i < BACKENDS; i++) {
        const spoken_t *key = &keys[FIRST_BACKEND + app * BACKENDS + i];
        if (key->value[0] == '\0')
            continue;
        json_t *value = read_value(key);
        json_object_set_new(backends, strrchr(key->name, '/') + 1, json_string(word_of(value, "addr")));
        json_decref(value);
    }
    return backends;
}

static char *text_of(json_t *json)
{
    char *text = json_dumps(json, JSON_SORT_KEYS | JSON_COMPACT);

    WEIR_MUST(text != NULL);
    json_decref(json);
    return text;
}

static char *model_app(int app)
{
    char name[16];

    if (keys[FIRST_APP + app].value[0] == '\0')
        return strdup("");
    json_t *json = keys[DEFAULTS].value[0] == '\0' ? json_object() : read_value(&keys[DEFAULTS]);
    json_t *own = read_value(&keys[FIRST_APP + app]);
    json_object_update(json, own);
    json_decref(own);
    snprintf(name, sizeof(name), "app%d", app);
    json_t *domains = model_domains("app", name);
    if (json_object_size(domains) > 0)
        json_object_set(json, "domains", domains);
    json_decref(domains);
    json_object_set_new(json, "backends", model_backends(app));
    return text_of(json);
}

static char *model_target(const char *target)
{
    json_t *domains = model_domains("redirect", target);

    if (json_object_size(domains) == 0) {
        json_decref(domains);
        return strdup("");
    }
    return text_of(json_pack("{s:s, s:o, s:{}}", "redirect-to", target, "domains", domains, "backends"));
}

/* ---- what is there ---- */

static void set_by_name(json_t *json, const char *member)
{
    json_t *by_name = json_object();
    const json_t *list = json_object_get(json, member);

    assert_true(json_is_array(list));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        if (json_is_string(one))
            json_object_set_new(by_name, json_string_value(one), json_true());
        else
            json_object_set_new(by_name, word_of(one, "id"), json_string(word_of(one, "at")));
    }
    assert_int_equal(json_object_size(by_name), json_array_size(list));
    json_object_set_new(json, member, by_name);
}

static char *what_is_in_force(const char *name)
{
    json_t *json;

    if (json_of(name)[0] == '\0')
        return strdup("");
    json = json_loads(json_of(name), JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    if (json_object_get(json, "domains") != NULL)
        set_by_name(json, "domains");
    set_by_name(json, "backends");
    return text_of(json);
}

static void compare_one(int turn, const char *name, char *wanted)
{
    char *seen = what_is_in_force(name);

    if (strcmp(wanted, seen) != 0)
        fail_msg("turn %d, %s: '%s' in place of '%s'", turn, name, seen, wanted);
    free(seen);
    free(wanted);
}

static void compare(int turn)
{
    char name[40];

    for (int i = 0; i < APPS; i++) {
        snprintf(name, sizeof(name), "app%d", i);
        compare_one(turn, name, model_app(i));
    }
    for (int i = 0; i < TARGETS; i++) {
        snprintf(name, sizeof(name), "redirect-to:t%d.test", i);
        compare_one(turn, name, model_target(name + strlen("redirect-to:")));
    }
    for (int i = 0; i < KEYS; i++) {
        const state_object_t *object = object_of(keys[i].name);
        assert_true((object == NULL) == (keys[i].value[0] == '\0'));
        assert_string_equal(why_not(keys[i].name), keys[i].is_bad ? "refused" : "");
    }
}

static size_t length_of(const weir_list_t *list)
{
    size_t length = 0;

    for (const weir_list_t *node = list->next; node != list; node = node->next)
        length++;
    return length;
}

/* Nothing is left of the step. */
static void check_table(void)
{
    state_names_walk_t walk = {0};
    size_t count = 0, of_slots = 0;

    assert_true(weir_list_is_empty(&step.table.dirty));
    for (state_name_t *name; (name = state_names_next(&step.table.objects, &walk)) != NULL; count++) {
        const state_object_t *object = WEIR_AROUND(name, state_object_t, by_key);
        assert_true(!object->is_fresh && object->old == NULL && !object->is_absent);
        of_slots += object->slot != NULL;
    }
    assert_int_equal(count, step.table.objects.count);
    walk = (state_names_walk_t){0};
    for (state_name_t *name; (name = state_names_next(&step.table.slots, &walk)) != NULL;) {
        const state_slot_t *slot = WEIR_AROUND(name, state_slot_t, by_name);
        assert_int_equal(length_of(&slot->backends), slot->backend_count);
        assert_int_equal(length_of(&slot->domains), slot->domain_count);
        assert_int_equal(slot->olds, 0);
        assert_true(slot->is_put == state_slot_is_whole(slot));
        assert_true(slot->app != NULL || slot->backend_count + slot->domain_count > 0);
        of_slots -= slot->backend_count + slot->domain_count + (slot->app != NULL);
    }
    assert_int_equal(of_slots, 0);
}

/* ---- what is said ---- */

/* Whether one of that app's keys may be bad now: it is tried only where there is an app. */
static bool may_be_bad(int app)
{
    if (keys[FIRST_APP + app].value[0] == '\0' || roll(5) != 0)
        return false;
    is_needed[app] = true;
    return true;
}

static bool write_value(int place, char value[80])
{
    const int app = place < FIRST_BACKEND ? place - FIRST_APP : (place - FIRST_BACKEND) / BACKENDS;
    const unsigned number = roll(4);
    bool is_bad;

    if (place == DEFAULTS) {
        has_new_defaults = true;
        snprintf(value, 80, "{\"%c\":\"%u\"}", (int)('x' + roll(2)), number);
        return false;
    }
    if (place < FIRST_BACKEND) {
        is_bad = roll(5) == 0;
        snprintf(value, 80, "{\"x\":\"%u%s\"}", number, is_bad ? "bad" : "");
        return is_bad;
    }
    if (place < FIRST_DOMAIN) {
        is_bad = may_be_bad(app);
        snprintf(value, 80, "{\"addr\":\"h:%u%s\"}", number, is_bad ? "bad" : "");
        return is_bad;
    }
    if (roll(2) == 0) {
        is_bad = may_be_bad((int)number);
        snprintf(value, 80, "{\"app\":\"app%u\",\"path\":\"/%u%s\"}", number, roll(2), is_bad ? "bad" : "");
    } else {
        is_bad = roll(5) == 0;
        snprintf(value, 80, "{\"redirect\":\"t%u.test\",\"path\":\"/%u%s\"}", number % TARGETS, roll(2), is_bad ? "bad" : "");
    }
    return is_bad;
}

static void say(int place)
{
    spoken_t *key = &keys[place];
    char value[80];

    if (key->was_touched)
        return;
    if (roll(4) != 0) {
        key->is_bad = write_value(place, value);
        puts_key(key->name, value);
        if (!key->is_bad)
            strcpy(key->value, value);
    } else {
        if (place >= FIRST_APP && place < FIRST_BACKEND && is_needed[place - FIRST_APP])
            return;
        has_new_defaults = has_new_defaults || place == DEFAULTS;
        if (object_of(key->name) != NULL) /* also one that was refused before, and is tried again in this step */
            loses(key->name);
        state_troubles_drop(&step.troubles, (weir_span_t){key->name, strlen(key->name)});
        key->value[0] = '\0';
        key->is_bad = false;
    }
    key->was_touched = true;
}

static void end_step(void)
{
    refused[0] = '\0';
    commit();
    check_table();
    for (int i = 0; i < KEYS; i++)
        keys[i].was_touched = false;
    memset(is_needed, 0, sizeof(is_needed));
    has_new_defaults = false;
    now_us += STATE_GUARD_WINDOW_US + 1;
    step.logged_from_us = now_us;
}

static void name_keys(void)
{
    memset(keys, 0, sizeof(keys));
    strcpy(keys[DEFAULTS].name, "config/defaults");
    for (int i = 0; i < APPS; i++)
        snprintf(keys[FIRST_APP + i].name, sizeof(keys[0].name), "apps/app%d", i);
    for (int i = 0; i < APPS * BACKENDS; i++)
        snprintf(keys[FIRST_BACKEND + i].name, sizeof(keys[0].name), "backends/app%d/b%d", i / BACKENDS, i % BACKENDS);
    for (int i = 0; i < DOMAINS; i++)
        snprintf(keys[FIRST_DOMAIN + i].name, sizeof(keys[0].name), "domains/d%d.test", i);
}

static void play(unsigned seed, int steps)
{
    unsigned committed = 0;

    name_keys();
    dice = seed;
    for (int turn = 0; turn < steps; turn++) {
        say((int)roll(KEYS));
        if (roll(4) != 0)
            continue;
        end_step();
        if (++committed % COMPARED_EACH == 0)
            compare(turn);
    }
    end_step();
    compare(steps);
}

static void test_what_holds_is_in_force(void **state)
{
    const char *said = getenv("WEIR_STEPS");

    poison = "bad";
    step.apply = put_and_look;
    repeated = refusals = 0;
    play(1, said == NULL ? STEPS : atoi(said));
    assert_int_equal(repeated, 0);
    assert_true(refusals > 100);
}

/* Many short ones, so that what goes wrong only in the beginning does. */
static void test_short_lives(void **state)
{
    for (unsigned seed = 0; seed < 300; seed++) {
        (void)close_step(state);
        (void)open_step(state);
        poison = "bad";
        step.apply = put_and_look;
        repeated = 0;
        play(seed, 60);
        assert_int_equal(repeated, 0);
    }
}

#define WITH_STEP(test) cmocka_unit_test_setup_teardown(test, open_step, close_step)

int main(void)
{
    static const struct CMUnitTest tests[] = {WITH_STEP(test_what_holds_is_in_force), WITH_STEP(test_short_lives)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
