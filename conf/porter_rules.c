/* SPDX-License-Identifier: MIT */
#include "conf/porter_rules.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/snapshot.h"
#include "conf/yaml.h"
#include "lib/base/must.h"

enum { GROUPS_MOST = 256, LINKS_MOST = 40 /* as the kernel */ };

typedef struct rule {
    struct rule *next;
    conf_right_t right;
    const char *text;   /* as it is written */
    const char *beside; /* beside the configuration file */
    bool is_config;     /* it names others */
} rule_t;

typedef struct set {
    weir_arena_t arena;
    bool is_loaded;
    rule_t *all;
} set_t;

static struct {
    set_t in_use; /* of the configuration that serves */
    set_t tried;  /* of the one that was read last    */
    const char *file;
    const char *last_file; /* that a node was in */
    uid_t user;            /* of the first configuration: another waits for a restart */
    gid_t groups[GROUPS_MOST];
    int group_count;
} rules = {.user = (uid_t)-1};

/* ---- what the configuration names ---- */

static const struct {
    const char *key;
    conf_right_t right;
} keys[] = {
    {"certificate-file", CONF_RIGHT_READ}, {"key-file", CONF_RIGHT_READ},          {"dh-file", CONF_RIGHT_READ},
    {"apps-file", CONF_RIGHT_READ},        {"domains-file", CONF_RIGHT_READ},      {"ticket-file", CONF_RIGHT_READ},
    {"access-log", CONF_RIGHT_APPEND},     {"weir.access-log", CONF_RIGHT_APPEND}, {"error-log", CONF_RIGHT_APPEND},
    {"listen", CONF_RIGHT_BIND},           {"pid-file", CONF_RIGHT_REMOVE},        {"token-file", CONF_RIGHT_READ},
};

static const char *copy(const char *text)
{
    return weir_arena_copy(&rules.tried.arena, (weir_span_t){text, strlen(text)}).base;
}

static rule_t *add(conf_right_t right, const char *text)
{
    rule_t *rule = weir_arena_alloc(&rules.tried.arena, sizeof(*rule));

    *rule = (rule_t){.next = rules.tried.all, .right = right, .text = copy(text)};
    rule->beside = conf_path_beside(&rules.tried.arena, rules.file, rule->text);
    rules.tried.all = rule;
    return rule;
}

/* A scalar, or those of a list; of a mapping the one that says where. */
static void add_scalars(conf_right_t right, const yoml_t *value)
{
    const yoml_t *inner;

    switch (value->type) {
    case YOML_TYPE_SCALAR:
        add(right, value->data.scalar);
        return;
    case YOML_TYPE_SEQUENCE:
        for (size_t i = 0; i < value->data.sequence.size; i++)
            add_scalars(right, value->data.sequence.elements[i]);
        return;
    case YOML_TYPE_MAPPING:
        inner = conf_yaml_get(value, right == CONF_RIGHT_BIND ? "port" : "path");
        if (inner != NULL && inner->type == YOML_TYPE_SCALAR)
            add(right, inner->data.scalar);
        return;
    }
}

static void note_user(const yoml_t *value)
{
    const struct passwd *user = value->type == YOML_TYPE_SCALAR ? getpwnam(value->data.scalar) : NULL;

    if (user == NULL || rules.user != (uid_t)-1)
        return;
    rules.user = user->pw_uid;
    rules.group_count = GROUPS_MOST;
    if (getgrouplist(value->data.scalar, user->pw_gid, rules.groups, &rules.group_count) == -1)
        rules.group_count = 0;
}

static void look_at_entry(const yoml_mapping_element_t *entry)
{
    const char *key = entry->key->type == YOML_TYPE_SCALAR ? entry->key->data.scalar : "";

    if (strcmp(key, "user") == 0)
        note_user(entry->value);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (strcmp(keys[i].key, key) == 0)
            add_scalars(keys[i].right, entry->value);
}

static void look_at(const yoml_t *node)
{
    if (strcmp(rules.last_file, node->filename) != 0) {
        add(CONF_RIGHT_READ, node->filename)->is_config = true;
        rules.last_file = rules.tried.all->text;
    }
    for (size_t i = 0; node->type == YOML_TYPE_SEQUENCE && i < node->data.sequence.size; i++)
        look_at(node->data.sequence.elements[i]);
    for (size_t i = 0; node->type == YOML_TYPE_MAPPING && i < node->data.mapping.size; i++) {
        look_at_entry(&node->data.mapping.elements[i]);
        look_at(node->data.mapping.elements[i].value);
    }
}

static void forget(set_t *set)
{
    if (set->is_loaded)
        weir_arena_finish(&set->arena);
    *set = (set_t){.is_loaded = false};
}

void conf_rules_settle(void)
{
    if (!rules.tried.is_loaded)
        return;
    forget(&rules.in_use);
    rules.in_use = rules.tried;
    rules.tried = (set_t){.is_loaded = false};
}

void conf_rules_forget(void)
{
    forget(&rules.tried);
    forget(&rules.in_use);
}

static bool may_user_write(const struct stat *what)
{
    if (what->st_uid == rules.user)
        return true;
    for (int i = 0; i < rules.group_count && (what->st_mode & S_IWGRP) != 0; i++)
        if (rules.groups[i] == what->st_gid)
            return true;
    return (what->st_mode & S_IWOTH) != 0;
}

/* Who may write the configuration may name whatever he likes in it. */
static bool are_files_safe(char problem[static CONF_PROBLEM_BYTES])
{
    char path[PATH_MAX];

    for (const rule_t *rule = rules.tried.all; rule != NULL; rule = rule->next) {
        struct stat what;

        if (!rule->is_config)
            continue;
        if (!conf_rules_resolve(rule->text, path, NULL, problem))
            return false;
        if (stat(path, &what) != 0 || !may_user_write(&what))
            continue;
        snprintf(problem, CONF_PROBLEM_BYTES, "`user` may write to the configuration, %.160s", path);
        errno = EPERM;
        return false;
    }
    return true;
}

bool conf_rules_load(const char *file, char problem[static CONF_PROBLEM_BYTES])
{
    yoml_t *document;

    forget(&rules.tried);
    weir_arena_init(&rules.tried.arena);
    rules.tried.is_loaded = true;
    rules.file = rules.last_file = file;
    add(CONF_RIGHT_READ, file)->is_config = true;
    document = conf_yaml_load(file);
    if (document != NULL)
        look_at(document);
    conf_yaml_release(&document);
    if (are_files_safe(problem))
        return true;
    forget(&rules.tried);
    return false;
}

static bool is_named(const set_t *set, conf_right_t right, const char *path)
{
    for (const rule_t *rule = set->all; rule != NULL; rule = rule->next)
        if (rule->right == right && (strcmp(rule->text, path) == 0 || strcmp(rule->beside, path) == 0))
            return true;
    return false;
}

bool conf_rules_name(conf_right_t right, const char *path, char problem[static CONF_PROBLEM_BYTES])
{
    if (is_named(&rules.tried, right, path) || is_named(&rules.in_use, right, path))
        return true;
    snprintf(problem, CONF_PROBLEM_BYTES, "the configuration does not name it");
    errno = EACCES;
    return false;
}

static bool is_port_named(const set_t *set, uint16_t port)
{
    for (const rule_t *rule = set->all; rule != NULL; rule = rule->next) {
        const char *colon = strrchr(rule->text, ':');
        if (rule->right == CONF_RIGHT_BIND && strtoul(colon != NULL ? colon + 1 : rule->text, NULL, 10) == port)
            return true;
    }
    return false;
}

bool conf_rules_name_port(uint16_t port)
{
    return is_port_named(&rules.tried, port) || is_port_named(&rules.in_use, port);
}

/* ---- where a path leads to ---- */

/* In a folder like /tmp nobody removes what is another's: `next`, which is below it. */
static bool is_folder_safe(const char *folder, const char *next)
{
    struct stat what, below;

    if (lstat(folder, &what) != 0 || !S_ISDIR(what.st_mode))
        return false;
    if (!may_user_write(&what))
        return true;
    return what.st_uid != rules.user && (what.st_mode & S_ISVTX) != 0 && lstat(next, &below) == 0 && below.st_uid != rules.user;
}

/* A way that is still to be gone, from a folder that `user` cannot change. */
typedef struct way {
    char done[PATH_MAX]; /* without links; "/" ends none but the root */
    char rest[PATH_MAX];
    unsigned links;
    bool may_be_open, is_open; /* the last folder, to `user` */
} way_t;

static bool fail(int error)
{
    errno = error;
    return false;
}

/* In front of what is left. False if that is too much. */
static bool put_in_front(way_t *way, const char *text)
{
    char both[2 * PATH_MAX];
    const size_t len = (size_t)snprintf(both, sizeof(both), "%s/%s", text, way->rest);

    if (len >= sizeof(way->rest))
        return fail(ENAMETOOLONG);
    memcpy(way->rest, both, len + 1);
    return true;
}

static bool follow(way_t *way, const char *link)
{
    char target[PATH_MAX];
    const ssize_t len = readlink(link, target, sizeof(target) - 1);

    if (len <= 0 || ++way->links > LINKS_MOST)
        return fail(len <= 0 ? ENOENT : ELOOP);
    target[len] = '\0';
    if (target[0] == '/')
        strcpy(way->done, "/");
    return put_in_front(way, target);
}

static void go_up(way_t *way)
{
    char *slash = strrchr(way->done, '/');

    slash[slash == way->done ? 1 : 0] = '\0';
}

/* One name further: `name` is below what is done. */
static bool go_down(way_t *way, const char *name, char problem[static CONF_PROBLEM_BYTES])
{
    char next[2 * PATH_MAX];
    const size_t len = (size_t)snprintf(next, sizeof(next), "%s/%s", way->done[1] != '\0' ? way->done : "", name);
    struct stat what;

    if (len >= sizeof(way->done))
        return fail(ENAMETOOLONG);
    way->is_open = !is_folder_safe(way->done, next);
    if (way->is_open && (!way->may_be_open || way->rest[0] != '\0')) {
        snprintf(problem, CONF_PROBLEM_BYTES, "`user` may write to the folder %.180s", way->done);
        return fail(EPERM);
    }
    const bool is_there = lstat(next, &what) == 0;
    if (!is_there && way->rest[0] != '\0')
        return fail(ENOENT);
    if (is_there && S_ISLNK(what.st_mode))
        return way->is_open ? fail(EPERM) : follow(way, next);
    memcpy(way->done, next, len + 1);
    return true;
}

static bool go_on(way_t *way, char problem[static CONF_PROBLEM_BYTES])
{
    char name[PATH_MAX];
    const size_t before = strspn(way->rest, "/"), len = strcspn(way->rest + before, "/");

    snprintf(name, sizeof(name), "%.*s", (int)len, way->rest + before);
    memmove(way->rest, way->rest + before + len, strlen(way->rest + before + len) + 1);
    if (strspn(way->rest, "/") == strlen(way->rest))
        way->rest[0] = '\0';
    if (name[0] == '\0' || strcmp(name, ".") == 0)
        return true;
    if (strcmp(name, "..") == 0) {
        go_up(way);
        return true;
    }
    return go_down(way, name, problem);
}

/* From the root down: what is safe cannot become otherwise while the rest is looked at. Links count where they stand. */
bool conf_rules_resolve(const char *path, char out_path[static 4096], bool *out_is_open,
                        char problem[static CONF_PROBLEM_BYTES])
{
    way_t way = {.done = "/", .may_be_open = out_is_open != NULL};
    char here[PATH_MAX] = "/";
    bool is_fine = path[0] == '/' || getcwd(here, sizeof(here)) != NULL;

    is_fine = is_fine && strlen(path) < sizeof(way.rest) ? put_in_front(&way, path) : fail(ENAMETOOLONG);
    is_fine = is_fine && put_in_front(&way, here);
    while (is_fine && way.rest[0] != '\0')
        is_fine = go_on(&way, problem);
    if (!is_fine && problem[0] == '\0')
        snprintf(problem, CONF_PROBLEM_BYTES, "%s", strerror(errno));
    if (is_fine)
        memcpy(out_path, way.done, sizeof(way.done));
    if (out_is_open != NULL)
        *out_is_open = way.is_open;
    return is_fine;
}
