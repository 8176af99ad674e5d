/* SPDX-License-Identifier: MIT */
/* Clients: sessions of requests, and what must have come of each. */
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

/* ---- a client's requests ---- */

static void put_request(conn_t *conn, uint64_t id)
{
    plan_t plan = plan_of(id);

    world.records[id].is_started = true;
    put_text(&conn->out, "%s /r/%" PRIu64 " HTTP/1.%d\r\nHost: %s\r\n", plan.method, id, plan.is_old ? 0 : 1, plan.host);
    if (plan.closes)
        put_text(&conn->out, "Connection: close\r\n");
    if (plan.upgrades)
        put_text(&conn->out, "Connection: Upgrade\r\nUpgrade: echo\r\n");
    if (plan.expects)
        put_text(&conn->out, "Expect: 100-continue\r\n");
    if (plan.request_framing == FRAMING_LENGTH)
        put_text(&conn->out, "Content-Length: %" PRIu64 "\r\n", plan.request_bytes);
    if (plan.request_framing == FRAMING_CHUNKED)
        put_text(&conn->out, "Transfer-Encoding: chunked\r\n");
    put_text(&conn->out, "X-Id: %" PRIu64 "\r\n\r\n", id);
    if (plan.request_framing != FRAMING_NONE && !plan.waits)
        put_body(&conn->out, &plan, id, SIDE_REQUEST, plan.request_framing, plan.request_bytes, plan.request_bytes);
}

static void begin_response(conn_t *conn)
{
    conn->reading = HEAD;
    conn->offset = conn->interims = conn->status = 0;
    conn->is_page = conn->says_close = conn->has_continued = false;
    conn->plan = plan_of(conn->id);
}

/* The next request, or several in one go; false if the session is over. */
static bool send_requests(conn_t *conn)
{
    if (conn->id == conn->last)
        return false;
    begin_response(conn);
    while (conn->sent < conn->last && (conn->sent == conn->id || conn->is_pipelined)) {
        put_request(conn, conn->sent++);
        if (plan_of(conn->sent - 1).waits || plan_of(conn->sent - 1).upgrades)
            break; /* what follows on the wire depends on the answer */
    }
    return true;
}

void session_start(uint64_t first, uint64_t last)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(world.proxy_port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), small = 4096;
    uint64_t dice = mix(first * 31 + last + 7);
    bool is_slow = (dice & 15) == 0;

    if (fd != -1 && is_slow)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    if (fd == -1 || (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0 && errno != EINPROGRESS)) {
        perror("connect");
        exit(2);
    }
    conn_t *conn = conn_create(fd, true);
    world.clients++;
    conn->id = conn->sent = first;
    conn->last = last;
    conn->is_slow = is_slow;
    conn->is_pipelined = (dice >> 4 & 3) == 0;
    conn->trickles = (dice >> 6 & 31) == 0;
    if ((dice >> 12 & 15) == 0)
        conn->abort_written = (dice >> 16) % 1000;
    else if ((dice >> 12 & 15) == 1)
        conn->abort_received = (dice >> 16) % 3000;
    send_requests(conn);
    update(conn);
}

/* Ends the connection; what the session has not got to yet goes on over another one. */
void session_end(conn_t *conn, bool is_reset)
{
    if (conn->is_gone)
        return;
    conn_close(conn, is_reset);
    world.clients--;
    if (conn->id < conn->last)
        session_start(conn->id, conn->last);
}

void session_abort(conn_t *conn)
{
    world.aborted++;
    world.records[conn->id].is_aborted = true;
    for (uint64_t id = conn->id; id < conn->sent; id++) {
        world.records[id].is_aborted = true;
        world.finished++;
    }
    conn->id = conn->sent;
    session_end(conn, (mix(conn->id) & 1) != 0);
}
/* ---- what must have come of a request ---- */

static bool is_right(const conn_t *conn, bool is_complete)
{
    const plan_t *plan = &conn->plan;
    bool is_answer = is_complete && !conn->is_page && conn->status == plan->status;

    switch (plan->fault) {
    case FAULT_NONE:
    case FAULT_SURPLUS:
    case FAULT_EARLY:
    case FAULT_EARLY_END:
    case FAULT_STORM:
        return is_answer && (plan->is_old || conn->interims == plan->interims);
    case FAULT_LEAVE:
        return is_answer || (!plan_is_repeatable(plan) && is_complete && conn->is_page && conn->status == 503);
    case FAULT_FLOOD:
        return is_complete && conn->is_page && conn->status == 502;
    case FAULT_CLOSE:
    case FAULT_RESET:
    case FAULT_REFUSED:
    case FAULT_SILENCE:
        return is_complete && conn->is_page && conn->status == 503;
    case FAULT_BAD_HEAD:
        return is_complete && conn->is_page && (conn->status == 502 || conn->status == 503);
    case FAULT_TRUNCATE:
    case FAULT_STALL:
    case FAULT_TRUNCATE_RESET:
    case FAULT_BAD_CHUNK:
        if (conn->is_page)
            return is_complete && (conn->status == 502 || conn->status == 503);
        if (plan->fault != FAULT_BAD_CHUNK && plan->response_framing == FRAMING_LENGTH && plan->response_bytes <= 65536)
            return false;                                                    /* short ones are held until they are whole */
        return !is_complete || (plan->is_old && conn->reading == UNTIL_END); /* HTTP/1.0 cannot tell */
    }
    return false;
}

/* The response is over, one way or the other. */
static void judge(conn_t *conn, bool is_complete)
{
    record_t *record = &world.records[conn->id];

    if (!is_right(conn, is_complete))
        complain(conn, "%s response%s, after %u interim ones", is_complete ? "a complete" : "an incomplete",
                 conn->is_page ? " of the proxy" : "", conn->interims);
    if (is_complete && !conn->is_page && conn->plan.fault != FAULT_BAD_CHUNK && conn->reading != TUNNEL &&
        plan_has_body(&conn->plan) && conn->offset != conn->plan.response_bytes && is_answer_fault(conn->plan.fault))
        complain(conn, "a body of another length");
    if (is_complete && conn->reading != UNTIL_END)
        record->status = (uint16_t)conn->status;
    world.complete += is_complete && !conn->is_page;
    world.pages += conn->is_page;
    world.cut += !is_complete;
    world.finished++;
    bool lives =
        is_complete && !conn->says_close && !conn->plan.is_old && conn->reading != TUNNEL && conn->reading != UNTIL_END;
    conn->id++;
    if (!lives || conn->id == conn->last) {
        session_end(conn, false);
        return;
    }
    if (conn->sent > conn->id)
        begin_response(conn); /* it is on its way already */
    else
        send_requests(conn);
}
static void begin_tunnel(conn_t *conn)
{
    world.tunnels++;
    conn->reading = TUNNEL;
    put_content(&conn->out, conn->id, SIDE_REQUEST, 0, conn->plan.tunnel_bytes);
}

static void on_interim(conn_t *conn)
{
    if (conn->status != 100) {
        conn->interims++;
        return;
    }
    if (!conn->plan.expects || conn->has_continued)
        complain(conn, "a 100 that nobody waits for");
    conn->has_continued = true;
    if (conn->plan.waits)
        put_body(&conn->out, &conn->plan, conn->id, SIDE_REQUEST, conn->plan.request_framing, conn->plan.request_bytes,
                 conn->plan.request_bytes);
}

static void on_response_head(conn_t *conn, const char *head)
{
    const char *connection = find_header(head, "Connection"), *id = find_header(head, "X-Id");

    if (sscanf(head, "HTTP/1.1 %3u ", &conn->status) != 1) {
        complain(conn, "no status line: %.40s", head);
        session_end(conn, true);
        return;
    }
    world.records[conn->id].is_answered = true;
    if (conn->status < 200 && conn->status != 101) {
        if (conn->plan.is_old)
            complain(conn, "an interim response for HTTP/1.0");
        on_interim(conn);
        return;
    }
    conn->is_page = id == NULL;
    conn->says_close = connection != NULL && strncasecmp(connection, "close", 5) == 0;
    if (id != NULL && strtoull(id, NULL, 10) != conn->id)
        complain(conn, "the response of request %.20s", id);
    if (conn->status == 101)
        begin_tunnel(conn);
    else
        read_framing(conn, head, strcmp(conn->plan.method, "HEAD") != 0 && conn->status != 204 && conn->status != 304,
                     UNTIL_END);
}

/* Takes one line from the input, without its end; NULL if it is not complete. */
void client_process(conn_t *conn)
{
    while (!conn->is_gone) {
        if (conn->reading == DONE) {
            judge(conn, true);
            continue;
        }
        if (conn->reading == HEAD) {
            char *head = count_of(&conn->in) > 0 ? take_head(conn) : NULL;
            if (head == NULL)
                break;
            on_response_head(conn, head);
            continue;
        }
        if (!read_body(conn))
            break;
    }
    if (!conn->is_gone && conn->reading == TUNNEL && conn->offset == conn->plan.tunnel_bytes && !conn->ends_behind_out) {
        conn->ends_behind_out = true; /* everything came back: our side is said */
        shutdown(conn->fd, SHUT_WR);
    }
}

void client_ended(conn_t *conn)
{
    if (conn->reading == TUNNEL)
        judge(conn, conn->offset == conn->plan.tunnel_bytes);
    else
        judge(conn, conn->reading == UNTIL_END && !conn->has_broken);
}
