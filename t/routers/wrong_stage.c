/* SPDX-License-Identifier: MIT */
/*
 * A stage that makes the mistake which the request's path names, after the first slash: /nothing, /twice, … Compiled with
 * -DCANCEL it has a cancel. Any other path goes on.
 */
#include <pthread.h>
#include <stdlib.h>

#include <weir.h>

typedef weir_verdict_t act_t(weir_exchange_t *x);

static const char *volatile nowhere;

typedef struct memory {
    pthread_t thread;
    bool has_thread;
} memory_t;

static weir_verdict_t nothing(weir_exchange_t *x)
{
    return (weir_verdict_t){0};
}

static weir_verdict_t twice(weir_exchange_t *x)
{
    (void)weir_next(x);
    return weir_done(x);
}

static weir_verdict_t reply_and_next(weir_exchange_t *x)
{
    (void)weir_reply(x, 203, WEIR_SPAN("mine\n"));
    return weir_next(x);
}

static weir_verdict_t unentered(weir_exchange_t *x)
{
    return weir_back(x, WEIR_STAGE_CHECKOUT);
}

static weir_verdict_t itself(weir_exchange_t *x)
{
    return weir_back(x, 25);
}

static weir_verdict_t no_fault(weir_exchange_t *x)
{
    return weir_refuse(x, NULL);
}

static weir_verdict_t nameless(weir_exchange_t *x)
{
    static const weir_fault_t fault = {NULL, 403, WEIR_BLAME_CLIENT, "For no reason."};

    return weir_refuse(x, &fault);
}

static weir_verdict_t strange_status(weir_exchange_t *x)
{
    static const weir_fault_t fault = {"strange_status", 42, WEIR_BLAME_CLIENT, NULL};

    return weir_refuse(x, &fault);
}

static weir_verdict_t tell(weir_exchange_t *x)
{
    static const weir_fault_t fault = {"token_missing", 401, WEIR_BLAME_CLIENT, NULL};

    weir_reply_header(x, WEIR_SPAN("WWW-Authenticate"), WEIR_SPAN("Bearer"));
    weir_reply_header(x, WEIR_SPAN("Transfer-Encoding"), WEIR_SPAN("chunked"));
    weir_reply_header(x, WEIR_SPAN("X-Split"), WEIR_SPAN("a\r\nb"));
    return weir_refuse(x, &fault);
}

static void *speak(void *x)
{
    (void)weir_next(x);
    return NULL;
}

static weir_verdict_t elsewhere(weir_exchange_t *x)
{
    memory_t *memory = weir_stage_memory(x);

    memory->has_thread = pthread_create(&memory->thread, NULL, speak, x) == 0;
    return weir_wait(x);
}

/* From a thread, while the stage is still in enter and speaks itself. */
static weir_verdict_t both(weir_exchange_t *x)
{
    memory_t *memory = weir_stage_memory(x);

    memory->has_thread = pthread_create(&memory->thread, NULL, speak, x) == 0;
    pthread_join(memory->thread, NULL);
    memory->has_thread = false;
    return weir_wait(x);
}

static weir_verdict_t forever(weir_exchange_t *x)
{
    return weir_wait(x);
}

static weir_verdict_t crash(weir_exchange_t *x)
{
    *(volatile char *)(uintptr_t)nowhere = 1;
    return weir_next(x);
}

static const struct {
    const char *path;
    act_t *act;
} acts[] = {
    {"/nothing", nothing},
    {"/twice", twice},
    {"/reply-and-next", reply_and_next},
    {"/unentered", unentered},
    {"/itself", itself},
    {"/no-fault", no_fault},
    {"/nameless", nameless},
    {"/strange-status", strange_status},
    {"/crash", crash},
    {"/elsewhere", elsewhere},
    {"/both", both},
    {"/forever", forever},
    {"/tell", tell},
};

static weir_verdict_t enter(weir_exchange_t *x, void *memory)
{
    for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
        if (weir_span_is(weir_request_path(weir_exchange_request(x)), acts[i].path))
            return acts[i].act(x);
    }
    return weir_next(x);
}

static void leave(weir_exchange_t *x, void *memory)
{
    memory_t *own = memory;

    if (own->has_thread)
        pthread_join(own->thread, NULL);
}

#ifdef CANCEL
static void cancel(weir_exchange_t *x, void *memory)
{
}
#endif

const int weir_stage_abi = WEIR_STAGE_ABI;

const weir_stage_t weir_stage = {WEIR_STAGE("wrong", 25), .memory_size = sizeof(memory_t), .enter = enter,
#ifdef CANCEL
                                 .cancel = cancel,
#endif
                                 .leave = leave};
