/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TOOLS_MIXED_CONN_H
#define WEIR_TOOLS_MIXED_CONN_H
/**
 * @file  A connection of mixed, on either end, and what its files ask of each other.
 */
#include <sys/types.h>

#include "mixed.h"

enum { EVENTS = 128, READ_BYTES = 65536, SLOW_BYTES = 2048, TRICKLE_BYTES = 700, HANG_MS = 30000, SESSION_MOST = 8 };

/* What became of a request, as both ends have seen it. */
typedef struct record {
    uint16_t status; /* of the complete response, or 0 */
    bool is_started, is_seen, is_answered, is_aborted;
} record_t;

typedef struct bytes {
    char *at;
    size_t start, end, capacity;
} bytes_t;

typedef enum reading { HEAD, LENGTH, SIZE, DATA, DATA_END, TRAILER, UNTIL_END, TUNNEL, DONE } reading_t;

typedef struct conn {
    struct conn *next;
    int fd;
    bool is_client, is_listener, is_gone, has_ended, has_broken, is_slow, trickles, is_pipelined, ends_behind_out,
        resets_behind_out;
    uint16_t port;
    uint32_t events;
    int64_t moved_at_ms;
    bytes_t in, out;
    /* the message being read */
    reading_t reading;
    uint64_t id, offset, left;
    plan_t plan;
    unsigned status, interims;
    bool is_page, says_close, has_continued, is_drained;
    /* a client's session: requests [id, last), those before `sent` are on their way */
    uint64_t last, sent;
    uint64_t written, received, abort_written, abort_received; /* UINT64_MAX: stays */
} conn_t;

typedef struct world {
    uint64_t requests, next, finished, complaints, aborted, complete, cut, pages, tunnels;
    record_t *records;
    conn_t *conns;
    unsigned clients;
    int epoll;
    uint16_t proxy_port;
} world_t;

extern world_t world;

/* ---- mixed_bytes.c ---- */

int64_t now_ms(void);
__attribute__((format(printf, 2, 3))) void complain(const conn_t *conn, const char *format, ...);
size_t count_of(const bytes_t *bytes);
char *reserve(bytes_t *bytes, size_t count);
void put(bytes_t *bytes, const char *data, size_t count);
__attribute__((format(printf, 2, 3))) void put_text(bytes_t *bytes, const char *format, ...);
void put_content(bytes_t *bytes, uint64_t id, side_t side, uint64_t from, uint64_t count);
/** The first `count` bytes of a body of `total`, in its framing; all of it includes its end. */
void put_body(bytes_t *bytes, const plan_t *plan, uint64_t id, side_t side, framing_t framing, uint64_t count, uint64_t total);
/** Waits for what the connection can do now. */
void update(conn_t *conn);
conn_t *conn_create(int fd, bool is_client);
void conn_close(conn_t *conn, bool is_reset);
int listen_on(uint16_t *out_port, bool is_dead);
/** The value of a header, or NULL. The head ends with a NUL. */
const char *find_header(const char *head, const char *name);
void read_framing(conn_t *conn, const char *head, bool has_body, reading_t otherwise);
/** Reads what has come of a body, and checks each byte. Whether it is complete. */
bool read_body(conn_t *conn);
/** The head that is complete in conn->in, NUL-terminated; NULL: none yet. */
char *take_head(conn_t *conn);

/* ---- mixed_client.c ---- */

void session_start(uint64_t first, uint64_t last);
void session_end(conn_t *conn, bool is_reset);
void session_abort(conn_t *conn);
void client_process(conn_t *conn);
void client_ended(conn_t *conn);

/* ---- mixed_backend.c ---- */

void backend_process(conn_t *conn);
void backend_ended(conn_t *conn);

#endif
