/* SPDX-License-Identifier: MIT */
/*
 * From a configuration to a running proxy and back to nothing.
 *
 *   weir_server_run ─► bound: error log, user, pid file, access log, READY ─► draining: STOPPING ─► clean-up
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "conf/complain.h"
#include "conf/listen.h"
#include "conf/notify.h"
#include "conf/paths.h"
#include "conf/verbs.h"
#include "conf/yaml.h"
#include "lib/base/log.h"
#include "lib/walk/exchange.h"
#include "weir.h"

enum { LAST_LINES_MS = 2000 };

static const char *text_of(const conf_t *conf, conf_directive_t directive)
{
    return conf->global->values[directive].text;
}

static void raise_limits(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        weir_log("the limit of open files stays as it is: %s", strerror(errno));
}

/** Standard error, and so every word to the operator, goes to error-log from now on. */
static bool redirect_errors(const conf_t *conf)
{
    const char *path = text_of(conf, CONF_error_log);
    int fd;

    if (path == NULL)
        return true;
    if (path[0] == '|')
        fd = h2o_access_log_open_log(path); /* which says on its own what is wrong */
    else
        fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (fd == -1)
        return conf_complain_at(conf->global->values[CONF_error_log].where, 0, "error-log: %s: %s", path, strerror(errno));
    dup2(fd, STDERR_FILENO);
    close(fd);
    return true;
}

static bool drop_privileges(const conf_t *conf)
{
    const char *name = text_of(conf, CONF_user);
    const struct passwd *user = name != NULL ? getpwnam(name) : NULL;

    if (name == NULL || (user != NULL && user->pw_uid == getuid() && user->pw_uid == geteuid()))
        return true;
    if (user != NULL && initgroups(name, user->pw_gid) == 0 && setgid(user->pw_gid) == 0 && setuid(user->pw_uid) == 0)
        return true;
    return conf_complain_at(conf->global->values[CONF_user].where, 0, "user: cannot become %s: %s", name, strerror(errno));
}

static bool write_pid(const conf_t *conf)
{
    const char *path = text_of(conf, CONF_pid_file);
    FILE *file;
    bool is_written;

    if (path == NULL)
        return true;
    file = fopen(path, "we");
    is_written = file != NULL && fprintf(file, "%d\n", (int)getpid()) > 0;
    if (file != NULL && fclose(file) != 0)
        is_written = false;
    if (is_written)
        return true;
    return conf_complain_at(conf->global->values[CONF_pid_file].where, 0, "pid-file: %s: %s", path, strerror(errno));
}

static bool on_bound(void *arg)
{
    const conf_t *conf = arg;

    if (!redirect_errors(conf) || !write_pid(conf) || !drop_privileges(conf))
        return false;
    weir_access_log_start();
    conf_notify("READY=1");
    return true;
}

static void on_drain(void *arg)
{
    conf_notify("STOPPING=1");
}

static void on_reopen(void *arg)
{
    const char *path = text_of(arg, CONF_error_log);

    weir_access_log_reopen_all();
    if (path != NULL && path[0] != '|') /* a command sees to its files itself */
        redirect_errors(arg);
}

static bool fill_settings(conf_t *conf, weir_server_settings_t *out_settings)
{
    const conf_value_t *values = conf->global->values;

    *out_settings = (weir_server_settings_t){
        .globalconf = &conf->globalconf,
        .listens = conf->listens.at,
        .listen_count = conf->listens.count,
        .threads = conf_threads(conf),
        .max_connections = (unsigned)values[CONF_max_connections].number,
        .drain_timeout_ms = (uint32_t)values[CONF_drain_timeout].number,
        .head_limits = conf->head_limits,
        .header_timeout_ms = (uint32_t)values[CONF_header_timeout].number,
        .idle_timeout_ms = (uint32_t)values[CONF_idle_timeout].number,
        .max_requests_per_connection = (uint32_t)values[CONF_max_requests].number,
        .max_body_bytes = conf_max_body_bytes(conf),
        .has_proxy_status = values[CONF_proxy_status].number == 1,
        .on_bound = on_bound,
        .on_drain = on_drain,
        .on_reopen = on_reopen,
        .arg = conf,
    };
    return conf_access_log_open(conf, conf->global, &out_settings->access_log);
}

/** For tests: at a clean exit both pairs are equal. */
static void print_books(void)
{
#ifdef WEIR_CHECK_INVARIANTS
    const char *wanted = "1";
#else
    const char *wanted = getenv("WEIR_BOOKS");
#endif
    weir_books_t books = weir_exchange_books();

    if (wanted != NULL && strcmp(wanted, "1") == 0)
        weir_log("books picks=%" PRIu64 " checkins=%" PRIu64 " begun=%" PRIu64 " ended=%" PRIu64, books.picks, books.checkins,
                 books.begun, books.ended);
}

int conf_serve(conf_t *conf)
{
    weir_server_settings_t settings;
    int status;

    raise_limits();
    signal(SIGPIPE, SIG_IGN);
    h2o_socket_buffer_mmap_settings.threshold = SIZE_MAX; /* no buffers in files */
    if (!fill_settings(conf, &settings))
        return EXIT_START_UP;
    status = weir_server_run(&settings);
    weir_access_log_stop(LAST_LINES_MS);
    if (text_of(conf, CONF_pid_file) != NULL && status != EXIT_START_UP)
        unlink(text_of(conf, CONF_pid_file));
    print_books();
    return status;
}

int conf_verb_run(const char *file)
{
    conf_t *conf;
    int status;

    weir_server_block_signals();
    conf = conf_load(file, false);

    if (conf == NULL)
        return EXIT_START_UP;
    status = conf_serve(conf);
    conf_destroy(&conf);
    weir_arena_forget_blocks();
    return status;
}

/* ---- weir_serve(): one router, everything else by default ---- */

static bool prepare(conf_t *conf, const char *listen, const weir_router_t *router, weir_shared_t *shared)
{
    yoml_t *document = conf_yaml_parse(WEIR_SPAN("hosts: {default: {paths: {/: {}}}}"), conf->file);
    const char *problem = conf_listen_on_text(conf, listen);
    char error[256];

    conf->given = problem == NULL ? weir_module_of(router, shared, error, sizeof(error)) : NULL;
    if (conf->given == NULL) {
        conf_yaml_release(&document);
        return conf_complain_at(conf->file, 0, "%s: %s", listen, problem != NULL ? problem : error);
    }
    return conf_apply(conf, &document);
}

WEIR_API int weir_serve(const char *listen, const weir_router_t *router, weir_shared_t *shared)
{
    conf_t *conf;
    int status = EXIT_START_UP;

    weir_server_block_signals();
    conf = conf_create("weir_serve", false);
    if (prepare(conf, listen, router, shared))
        status = conf_serve(conf);
    conf_destroy(&conf);
    weir_arena_forget_blocks();
    return status;
}
