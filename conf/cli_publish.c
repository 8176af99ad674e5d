/* SPDX-License-Identifier: MIT */
#include "conf/cli_publish.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/cli_admin.h"
#include "conf/cli_order.h"
#include "conf/publish.h"
#include "conf/publish_document.h"
#include "conf/publish_judge.h"
#include "conf/units.h"
#include "conf/verbs.h"
#include "lib/base/crash.h"
#include "lib/base/log.h"
#include "lib/base/must.h"
#include "lib/state/judge.h"

enum { EXIT_DIFFERS = 1, LEASE_MOST_S = 9000000 }; /* etcd's */

const char conf_cli_publish_help[] =
    "of the store that weir.state names (etcd):\n"
    "       weir state put KEY VALUE...      apps/shop '{\"hold\": \"5s\"}'; several: all or none; @FILE, -: standard input\n"
    "                                        --lease SECONDS: they end then, unless the lease is kept, whose name is printed\n"
    "       weir state delete KEY...         all of them in one; --all: whatever begins with KEY\n"
    "       weir state export [FILE]         all keys as one document in JSON\n"
    "       weir state import FILE           a document in JSON or YAML (-: standard input): what differs is written\n"
    "                                        --remove: what it has not goes; --dry-run: it is only told\n"
    "       weir state diff FILE             what import --remove would do; 1 if there is anything\n"
    "       -c FILE, whose routers judge it as well; or --etcd URL[,URL...], --prefix PREFIX, --ca-file, --certificate-file,\n"
    "       --key-file PATH, --server-name NAME, --user NAME, --password-file PATH: a publisher's own\n"
    "       exit: 0 done, 1 refused, 2 usage, 6 the store does not answer\n";

/* What the arguments come to. */
typedef struct wish {
    conf_publish_where_t where;
    const char **words;
    size_t word_count;
    const char *lease;
    bool is_all, removes, is_dry;
} wish_t;

typedef struct verb {
    const char *name;
    size_t least, most; /* words behind it; most 0: any number */
    const char *words;
    int (*run)(const wish_t *wish);
} verb_t;

/* What a command works with. Zeroed, and to be freed. */
typedef struct work {
    conf_publisher_t publisher;
    conf_publish_keys_t present, wanted;
    conf_publish_changes_t changes;
} work_t;

static void free_work(work_t *work)
{
    conf_publish_changes_free(&work->changes);
    conf_publish_keys_free(&work->wanted);
    conf_publish_keys_free(&work->present);
    conf_publish_close(&work->publisher);
}

/* ---- judging ---- */

/* Whether the store's keys are for such as we are. */
static bool is_ours(const conf_publish_keys_t *present)
{
    for (size_t i = 0; i < present->count; i++)
        if (strcmp(present->at[i].key, "meta") == 0 &&
            state_judge_least_reader((weir_span_t){present->at[i].value, present->at[i].value_length}) > STATE_READER) {
            weir_log("meta: the keys of this store are for newer versions");
            return false;
        }
    return true;
}

static int judge(work_t *work)
{
    return is_ours(&work->present) && conf_publish_judge(work->publisher.conf, &work->present, &work->changes) ? EXIT_FINE
                                                                                                               : EXIT_REFUSED;
}

/* ---- put ---- */

/* A value as it is written: JSON without what people need to read it. What is none is judged as it is. */
static void add_value(work_t *work, const char *key, weir_span_t text)
{
    json_t *json = json_loadb(text.base, text.len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    char *compact = json == NULL ? NULL : json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));

    conf_publish_keys_add(&work->wanted, (weir_span_t){key, strlen(key)},
                          compact == NULL ? text : (weir_span_t){compact, strlen(compact)}, false);
    json_decref(json);
    free(compact);
}

static int read_pair(work_t *work, const char *key, const char *value)
{
    const bool is_file = value[0] == '@';
    size_t size;

    if (!is_file && strcmp(value, "-") != 0) {
        add_value(work, key, (weir_span_t){value, strlen(value)});
        return EXIT_FINE;
    }
    char *bytes = conf_publish_load(is_file ? value + 1 : value, &size);
    if (bytes == NULL)
        return EXIT_USAGE;
    add_value(work, key, (weir_span_t){bytes, size});
    free(bytes);
    return EXIT_FINE;
}

static int read_pairs(const wish_t *wish, work_t *work)
{
    int standard = 0;

    if (wish->word_count % 2 != 0)
        return conf_order_complain("%s: a value must follow", wish->words[wish->word_count - 1]);
    if (wish->word_count / 2 > WEIR_ETCD_WRITES_MOST)
        return conf_order_complain("one transaction has %d keys at most: weir state import", WEIR_ETCD_WRITES_MOST);
    for (size_t i = 0; i < wish->word_count; i += 2) {
        standard += strcmp(wish->words[i + 1], "-") == 0;
        if (standard > 1)
            return conf_order_complain("standard input is one value");
        const int status = read_pair(work, wish->words[i], wish->words[i + 1]);
        if (status != EXIT_FINE)
            return status;
    }
    conf_publish_keys_sort(&work->wanted);
    for (size_t i = 1; i < work->wanted.count; i++)
        if (strcmp(work->wanted.at[i - 1].key, work->wanted.at[i].key) == 0)
            return conf_order_complain("%s stands there twice", work->wanted.at[i].key);
    for (size_t i = 0; i < work->wanted.count; i++)
        conf_publish_changes_add(&work->changes, NULL, &work->wanted.at[i]);
    return EXIT_FINE;
}

static int write_leased(work_t *work, int64_t ttl_s)
{
    conf_publish_sum_t sum;
    int64_t lease = 0;
    int status = ttl_s == 0 ? EXIT_FINE : conf_publish_lease(&work->publisher, ttl_s, &lease);

    if (status != EXIT_FINE)
        return status;
    status = conf_publish_write(&work->publisher, &work->changes, lease, &sum);
    if (status != EXIT_FINE && lease != 0)
        conf_publish_lease_end(&work->publisher, lease);
    else if (lease != 0)
        printf("%" PRIx64 "\n", (uint64_t)lease);
    return status;
}

static int run_put(const wish_t *wish)
{
    work_t work = {0};
    uint64_t ttl_s = 0;

    if (wish->lease != NULL && !conf_number_read(wish->lease, CONF_UNIT_NONE, 1, LEASE_MOST_S, &ttl_s))
        return conf_order_complain("--lease is a number of seconds: 1 to %d", LEASE_MOST_S);
    int status = read_pairs(wish, &work);
    if (status == EXIT_FINE)
        status = conf_publish_open(&wish->where, &work.publisher);
    if (status == EXIT_FINE)
        status = conf_publish_read(&work.publisher, true, &work.present);
    if (status == EXIT_FINE)
        status = judge(&work);
    if (status == EXIT_FINE)
        status = write_leased(&work, (int64_t)ttl_s);
    free_work(&work);
    return status;
}

/* ---- delete ---- */

static int run_delete(const wish_t *wish)
{
    conf_publisher_t publisher;

    if (wish->word_count > WEIR_ETCD_WRITES_MOST)
        return conf_order_complain("one transaction has %d keys at most", WEIR_ETCD_WRITES_MOST);
    for (size_t i = 0; i < wish->word_count; i++)
        if (*wish->words[i] == '\0')
            return conf_order_complain("a key is not empty");
    int status = conf_publish_open(&wish->where, &publisher);
    if (status == EXIT_FINE)
        status = conf_publish_remove(&publisher, wish->words, wish->word_count, wish->is_all);
    conf_publish_close(&publisher);
    return status;
}

/* ---- documents ---- */

static int run_export(const wish_t *wish)
{
    work_t work = {0};
    int status = conf_publish_open(&wish->where, &work.publisher);

    if (status == EXIT_FINE)
        status = conf_publish_read(&work.publisher, false, &work.present);
    if (status == EXIT_FINE && !conf_publish_document_write(&work.present, wish->word_count > 0 ? wish->words[0] : NULL))
        status = EXIT_REFUSED;
    free_work(&work);
    return status;
}

/* What differs, in the order of the keys. */
static int compare(const wish_t *wish, bool removes, work_t *work)
{
    unsigned kinds;

    if (!conf_publish_document_read(wish->words[0], &work->wanted, &kinds))
        return EXIT_USAGE;
    int status = conf_publish_open(&wish->where, &work->publisher);
    if (status == EXIT_FINE)
        status = conf_publish_read(&work->publisher, false, &work->present);
    if (status == EXIT_FINE)
        conf_publish_compare(&work->present, &work->wanted, removes ? kinds & ~(1U << STATE_META) : 0, &work->changes);
    return status;
}

static int run_diff(const wish_t *wish)
{
    work_t work = {0};
    int status = compare(wish, true, &work);

    if (status == EXIT_FINE) {
        conf_publish_changes_print(&work.changes, stdout);
        status = work.changes.count > 0 ? EXIT_DIFFERS : EXIT_FINE;
    } else if (status != EXIT_NOBODY)
        status = EXIT_USAGE; /* not what differs, but trouble: as of diff(1) */
    free_work(&work);
    return status;
}

static int write_all(work_t *work)
{
    conf_publish_sum_t sum;
    const int status = conf_publish_write(&work->publisher, &work->changes, 0, &sum);

    if (status == EXIT_FINE)
        printf("%zu written, %zu removed, in %zu transactions\n", sum.puts, sum.removals, sum.transactions);
    else
        weir_log("%zu of %zu changes are in force; the rest is done by the same command again", sum.puts + sum.removals,
                 work->changes.count);
    return status;
}

/* Told in the order of the keys, and written in that of what needs what. */
static int run_import(const wish_t *wish)
{
    work_t work = {0};
    int status = compare(wish, wish->removes, &work);

    if (status == EXIT_FINE && wish->is_dry)
        conf_publish_changes_print(&work.changes, stdout);
    if (status == EXIT_FINE)
        status = judge(&work);
    if (status == EXIT_FINE && !wish->is_dry)
        status = write_all(&work);
    free_work(&work);
    return status;
}

/* ---- arguments ---- */

static const verb_t verbs[] = {
    {"put", 2, 0, "KEY VALUE... [--lease SECONDS]", run_put},
    {"delete", 1, 0, "KEY... [--all]", run_delete},
    {"import", 1, 1, "FILE [--remove] [--dry-run]", run_import},
    {"export", 0, 1, "[FILE]", run_export},
    {"diff", 1, 1, "FILE", run_diff},
};

static const verb_t *find(const char *name)
{
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

static const char **option_of(wish_t *wish, const char *name)
{
    conf_publish_where_t *where = &wish->where;
    const conf_cli_option_t options[] = {{"-c", &where->file},
                                         {"--conf", &where->file},
                                         {"--etcd", &where->etcd},
                                         {"--prefix", &where->prefix},
                                         {"--ca-file", &where->ca_file},
                                         {"--certificate-file", &where->certificate_file},
                                         {"--key-file", &where->key_file},
                                         {"--server-name", &where->server_name},
                                         {"--user", &where->user},
                                         {"--password-file", &where->password_file},
                                         {"--lease", &wish->lease}};

    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        if (strcmp(options[i].name, name) == 0)
            return options[i].value;
    return NULL;
}

static bool *flag_of(wish_t *wish, const verb_t *verb, const char *name)
{
    if (strcmp(name, "--all") == 0 && verb->run == run_delete)
        return &wish->is_all;
    if (strcmp(name, "--remove") == 0 && verb->run == run_import)
        return &wish->removes;
    if (strcmp(name, "--dry-run") == 0 && verb->run == run_import)
        return &wish->is_dry;
    return NULL;
}

static int read_arguments(int argc, char **argv, int verb_at, const verb_t *verb, wish_t *wish)
{
    for (int i = 2; i < argc; i++) {
        const char **option = option_of(wish, argv[i]);
        bool *flag = flag_of(wish, verb, argv[i]);
        if (option == &wish->lease && verb->run != run_put)
            option = NULL;
        if (i == verb_at)
            continue;
        if (flag != NULL)
            *flag = true;
        else if (option != NULL && i + 1 < argc)
            *option = argv[++i];
        else if (argv[i][0] == '-' && argv[i][1] != '\0')
            return conf_order_complain(option != NULL ? "%s: a value must follow" : "unknown option: %s", argv[i]);
        else
            wish->words[wish->word_count++] = argv[i];
    }
    if (wish->word_count < verb->least || (verb->most > 0 && wish->word_count > verb->most))
        return conf_order_complain("usage: weir state %s %s", verb->name, verb->words);
    return EXIT_FINE;
}

/* The word behind `state`, options of either kind of command aside; 0: there is none. */
static int find_word(int argc, char **argv)
{
    wish_t none = {0};

    for (int i = 2; i < argc; i++) {
        const bool is_of_admin =
            strcmp(argv[i], "-s") == 0 || strcmp(argv[i], "--socket") == 0 || strcmp(argv[i], "--router") == 0;
        if (argv[i][0] != '-')
            return i;
        if (is_of_admin || option_of(&none, argv[i]) != NULL)
            i++;
    }
    return 0;
}

bool conf_cli_publish(int argc, char **argv, int *out_status)
{
    const int at = argc > 2 && strcmp(argv[1], "state") == 0 ? find_word(argc, argv) : 0;
    const verb_t *verb = at == 0 ? NULL : find(argv[at]);
    wish_t wish = {0};

    if (verb == NULL)
        return false;
    wish.words = calloc((size_t)argc, sizeof(wish.words[0]));
    WEIR_MUST(wish.words != NULL);
    *out_status = read_arguments(argc, argv, at, verb, &wish);
    weir_crash_begin(); /* modules of the configuration are at work */
    if (*out_status == EXIT_FINE)
        *out_status = verb->run(&wish);
    weir_crash_end();
    free(wish.words);
    return true;
}
