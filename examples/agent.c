/* SPDX-License-Identifier: MIT */
/*
 * An agent in C, with nothing but libc: says in etcd that a backend is there, for as long as the agent is.
 *
 *   cc -Wall -Wextra agent.c -o agent
 *   APP=shop ADDR=10.0.0.7:8080 ./agent          ETCD=127.0.0.1:2379 TTL=10; several members: ETCD=10.0.0.1:2379,10.0.0.2:2379
 *
 * It speaks to etcd's JSON gateway, without TLS or a password: that is for an etcd on the same machine or behind a tunnel.
 * SIGTERM or SIGINT: the backend is taken back at once. If the agent dies, it goes with its lease, TTL seconds later.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_S = 2, TEXT_BYTES = 1024, ANSWER_BYTES = 8192 };

static const char *etcd, *app, *addr;
static int ttl;
static char lease[32];            /* empty: there is none */
static char answer[ANSWER_BYTES]; /* the last one, head and all */

static bool fails(const char *at, const char *what, const char *why)
{
    fprintf(stderr, "agent: %s: %s: %s\n", at, what, why);
    return false;
}

static const char *setting(const char *name, const char *otherwise)
{
    const char *text = getenv(name) != NULL ? getenv(name) : otherwise;

    if (text == NULL || text[0] == '\0' || strlen(text) > TEXT_BYTES / 4 || strpbrk(text, "\"\\\r\n") != NULL) {
        fprintf(stderr, "agent: %s must be set, to %d characters at most, without quotes\n", name, TEXT_BYTES / 4);
        exit(2);
    }
    return text;
}

/* ---- HTTP: one connection for each call ---- */

/* A connection to HOST:PORT, or -1 with errno. Nothing waits on it for longer than PATIENCE_S. */
static int dial(const char *at)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    struct addrinfo *found = NULL;
    char host[TEXT_BYTES];
    const char *colon = strrchr(at, ':');
    int fd = -1;

    snprintf(host, sizeof(host), "%.*s", colon == NULL ? 0 : (int)(colon - at), at);
    errno = EADDRNOTAVAIL;
    if (colon == NULL || getaddrinfo(host, colon + 1, &hints, &found) != 0)
        return -1;
    for (const struct addrinfo *next = found; next != NULL && fd < 0; next = next->ai_next) {
        fd = socket(next->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
            continue;
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)); /* for connect(), too */
        if (connect(fd, next->ai_addr, next->ai_addrlen) != 0) {
            const int why = errno == EINPROGRESS ? ETIMEDOUT : errno;
            close(fd);
            fd = -1;
            errno = why;
        }
    }
    freeaddrinfo(found);
    return fd;
}

/* Sends `body`, and reads the answer until its end. */
static bool ask(const char *at, const char *path, const char *body)
{
    char request[4 * TEXT_BYTES];
    size_t used = 0;
    ssize_t count = -1;
    int length, status = 0;
    const int fd = dial(at);

    if (fd < 0)
        return fails(at, path, strerror(errno));
    length =
        snprintf(request, sizeof(request), "POST %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
                 path, at, strlen(body), body);
    if (send(fd, request, (size_t)length, MSG_NOSIGNAL) == length)
        while (used < sizeof(answer) - 1 && (count = recv(fd, answer + used, sizeof(answer) - 1 - used, 0)) > 0)
            used += (size_t)count;
    answer[used] = '\0';
    const int why = errno == EAGAIN ? ETIMEDOUT : errno;
    close(fd);
    if (count < 0)
        return fails(at, path, strerror(why));
    if (sscanf(answer, "HTTP/1.%*d %d", &status) != 1 || status != 200)
        return fails(at, path, strchr(answer, '{') != NULL ? strchr(answer, '{') : answer);
    return true;
}

/* Asks one member after the other until one has done it. */
static bool call(const char *path, const char *body)
{
    char members[TEXT_BYTES], *rest;

    snprintf(members, sizeof(members), "%s", etcd);
    for (const char *at = strtok_r(members, ",", &rest); at != NULL; at = strtok_r(NULL, ",", &rest))
        if (ask(at, path, body))
            return true;
    return false;
}

/* ---- etcd ---- */

/* Its numbers of 64 bits are strings in JSON, keys and values are base64. */
static void write_base64(const char *text, char *to)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *in = (const unsigned char *)text;

    for (size_t left = strlen(text); left > 0; in += 3, left -= left < 3 ? left : 3) {
        const unsigned bits = (unsigned)in[0] << 16 | (left > 1 ? in[1] << 8 : 0) | (left > 2 ? in[2] : 0);
        *to++ = digits[bits >> 18];
        *to++ = digits[bits >> 12 & 63];
        *to++ = left > 1 ? digits[bits >> 6 & 63] : '=';
        *to++ = left > 2 ? digits[bits & 63] : '=';
    }
    *to = '\0';
}

static bool grant(void)
{
    char body[TEXT_BYTES];
    const char *id;

    snprintf(body, sizeof(body), "{\"TTL\":\"%d\"}", ttl);
    if (!call("/v3/lease/grant", body))
        return false;
    id = strstr(answer, "\"ID\":\"");
    return (id != NULL && sscanf(id, "\"ID\":\"%31[0-9]", lease) == 1) || fails("/v3/lease/grant", "no lease", answer);
}

static bool put(void)
{
    char host[65] = "", text[TEXT_BYTES], key[2 * TEXT_BYTES], value[2 * TEXT_BYTES], body[5 * TEXT_BYTES];

    gethostname(host, sizeof(host) - 1);
    snprintf(text, sizeof(text), "/weir/v1/backends/%s/%s-%d", app, host, (int)getpid());
    write_base64(text, key);
    snprintf(text, sizeof(text), "{\"addr\":\"%s\"}", addr);
    write_base64(text, value);
    snprintf(body, sizeof(body), "{\"key\":\"%s\",\"value\":\"%s\",\"lease\":\"%s\"}", key, value, lease);
    return call("/v3/kv/put", body);
}

static bool keep(void)
{
    char body[TEXT_BYTES];

    snprintf(body, sizeof(body), "{\"ID\":\"%s\"}", lease);
    if (!call("/v3/lease/keepalive", body))
        return false;
    return strstr(answer, "\"TTL\":\"") != NULL || fails("/v3/lease/keepalive", lease, "the lease is gone");
}

static bool give_back(void)
{
    char body[TEXT_BYTES];

    snprintf(body, sizeof(body), "{\"ID\":\"%s\"}", lease);
    return call("/v3/lease/revoke", body);
}

int main(void)
{
    sigset_t ends;

    etcd = setting("ETCD", "127.0.0.1:2379");
    app = setting("APP", NULL);
    addr = setting("ADDR", NULL);
    ttl = atoi(setting("TTL", "10"));
    if (ttl < 1) {
        fprintf(stderr, "agent: TTL is a number of seconds\n");
        return 2;
    }
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigprocmask(SIG_BLOCK, &ends, NULL); /* they wait until sigtimedwait() asks for them */

    struct timespec pause;
    do {
        /* Whatever fails, a new lease puts it right: the old one, without its key, ends by itself. */
        const bool is_there = lease[0] != '\0' ? keep() : grant() && put();
        if (!is_there)
            lease[0] = '\0';
        pause = is_there ? (struct timespec){ttl / 3, ttl % 3 * 333333333} : (struct timespec){1, 0};
    } while (sigtimedwait(&ends, NULL, &pause) < 0);
    return lease[0] == '\0' || give_back() ? 0 : 1;
}
