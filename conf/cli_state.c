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

/* "1 app", "2 apps". */
static void print_count(long long count, const char *what)
{
    printf("%lld %s%s", count, what, count == 1 ? "" : "s");
}

static void print_files(const json_t *source)
{
    printf("files %s: ", word(source, "place"));
    print_count(number(source, "entries"), "app");
    printf(", looked at %.1f s ago\n", json_real_value(json_object_get(source, "age_seconds")));
}

/* How near it is to what the store says. */
static void print_course(const json_t *source)
{
    const double age_s = json_real_value(json_object_get(source, "age_seconds"));

    if (json_is_true(json_object_get(source, "following")))
        printf("followed");
    else if (json_is_true(json_object_get(source, "of_file")))
        printf("not heard of yet, all of it is from the snapshot");
    else if (number(source, "revision") == 0)
        printf("not heard of yet");
    else
        printf("not followed for %.1f s", age_s);
}

static void print_etcd(const json_t *source)
{
    const json_t *keys = json_object_get(source, "keys");

    printf("etcd %s: ", word(source, "place"));
    print_course(source);
    printf("; revision %lld, %lld behind, of cluster %s\n  ", number(source, "revision"), number(source, "lag"),
           word(source, "cluster"));
    print_count(number(keys, "apps"), "app");
    printf(", ");
    print_count(number(keys, "backends"), "backend");
    printf(", ");
    print_count(number(keys, "domains"), "domain");
    printf("; ");
    print_count(number(source, "events"), "event");
    printf(", all read ");
    print_count(number(source, "snapshots"), "time");
    printf("; ");
    print_count(number(source, "refused_values"), "value");
    printf(" refused\n");
}

static void print_source(const json_t *source)
{
    if (strcmp(word(source, "kind"), "etcd") == 0)
        print_etcd(source);
    else
        print_files(source);
    if (json_is_string(json_object_get(source, "problem")))
        printf("  %s\n", word(source, "problem"));
    if (number(source, "held_back") > 0)
        printf("  `weir state accept` lets %lld go that are not there any more\n", number(source, "held_back"));
}

static void print_value(const json_t *one)
{
    printf("%s (revision %lld) is refused, %s: %s\n", word(one, "key"), number(one, "revision"), word(one, "reason"),
           word(one, "problem"));
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

static void print_sum(const json_t *document)
{
    print_count(number(document, "apps"), "app");
    printf("; %lld refused, %lld with a conflict; ", number(document, "refused"), number(document, "conflicts"));
    print_count(number(document, "changes"), "change");
    printf(", %lld of them refused\n", number(document, "refusals"));
}

static void print(const json_t *document)
{
    const json_t *sources = json_object_get(document, "sources"), *trouble = json_object_get(document, "trouble"),
                 *values = json_object_get(document, "values");

    if (json_array_size(sources) == 0)
        printf("all apps are the configuration's, or came over the admin endpoint or with workers: there is no weir.state\n");
    for (size_t i = 0; i < json_array_size(sources); i++)
        print_source(json_array_get(sources, i));
    if (json_array_size(sources) > 0)
        print_sum(document);
    for (size_t i = 0; i < json_array_size(trouble); i++)
        print_trouble(json_array_get(trouble, i));
    for (size_t i = 0; i < json_array_size(values); i++)
        print_value(json_array_get(values, i));
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
