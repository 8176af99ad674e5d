/* SPDX-License-Identifier: MIT */
/*
 * A peer over TLS 1.3 that sends a request, or the beginning of a response, and behind it records that carry nothing:
 * KeyUpdates.
 *
 *   key_updates SECONDS client PORT COUNT PROTOCOL      PROTOCOL: http/1.1 or h2, for ALPN
 *   key_updates SECONDS server COUNT CERTIFICATE KEY    writes its port; serves one connection
 *
 * Then it writes what became of the connection: "closed after N of M bytes", or, after SECONDS, "open".
 */
#define _GNU_SOURCE /* POLLRDHUP */
#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int patience_ms;

static int fail(const char *what)
{
    fprintf(stderr, "key_updates: %s\n", what);
    exit(1);
}

static struct sockaddr_in loopback(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static int dial(int port)
{
    struct sockaddr_in address = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    return connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ? fd : fail("connect");
}

static int wait_for_one(void)
{
    struct sockaddr_in address = loopback(0);
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, 8) != 0)
        return fail("listen");
    getsockname(fd, (struct sockaddr *)&address, &len);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return accept(fd, NULL, NULL);
}

/* The bytes of so many KeyUpdates, made before any of them is sent. */
static BIO *make_updates(SSL *ssl, long count)
{
    BIO *made = BIO_new(BIO_s_mem());

    SSL_set0_wbio(ssl, made);
    for (long i = 0; i < count; i++)
        if (SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED) != 1 || SSL_do_handshake(ssl) != 1)
            fail("key_update");
    return made;
}

static void send_updates(int fd, BIO *made)
{
    char *bytes;
    long all = BIO_get_mem_data(made, &bytes), sent = 0;
    struct pollfd end = {.fd = fd, .events = POLLOUT | POLLRDHUP};

    while (sent < all && poll(&end, 1, patience_ms) == 1 && (end.revents & (POLLRDHUP | POLLERR | POLLHUP)) == 0) {
        ssize_t count = send(fd, bytes + sent, (size_t)(all - sent), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count <= 0)
            break;
        sent += count;
    }
    end.events = POLLRDHUP;
    if (poll(&end, 1, patience_ms) == 1)
        printf("closed after %ld of %ld bytes\n", sent, all);
    else
        printf("open\n");
}

static SSL *be_client(char **argument)
{
    static const unsigned char alpn[2][10] = {"\x08http/1.1", "\x02h2"};
    int is_h2 = strcmp(argument[4], "h2") == 0;
    SSL *ssl = SSL_new(SSL_CTX_new(TLS_client_method()));

    SSL_set_alpn_protos(ssl, alpn[is_h2], alpn[is_h2][0] + 1u);
    SSL_set_fd(ssl, dial(atoi(argument[2])));
    if (SSL_connect(ssl) != 1)
        fail("SSL_connect");
    const char *begin = is_h2 ? "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0" : "GET / HTTP/1.1\r\n";
    SSL_write(ssl, begin, is_h2 ? 33 : 16);
    return ssl;
}

static SSL *be_server(char **argument)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    char head[4096];

    if (SSL_CTX_use_certificate_file(context, argument[3], SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, argument[4], SSL_FILETYPE_PEM) != 1)
        fail("certificate");
    SSL *ssl = SSL_new(context);
    SSL_set_fd(ssl, wait_for_one());
    if (SSL_accept(ssl) != 1 || SSL_read(ssl, head, sizeof(head)) <= 0)
        fail("SSL_accept");
    SSL_write(ssl, "HTTP/1.1 200 OK\r\n", 17);
    return ssl;
}

int main(int count, char **argument)
{
    if (count != 6)
        return fail("see its first lines");
    patience_ms = 1000 * atoi(*++argument);
    int is_client = strcmp(argument[1], "client") == 0;
    SSL *ssl = is_client ? be_client(argument) : be_server(argument);
    int fd = SSL_get_fd(ssl);

    send_updates(fd, make_updates(ssl, atol(argument[is_client ? 3 : 2])));
    return 0;
}
