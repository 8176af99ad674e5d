/* SPDX-License-Identifier: MIT */
/* Which lines of nsswitch.conf want more than /etc/hosts and name servers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stddef.h>

#include <cmocka.h>

#include "lib/wire/back/name_system.h"

static void what_we_stand_in_for(void **state)
{
    static const char *const texts[] = {
        "",
        "\n\n",
        "hosts:",
        "hosts: files dns",
        "hosts:\tfiles [!UNAVAIL=return]\tdns \r\n",
        "hosts:files[NOTFOUND=return]dns",
        "passwd: files systemd\nhosts: dns files\nservices: db files\n",
        "# hosts: mdns\nhosts: files # mdns\n",
        "hosts: files [SUCCESS=continue",
        "otherhosts: mdns\n",
        "hosts mdns\n",
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (weir_name_system_has_modules(texts[i]))
            fail_msg("%s", texts[i]);
}

static void what_only_the_system_knows(void **state)
{
    static const char *const texts[] = {
        "hosts: files mdns4_minimal [NOTFOUND=return] dns",
        "hosts: myhostname",
        "  hosts: files dns ldap\n",
        "hosts: files[NOTFOUND=continue]resolve",
        "hosts: filesystem",
        "hosts: dnsx",
        "a\nhosts: files\nhosts: wins",
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (!weir_name_system_has_modules(texts[i]))
            fail_msg("%s", texts[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_we_stand_in_for),
        cmocka_unit_test(what_only_the_system_knows),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
