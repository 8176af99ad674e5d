/* SPDX-License-Identifier: MIT */
/* Apps of sources that nobody has asked for yet: when they wake, and that nobody can tell. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/config_node.h"
#include "conf/yaml.h"
#include "conf_capture.h"
#include "router/kit/asleep.h"
#include "router/kit/document.h"
#include "router/state_text.h"
#include "unit.h"
#include "weir_kit.h"

enum { TEXT_BYTES = 4096, READERS = 3, CHANGES = 300 };

static yoml_t *shape;
static weir_kit_t *kit;
static char why[TEXT_BYTES];

/* The router's part of an app: a copy of what its `colour` says. How many there are. */
static int extras;

static bool read_extra(void *context, weir_span_t app, const weir_config_t *node, const weir_config_t *defaults, void **out)
{
    const char *colour = weir_config_text(weir_config_get(node, "colour"));

    (void)context, (void)app, (void)defaults;
    *out = strdup(colour == NULL ? "none" : colour);
    extras++;
    return true;
}

static void free_extra(void *extra)
{
    extras--;
    free(extra);
}

static bool is_same_extra(const void *extra, const void *other)
{
    return strcmp(extra, other) == 0;
}

static int open_kit(void **state)
{
    static const char *const keys[] = {"colour", NULL};
    static const weir_kit_options_t options = {.size = sizeof(options),
                                               .app_keys = keys,
                                               .read_app = read_extra,
                                               .free_app = free_extra,
                                               .is_same_app = is_same_extra};
    static const char text[] = "state: ON\napps: { fixed: { domains: [ fixed.test ], backends: [ \"127.0.0.1:1\" ] } }\n";

    (void)state;
    shape = conf_yaml_parse((weir_span_t){text, strlen(text)}, "shape.yaml");
    kit = weir_kit_open(conf_config_of(shape), &options);
    assert_non_null(kit);
    weir_kit_start(kit, NULL);
    return 0;
}

static int close_kit(void **state)
{
    (void)state;
    weir_kit_stop(kit);
    weir_kit_close(&kit);
    conf_yaml_release(&shape);
    assert_int_equal(extras, 0);
    return 0;
}

typedef struct saying {
    weir_state_app_t app;
    bool is_fine;
} saying_t;

static bool say_node(void *of, const weir_config_t *node)
{
    saying_t *saying = of;

    saying->app.said = node;
    return saying->is_fine = weir_kit_state(kit, &saying->app, why, sizeof(why));
}

/* A source says it of an app; NULL: it is gone. */
static void says(const char *name, const char *json)
{
    saying_t saying = {.app = {.size = sizeof(saying.app), .name = {name, strlen(name)}, .origin = "test"}};
    char problem[TEXT_BYTES] = "";

    saying.app.text = json == NULL ? NULL : weir_state_text_create(json);
    if (json == NULL)
        saying.is_fine = weir_kit_state(kit, &saying.app, why, sizeof(why));
    else
        (void)weir_config_of_text(json, strlen(json), say_node, &saying, problem, sizeof(problem));
    weir_state_text_release(saying.app.text);
    assert_string_equal(problem, "");
    if (!saying.is_fine)
        fail_msg("%s: %s", json == NULL ? "gone" : json, why);
}

static kit_app_t *app_of(const char *name)
{
    kit_app_t *app = kit_own_find(kit, name);

    assert_non_null(app);
    return app;
}

static bool sleeps(const char *name)
{
    return atomic_load(&app_of(name)->set) == NULL && app_of(name)->is_packed;
}

/* A request for it; NULL: it finds nothing. */
static weir_set_t *request(const char *host)
{
    void *extra = NULL;
    weir_set_t *set = weir_kit_find(kit, (weir_span_t){host, strlen(host)}, WEIR_SPAN("/"), &extra);

    assert_true((set == NULL) == (extra == NULL));
    return set;
}

static const char *colour(const char *host)
{
    void *extra = NULL;

    (void)weir_kit_find(kit, (weir_span_t){host, strlen(host)}, WEIR_SPAN("/"), &extra);
    return extra == NULL ? "none" : extra;
}

static void test_it_sleeps_until_a_request_comes(void **state)
{
    (void)state;
    says("a", "{\"domains\": [\"a.test\"], \"backends\": [\"127.0.0.1:1\", \"127.0.0.1:2\"], \"colour\": \"red\"}");
    assert_true(sleeps("a"));
    assert_int_equal(app_of("a")->asleep_count, 2);
    weir_set_t *set = request("a.test");
    assert_non_null(set);
    assert_int_equal(set->member_count, 2);
    assert_string_equal(set->members[1]->id, "127.0.0.1:2");
    assert_string_equal(colour("a.test"), "red");
    assert_false(sleeps("a"));
    assert_ptr_equal(request("a.test"), set);
    assert_ptr_equal(weir_kit_set(kit, WEIR_SPAN("a"), NULL), set);
}

static void test_by_its_name_it_is_called_too(void **state)
{
    (void)state;
    says("a", "{\"backends\": [\"127.0.0.1:1\"]}");
    assert_true(sleeps("a"));
    assert_non_null(weir_kit_set(kit, WEIR_SPAN("a"), NULL));
    assert_false(sleeps("a"));
}

static void test_whoever_looks_wakes_it(void **state)
{
    (void)state;
    says("a", "{\"domains\": [\"a.test\"], \"backends\": [{\"at\": \"127.0.0.1:1\", \"weight\": 7}]}");
    kit_app_t *app = kit_app_awake(kit, WEIR_SPAN("a"));
    assert_false(app->is_packed);
    assert_int_equal(app->wanted_count, 1);
    json_t *document = kit_document_of_app(kit, app, false);
    json_t *backend = json_array_get(json_object_get(document, "backends"), 0);
    assert_int_equal(json_integer_value(json_object_get(backend, "weight")), 7);
    json_decref(document);
    assert_ptr_equal(request("a.test"), atomic_load(&app->set));
}

static void test_whoever_looks_at_one_that_serves_changes_nothing(void **state)
{
    (void)state;
    says("a", "{\"domains\": [\"a.test\"], \"backends\": [\"127.0.0.1:1\"]}");
    const weir_set_t *set = request("a.test");
    const weir_member_t *member = set->members[0];
    const kit_view_t *view = atomic_load(&set->view);
    const kit_app_t *app = kit_app_awake(kit, WEIR_SPAN("a"));
    assert_false(app->is_packed);
    assert_int_equal(app->wanted_count, 1);
    assert_ptr_equal(atomic_load(&app->set), set);
    assert_ptr_equal(set->members[0], member);
    assert_ptr_equal(atomic_load(&set->view), view);
}

static void test_what_changes_while_it_sleeps_is_there_when_it_wakes(void **state)
{
    (void)state;
    says("a", "{\"domains\": [\"a.test\", \"b.test\"], \"backends\": [\"127.0.0.1:1\"], \"colour\": \"red\"}");
    says("a", "{\"domains\": [\"b.test\", \"c.test\"], \"backends\": [\"127.0.0.1:3\"], \"colour\": \"blue\", \"queue\": "
              "{\"length\": 5}}");
    assert_true(sleeps("a"));
    assert_null(request("a.test"));
    const weir_set_t *set = request("c.test");
    assert_ptr_equal(request("b.test"), set);
    assert_int_equal(set->member_count, 1);
    assert_string_equal(set->members[0]->id, "127.0.0.1:3");
    assert_int_equal(atomic_load(&set->settings)->queue.length, 5);
    assert_string_equal(colour("c.test"), "blue");
}

static void test_what_changes_while_it_serves_changes_its_set(void **state)
{
    (void)state;
    says("a", "{\"domains\": [\"a.test\"], \"backends\": [\"127.0.0.1:1\", \"127.0.0.1:2\"]}");
    const weir_set_t *set = request("a.test");
    says("a", "{\"domains\": [\"a.test\"], \"backends\": [\"127.0.0.1:1\", \"127.0.0.1:2\"], \"hold\": 1000}");
    const weir_member_t *member = set->members[1];
    const kit_address_t *address = atomic_load(&member->address);
    says("a", "{\"domains\": [\"b.test\"], \"backends\": [\"127.0.0.1:2\"]}");
    assert_ptr_equal(atomic_load(&member->address), address);
    assert_null(request("a.test"));
    assert_ptr_equal(request("b.test"), set);
    assert_int_equal(set->member_count, 1);
    assert_ptr_equal(set->members[0], member);
}

static void test_one_that_goes_while_it_sleeps_is_found_no_more(void **state)
{
    (void)state;
    says("a", "{\"domains\": [\"a.test\"], \"backends\": [\"127.0.0.1:1\"]}");
    says("b", "{\"domains\": [\"a.test\"], \"backends\": [\"127.0.0.1:2\"]}");
    says("a", NULL);
    assert_null(weir_kit_set(kit, WEIR_SPAN("a"), NULL));
    assert_string_equal(weir_set_name(request("a.test")).base, "b");
    says("a", "{\"domains\": [\"c.test\"], \"backends\": [\"127.0.0.1:1\"]}");
    assert_true(sleeps("a"));
    assert_string_equal(weir_set_name(request("c.test")).base, "a");
}

static void test_one_that_goes_while_it_serves_comes_back_as_it_is_then(void **state)
{
    (void)state;
    says("a", "{\"domains\": [\"a.test\"], \"backends\": [\"127.0.0.1:1\"]}");
    const weir_set_t *set = request("a.test");
    says("a", NULL);
    assert_null(request("a.test"));
    assert_int_equal(set->member_count, 0);
    says("a", "{\"domains\": [\"a.test\"], \"backends\": [\"127.0.0.1:2\"]}");
    assert_ptr_equal(request("a.test"), set);
    assert_string_equal(set->members[0]->id, "127.0.0.1:2");
}

static void test_a_domain_of_one_that_sleeps_is_handed_on(void **state)
{
    (void)state;
    says("a", "{\"domains\": [\"x.test\", \"y.test\"], \"backends\": [\"127.0.0.1:1\"]}");
    says("b", "{\"domains\": [\"x.test\"], \"backends\": [\"127.0.0.1:2\"]}");
    assert_string_equal(why, "the domain x.test stays with the app a");
    says("a", "{\"domains\": [\"y.test\"], \"backends\": [\"127.0.0.1:1\"]}");
    assert_true(sleeps("a") && sleeps("b"));
    assert_string_equal(weir_set_name(request("x.test")).base, "b");
}

/* What takes a moment to make, or needs more than the text, is made at once. */
static void test_who_does_not_sleep(void **state)
{
    static const char *const more[] = {
        "\"health\": { \"tcp\": true }",
        "\"affinity\": \"ON\"",
        "\"workers\": \"ON\"",
        "\"backends\": [\"dns:web.internal:80\"]",
        "\"backends\": [\"https://127.0.0.1:1\"], \"tls\": { \"verify\": \"OFF\" }",
        "\"backends\": [\"127.0.0.1:1\"], \"protocol\": \"fastcgi\", \"root\": \"/srv\"",
    };
    char text[TEXT_BYTES];
    size_t length;

    (void)state;
    for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
        char name[16];
        snprintf(name, sizeof(name), "app-%zu", i);
        snprintf(text, sizeof(text), "{%s%s}", strstr(more[i], "backends") == NULL ? "\"backends\": [\"127.0.0.1:1\"], " : "",
                 more[i]);
        says(name, text);
        assert_non_null(atomic_load(&app_of(name)->set));
        assert_false(app_of(name)->is_packed);
    }
    length = (size_t)snprintf(text, sizeof(text), "{\"backends\": [\"127.0.0.1:1\"");
    for (int i = 2; i <= KIT_ASLEEP_MOST; i++)
        length += (size_t)snprintf(text + length, sizeof(text) - length, ",\"127.0.0.1:%d\"", i);
    snprintf(text + length, sizeof(text) - length, "]}");
    says("as-many-as-may-be", text);
    snprintf(text + length, sizeof(text) - length, ",\"127.0.0.1:%d\"]}", KIT_ASLEEP_MOST + 1);
    says("one-more", text);
    assert_true(sleeps("as-many-as-may-be"));
    assert_false(sleeps("one-more"));
}

static void test_one_that_has_slept_may_become_one_that_does_not(void **state)
{
    (void)state;
    says("a", "{\"domains\": [\"a.test\"], \"backends\": [\"127.0.0.1:1\"]}");
    says("a", "{\"domains\": [\"a.test\"], \"backends\": [\"127.0.0.1:2\"], \"affinity\": \"ON\"}");
    assert_false(app_of("a")->is_packed);
    assert_string_equal(request("a.test")->members[0]->id, "127.0.0.1:2");
}

/* It is about to go: nobody else shall have what it still has. */
static void test_a_past_configuration_has_a_set_of_its_own(void **state)
{
    (void)state;
    says("a", "{\"domains\": [\"a.test\"], \"backends\": [\"127.0.0.1:1\"]}");
    says("b", "{\"domains\": [\"b.test\"], \"backends\": [\"127.0.0.1:1\"]}");
    const weir_set_t *shared = request("b.test");
    assert_ptr_equal(kit_instance_find_set(kit->instance, WEIR_SPAN("b")), shared);
    atomic_store(&kit->is_past, true);
    const weir_set_t *set = request("a.test");
    assert_int_equal(set->member_count, 1);
    assert_null(kit_instance_find_set(kit->instance, WEIR_SPAN("a")));
    assert_ptr_equal(request("a.test"), set);
}

/* Another configuration has them again: as many are expected as before. */
static void test_a_reload_expects_no_more(void **state)
{
    static const char text[] = "state: ON\nname: same\n";
    weir_kit_t *first = kit;

    (void)state;
    for (int i = 0; i < 3; i++) {
        yoml_t *other = conf_yaml_parse((weir_span_t){text, strlen(text)}, "shape.yaml");
        weir_kit_t *before = kit;
        kit = weir_kit_open(conf_config_of(other), NULL);
        weir_kit_start(kit, NULL);
        conf_yaml_release(&other);
        says("a", "{\"domains\": [\"a.test\"], \"backends\": [\"127.0.0.1:1\"]}");
        assert_true(sleeps("a"));
        if (before != first) {
            assert_int_equal(kit->instance->asleep_count, 2);
            weir_kit_stop(before);
            weir_kit_close(&before);
        }
        assert_int_equal(kit->instance->asleep_count, 1);
    }
    weir_kit_stop(kit);
    weir_kit_close(&kit);
    kit = first;
}

/* ---- many threads ---- */

static kit_app_t *apps[CHANGES];
static _Atomic int front; /* of which apps are called */

/* No view is looked at: nobody here tells whoever frees them that it does. */
static void *call_all(void *unused)
{
    for (int i = 0; i < CHANGES; i++) {
        while (i > atomic_load(&front))
            ;
        const weir_set_t *set = kit_app_call(kit, apps[i]);
        if (set == NULL || strcmp(weir_set_name(set).base, apps[i]->name) != 0 || set != kit_app_call(kit, apps[i]))
            abort();
    }
    return unused;
}

static void say_number(int i, int port, bool is_plain)
{
    char name[32], text[TEXT_BYTES];

    snprintf(name, sizeof(name), "a%d", i);
    snprintf(text, sizeof(text), "{\"domains\": [\"h%d.test\"], \"backends\": [\"127.0.0.1:%d\"]%s}", i, port,
             is_plain ? "" : ", \"affinity\": \"ON\"");
    says(name, text);
}

/* Requests come while apps change, some of which sleep no more then: each of them has one set, and one only. */
static void test_requests_call_while_a_source_speaks(void **state)
{
    pthread_t readers[READERS];

    (void)state;
    atomic_store(&front, -1);
    for (int i = 0; i < CHANGES; i++) {
        char name[32];
        snprintf(name, sizeof(name), "a%d", i);
        say_number(i, 1, true);
        apps[i] = app_of(name);
    }
    for (size_t i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, call_all, NULL), 0);
    for (int i = 0; i < CHANGES; i++) {
        atomic_store(&front, i);
        say_number(i, 2, i % 3 != 0);
        say_number(i, 3, true);
    }
    for (size_t i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
    for (int i = 0; i < CHANGES; i++) {
        const weir_set_t *set = atomic_load(&apps[i]->set);
        assert_int_equal(set->member_count, 1);
        assert_string_equal(set->members[0]->id, "127.0.0.1:3");
    }
}

#define WITH_KIT(test) cmocka_unit_test_setup_teardown(test, open_kit, close_kit)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        WITH_KIT(test_it_sleeps_until_a_request_comes),
        WITH_KIT(test_by_its_name_it_is_called_too),
        WITH_KIT(test_whoever_looks_wakes_it),
        WITH_KIT(test_whoever_looks_at_one_that_serves_changes_nothing),
        WITH_KIT(test_what_changes_while_it_sleeps_is_there_when_it_wakes),
        WITH_KIT(test_what_changes_while_it_serves_changes_its_set),
        WITH_KIT(test_one_that_goes_while_it_sleeps_is_found_no_more),
        WITH_KIT(test_one_that_goes_while_it_serves_comes_back_as_it_is_then),
        WITH_KIT(test_a_domain_of_one_that_sleeps_is_handed_on),
        WITH_KIT(test_who_does_not_sleep),
        WITH_KIT(test_one_that_has_slept_may_become_one_that_does_not),
        WITH_KIT(test_a_past_configuration_has_a_set_of_its_own),
        WITH_KIT(test_a_reload_expects_no_more),
        WITH_KIT(test_requests_call_while_a_source_speaks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
