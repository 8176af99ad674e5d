/* SPDX-License-Identifier: MIT */
/*
 *   signal ─► first thread: say ─► tell what is at work ─► save the logs ─► the handlers of before, and again
 *                 └─ a crash in one of these: on with the next          others: wait for the end
 */
#include "lib/base/crash.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/base/must.h"
#include "lib/base/thread.h"

enum { STACK_BYTES = 64 * 1024, OBJECTS_MOST = 64, PATH_BYTES = 256 };

static const struct {
    int number;
    const char *name;
} signals[] = {
    {SIGSEGV, "SIGSEGV"}, {SIGBUS, "SIGBUS"}, {SIGFPE, "SIGFPE"}, {SIGILL, "SIGILL"}, {SIGSYS, "SIGSYS"}, {SIGABRT, "SIGABRT"},
};
enum { SIGNALS = sizeof(signals) / sizeof(signals[0]) };

typedef struct code {
    uintptr_t start, end; /* 0: free */
    char path[PATH_BYTES];
} code_t;

static struct {
    bool is_on;
    struct sigaction before[SIGNALS];
    pthread_mutex_t lock; /* for those who write codes; the handler only looks */
    code_t codes[OBJECTS_MOST];
    /* In a crash: */
    _Atomic(const void *) thread;
    unsigned step;
} crash = {.lock = PTHREAD_MUTEX_INITIALIZER};

static __thread void *stack; /* NULL: none, or somebody else's */

/* ---- one line ---- */

typedef struct line {
    char text[512];
    size_t length;
} line_t;

static void put(line_t *line, const char *text)
{
    while (*text != '\0' && line->length < sizeof(line->text) - 1)
        line->text[line->length++] = *text++;
}

static void put_hex(line_t *line, uintptr_t number)
{
    char digits[2 * sizeof(number) + 1];
    size_t at = sizeof(digits) - 1;

    digits[at] = '\0';
    do {
        digits[--at] = "0123456789abcdef"[number & 15];
        number >>= 4;
    } while (number != 0);
    put(line, "0x");
    put(line, digits + at);
}

/* Where it happened; 0: not known for this machine. */
static uintptr_t program_counter(const void *context)
{
    const ucontext_t *machine = context;

#if defined(__x86_64__)
    return (uintptr_t)machine->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return (uintptr_t)machine->uc_mcontext.pc;
#else
    return machine == NULL ? 0 : 0;
#endif
}

static void put_place(line_t *line, uintptr_t at)
{
    put(line, ", at ");
    put_hex(line, at);
    for (size_t i = 0; i < OBJECTS_MOST; i++) {
        const code_t *code = &crash.codes[i];

        if (at < code->start || at >= code->end)
            continue;
        put(line, ", in ");
        put(line, code->path);
        put(line, "+");
        put_hex(line, at - code->start);
    }
}

/* ---- the steps ---- */

static void say(const siginfo_t *info, const void *context)
{
    line_t line = {.length = 0};

    line.length = weir_log_put_time(line.text);
    put(&line, "weir: crash: ");
    for (size_t i = 0; i < SIGNALS; i++) {
        if (signals[i].number == info->si_signo)
            put(&line, signals[i].name);
    }
    if (info->si_code > 0) { /* the machine's, not sent by anybody */
        put(&line, " for address ");
        put_hex(&line, (uintptr_t)info->si_addr);
    }
    put_place(&line, program_counter(context));
    line.text[line.length++] = '\n';
    if (write(STDERR_FILENO, line.text, line.length) < 0)
        line.length = 0; /* nobody is there to be told */
}

static void tell(const siginfo_t *info, const void *context)
{
    weir_must_tell(STDERR_FILENO);
}

static void save(const siginfo_t *info, const void *context)
{
    weir_access_log_save();
}

static void put_back(void)
{
    for (size_t i = 0; i < SIGNALS; i++)
        sigaction(signals[i].number, &crash.before[i], NULL);
}

static void on_crash(int number, siginfo_t *info, void *context)
{
    static void (*const steps[])(const siginfo_t *, const void *) = {say, tell, save};
    const void *first = NULL;

    if (!atomic_compare_exchange_strong(&crash.thread, &first, weir_thread()) && first != weir_thread()) {
        while (true)
            pause();
    }
    while (crash.step < sizeof(steps) / sizeof(steps[0]))
        steps[crash.step++](info, context);
    put_back();
    if (info->si_code <= 0)
        raise(number); /* else the instruction runs again, and so does the signal */
}

/* ---- set up ---- */

void weir_crash_begin(void)
{
    struct sigaction action = {.sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};

    if (crash.is_on)
        return;
    crash.is_on = true;
    weir_crash_thread_begin();
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < SIGNALS; i++)
        WEIR_MUST(sigaction(signals[i].number, &action, &crash.before[i]) == 0);
}

void weir_crash_end(void)
{
    if (!crash.is_on)
        return;
    put_back();
    weir_crash_thread_end();
    crash.is_on = false;
}

void weir_crash_thread_begin(void)
{
    sigset_t ours;
    stack_t now;

    if (!crash.is_on)
        return;
    sigemptyset(&ours);
    for (size_t i = 0; i < SIGNALS; i++)
        sigaddset(&ours, signals[i].number);
    pthread_sigmask(SIG_UNBLOCK, &ours, NULL);
    if (stack != NULL || sigaltstack(NULL, &now) != 0 || (now.ss_flags & SS_DISABLE) == 0)
        return; /* a sanitizer's does as well */
    stack = malloc(STACK_BYTES);
    WEIR_MUST(stack != NULL);
    now = (stack_t){.ss_sp = stack, .ss_size = STACK_BYTES};
    WEIR_MUST(sigaltstack(&now, NULL) == 0);
}

void weir_crash_thread_end(void)
{
    const stack_t none = {.ss_flags = SS_DISABLE};

    if (stack == NULL)
        return;
    sigaltstack(&none, NULL);
    free(stack);
    stack = NULL;
}

/* ---- whose code ---- */

void weir_crash_know_code(uintptr_t start, uintptr_t end, const char *path)
{
    pthread_mutex_lock(&crash.lock);
    for (size_t i = 0; i < OBJECTS_MOST; i++) {
        code_t *code = &crash.codes[i];

        if (code->start != 0)
            continue;
        strncpy(code->path, path, sizeof(code->path) - 1);
        code->end = end;
        code->start = start;
        break;
    }
    pthread_mutex_unlock(&crash.lock);
}

void weir_crash_forget_code(uintptr_t start)
{
    pthread_mutex_lock(&crash.lock);
    for (size_t i = 0; i < OBJECTS_MOST; i++) {
        if (crash.codes[i].start == start)
            crash.codes[i].start = crash.codes[i].end = 0;
    }
    pthread_mutex_unlock(&crash.lock);
}
