/* SPDX-License-Identifier: MIT */
/* HTTP/1 with clients: the ends of a connection that must not cost the client what was written before, by us or by it. */
#include "lib/wire/front/front_http1.h"

enum {
    LINGER_TURNS = 64, /* reads of WEIR_READ_BYTES after which lingering ends  */
    CUT_LOOKS = 200,   /* without progress, after which it is cut all the same */
    END_MOST_S = 30,   /* after which either ends, whatever moves              */
};

static void begin(front_http1_conn_t *conn, front_http1_state_t state)
{
    conn->state = state;
    conn->requests = 0; /* counts reads, or looks, from here on */
    conn->ends_at_us = weir_loop_now_us(conn->client.loop) + END_MOST_S * UINT64_C(1000000);
}

static bool is_late(const front_http1_conn_t *conn)
{
    return weir_loop_now_us(conn->client.loop) >= conn->ends_at_us;
}

void front_http1_linger(front_http1_conn_t *conn)
{
    begin(conn, FRONT_HTTP1_LINGER);
    weir_bytes_free(&conn->in);
    weir_timer_cancel(&conn->write_timer);
    weir_sock_shutdown(&conn->client.sock);
    if (conn->has_ended)
        front_http1_close(conn);
    else
        front_http1_update_watch(conn);
}

void front_http1_linger_on(front_http1_conn_t *conn)
{
    if (++conn->requests > LINGER_TURNS || is_late(conn))
        front_http1_close(conn);
    else
        front_http1_update_watch(conn);
}

void front_http1_await_delivery(front_http1_conn_t *conn)
{
    size_t left_bytes = weir_sock_undelivered(&conn->client.sock);

    if (left_bytes != conn->undelivered_bytes)
        conn->requests = 0;
    conn->undelivered_bytes = left_bytes;
    if (left_bytes == 0 || ++conn->requests > CUT_LOOKS || is_late(conn) || weir_sock_is_gone(&conn->client.sock))
        front_http1_close(conn);
    else
        front_http1_update_watch(conn);
}

void front_http1_cut(front_http1_conn_t *conn)
{
    const front_http1_stream_t *stream = conn->stream;

    /* An HTTP/1.0 client takes the end of the connection for the end of the body: it must see that it is none */
    if (stream != NULL && stream->reply.is_head_sent && stream->reply.encoding == FRONT_HTTP1_PLAIN && !stream->body.is_tunnel)
        weir_sock_will_reset(&conn->client.sock);
    conn->state = FRONT_HTTP1_CUT;
    front_http1_drop_stream(conn); /* it is logged with its number, which begin() takes for something else */
    begin(conn, FRONT_HTTP1_CUT);
    weir_bytes_free(&conn->in);
    weir_bytes_free(&conn->out);
    weir_timer_cancel(&conn->write_timer);
    front_http1_await_delivery(conn);
}

bool front_http1_abandon(front_http1_conn_t *conn)
{
    const front_http1_stream_t *stream = conn->stream;
    const weir_front_t *front = stream->front;

    if (front == NULL || front->x == NULL || !front->x->plan->aborts_on_close || stream->reply.is_head_sent)
        return false;
    conn->fault = &weir_fault_client_closed;
    front_http1_close(conn);
    return true;
}

void front_http1_drain(front_http1_conn_t *conn)
{
    if (conn->state != FRONT_HTTP1_HEAD || weir_bytes_count(&conn->in) > 0 || weir_sock_has_unread(&conn->client.sock))
        return;
    if (conn->requests > 0)
        front_http1_close(conn);
    else /* a client may take the end of a connection for its time to ask again only if it was answered there before */
        front_http1_set_read_timer(conn, WEIR_DRAIN_GRACE_MS);
}

bool front_http1_close_if_idle(weir_timer_t *timer)
{
    front_http1_conn_t *conn = WEIR_AROUND(timer, front_http1_conn_t, read_timer);

    if (timer->on_due != front_http1_on_read_timer || conn->state != FRONT_HTTP1_HEAD || weir_bytes_count(&conn->in) > 0 ||
        weir_sock_has_unread(&conn->client.sock))
        return false;
    front_http1_close(conn);
    return true;
}
