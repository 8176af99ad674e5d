/* SPDX-License-Identifier: MIT */
/* Backends, and how they misbehave. */
#define _GNU_SOURCE
#include "mixed_conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- backends ---- */

static void put_response_head(conn_t *conn, const plan_t *plan)
{
    put_text(&conn->out, "HTTP/1.1 %u Whatever\r\nX-Id: %" PRIu64 "\r\n", plan->status, conn->id);
    if (plan->response_framing == FRAMING_LENGTH && plan->status != 204)
        put_text(&conn->out, "Content-Length: %" PRIu64 "\r\n", plan->response_bytes);
    if (plan->response_framing == FRAMING_CHUNKED && plan_has_body(plan))
        put_text(&conn->out, "Transfer-Encoding: chunked\r\n");
    if (plan->fault == FAULT_EARLY_END)
        put_text(&conn->out, "Connection: close\r\n");
    if (plan->fault == FAULT_BAD_HEAD)
        put_text(&conn->out, "no colon\r\n");
    put_text(&conn->out, "\r\n");
}

static void respond(conn_t *conn)
{
    const plan_t *plan = &conn->plan;
    bytes_t *out = &conn->out;

    if (plan->fault == FAULT_CLOSE || plan->fault == FAULT_RESET || plan->fault == FAULT_SILENCE) {
        if (plan->fault != FAULT_SILENCE)
            conn_close(conn, plan->fault == FAULT_RESET);
        return;
    }
    for (unsigned i = 0; i < plan->interims; i++)
        put_text(out, "HTTP/1.1 %u Interim\r\nX-Interim: %u\r\n\r\n", i % 2 == 0 ? 103 : 102, i);
    if (plan->upgrades) {
        put_text(out, "HTTP/1.1 101 Fine\r\nConnection: Upgrade\r\nUpgrade: echo\r\nX-Id: %" PRIu64 "\r\n\r\n", conn->id);
        conn->reading = TUNNEL;
        return;
    }
    put_response_head(conn, plan);
    uint64_t count = plan->response_bytes;
    if (plan->fault == FAULT_TRUNCATE || plan->fault == FAULT_TRUNCATE_RESET || plan->fault == FAULT_STALL ||
        plan->fault == FAULT_BAD_CHUNK)
        count = mix(conn->id) % count;
    if (plan_has_body(plan))
        put_body(out, plan, conn->id, SIDE_RESPONSE, plan->response_framing, count, plan->response_bytes);
    if (plan->fault == FAULT_BAD_CHUNK)
        put_text(out, "zz\r\n");
    if (plan->fault == FAULT_SURPLUS) /* in one packet: no proxy can know what comes later */
        conn->trickles = false, put_text(out, "HTTP/1.1 200 Evil\r\nX-Id: 0\r\nContent-Length: 4\r\n\r\nevil");
    conn->resets_behind_out = plan->fault == FAULT_TRUNCATE_RESET;
    conn->ends_behind_out = plan->fault == FAULT_TRUNCATE || plan->fault == FAULT_LEAVE || plan->fault == FAULT_EARLY_END ||
                            (plan_has_body(plan) && plan->response_framing == FRAMING_NONE);
}

static void on_request_head(conn_t *conn, const char *head)
{
    const char *path = strstr(head, " /r/");
    uint64_t id = path != NULL ? strtoull(path + 4, NULL, 10) : UINT64_MAX;

    if (id >= world.requests) {
        complain(conn, "a request that nobody made: %.60s", head);
        conn_close(conn, true);
        return;
    }
    conn->id = id;
    conn->plan = plan_of(id);
    world.records[id].is_seen = true;
    const char *header = find_header(head, "X-Id");
    if (header == NULL || strtoull(header, NULL, 10) != id || strncmp(head, conn->plan.method, strlen(conn->plan.method)) != 0)
        complain(conn, "a request put together from several");
    read_framing(conn, head, true, DONE);
    bool is_asked = find_header(head, "Expect") != NULL;
    if (is_asked != (conn->plan.expects && strcmp(conn->plan.host, "deep") == 0))
        complain(conn, "Expect has %s", is_asked ? "arrived" : "been lost");
    conn->is_drained = plan_is_early(&conn->plan);
    if (conn->is_drained)
        respond(conn);
    else if (is_asked)
        put_text(&conn->out, "HTTP/1.1 100 Continue\r\n\r\n");
}

void backend_process(conn_t *conn)
{
    while (!conn->is_gone) {
        if (conn->reading == HEAD) {
            char *head = count_of(&conn->in) > 0 ? take_head(conn) : NULL;
            if (head == NULL)
                return;
            on_request_head(conn, head);
        } else if (conn->reading == TUNNEL) {
            put(&conn->out, conn->in.at + conn->in.start, count_of(&conn->in));
            conn->in.start = conn->in.end;
            return;
        } else if (conn->reading == DONE) {
            if (conn->offset != conn->plan.request_bytes)
                complain(conn, "a request body of another length");
            conn->reading = HEAD;
            if (!conn->is_drained)
                respond(conn);
        } else if (!read_body(conn)) {
            return;
        }
    }
}

void backend_ended(conn_t *conn)
{
    bool may_be_cut = world.records[conn->id].is_aborted || !is_answer_fault(conn->plan.fault) || plan_is_early(&conn->plan);

    if (conn->reading != HEAD && conn->reading != TUNNEL && conn->reading != DONE && !may_be_cut)
        complain(conn, "a request body that ends too early");
    if (conn->reading == TUNNEL && count_of(&conn->out) > 0)
        conn->ends_behind_out = true;
    else
        conn_close(conn, false);
}
