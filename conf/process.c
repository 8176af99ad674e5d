/* SPDX-License-Identifier: MIT */
#include "conf/process.h"

#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/complain.h"
#include "conf/metrics_endpoint.h"
#include "lib/base/metrics.h"
#include "lib/base/must.h"

enum { OK = 200, CONFLICT = 409, UNPROCESSABLE = 422, SERVER_ERROR = 500, UNAVAILABLE = 503, WORDS_BYTES = 8192 };

/* Somebody who waits for an end. */
typedef struct asked {
    struct asked *next;
    weir_admin_held_t *held;
    bool is_upgrade;
    bool is_begun; /* what began last is for him, too */
} asked_t;

static struct {
    pthread_mutex_t lock;
    asked_t *asked;
    const char *file;
    bool is_over;
} process = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- who waits ---- */

void conf_process_begin(const char *file)
{
    pthread_mutex_lock(&process.lock);
    process.file = file;
    process.is_over = false;
    pthread_mutex_unlock(&process.lock);
}

void conf_process_begins(void)
{
    pthread_mutex_lock(&process.lock);
    for (asked_t *asked = process.asked; asked != NULL; asked = asked->next)
        asked->is_begun = true;
    pthread_mutex_unlock(&process.lock);
}

void conf_process_loads(void)
{
    conf_complain_copy();
}

/* Those that have waited for it, taken out; `all`: whether it has begun or not. */
static asked_t *take(bool is_upgrade, bool all)
{
    asked_t *taken = NULL;

    pthread_mutex_lock(&process.lock);
    process.is_over = process.is_over || all;
    for (asked_t **at = &process.asked; *at != NULL;) {
        asked_t *asked = *at;
        if (!all && (asked->is_upgrade != is_upgrade || !asked->is_begun)) {
            at = &asked->next;
            continue;
        }
        *at = asked->next;
        asked->next = taken;
        taken = asked;
    }
    pthread_mutex_unlock(&process.lock);
    return taken;
}

static void answer_all(asked_t *taken, json_t *document, uint16_t status, const char *type, const char *detail)
{
    char *text = document == NULL ? NULL : json_dumps(document, JSON_COMPACT);

    for (asked_t *next; taken != NULL; taken = next) {
        next = taken->next;
        if (text != NULL)
            weir_admin_held_answer(&taken->held, OK, text, strlen(text));
        else
            weir_admin_held_problem(&taken->held, status, type, detail);
        free(taken);
    }
    free(text);
    json_decref(document);
}

void conf_process_reloaded(bool is_taken)
{
    asked_t *taken = take(false, false);
    char said[WORDS_BYTES];

    if (taken == NULL)
        return;
    conf_complain_copied(said, sizeof(said));
    said[strlen(said) - (said[0] != '\0')] = '\0'; /* the end of its last line */
    if (!is_taken) {
        answer_all(taken, NULL, UNPROCESSABLE, "configuration",
                   said[0] != '\0' ? said : "nothing has changed; the log says why");
        return;
    }
    json_t *document = json_pack("{s:s, s:I, s:s*}", "file", process.file, "generation",
                                 (json_int_t)weir_metrics_config().generation, "said", said[0] != '\0' ? said : NULL);
    answer_all(taken, document, SERVER_ERROR, "internal", "what was said is no text");
}

void conf_process_upgraded(pid_t successor)
{
    asked_t *taken = take(true, false);

    if (taken == NULL)
        return;
    answer_all(taken, successor == 0 ? NULL : json_pack("{s:i}", "pid", (int)successor), UNPROCESSABLE, "upgrade",
               "the successor does not serve, and nothing has changed; the log says why");
}

void conf_process_drains(void)
{
    answer_all(take(false, true), NULL, UNAVAILABLE, "draining", "the proxy drains");
}

/* ---- who asks ---- */

/* NULL: it may be asked for. */
static const char *refusal(const char **out_type)
{
    *out_type = "no-file";
    if (process.file == NULL)
        return "there is no configuration file that could be read again";
    *out_type = "draining";
    return process.is_over || !conf_is_ready() ? "the proxy starts, or drains" : NULL;
}

static void ask(weir_admin_call_t *call, bool is_upgrade)
{
    asked_t *asked = calloc(1, sizeof(*asked));
    const char *type, *why;

    WEIR_MUST(asked != NULL);
    pthread_mutex_lock(&process.lock);
    why = refusal(&type);
    if (why == NULL) {
        *asked = (asked_t){.next = process.asked, .held = weir_admin_hold(call), .is_upgrade = is_upgrade};
        process.asked = asked;
    }
    pthread_mutex_unlock(&process.lock);
    if (why != NULL) {
        free(asked);
        weir_admin_problem(call, CONFLICT, type, NULL, "%s", why);
        return;
    }
    kill(getpid(), is_upgrade ? SIGUSR2 : SIGHUP); /* to ourselves: one way for all of them */
}

void conf_reload_answer(weir_admin_call_t *call)
{
    ask(call, false);
}

void conf_upgrade_answer(weir_admin_call_t *call)
{
    ask(call, true);
}
