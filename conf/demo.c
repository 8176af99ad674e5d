/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/complain.h"
#include "conf/listen.h"
#include "conf/verbs.h"
#include "conf/yaml.h"

enum { WORD_BYTES = 64 };

static const char document[] = "hosts:\n"
                               "  default:\n"
                               "    paths:\n"
                               "      /:\n"
                               "        weir.router:\n"
                               "          module: table\n"
                               "          apps:\n"
                               "            demo:\n"
                               "              domains: [ \"*\" ]\n"
                               "              backends: [ \"127.0.0.1:8081\", \"127.0.0.1:8082\" ]\n";

static const char workers_document[] = "weir.workers: { listen: \"127.0.0.1:%s\", auth: none }\n"
                                       "hosts:\n"
                                       "  default:\n"
                                       "    paths:\n"
                                       "      /:\n"
                                       "        weir.router:\n"
                                       "          module: table\n"
                                       "          apps:\n"
                                       "            demo:\n"
                                       "              domains: [ \"*\" ]\n"
                                       "              workers: ON\n"
                                       "              hold: 10s\n";

static void print_hints(const char *port, const char *text)
{
    printf("Two backends are expected:    python3 -m http.server 8081 & python3 -m http.server 8082 &\n"
           "Then ask for them:            curl -v http://127.0.0.1:%s/\n"
           "Ctrl-C ends. The configuration:\n\nlisten: %s\n%s\n",
           port, port, text);
}

static void print_workers_hints(const char *port, const char *text)
{
    printf("Workers dial in:     node examples/worker.mjs     (as many as you like, before or after this; kill some)\n"
           "Then ask for them:   curl http://127.0.0.1:%s/\n"
           "Ctrl-C ends. The configuration:\n\nlisten: %s\n%s\n",
           port, port, text);
}

static int serve(const char *text, void (*print)(const char *port, const char *text))
{
    const char *port = getenv("PORT") != NULL ? getenv("PORT") : "8080";
    conf_t *conf = conf_create("weir demo", false);
    yoml_t *yaml = conf_yaml_parse((weir_span_t){text, strlen(text)}, "weir demo");
    const char *problem = conf_listen_on_text(conf, port);
    int status = EXIT_START_UP;

    if (problem != NULL)
        conf_complain_at("weir demo", 0, "port %s: %s", port, problem);
    else if (conf_apply(conf, &yaml)) {
        print(port, text);
        fflush(stdout);
        status = conf_serve(&conf, NULL);
    }
    conf_yaml_release(&yaml);
    conf_destroy(&conf);
    weir_arena_forget_blocks();
    return status;
}

int conf_verb_demo(void)
{
    return serve(document, print_hints);
}

int conf_verb_demo_workers(void)
{
    const char *said = getenv("WORKER_PORT");
    const char *port = said != NULL && strlen(said) < WORD_BYTES ? said : "9001";
    char text[sizeof(workers_document) + WORD_BYTES];

    snprintf(text, sizeof(text), workers_document, port);
    return serve(text, print_workers_hints);
}
