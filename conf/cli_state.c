/* SPDX-License-Identifier: MIT */
/* weir state: where apps come from that the configuration has not. */
#include <stdio.h>
#include <string.h>

#include "conf/cli_admin_print.h"
#include "conf/cli_order.h"
#include "conf/verbs.h"

static const char *word(const json_t *document, const char *key)
{
    const char *text = json_string_value(json_object_get(document, key));

    return text == NULL ? "" : text;
}

static long long number(const json_t *document, const char *key)
{
    return (long long)json_integer_value(json_object_get(document, key));
}

static void print_source(const json_t *source)
{
    printf("%s %s: %lld entries, looked at %.1f s ago\n", word(source, "kind"), word(source, "place"),
           number(source, "entries"), json_real_value(json_object_get(source, "age_seconds")));
    if (json_is_string(json_object_get(source, "problem")))
        printf("  %s\n", word(source, "problem"));
    if (number(source, "held_back") > 0)
        printf("  `weir state accept` lets them go\n");
}

static void print_trouble(const json_t *one)
{
    const bool is_refused = json_is_true(json_object_get(one, "refused")), holds = json_is_true(json_object_get(one, "holds"));

    printf("app %s, %s%s: %s\n", word(one, "app"), word(one, "origin"),
           !is_refused ? ""
           : holds     ? ", stays as it was"
                       : ", is not taken",
           word(one, "problem"));
}

static void print(const json_t *document)
{
    const json_t *sources = json_object_get(document, "sources"), *trouble = json_object_get(document, "trouble");

    if (json_array_size(sources) == 0)
        printf("all apps are the configuration's, or came over the admin endpoint or with workers: there is no weir.state\n");
    for (size_t i = 0; i < json_array_size(sources); i++)
        print_source(json_array_get(sources, i));
    if (json_array_size(sources) > 0)
        printf("%lld apps; %lld refused, %lld with a conflict; %lld changes, %lld of them refused\n", number(document, "apps"),
               number(document, "refused"), number(document, "conflicts"), number(document, "changes"),
               number(document, "refusals"));
    for (size_t i = 0; i < json_array_size(trouble); i++)
        print_trouble(json_array_get(trouble, i));
}

int conf_run_state(const order_t *order)
{
    json_t *document;
    int status;

    if (order->word_count == 1 && strcmp(order->words[0], "accept") != 0)
        return conf_order_complain("weir state %s: there is `weir state`, and accept, put, delete, import, export and diff",
                                   order->words[0]);
    if (order->word_count == 1)
        return conf_order_call(order, "POST", "/v1/sources/accept", NULL, &document);
    status = conf_order_call(order, "GET", "/v1/sources", NULL, &document);
    if (status != EXIT_FINE)
        return status;
    if (order->is_json)
        conf_print_json(document);
    else
        print(document);
    json_decref(document);
    return status;
}
