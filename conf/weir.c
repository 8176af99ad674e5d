/* SPDX-License-Identifier: MIT */
#include "weir.h"

#include "conf/leaks.h"

#ifdef CONF_LEAKS_ARE_SOUGHT
/* libh2o's page `status` keeps a list for each context and has nobody to free it. */
WEIR_API const char *__lsan_default_suppressions(void)
{
    return "leak:h2o_vector__expand\n";
}

WEIR_API const char *__lsan_default_options(void)
{
    return "print_suppressions=0";
}
#endif

int main(int argc, char **argv)
{
    return weir_main(argc, argv);
}
