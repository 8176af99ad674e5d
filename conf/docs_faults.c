/* SPDX-License-Identifier: MIT */
/* `weir docs faults`: docs/faults.md from lib/base/fault.def. */
#include <stdio.h>
#include <string.h>

#include "conf/verbs.h"
#include "lib/base/fault.h"
#include "lib/http/heroku_code.h"

/* "H12", or "H12, H15" where it depends on how far the response has come. */
static void print_codes(const weir_fault_t *fault)
{
    const char *code = weir_heroku_code(fault, NULL, false)->code, *behind = weir_heroku_code(fault, NULL, true)->code;

    printf("%s%s%s", code, strcmp(code, behind) != 0 ? ", " : "", strcmp(code, behind) != 0 ? behind : "");
}

static void print_fault(const weir_fault_t *fault)
{
    printf("| `%s` | %u | %s | ", fault->name, fault->status, weir_blame_name(fault->blame));
    print_codes(fault);
    printf(" | %s |\n", fault->sentence);
}

static void print_section(const char *title)
{
    printf("\n## %s\n| name | status | blame | Heroku | meaning |\n|---|---|---|---|---|\n", title);
}

/* The names that have a code of Heroku's and are none of ours. */
static void print_names_of_routers(void)
{
    puts("\n## Names that routers give\n"
         "For these, too, `weir.log-codes: heroku` has a code; some of them are given by `table`.\n\n"
         "| name | Heroku |\n|---|---|");
    for (size_t i = 0; weir_heroku_name(i) != NULL; i++) {
        const weir_fault_t fault = {.name = weir_heroku_name(i)};
        if (weir_fault_named(fault.name) == NULL)
            printf("| `%s` | %s, %s |\n", fault.name, weir_heroku_code(&fault, NULL, false)->code,
                   weir_heroku_code(&fault, NULL, false)->desc);
    }
}

int conf_docs_faults(void)
{
    puts("<!-- Made by `weir docs faults` from lib/base/fault.def: change it there. -->\n"
         "# Faults\n\n"
         "Every request that does not end well has one reason, and these are the proxy's own. Routers and stages add theirs. "
         "The "
         "name\n"
         "stands in the access log (`code=`), on the page that the client gets, in `Proxy-Status` if `weir.proxy-status` is "
         "ON, and\n"
         "comes to the router in `checkin_service`, `error_page`, `log` and `terminate`; "
         "`weir_fault_named(\"backend_timeout\")` "
         "is its\n"
         "address, for a comparison.\n\n"
         "The *status* is what the client gets unless `error_page` (or `error-pages` of the router `table`) says otherwise. If "
         "the\n"
         "response has begun, the connection or the stream is cut instead; 499 is for the log only. *Blame* says who could "
         "have\n"
         "prevented it. In the access log `client_closed` and `client_timeout` are `at=warning`, all others `at=error`.\n"
         "*Heroku* is the code that `weir.log-codes: heroku` writes in place of the name: the second one if a byte of the "
         "response\n"
         "has come from the backend. `too_many_attempts` and `no_backend` are H19 or H21 if the last backend could not be "
         "connected to.\n"
         "Any other reason with status 421 is H31, and `not_found` of an app that is `blank` (see the router `table`) is H81.");
#define SECTION(title) print_section(title);
#define FAULT(name_, status_, blame_, sentence_) print_fault(&weir_fault_##name_);
#include "lib/base/fault.def"
#undef FAULT
    print_names_of_routers();
    return EXIT_FINE;
}
