/* SPDX-License-Identifier: MIT */
/*
 * A stage for tests; compiled with -DNUMBER=25 -DLOG="file" and perhaps -DCANCEL. It writes down that it was entered (+25),
 * cancelled (!25) and left (-25 and the reason), each behind the request's path, and does what the header X-Do-25 says:
 *
 *   (nothing)  next            header   puts X-Stage-25 on the request, next        done      done
 *   reply      answers         late     the same, from a thread, 20 ms later        refuse    refuses with stage_fault
 *   pass       next, from a thread      bad      answers with a status that is none
 *   wait       waits until it is cancelled, or for a second                  back      once: again from stage 50
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weir.h>

#define TEXT_(value) #value
#define TEXT(value) TEXT_(value)

typedef weir_verdict_t act_t(weir_exchange_t *x);

typedef struct memory {
    weir_exchange_t *x;
    act_t *act;
    pthread_t thread;
    int pipe[2]; /* wakes the thread before its time */
    bool has_thread, has_gone_back;
} memory_t;

static const weir_fault_t stage_fault = {"stage_fault", 403, WEIR_BLAME_CLIENT, "The stage says no."};

static void say(const weir_exchange_t *x, const char *what)
{
    weir_span_t path = weir_request_path(weir_exchange_request(x));
    int log = open(LOG, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    char line[200];
    int length = snprintf(line, sizeof(line), "%.*s %s\n", (int)path.len, path.base, what);

    if (log < 0 || write(log, line, (size_t)length) < 0)
        abort();
    close(log);
}

static weir_verdict_t reply(weir_exchange_t *x)
{
    weir_reply_header(x, WEIR_SPAN("X-Reply"), WEIR_SPAN(TEXT(NUMBER)));
    weir_reply_header(x, WEIR_SPAN("Content-Length"), WEIR_SPAN("1"));
    return weir_reply(x, 202, WEIR_SPAN("from a stage\n"));
}

static weir_verdict_t back(weir_exchange_t *x, memory_t *memory)
{
    if (memory->has_gone_back)
        return weir_next(x);
    memory->has_gone_back = true;
    return weir_back(x, 50);
}

static void run(weir_exchange_t *x, void *arg)
{
    (void)((memory_t *)arg)->act(x);
}

static void *wait_and_post(void *arg)
{
    memory_t *memory = arg;
    struct timeval time = {memory->act == weir_done ? 1 : 0, 20000};
    fd_set set;

    FD_ZERO(&set);
    FD_SET(memory->pipe[0], &set);
    if (select(memory->pipe[0] + 1, &set, NULL, NULL, &time) == 0)
        weir_exchange_post(memory->x, run, memory);
    return NULL;
}

static weir_verdict_t later(weir_exchange_t *x, memory_t *memory, act_t *act)
{
    memory->x = x;
    memory->act = act;
    memory->has_thread = true;
    if (pipe(memory->pipe) != 0 || pthread_create(&memory->thread, NULL, wait_and_post, memory) != 0)
        abort();
    return weir_wait(x);
}

static weir_verdict_t enter(weir_exchange_t *x, void *memory)
{
    weir_span_t told = weir_request_header(weir_exchange_request(x), WEIR_SPAN("X-Do-" TEXT(NUMBER)));
    char word[16];

    snprintf(word, sizeof(word), "%.*s", (int)told.len, told.len == 0 ? "" : told.base);
    say(x, "+" TEXT(NUMBER));
    if (strcmp(word, "header") == 0)
        weir_request_header_put(x, WEIR_SPAN("X-Stage-" TEXT(NUMBER)), WEIR_SPAN("yes"));
    if (strcmp(word, "done") == 0)
        return weir_done(x);
    if (strcmp(word, "reply") == 0)
        return reply(x);
    if (strcmp(word, "bad") == 0)
        return weir_reply(x, 99, WEIR_SPAN(""));
    if (strcmp(word, "refuse") == 0)
        return weir_refuse(x, &stage_fault);
    if (strcmp(word, "late") == 0)
        return later(x, memory, reply);
    if (strcmp(word, "pass") == 0)
        return later(x, memory, weir_next);
    if (strcmp(word, "back") == 0)
        return back(x, memory);
    if (strcmp(word, "wait") == 0)
        return later(x, memory, weir_done);
    return weir_next(x);
}

static void stop(memory_t *memory)
{
    if (!memory->has_thread)
        return;
    memory->has_thread = false;
    if (write(memory->pipe[1], "", 1) != 1)
        abort();
    pthread_join(memory->thread, NULL);
    close(memory->pipe[0]);
    close(memory->pipe[1]);
}

#ifdef CANCEL
static void cancel(weir_exchange_t *x, void *memory)
{
    say(x, "!" TEXT(NUMBER));
    stop(memory);
}
#endif

static void leave(weir_exchange_t *x, void *memory)
{
    const weir_fault_t *fault = weir_exchange_fault(x);
    char text[64];

    stop(memory);
    snprintf(text, sizeof(text), "-" TEXT(NUMBER) "%s%s", fault == NULL ? "" : " ", fault == NULL ? "" : fault->name);
    say(x, text);
}

const int weir_stage_abi = WEIR_STAGE_ABI;

const weir_stage_t weir_stage = {WEIR_STAGE("stage_" TEXT(NUMBER), NUMBER), .memory_size = sizeof(memory_t), .enter = enter,
#ifdef CANCEL
                                 .cancel = cancel,
#endif
                                 .leave = leave};
