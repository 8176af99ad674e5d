/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/complain.h"
#include "conf/listen.h"
#include "conf/verbs.h"
#include "conf/yaml.h"

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

int conf_verb_demo(void)
{
    const char *port = getenv("PORT") != NULL ? getenv("PORT") : "8080";
    conf_t *conf = conf_create("weir demo", false);
    yoml_t *yaml = conf_yaml_parse((weir_span_t){document, sizeof(document) - 1}, "weir demo");
    const char *problem = conf_listen_on_text(conf, port);
    int status = EXIT_START_UP;

    if (problem != NULL)
        conf_complain_at("weir demo", 0, "port %s: %s", port, problem);
    else if (conf_apply(conf, &yaml)) {
        printf("Two backends are expected:    python3 -m http.server 8081 & python3 -m http.server 8082 &\n"
               "Then ask for them:            curl -v http://127.0.0.1:%s/\n"
               "Ctrl-C ends. The configuration:\n\nlisten: %s\n%s\n",
               port, port, document);
        fflush(stdout);
        status = conf_serve(&conf, NULL);
    }
    conf_yaml_release(&yaml);
    conf_destroy(&conf);
    weir_arena_forget_blocks();
    return status;
}
