/* SPDX-License-Identifier: MIT */
#include "lib/wire/store/etcd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "etcd.pb-c.h"
#include "lib/base/must.h"
#include "lib/base/rights.h"
#include "lib/wire/store/etcd_private.h"
#include "lib/wire/store/store_messages.h"

enum {
    CONNECT_MS = 3000,
    CALL_MS = 10000,
    PING_MS = 10000,
    PASSWORD_BYTES = 1024,
    CODE_NO_USERS = 9 /* FAILED_PRECONDITION, of Authenticate: nobody has to prove who he is */
};

/* ---- begin and end ---- */

static char *copy(const char *text)
{
    char *made = text != NULL ? strdup(text) : NULL;

    WEIR_MUST(made != NULL || text == NULL);
    return made;
}

static uint32_t or_else(uint32_t ms, uint32_t usual_ms)
{
    return ms != 0 ? ms : usual_ms;
}

static bool read_endpoints(weir_etcd_t *etcd, const weir_etcd_settings_t *settings,
                           char problem[static WEIR_ETCD_PROBLEM_BYTES])
{
    etcd->endpoints = calloc(settings->endpoint_count, sizeof(*etcd->endpoints));
    WEIR_MUST(etcd->endpoints != NULL);
    for (; etcd->endpoint_count < settings->endpoint_count; etcd->endpoint_count++) {
        if (!store_endpoint_read(settings->endpoints[etcd->endpoint_count], settings->has_tls,
                                 &etcd->endpoints[etcd->endpoint_count], problem))
            return false;
    }
    store_endpoints_shuffle(etcd->endpoints, etcd->endpoint_count);
    return true;
}

weir_etcd_t *weir_etcd_create(const weir_etcd_settings_t *settings, char problem[static WEIR_ETCD_PROBLEM_BYTES])
{
    weir_etcd_t *etcd = calloc(1, sizeof(*etcd));

    WEIR_MUST(etcd != NULL && settings->endpoint_count > 0);
    weir_arena_init(&etcd->news);
    etcd->code = WEIR_ETCD_CODE_NONE;
    etcd->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    WEIR_MUST(etcd->wake_fd != -1);
    etcd->ca_file = copy(settings->ca_file);
    etcd->certificate_file = copy(settings->certificate_file);
    etcd->key_file = copy(settings->key_file);
    etcd->server_name = copy(settings->server_name);
    etcd->user = copy(settings->user);
    etcd->password_file = copy(settings->password_file);
    etcd->connect_timeout_ms = or_else(settings->connect_timeout_ms, CONNECT_MS);
    etcd->call_timeout_ms = or_else(settings->call_timeout_ms, CALL_MS);
    etcd->ping_interval_ms = or_else(settings->ping_interval_ms, PING_MS);
    etcd->ping_timeout_ms = or_else(settings->ping_timeout_ms, PING_MS);
    if (!read_endpoints(etcd, settings, problem))
        weir_etcd_destroy(&etcd);
    return etcd;
}

static void drop_token(weir_etcd_t *etcd)
{
    free(etcd->token);
    etcd->token = NULL;
}

static void disconnect(weir_etcd_t *etcd)
{
    weir_etcd_watch_end(etcd);
    store_link_close(&etcd->link);
    drop_token(etcd);
}

void weir_etcd_destroy(weir_etcd_t **slot)
{
    weir_etcd_t *etcd = *slot;

    *slot = NULL;
    if (etcd == NULL)
        return;
    disconnect(etcd);
    for (size_t i = 0; i < etcd->endpoint_count; i++)
        store_endpoint_free(&etcd->endpoints[i]);
    free(etcd->endpoints);
    free(etcd->ca_file);
    free(etcd->certificate_file);
    free(etcd->key_file);
    free(etcd->server_name);
    free(etcd->user);
    free(etcd->password_file);
    close(etcd->wake_fd);
    free(etcd);
}

/* ---- what became of a call ---- */

const char *weir_etcd_problem(const weir_etcd_t *etcd)
{
    return etcd->problem;
}

int weir_etcd_code(const weir_etcd_t *etcd)
{
    return etcd->code;
}

size_t weir_etcd_endpoint_count(const weir_etcd_t *etcd)
{
    return etcd->endpoint_count;
}

const char *weir_etcd_endpoint(const weir_etcd_t *etcd)
{
    return etcd->has_tried ? etcd->endpoints[etcd->at].url : "";
}

/* A member that has answered once is tried first again, unless it is the one that is lame: it is silent, or has no leader. */
weir_etcd_status_t store_etcd_end(weir_etcd_t *etcd, weir_etcd_status_t status)
{
    const bool has_ended = etcd->link != NULL && etcd->link->end != WEIR_ETCD_FINE;

    if (status == WEIR_ETCD_FINE)
        etcd->is_good = true;
    if (status == WEIR_ETCD_CUT && (etcd->code != WEIR_ETCD_CODE_NONE || (etcd->link != NULL && etcd->link->has_stalled)))
        etcd->is_good = false;
    if (status == WEIR_ETCD_CUT || has_ended)
        disconnect(etcd);
    return status;
}

weir_etcd_status_t store_etcd_fail(weir_etcd_t *etcd, weir_etcd_status_t status, const char *problem)
{
    (void)snprintf(etcd->problem, sizeof(etcd->problem), "%s", problem);
    return store_etcd_end(etcd, status);
}

weir_etcd_status_t store_etcd_malformed(weir_etcd_t *etcd)
{
    return store_etcd_fail(etcd, WEIR_ETCD_FAILED, "the answer cannot be read");
}

weir_etcd_status_t store_etcd_begin(weir_etcd_t *etcd)
{
    etcd->problem[0] = '\0';
    etcd->code = WEIR_ETCD_CODE_NONE;
    if (etcd->link == NULL)
        return store_etcd_fail(etcd, WEIR_ETCD_CUT, "there is no connection");
    if (etcd->link->end != WEIR_ETCD_FINE || etcd->link->is_going)
        return store_etcd_fail(etcd, WEIR_ETCD_CUT, etcd->link->problem);
    return WEIR_ETCD_FINE;
}

/* ---- waking ---- */

void weir_etcd_wake(weir_etcd_t *etcd)
{
    (void)eventfd_write(etcd->wake_fd, 1);
}

weir_etcd_status_t store_etcd_woken(weir_etcd_t *etcd)
{
    eventfd_t count;

    (void)eventfd_read(etcd->wake_fd, &count);
    return store_etcd_fail(etcd, WEIR_ETCD_WOKEN, "somebody else wants something");
}

weir_etcd_status_t weir_etcd_sleep(weir_etcd_t *etcd, uint32_t ms)
{
    const uint64_t until_ms = store_now_ms() + ms;
    store_socket_t nothing = {.fd = -1, .wake_fd = etcd->wake_fd};

    etcd->problem[0] = '\0';
    etcd->code = WEIR_ETCD_CODE_NONE;
    for (;;) {
        const bool is_alive = etcd->link != NULL && etcd->link->end == WEIR_ETCD_FINE;
        const weir_etcd_status_t status =
            is_alive ? store_link_turn(etcd->link, until_ms) : store_socket_wait(&nothing, false, until_ms);
        if (status == WEIR_ETCD_WOKEN)
            return store_etcd_woken(etcd);
        if (store_now_ms() >= until_ms)
            return store_etcd_fail(etcd, WEIR_ETCD_NOTHING, "the time is up");
    }
}

/* ---- calls ---- */

static void pack(const ProtobufCMessage *message, weir_bytes_t *out)
{
    const size_t length = protobuf_c_message_get_packed_size(message);
    uint8_t *at = (uint8_t *)weir_bytes_reserve(out, STORE_FRAME_HEAD_BYTES + length);

    store_frame_head(at, length);
    (void)protobuf_c_message_pack(message, at + STORE_FRAME_HEAD_BYTES);
    weir_bytes_grow(out, STORE_FRAME_HEAD_BYTES + length);
}

store_call_t *store_etcd_call(weir_etcd_t *etcd, store_call_settings_t settings, const ProtobufCMessage *request)
{
    const store_endpoint_t *endpoint = &etcd->endpoints[etcd->at];
    weir_bytes_t bytes = {0};

    settings.scheme = endpoint->has_tls ? "https" : "http";
    settings.authority = endpoint->name;
    settings.token = etcd->token;
    settings.most = WEIR_ETCD_ANSWER_BYTES;
    etcd->token_used_at_ms = store_now_ms();
    pack(request, &bytes);
    return store_call_begin(etcd->link, &settings, &bytes);
}

/* FINE: the call has ended, one way or another. */
static weir_etcd_status_t await(weir_etcd_t *etcd, const store_call_t *call)
{
    while (!call->has_ended) {
        const weir_etcd_status_t status = store_link_turn(etcd->link, call->heard_at_ms + etcd->call_timeout_ms);
        if (status == WEIR_ETCD_WOKEN)
            return status;
        if (!call->has_ended && store_now_ms() >= call->heard_at_ms + etcd->call_timeout_ms)
            return WEIR_ETCD_NOTHING;
    }
    return WEIR_ETCD_FINE;
}

static weir_etcd_status_t time_out(weir_etcd_t *etcd)
{
    (void)snprintf(etcd->problem, sizeof(etcd->problem), "%.100s does not answer in time", etcd->endpoints[etcd->at].name);
    etcd->link->has_stalled = true;
    return store_etcd_end(etcd, WEIR_ETCD_CUT);
}

static weir_etcd_status_t settle(weir_etcd_t *etcd, store_call_t *call, weir_span_t *out_answer)
{
    const weir_etcd_status_t status = store_call_judge(call, etcd->problem);

    etcd->code = call->status.code;
    if (status != WEIR_ETCD_FINE || store_call_take(call, out_answer))
        return status;
    (void)snprintf(etcd->problem, sizeof(etcd->problem), "the answer is empty");
    return WEIR_ETCD_FAILED;
}

/* *out_is_old: another token may help. */
static weir_etcd_status_t ask_once(weir_etcd_t *etcd, const char *path, const ProtobufCMessage *request,
                                   weir_span_t *out_answer, bool *out_is_old)
{
    weir_etcd_status_t status = store_etcd_begin(etcd);
    store_call_t *call;

    if (status != WEIR_ETCD_FINE)
        return status;
    call = store_etcd_call(etcd, (store_call_settings_t){.path = path}, request);
    if (call == NULL)
        return store_etcd_fail(etcd, WEIR_ETCD_CUT, "the connection takes no calls any more");
    status = await(etcd, call);
    *out_is_old = status == WEIR_ETCD_FINE && store_status_wants_token(&call->status);
    if (status == WEIR_ETCD_FINE)
        status = settle(etcd, call, out_answer);
    store_call_finish(&call);
    if (status == WEIR_ETCD_WOKEN)
        return store_etcd_woken(etcd);
    return status == WEIR_ETCD_NOTHING ? time_out(etcd) : store_etcd_end(etcd, status);
}

weir_etcd_status_t store_etcd_ask(weir_etcd_t *etcd, const char *path, const ProtobufCMessage *request, weir_span_t *out_answer)
{
    bool is_old = false;
    weir_etcd_status_t status = ask_once(etcd, path, request, out_answer, &is_old);

    if (status == WEIR_ETCD_FINE || !is_old || etcd->user == NULL)
        return status;
    status = store_etcd_prove(etcd);
    return status == WEIR_ETCD_FINE ? ask_once(etcd, path, request, out_answer, &is_old) : status;
}

/* ---- who we are ---- */

static bool read_password(const char *path, char password[static PASSWORD_BYTES])
{
    const int fd = path != NULL ? weir_rights_read(path) : -1;
    const ssize_t count = fd != -1 ? read(fd, password, PASSWORD_BYTES - 1) : -1;

    if (fd != -1)
        close(fd);
    password[count > 0 ? count : 0] = '\0';
    password[strcspn(password, "\r\n")] = '\0';
    return count >= 0;
}

static weir_etcd_status_t take_token(weir_etcd_t *etcd, weir_span_t answer)
{
    weir_arena_t arena;

    weir_arena_init(&arena);
    etcd->token = copy(store_read_token(answer, &arena));
    weir_arena_finish(&arena);
    return etcd->token != NULL ? WEIR_ETCD_FINE : store_etcd_malformed(etcd);
}

weir_etcd_status_t store_etcd_prove(weir_etcd_t *etcd)
{
    WeirEtcd__AuthenticateRequest request = WEIR_ETCD__AUTHENTICATE_REQUEST__INIT;
    char password[PASSWORD_BYTES];
    weir_span_t answer = {NULL, 0};
    weir_etcd_status_t status;
    bool is_old;

    drop_token(etcd);
    if (etcd->user == NULL)
        return WEIR_ETCD_FINE;
    if (!read_password(etcd->password_file, password)) {
        (void)snprintf(etcd->problem, sizeof(etcd->problem), "the password of %.64s cannot be read from %.128s", etcd->user,
                       etcd->password_file != NULL ? etcd->password_file : "a file that is not named");
        return store_etcd_end(etcd, WEIR_ETCD_DENIED);
    }
    request.name = etcd->user;
    request.password = password;
    status = ask_once(etcd, "/etcdserverpb.Auth/Authenticate", &request.base, &answer, &is_old);
    explicit_bzero(password, sizeof(password));
    if (status == WEIR_ETCD_FINE)
        status = take_token(etcd, answer);
    free((void *)(uintptr_t)answer.base);
    if (status != WEIR_ETCD_FAILED || etcd->code != CODE_NO_USERS)
        return status;
    etcd->problem[0] = '\0';
    etcd->code = WEIR_ETCD_CODE_NONE;
    return WEIR_ETCD_FINE;
}

/* ---- the connection ---- */

static void choose(weir_etcd_t *etcd)
{
    if (etcd->has_tried && !etcd->is_good)
        etcd->at = (etcd->at + 1) % etcd->endpoint_count;
    etcd->has_tried = true;
    etcd->is_good = false;
}

static weir_etcd_status_t open_link(weir_etcd_t *etcd)
{
    const store_endpoint_t *endpoint = &etcd->endpoints[etcd->at];
    weir_etcd_status_t status;
    const store_link_settings_t settings = {
        .socket =
            {
                .name = endpoint->name,
                .host = endpoint->host,
                .port = endpoint->port,
                .has_tls = endpoint->has_tls,
                .server_name = etcd->server_name != NULL ? etcd->server_name : endpoint->host,
                .ca_file = etcd->ca_file,
                .certificate_file = etcd->certificate_file,
                .key_file = etcd->key_file,
                .wake_fd = etcd->wake_fd,
            },
        .ping_interval_ms = etcd->ping_interval_ms,
        .ping_timeout_ms = etcd->ping_timeout_ms,
    };

    etcd->link = store_link_open(&settings, store_now_ms() + etcd->connect_timeout_ms, &status, etcd->problem);
    return status;
}

weir_etcd_status_t weir_etcd_connect(weir_etcd_t *etcd)
{
    weir_etcd_status_t status;

    disconnect(etcd);
    etcd->problem[0] = '\0';
    etcd->code = WEIR_ETCD_CODE_NONE;
    choose(etcd);
    status = open_link(etcd);
    if (status == WEIR_ETCD_WOKEN)
        return store_etcd_woken(etcd);
    if (status == WEIR_ETCD_FINE)
        status = store_etcd_prove(etcd);
    if (status != WEIR_ETCD_FINE)
        disconnect(etcd);
    etcd->is_good = false; /* until it has answered something else than who we are */
    return status;
}
