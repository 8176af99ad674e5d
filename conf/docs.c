/* SPDX-License-Identifier: MIT */
/*
 * The hidden verb `weir docs`: docs/configuration.md, docs/weir.conf.5 and the list of docs/coming-from-h2o.md from the tables
 * of directives.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "conf/h2o_directives.h"
#include "conf/verbs.h"
#include "weir.h"

static const char *levels_text(conf_levels_t levels)
{
    switch (levels) {
    case CONF_LEVELS_GLOBAL:
        return "global";
    case CONF_LEVELS_HOSTS:
        return "global, host";
    case CONF_LEVELS_ANYWHERE:
        return "global, host, path";
    case CONF_LEVELS_ENDS:
        return "global, path";
    case CONF_LEVELS_PATHS:
        return "path";
    }
    return "";
}

/* What may be written, in `buffer`. */
static const char *value_text(const conf_directive_info_t *info, char *buffer, size_t size)
{
    switch (info->type) {
    case CONF_TYPE_MS:
        snprintf(buffer, size, "milliseconds, %" PRIu64 " to %" PRIu64, info->least, info->most);
        return buffer;
    case CONF_TYPE_BYTES:
        snprintf(buffer, size, "bytes, %" PRIu64 " to %" PRIu64, info->least, info->most);
        return buffer;
    case CONF_TYPE_COUNT:
        snprintf(buffer, size, "number, %" PRIu64 " to %" PRIu64, info->least, info->most);
        return buffer;
    case CONF_TYPE_TOKEN:
        return "header name";
    case CONF_TYPE_TEXT:
        return "text";
    case CONF_TYPE_PATH:
        return "path";
    case CONF_TYPE_FLAG:
        return "ON or OFF";
    case CONF_TYPE_CASE:
        return "preserve or canonical";
    case CONF_TYPE_STRICTNESS:
        return "lenient or strict";
    case CONF_TYPE_CODES:
        return "weir or heroku";
    case CONF_TYPE_HOST:
        return "host, host:port";
    case CONF_TYPE_NODE:
        return "see below";
    }
    return "";
}

/* ---- Markdown ---- */

static void print_markdown_rows(void)
{
    puts("| directive | default | value | levels | Vegur's name |\n|---|---|---|---|---|");
    for (conf_directive_t i = 0; i < CONF_DIRECTIVES; i++) {
        const conf_directive_info_t *info = &conf_directives[i];
        char buffer[80];
        printf("| `%s` | %s%s%s | %s | %s | %s |\n", info->name, info->initial != NULL ? "`" : "",
               info->initial != NULL ? info->initial : "none", info->initial != NULL ? "`" : "",
               value_text(info, buffer, sizeof(buffer)), levels_text(info->levels), info->vegur != NULL ? info->vegur : "");
    }
}

/* What stands under weir.router is the router's; these three are in the house. */
static const char table_text[] =
    "\n## The router `table`\n"
    "`apps` maps names to applications; docs/routing.md tells how they are served. A request goes to the app that one "
    "of "
    "its\n"
    "`domains` fits best; a domain of no app is `not_found` (404). After a failed connect another backend is tried, ten at "
    "most; "
    "when\n"
    "none is left, the reason is that of the last failed connect (503). Beside `apps` stand `name` (what counters and state "
    "are "
    "known\n"
    "by over reloads; default: host and path), `zone` (where this proxy stands), `apps-file` (further apps: a JSON object in "
    "each "
    "line, with the keys below and `app`, its name), `domains-file` (further domains: `{\"domain\": \"name/path\", \"app\": "
    "\"…\"}` in each line), `state-file` (a path: what operators change over the admin endpoint is kept there, and holds over "
    "restarts; the directory is `user`'s), `state-sync` (`group`: a change is on disk within 100 ms; `always`: before its "
    "answer), `state` (ON: apps of weir.state are taken; docs/state.md) and `defaults`: all keys below but `domains`, "
    "`backends`\n"
    "and `redirect-to`, for every app.\n\n"
    "| key of an app | default | meaning |\n|---|---|---|\n"
    "| `domains` | required | list of names, `*.name` or `*`, each with or without a `/path`: the longest path of whole "
    "segments "
    "wins |\n"
    "| `backends` | required | list of `host:port`, `[v6]:port`, `https://host:port` and `unix:PATH`, or `dns:host:port` and "
    "`dns:https://host:port`, of which each "
    "address is a backend; or of maps: `at` (one of these), `id` (what it is known by over reloads and in logs; default: the "
    "address), `weight` (0 to 1000; 100), `tier` (0 "
    "to 9; "
    "0), `zone`, `max-requests`, `labels` (a map), `state` (`up`, `draining`, `off`). May be empty |\n"
    "| `balance` | `best` | who gets the next request: `best`, `least`, `round-robin`, `random`, `hash` |\n"
    "| `choices` | `3` | of how many drawn backends `best` takes the cheapest, 2 to 8 |\n"
    "| `hash-on` | none | with `hash`: list of `client`, `path`, `path-query`, `host`, `header NAME`, `cookie NAME`; the first "
    "that is there. None of them: `best` |\n"
    "| `hash-bound` | `150` | with `hash`: most in flight at one backend, in percent of its fair share, 8 at least; 0: no "
    "bound |\n"
    "| `hash-seed` | `0` | another number, other owners |\n"
    "| `slow-start` | `0` | ms in which a backend that joins grows from a tenth of its share to all of it |\n"
    "| `warm-up` | `60000` | ms in which a backend that joins is not held to be slow |\n"
    "| `zone-handicap` | `1` | how many times a backend of another zone counts double, 0 to 4 |\n"
    "| `spill` | `OFF` | `ON`: the next tier is asked, too, when all of this one are full |\n"
    "| `max-requests` | `0` | most requests in flight at a backend that says nothing itself; 0: any number |\n"
    "| `max-tunnels` | `0` | most tunnels (WebSockets) at a backend; 0: any number |\n"
    "| `app-max-requests` | `0` | the same for all backends together |\n";
static const char more_table_text[] =
    "| `queue` | see there | who waits for a free backend: `length` (1000), `timeout` (5000 ms), `order` (`fair` or `fifo`), "
    "`client` (`address` or `header NAME`) |\n"
    "| `hold` | `0` | ms that a request waits where no backend could take it: all are ill, or there are none |\n"
    "| `release-window` | `10` | how many requests a backend are let go at once when many have waited |\n"
    "| `affinity` | `OFF` | `ON`, or a map: a browser stays with its backend by a cookie. `cookie` (its name, "
    "`weir-affinity`), "
    "`max-age` (86400 s; 0: until the browser ends), `path` (`/`), `domain`, `http-only` (ON), `secure` (`auto`, ON, OFF), "
    "`same-site` (`lax`, `strict`, `none`, `omit`), `partitioned` (OFF), `grace` (10000 ms of illness that move no pin), "
    "`patience` "
    "(1000 ms that one waits for a full backend), `strict` (OFF), `key-file` |\n"
    "| `retry` | see there | what may have run is sent again: `on` (list of `reset`, `timeout`, `status`; none), "
    "`status` (`502-504`), `methods` (`idempotent`; `keyed`: with Idempotency-Key, too), `most` (2), `try-timeout` (ms for one "
    "try; "
    "0: none), `body-buffer` (65536 bytes of a body that are kept for it, 1 MiB at most) |\n"
    "| `retry-budget` | `10` | percent of the requests of ten seconds that may be sent again, and `floor` (3) a second: `{ "
    "percent, "
    "floor }` |\n"
    "| `drain-timeout` | `30000` | ms for which a backend that is no longer configured serves browsers that stay with it |\n"
    "| `quarantine` | `ON` | backends that fail are left alone for a while |\n"
    "| `quarantine-most` | `50` | percent of a tier's backends that may be in quarantine for failures |\n"
    "| `quarantine-base` | `5000` | ms of the first quarantine; each further one is twice as long |\n"
    "| `quarantine-longest` | `300000` | and never longer than this |\n"
    "| `health` | none | active checks: one of `http: /path`, `tcp: ON` and `grpc: SERVICE` (`\"\"`: the server as a whole), "
    "and "
    "`expect` (`200-399`), `host`, `port` (the backend's), `interval` (5000 ms), `fast-interval` (1000 ms, where something is "
    "wrong), `idle-interval` (60000 ms, of an app without a request for five minutes), `timeout` (2000 ms), `rise` (2), `fall` "
    "(3), `agent` (ON: Weir-Weight, in percent, and Weir-Drain: 1 of an answer are heeded). `OFF`: none, whatever `defaults` "
    "say "
    "|\n"
    "| `panic` | `50` | where backends with less than so many percent of the weight pass their checks, checks are ignored; 0: "
    "never |\n"
    "| `failure-status` | `500, 502, 503, 504` | statuses that are a backend's failure |\n"
    "| `tls` | the system's authorities | with `https://` backends: `ca-file` (who may sign their certificates), `server-name` "
    "(asked for "
    "and found in the certificate; default: the backend's host), `certificate-file` and `key-file` (ours), `verify`: OFF "
    "believes "
    "anybody. Files are PEM |\n"
    "| `keepalive` | `default` | `none`: a connection for each request, the default with `protocol: fastcgi`; `default`: "
    "reuse; `new`: fresh, then reused |\n"
    "| `protocol` | `http1` | what is spoken with the backends: `http1`; `h2c`: HTTP/2 over plain TCP, without asking; `h2`: "
    "HTTP/2 "
    "with backends written `https://host`, by ALPN. gRPC needs one of these two. `fastcgi`: PHP-FPM and its like "
    "(docs/fastcgi.md) |\n"
    "| `root` | none | with `fastcgi`: the folder of the scripts, as the application sees it. Without it the whole path is "
    "PATH_INFO |\n"
    "| `index` | `index.php` | with `root`: the script of a path that names none |\n"
    "| `split` | `.php` | with `root`: what the name of a script ends with; what follows it in a path is PATH_INFO |\n"
    "| `features` | none | list of `deep-continue` (the backend answers Expect) and `peer-port` (X-Forwarded-Peer-Port) |\n"
    "| `headers` | none | `to-backend` and `to-client`: headers to set |\n"
    "| `blank` | `OFF` | `ON`: the app has never been given code. Every request is answered 404 (`not_found`; "
    "`weir.log-codes: heroku` writes H81), and no backend is asked; it needs none |\n"
    "| `redirect-to` | none | instead of backends: the domain to redirect to (301) |\n"
    "| `error-pages` | none | maps reasons to `{status: …, file: …}` |\n\n";
static const char others_text[] =
    "## The router `stub`\n"
    "Every domain is served by the same backends, each tried once, in order.\n\n"
    "| key | default | meaning |\n|---|---|---|\n"
    "| `backends` | required | as in the router `table` |\n"
    "| `tls` | the system's authorities | as in the router `table` |\n\n"
    "## The router `reverse`\n"
    "What `proxy.reverse.url` makes of a path, for those who want to write it themselves. Every domain is served by one "
    "backend.\n\n"
    "| key | default | meaning |\n|---|---|---|\n"
    "| `url` | required | `http://HOST:PORT/PATH` or `http://[unix:/SOCKET]/PATH`: what lies below the router's path is asked "
    "for behind it |\n"
    "| `preserve-host` | `OFF` | `ON`: the backend gets the client's Host |\n"
    "| `keepalive` | `default` | as in the router `table` |\n"
    "| `headers` | none | list of changes to the request, done in this order: `{set: \"name: value\"}`; also `add`, `append`, "
    "`merge`, `setifempty`, and `{unset: name}` |\n"
    "| `tls` | the system's authorities | with a URL of https: as in the router `table` |\n"
    "| `fastcgi` | none | in place of `url`, what `fastcgi.connect` makes of a path: `HOST:PORT` or `unix:PATH` of an "
    "application, which is told the whole path as PATH_INFO. `keepalive` is `none` then by default |\n"
    "| `document-root` | none | with `fastcgi`: DOCUMENT_ROOT, and what is put before PATH_INFO in PATH_TRANSLATED |\n"
    "| `send-delegated-uri` | `OFF` | with `fastcgi`: REQUEST_URI tells of an internal redirect |\n";

static int print_markdown(void)
{
    puts("<!-- Made by `weir docs markdown` from conf/directives.def: change it there. -->\n"
         "# Configuration\n\n"
         "The grammar is that of h2o 2.2: YAML with a global level, `hosts:` and `paths:`. A value given at an inner level "
         "replaces\n"
         "that of the outer one. Beside the directives below, most of h2o's own work as its manual says: `access-log`, "
         "`compress`,\n"
         "`error-doc`, `expires`, `file.*`, `header.*`, `limit-request-body`, `redirect`, `server-name`, `setenv`, `status`,\n"
         "`throttle-response` and others; [coming-from-h2o.md](coming-from-h2o.md) has the list of all.\n\n"
         "`limit-request-body`, if it is not given, is unlimited for paths with a `weir.router` and 1 GiB for all others.\n"
         "`http1-request-timeout: N` is another way to say `weir.header-timeout: N000`.\n\n"
         "`<<` merges a mapping or a list of mappings; `!file NAME` stands for the document in another file, relative to the "
         "one\n"
         "that says it. Of a key given twice "
         "both stay, with a warning that names both lines, as h2o reads it: of plain values the last counts, in a `listen` the "
         "first, and `hosts` and handlers add up; what is meant to be repeated, like `listen` or `header.add`, needs no "
         "warning. "
         "In what a router or a stage reads, it is an error. "
         "Paths of shared objects are relative to the configuration file, all "
         "others to\n"
         "the directory weir is started in.\n\n"
         "Times may have a unit: `500ms`, `5s`, `10m`, `2h`; sizes, too: `64k`, `10m`, `1g`, in steps of 1024. ON and OFF may "
         "be "
         "written\n"
         "`yes` and `no`, or `true` and `false`. A value outside of its range is an error.\n\n"
         "`weir check -c FILE` prints what a configuration comes to and where each value comes from.\n\n"
         "```yaml\n"
         "listen: 8080\n"
         "hosts:\n"
         "  default:\n"
         "    paths:\n"
         "      /:\n"
         "        weir.router:\n"
         "          module: table\n"
         "          apps:\n"
         "            shop:\n"
         "              domains: [ shop.example, \"*.shop.example\" ]\n"
         "              backends: [ \"127.0.0.1:8081\", \"unix:/run/shop.sock\" ]\n"
         "```\n\n"
         "## All directives\n");
    print_markdown_rows();
    for (conf_directive_t i = 0; i < CONF_DIRECTIVES; i++)
        printf("\n### `%s`\n%s\n", conf_directives[i].name, conf_directives[i].sentence);
    fputs(table_text, stdout);
    fputs(more_table_text, stdout);
    fputs(others_text, stdout);
    return EXIT_FINE;
}

/* ---- roff ---- */

/* Escapes what roff would take for its own, and drops Markdown's backquotes. */
static void print_roff(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\\')
            fputs("\\e", stdout);
        else if (*text == '-')
            fputs("\\-", stdout);
        else if (*text != '`')
            putchar(*text);
    }
}

static void print_man_entry(const conf_directive_info_t *info)
{
    char buffer[80];

    fputs(".TP\n.B ", stdout);
    print_roff(info->name);
    putchar('\n');
    print_roff(info->sentence);
    fputs("\n.br\nValue: ", stdout);
    print_roff(info->type == CONF_TYPE_NODE ? "YAML" : value_text(info, buffer, sizeof(buffer)));
    fputs(". Default: ", stdout);
    print_roff(info->initial != NULL ? info->initial : "none");
    printf(". Levels: %s.\n", levels_text(info->levels));
}

/* A row "`key` | default | meaning |"; `row` is changed. */
static void print_man_row(char *row)
{
    char *initial = strstr(row, " | "), *meaning = initial != NULL ? strstr(initial + 3, " | ") : NULL;

    if (meaning == NULL)
        return;
    *initial = *meaning = '\0';
    meaning[strlen(meaning + 3) + 1] = '\0'; /* without the last bar */
    fputs(".TP\n.B ", stdout);
    print_roff(row);
    putchar('\n');
    print_roff(meaning + 3);
    fputs(". Default: ", stdout);
    print_roff(initial + 3);
    puts(".");
}

/* The routers in the house, from the same text as docs/configuration.md. */
static void print_man_routers(const char *text)
{
    char line[1024];

    for (const char *at = text, *end; (end = strchr(at, '\n')) != NULL; at = end + 1) {
        snprintf(line, sizeof(line), "%.*s", (int)(end - at), at);
        if (strncmp(line, "## ", 3) == 0) {
            fputs(".SH ", stdout);
            print_roff(line + 3);
            putchar('\n');
        } else if (strncmp(line, "| `", 3) == 0) {
            print_man_row(line + 2);
        } else if (line[0] != '|' && line[0] != '\0') {
            print_roff(line);
            putchar('\n');
        }
    }
}

static int print_man(void)
{
    puts(".\\\" Made by `weir docs man` from conf/directives.def: change it there.\n"
         ".TH WEIR.CONF 5 \"\" \"weir " WEIR_VERSION "\" \"File formats\"\n"
         ".SH NAME\n"
         "weir.conf \\- configuration of the HTTP proxy weir\n"
         ".SH DESCRIPTION\n"
         "YAML as of h2o 2.2, with a global level,\n"
         ".B hosts\n"
         "and\n"
         ".BR paths .\n"
         "A value given at an inner level replaces that of the outer one.\n"
         "Beside the directives below, most of h2o's own work as its manual says; coming\\-from\\-h2o.md has the list of all.\n"
         ".PP\n"
         ".B <<\n"
         "merges a mapping or a list of mappings.\n"
         ".B !file NAME\n"
         "stands for the document in another file, relative to the one that says it. Of a key given twice both "
         "stay,\n"
         "with a warning, as h2o reads it: of plain values the last counts, in a listen the first, and hosts and handlers add\n"
         "up. In what a router or a stage reads, it is an error.\n"
         ".PP\n"
         "Times may have a unit: 500ms, 5s, 10m, 2h; sizes, too: 64k, 10m, 1g, in steps of 1024. ON and OFF may be written yes "
         "and\n"
         "no, or true and false. A value outside of its range is an error.\n"
         ".SH DIRECTIVES");
    for (conf_directive_t i = 0; i < CONF_DIRECTIVES; i++)
        print_man_entry(&conf_directives[i]);
    print_man_routers(table_text);
    print_man_routers(more_table_text);
    print_man_routers(others_text);
    puts(".SH SEE ALSO\n.BR weir (8)");
    return EXIT_FINE;
}

/* A bar would end the cell. */
static void print_cell(const char *text)
{
    for (; *text != '\0'; text++)
        printf(*text == '|' ? "\\%c" : "%c", *text);
}

/* The list of docs/coming-from-h2o.md. */
static int print_h2o(void)
{
    puts("| directive of h2o | here | |\n|---|---|---|");
    for (size_t i = 0; i < conf_h2o_directive_count; i++) {
        const conf_h2o_info_t *info = &conf_h2o_directives[i];
        printf("| `%s` | %s | ", info->name, conf_fate_name(info->fate));
        print_cell(info->sentence);
        if (info->harmless != NULL)
            printf(" (`%s` is fine)", info->harmless);
        puts(" |");
    }
    return EXIT_FINE;
}

int conf_verb_docs(const char *format)
{
    if (strcmp(format, "markdown") == 0 || strcmp(format, "configuration") == 0)
        return print_markdown();
    if (strcmp(format, "man") == 0 || strcmp(format, "weir.conf.5") == 0)
        return print_man();
    if (strcmp(format, "h2o") == 0)
        return print_h2o();
    if (strcmp(format, "faults") == 0)
        return conf_docs_faults();
    if (strcmp(format, "metrics") == 0)
        return conf_docs_metrics();
    fprintf(stderr, "weir: docs: markdown, man, faults, metrics or h2o, not %s\n", format);
    return EXIT_USAGE;
}
