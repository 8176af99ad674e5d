/* SPDX-License-Identifier: MIT */
/* Slots and handles: an answer is told from one to another question, whenever it comes; and slots are used again. */
#include "hear.h"
#include "router/question.h"
#include "unit.h"

enum { SLOT_BITS = 24, GENERATION_BITS = 36, SLAB_SLOTS = 64, AT_ONCE = 1000 };

static const uint64_t slot_mask = (UINT64_C(1) << SLOT_BITS) - 1;
static const uint64_t answered = UINT64_C(1) << (SLOT_BITS + GENERATION_BITS);

static uint64_t number_of(const void *handle)
{
    return (uint64_t)(uintptr_t)handle;
}

static void *handle_of(uint64_t number)
{
    return (void *)(uintptr_t)number;
}

static uint64_t slot_of(const void *handle)
{
    return number_of(handle) & slot_mask;
}

static void then_nothing(weir_exchange_t *x, const ask_answer_t *answer)
{
}

/* About nothing: whoever only looks at its handle needs no request. */
static ask_question_t *create(ask_kind_t kind)
{
    return ask_question_create(NULL, kind, then_nothing);
}

static void finish(ask_question_t *q)
{
    (void)ask_revoke(q);
    ask_question_free(q);
}

/* Of an answer that does not count, and of the line about it. */
static void assert_too_late(const void *handle)
{
    assert_null(ask_open(handle));
    begin_hearing();
    assert_null(ask_claim(handle));
    (void)end_hearing();
}

/* ---- handles ---- */

static void a_handle_names_its_question_until_it_is_answered(void **state)
{
    for (int kind = ASK_INIT; kind <= ASK_PAGE; kind++) {
        ask_question_t *q = create((ask_kind_t)kind);
        void *handle = ask_handle(q);

        assert_non_null(handle);
        assert_ptr_equal(ask_open(handle), q);
        assert_ptr_equal(ask_open(handle), q); /* looking does no harm */
        assert_ptr_equal(ask_claim(handle), q);
        assert_ptr_equal(ask_handle(q), handle); /* it has still the same name */
        assert_too_late(handle);
        ask_question_free(q);
        assert_too_late(handle);
    }
}

static void one_that_is_revoked_cannot_be_answered(void **state)
{
    ask_question_t *q = create(ASK_LOOKUP);
    void *handle = ask_handle(q);

    assert_true(ask_revoke(q));
    assert_false(ask_revoke(q));
    assert_too_late(handle);
    ask_question_free(q);
}

static void one_that_is_answered_cannot_be_revoked(void **state)
{
    ask_question_t *q = create(ASK_LOOKUP);

    assert_ptr_equal(ask_claim(ask_handle(q)), q);
    assert_false(ask_revoke(q));
    ask_question_free(q);
}

static void the_next_question_in_a_slot_has_another_handle(void **state)
{
    for (int kind = ASK_INIT; kind <= ASK_PAGE; kind++) {
        ask_question_t *first = create((ask_kind_t)kind), *second;
        void *old = ask_handle(first), *present;

        finish(first);
        second = create((ask_kind_t)kind);
        present = ask_handle(second);
        assert_ptr_equal(second, first); /* the same slot */
        assert_int_equal(slot_of(present), slot_of(old));
        assert_true(present != old);
        assert_too_late(old);
        assert_ptr_equal(ask_claim(present), second);
        ask_question_free(second);
    }
}

static void no_old_handle_comes_to_life(void **state)
{
    static void *handles[1000];

    for (size_t i = 0; i < 1000; i++) {
        ask_question_t *q = create((ask_kind_t)(i % 6));

        handles[i] = ask_handle(q);
        for (size_t j = 0; j < i; j++)
            assert_null(ask_open(handles[j]));
        finish(q);
    }
}

static void a_handle_is_for_one_kind(void **state)
{
    ask_question_t *q = create(ASK_LOOKUP);

    for (uint64_t kind = 0; kind < 8; kind++) {
        uint64_t number = (number_of(ask_handle(q)) & (UINT64_MAX >> 3)) | kind << 61;
        if (kind != ASK_LOOKUP + 1)
            assert_too_late(handle_of(number));
    }
    finish(q);
}

/* After 2^36 questions in one slot the generation begins anew; then, too, a handle is not NULL, and not answered. */
static void generations_begin_anew(void **state)
{
    ask_question_t *q = create(ASK_INIT);
    void *last, *anew;
    const uint64_t slot = slot_of(ask_handle(q));

    finish(q);
    atomic_store(&q->key, answered | (answered - 2 * (slot_mask + 1)) | slot); /* the last but one */
    assert_ptr_equal(create(ASK_INIT), q);
    last = ask_handle(q);
    assert_true((number_of(last) & (answered - 1)) == ((answered - 1) & ~slot_mask) + slot);
    assert_ptr_equal(ask_open(last), q);
    finish(q);
    assert_ptr_equal(create(ASK_INIT), q);
    anew = ask_handle(q);
    assert_non_null(anew);
    assert_true((number_of(anew) & (answered - 1)) == slot);
    assert_ptr_equal(ask_open(anew), q);
    assert_too_late(last);
    assert_ptr_equal(ask_claim(anew), q);
    ask_question_free(q);
}

static void what_a_router_makes_up_names_nothing(void **state)
{
    const uint64_t numbers[] = {0, 1, UINT64_MAX, slot_mask, slot_mask - 1, answered, UINT64_C(1) << 61, UINT64_C(7) << 61};
    ask_question_t *q = create(ASK_BACKEND);
    const uint64_t number = number_of(ask_handle(q));
    int local;

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        assert_too_late(handle_of(numbers[i]));
    assert_too_late(&local);
    for (unsigned bit = 0; bit < 64; bit++)
        assert_too_late(handle_of(number ^ UINT64_C(1) << bit));
    assert_ptr_equal(ask_claim(ask_handle(q)), q); /* nobody has answered it meanwhile */
    ask_question_free(q);
}

static void a_slot_is_cleaned(void **state)
{
    ask_question_t *q = create(ASK_PAGE);
    const uint32_t slot = q->slot;

    finish(q);
    memset((char *)q + sizeof(q->key), 0x55, offsetof(ask_question_t, next_free) - sizeof(q->key));
    memset((char *)q + offsetof(ask_question_t, x), 0x55, sizeof(*q) - offsetof(ask_question_t, x));
    assert_ptr_equal(ask_question_create((weir_exchange_t *)(void *)&q, ASK_CHECKIN, then_nothing), q);
    assert_int_equal(q->slot, slot);
    assert_ptr_equal(q->x, &q);
    assert_ptr_equal(q->then, then_nothing);
    assert_int_equal(q->kind, ASK_CHECKIN);
    assert_int_equal(atomic_load(&q->state), ASK_CALLING);
    assert_false(q->has_body || q->is_abandoning || q->is_answered_here || q->has_attempt);
    assert_null(q->apart);
    assert_null(q->fields);
    assert_ptr_equal(q->last_field, &q->fields);
    assert_null(q->about);
    assert_null(q->overdue);
    assert_int_equal(q->wait_ms, 0);
    assert_null(q->answer.fault);
    assert_null(q->answer.group);
    assert_null(q->answer.app.base);
    assert_null(q->answer.redirect.base);
    assert_int_equal(q->answer.page_status, 0);
    assert_int_equal(q->page_headers.count, 0);
    assert_false(weir_timer_is_set(&q->timer));
    assert_true(weir_list_is_empty(&q->letter.link));
    finish(q);
}

static void a_target_is_cleaned_for_who_asks_for_one(void **state)
{
    static const weir_target_t none;
    ask_question_t *q = create(ASK_CHECKIN);

    memset(&q->answer.target, 0x55, sizeof(q->answer.target));
    finish(q);
    assert_ptr_equal(create(ASK_BACKEND), q);
    assert_memory_equal(&q->answer.target, &none, sizeof(none));
    finish(q);
}

/* ---- words ---- */

static void questions_are_called_as_their_callbacks(void **state)
{
    assert_string_equal(ask_name(ASK_INIT), "init");
    assert_string_equal(ask_name(ASK_LOOKUP), "lookup_domain_name");
    assert_string_equal(ask_name(ASK_CHECKOUT), "checkout_service");
    assert_string_equal(ask_name(ASK_BACKEND), "service_backend");
    assert_string_equal(ask_name(ASK_CHECKIN), "checkin_service");
    assert_string_equal(ask_name(ASK_PAGE), "error_page");
    assert_string_equal(ask_name((ask_kind_t)(ASK_PAGE + 1)), "an unknown callback");
    assert_string_equal(ask_name((ask_kind_t)-1), "an unknown callback");
}

/* At most ten lines a second: what was said before may have used them up, hence a process of its own. */
static void a_second_answer_is_told(void **state)
{
    ask_question_t *q = create(ASK_CHECKOUT);
    void *handle = ask_handle(q);

    assert_ptr_equal(ask_claim(handle), q);
    begin_hearing();
    assert_null(ask_claim(handle));
    assert_null(ask_claim(NULL));
    assert_string_equal(end_hearing(),
                        "weir: a router answered a question of checkout_service a second time, which is ignored\n"
                        "weir: a router answered a question of an unknown callback a second time, which is "
                        "ignored\n");
    ask_question_free(q);
}

/* ---- slots ---- */

static void one_after_another_takes_one_slot(void **state)
{
    ask_question_t *q = create(ASK_INIT), *first = q;

    for (unsigned i = 0; i < 100000; i++) {
        finish(q);
        q = create((ask_kind_t)(i % 6));
        assert_ptr_equal(q, first);
    }
    finish(q);
}

static ask_question_t *many[AT_ONCE];

/* Opens as many, each under a handle of its own. Returns the highest slot. */
static uint64_t open_many(void)
{
    uint64_t most = 0;

    for (size_t i = 0; i < AT_ONCE; i++) {
        uint64_t slot;

        many[i] = create((ask_kind_t)(i % 6));
        slot = slot_of(ask_handle(many[i]));
        most = slot > most ? slot : most;
    }
    for (size_t i = 0; i < AT_ONCE; i++)
        assert_ptr_equal(ask_open(ask_handle(many[i])), many[i]); /* no two share a slot */
    return most;
}

static void close_many(void)
{
    for (size_t i = 0; i < AT_ONCE; i++)
        finish(many[i]);
}

static void many_at_once_have_slots_of_their_own(void **state)
{
    const uint64_t most = open_many();

    close_many();
    for (int round = 0; round < 100; round++) { /* 100,000 questions in the same slots */
        assert_true(open_many() <= most);
        close_many();
    }
    assert_true(most < AT_ONCE + 2 * SLAB_SLOTS);
}

static void any_order_will_do(void **state)
{
    uint64_t most = open_many();

    for (size_t i = 0; i < AT_ONCE; i += 2)
        finish(many[i]);
    for (size_t i = AT_ONCE; i-- > 0;)
        if (i % 2 == 1)
            finish(many[i]);
    assert_true(open_many() <= most);
    close_many();
}

/* ---- on a request's way ---- */

/* Answers `handle`, of this kind, with what would be seen. */
static void answer_wrongly(fake_kind_t kind, void *handle)
{
    begin_hearing();
    switch (kind) {
    case FAKE_INIT:
        weir_init_header(handle, WEIR_SPAN("X-Old"), WEIR_SPAN("1"));
        (void)weir_init_respond(handle, 299, WEIR_SPAN("old"));
        (void)weir_init_respond(handle, 99, WEIR_SPAN("a mistake, too"));
        break;
    case FAKE_LOOKUP:
        weir_lookup_name(handle, WEIR_SPAN("old"));
        (void)weir_lookup_redirect(handle, WEIR_SPAN("old.example"));
        break;
    case FAKE_CHECKOUT:
        (void)weir_checkout_refuse(handle, &fake_exhausted);
        (void)weir_checkout_refuse(handle, NULL);
        break;
    case FAKE_BACKEND:
        weir_backend_name(handle, WEIR_SPAN("old"));
        weir_backend_target(handle, WEIR_SPAN("/old"));
        weir_backend_keepalive(handle, WEIR_REUSE);
        weir_backend_protocol(handle, WEIR_HTTP2);
        weir_backend_try_timeout(handle, 1);
        weir_backend_hold_body(handle, 1);
        (void)weir_backend_at(handle, "192.0.2.1", 1);
        (void)weir_backend_at_path(handle, "/old");
        (void)weir_backend_at_endpoint(handle, NULL);
        break;
    case FAKE_CHECKIN:
        assert_null(weir_checkin_fault(handle));
        assert_null(weir_checkin_attempt(handle));
        assert_null(weir_checkin_group(handle));
        (void)weir_checkin_done(handle);
        break;
    case FAKE_PAGE:
        weir_page_status(handle, 299);
        weir_page_header(handle, WEIR_SPAN("X-Old"), WEIR_SPAN("1"));
        weir_page_body(handle, WEIR_SPAN("old"));
        assert_null(weir_page_group(handle));
        (void)weir_page_send(handle);
        break;
    case FAKE_KINDS:
        break;
    }
    (void)weir_later_until_(handle, 1, &fake_exhausted);
    (void)end_hearing();
}

/* A request as far as this question, which stays open. */
static void *open_until(fake_kind_t kind)
{
    world_open(NULL);
    w.script.how[kind] = FAKE_LATER;
    w.script.refuses[FAKE_LOOKUP] = kind == FAKE_PAGE;
    w.script.fault[FAKE_LOOKUP] = &fake_fault;
    world_request(GET);
    if (kind == FAKE_CHECKIN) {
        assert_true(fake_respond(w.x, OK_HEAD));
        assert_true(fake_relay_end(w.x, NULL));
        fake_run(&w.loop);
    }
    assert_int_equal(w.script.kind, kind);
    assert_non_null(w.script.question);
    return w.script.question;
}

static void answer_rightly(fake_kind_t kind)
{
    assert_true(fake_answer(&w.script));
    fake_run(&w.loop);
    if (kind < FAKE_CHECKIN) {
        assert_true(w.x->target.label.len != 0);
        assert_true(weir_span_is(w.x->target.label, "127.0.0.1:8081"));
        assert_null(w.x->target.path.base);
        assert_int_equal(w.x->target.keepalive, WEIR_CLOSE);
        assert_int_equal(w.x->target.protocol, WEIR_HTTP1);
        assert_null(w.x->app.base);
        world_finish(OK_HEAD);
        assert_int_equal(w.front.status, 200);
        assert_null(w.script.last_fault);
    } else {
        world_close();
        assert_int_equal(w.front.status, kind == FAKE_PAGE ? 404 : 200);
    }
    assert_lacks(w.front.head, "X-Old");
    assert_lacks(w.front.body, "old");
}

/* The next request is not disturbed by an answer to `old`. Returns whether it had the same slot. */
static bool is_undisturbed_by(fake_kind_t kind, void *old)
{
    void *present = open_until(kind);

    assert_true(present != old);
    answer_wrongly(kind, old);
    fake_run(&w.loop);
    assert_ptr_equal(ask_open(present), w.x->question);
    assert_int_equal(w.x->question->wait_ms, 0);
    fake_advance(&w.loop, 4999);
    assert_int_equal(w.script.abandoned, 0);
    answer_rightly(kind);
    return slot_of(present) == slot_of(old);
}

/* A question is often opened while the one before it is being settled: requests go round a few slots. */
static void an_answer_to_a_question_that_is_over_is_ignored(void **state)
{
    for (int kind = 0; kind < FAKE_KINDS; kind++) {
        void *old = open_until((fake_kind_t)kind);
        unsigned same = 0;

        answer_rightly((fake_kind_t)kind);
        answer_wrongly((fake_kind_t)kind, old); /* when nothing is open */
        for (int i = 0; i < 20; i++)
            same += is_undisturbed_by((fake_kind_t)kind, old);
        assert_true(same > 0);
    }
}

static void also_when_the_same_request_has_another_one_open(void **state)
{
    unsigned same = 0;

    for (int i = 0; i < 20; i++) {
        void *lookup, *checkout;

        world_open(NULL);
        w.script.how[FAKE_LOOKUP] = w.script.how[FAKE_CHECKOUT] = FAKE_LATER;
        world_request(GET);
        lookup = w.script.question;
        assert_true(fake_answer(&w.script));
        fake_run(&w.loop);
        checkout = w.script.question;
        same += slot_of(checkout) == slot_of(lookup);
        answer_wrongly(FAKE_LOOKUP, lookup);
        fake_run(&w.loop);
        assert_ptr_equal(ask_open(checkout), w.x->question);
        answer_rightly(FAKE_CHECKOUT);
    }
    assert_true(same > 0);
}

static void requests_without_end_take_few_slots(void **state)
{
    static bool is_used[2 * AT_ONCE];
    unsigned used = 0;

    for (unsigned i = 0; i < 4000; i++) { /* of five questions each */
        uint64_t slot = slot_of(open_until(FAKE_LOOKUP));

        answer_rightly(FAKE_LOOKUP);
        assert_in_range(slot, 0, 2 * AT_ONCE - 1);
        used += !is_used[slot];
        is_used[slot] = true;
    }
    assert_in_range(used, 1, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_answer_is_told),
        cmocka_unit_test(a_handle_names_its_question_until_it_is_answered),
        cmocka_unit_test(one_that_is_revoked_cannot_be_answered),
        cmocka_unit_test(one_that_is_answered_cannot_be_revoked),
        cmocka_unit_test(the_next_question_in_a_slot_has_another_handle),
        cmocka_unit_test(no_old_handle_comes_to_life),
        cmocka_unit_test(a_handle_is_for_one_kind),
        cmocka_unit_test(generations_begin_anew),
        cmocka_unit_test(what_a_router_makes_up_names_nothing),
        cmocka_unit_test(a_slot_is_cleaned),
        cmocka_unit_test(a_target_is_cleaned_for_who_asks_for_one),
        cmocka_unit_test(questions_are_called_as_their_callbacks),
        cmocka_unit_test(one_after_another_takes_one_slot),
        cmocka_unit_test(many_at_once_have_slots_of_their_own),
        cmocka_unit_test(any_order_will_do),
        cmocka_unit_test(an_answer_to_a_question_that_is_over_is_ignored),
        cmocka_unit_test(also_when_the_same_request_has_another_one_open),
        cmocka_unit_test(requests_without_end_take_few_slots),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
