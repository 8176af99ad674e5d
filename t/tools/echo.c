/* SPDX-License-Identifier: MIT */
/*
 * A backend for thousands of tunnels: answers each request head with 101, a WebSocket's as RFC 6455 wants it, and then sends
 * back whatever comes. A head comes in one piece, or has no Sec-WebSocket-Key. Prints the port it listens on; ends when its
 * standard input does.
 *
 *   cc -O1 -o echo echo.c -lcrypto && ./echo
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/evp.h>

enum { MOST_FDS = 65536, READ_BYTES = 65536, EVENTS = 256, KEY_BYTES = 24 };

static bool is_switched[MOST_FDS];
static char heads[MOST_FDS][4]; /* the last bytes of each head that is still coming */

static int listen_somewhere(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    if (fd == -1 || bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, 4096) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        perror("listen");
        exit(1);
    }
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static void watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        perror("epoll_ctl");
}

static void accept_all(int epoll, int listener)
{
    int fd;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) != -1) {
        if (fd >= MOST_FDS) {
            close(fd);
            continue;
        }
        is_switched[fd] = false;
        memset(heads[fd], 0, sizeof(heads[fd]));
        watch(epoll, fd);
    }
}

/* The value of Sec-WebSocket-Accept for the key in `head`; empty if there is none. */
static const char *accept_of(const char *head, size_t count)
{
    static const char name[] = "sec-websocket-key: ", suffix[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    static unsigned char accept[32];
    char question[KEY_BYTES + sizeof(suffix)];
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    accept[0] = '\0';
    for (size_t i = 0; i + sizeof(name) + KEY_BYTES < count; i++) {
        if (strncasecmp(head + i, name, sizeof(name) - 1) != 0)
            continue;
        memcpy(question, head + i + sizeof(name) - 1, KEY_BYTES);
        memcpy(question + KEY_BYTES, suffix, sizeof(suffix));
        EVP_Digest(question, KEY_BYTES + sizeof(suffix) - 1, digest, &len, EVP_sha1(), NULL);
        EVP_EncodeBlock(accept, digest, (int)len);
        break;
    }
    return (const char *)accept;
}

static bool answer(int fd, const char *head, size_t count)
{
    const char *accept = accept_of(head, count);
    char response[256];
    int len = accept[0] == '\0' ? snprintf(response, sizeof(response),
                                           "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
                                : snprintf(response, sizeof(response),
                                           "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                                           "Sec-WebSocket-Accept: %s\r\n\r\n",
                                           accept);

    return write(fd, response, (size_t)len) == len;
}

/* Looks for the end of the head; the index behind it, or `count`. */
static size_t skip_head(int fd, const char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        memmove(heads[fd], heads[fd] + 1, 3);
        heads[fd][3] = bytes[i];
        if (memcmp(heads[fd], "\r\n\r\n", 4) != 0)
            continue;
        is_switched[fd] = answer(fd, bytes, i);
        return i + 1;
    }
    return count;
}

static void serve(int fd)
{
    static char bytes[READ_BYTES];
    ssize_t count = read(fd, bytes, sizeof(bytes));
    size_t at = 0;

    if (count <= 0) {
        close(fd);
        return;
    }
    if (!is_switched[fd])
        at = skip_head(fd, bytes, (size_t)count);
    if (at < (size_t)count && write(fd, bytes + at, (size_t)count - at) < 0)
        close(fd);
}

int main(void)
{
    struct rlimit limit;
    struct epoll_event events[EVENTS];
    int epoll = epoll_create1(0), listener;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    listener = listen_somewhere();
    watch(epoll, listener);
    watch(epoll, STDIN_FILENO);
    while (true) {
        int count = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == STDIN_FILENO)
                return 0;
            if (events[i].data.fd == listener)
                accept_all(epoll, listener);
            else
                serve(events[i].data.fd);
        }
    }
}
