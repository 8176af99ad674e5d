#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# The backend of ./dev demo: prints the head of each request, and greets.
#
#   demo_backend.pl NAME PORT
#
# One process, one select loop, so that killing it takes its connections with it. Core modules only.
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;

my ($name, $port) = @ARGV;
die "usage: $0 NAME PORT\n" if !defined $port || $port !~ /\A[0-9]+\z/;

$| = 1;
$SIG{PIPE} = 'IGNORE';
my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 128, ReuseAddr => 1)
    or die "backend $name: port $port: $!\n";
my $select = IO::Select->new($listener);
my %connections;    # by file number: { socket, in (bytes not yet understood), head, left, is_chunked }

while (1) {
    for my $socket ($select->can_read) {
        if ($socket == $listener) {
            my $client = $listener->accept or next;
            $connections{ fileno $client } = { socket => $client, in => '' };
            $select->add($client);
            next;
        }
        my $connection = $connections{ fileno $socket };
        my $got = sysread $socket, $connection->{in}, 65536, length $connection->{in};
        drop($connection) if !$got || !serve($connection);
    }
}

sub drop {
    my ($connection) = @_;
    delete $connections{ fileno $connection->{socket} };
    $select->remove($connection->{socket});
    close $connection->{socket};
}

# Answers every request that has arrived completely. False: the connection is to be closed.
sub serve {
    my ($connection) = @_;
    while (1) {
        if (!defined $connection->{head}) {
            $connection->{in} =~ s/\A(?:\r\n)*(.*?\r\n)\r\n//s or return length $connection->{in} < 1 << 20;
            begin($connection, $1);
        }
        my $is_complete = $connection->{is_chunked} ? skip_chunks($connection) : skip_bytes($connection);
        return 1 if !$is_complete;
        answer($connection) or return 0;
    }
}

# Notes the head and how its body is framed; invites a client that waits to be invited.
sub begin {
    my ($connection, $head) = @_;
    print map {"$name | $_\n"} split(/\r\n/, $head), '';
    $connection->{head} = $head;
    $connection->{is_chunked} = $head =~ /^Transfer-Encoding:.*\bchunked[ \t]*\r$/mi;
    $connection->{left} = $head =~ /^Content-Length:[ \t]*([0-9]+)/mi ? $1 : 0;
    syswrite $connection->{socket}, "HTTP/1.1 100 Continue\r\n\r\n" if $head =~ /^Expect:[ \t]*100-continue/mi;
}

sub skip_bytes {
    my ($connection) = @_;
    my $have = length $connection->{in};
    my $skip = $have < $connection->{left} ? $have : $connection->{left};
    substr $connection->{in}, 0, $skip, '';
    return ($connection->{left} -= $skip) == 0;
}

sub skip_chunks {
    my ($connection) = @_;
    while ($connection->{in} =~ /\A([0-9a-f]+)[^\n]*\r\n/i) {
        my ($line, $size) = ($+[0], hex $1);
        if ($size == 0) {
            return $connection->{in} =~ s/\A0+[^\n]*\r\n(?:[^\r\n]+\r\n)*\r\n//;
        }
        return 0 if length $connection->{in} < $line + $size + 2;
        substr $connection->{in}, 0, $line + $size + 2, '';
    }
    return 0;
}

# False if the connection ends with this answer.
sub answer {
    my ($connection) = @_;
    my $head = delete $connection->{head};
    my $is_last = $head =~ /^Connection:.*\bclose\b/mi || $head =~ m{\A[^\r]* HTTP/1\.0\r};
    my $body = "hello from backend $name (port $port)\n";
    my $length = length $body;
    my $connection_header = $is_last ? 'close' : 'keep-alive';
    $body = '' if $head =~ /\AHEAD /;
    syswrite $connection->{socket},
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: $length\r\nConnection: $connection_header\r\n\r\n$body";
    return !$is_last;
}
