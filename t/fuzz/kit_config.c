/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as the mapping of the router `table`: it is complained about, or put in force twice, as a reload does, asked for
 * members, and taken back. Nothing leaks, and whoever is chosen is one of the app's.
 */
#include <stdio.h>
#include <string.h>

#include "conf/config_node.h"
#include "conf/yaml.h"
#include "lib/base/must.h"
#include "router/builtin/table.h"
#include "router/kit/instance.h"
#include "router/kit/view.h"
#include "router/module.h"

enum { APPS_ASKED = 8, ASKED = 6, BYTES_MOST = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

static uint64_t throw_dice(void *dice)
{
    return *(uint64_t *)dice = *(uint64_t *)dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
}

static weir_module_t *open_table(const weir_config_t *config)
{
    char error[200] = "";
    weir_module_t *module = weir_module_open("table", error, sizeof(error));

    WEIR_MUST(module != NULL);
    if (!weir_module_configure(module, config))
        weir_module_close(&module);
    return module;
}

static weir_kit_t *kit_of(weir_module_t *module)
{
    return weir_module_shared(module)->kit;
}

static bool is_of(const weir_set_t *set, const weir_member_t *member)
{
    for (size_t i = 0; i < set->member_count; i++)
        if (set->members[i] == member)
            return true;
    return false;
}

/* With some in flight, as those who were chosen stay. */
static void choose_some(weir_set_t *set, uint64_t dice)
{
    const kit_view_t *view = atomic_load(&set->view);

    for (unsigned i = 0; i < ASKED; i++) {
        const kit_wish_t wish = {.dice = throw_dice,
                                 .dice_context = &dice,
                                 .ticket = i,
                                 .has_key = i % 2 != 0,
                                 .key = dice,
                                 .wants_any_key = i == ASKED - 1,
                                 .tries_ill = true,
                                 .now_us = UINT64_C(1000000) * i};
        kit_pick_t pick = kit_choose(view, &wish);
        WEIR_MUST(pick.member == NULL || is_of(set, pick.member));
        WEIR_MUST((pick.member == NULL) == (pick.how == KIT_BY_NOTHING));
        if (pick.member != NULL)
            atomic_fetch_add(&pick.member->load, KIT_ONE_IN_FLIGHT);
    }
    for (size_t i = 0; i < set->member_count; i++)
        atomic_store(&set->members[i]->load, 0);
}

static void ask_kit(weir_kit_t *kit, weir_span_t input)
{
    void *extra;

    for (size_t i = 0; i < kit->app_count && i < APPS_ASKED; i++) {
        weir_set_t *set = weir_kit_set(kit, (weir_span_t){kit->apps[i].name, strlen(kit->apps[i].name)}, &extra);
        WEIR_MUST(set != NULL && set == kit->apps[i].set && extra == kit->apps[i].extra);
        choose_some(set, input.len + i);
    }
    (void)weir_kit_find(kit, WEIR_SPAN("www.shop.example"), WEIR_SPAN("/api/x"), &extra);
    (void)weir_kit_find(kit, input, input, &extra);
    kit_tick(kit);
}

static void use(const weir_config_t *config, weir_span_t input)
{
    weir_module_t *first = open_table(config), *second;

    if (first == NULL)
        return;
    weir_kit_start(kit_of(first), NULL);
    ask_kit(kit_of(first), input);
    second = open_table(config);
    WEIR_MUST(second != NULL);
    weir_kit_start(kit_of(second), NULL);
    ask_kit(kit_of(first), input);
    weir_module_close(&first);
    ask_kit(kit_of(second), input);
    weir_module_close(&second);
}

/* As it stands in a configuration, where other rules hold than elsewhere: each line is indented. */
static yoml_t *parse(weir_span_t input)
{
    static const char key[] = "weir.router:\n ";
    char text[sizeof(key) + 2 * BYTES_MOST];
    size_t length = sizeof(key) - 1;

    memcpy(text, key, length);
    for (size_t i = 0; i < input.len; i++) {
        text[length++] = input.base[i];
        if (input.base[i] == '\n')
            text[length++] = ' ';
    }
    return conf_yaml_parse((weir_span_t){text, length}, "fuzz");
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    static FILE *nowhere;
    const weir_span_t bytes = {(const char *)input, length};
    FILE *real = stderr;
    yoml_t *root;

    if (length > BYTES_MOST)
        return 0;
    if (nowhere == NULL)
        nowhere = fopen("/dev/null", "w");
    stderr = nowhere;
    root = parse(bytes);
    if (root != NULL) {
        const weir_config_t *router = weir_config_get(conf_config_of(root), "weir.router");
        conf_config_set_place(root);
        if (router != NULL)
            use(router, bytes);
        conf_config_set_place(NULL);
    }
    conf_yaml_release(&root);
    stderr = real;
    return 0;
}
