/* A server of HTTP/2 in clear text, on libnghttp2 and epoll, one thread. It listens, or dials Weir as workers do, or both; what it
 * answers is the same. GET /<anything>: 66 bytes, DELAY ms later.
 * Usage: worker PORT|0 DIAL_PORT|0 APP CONNECTIONS CAPACITY DELAY
 * Prints `ready` when all connections are registered, and when SIGTERM ends it, how many requests waited for their answer at most.
 * A connection that ends is told on standard error, and not made again. */
#include "common.h"
#include <nghttp2/nghttp2.h>

enum { PIECE = 65536, BODY = 66 };
typedef struct conn { int fd, armed; nghttp2_session *session; const uint8_t *rest; ssize_t left; } conn_t;
typedef struct due { conn_t *conn; int32_t id; uint64_t at; } due_t;

static int ep, listener = -1;
static int most;
static uint64_t delay;
static due_t *queue; /* a ring: all wait equally long */
static volatile sig_atomic_t is_over;
static uint32_t head, tail, peak, mask = (1u << 17) - 1;
static char body[BODY];

static ssize_t read_body(nghttp2_session *s, int32_t id, uint8_t *to, size_t room, uint32_t *flags, nghttp2_data_source *source, void *u) {
  memcpy(to, body, BODY);
  *flags |= NGHTTP2_DATA_FLAG_EOF;
  return BODY;
}
static int answer(nghttp2_session *s, int32_t id) {
  static uint8_t n0[] = ":status", v0[] = "200", n1[] = "content-length", v1[] = "66", n2[] = "content-type", v2[] = "text/plain";
  static const nghttp2_nv fields[] = {{n0, v0, 7, 3, 0}, {n1, v1, 14, 2, 0}, {n2, v2, 12, 10, 0}};
  nghttp2_data_provider provider = {.read_callback = read_body};
  return nghttp2_submit_response(s, id, fields, 3, &provider);
}
static int on_frame(nghttp2_session *s, const nghttp2_frame *f, void *u) {
  if ((f->hd.type != NGHTTP2_HEADERS && f->hd.type != NGHTTP2_DATA) || !(f->hd.flags & NGHTTP2_FLAG_END_STREAM)) return 0;
  if (delay == 0) return answer(s, f->hd.stream_id);
  if (tail - head > mask) die("too many requests at once");
  queue[tail++ & mask] = (due_t){u, f->hd.stream_id, now_ns() + delay};
  if (tail - head > peak) peak = tail - head;
  return 0;
}
static int start(int fd) {
  static nghttp2_session_callbacks *callbacks;
  nghttp2_settings_entry e = {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, most};
  if (!callbacks) {
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
  }
  conn_t *c = calloc(1, sizeof *c);
  c->fd = fd;
  if (nghttp2_session_server_new(&c->session, callbacks, c) || nghttp2_submit_settings(c->session, 0, &e, 1)) die("nghttp2");
  struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};
  return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
}
static void gone(conn_t *c, const char *why) {
  if (listener < 0) fprintf(stderr, "gone: %s\n", why);
  for (uint32_t i = head; i != tail; i++) if (queue[i & mask].conn == c) queue[i & mask].conn = NULL;
  nghttp2_session_del(c->session);
  close(c->fd);
  free(c);
}
/* What is to be said in as few writes as can be. 0: the connection lives. */
static int flush(conn_t *c) {
  static uint8_t out[PIECE];
  for (;;) {
    size_t n = 0;
    while (n < sizeof out) {
      if (c->left == 0 && (c->left = nghttp2_session_mem_send(c->session, &c->rest)) < 0) return -1;
      if (c->left == 0) break;
      size_t take = (size_t)c->left < sizeof out - n ? (size_t)c->left : sizeof out - n;
      memcpy(out + n, c->rest, take);
      n += take; c->rest += take; c->left -= take;
    }
    if (n == 0) return 0;
    for (size_t sent = 0; sent < n;) { /* the proxy always reads: waiting is rare */
      ssize_t k = send(c->fd, out + sent, n - sent, MSG_NOSIGNAL);
      if (k < 0 && errno != EAGAIN) return -1;
      if (k > 0) sent += k; else usleep(100);
    }
  }
}
static void readable(conn_t *c) {
  static uint8_t in[PIECE];
  ssize_t n = recv(c->fd, in, sizeof in, 0);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) return gone(c, n ? strerror(errno) : "end");
  if (nghttp2_session_mem_recv(c->session, in, n) < 0 || flush(c)) gone(c, "HTTP/2");
}
/* The registration, byte by byte: what is behind the 101 is HTTP/2's. */
static int dial(int port, const char *app, int n) {
  char words[512], head[1024];
  size_t got = 0;
  int fd = connect_to(port);
  if (fd < 0) die("connect");
  fcntl(fd, F_SETFL, 0);
  snprintf(words, sizeof words, "GET /workers/v1/%s HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: ptth\r\nALPN: h2\r\n"
    "Worker-Protocol: 1\r\nWorker-Id: w%d\r\nWorker-Capacity: %d\r\n\r\n", app, n, most);
  if (send(fd, words, strlen(words), MSG_NOSIGNAL) < 0) die("send");
  while (got < sizeof head - 1 && recv(fd, head + got, 1, 0) == 1) {
    head[++got] = 0;
    if (got > 4 && !memcmp(head + got - 4, "\r\n\r\n", 4)) break;
  }
  if (strncmp(head, "HTTP/1.1 101", 12)) { fprintf(stderr, "not let in: %s\n", head); exit(1); }
  fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}

static void on_term(int number) { is_over = 1; }

int main(int argc, char **argv) {
  if (argc != 7) { fprintf(stderr, "worker PORT|0 DIAL_PORT|0 APP CONNECTIONS CAPACITY DELAY\n"); return 2; }
  most = atoi(argv[5]); delay = atoi(argv[6]) * 1000000ull;
  memset(body, 'x', BODY);
  queue = malloc((mask + 1) * sizeof *queue);
  ep = epoll_create1(EPOLL_CLOEXEC);
  if (atoi(argv[1])) {
    listener = listen_on(atoi(argv[1]));
    struct epoll_event e = {.events = EPOLLIN};
    epoll_ctl(ep, EPOLL_CTL_ADD, listener, &e);
  }
  for (int n = 0; atoi(argv[2]) && n < atoi(argv[4]); n++) start(dial(atoi(argv[2]), argv[3], n));
  sigaction(SIGTERM, &(struct sigaction){.sa_handler = on_term}, NULL);
  puts("ready"); fflush(stdout);
  while (!is_over) {
    struct epoll_event events[256];
    int wait = head == tail ? -1 : queue[head & mask].at <= now_ns() ? 0 : (int)((queue[head & mask].at - now_ns()) / 1000000) + 1;
    int n = epoll_wait(ep, events, 256, wait);
    for (int i = 0; i < n; i++) {
      if (events[i].data.ptr) { readable(events[i].data.ptr); continue; }
      int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), one = 1;
      if (fd < 0) continue;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      start(fd);
    }
    for (conn_t *last = NULL; head != tail && queue[head & mask].at <= now_ns(); head++) {
      due_t *d = &queue[head & mask];
      if (!d->conn) continue;
      answer(d->conn->session, d->id);
      if (last != d->conn && last) flush(last);
      last = d->conn;
      if (head + 1 == tail || queue[(head + 1) & mask].at > now_ns()) flush(last);
    }
  }
  printf("%u\n", peak);
}
