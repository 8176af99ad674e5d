/* SPDX-License-Identifier: MIT */
/* weir check: whether the routers of a configuration would take what is in its directory now. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/complain.h"
#include "conf/config_node.h"
#include "conf/state.h"
#include "conf/state_files.h"
#include "router/module.h"

typedef struct checking {
    const conf_t *conf;
    bool is_fine;
} checking_t;

static void complain_of(checking_t *it, const char *why, const char *path)
{
    it->is_fine = false;
    if (strncmp(why, path, strlen(path)) == 0)
        fprintf(stderr, "%s\n", why);
    else
        conf_complain_at(path, 0, "%s", why);
}

static void ask_routers(checking_t *it, const char *app, const char *path, const yoml_t *node)
{
    const weir_state_app_t asked = {.size = sizeof(asked),
                                    .name = {app, strlen(app)},
                                    .said = conf_config_of((yoml_t *)(uintptr_t)node),
                                    .origin = path,
                                    .is_only_checked = true};
    char why[WEIR_STATE_WHY_BYTES];

    for (const conf_module_t *known = it->conf->modules; known != NULL; known = known->next)
        if (!weir_module_state(known->module, &asked, why)) {
            complain_of(it, why, path);
            return;
        }
}

static void check_file(checking_t *it, const char *name)
{
    char app[WEIR_STATE_NAME_MOST + 1], path[4096];
    conf_state_read_t read;

    if (!conf_state_file_app(name, app))
        return;
    snprintf(path, sizeof(path), "%s/%s", it->conf->state_files, name);
    if (conf_state_file_read(path, &read))
        ask_routers(it, app, path, read.node);
    else
        complain_of(it, read.problem, path);
    conf_state_read_free(&read);
}

bool conf_state_check(const conf_t *conf)
{
    checking_t it = {conf, true};
    struct dirent **names = NULL;

    if (conf->state_files == NULL)
        return true;
    const int count = scandir(conf->state_files, &names, NULL, alphasort);
    if (count == -1)
        return conf_complain_at(conf->state_files, 0, "%s", strerror(errno));
    for (int i = 0; i < count; i++) {
        check_file(&it, names[i]->d_name);
        free(names[i]);
    }
    free(names);
    return it.is_fine;
}
