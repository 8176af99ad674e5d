/* SPDX-License-Identifier: MIT */
/*
 * The walk under every order of events: input bytes choose how a router answers (now, late, twice, never until the end,
 * not at all), when the client leaves, how connects and relays end. The invariants of docs/architecture.md 2.4 are the oracle;
 * most of them stand in the fake world and in the pipeline, the rest in check_ends().
 *
 * The first bytes set each request up (see set_up()), every other byte is one event (see happen()).
 */
#include "fake_wire.h"
#include "handlers/stages.h"

enum { SLOTS = 2, ROUNDS_MAX = 400, DEPTH_MAX = 64 };

/* One request and its router. */
typedef struct slot {
    weir_shared_t script;
    weir_plan_t plan;
    weir_front_t front;
    weir_exchange_t *x;
    void *answered; /* a question that has been answered */
    bool stage_waits, is_started, is_over;
    uint8_t entered[DEPTH_MAX];
    size_t depth;
} slot_t;

static weir_loop_t loop;
static slot_t slots[SLOTS];

/* ---- two stages of the user's: one that can be cancelled, one that cannot ---- */

static slot_t *slot_of(const weir_exchange_t *x)
{
    return WEIR_AROUND(x->plan, slot_t, plan);
}

static weir_verdict_t enter(weir_exchange_t *x, void *memory)
{
    slot_t *slot = slot_of(x);

    WEIR_MUST(slot->depth < DEPTH_MAX);
    slot->entered[slot->depth++] = x->plan->stages[x->walk.at]->number;
    if (!slot->stage_waits)
        return weir_next(x);
    return weir_wait(x);
}

static void cancel(weir_exchange_t *x, void *memory)
{
    WEIR_MUST(x->is_client_gone && x->walk.is_waiting);
}

static void left(weir_exchange_t *x, uint8_t number)
{
    slot_t *slot = slot_of(x);

    WEIR_MUST(slot->depth > 0 && slot->entered[--slot->depth] == number); /* invariant 6 */
}

static void leave_45(weir_exchange_t *x, void *memory)
{
    left(x, 45);
}

static void leave_55(weir_exchange_t *x, void *memory)
{
    left(x, 55);
}

/* 00 is left last: from then on the exchange is nobody's to touch. */
static void leave_begin(weir_exchange_t *x, void *memory)
{
    WEIR_MUST(!slot_of(x)->is_over && slot_of(x)->depth == 0);
    slot_of(x)->is_over = true;
}

static weir_stage_t begin;
static const weir_stage_t stage_45 = {.number = 45, .name = "45", .memory_size = 1, .enter = enter, .leave = leave_45};
static const weir_stage_t stage_55 = {
    .number = 55, .name = "55", .memory_size = 1, .enter = enter, .cancel = cancel, .leave = leave_55};
static const weir_stage_t *const extra[] = {&stage_45, &stage_55};
static const weir_stage_t *stages[WEIR_STAGES_MAX + 1];

/* ---- input ---- */

static const uint8_t *input, *input_end;

static uint8_t next_byte(void)
{
    return input == input_end ? 0 : *input++;
}

static const weir_fault_t *some_fault(uint8_t dice)
{
    static const weir_fault_t *const faults[] = {&fake_fault,
                                                 &weir_fault_backend_refused,
                                                 &weir_fault_backend_closed,
                                                 &weir_fault_backend_timeout,
                                                 &weir_fault_client_closed,
                                                 &weir_fault_router_timeout,
                                                 &weir_fault_backend_reset,
                                                 NULL};

    return faults[dice % (sizeof(faults) / sizeof(faults[0]))];
}

static const char *some_request(uint8_t dice)
{
    static const char *const requests[] = {
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: b\r\n\r\n",
        "PUT / HTTP/1.0\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nExpect: c\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
    };

    return requests[dice % (sizeof(requests) / sizeof(requests[0]))];
}

static void set_up(slot_t *slot)
{
    uint8_t flags = next_byte(), more = next_byte();

    memset(&slot->script, 0, sizeof(slot->script));
    slot->plan = fake_plan(&fake_router, &slot->script, NULL);
    fake_stages(&slot->plan, extra, 2);
    memcpy(stages, slot->plan.stages, sizeof(stages));
    begin = *stages[0];
    begin.leave = leave_begin;
    stages[0] = &begin;
    slot->plan.stages = stages;
    slot->answered = NULL;
    slot->depth = 0;
    slot->is_started = true;
    slot->is_over = false;
    slot->stage_waits = flags & 1;
    slot->script.has_deep_continue = flags & 2;
    slot->script.has_no_service = flags & 4;
    slot->script.keepalive = flags & 8 ? WEIR_REUSE : WEIR_CLOSE;
    slot->script.redirect = (flags & 0x30) == 0x30 ? "b.example" : NULL;
    slot->script.init_status = more >> 5 == 7 ? 200 : more >> 5 == 6 ? 99 : 0;
    slot->script.services_max = 1 + (flags >> 6);
    slot->script.times_again = more % 3;
    slot->script.again_ms = more % 16;
    for (size_t kind = 0; kind < FAKE_KINDS; kind++) {
        uint8_t dice = next_byte();
        slot->script.how[kind] = kind == FAKE_CHECKIN && dice % 4 == FAKE_FORGET ? FAKE_NOW : (fake_how_t)(dice % 4);
        slot->script.refuses[kind] = dice >> 5 == 7;
        slot->script.fault[kind] = some_fault(dice >> 2);
    }
    slot->x = fake_exchange(&loop, &slot->plan, &slot->front, some_request(more));
    slot->front.holds_delivery = more & 8;
    slot->front.is_body_touched = more & 16;
    weir_exchange_start(slot->x);
}

/* ---- events ---- */

static bool is_alive(const slot_t *slot)
{
    return slot->is_started && !slot->is_over;
}

static void answer(slot_t *slot)
{
    void *question = slot->script.question;

    if (fake_answer(&slot->script))
        slot->answered = question;
}

/* The second answer to a question: ignored, whatever it is. */
static void answer_again(slot_t *slot)
{
    if (slot->answered == NULL)
        return;
    weir_checkin_done(slot->answered);
    slot->answered = NULL;
}

static void run_next(weir_exchange_t *x, void *arg)
{
    (void)weir_next(x);
}

static void run_reply(weir_exchange_t *x, void *arg)
{
    weir_reply_header(x, WEIR_SPAN("X-Late"), WEIR_SPAN("yes"));
    (void)weir_reply(x, 200, WEIR_SPAN("late"));
}

static void speak_for_stage(slot_t *slot, uint8_t dice)
{
    weir_exchange_t *x = slot->x;
    uint8_t number = x->walk.at < x->plan->stage_count ? x->plan->stages[x->walk.at]->number : 0;

    if ((number != 45 && number != 55) || !x->walk.is_waiting || x->walk.is_replying || x->walk.decision != WEIR_UNDECIDED)
        return;
    if (dice % 8 == 0)
        weir_refuse(x, &fake_fault);
    else if (dice % 8 == 1)
        weir_done(x);
    else if (dice % 8 == 2)
        weir_back(x, number == 55 ? 50 : 45);
    else if (dice % 8 == 4)
        weir_reply(x, 203, WEIR_SPAN("stage"));
    else if (dice % 8 == 5)
        weir_exchange_post(x, run_next, NULL);
    else if (dice % 8 == 6)
        weir_exchange_post(x, run_reply, NULL);
    else
        weir_next(x);
    slot->stage_waits = dice & 8;
}

static void respond(slot_t *slot, uint8_t dice)
{
    static const char *const heads[] = {
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: b\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        "HTTP/1.1 102 Processing\r\n\r\n",
    };

    if (!slot->x->has_responded)
        (void)fake_respond(slot->x, heads[dice % (sizeof(heads) / sizeof(heads[0]))]);
}

static void happen(uint8_t event)
{
    slot_t *slot = &slots[event >> 7];
    uint8_t dice = event >> 4 & 7;

    switch (event & 15) {
    case 0:
        fake_run(&loop);
        return;
    case 1:
        (void)fake_run_one(&loop);
        return;
    case 2:
        fake_advance(&loop, 1u << (dice * 2));
        return;
    default:
        break;
    }
    if (!is_alive(slot))
        return;
    switch (event & 15) {
    case 3:
    case 4:
        answer(slot);
        return;
    case 5:
        answer_again(slot);
        return;
    case 6:
        fake_client_gone(&slot->front, some_fault(dice) == NULL ? &weir_fault_client_closed : some_fault(dice));
        return;
    case 7:
        if (slot->front.x != NULL && slot->front.then != NULL)
            fake_deliver(&slot->front);
        return;
    case 8:
    case 9:
        if (slot->x->dial != NULL)
            fake_connected(slot->x, event & 1 ? NULL : some_fault(dice));
        return;
    case 10:
    case 11:
        respond(slot, dice);
        return;
    case 12:
        if (slot->x->has_responded || slot->front.x == NULL)
            (void)fake_relay_end(slot->x, NULL);
        return;
    case 13:
        (void)fake_relay_end(slot->x, some_fault(dice) != NULL ? some_fault(dice) : &weir_fault_backend_truncated);
        return;
    default:
        speak_for_stage(slot, dice);
        return;
    }
}

/* ---- the end ---- */

static void settle(slot_t *slot)
{
    if (!is_alive(slot))
        return;
    if (slot->x->walk.owes)
        (void)weir_next(slot->x); /* whichever it is */
    answer(slot);
    if (!is_alive(slot))
        return;
    if (slot->front.x != NULL && slot->front.then != NULL)
        fake_deliver(&slot->front);
    else if (slot->x->dial != NULL)
        fake_connected(slot->x, NULL);
    else if (slot->x->has_responded || !fake_relay_end(slot->x, &weir_fault_backend_closed))
        (void)fake_relay_end(slot->x, NULL);
    if (is_alive(slot))
        speak_for_stage(slot, 3);
}

static void check_ends(void)
{
    weir_books_t books = weir_exchange_books();

    WEIR_MUST(weir_exchange_count() == 0);
    WEIR_MUST(books.begun == books.ended && books.picks == books.checkins);
    for (size_t i = 0; i < SLOTS; i++) {
        const weir_shared_t *script = &slots[i].script;
        if (!slots[i].is_started)
            continue;
        WEIR_MUST(slots[i].is_over && script->question == NULL);
        WEIR_MUST(script->terminates == (script->has_answered_all ? 0 : 1) && script->logs == script->terminates);
        WEIR_MUST(script->picks == script->checkins || script->has_no_service);
        WEIR_MUST(slots[i].depth == 0 && slots[i].front.responses <= 1);
        WEIR_MUST(slots[i].front.is_gone || slots[i].front.status != 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    input = bytes;
    input_end = bytes + length;
    fake_loop_init(&loop);
    loop.is_quiet = true;
    loop.dice = next_byte();
    loop.connect_count = FAKE_SCRIPT;
    for (size_t i = 0; i < FAKE_SCRIPT / 2; i++) {
        uint8_t dice = next_byte();
        loop.connects[i].how = (fake_connect_t)(dice % 3);
        loop.connects[i].fault = dice & 8 ? some_fault(dice >> 4) : NULL;
        loop.connects[i].is_pooled = dice & 4;
    }
    memset(slots, 0, sizeof(slots));
    set_up(&slots[0]);
    if (next_byte() & 1)
        set_up(&slots[1]);
    while (input != input_end)
        happen(next_byte());
    for (unsigned round = 0; weir_exchange_count() != 0 || !weir_list_is_empty(&loop.letters); round++) {
        WEIR_MUST(round < ROUNDS_MAX);
        fake_run(&loop);
        for (size_t i = 0; i < SLOTS; i++)
            settle(&slots[i]);
        fake_run(&loop);
        fake_advance(&loop, 1); /* some ask again in a while */
    }
    check_ends();
    fake_loop_finish(&loop);
    return 0;
}
