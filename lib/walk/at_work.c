/* SPDX-License-Identifier: MIT */
/* Everything here may run in a signal handler, and on an exchange in any state: no allocation, no stdio, no lock. */
#include "lib/walk/at_work.h"

#include "lib/base/must.h"
#include "lib/walk/told.h"

weir_at_work_t weir_at_work(void)
{
    const unsigned at_bytes = atomic_load_explicit(&weir_desk.at_bytes, memory_order_relaxed);
    const weir_desk_call_t *call = weir_desk_call(&weir_desk, at_bytes);

    if (at_bytes == 0)
        return (weir_at_work_t){NULL, NULL, NULL, NULL};
    return (weir_at_work_t){
        .x = atomic_load_explicit(&call->x, memory_order_relaxed),
        .kind = atomic_load_explicit(&call->kind, memory_order_relaxed),
        .name = atomic_load_explicit(&call->name, memory_order_relaxed),
        .callback = atomic_load_explicit(&call->callback, memory_order_relaxed),
    };
}

static void put_stage(weir_told_t *line, const weir_exchange_t *x)
{
    const weir_stage_t *stage;

    if (x->walk.at >= x->plan->stage_count) {
        weir_told_text(line, ", behind the last stage");
        return;
    }
    stage = x->plan->stages[x->walk.at];
    weir_told_number(line, ", stage ", stage->number);
    weir_told_text(line, " ");
    weir_told_text(line, stage->name);
}

void weir_at_work_tell(int fd)
{
    const weir_at_work_t work = weir_at_work();
    weir_told_t line = {.length = 0};

    if (work.kind == NULL)
        return;
    weir_told_text(&line, "weir: at work: ");
    weir_told_text(&line, work.kind);
    weir_told_text(&line, " ");
    weir_told_text(&line, work.name);
    weir_told_text(&line, " in ");
    weir_told_text(&line, work.callback);
    if (work.x != NULL) {
        weir_told_text(&line, ", request ");
        weir_told_put(&line, work.x->request.id);
        put_stage(&line, work.x);
    }
    weir_told_end(&line, fd);
}

/* ---- all that is known ---- */

static void put_instant(weir_told_t *line, const weir_journal_t *journal, const char *name, uint64_t at_us)
{
    if (at_us == 0)
        return;
    weir_told_text(line, name);
    weir_told_number(line, " +", at_us - journal->start_at_us);
    weir_told_text(line, "us");
}

static void tell_journal(const weir_exchange_t *x, int fd)
{
    const weir_journal_t *journal = &x->journal;
    weir_told_t line = {.length = 0};

    weir_told_text(&line, "weir:   journal:");
    put_instant(&line, journal, " connect", journal->connect_start_at_us);
    put_instant(&line, journal, " connected", journal->connected_at_us);
    put_instant(&line, journal, " relay", journal->relay_at_us);
    put_instant(&line, journal, " head_sent", journal->head_sent_at_us);
    put_instant(&line, journal, " request_sent", journal->request_sent_at_us);
    put_instant(&line, journal, " first_byte", journal->first_byte_at_us);
    put_instant(&line, journal, " last_byte", journal->last_byte_at_us);
    put_instant(&line, journal, " end", journal->end_at_us);
    weir_told_number(&line, " connects ", journal->connects);
    weir_told_number(&line, " picks ", journal->picks);
    weir_told_number(&line, " checkins ", journal->checkins);
    weir_told_number(&line, " status ", journal->status);
    weir_told_number(&line, " to_backend ", journal->backend_sent_bytes);
    weir_told_number(&line, " from_backend ", journal->backend_received_bytes);
    weir_told_number(&line, " to_client ", journal->client_sent_bytes);
    weir_told_number(&line, " from_client ", journal->client_received_bytes);
    weir_told_end(&line, fd);
}

static void tell_walk(const weir_exchange_t *x, int fd)
{
    const weir_walk_t *walk = &x->walk;
    weir_told_t line = {.length = 0};

    weir_told_text(&line, "weir:   walk: entered");
    for (size_t i = 0; i < walk->depth; i++)
        weir_told_number(&line, " ", x->plan->stages[walk->entered[i]]->number);
    weir_told_number(&line, ", decision ", walk->decision);
    weir_told_text(&line, walk->is_running ? ", running" : "");
    weir_told_text(&line, walk->is_waiting ? ", waiting" : "");
    weir_told_text(&line, walk->is_posted ? ", posted" : "");
    weir_told_text(&line, x->front != NULL ? ", client is there" : ", no client");
    weir_told_text(&line, x->back != NULL ? ", backend is there" : ", no backend");
    weir_told_text(&line, x->question != NULL ? ", a question is open" : "");
    weir_told_text(&line, x->has_service ? ", a service is owed a check-in" : "");
    weir_told_text(&line, x->has_responded ? ", response begun" : "");
    weir_told_text(&line, x->fault != NULL ? ", fault " : "");
    weir_told_text(&line, x->fault != NULL ? x->fault->name : "");
    weir_told_end(&line, fd);
}

static void tell_plan(const weir_exchange_t *x, int fd)
{
    const weir_plan_t *plan = x->plan;
    weir_told_t line = {.length = 0};

    weir_told_text(&line, "weir:   plan: path ");
    weir_told_put(&line, plan->mount);
    weir_told_number(&line, ", stages ", plan->stage_count);
    weir_told_number(&line, ", timeouts: connect ", plan->connect_timeout_ms);
    weir_told_number(&line, " first_byte ", plan->first_byte_timeout_ms);
    weir_told_number(&line, " idle ", plan->idle_timeout_ms);
    weir_told_number(&line, " router ", plan->router_timeout_ms);
    weir_told_number(&line, " stage ", plan->stage_timeout_ms);
    weir_told_text(&line, "; request: ");
    weir_told_put(&line, x->request.method);
    weir_told_text(&line, " ");
    weir_told_put(&line, x->request.target);
    weir_told_text(&line, ", host ");
    weir_told_put(&line, x->request.host);
    weir_told_end(&line, fd);
}

void weir_at_work_tell_all(int fd)
{
    const weir_exchange_t *x = weir_at_work().x;

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
