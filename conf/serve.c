/* SPDX-License-Identifier: MIT */
/*
 * From a configuration to a running proxy, to other configurations, and back to nothing.
 *
 *   weir_server_run ─► bound: error log, user, pid file, access log, READY ─► draining: STOPPING ─► clean-up
 *                        ├─► USR2: a successor ─► draining
 *                        └─► HUP: RELOADING ─► load, on a thread of its own ─► logs, READY
 */
#include <dlfcn.h>
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

#include "conf/admin.h"
#include "conf/complain.h"
#include "conf/explain.h"
#include "conf/listen.h"
#include "conf/log_command.h"
#include "conf/metrics_endpoint.h"
#include "conf/notify.h"
#include "conf/paths.h"
#include "conf/porter.h"
#include "conf/process.h"
#include "conf/trace.h"
#include "conf/verbs.h"
#include "conf/watchdog.h"
#include "conf/state.h"
#include "conf/workers.h"
#include "conf/yaml.h"
#include "lib/base/clock.h"
#include "lib/base/crash.h"
#include "lib/base/list.h"
#include "lib/base/log.h"
#include "lib/base/metrics.h"
#include "lib/base/must.h"
#include "lib/base/rights.h"
#include "lib/walk/exchange.h"
#include "lib/walk/recent.h"
#include "lib/walk/steward.h"
#include "lib/wire/client/tally.h"
#include "lib/wire/door/inherited.h"
#include "lib/wire/tls/tls_ocsp.h"
#include "router/object.h"
#include "weir.h"

enum { LAST_LINES_MS = 2000 };

/* A proxy that serves. */
typedef struct service {
    const char *file; /* NULL: there is none to be read again */
    conf_t *newest;   /* main thread's                         */
    int first_stderr; /* as it was: what commands get          */
    int words;        /* leads there, too, and never waits     */
    bool is_redirected;
    bool is_successor;            /* of a process that serves until this one does */
    bool has_successor;           /* which has the addresses and the pid file     */
    int pid_fd;                   /* -1: none */
    bool is_pid_written;          /* by us    */
    bool is_last_in_use;          /* the configuration that was read last; between two reloads the main thread's */
    char *fixed[CONF_DIRECTIVES]; /* what the first configuration said, global level */
} service_t;

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

/* Another name of what is open already keeps its one place in the file, and may be a socket. */
static int open_errors_file(const service_t *service, const char *path)
{
    switch (weir_log_standard(path)) {
    case STDOUT_FILENO:
        return weir_log_descriptor(STDOUT_FILENO);
    case STDERR_FILENO:
        return weir_log_descriptor(service->first_stderr);
    default:
        return weir_log_open_file(path);
    }
}

/* Opens error-log, if there is one. */
static bool open_errors(const service_t *service, conf_t *conf)
{
    const char *path = text_of(conf, CONF_error_log);

    if (path == NULL)
        return true;
    if (path[0] == '|')
        conf->error_fd = conf_log_command_start(path + 1);
    else
        conf->error_fd = open_errors_file(service, path);
    if (conf->error_fd != -1)
        return true;
    return conf_complain_at(conf->global->values[CONF_error_log].where, 0, "error-log: %s: %s", path, strerror(errno));
}

/*
 * Standard error, and so every word to the operator, goes to what open_errors() has opened, or to where it went at the start.
 */
static void redirect_errors(service_t *service, conf_t *conf)
{
    service->is_redirected = conf->error_fd != -1;
    conf_log_errors_to(conf->error_fd != -1 ? conf->error_fd : service->words, service->words);
    if (conf->error_fd != -1)
        close(conf->error_fd);
    conf->error_fd = -1;
}

static bool drop_privileges(const conf_t *conf)
{
    const char *name = text_of(conf, CONF_user);
    const struct passwd *user = name != NULL ? getpwnam(name) : NULL;

    if (name == NULL || (user != NULL && user->pw_uid == getuid() && user->pw_uid == geteuid())) {
        conf_porter_end();
        return true;
    }
    if (user != NULL && initgroups(name, user->pw_gid) == 0 && setgid(user->pw_gid) == 0 && setuid(user->pw_uid) == 0) {
        conf_porter_use();
        return true;
    }
    return conf_complain_at(conf->global->values[CONF_user].where, 0, "user: cannot become %s: %s", name, strerror(errno));
}

/* While we may: the user that we become need not have the right. */
static bool open_pid(service_t *service, const conf_t *conf)
{
    const char *path = text_of(conf, CONF_pid_file);

    if (path == NULL)
        return true;
    service->pid_fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    return service->pid_fd != -1 ||
           conf_complain_at(conf->global->values[CONF_pid_file].where, 0, "pid-file: %s: %s", path, strerror(errno));
}

static bool write_pid(service_t *service)
{
    if (service->pid_fd == -1)
        return true;
    service->is_pid_written = ftruncate(service->pid_fd, 0) == 0 && dprintf(service->pid_fd, "%d\n", (int)getpid()) > 0;
    if (!service->is_pid_written)
        weir_log("pid-file: %s: %s", service->fixed[CONF_pid_file], strerror(errno));
    return service->is_pid_written;
}

static conf_t *conf_around(const weir_server_settings_t *settings)
{
    return WEIR_AROUND(settings, conf_t, settings);
}

/* ---- start and end ---- */

static bool on_bound(void *arg)
{
    service_t *service = arg;
    conf_t *conf = service->newest;

    weir_recent_begin((size_t)conf->global->values[CONF_explain_ring].number, conf_threads(conf));
    redirect_errors(service, conf);
    if (!conf_metrics_endpoint_bind(conf)) /* which may be among what was inherited */
        return false;
    weir_inherited_close_rest();
    if (!open_pid(service, conf) || (!service->is_successor && !write_pid(service)) || !conf_admin_bind(&conf->admin) ||
        !drop_privileges(conf))
        return false;
    conf_state_begin(conf);
    if (!conf_modules_start(conf))
        return false;
    conf_state_started();
    conf_explain_use(conf);
    conf_admin_start();
    conf_metrics_endpoint_start();
    conf_workers_use(conf);
    weir_access_log_start();
    conf_trace_begin(conf);
    conf_state_await_ready(conf);
    return true;
}

static void on_serving(void *arg)
{
    service_t *service = arg;

    conf_watchdog_begin(&service->newest->settings);
    conf_ready_set(CONF_READY);
    if (!service->is_successor)
        return;
    if (conf_upgrade_tell()) {
        (void)write_pid(service);
        return;
    }
    weir_log("upgrade: the process before this one does not wait for it any more");
    kill(getpid(), SIGTERM);
}

/* By ours or a module's sanitizer, at the end of the process. */
static bool are_leaks_sought(void)
{
    return dlsym(RTLD_DEFAULT, "__lsan_do_leak_check") != NULL;
}

static void on_drain(void *arg)
{
    conf_ready_set(((const service_t *)arg)->has_successor ? CONF_SUCCEEDED : CONF_DRAINING);
    conf_process_drains();
    conf_workers_drain();
    if (are_leaks_sought())
        weir_object_keep_all(); /* the report comes behind the end of main(), and shall know their functions */
    if (!((const service_t *)arg)->has_successor)
        conf_notify("STOPPING=1");
}

static void on_reopen(void *arg)
{
    service_t *service = arg;
    const char *path = text_of(service->newest, CONF_error_log);

    weir_access_log_reopen_all();
    if (path != NULL && path[0] != '|' && open_errors(service, service->newest)) /* a command sees to its files itself */
        redirect_errors(service, service->newest);
}

/* ---- reload ---- */

static void on_reloading(void *arg)
{
    char state[64];

    snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, weir_clock_monotonic_us());
    conf_notify(state);
    conf_process_begins();
}

static bool is_same(const char *one, const char *other)
{
    return one == other || (one != NULL && other != NULL && strcmp(one, other) == 0);
}

/* Says which changes wait for the next start. */
static void name_what_stays(const service_t *service, const conf_t *conf)
{
    if (!conf_admin_is(&conf->admin))
        conf_complain_at(conf->file, 0, "weir.admin: the change waits for a restart");
    if (!conf_metrics_endpoint_is(&conf->metrics_place))
        conf_complain_at(conf->file, 0, "weir.metrics: the change waits for a restart");

    static const conf_directive_t fixed[] = {CONF_user, CONF_pid_file, CONF_num_threads, CONF_crash_handler, CONF_explain_ring};

    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
        const conf_value_t *value = &conf->global->values[fixed[i]];

        if (!is_same(value->text, service->fixed[fixed[i]]))
            conf_complain_at(value->where != NULL ? value->where : conf->file, 0, "%s: the change waits for a restart",
                             conf_directives[fixed[i]].name);
    }
}

static const weir_server_settings_t *on_load(void *arg)
{
    service_t *service = arg;
    conf_t *conf;

    conf_process_loads();
    conf_porter_read_again(service->is_last_in_use);
    service->is_last_in_use = false;
    conf = conf_load(service->file, false);
    if (conf != NULL && (!conf_settings_fill(conf) || !open_errors(service, conf)))
        conf_destroy(&conf);
    if (conf == NULL)
        return NULL;
    name_what_stays(service, conf);
    return &conf->settings;
}

static bool on_start(void *arg, const weir_server_settings_t *settings)
{
    return conf_modules_start(conf_around(settings));
}

static void on_reloaded(void *arg, const weir_server_settings_t *settings)
{
    service_t *service = arg;

    weir_metrics_note_config(settings != NULL);
    if (settings != NULL) {
        service->newest = conf_around(settings);
        service->is_last_in_use = true;
        conf_explain_use(service->newest);
        conf_listen_begin(service->newest);
        conf_metrics_use(&service->newest->metrics);
        conf_certificates_use(service->newest);
        conf_watchdog_begin(settings);
        conf_trace_begin(service->newest);
        conf_workers_use(service->newest);
        conf_state_started();
        conf_state_use(service->newest);
        weir_log_tell_time(service->newest->global->values[CONF_log_time].number == 1);
        redirect_errors(service, service->newest);
        weir_access_log_reopen_all();
        weir_log("reload: %s is in use", service->file);
    } else {
        weir_log("reload: nothing has changed");
    }
    conf_process_reloaded(settings != NULL);
    conf_notify(settings != NULL ? "READY=1\nSTATUS=" : "READY=1\nSTATUS=A reload has failed; the log says why");
}

/* ---- upgrade ---- */

static bool on_upgrade(void *arg, const weir_handed_t *sockets, size_t count)
{
    return conf_upgrade(sockets, count, ((const service_t *)arg)->first_stderr);
}

static void give_up_upgrade(void *arg)
{
    conf_upgrade_give_up();
}

static void on_upgraded(void *arg, bool has_successor)
{
    service_t *service = arg;
    char state[64];

    service->has_successor = has_successor;
    conf_process_upgraded(has_successor ? conf_upgrade_successor() : 0);
    if (!has_successor) {
        weir_log("upgrade: nothing has changed");
        conf_notify("READY=1\nSTATUS=An upgrade has failed; the log says why");
        return;
    }
    conf_admin_retire();
    conf_watchdog_be_silent(&service->newest->settings);
    conf_metrics_endpoint_retreat();
    weir_log("upgrade: process %d serves, this one drains", (int)conf_upgrade_successor());
    snprintf(state, sizeof(state), "MAINPID=%d\nREADY=1\nSTATUS=", (int)conf_upgrade_successor());
    conf_notify(state);
}

static void on_retire(const weir_server_settings_t *settings)
{
    conf_retire(conf_around(settings));
}

static void on_discard(const weir_server_settings_t *settings)
{
    conf_t *conf = conf_around(settings);

    conf_explain_give_up(conf);
    conf_destroy(&conf);
}

/* For tests: at a clean exit both pairs are equal, and no connection is counted any more. */
static void print_books(void)
{
#ifdef WEIR_CHECK_INVARIANTS
    const char *wanted = "1";
#else
    const char *wanted = getenv("WEIR_BOOKS");
#endif
    weir_books_t books = weir_exchange_books();

    if (wanted != NULL && strcmp(wanted, "1") == 0)
        weir_log("books picks=%" PRIu64 " checkins=%" PRIu64 " begun=%" PRIu64 " ended=%" PRIu64 " counted=%zu", books.picks,
                 books.checkins, books.begun, books.ended, weir_tally_lost());
}

static char *copy_text(const char *text)
{
    char *copy = text != NULL ? strdup(text) : NULL;

    WEIR_MUST(copy != NULL || text == NULL);
    return copy;
}

static void begin_service(service_t *service, conf_t *conf, const char *file)
{
    *service = (service_t){.file = file, .newest = conf, .pid_fd = -1, .is_last_in_use = true};
    service->first_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    service->is_successor = conf_upgrade_is_awaited();
    for (conf_directive_t i = 0; i < CONF_DIRECTIVES; i++)
        service->fixed[i] = copy_text(text_of(conf, i));
    weir_log_tell_time(conf->global->values[CONF_log_time].number == 1);
    service->words = weir_log_descriptor(service->first_stderr);
    conf_log_commands_begin(service->first_stderr);
    weir_log_never_wait(true);
}

static void end_service(service_t *service)
{
    conf_log_commands_end();
    if (!service->is_redirected)
        dup2(service->first_stderr, STDERR_FILENO); /* an application's, as it was */
    for (conf_directive_t i = 0; i < CONF_DIRECTIVES; i++)
        free(service->fixed[i]);
    if (service->pid_fd != -1)
        close(service->pid_fd);
    close(service->words);
    close(service->first_stderr);
}

static void prepare_process(const conf_t *conf)
{
    if (conf->global->values[CONF_crash_handler].number == 1)
        weir_crash_begin();
    else
        weir_crash_end();
    raise_limits();
    signal(SIGPIPE, SIG_IGN);
    h2o_socket_buffer_mmap_settings.threshold = SIZE_MAX; /* no buffers in files */
}

/* From binding to the end of the drain. */
static int run_server(service_t *service, const conf_t *conf)
{
    const bool has_file = service->file != NULL;
    const weir_server_hooks_t hooks = {
        .on_bound = on_bound,
        .on_drain = on_drain,
        .on_reopen = on_reopen,
        .on_serving = on_serving,
        .on_reloading = on_reloading,
        .load = has_file ? on_load : NULL,
        .start = on_start,
        .on_reloaded = on_reloaded,
        .upgrade = has_file ? on_upgrade : NULL,
        .give_up_upgrade = give_up_upgrade,
        .on_upgraded = on_upgraded,
        .retire = on_retire,
        .discard = on_discard,
        .arg = service,
    };

    return weir_server_run(&conf->settings, &hooks);
}

int conf_serve(conf_t **conf_slot, const char *file)
{
    conf_t *conf = *conf_slot;
    service_t service;
    int status;

    prepare_process(conf);
    begin_service(&service, conf, file);
    if ((!conf_settings_fill(conf) || !open_errors(&service, conf))) {
        conf_destroy(conf_slot);
        end_service(&service);
        weir_log_never_wait(false);
        weir_log_tell_time(false);
        return EXIT_START_UP;
    }
    *conf_slot = NULL; /* the server discards it */
    conf_complain_settle();
    conf_listen_begin(conf);
    weir_metrics_note_config(true);
    conf_ready_set(CONF_STARTING);
    conf_metrics_use(&conf->metrics);
    conf_certificates_use(conf);
    conf_process_begin(file);
    status = run_server(&service, conf);
    weir_tls_ocsp_stop();
    conf_process_drains();
    conf_connections_end();
    conf_certificates_end();
    conf_admin_stop();
    conf_certificates_use(NULL);
    conf_metrics_endpoint_stop();
    conf_watchdog_end();
    conf_workers_end();
    conf_state_end();
    weir_steward_stop();
    conf_state_forget();
    weir_trace_export_stop(LAST_LINES_MS);
    conf_complain_unsettle();
    weir_access_log_stop(LAST_LINES_MS);
    if (service.is_pid_written && !service.has_successor)
        (void)weir_rights_remove(service.fixed[CONF_pid_file]);
    end_service(&service);
    print_books();
    weir_log_never_wait(false);
    weir_log_tell_time(false);
    weir_crash_end();
    return status;
}

int conf_verb_run(const char *file)
{
    conf_t *conf;
    int status;

    weir_log_tell_time(true); /* until the configuration says otherwise */
    weir_server_block_signals(true);
    conf_upgrade_read();
    conf_watchdog_read(conf_upgrade_is_awaited());
    weir_inherited_read();
    conf_porter_begin(file);
    conf = conf_load(file, false);
    status = conf != NULL ? conf_serve(&conf, file) : EXIT_START_UP;
    conf_porter_end();
    weir_inherited_forget();
    weir_arena_forget_blocks();
    return status;
}
