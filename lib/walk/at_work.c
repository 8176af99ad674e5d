/* SPDX-License-Identifier: MIT */
/* Everything here may run in a signal handler, and on an exchange in any state: no allocation, no stdio, no lock. */
#include "lib/walk/at_work.h"

#include <string.h>
#include <unistd.h>

#include "lib/base/must.h"
#include "lib/base/span.h"

__thread weir_at_work_t weir_at_work;

/* A line that is cut where it does not fit. */
typedef struct line {
    char text[512];
    size_t length;
} line_t;

static void put(line_t *line, weir_span_t bytes)
{
    const size_t room = sizeof(line->text) - 1 - line->length; /* 1: the newline */
    const size_t count = bytes.len < room ? bytes.len : room;

    for (size_t i = 0; i < count; i++) { /* what clients and routers have named things may be anything */
        const char c = bytes.base[i];
        line->text[line->length++] = c >= ' ' && c < 0x7f ? c : '?';
    }
}

static void put_text(line_t *line, const char *text)
{
    if (text != NULL)
        put(line, (weir_span_t){text, strlen(text)});
}

static void put_number(line_t *line, const char *name, uint64_t number)
{
    char digits[20];

    put_text(line, name);
    put(line, weir_span_of_u64(number, digits));
}

static void end(line_t *line, int fd)
{
    line->text[line->length++] = '\n';
    if (write(fd, line->text, line->length) < 0)
        line->length = 0; /* nobody is there to be told */
}

static void put_stage(line_t *line, const weir_exchange_t *x)
{
    const weir_stage_t *stage;

    if (x->walk.at >= x->plan->stage_count) {
        put_text(line, ", behind the last stage");
        return;
    }
    stage = x->plan->stages[x->walk.at];
    put_number(line, ", stage ", stage->number);
    put_text(line, " ");
    put_text(line, stage->name);
}

void weir_at_work_tell(int fd)
{
    const weir_at_work_t *work = &weir_at_work;
    line_t line = {.length = 0};

    if (work->kind == NULL)
        return;
    put_text(&line, "weir: at work: ");
    put_text(&line, work->kind);
    put_text(&line, " ");
    put_text(&line, work->name);
    put_text(&line, " in ");
    put_text(&line, work->callback);
    if (work->x != NULL) {
        put_text(&line, ", request ");
        put(&line, work->x->request.id);
        put_stage(&line, work->x);
    }
    end(&line, fd);
}

/* ---- all that is known ---- */

static void put_instant(line_t *line, const weir_journal_t *journal, const char *name, uint64_t at_us)
{
    if (at_us == 0)
        return;
    put_text(line, name);
    put_number(line, " +", at_us - journal->start_at_us);
    put_text(line, "us");
}

static void tell_journal(const weir_exchange_t *x, int fd)
{
    const weir_journal_t *journal = &x->journal;
    line_t line = {.length = 0};

    put_text(&line, "weir:   journal:");
    put_instant(&line, journal, " connect", journal->connect_start_at_us);
    put_instant(&line, journal, " connected", journal->connected_at_us);
    put_instant(&line, journal, " relay", journal->relay_at_us);
    put_instant(&line, journal, " head_sent", journal->head_sent_at_us);
    put_instant(&line, journal, " request_sent", journal->request_sent_at_us);
    put_instant(&line, journal, " first_byte", journal->first_byte_at_us);
    put_instant(&line, journal, " last_byte", journal->last_byte_at_us);
    put_instant(&line, journal, " end", journal->end_at_us);
    put_number(&line, " connects ", journal->connects);
    put_number(&line, " picks ", journal->picks);
    put_number(&line, " checkins ", journal->checkins);
    put_number(&line, " status ", journal->status);
    put_number(&line, " to_backend ", journal->backend_sent_bytes);
    put_number(&line, " from_backend ", journal->backend_received_bytes);
    put_number(&line, " to_client ", journal->client_sent_bytes);
    put_number(&line, " from_client ", journal->client_received_bytes);
    end(&line, fd);
}

static void tell_walk(const weir_exchange_t *x, int fd)
{
    const weir_walk_t *walk = &x->walk;
    line_t line = {.length = 0};

    put_text(&line, "weir:   walk: entered");
    for (size_t i = 0; i < walk->depth; i++)
        put_number(&line, " ", x->plan->stages[walk->entered[i]]->number);
    put_number(&line, ", decision ", walk->decision);
    put_text(&line, walk->is_running ? ", running" : "");
    put_text(&line, walk->is_waiting ? ", waiting" : "");
    put_text(&line, walk->is_posted ? ", posted" : "");
    put_text(&line, x->front != NULL ? ", client is there" : ", no client");
    put_text(&line, x->back != NULL ? ", backend is there" : ", no backend");
    put_text(&line, x->question != NULL ? ", a question is open" : "");
    put_text(&line, x->has_service ? ", a service is owed a check-in" : "");
    put_text(&line, x->has_responded ? ", response begun" : "");
    put_text(&line, x->fault != NULL ? ", fault " : "");
    put_text(&line, x->fault != NULL ? x->fault->name : "");
    end(&line, fd);
}

static void tell_plan(const weir_exchange_t *x, int fd)
{
    const weir_plan_t *plan = x->plan;
    line_t line = {.length = 0};

    put_text(&line, "weir:   plan: path ");
    put(&line, plan->mount);
    put_number(&line, ", stages ", plan->stage_count);
    put_number(&line, ", timeouts: connect ", plan->connect_timeout_ms);
    put_number(&line, " first_byte ", plan->first_byte_timeout_ms);
    put_number(&line, " idle ", plan->idle_timeout_ms);
    put_number(&line, " router ", plan->router_timeout_ms);
    put_number(&line, " stage ", plan->stage_timeout_ms);
    put_text(&line, "; request: ");
    put(&line, x->request.method);
    put_text(&line, " ");
    put(&line, x->request.target);
    put_text(&line, ", host ");
    put(&line, x->request.host);
    end(&line, fd);
}

void weir_at_work_tell_all(int fd)
{
    const weir_exchange_t *x = weir_at_work.x;

    weir_at_work_tell(fd);
    if (x == NULL)
        return;
    tell_journal(x, fd);
    tell_walk(x, fd);
    tell_plan(x, fd);
}

__attribute__((constructor)) static void tell_with_must(void)
{
    weir_must_tell_with(weir_at_work_tell_all);
}
