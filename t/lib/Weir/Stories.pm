# SPDX-License-Identifier: MIT
package Weir::Stories;

# Backends of t/tools/stories.py, which speak HTTP/1.1, HTTP/2, gRPC and WebSocket at one port, and clients of each kind.
use strict;
use warnings;
use parent 'Weir::Http2Backend';
use Digest::SHA qw(sha1_base64);
use JSON::PP ();
use MIME::Base64 qw(encode_base64);
use Weir::Client;
use Weir::Http2Backend;
use Weir::Http2Client;
use Weir::Test ();

use constant CHAT => '/weir.Stories/Chat';

# start(name => …, port => …, answer_ms => …): where `mood` and `let_go` lead, see stories.py.
sub start {
    my ($class, %option) = @_;
    my ($mood, $gate) = map { Weir::Test::temp_path($_) } qw(mood gate);
    mkdir $gate or die "$gate: $!";
    $option{port} += 0 if $option{port};
    my $greeting = JSON::PP->new->canonical->encode({ name => 'well', %option, mood => $mood, gate => $gate });
    return $class->SUPER::start(%option, script => 'stories.py', greeting => $greeting, mood => $mood, gate => $gate);
}

# Written beside it, and moved: nobody reads the half of it.
sub mood {
    my ($self, $mood) = @_;
    Weir::Test::write_file("$self->{mood}.new", $mood);
    return rename "$self->{mood}.new", $self->{mood};
}

sub let_go { my ($self, $name) = @_; return Weir::Test::write_file("$self->{gate}/$name", '') }

# What it has kept book of.
sub report {
    my ($self) = @_;
    my $client = Weir::Client->connect($self->port);
    $client->write("GET /report HTTP/1.1\r\nHost: a\r\n\r\n");
    return JSON::PP::decode_json($client->read_response->body);
}

# ── WebSockets ──

sub frame_of {
    my ($payload) = @_;
    my $key = pack 'N', int rand 2**32;
    return pack('CC', 0x81, 0x80 | length $payload) . $key . ($payload ^ substr $key x (length($payload) / 4 + 1), 0, length $payload);
}

# Asks for one over HTTP/1.1. `headers`: more of them.
sub ask_websocket {
    my ($proxy, $path, %option) = @_;
    my $client = $proxy->connect;
    $client->{key} = encode_base64(pack('N4', map { int rand 2**32 } 1 .. 4), '');
    $client->write("GET $path HTTP/1.1\r\nHost: " . ($option{host} // 'a.test') . "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            . "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: $client->{key}\r\n" . ($option{headers} // '') . "\r\n");
    return $client;
}

# Its handshake: true if it went well. `head` of the client is what came.
sub is_open {
    my ($client, $seconds) = @_;
    my $head = $client->{head} = $client->read_head($seconds) // return 0;
    my ($accept) = $head =~ /^sec-websocket-accept: *(\S+)/mi;
    return $head =~ m{^HTTP/1\.1 101 } && ($accept // '') eq sha1_base64($client->{key} . '258EAFA5-E914-47DA-95CA-C5AB0DC85B11') . '=';
}

# A message there and back.
sub echoes {
    my ($client, $text) = @_;
    $client->write(frame_of($text));
    return ($client->read_exactly(2 + length $text) // '') eq pack('CC', 0x81, length $text) . $text;
}

# One of a client of HTTP/2 (RFC 8441). The stream.
sub ask_websocket2 {
    my ($h2, $path, %option) = @_;
    return $h2->request(
        pseudo => { ':method' => 'CONNECT', ':protocol' => 'websocket', %{ $option{pseudo} // {} } }, path => $path,
        headers => [ [ 'sec-websocket-version', '13' ], @{ $option{headers} // [] } ], is_open => 1,
    );
}

sub echoes2 {
    my ($h2, $id, $text) = @_;
    my $seen = $h2->stream($id)->{body_bytes};
    $h2->data($id, frame_of($text));
    return $h2->wait(bytes => [ $id, $seen + 2 + length $text ]) && substr($h2->stream($id)->{body}, $seen) eq pack('CC', 0x81, length $text) . $text;
}

# ── gRPC ──

sub message { my ($text) = @_; return pack('CN', 0, length $text) . $text }

# A call. With `is_open` it goes on: say() and end_call().
sub call {
    my ($h2, %option) = @_;
    return $h2->request(
        method => 'POST', path => $option{path} // CHAT, pseudo => $option{pseudo}, is_open => $option{is_open},
        headers => [ [ 'content-type', 'application/grpc' ], [ 'te', 'trailers' ], @{ $option{headers} // [] } ],
        body => message($option{text} // 'hello'),
    );
}

sub say { my ($h2, $id, $text) = @_; return $h2->data($id, message($text)) }
sub end_call { my ($h2, $id) = @_; return $h2->data($id, '', is_last => 1) }

# How a call has ended: { grpc, text, name, trailing }. `grpc`: its status, or what came in its place.
sub result {
    my ($h2, $id, $seconds) = @_;
    return { grpc => 'silent' } unless $h2->wait(end => $id, $seconds);
    my $r = $h2->stream($id);
    my %trailers = map { @$_ } @{ $r->{trailers} // [] };
    my $said = $trailers{'grpc-status'} // $r->{headers}{'grpc-status'};
    my ($text, $body) = ('', $r->{body});
    $text .= substr $body, 0, (unpack 'xN', substr $body, 0, 5, ''), '' while length $body >= 5;
    return {
        grpc => $said // (defined $r->{reset} ? "reset $r->{reset}" : "status $r->{status}"),
        text => $text, name => $r->{headers}{'x-name'} // '', trailing => $trailers{'x-trailing'} // '',
    };
}

1;
