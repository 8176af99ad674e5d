/* SPDX-License-Identifier: MIT */
/* `weir docs faults`: docs/faults.md from lib/base/fault.def. */
#include <stdio.h>

#include "conf/verbs.h"
#include "lib/base/fault.h"

static void print_fault(const weir_fault_t *fault)
{
    printf("| `%s` | %u | %s | %s |\n", fault->name, fault->status, weir_blame_name(fault->blame), fault->sentence);
}

static void print_section(const char *title)
{
    printf("\n## %s\n| name | status | blame | meaning |\n|---|---|---|---|\n", title);
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
         "prevented it. In the access log `client_closed` and `client_timeout` are `at=warning`, all others `at=error`.");
#define SECTION(title) print_section(title);
#define FAULT(name_, status_, blame_, sentence_) print_fault(&weir_fault_##name_);
#include "lib/base/fault.def"
#undef FAULT
    return EXIT_FINE;
}
