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
#include "lib/base/list.h"
#include "lib/base/must.h"
#include "lib/walk/at_work.h"
#include "lib/walk/steward.h"
#include "lib/wire/loop/loop.h"

enum { BACKLOG = 64, FORBIDDEN = 403 };

typedef struct connection {
    weir_list_t link;
    weir_admin_t *admin;
    weir_admin_caller_t caller;
    int fd;
    bool is_welcome;
    admin_open_t open;
} connection_t;

/* Begun and ended by the main thread; everything between is the steward's. */
struct weir_admin {
    int fd;
    char *path;     /* NULL: it is one of TCP */
    struct stat at; /* which socket is ours   */
    weir_network_t *from;
    size_t from_count; /* of TCP: who is answered */
    const weir_admin_route_t *routes;
    weir_loop_t *loop;
    weir_letter_t start, retreat, stop, end;
    h2o_globalconf_t conf;
    h2o_context_t context;
    h2o_accept_ctx_t accept;
    h2o_socket_t *listener; /* NULL: it has been closed */
    bool is_retreating;
    weir_list_t connections;
    size_t connection_count;
    bool is_ending;
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
    admin->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (admin->fd == -1)
        return say(problem, bytes, place->path, "socket");
    if (!make_room(&address, problem, bytes))
        return false;
    if (bind(admin->fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        return say(problem, bytes, place->path, "bind");
    const bool is_ready =
        chmod(address.sun_path, place->permission) == 0 &&
        (place->owner == (uid_t)-1 && place->group == (gid_t)-1 ? true
                                                                : chown(address.sun_path, place->owner, place->group) == 0) &&
        listen(admin->fd, BACKLOG) == 0 && stat(address.sun_path, &admin->at) == 0 &&
        rename(address.sun_path, place->path) == 0;
    if (is_ready)
        return true;
    (void)say(problem, bytes, place->path, "cannot be made ready");
    (void)unlink(address.sun_path);
    return false;
}

static void destroy(weir_admin_t *admin)
{
    if (admin->fd != -1)
        close(admin->fd);
    pthread_mutex_destroy(&admin->lock);
    pthread_cond_destroy(&admin->has_ended);
    free(admin->path);
    free(admin->from);
    free(admin);
}

static weir_admin_t *create(void)
{
    weir_admin_t *admin = calloc(1, sizeof(*admin));

    WEIR_MUST(admin != NULL && pthread_mutex_init(&admin->lock, NULL) == 0);
    WEIR_MUST(pthread_cond_init(&admin->has_ended, NULL) == 0);
    admin->fd = -1;
    weir_list_init(&admin->connections);
    return admin;
}

weir_admin_t *weir_admin_bind(const weir_admin_place_t *place, char *problem, size_t problem_bytes)
{
    weir_admin_t *admin = create();

    admin->path = strdup(place->path);
    if (open_socket(admin, place, problem, problem_bytes))
        return admin;
    destroy(admin);
    return NULL;
}

weir_admin_t *weir_admin_adopt(int fd, const weir_network_t *from, size_t from_count)
{
    weir_admin_t *admin = create();

    admin->fd = fd;
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

/* Whoever may open a unix socket is. */
static bool is_welcome(const weir_admin_t *admin, int fd)
{
    struct sockaddr_storage peer;
    socklen_t length = sizeof(peer);

    return admin->path != NULL || (getpeername(fd, (struct sockaddr *)&peer, &length) == 0 &&
                                   weir_networks_hold(admin->from, admin->from_count, (const struct sockaddr *)&peer));
}

/*
 * Nobody can keep others out by keeping still. Its end is read at once, and libh2o closes who is at its end; it stands behind
 * the others until then, so that each that is too many cuts another one.
 */
static void cut_oldest(weir_admin_t *admin)
{
    weir_list_t *oldest = admin->connections.next;
    connection_t *connection = WEIR_AROUND(oldest, connection_t, link);

    (void)shutdown(connection->fd, SHUT_RDWR);
    admin_open_cut(&connection->open);
    weir_list_remove(oldest);
    weir_list_append(&admin->connections, oldest);
}

static void on_accept(h2o_socket_t *listener, const char *error)
{
    weir_admin_t *admin = listener->data;
    h2o_socket_t *sock = error != NULL ? NULL : h2o_evloop_socket_accept(listener);

    if (sock == NULL)
        return;
    connection_t *connection = calloc(1, sizeof(*connection));
    WEIR_MUST(connection != NULL);
    connection->admin = admin;
    connection->fd = h2o_socket_get_fd(sock);
    connection->caller = caller_of(connection->fd);
    connection->is_welcome = is_welcome(admin, connection->fd);
    weir_list_append(&admin->connections, &connection->link);
    sock->on_close.cb = on_close;
    sock->on_close.data = connection;
    if (++admin->connection_count > WEIR_ADMIN_CONNECTIONS)
        cut_oldest(admin);
    h2o_accept(&admin->accept, sock);
}

static int on_request(h2o_handler_t *self, h2o_req_t *req)
{
    weir_admin_t *admin = ((handler_t *)(void *)self)->admin;
    connection_t *connection = req->conn->callbacks->get_socket(req->conn)->on_close.data;
    const weir_before_t before = weir_at_work_on(NULL, "the admin endpoint", "a call", "answering");
    weir_admin_call_t *call = admin_call_of(req, &connection->caller, &connection->open);

    if (admin->is_retreating)
        req->http1_is_persistent = 0;
    if (call != NULL && connection->is_welcome && !(admin->path != NULL && admin_call_refuse(call)))
        admin_call_route(call, admin->routes);
    else if (call != NULL && !connection->is_welcome)
        weir_admin_problem(call, FORBIDDEN, "forbidden", NULL, "this is not for where you come from");
    weir_at_work_back(before);
    return 0;
}

/* ---- life ---- */

static void on_start(weir_letter_t *letter)
{
    weir_admin_t *admin = WEIR_AROUND(letter, weir_admin_t, start);

    h2o_config_init(&admin->conf);
    admin->conf.max_request_entity_size = admin->path != NULL ? WEIR_ADMIN_BODY_BYTES : WEIR_ADMIN_BODY_BYTES_TCP;
    admin->conf.http1.req_timeout = WEIR_ADMIN_REQUEST_MS;
    admin->conf.http1.upgrade_to_http2 = 0;
    admin->conf.server_name = h2o_iovec_init(H2O_STRLIT("weir"));
    h2o_hostconf_t *host = h2o_config_register_host(&admin->conf, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    h2o_pathconf_t *path = h2o_config_register_path(host, "/", 0);
    handler_t *handler = (handler_t *)(void *)h2o_create_handler(path, sizeof(*handler));
    handler->super.on_req = on_request;
    handler->admin = admin;
    h2o_context_init(&admin->context, admin->loop->h2o.loop, &admin->conf);
    admin->accept = (h2o_accept_ctx_t){.ctx = &admin->context, .hosts = admin->conf.hosts};
    admin->listener = h2o_evloop_socket_create(admin->loop->h2o.loop, admin->fd, H2O_SOCKET_FLAG_DONT_READ);
    admin->listener->data = admin;
    h2o_socket_read_start(admin->listener, on_accept);
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

static void close_listener(weir_admin_t *admin)
{
    if (admin->listener == NULL)
        return;
    admin->fd = -1;
    h2o_socket_read_stop(admin->listener);
    h2o_socket_close(admin->listener);
    admin->listener = NULL;
}

static void on_retreat(weir_letter_t *letter)
{
    weir_admin_t *admin = WEIR_AROUND(letter, weir_admin_t, retreat);

    admin->is_retreating = true;
    close_listener(admin);
}

void weir_admin_retreat(weir_admin_t *admin)
{
    admin->retreat.open = on_retreat;
    weir_list_init(&admin->retreat.link);
    weir_loop_post(admin->loop, &admin->retreat);
}

/* Their ends are read at once, and libh2o closes who is at its end. */
static void on_stop(weir_letter_t *letter)
{
    weir_admin_t *admin = WEIR_AROUND(letter, weir_admin_t, stop);

    close_listener(admin);
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
