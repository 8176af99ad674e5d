/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/cli_admin.h"
#include "conf/cli_explain.h"
#include "conf/cli_process.h"
#include "conf/cli_publish.h"
#include "conf/completion.h"
#include "conf/init.h"
#include "conf/upgrade.h"
#include "conf/verbs.h"
#include "lib/base/crash.h"
#include "conf/yaml.h"
#include "lib/wire/server/versions.h"
#include "weir.h"

static const char help[] =
    "usage: weir run -c FILE      serve in the foreground\n"
    "       weir check -c FILE    load FILE, bind nothing, print what it comes to\n"
    "       weir version          print the versions of everything\n"
    "       weir demo             serve port 8080 (or $PORT) for two backends on this machine\n"
    "       weir demo --workers   the same for workers, which dial in on port 9001 (or $WORKER_PORT)\n"
    "       weir help             print this\n"
    "\n"
    "short: weir -c FILE (run), -t -c FILE (check), -v (version), -h (help)\n"
    "\n"
    "exit:  0 clean, 1 configuration or start-up, 2 usage, 3 connections were cut at the end of the drain\n"
    "\n"
    "SIGTERM drains, a second one or SIGINT ends at once, SIGHUP reloads, SIGUSR1 reopens the logs,\n"
    "SIGUSR2 starts the program anew and hands over to it.\n";

/* What the arguments come to. */
typedef struct wish {
    const char *verb;
    const char *file;
    const char *word; /* of docs */
} wish_t;

static int complain(const char *what, const char *about)
{
    fprintf(stderr, "weir: %s%s%s\nTry `weir help`.\n", what, about != NULL ? ": " : "", about != NULL ? about : "");
    return EXIT_USAGE;
}

static bool is_one_of(const char *argument, const char *one, const char *other)
{
    return strcmp(argument, one) == 0 || strcmp(argument, other) == 0;
}

/* Options that stand for a verb. */
static const char *verb_of_option(const char *argument)
{
    if (is_one_of(argument, "-t", "--test"))
        return "check";
    if (is_one_of(argument, "-v", "--version"))
        return "version";
    if (is_one_of(argument, "-h", "--help"))
        return "help";
    return NULL;
}

/* Reads the arguments. Returns EXIT_FINE, or EXIT_USAGE after a complaint. */
static int read_arguments(int argc, char **argv, wish_t *wish)
{
    for (int i = 1; i < argc; i++) {
        const char *verb = verb_of_option(argv[i]);

        if (verb != NULL) {
            wish->verb = verb;
        } else if (is_one_of(argv[i], "-c", "--conf")) {
            if (i + 1 == argc)
                return complain("a file must follow", argv[i]);
            wish->file = argv[++i];
        } else if (strcmp(argv[i], "--workers") == 0 && wish->verb != NULL && strcmp(wish->verb, "demo") == 0) {
            wish->verb = "demo workers";
        } else if (argv[i][0] == '-') {
            return complain("unknown option", argv[i]);
        } else if (wish->verb == NULL) {
            wish->verb = argv[i];
        } else if (wish->word == NULL && strcmp(wish->verb, "docs") == 0) {
            wish->word = argv[i];
        } else {
            return complain("one word too many", argv[i]);
        }
    }
    if (wish->verb == NULL && wish->file != NULL)
        wish->verb = "run";
    return wish->verb != NULL ? EXIT_FINE : complain("nothing to do", NULL);
}

int conf_verb_version(void)
{
    printf("weir %s\nlibh2o %s\nOpenSSL %s\nnghttp2 %s\nc-ares %s\nrouter ABI %d\n", WEIR_VERSION, weir_version_of_h2o(),
           weir_version_of_openssl(), weir_version_of_nghttp2(), weir_version_of_cares(), WEIR_ROUTER_ABI);
    return EXIT_FINE;
}

static int print_help(void)
{
    fputs(help, stdout);
    fputs("\n", stdout);
    fputs(conf_cli_admin_help, stdout);
    fputs(conf_cli_explain_help, stdout);
    fputs(conf_cli_process_help, stdout);
    fputs(conf_completion_help, stdout);
    fputs(conf_cli_publish_help, stdout);
    return EXIT_FINE;
}

static const struct {
    const char *name;
    int (*run)(void);
    int (*run_file)(const char *file); /* needs -c */
    int (*run_word)(const char *word);
} verbs[] = {
    {.name = "run", .run_file = conf_verb_run},
    {.name = "check", .run_file = conf_verb_check},
    {.name = "version", .run = conf_verb_version},
    {.name = "help", .run = print_help},
    {.name = "demo", .run = conf_verb_demo},
    {.name = "docs", .run_word = conf_verb_docs},
    {.name = "demo workers", .run = conf_verb_demo_workers},
};

static int run(const wish_t *wish)
{
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strcmp(verbs[i].name, wish->verb) != 0)
            continue;
        if (verbs[i].run != NULL)
            return verbs[i].run();
        if (verbs[i].run_word != NULL)
            return verbs[i].run_word(wish->word != NULL ? wish->word : "markdown");
        if (wish->file == NULL)
            return complain("a configuration is needed: -c FILE", NULL);
        return verbs[i].run_file(wish->file);
    }
    return complain("unknown word", wish->verb);
}

WEIR_API int weir_main(int argc, char **argv)
{
    wish_t wish = {0};
    int status;

    if (conf_cli_publish(argc, argv, &status) || conf_cli_admin(argc, argv, &status) || conf_cli_explain(argc, argv, &status) ||
        conf_cli_process(argc, argv, &status) || conf_completion(argc, argv, &status))
        return status;
    status = read_arguments(argc, argv, &wish);
    if (status != EXIT_FINE)
        return status;
    if (strcmp(wish.verb, "run") == 0 || strncmp(wish.verb, "demo", 4) == 0)
        conf_init_begin();
    conf_upgrade_know(argv);
    weir_crash_begin(); /* modules are at work before it is known whether that is wanted */
    status = run(&wish);
    weir_crash_end();
    conf_upgrade_forget();
    return status;
}
