/* Cheapest useful HTTP/1.1 origin: one thread, epoll, answers from memory.
 *   GET /<anything>    66-byte body
 *   GET /b/<n>         n-byte body with Content-Length (n <= 64 MiB)
 *   GET /s/<status>    66-byte body, that status (not 1xx, 204, 304)
 *   POST/PUT           body drained (Content-Length or chunked), 66-byte answer
 *   Upgrade: x         101, then echoes bytes
 * Usage: backend PORT */
#include "common.h"

#define BUFSZ 65536
#define SMALL_BODY 66
enum { ST_HEAD, ST_BODY, ST_CHUNK, ST_ECHO };
struct conn {
  int fd, st, close_after, in_epoll_out;
  uint32_t blen;          /* buffered input */
  uint64_t body_left;     /* request body still to drain */
  int ck;                 /* chunked: 0 size line, 1 data, 2 trailer */
  uint64_t out_small;     /* pending small responses not yet fully written */
  const char *sp; size_t sl;   /* pending header bytes */
  uint64_t foff, fleft;   /* pending file bytes */
  char hdr[256];
  char *eb; size_t el, eo; /* echo leftovers */
  char buf[BUFSZ];
};
static int ep, memfd;
static char small[512]; static size_t small_len;
static char small_close[512]; static size_t small_close_len;
static const uint64_t MAXB = 64ull << 20;

static void arm(struct conn *c, int out) {
  if (c->in_epoll_out == out) return;
  c->in_epoll_out = out;
  struct epoll_event e = {.events = out ? EPOLLOUT : EPOLLIN, .data.ptr = c};
  epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
}
static void drop(struct conn *c) { close(c->fd); free(c->eb); free(c); }

/* 1 done, 0 would block, -1 dead */
static int flush_out(struct conn *c) {
  while (c->sl) {
    ssize_t n = send(c->fd, c->sp, c->sl, MSG_NOSIGNAL | (c->fleft ? MSG_MORE : 0));
    if (n < 0) return errno == EAGAIN ? 0 : -1;
    c->sp += n; c->sl -= n;
  }
  while (c->fleft) {
    off_t o = c->foff;
    ssize_t n = sendfile(c->fd, memfd, &o, c->fleft > (1 << 20) ? (1 << 20) : c->fleft);
    if (n < 0) return errno == EAGAIN ? 0 : -1;
    if (n == 0) return -1;
    c->foff += n; c->fleft -= n;
  }
  return 1;
}
static const char *find_hdr(const char *h, const char *end, const char *name) {
  size_t nl = strlen(name);
  const char *p = h;
  while (p < end) {
    const char *e = memchr(p, '\n', end - p);
    if (!e) break;
    if ((size_t)(e - p) > nl && p[nl] == ':' && !strncasecmp(p, name, nl)) {
      p += nl + 1; while (*p == ' ') p++;
      return p;
    }
    p = e + 1;
  }
  return NULL;
}
static void respond(struct conn *c, uint64_t n) {
  if (n == SMALL_BODY) {
    c->sp = c->close_after ? small_close : small;
    c->sl = c->close_after ? small_close_len : small_len;
    return;
  }
  if (n > MAXB) n = MAXB;
  c->sl = snprintf(c->hdr, sizeof c->hdr,
    "HTTP/1.1 200 OK\r\nServer: bench\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
    "Content-Type: application/octet-stream\r\nContent-Length: %llu\r\n%s\r\n",
    (unsigned long long)n, c->close_after ? "Connection: close\r\n" : "");
  c->sp = c->hdr; c->foff = 0; c->fleft = n;
}
static void respond_status(struct conn *c, unsigned status) {
  c->sl = snprintf(c->hdr, sizeof c->hdr, "HTTP/1.1 %u Asked\r\nContent-Length: %d\r\n%s\r\n", status, SMALL_BODY,
    c->close_after ? "Connection: close\r\n" : "");
  c->sp = c->hdr; c->foff = 0; c->fleft = SMALL_BODY;
}
/* consume what is buffered; -1: drop; 0: need input; 1: output pending */
static int step(struct conn *c) {
  for (;;) {
    if (c->st == ST_BODY) {
      uint64_t k = c->blen < c->body_left ? c->blen : c->body_left;
      memmove(c->buf, c->buf + k, c->blen - k); c->blen -= k; c->body_left -= k;
      if (c->body_left) return 0;
      c->st = ST_HEAD; respond(c, SMALL_BODY);
    } else if (c->st == ST_CHUNK) {
      if (c->ck == 1) {
        uint64_t k = c->blen < c->body_left ? c->blen : c->body_left;
        memmove(c->buf, c->buf + k, c->blen - k); c->blen -= k; c->body_left -= k;
        if (c->body_left) return 0;
        c->ck = 0;
      }
      char *e = memchr(c->buf, '\n', c->blen);
      if (!e) return 0;
      size_t l = e - c->buf + 1;
      uint64_t n = c->ck == 0 ? strtoull(c->buf, NULL, 16) : 0;
      int blank = l <= 2;
      memmove(c->buf, c->buf + l, c->blen - l); c->blen -= l;
      if (c->ck == 0) { if (n) { c->ck = 1; c->body_left = n + 2; } else c->ck = 2; continue; }
      if (!blank) continue;
      c->st = ST_HEAD; respond(c, SMALL_BODY);
    } else {
      char *e = c->blen >= 4 ? memmem(c->buf, c->blen, "\r\n\r\n", 4) : NULL;
      if (!e) return c->blen == BUFSZ ? -1 : 0;
      char *end = e + 4;
      char *h = memchr(c->buf, '\n', e - c->buf + 2);
      h = h ? h + 1 : e;
      int post = c->buf[0] == 'P', head = c->buf[0] == 'H';
      const char *v = find_hdr(h, end, "connection");
      c->close_after = v && !strncasecmp(v, "close", 5);
      if (!memmem(c->buf, h - c->buf, "HTTP/1.1", 8) && !(v && !strncasecmp(v, "keep-alive", 10))) c->close_after = 1;
      uint64_t n = SMALL_BODY, status = 0;
      char *path = memchr(c->buf, ' ', h - c->buf);
      if (path && !strncmp(path + 1, "/b/", 3)) n = strtoull(path + 4, NULL, 10);
      if (path && !strncmp(path + 1, "/s/", 3)) status = strtoull(path + 4, NULL, 10);
      if ((v = find_hdr(h, end, "upgrade"))) {
        size_t l = end - c->buf;
        memmove(c->buf, c->buf + l, c->blen - l); c->blen -= l;
        c->sl = snprintf(c->hdr, sizeof c->hdr, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
          "Upgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
        c->sp = c->hdr; c->st = ST_ECHO; return 1;
      }
      uint64_t cl = 0; int chunked = 0;
      if (post) {
        if ((v = find_hdr(h, end, "content-length"))) cl = strtoull(v, NULL, 10);
        else if ((v = find_hdr(h, end, "transfer-encoding"))) chunked = 1;
        if (find_hdr(h, end, "expect") && send(c->fd, "HTTP/1.1 100 Continue\r\n\r\n", 25, MSG_NOSIGNAL) < 0) return -1;
      }
      size_t l = end - c->buf;
      if (c->blen > l) memmove(c->buf, c->buf + l, c->blen - l);
      c->blen -= l;
      if (chunked) { c->st = ST_CHUNK; c->ck = 0; continue; }
      if (post && cl) { c->st = ST_BODY; c->body_left = cl; continue; }
      if (status >= 200 && status <= 599) respond_status(c, status);
      else respond(c, n);
      if (head) c->fleft = 0;
    }
    int r = flush_out(c);
    if (r < 0) return -1;
    if (r == 0) return 1;
    if (c->close_after) return -1;
  }
}
static void on_echo(struct conn *c, int out) {
  if (out) {
    if (c->sl) { int r = flush_out(c); if (r < 0) { drop(c); return; } if (!r) return; }
    while (c->el) {
      ssize_t n = send(c->fd, c->eb + c->eo, c->el, MSG_NOSIGNAL);
      if (n < 0) { if (errno == EAGAIN) return; drop(c); return; }
      c->eo += n; c->el -= n;
    }
    arm(c, 0);
  }
  for (int i = 0; i < 4; i++) {
    ssize_t n = c->blen ? (ssize_t)c->blen : recv(c->fd, c->buf, BUFSZ, 0);
    if (n == 0) { drop(c); return; }
    if (n < 0) { if (errno != EAGAIN) drop(c); return; }
    c->blen = 0;
    ssize_t w = send(c->fd, c->buf, n, MSG_NOSIGNAL);
    if (w < 0) { if (errno != EAGAIN) { drop(c); return; } w = 0; }
    if (w < n) {
      if (!c->eb) c->eb = malloc(BUFSZ);
      memcpy(c->eb, c->buf + w, n - w); c->eo = 0; c->el = n - w;
      arm(c, 1); return;
    }
    if (n < BUFSZ) return;
  }
}
static void on_event(struct conn *c, uint32_t ev) {
  if (c->st == ST_ECHO) { on_echo(c, !!(ev & EPOLLOUT)); return; }
  if (ev & EPOLLOUT) {
    int r = flush_out(c);
    if (r < 0 || (r && c->close_after)) { drop(c); return; }
    if (!r) return;
    arm(c, 0);
    r = step(c);
    if (r < 0) { drop(c); return; }
    if (r > 0) { arm(c, 1); return; }
  }
  int drain = c->st == ST_BODY || (c->st == ST_CHUNK && c->ck == 1);
  for (int i = 0; i < (drain ? 16 : 1); i++) {
    ssize_t n = recv(c->fd, c->buf + c->blen, BUFSZ - c->blen, 0);
    if (n == 0) { drop(c); return; }
    if (n < 0) { if (errno != EAGAIN) drop(c); return; }
    c->blen += n;
    int r = step(c);
    if (c->st == ST_ECHO && r > 0) { if (flush_out(c) == 1) { if (c->blen) on_echo(c, 0); return; } }
    if (r < 0) { drop(c); return; }
    if (r > 0) { arm(c, 1); return; }
    if (c->st == ST_HEAD) break;
  }
}
int main(int ac, char **av) {
  int port = ac > 1 ? atoi(av[1]) : 19000;
  signal(SIGPIPE, SIG_IGN);
  memfd = memfd_create("b", MFD_CLOEXEC);
  if (memfd < 0 || ftruncate(memfd, MAXB)) die("memfd");
  char *m = mmap(NULL, MAXB, PROT_WRITE, MAP_SHARED, memfd, 0);
  memset(m, 'x', MAXB);
  char body[SMALL_BODY + 1]; memset(body, 'b', SMALL_BODY); body[SMALL_BODY] = 0;
  const char *f = "HTTP/1.1 200 OK\r\nServer: bench\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
                  "Content-Type: text/plain\r\nContent-Length: 66\r\n%s\r\n%s";
  small_len = snprintf(small, sizeof small, f, "", body);
  small_close_len = snprintf(small_close, sizeof small_close, f, "Connection: close\r\n", body);
  int ls = listen_on(port), one = 1;
  ep = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL}, ev[256];
  epoll_ctl(ep, EPOLL_CTL_ADD, ls, &e);
  for (;;) {
    int n = epoll_wait(ep, ev, 256, -1);
    for (int i = 0; i < n; i++) {
      if (ev[i].data.ptr) { on_event(ev[i].data.ptr, ev[i].events); continue; }
      int fd;
      while ((fd = accept4(ls, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct conn *c = malloc(sizeof *c);
        memset(c, 0, offsetof(struct conn, buf));
        c->fd = fd;
        struct epoll_event x = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(ep, EPOLL_CTL_ADD, fd, &x);
      }
    }
  }
}
