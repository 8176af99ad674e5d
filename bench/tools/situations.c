/* Backends that are slow, ill or cold on purpose, and the client that asks for them: bench/situations.py drives both.
 *
 *   situations backends COUNT WORKERS SLOW SLOW_TIMES WRONG_FROM WRONG_FOR MOOD TIMES OWN SEED
 *      COUNT backends on free ports of 127.0.0.1, each with WORKERS workers and a FIFO in front of them; the first SLOW of them
 *      need SLOW_TIMES as long for everything. Prints the ports on one line, reads the start (CLOCK_MONOTONIC, ns) from standard
 *      input, and ends with it. GET /N takes a worker for N us; a request whose connection has ended is not begun.
 *      The first one has MOOD from WRONG_FROM s on, for WRONG_FOR s: well, slow (TIMES as long), fails (500 in 1 ms), hangs,
 *      fails-sometimes (40 % 500s); or cold: 8 times slower at first, and well after 400 answers. TIMES of another mood than slow,
 *      if not 0: for so many seconds, then well for as many. OWN: the share of 500s that all of them answer by themselves.
 *   situations client PORT START SECONDS RATE WARM WRONG_FROM WRONG_FOR SEED
 *      RATE requests a second, in the mean, whatever becomes of those before (Poisson, open loop), from 200 addresses; each
 *      wants a lognormal time of work (mean 50 ms, sigma 1). Latency counts from the instant when it was due. Prints one JSON
 *      line: of those that were due behind WARM s, and of those that were due while something was wrong. */
#include "common.h"

#include <math.h>
#include <stdbool.h>

enum { BACKENDS = 64, QUEUE = 65536, CLIENTS = 200, COLD = 400, HEAD = 2048, CONNS = 20000, DRAIN_S = 35 };
#define SECOND 1000000000ull

/* ---- dice: splitmix64 ---- */
static uint64_t dice_state = 1;
static uint64_t dice(void) {
  uint64_t z = dice_state += 0x9E3779B97F4A7C15u;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return z ^ z >> 31;
}
static double dice_unit(void) { return (double)(dice() >> 11) * 0x1p-53; }

/* ---- epoll, one timerfd ---- */
static int ep, tf;
static void loop_open(void) {
  signal(SIGPIPE, SIG_IGN);
  ep = epoll_create1(EPOLL_CLOEXEC);
  tf = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (ep < 0 || tf < 0) die("epoll/timerfd");
  struct epoll_event e = {.events = EPOLLIN, .data.u64 = UINT64_MAX};
  epoll_ctl(ep, EPOLL_CTL_ADD, tf, &e);
}
static void wake_at(uint64_t ns) {
  struct itimerspec it = {.it_value = {(time_t)(ns / SECOND), (long)(ns % SECOND)}};
  timerfd_settime(tf, TFD_TIMER_ABSTIME, &it, NULL);
}
static void watch(int fd, uint64_t what) {
  struct epoll_event e = {.events = EPOLLIN, .data.u64 = what};
  if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e)) die("epoll_ctl");
}
static void drain_timer(void) { uint64_t n; if (read(tf, &n, sizeof n) < 0 && errno != EAGAIN) die("timerfd"); }

/* ---- connections: of a backend, or of the client ---- */
struct conn {
  int fd, owner, next;          /* owner: backend, or the client's address; next: in a list of free or idle ones */
  unsigned life;                /* counts up when it is closed: what remembers an older one means another */
  bool busy, connecting;
  size_t got; long need;
  uint64_t due;
  char buf[HEAD];
};
static struct conn *conns; static int spare = -1, conn_count;
static int conn_new(int fd, int owner) {
  int i = spare;
  if (i >= 0) spare = conns[i].next;
  else if (conn_count < CONNS) i = conn_count++;
  else { fprintf(stderr, "more than %d connections\n", CONNS); exit(1); }
  struct conn *c = &conns[i];
  unsigned life = c->life;
  memset(c, 0, offsetof(struct conn, buf));
  c->fd = fd; c->owner = owner; c->life = life; c->next = -1; c->need = -1;
  watch(fd, (uint64_t)i);
  return i;
}
static void conn_close(int i) {
  close(conns[i].fd);
  conns[i].fd = -1; conns[i].life++; conns[i].next = spare;
  spare = i;
}

/* ---- backends ---- */
enum mood { WELL, SLOW, FAILS, HANGS, FAILS_SOMETIMES, IS_COLD, MOODS };
static const char *const mood_names[MOODS] = {"well", "slow", "fails", "hangs", "fails-sometimes", "cold"};
struct job { int conn; unsigned life; double work_s; };
static struct backend { int listener, busy; unsigned served, head, tail; struct job queue[QUEUE]; } *backends;
struct event { uint64_t at; int backend, conn; unsigned life; bool takes_worker; };
static struct event *heap; static size_t heap_count, heap_room;
static int backend_count, worker_count, slow_count;
static double wrong_from, wrong_for, mood_times = 1, slow_times = 1, flap_s, own_failures;
static enum mood its_mood;
static uint64_t start;

static void event_put(struct event e) {
  size_t i = heap_count++;
  if (heap_count > heap_room && !(heap = realloc(heap, (heap_room = heap_room * 2 + 1024) * sizeof *heap))) die("memory");
  for (; i > 0 && heap[(i - 1) / 2].at > e.at; i = (i - 1) / 2) heap[i] = heap[(i - 1) / 2];
  heap[i] = e;
}
static struct event event_take(void) {
  struct event first = heap[0], last = heap[--heap_count];
  size_t i = 0, child;
  while ((child = 2 * i + 1) < heap_count) {
    child += child + 1 < heap_count && heap[child + 1].at < heap[child].at;
    if (heap[child].at >= last.at) break;
    heap[i] = heap[child]; i = child;
  }
  heap[i] = last;
  return first;
}
static enum mood mood(int b) {
  double s = ((double)now_ns() - (double)start) / 1e9 - wrong_from;
  if (b != 0 || start == 0 || s < 0 || s >= wrong_for || its_mood == IS_COLD) return WELL;
  return flap_s > 0 && fmod(s, 2 * flap_s) >= flap_s ? WELL : its_mood;
}
static void reply(int conn, bool failed) {
  static const char well[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n", bad[] = "HTTP/1.1 500 Oh\r\nContent-Length: 3\r\n\r\noh\n";
  conns[conn].busy = false;
  if (send(conns[conn].fd, failed ? bad : well, sizeof well - 1, MSG_NOSIGNAL) < 0) conn_close(conn);
}
static void begin_work(int b, struct job job) {
  struct backend *be = &backends[b];
  double times = b < slow_count ? slow_times : 1;
  if (its_mood == IS_COLD && b == 0 && be->served < COLD) times *= 8 - 7.0 * be->served / COLD;
  if (mood(b) == SLOW) times *= mood_times;
  be->busy++;
  event_put((struct event){now_ns() + (uint64_t)(job.work_s * times * 1e9), b, job.conn, job.life, true});
}
static void on_request(int conn, double work_s) {
  int b = conns[conn].owner;
  struct backend *be = &backends[b];
  struct job job = {conn, conns[conn].life, work_s};
  conns[conn].busy = true;
  switch (mood(b)) {
  case FAILS: event_put((struct event){now_ns() + 1000000, b, conn, job.life, false}); return;
  case HANGS: return;
  default: break;
  }
  if (be->busy < worker_count) { begin_work(b, job); return; }
  if (be->tail - be->head == QUEUE) { fprintf(stderr, "a backend's queue is full\n"); exit(1); }
  be->queue[be->tail++ % QUEUE] = job;
}
static bool is_there(int conn, unsigned life) { return conns[conn].fd >= 0 && conns[conn].life == life; }
static void on_event(struct event e) {
  struct backend *be = &backends[e.backend];
  if (!e.takes_worker) { if (is_there(e.conn, e.life)) reply(e.conn, true); return; }
  be->busy--; be->served++;
  while (be->head != be->tail && be->busy < worker_count) {
    struct job next = be->queue[be->head++ % QUEUE];
    if (is_there(next.conn, next.life)) begin_work(e.backend, next);
  }
  if (is_there(e.conn, e.life)) reply(e.conn, dice_unit() < own_failures || (mood(e.backend) == FAILS_SOMETIMES && dice_unit() < 0.4));
}
static void read_request(int i) {
  struct conn *c = &conns[i];
  ssize_t n = recv(c->fd, c->buf + c->got, HEAD - 1 - c->got, 0);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) { conn_close(i); return; }
  c->got += (size_t)n; c->buf[c->got] = 0;
  if (!strstr(c->buf, "\r\n\r\n")) { if (c->got == HEAD - 1) conn_close(i); return; }
  c->got = 0;
  char *path = strchr(c->buf, '/');
  on_request(i, path ? strtod(path + 1, NULL) / 1e6 : 0);
}
static void accept_on(int b) {
  int fd, one = 1;
  while ((fd = accept4(backends[b].listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    conn_new(fd, b);
  }
}
static void open_backends(void) {
  enum { LISTENERS = 1 << 24 };
  backends = calloc((size_t)backend_count, sizeof *backends);
  for (int b = 0; b < backend_count; b++) {
    struct sockaddr_in a; socklen_t size = sizeof a;
    backends[b].listener = listen_on(0);
    getsockname(backends[b].listener, (void *)&a, &size);
    printf("%s%d", b ? " " : "", ntohs(a.sin_port));
    watch(backends[b].listener, (uint64_t)(LISTENERS + b));
  }
  printf("\n"); fflush(stdout);
  fcntl(0, F_SETFL, O_NONBLOCK);
  watch(0, UINT64_MAX - 1);
  for (;;) {
    struct epoll_event ev[256];
    if (heap_count > 0) wake_at(heap[0].at);
    int n = epoll_wait(ep, ev, 256, -1);
    for (int i = 0; i < n; i++) {
      uint64_t what = ev[i].data.u64;
      if (what == UINT64_MAX) drain_timer();
      else if (what == UINT64_MAX - 1) {
        char line[64]; ssize_t got = read(0, line, sizeof line - 1);
        if (got == 0) exit(0);
        if (got > 0) { line[got] = 0; start = strtoull(line, NULL, 10); }
      } else if (what >= LISTENERS) accept_on((int)(what - LISTENERS));
      else if (conns[what].fd >= 0) read_request((int)what);
    }
    while (heap_count > 0 && heap[0].at <= now_ns()) on_event(event_take());
  }
}

/* ---- the client ---- */
struct counts { float *ms; size_t well, room; unsigned long all, failed, all_later, failed_later; };
static struct counts always, meanwhile;
static int idle[CLIENTS], proxy_port, open_requests;
static double warm_s; static float late_ms;

static void count(struct counts *c, double due_s, bool failed, double ms) {
  bool later = due_s >= wrong_from + 1;
  c->all++; c->failed += failed; c->all_later += later; c->failed_later += later && failed;
  if (failed) return;
  if (c->well == c->room && !(c->ms = realloc(c->ms, (c->room = c->room * 2 + 4096) * sizeof(float)))) die("memory");
  c->ms[c->well++] = (float)ms;
}
static void ended(uint64_t due, bool failed) {
  double due_s = ((double)due - (double)start) / 1e9, ms = (double)(now_ns() - due) / 1e6;
  open_requests--;
  if (due_s >= warm_s) count(&always, due_s, failed, ms);
  if (due_s >= wrong_from && due_s < wrong_from + wrong_for) count(&meanwhile, due_s, failed, ms);
}
static int dial(int client) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
  struct sockaddr_in a = {.sin_family = AF_INET};
  if (fd < 0) die("socket");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 256 + (uint32_t)client);
  if (bind(fd, (void *)&a, sizeof a)) die("bind");
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK); a.sin_port = htons((uint16_t)proxy_port);
  if (connect(fd, (void *)&a, sizeof a) && errno != EINPROGRESS) { close(fd); return -1; }
  return fd;
}
static void send_head(int i) {
  struct conn *c = &conns[i];
  uint64_t due = c->due;
  c->connecting = false;
  if (send(c->fd, c->buf, c->got, MSG_NOSIGNAL) != (ssize_t)c->got) { conn_close(i); ended(due, true); return; }
  c->got = 0;
}
static void fire(uint64_t due) {
  double normal = sqrt(-2 * log(1 - dice_unit())) * cos(6.283185307179586 * dice_unit()), work_s = 0.05 * exp(normal - 0.5);
  int client = (int)(dice() % CLIENTS), i = idle[client], fd;
  double late = (double)(now_ns() - due) / 1e6;
  bool is_new = i < 0;
  if ((float)late > late_ms) late_ms = (float)late;
  open_requests++;
  if (!is_new) idle[client] = conns[i].next;
  else if ((fd = dial(client)) < 0) { ended(due, true); return; }
  else i = conn_new(fd, client);
  struct conn *c = &conns[i];
  c->busy = true; c->due = due; c->need = -1; c->connecting = is_new;
  c->got = (size_t)snprintf(c->buf, HEAD, "GET /%.0f HTTP/1.1\r\nHost: a\r\n\r\n", work_s * 1e6);
  if (!is_new) { send_head(i); return; }
  struct epoll_event e = {.events = EPOLLOUT, .data.u64 = (uint64_t)i};
  epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
}
static void on_connected(int i) {
  struct epoll_event e = {.events = EPOLLIN, .data.u64 = (uint64_t)i};
  epoll_ctl(ep, EPOLL_CTL_MOD, conns[i].fd, &e);
  send_head(i);
}
/* Idle ones that the proxy closes are found when they are used; that does not happen within its keep-alive time. */
static void read_response(int i) {
  struct conn *c = &conns[i];
  ssize_t n = recv(c->fd, c->buf + c->got, HEAD - 1 - c->got, 0);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0 || !c->busy) {
    if (!c->busy) { for (int *at = &idle[c->owner]; *at >= 0; at = &conns[*at].next) if (*at == i) { *at = c->next; break; } conn_close(i); return; }
    uint64_t due = c->due;
    conn_close(i); ended(due, true);
    return;
  }
  c->got += (size_t)n; c->buf[c->got] = 0;
  if (c->need < 0) {
    char *end = strstr(c->buf, "\r\n\r\n"), *length;
    if (!end) return;
    length = strcasestr(c->buf, "content-length:");
    c->need = (end + 4 - c->buf) + (length && length < end ? atol(length + 15) : 0);
    if (c->need >= HEAD) { fprintf(stderr, "a response is too long\n"); exit(1); }
  }
  if ((long)c->got < c->need) return;
  bool failed = strncmp(c->buf + 9, "200", 3) != 0, closes = strcasestr(c->buf, "connection: close") != NULL;
  uint64_t due = c->due;
  c->busy = false;
  if (closes) conn_close(i);
  else { c->next = idle[c->owner]; idle[c->owner] = i; }
  ended(due, failed);
}
static int by_size(const void *a, const void *b) { float x = *(const float *)a, y = *(const float *)b; return (x > y) - (x < y); }
static void tell(const char *name, struct counts *c) {
  qsort(c->ms, c->well, sizeof(float), by_size);
#define AT(q) (c->well ? (double)c->ms[(size_t)((q) * (double)(c->well - 1))] : 0)
  printf("\"%s\": {\"all\": %lu, \"failed\": %lu, \"all_later\": %lu, \"failed_later\": %lu, \"p50_ms\": %.2f, \"p99_ms\": %.2f, \"p999_ms\": %.2f}, ",
         name, c->all, c->failed, c->all_later, c->failed_later, AT(0.5), AT(0.99), AT(0.999));
}
static void run_client(double seconds, double rate) {
  uint64_t due = start, end = start + (uint64_t)(seconds * 1e9), give_up = end + DRAIN_S * SECOND;
  for (int i = 0; i < CLIENTS; i++) idle[i] = -1;
  due += (uint64_t)(-log(1 - dice_unit()) / rate * 1e9);
  while (due < end || open_requests > 0) {
    struct epoll_event ev[256];
    if (now_ns() > give_up) break;
    while (due < end && due <= now_ns()) { fire(due); due += (uint64_t)(-log(1 - dice_unit()) / rate * 1e9); }
    if (due < end) wake_at(due);
    int n = epoll_wait(ep, ev, 256, 200);
    for (int i = 0; i < n; i++) {
      if (ev[i].data.u64 == UINT64_MAX) drain_timer();
      else if (conns[ev[i].data.u64].fd < 0) continue;
      else if (conns[ev[i].data.u64].connecting) on_connected((int)ev[i].data.u64);
      else read_response((int)ev[i].data.u64);
    }
  }
  printf("{"); tell("always", &always); tell("meanwhile", &meanwhile);
  printf("\"unanswered\": %d, \"latest_ms\": %.1f}\n", open_requests, (double)late_ms);
}

int main(int ac, char **av) {
  conns = calloc(CONNS, sizeof *conns);
  loop_open();
  if (ac == 12 && !strcmp(av[1], "backends")) {
    backend_count = atoi(av[2]); worker_count = atoi(av[3]);
    slow_count = atoi(av[4]); slow_times = atof(av[5]);
    wrong_from = atof(av[6]); wrong_for = atof(av[7]);
    while (its_mood < MOODS && strcmp(mood_names[its_mood], av[8])) its_mood++;
    mood_times = atof(av[9]); own_failures = atof(av[10]);
    flap_s = its_mood == SLOW ? 0 : mood_times;
    dice_state = strtoull(av[11], NULL, 10) * 1000033;
    if (backend_count < 1 || backend_count > BACKENDS || worker_count < 1 || its_mood == MOODS) return 2;
    open_backends();
  }
  if (ac == 10 && !strcmp(av[1], "client")) {
    proxy_port = atoi(av[2]); start = strtoull(av[3], NULL, 10);
    warm_s = atof(av[6]); wrong_from = atof(av[7]); wrong_for = atof(av[8]);
    dice_state = strtoull(av[9], NULL, 10) * 1000003;
    run_client(atof(av[4]), atof(av[5]));
    return 0;
  }
  fprintf(stderr, "usage: see the beginning of bench/tools/situations.c\n");
  return 2;
}
