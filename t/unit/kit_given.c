/* SPDX-License-Identifier: MIT */
/* Whose a domain is when apps of sources come, change and go. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/config_node.h"
#include "conf/yaml.h"
#include "conf_capture.h"
#include "router/kit/instance.h"
#include "router/kit/overlay.h"
#include "unit.h"
#include "weir_kit.h"

enum { TEXT_BYTES = 512 };

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
static void says_text(const char *name, const char *text)
{
    saying_t saying = {.app = {.size = sizeof(saying.app), .name = {name, strlen(name)}, .origin = "test"}};
    char problem[TEXT_BYTES] = "";

    if (text == NULL)
        saying.is_fine = weir_kit_state(kit, &saying.app, why, sizeof(why));
    else
        (void)weir_config_of_text(text, strlen(text), say_node, &saying, problem, sizeof(problem));
    assert_string_equal(problem, "");
    assert_true(saying.is_fine);
}

/* Its domains, with commas between. */
static void says(const char *name, const char *domains)
{
    char text[TEXT_BYTES];

    snprintf(text, sizeof(text), "{\"domains\": [%s], \"backends\": [\"127.0.0.1:1\"]}", domains == NULL ? "" : domains);
    says_text(name, domains == NULL ? NULL : text);
}

static const char *owner(const char *domain)
{
    const kit_app_t *app = kit_domains_owner(kit->domains, (weir_span_t){domain, strlen(domain)});

    return app == NULL ? "nobody" : app->name;
}

static void test_a_domain_moves_from_one_app_to_another(void **state)
{
    (void)state;
    says("a", "\"x.test\", \"y.test\"");
    says("b", "\"x.test\"");
    assert_string_equal(why, "the domain x.test stays with the app a");
    assert_string_equal(owner("x.test"), "a");
    says("a", "\"y.test\"");
    assert_string_equal(owner("x.test"), "b");
    says("b", "\"x.test\"");
    assert_string_equal(why, "");
    assert_string_equal(owner("y.test"), "a");
}

static void test_an_app_that_goes_hands_all_of_it_on(void **state)
{
    (void)state;
    says("a", "\"x.test\", \"y.test\", \"z.test\"");
    says("b", "\"x.test\"");
    says("c", "\"y.test\"");
    says("a", NULL);
    assert_string_equal(owner("x.test"), "b");
    assert_string_equal(owner("y.test"), "c");
    assert_string_equal(owner("z.test"), "nobody");
}

static void test_who_wants_it_no_more_does_not_get_it(void **state)
{
    (void)state;
    says("a", "\"x.test\", \"y.test\"");
    says("b", "\"x.test\"");
    says("c", "\"y.test\"");
    says("b", "");
    says("c", NULL);
    says("a", NULL);
    assert_string_equal(owner("x.test"), "nobody");
    assert_string_equal(owner("y.test"), "nobody");
}

static void test_of_several_that_want_it_one_gets_it(void **state)
{
    (void)state;
    says("a", "\"x.test\"");
    says("b", "\"x.test\"");
    says("c", "\"x.test\"");
    says("c", NULL);
    says("a", NULL);
    assert_string_equal(owner("x.test"), "nobody"); /* b is offered again, which is the source's work */
    says("b", "\"x.test\"");
    assert_string_equal(owner("x.test"), "b");
}

static void test_what_the_configuration_has_is_not_handed_on(void **state)
{
    (void)state;
    says("a", "\"fixed.test\", \"x.test\"");
    assert_string_equal(why, "the domain fixed.test stays with the app fixed");
    says("a", NULL);
    assert_string_equal(owner("fixed.test"), "fixed");
}

static void test_what_operators_say_holds(void **state)
{
    (void)state;
    says("a", "\"x.test\"");
    says("b", "\"x.test\"");
    kit_domain_edit_put(kit->instance, "x.test", "a", "a");
    says("a", "");
    assert_string_equal(owner("x.test"), "a");
}

static const char *colour(const char *name)
{
    void *extra = NULL;

    assert_non_null(weir_kit_set(kit, (weir_span_t){name, strlen(name)}, &extra));
    return extra;
}

/* Apps of sources change all day: what routers keep of them is as much as it was. */
static void test_what_says_the_same_stays(void **state)
{
    char text[TEXT_BYTES];

    (void)state;
    says_text("a", "{\"backends\": [\"127.0.0.1:1\"], \"colour\": \"red\"}");
    const int before = extras;
    const char *red = colour("a");
    for (int i = 2; i < 100; i++) {
        snprintf(text, sizeof(text), "{\"backends\": [\"127.0.0.1:%d\"], \"colour\": \"red\"}", i);
        says_text("a", text);
    }
    assert_int_equal(extras, before);
    assert_ptr_equal(colour("a"), red);
    says_text("a", "{\"backends\": [\"127.0.0.1:1\"], \"colour\": \"blue\"}");
    assert_string_equal(colour("a"), "blue");
    assert_string_equal(red, "red"); /* a request may have it yet */
    assert_int_equal(extras, before + 1);
}

#define WITH_KIT(test) cmocka_unit_test_setup_teardown(test, open_kit, close_kit)

int main(void)
{
    static const struct CMUnitTest tests[] = {WITH_KIT(test_a_domain_moves_from_one_app_to_another),
                                              WITH_KIT(test_an_app_that_goes_hands_all_of_it_on),
                                              WITH_KIT(test_who_wants_it_no_more_does_not_get_it),
                                              WITH_KIT(test_of_several_that_want_it_one_gets_it),
                                              WITH_KIT(test_what_the_configuration_has_is_not_handed_on),
                                              WITH_KIT(test_what_operators_say_holds),
                                              WITH_KIT(test_what_says_the_same_stays)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
