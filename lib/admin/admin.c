/* SPDX-License-Identifier: MIT */
#include "lib/admin/admin.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/admin/call.h"
#include "lib/admin/gate.h"
#include "lib/base/list.h"
#include "lib/base/must.h"
#include "lib/walk/at_work.h"
#include "lib/walk/steward.h"
#include "lib/wire/loop/loop.h"
#include "lib/wire/tls/tls_plain.h"

enum { BACKLOG = 64, FORBIDDEN = 403 };

/* Where callers come in. */
typedef struct door {
    weir_admin_t *admin;
    int fd; /* -1: there is none, or the listener has it */
    h2o_socket_t *listener;
    h2o_accept_ctx_t accept;
} door_t;

typedef struct connection {
    weir_list_t link;
    weir_admin_t *admin;
    const door_t *door;
    weir_admin_caller_t caller;
    admin_guest_t guest; /* of one over TCP */
    int fd;
    bool is_welcome, is_cut;
    admin_open_t open;
} connection_t;

/* Begun and ended by the main thread; everything between is the steward's. */
struct weir_admin {
    door_t path_door, tcp_door;
    char *path;           /* NULL: there is none */
    weir_network_t *from; /* of an adopted one: who is answered; NULL: it is for operators */
    size_t from_count;
    char *host; /* likewise            */
    admin_gate_t *gate;
    SSL_CTX *tls;   /* over TCP; NULL: none */
    struct stat at; /* which socket is ours */
    const weir_admin_route_t *routes;
    weir_loop_t *loop;
    weir_letter_t start, retreat, retire, stop, end;
    h2o_globalconf_t conf;
    h2o_context_t context;
    weir_list_t connections;
    size_t connection_count;
    bool is_retreating, is_ending;
    pthread_mutex_t lock;
    pthread_cond_t has_ended;
    bool is_gone; /* under the lock */
};

typedef struct handler {
    h2o_handler_t super;
    weir_admin_t *admin;
} handler_t;

/* ---- the socket ---- */

static bool say(char *problem, size_t bytes, const char *path, const char *what)
{
    snprintf(problem, bytes, "%s: %s: %s", path, what, strerror(errno));
    return false;
}

/* One that nobody listens at any more is in the way; one that is in use is another process's. */
static bool make_room(const struct sockaddr_un *address, char *problem, size_t bytes)
{
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct stat at;

    if (fd == -1)
        return say(problem, bytes, address->sun_path, "socket");
    const bool is_taken = connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0;
    const bool is_refused = !is_taken && errno == ECONNREFUSED;
    close(fd);
    if (is_refused && stat(address->sun_path, &at) == 0 && S_ISSOCK(at.st_mode))
        (void)unlink(address->sun_path);
    return true;
}

/*
 * Nobody can connect before listen(), and it has its permission by then. It takes its name at last: so a successor takes the
 * name over while its predecessor still serves who has come there.
 */
static bool open_socket(weir_admin_t *admin, const weir_admin_place_t *place, char *problem, size_t bytes)
{
    struct stat present;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int length = snprintf(address.sun_path, sizeof(address.sun_path), "%s.%d", place->path, (int)getpid());

    if (length < 0 || (size_t)length >= sizeof(address.sun_path)) {
        snprintf(problem, bytes, "%s: this is too long for the name of a socket", place->path);
        return false;
    }
    if (lstat(place->path, &present) == 0 && !S_ISSOCK(present.st_mode)) {
        snprintf(problem, bytes, "%s: there is something that is no socket", place->path);
        return false;
    }
    admin->path_door.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (admin->path_door.fd == -1)
        return say(problem, bytes, place->path, "socket");
    if (!make_room(&address, problem, bytes))
        return false;
    if (bind(admin->path_door.fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        return say(problem, bytes, place->path, "bind");
    const bool is_ready =
        chmod(address.sun_path, place->permission) == 0 &&
        (place->owner == (uid_t)-1 && place->group == (gid_t)-1 ? true
                                                                : chown(address.sun_path, place->owner, place->group) == 0) &&
        listen(admin->path_door.fd, BACKLOG) == 0 && stat(address.sun_path, &admin->at) == 0 &&
        rename(address.sun_path, place->path) == 0;
    if (is_ready)
        return true;
    (void)say(problem, bytes, place->path, "cannot be made ready");
    (void)unlink(address.sun_path);
    return false;
}

static void destroy(weir_admin_t *admin)
{
    if (admin->path_door.fd != -1)
        close(admin->path_door.fd);
    if (admin->tcp_door.fd != -1)
        close(admin->tcp_door.fd);
    admin_gate_close(&admin->gate);
    weir_tls_plain_free(&admin->tls);
    free(admin->host);
    pthread_mutex_destroy(&admin->lock);
    pthread_cond_destroy(&admin->has_ended);
    free(admin->path);
    free(admin->from);
    free(admin);
}

/* ---- over TCP ---- */

static void on_peer(void *of, const char *subject)
{
    admin_guest_show(&((connection_t *)of)->guest, subject);
}

static void on_alert(void *of, const char *words)
{
    ((connection_t *)of)->guest.alert = words;
}

static bool make_tls(const weir_admin_place_t *place, SSL_CTX **out_tls, char *problem, size_t bytes)
{
    const weir_tls_plain_settings_t settings = {.certificate_file = place->certificate_file,
                                                .key_file = place->key_file,
                                                .client_ca_file = place->client_ca_file,
                                                .on_peer = on_peer,
                                                .on_alert = on_alert};
    char why[WEIR_TLS_PROBLEM_BYTES];

    *out_tls = NULL;
    if (place->certificate_file == NULL)
        return true;
    *out_tls = weir_tls_plain_create(&settings, why);
    if (*out_tls == NULL)
        snprintf(problem, bytes, "%s", why);
    return *out_tls != NULL;
}

bool weir_admin_check(const weir_admin_place_t *place, char *problem, size_t bytes)
{
    admin_gate_t *gate = admin_gate_open(place, problem, bytes);
    SSL_CTX *tls = NULL;
    const bool is_fine = gate != NULL && make_tls(place, &tls, problem, bytes);

    admin_gate_close(&gate);
    weir_tls_plain_free(&tls);
    return is_fine;
}

static bool open_tcp(weir_admin_t *admin, const weir_admin_place_t *place, char *problem, size_t bytes)
{
    admin->gate = admin_gate_open(place, problem, bytes);
    if (admin->gate == NULL || !make_tls(place, &admin->tls, problem, bytes))
        return false;
    admin->tcp_door.fd = admin_gate_listen(place, problem, bytes);
    return admin->tcp_door.fd != -1;
}

static weir_admin_t *create(void)
{
    weir_admin_t *admin = calloc(1, sizeof(*admin));

    WEIR_MUST(admin != NULL && pthread_mutex_init(&admin->lock, NULL) == 0);
    WEIR_MUST(pthread_cond_init(&admin->has_ended, NULL) == 0);
    admin->path_door = admin->tcp_door = (door_t){.admin = admin, .fd = -1};
    weir_list_init(&admin->connections);
    return admin;
}

weir_admin_t *weir_admin_bind(const weir_admin_place_t *place, char *problem, size_t problem_bytes)
{
    weir_admin_t *admin = create();

    admin->host = place->host == NULL ? NULL : strdup(place->host);
    bool is_open = place->listen == NULL || open_tcp(admin, place, problem, problem_bytes);
    if (is_open && place->path != NULL) {
        is_open = open_socket(admin, place, problem, problem_bytes);
        admin->path = strdup(place->path);
    }
    if (is_open)
        return admin;
    destroy(admin);
    return NULL;
}

weir_admin_t *weir_admin_adopt(int fd, const weir_network_t *from, size_t from_count)
{
    weir_admin_t *admin = create();

    admin->path_door.fd = fd;
    admin->from = calloc(from_count + 1, sizeof(*from));
    WEIR_MUST(admin->from != NULL);
    memcpy(admin->from, from, from_count * sizeof(*from));
    admin->from_count = from_count;
    return admin;
}

/* ---- connections ---- */

static void on_end(weir_letter_t *letter);

/* Behind this event: libh2o is still at work on the last connection. */
static void end_if_done(weir_admin_t *admin)
{
    if (!admin->is_ending || admin->connection_count > 0)
        return;
    admin->end.open = on_end;
    weir_list_init(&admin->end.link);
    weir_loop_post(admin->loop, &admin->end);
}

static void on_close(void *of)
{
    connection_t *connection = of;
    weir_admin_t *admin = connection->admin;

    if (connection->door->accept.ssl_ctx != NULL && !connection->guest.is_secure)
        admin_guest_tell_failure(&connection->guest);
    admin_open_forget(&connection->open);
    weir_list_remove(&connection->link);
    free(connection);
    admin->connection_count--;
    end_if_done(admin);
}

static weir_admin_caller_t caller_of(int fd)
{
    struct ucred peer;
    socklen_t bytes = sizeof(peer);
    weir_admin_caller_t caller = {.size = sizeof(caller), .uid = -1, .gid = -1, .pid = -1};

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) == 0 && peer.pid != 0)
        caller = (weir_admin_caller_t){.size = sizeof(caller), .uid = peer.uid, .gid = peer.gid, .pid = peer.pid};
    return caller;
}

/* Of an adopted socket it depends on where somebody comes from. */
static bool is_welcome(const weir_admin_t *admin, int fd)
{
    struct sockaddr_storage peer;
    socklen_t length = sizeof(peer);

    return admin->from == NULL || (getpeername(fd, (struct sockaddr *)&peer, &length) == 0 &&
                                   weir_networks_hold(admin->from, admin->from_count, (const struct sockaddr *)&peer));
}

/* Who has come by the unix socket is no stranger, nor who was let in over TCP. */
static bool is_stranger(const connection_t *connection)
{
    return connection->door == &connection->admin->tcp_door && !connection->guest.is_known;
}

/*
 * Nobody can keep others out by keeping still. Its end is read at once, and libh2o closes who is at its end; until then each
 * that is too many cuts another one. Strangers go first: they drive out strangers, and one of the others at most. Who has come
 * just now stays.
 */
static void cut_oldest(weir_admin_t *admin, const connection_t *newest)
{
    connection_t *found = NULL;

    for (weir_list_t *node = admin->connections.next; node != &admin->connections; node = node->next) {
        connection_t *connection = WEIR_AROUND(node, connection_t, link);
        if (connection->is_cut || connection == newest || (found != NULL && !is_stranger(connection)))
            continue;
        found = connection;
        if (is_stranger(connection))
            break;
    }
    if (found == NULL)
        return;
    found->is_cut = true;
    (void)shutdown(found->fd, SHUT_RDWR);
    admin_open_cut(&found->open);
}

static void know_caller(connection_t *connection)
{
    if (connection->door == &connection->admin->path_door) {
        connection->caller = caller_of(connection->fd);
        return;
    }
    admin_guest_enter(&connection->guest, connection->fd);
    connection->caller = (weir_admin_caller_t){.size = sizeof(connection->caller),
                                               .uid = -1,
                                               .gid = -1,
                                               .pid = -1,
                                               .address = connection->guest.address_text,
                                               .name = connection->guest.name};
}

static void let_in(door_t *door, h2o_socket_t *sock)
{
    weir_admin_t *admin = door->admin;
    connection_t *connection = calloc(1, sizeof(*connection));

    WEIR_MUST(connection != NULL);
    connection->admin = admin;
    connection->door = door;
    connection->fd = h2o_socket_get_fd(sock);
    know_caller(connection);
    connection->is_welcome = is_welcome(admin, connection->fd);
    weir_list_append(&admin->connections, &connection->link);
    sock->on_close.cb = on_close;
    sock->on_close.data = connection;
    if (++admin->connection_count > WEIR_ADMIN_CONNECTIONS)
        cut_oldest(admin, connection);
    h2o_accept(&door->accept, sock);
}

static void on_accept(h2o_socket_t *listener, const char *error)
{
    h2o_socket_t *sock = error != NULL ? NULL : h2o_evloop_socket_accept(listener);

    if (sock != NULL)
        let_in(listener->data, sock);
}

/* False: it was answered. */
static bool admit(connection_t *connection, weir_admin_call_t *call)
{
    weir_admin_t *admin = connection->admin;

    if (connection->door == &admin->path_door)
        return true;
    call->own_host = admin->host;
    return admin_gate_admits(admin->gate, &connection->guest, call);
}

static int on_request(h2o_handler_t *self, h2o_req_t *req)
{
    weir_admin_t *admin = ((handler_t *)(void *)self)->admin;
    connection_t *connection = req->conn->callbacks->get_socket(req->conn)->on_close.data;
    const weir_before_t before = weir_at_work_on(NULL, "the admin endpoint", "a call", "answering");
    weir_admin_call_t *call = admin_call_of(req, &connection->caller, &connection->open);

    if (admin->is_retreating)
        req->http1_is_persistent = 0;
    if (call != NULL && !connection->is_welcome)
        weir_admin_problem(call, FORBIDDEN, "forbidden", NULL, "this is not for where you come from");
    else if (call != NULL && admit(connection, call) && !(admin->from == NULL && admin_call_refuse(call)))
        admin_call_route(call, admin->routes);
    weir_at_work_back(before);
    return 0;
}

/* ---- life ---- */

static void begin_listening(door_t *door, SSL_CTX *tls)
{
    weir_admin_t *admin = door->admin;

    if (door->fd == -1)
        return;
    door->accept = (h2o_accept_ctx_t){.ctx = &admin->context, .hosts = admin->conf.hosts, .ssl_ctx = tls};
    door->listener = h2o_evloop_socket_create(admin->loop->h2o.loop, door->fd, H2O_SOCKET_FLAG_DONT_READ);
    door->listener->data = door;
    h2o_socket_read_start(door->listener, on_accept);
}

static void end_listening(door_t *door)
{
    door->fd = -1;
    if (door->listener == NULL)
        return;
    h2o_socket_read_stop(door->listener);
    h2o_socket_close(door->listener);
    door->listener = NULL;
}

static void on_retreat(weir_letter_t *letter)
{
    weir_admin_t *admin = WEIR_AROUND(letter, weir_admin_t, retreat);

    admin->is_retreating = true;
    end_listening(&admin->path_door);
}

void weir_admin_retreat(weir_admin_t *admin)
{
    admin->retreat.open = on_retreat;
    weir_list_init(&admin->retreat.link);
    weir_loop_post(admin->loop, &admin->retreat);
}

/* Whoever has come by now is served: the address is shared with the successor, the queue of those who wait is not. */
static void on_retire(weir_letter_t *letter)
{
    weir_admin_t *admin = WEIR_AROUND(letter, weir_admin_t, retire);
    h2o_socket_t *sock;

    while (admin->tcp_door.listener != NULL && (sock = h2o_evloop_socket_accept(admin->tcp_door.listener)) != NULL)
        let_in(&admin->tcp_door, sock);
    end_listening(&admin->tcp_door);
}

void weir_admin_retire(weir_admin_t *admin)
{
    if (admin == NULL || admin->loop == NULL)
        return;
    admin->retire.open = on_retire;
    weir_list_init(&admin->retire.link);
    weir_loop_post(admin->loop, &admin->retire);
}

static void on_start(weir_letter_t *letter)
{
    weir_admin_t *admin = WEIR_AROUND(letter, weir_admin_t, start);

    h2o_config_init(&admin->conf);
    admin->conf.max_request_entity_size = admin->from == NULL ? WEIR_ADMIN_BODY_BYTES : WEIR_ADMIN_BODY_BYTES_TCP;
    admin->conf.http1.req_timeout = WEIR_ADMIN_REQUEST_MS;
    admin->conf.http1.upgrade_to_http2 = 0;
    admin->conf.server_name = h2o_iovec_init(H2O_STRLIT("weir"));
    h2o_hostconf_t *host = h2o_config_register_host(&admin->conf, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    h2o_pathconf_t *path = h2o_config_register_path(host, "/", 0);
    handler_t *handler = (handler_t *)(void *)h2o_create_handler(path, sizeof(*handler));
    handler->super.on_req = on_request;
    handler->admin = admin;
    h2o_context_init(&admin->context, admin->loop->h2o.loop, &admin->conf);
    begin_listening(&admin->path_door, NULL);
    begin_listening(&admin->tcp_door, admin->tls);
}

void weir_admin_start(weir_admin_t *admin, const weir_admin_route_t *routes)
{
    admin->routes = routes;
    admin->loop = weir_steward();
    admin->start.open = on_start;
    weir_list_init(&admin->start.link);
    weir_loop_post(admin->loop, &admin->start);
}

static void on_end(weir_letter_t *letter)
{
    weir_admin_t *admin = WEIR_AROUND(letter, weir_admin_t, end);
    h2o_multithread_queue_t *queue = admin->context.queue;

    h2o_context_dispose(&admin->context);
    free(queue); /* libh2o closes it and leaves it */
    h2o_config_dispose(&admin->conf);
    pthread_mutex_lock(&admin->lock);
    admin->is_gone = true;
    pthread_cond_signal(&admin->has_ended);
    pthread_mutex_unlock(&admin->lock);
}

/* Their ends are read at once, and libh2o closes who is at its end. */
static void on_stop(weir_letter_t *letter)
{
    weir_admin_t *admin = WEIR_AROUND(letter, weir_admin_t, stop);

    end_listening(&admin->path_door);
    end_listening(&admin->tcp_door);
    admin->is_ending = true;
    for (weir_list_t *node = admin->connections.next, *next; node != &admin->connections; node = next) {
        connection_t *connection = WEIR_AROUND(node, connection_t, link);
        next = node->next;
        (void)shutdown(connection->fd, SHUT_RDWR);
        admin_open_cut(&connection->open);
    }
    end_if_done(admin);
}

static void remove_name(const weir_admin_t *admin)
{
    struct stat present;

    if (admin->path != NULL && stat(admin->path, &present) == 0 && present.st_ino == admin->at.st_ino &&
        present.st_dev == admin->at.st_dev)
        (void)unlink(admin->path);
}

void weir_admin_stop(weir_admin_t **slot)
{
    weir_admin_t *admin = *slot;

    if (admin == NULL)
        return;
    *slot = NULL;
    remove_name(admin);
    if (admin->loop != NULL) {
        admin->stop.open = on_stop;
        weir_list_init(&admin->stop.link);
        weir_loop_post(admin->loop, &admin->stop);
        pthread_mutex_lock(&admin->lock);
        while (!admin->is_gone)
            pthread_cond_wait(&admin->has_ended, &admin->lock);
        pthread_mutex_unlock(&admin->lock);
    }
    destroy(admin);
}
