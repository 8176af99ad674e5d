/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_SNAPSHOT_H
#define WEIR_CONF_SNAPSHOT_H
/**
 * @file  A configuration, loaded: libh2o's globalconf and everything of ours around it. Frozen once it is loaded.
 *
 * OWNER    The command that loads it (serve.c, check.c).
 * THREAD   One at a time may load or free: the main one, or the one that reloads. What plans say may be read by all.
 */
#include <h2o.h>
#include <h2o/configurator.h>

#include "conf/directives.h"
#include "conf/node_map.h"
#include "lib/admin/admin.h"
#include "lib/walk/plan.h"
#include "lib/wire/export/trace_export.h"
#include "lib/wire/local/files.h"
#include "lib/wire/local/metrics.h"
#include "lib/wire/server/server.h"
#include "router/module.h"
#include "router/stage_module.h"

/** One proxy.header.* in force. */
typedef struct conf_change {
    const struct conf_change *before;
    conf_directive_t directive;
    yoml_t *node; /* borrowed from the document */
} conf_change_t;

/** One file.custom-handler in force. */
typedef struct conf_custom {
    const struct conf_custom *before; /* of the same level, then of outer ones */
    yoml_t *node;                     /* borrowed from the document             */
} conf_custom_t;

/** What compress, gzip and compress-minimum-size say. */
typedef struct conf_compress {
    int gzip_level; /* of zlib, 1 to 9; 0: off */
    size_t least_bytes;
} conf_compress_t;

/** One `access-log` in force. */
typedef struct conf_h2o_log {
    const struct conf_h2o_log *before; /* of the same level, then of outer ones */
    struct conf_h2o_log *next;         /* of the configuration                  */
    h2o_logconf_t *format;
    weir_access_log_t *log; /* NULL: checked only */
} conf_h2o_log_t;

/** What weir.trace says. */
typedef struct conf_trace_level {
    bool is_on;
    uint64_t share; /* of new traces that are sampled, of WEIR_TRACE_SHARE_ALL */
} conf_trace_level_t;

/** The values in force inside one level of the file: outside, global, host, path, extension. */
typedef struct conf_level {
    conf_value_t values[CONF_DIRECTIVES];
    const conf_change_t *changes;   /* the last one */
    const conf_h2o_log_t *h2o_logs; /* the last one */
    weir_files_options_t files;
    const conf_custom_t *customs;  /* the last one                                   */
    weir_files_scripts_t *scripts; /* of a path with file.dir or file.file and them */
    conf_compress_t compress;
    conf_trace_level_t trace;
    bool takes_workers; /* it is a path of weir.workers, whose requests have no bodies */
    size_t router_at;   /* of a path: how many handlers stand before proxy.reverse.url or fastcgi.connect */
} conf_level_t;

/** A path of the file, in the order of loading. */
typedef struct conf_path {
    struct conf_path *next;
    const char *host, *path;
    const conf_level_t *level;
    weir_plan_t *plan;    /* NULL: libh2o's own handlers serve it */
    weir_plan_t *reverse; /* the same, of proxy.reverse.url       */
    bool is_fastcgi;      /* it is of fastcgi.connect             */
    size_t handlers;      /* how many of libh2o's                 */
    weir_module_t *module;
    const yoml_t *given; /* checked only: what the module was configured with, at the first path that has it */
    size_t extra_stages; /* how many of the plan's are not built in */
} conf_path_t;

/** Hosts, with a NULL behind the last. */
typedef struct conf_host_list {
    h2o_hostconf_t **at;
    size_t count, capacity;
} conf_host_list_t;

/** A host of the file. */
typedef struct conf_host {
    const struct conf_host *before;
    const h2o_hostconf_t *hostconf;
    const char *where; /* "file:line" */
} conf_host_t;

/** What is known of a listen beside what the server is told. */
typedef struct conf_listen_more {
    const char *ssl_text;   /* its settings of TLS; NULL: plain                                 */
    bool is_for_all;        /* a listen of the global level                  */
    conf_host_list_t hosts; /* else those that are reachable there; the listen borrows them */
} conf_listen_more_t;

/** The listens of the file, while hosts are still being added. */
typedef struct conf_listens {
    weir_listen_t *at;
    conf_listen_more_t *more; /* of each */
    size_t count, capacity;
} conf_listens_t;

/** What ssl-session-resumption says. */
typedef struct conf_resumption {
    bool is_off;
    uint32_t lifetime_s;     /* 0: the default            */
    const char *ticket_file; /* in the arena; NULL: ours  */
    const char *where;       /* "file:line"; NULL: nowhere */
} conf_resumption_t;

/** Where weir.metrics of the global level is. */
typedef struct conf_metrics_place {
    weir_listen_t listen;
    const struct weir_network *from;
    size_t from_count;
    const char *text; /* all of it, in one way of writing */
} conf_metrics_place_t;

/** A router that weir.router opened. */
typedef struct conf_module {
    struct conf_module *next;
    weir_module_t *module;
    const char *name, *where; /* "HOST PATH" of the first path that uses it; "file:line" */
} conf_module_t;

/** A stage that weir.stages loaded. */
typedef struct conf_stage {
    struct conf_stage *next;
    weir_stage_module_t *module;
} conf_stage_t;

/** YAML that was made here; a module may have been asked for by it. */
typedef struct conf_made {
    struct conf_made *next;
    yoml_t *node;
} conf_made_t;

/** A URL that libh2o will ask itself for. */
typedef struct conf_inner_url {
    struct conf_inner_url *next;
    const char *text, *where;
    const char *host; /* whose it is, as the file has it; NULL: the global level's */
} conf_inner_url_t;

/** A directive, and what stands in front of it (guard.h). */
typedef struct conf_guarded {
    struct conf_guarded *next;
    h2o_configurator_command_t *command;
    h2o_configurator_command_cb callback; /* what reads it                                */
    const struct conf_rule *rule;         /* NULL: nothing is known of its values before */
} conf_guarded_t;

/** A log that was opened for this configuration. */
typedef struct conf_log {
    struct conf_log *next;
    weir_access_log_t *log;
} conf_log_t;

typedef struct conf {
    h2o_globalconf_t globalconf;
    bool is_retired;                    /* globalconf has been disposed of */
    weir_server_settings_t settings;    /* what the server needs of it; see conf_settings_fill() */
    int error_fd;                       /* error-log, open for the one who serves; -1: none */
    const char *file;                   /* as it was named; for messages and as the place that relative paths start from */
    const char *state_files;            /* weir.state: the directory; NULL: none */
    const struct conf_etcd *state_etcd; /* likewise: a store; NULL: none. See state_store.h */
    uint32_t state_wait_ms;             /* likewise: until it is ready without   */
    bool has_workers;                   /* some path takes workers */
    unsigned workers_ways;              /* of proof, that its endpoints ask for: bits */
    uint32_t workers_header_ms;         /* for the head of a registration, at the short form's listener; 0: it is not there */
    bool hands_over_always;             /* for tests: what goes to them goes by way of another loop */
    bool has_status;                    /* some path answers with the status */
    bool is_dry;                        /* checked only: no log is opened */
    bool is_wrong;                      /* something was complained about, and what is behind it is still read */
    bool has_listen;                    /* there is one, be it right or wrong */
    weir_arena_t arena;
    conf_level_t levels[H2O_CONFIGURATOR_NUM_LEVELS + 1];
    conf_level_t *level;        /* the innermost one that has been entered */
    const conf_level_t *global; /* what the global level came to           */
    conf_listens_t listens;
    conf_host_list_t hosts; /* its array is the globalconf's, once there are any */
    const conf_host_t *hosts_last;
    conf_resumption_t resumption;
    weir_admin_place_t admin; /* path NULL: no admin endpoint */
    weir_metrics_settings_t metrics;
    conf_metrics_place_t metrics_place;    /* text NULL: none */
    weir_trace_receiver_t *trace_receiver; /* held; NULL: spans are exported to nobody */
    const char *dns_servers;               /* as weir_server_settings_t has them; NULL: the system's */
    conf_path_t *paths, **paths_end;
    conf_module_t *modules;
    conf_stage_t *stages;
    conf_node_map_t modules_by_node, stages_by_node; /* conf_module_t and weir_stage_module_t, by the node that asked */
    conf_made_t *made;
    struct conf_note *notes, **notes_end; /* h2o's directives, in the order of the file */
    conf_inner_url_t *inner_urls;
    const char *looked_at; /* the host that conf_h2o_look() is at, or NULL */
    conf_log_t *logs;
    conf_h2o_log_t *h2o_logs;
    conf_guarded_t *guarded;                    /* every directive */
    h2o_configurator_command_cb hosts_callback; /* libh2o's: what it does for these directives */
    weir_module_t *given;                       /* weir_serve(): the router of every path that names none */
    weir_head_limits_t head_limits;             /* the widest of all */
} conf_t;

/** What we call ourselves in Server unless the configuration says otherwise. */
extern const char conf_server_name[];

/** The configuration a globalconf belongs to. */
conf_t *conf_of(h2o_globalconf_t *globalconf);

/** Makes an empty configuration with libh2o's and our directives, ready to be applied. */
conf_t *conf_create(const char *file, bool is_dry);

/** Applies a document; takes it over. False after a complaint. */
bool conf_apply(conf_t *conf, yoml_t **document);

/** Both in one. NULL after a complaint. */
conf_t *conf_load(const char *file, bool is_dry);

/** Disposes of what libh2o has in its hands. Where the first loop runs; no context of libh2o may be left. */
void conf_retire(conf_t *conf);

/** Frees everything; nulls the pointer; harmless on NULL. No exchange and no context of libh2o may be left. Any thread. */
void conf_destroy(conf_t **conf);

/** `name` itself if it is absolute, else beside `file`; in the arena. */
const char *conf_path_beside(weir_arena_t *arena, const char *file, const char *name);

/** The same, beside the configuration file. */
const char *conf_beside(conf_t *conf, const char *name);

/**
 * The same, but `name` itself where only the directory weir is started in has such a file: h2o means that one. In the arena.
 */
const char *conf_beside_or_here(conf_t *conf, const char *name);

/** Has `log`, which was opened for this configuration, closed with it. */
void conf_log_remember(conf_t *conf, weir_access_log_t *log);

/** Fills conf->settings, and opens the access log of the global level. False after a complaint. */
bool conf_settings_fill(conf_t *conf);

/** The threads that will serve: num-threads, or one for each CPU the process may use. */
unsigned conf_threads(const conf_t *conf);

#endif
