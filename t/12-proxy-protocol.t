# SPDX-License-Identifier: MIT
# PROXY headers, versions 1 and 2: who the client is then, and which connections are closed without a word.
use lib 't/lib';
use Weir::Test;
use Socket qw(AF_INET AF_INET6 inet_pton);
use Time::HiRes qw(time);

my $echo = echo_backend();
my $tlv  = { module => router_so('tlv'), backend => $echo->address };
my %on   = ('proxy-protocol' => 'ON');
my $path = temp_path('weir.sock');
my $proxy = proxy(router => $tlv, listen_with => \%on, listen => [ { %on, port => $path, type => 'unix' } ]);

my $signature = "\r\n\r\n\0\r\nQUIT\n";
my $get       = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";

# ── making headers ──

sub v2 {
    my ($first, $family, $block) = @_;
    return $signature . pack('CCn', $first, $family, length $block) . $block;
}
sub v4   { my ($from, $to, $from_port, $to_port) = @_; return inet_pton(AF_INET,  $from) . inet_pton(AF_INET,  $to) . pack('nn', $from_port, $to_port) }
sub v6   { my ($from, $to, $from_port, $to_port) = @_; return inet_pton(AF_INET6, $from) . inet_pton(AF_INET6, $to) . pack('nn', $from_port, $to_port) }
sub unix { return pack('a108 a108', @_) }
sub tlv  { my ($type, $value) = @_; return pack('Cn', $type, length $value) . $value }
sub ssl  { my ($bits, @inner) = @_; return tlv(0x20, pack('CN', $bits, 0) . join '', @inner) }

sub crc32c {
    my ($bytes) = @_;
    my $crc = 0xffffffff;
    for my $byte (unpack 'C*', $bytes) {
        $crc ^= $byte;
        $crc = $crc & 1 ? $crc >> 1 ^ 0x82f63b78 : $crc >> 1 for 1 .. 8;
    }
    return $crc ^ 0xffffffff;
}

# A header with its sum in place; $wrong is added to the sum.
sub summed {
    my ($wrong, $block, @behind) = @_;
    my $header = v2(0x21, 0x11, $block . tlv(0x03, "\0\0\0\0") . join '', @behind);
    substr($header, 16 + length($block) + 3, 4) = pack 'N', crc32c($header) + $wrong;
    return $header;
}
is(crc32c('123456789'), 0xe3069283, 'this test can reckon CRC32C');

my $inet = v4('192.0.2.1', '198.51.100.2', 5678, 443);

# ── asking ──

# What the backend got, as a Weir::Response with fields.
sub told {
    my ($r) = @_;
    return Weir::Response->new($r->body =~ s/\r\n\r\n.*/\r\n\r\n/sr, '', '', 1, '');
}

sub through {
    my ($client, @pieces) = @_;
    $client->write_pieces(@pieces);
    my $r = $client->read_response;
    return $r ? told($r) : undef;
}

sub summary {
    my ($head) = @_;
    return 'nothing' unless defined $head;    # a request is a false response
    return join ' ', map { join '|', $head->all($_) ? $head->all($_) : '-' } qw(X-Forwarded-For X-Forwarded-Peer-Port X-Forwarded-Port X-Forwarded-Proto X-Proxied);
}

my $port = $proxy->port;
my @good = (
    # name, header, For Peer-Port Port Proto proxied
    [ 'v1 TCP4',          "PROXY TCP4 192.0.2.1 198.51.100.2 5678 443\r\n",             '192.0.2.1 5678 443 https yes' ],
    [ 'v1 TCP4, port 80', "PROXY TCP4 192.0.2.1 198.51.100.2 65535 80\r\n",             '192.0.2.1 65535 80 http yes' ],
    [ 'v1 another port',  "PROXY TCP4 255.255.255.255 0.0.0.0 1 8443\r\n",              '255.255.255.255 1 8443 http yes' ],
    [ 'v1 TCP6',          "PROXY TCP6 2001:db8::1 ::1 5678 443\r\n",                    '2001:db8::1 5678 443 https yes' ],
    [ 'v1 the longest',   'PROXY TCP6 ' . join(' ', ('ffff:' x 7 . 'ffff') x 2, 65535, 65535) . "\r\n", 'ffff:' x 7 . 'ffff 65535 65535 http yes' ],
    [ 'v1 UNKNOWN',       "PROXY UNKNOWN\r\n",                                          "127.0.0.1 - $port http no" ],
    [ 'v1 UNKNOWN more',  'PROXY UNKNOWN ' . 'x ' x 45 . "\r\n",                        "127.0.0.1 - $port http no" ],
    [ 'v2 INET',          v2(0x21, 0x11, $inet),                                        '192.0.2.1 5678 443 https yes' ],
    [ 'v2 INET6',         v2(0x21, 0x21, v6('2001:db8::7', '::1', 9, 80)),              '2001:db8::7 9 80 http yes' ],
    [ 'v2 INET6 mapped',  v2(0x21, 0x21, v6('::ffff:192.0.2.9', '::ffff:192.0.2.1', 9, 80)), '192.0.2.9 9 80 http yes' ],
    [ 'v2 UNIX',          v2(0x21, 0x31, unix('/run/a', '/run/b')),                     "unix - $port http yes" ],
    [ 'v2 LOCAL',         v2(0x20, 0x00, ''),                                           "127.0.0.1 - $port http no" ],
    [ 'v2 LOCAL, with a block', v2(0x20, 0x11, 'whatever'),                             "127.0.0.1 - $port http no" ],
    [ 'v2 UNSPEC',        v2(0x21, 0x00, ''),                                           "127.0.0.1 - $port http no" ],
    [ 'v2 UNSPEC, with a block', v2(0x21, 0x00, tlv(0x04, 'xxx')),                      "127.0.0.1 - $port http no" ],
    [ 'v2 TLVs',          v2(0x21, 0x11, $inet . tlv(0x04, '') . tlv(0x30, 'ns') . tlv(0xee, 'own') . tlv(0x04, 'x' x 300)), '192.0.2.1 5678 443 https yes' ],
    [ 'v2 of 4096 bytes', v2(0x21, 0x11, $inet . tlv(0x04, 'x' x (4096 - 16 - 12 - 3))), '192.0.2.1 5678 443 https yes' ],
    [ 'v2 CRC32C',        summed(0, $inet . tlv(0x01, 'h2'), tlv(0x02, 'a')),           '192.0.2.1 5678 443 https yes' ],
);

subtest 'every kind' => sub {
    for my $case (@good) {
        my ($name, $header, $want) = @$case;
        is(summary(through($proxy->connect, $header . $get)), $want, "$name, with the request");
        is(summary(through($proxy->connect, $header, $get)), $want, "$name, then the request");
        is(summary(through($proxy->connect, "$header$get" =~ /(.{1,150})/gs)), $want, "$name, in pieces") if length $header > 300;
    }
};

subtest 'split at every byte, and byte by byte' => sub {
    for my $case (grep { length $_->[1] < 120 } @good) {
        my ($name, $header, $want) = @$case;
        my @wrong;
        for my $at (1 .. length($header) + 1) {
            my $got = summary(through($proxy->connect, substr($header . $get, 0, $at), substr($header . $get, $at)));
            push @wrong, "$at: $got" if $got ne $want;
        }
        is(join("\n", @wrong), '', "$name, split");
        is(summary(through($proxy->connect, split //, $header . $get)), $want, "$name, byte by byte");
    }
};

subtest 'Host decides nothing' => sub {
    my $host = "GET / HTTP/1.1\r\nHost: a.test:80\r\nX-Forwarded-Port: 1\r\nX-Forwarded-Proto: ftp\r\nX-Forwarded-Peer-Port: 2\r\n\r\n";
    is(summary(through($proxy->connect, $good[0][1] . $host)), $good[0][2], 'the header\'s ports, whatever the client says');
    is(summary(through($proxy->connect, "PROXY UNKNOWN\r\n$host")), '127.0.0.1 2 80 http no', 'UNKNOWN: the port is Host\'s');
};

subtest 'a connection keeps its identity' => sub {
    my $client = $proxy->connect;
    my $header = v2(0x21, 0x11, $inet . tlv(0x02, 'shop.test'));
    is(summary(through($client, $header . $get)), '192.0.2.1 5678 443 https yes', 'the first request');
    for my $n (2 .. 4) {
        my $head = through($client, $get);
        is(summary($head) . ' ' . $head->header('X-Authority'), '192.0.2.1 5678 443 https yes "shop.test"', "request $n");
    }
    my $both = $proxy->connect;
    $both->write($header . $get . $get);
    is(summary(told($both->read_response)), '192.0.2.1 5678 443 https yes', "pipelined request $_") for 1, 2;
    my $r = $proxy->ask($good[0][1] . "PROXY TCP4 1.1.1.1 2.2.2.2 3 4\r\n$get");
    is($r->status, 400, 'a second header is no request');
    is($proxy->log_where(status => 400, fwd => '192.0.2.1')->{protocol}, 'https', 'refused in the client\'s name');
};

subtest 'two clients of one sender are two' => sub {
    my @client = map { $proxy->connect } 0 .. 1;
    $client[$_]->write("PROXY TCP4 192.0.2.10$_ 198.51.100.2 100$_ 80\r\n") for 0, 1;
    for my $round (1, 2) {
        is(summary(through($client[$_], $get)), "192.0.2.10$_ 100$_ 80 http yes", "client $_, round $round") for 1, 0;
    }
};

subtest 'what a header says besides' => sub {
    my @names = qw(X-Authority X-Alpn X-Unique-Id X-Ssl X-Ssl-Version X-Ssl-Cn X-Ssl-Cipher);
    my $all = sub { my ($head) = @_; return join ' ', map { $head->header($_) // 'none' } @names };
    my @inner = (tlv(0x21, 'TLSv1.3'), tlv(0x22, 'client.test'), tlv(0x23, 'TLS_AES_128_GCM_SHA256'), tlv(0x24, 'SHA256'), tlv(0x25, 'RSA2048'));
    my @cases = (
        [ 'nothing', '', '- - - no - - -' ],
        [ 'everything', tlv(0x01, 'http/1.1') . tlv(0x02, 'shop.test') . tlv(0x05, 'u' x 128) . ssl(7, @inner),
            '"shop.test" "http/1.1" "' . 'u' x 128 . '" yes "TLSv1.3" "client.test" "TLS_AES_128_GCM_SHA256"' ],
        [ 'in another order', ssl(1, reverse @inner[ 0, 1 ]) . tlv(0x04, "\0\0") . tlv(0x02, 'b'), '"b" - - yes "TLSv1.3" "client.test" -' ],
        [ 'TLS without a word', ssl(1), '- - - yes - - -' ],
        [ 'no TLS', ssl(0), '- - - no - - -' ],
        [ 'empty ones', tlv(0x02, '') . tlv(0x05, ''), '"" - "" no - - -' ],
        [ 'what has no place in a header', tlv(0x02, "a\r\nX-Evil: 1") . tlv(0x01, 'h2'), 'none "h2" - no - - -' ],
    );
    for my $case (@cases) {
        my ($name, $tlvs, $want) = @$case;
        my $client = $proxy->connect;
        $client->write(v2(0x21, 0x11, $inet . $tlvs) . $get);
        my $r = $client->read_response;
        is($all->(told($r)), $want, $name);
        is($all->($r), $want, "$name: also when the response comes");
    }
    is($all->(through($proxy->connect, v2(0x20, 0x11, $inet . tlv(0x02, 'x')) . $get)), '- - - no - - -', 'nothing of a LOCAL');
};

my $long = 'PROXY UNKNOWN ' . 'x' x 91;
my @broken = (
    [ 'no header',                     $get ],
    [ 'something else',                "HELLO\r\n" ],
    [ 'TLS',                           "\x16\x03\x01\x02\x00\x01" ],
    [ 'an empty line',                 "\r\n\r\nGET" ],
    [ 'v1 in lower case',              "proxy TCP4 192.0.2.1 198.51.100.2 1 2\r\n" ],
    [ 'v1 without a family',           "PROXY \r\n" ],
    [ 'v1 without anything',           "PROXY\r\n" ],
    [ 'v1 unknown family',             "PROXY UDP4 192.0.2.1 198.51.100.2 1 2\r\n" ],
    [ 'v1 family in lower case',       "PROXY tcp4 192.0.2.1 198.51.100.2 1 2\r\n" ],
    [ 'v1 UNKNOWN with a tail',        "PROXY UNKNOWNX\r\n" ],
    [ 'v1 IPv6 in TCP4',               "PROXY TCP4 ::1 ::1 1 2\r\n" ],
    [ 'v1 IPv4 in TCP6',               "PROXY TCP6 192.0.2.1 198.51.100.2 1 2\r\n" ],
    [ 'v1 mixed families',             "PROXY TCP4 192.0.2.1 ::1 1 2\r\n" ],
    [ 'v1 no address',                 "PROXY TCP4 localhost 198.51.100.2 1 2\r\n" ],
    [ 'v1 an octet too large',         "PROXY TCP4 192.0.2.256 198.51.100.2 1 2\r\n" ],
    [ 'v1 a leading zero',             "PROXY TCP4 192.0.2.01 198.51.100.2 1 2\r\n" ],
    [ 'v1 brackets',                   "PROXY TCP6 [::1] [::1] 1 2\r\n" ],
    [ 'v1 NUL',                        "PROXY TCP4 192.0.2.1\0x 198.51.100.2 1 2\r\n" ],
    [ 'v1 port too large',             "PROXY TCP4 192.0.2.1 198.51.100.2 65536 2\r\n" ],
    [ 'v1 negative port',              "PROXY TCP4 192.0.2.1 198.51.100.2 1 -2\r\n" ],
    [ 'v1 signed port',                "PROXY TCP4 192.0.2.1 198.51.100.2 +1 2\r\n" ],
    [ 'v1 port with a zero in front',  "PROXY TCP4 192.0.2.1 198.51.100.2 01 2\r\n" ],
    [ 'v1 port in words',              "PROXY TCP4 192.0.2.1 198.51.100.2 http 2\r\n" ],
    [ 'v1 empty port',                 "PROXY TCP4 192.0.2.1 198.51.100.2 1 \r\n" ],
    [ 'v1 one port',                   "PROXY TCP4 192.0.2.1 198.51.100.2 1\r\n" ],
    [ 'v1 three ports',                "PROXY TCP4 192.0.2.1 198.51.100.2 1 2 3\r\n" ],
    [ 'v1 two spaces',                 "PROXY TCP4  192.0.2.1 198.51.100.2 1 2\r\n" ],
    [ 'v1 a tab',                      "PROXY TCP4\t192.0.2.1 198.51.100.2 1 2\r\n" ],
    [ 'v1 a space at the end',         "PROXY TCP4 192.0.2.1 198.51.100.2 1 2 \r\n" ],
    [ 'v1 bare LF',                    "PROXY TCP4 192.0.2.1 198.51.100.2 1 2\n" ],
    [ 'v1 bare LF, UNKNOWN',           "PROXY UNKNOWN\n" ],
    [ 'v1 bare CR',                    "PROXY UNKNOWN a\rb\r\n" ],
    [ 'v1 of 108 bytes',               "${long}xx\r\n" ],
    [ 'v1 without an end',             'PROXY UNKNOWN ' . 'x' x 200 ],
    [ 'v2 wrong signature',            "\r\n\r\n\0\r\nQUIT\r" ],
    [ 'v2 version 1',                  v2(0x11, 0x11, $inet) ],
    [ 'v2 version 3',                  v2(0x31, 0x11, $inet) ],
    [ 'v2 unknown command',            v2(0x22, 0x11, $inet) ],
    [ 'v2 unknown family',             v2(0x21, 0x41, $inet) ],
    [ 'v2 datagrams',                  v2(0x21, 0x12, $inet) ],
    [ 'v2 no transport',               v2(0x21, 0x10, $inet) ],
    [ 'v2 INET too short',             v2(0x21, 0x11, substr $inet, 0, 11) ],
    [ 'v2 INET6 too short',            v2(0x21, 0x21, $inet) ],
    [ 'v2 UNIX too short',             v2(0x21, 0x31, 'x' x 215) ],
    [ 'v2 of 4097 bytes',              v2(0x21, 0x11, $inet . tlv(0x04, 'x' x (4097 - 16 - 12 - 3))) ],
    [ 'v2 LOCAL too long',             v2(0x20, 0x00, 'x' x 65535) ],
    [ 'TLV cut in its head',           v2(0x21, 0x11, "$inet\x01\0") ],
    [ 'TLV longer than the header',    v2(0x21, 0x11, "$inet\x01\0\x03h2") ],
    [ 'TLV twice',                     v2(0x21, 0x11, $inet . tlv(0x02, 'a') x 2) ],
    [ 'unique id of 129 bytes',        v2(0x21, 0x11, $inet . tlv(0x05, 'x' x 129)) ],
    [ 'SSL too short',                 v2(0x21, 0x11, $inet . tlv(0x20, 'xxxx')) ],
    [ 'SSL with half a TLV',           v2(0x21, 0x11, $inet . ssl(1, "\x21\0\x09TLSv1.3")) ],
    [ 'SSL version twice',             v2(0x21, 0x11, $inet . ssl(1, tlv(0x21, 'a') x 2)) ],
    [ 'SSL twice',                     v2(0x21, 0x11, $inet . ssl(1) x 2) ],
    [ 'CRC32C wrong',                  summed(1, $inet) ],
    [ 'CRC32C of three bytes',         v2(0x21, 0x11, $inet . tlv(0x03, "\0\0\0")) ],
);

subtest 'broken headers: closed, not a byte, no backend' => sub {
    my $before = () = $echo->heads;
    for my $case (@broken) {
        my ($name, $header) = @$case;
        for my $bytes ([ $header . $get ], [ split //, substr $header, 0, 300 ]) {
            my $client = $proxy->connect;
            $client->write_pieces(@$bytes);
            my $got = $client->read_eof;
            is($got, '', $name . (@$bytes > 1 ? ', byte by byte' : ''));
        }
    }
    is(scalar(() = $echo->heads), $before, 'no backend was asked');
    is(scalar(@broken) >= 25, 1, 'the table is long');
};

subtest 'half a header' => sub {
    for my $case (@good) {
        my $client = $proxy->connect;
        $client->write(substr $case->[1], 0, -1);
        shutdown $client->{socket}, 1;
        is($client->read_eof, '', "$case->[0]: the sender's end closes it");
    }
    my $files = $proxy->open_files;
    for (1 .. 20) {
        my $client = $proxy->connect;
        $client->write("PROXY TCP4 1.2.3.4");
        $client->close;
    }
    ok(wait_for { $proxy->open_files <= $files }, 'no connection is left behind');
};

subtest 'too slow' => sub {
    my $slow = proxy(router => $tlv, listen_with => \%on, global => { 'weir.header-timeout' => ms(300) });
    for my $case ([ 'nothing' => '' ], [ 'v1' => 'PROXY TCP4 1' ], [ 'v2' => $signature ]) {
        my ($name, $bytes) = @$case;
        my $begin = time;
        my $client = $slow->connect;
        $client->write($bytes) if length $bytes;
        is($client->read_eof, '', "$name: closed without a word");
        cmp_ok(time - $begin, '>=', ms(300) / 1000 - 0.05, "$name: not before its time");
    }
    my $client = $slow->connect;
    my $begin = time;
    for my $byte (split //, 'PROXY UNKNOWN ' . 'x' x 80) {
        last if $client->{eof} || time - $begin > ms(2000) / 1000;
        $client->write($byte);
        select(undef, undef, undef, ms(30) / 1000);
        $client->_take;
    }
    is($client->{in} . ($client->{eof} || $client->{broken} ? 'closed' : 'open'), 'closed', 'a byte now and then does not help');
    my @waiting = map { $slow->connect } 1 .. 20;
    is(summary(through($slow->connect, $good[0][1] . $get)), $good[0][2], 'those that say nothing hold up nobody');
};

subtest 'a unix listener' => sub {
    my $ask = sub { return summary(through($proxy->connect(to => "unix:$path"), @_)) };
    is($ask->($good[0][1] . $get), $good[0][2], 'the header\'s addresses');
    is($ask->(split //, $good[7][1] . $get), $good[7][2], 'byte by byte');
    is($ask->("PROXY UNKNOWN\r\n$get"), 'unix - 0 http no', 'UNKNOWN');
    is($proxy->connect(to => "unix:$path")->write($get) > 0, 1, 'no header');
};

subtest 'trusted senders' => sub {
    my $paths = temp_path('trusted.sock');
    my $none = free_port();
    my $mixed = proxy(router => $tlv, listen_with => { %on, 'proxy-protocol-trusted' => [ '192.0.2.0/24', '127.0.0.0/8', 'unix' ] },
        listen => [
            { %on, port => $none, host => '127.0.0.1', 'proxy-protocol-trusted' => [ '10.0.0.0/8', '::1', '127.0.0.2', 'unix' ] },
            { %on, port => $paths, type => 'unix', 'proxy-protocol-trusted' => ['127.0.0.0/8'] },
            { %on, port => "$paths.2", type => 'unix', 'proxy-protocol-trusted' => 'unix' },
        ]);
    is(summary(through($mixed->connect, $good[0][1] . $get)), $good[0][2], 'in the list');
    is(summary(through($mixed->connect(to => "unix:$paths.2"), $good[0][1] . $get)), $good[0][2], 'unix');
    for my $to ($none, "unix:$paths") {
        my $client = $mixed->connect(to => $to);
        is($client->read_eof, '', "not in the list ($to): closed before a byte is sent");
    }
    my $from = IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $none, LocalHost => '127.0.0.2');
    is(summary(through(Weir::Client->of($from), $good[0][1] . $get)), $good[0][2], 'a single address');
    my $check = weir('check', '-c', $mixed->config);
    like($check->{out}, qr{^listen 127\.0\.0\.1:\d+ .*  proxy-protocol from 192\.0\.2\.0/24 127\.0\.0\.0/8 unix$}m, 'weir check shows them');
};

subtest 'beside listeners without' => sub {
    my $plain = free_port();
    my $both = proxy(router => $tlv, listen_with => \%on, listen => [ { port => $plain, host => '127.0.0.1' } ]);
    my $host = 'GET / HTTP/1.1' . "\r\nHost: a.test:443\r\n\r\n";
    is(summary(through($both->connect(to => $plain), $host)), '127.0.0.1 - 443 http no', 'no header is asked of the others');
    is($both->connect(to => $plain)->write("PROXY UNKNOWN\r\n$get") > 0, 1, 'or taken');
    my $r = do { my $c = $both->connect(to => $plain); $c->write("PROXY TCP4 1.2.3.4 1.2.3.4 1 443\r\n$get"); $c->read_response };
    is($r->status, 400, 'there it is no request');
};

subtest 'peer-port is a feature' => sub {
    my $table = proxy(backends => [$echo], listen_with => \%on);
    like(summary(through($table->connect, $good[0][1] . $get)), qr/^192\.0\.2\.1 - 443 https -$/, 'not asked for');
    my $asked = proxy(backends => [$echo], app => { features => ['peer-port'] }, listen_with => \%on);
    like(summary(through($asked->connect, $good[0][1] . $get)), qr/^192\.0\.2\.1 5678 443 https -$/, 'asked for');
    is($asked->log_where(path => '/')->{fwd}, '192.0.2.1', 'the log has the client\'s address');
    is($asked->log_where(path => '/')->{protocol}, 'https', 'and what it speaks');
};

subtest 'draining does not wait for a header' => sub {
    my $p = proxy(router => $tlv, listen_with => \%on);
    my @open = map { $p->connect } 1 .. 3;
    $open[1]->write('PROXY ');
    $open[2]->write($good[0][1]);
    select(undef, undef, undef, 0.1);
    my $begin = time;
    is($p->stop, 0, 'it ends');
    cmp_ok(time - $begin, '<', wait_seconds() / 2, 'at once');
    is($_->read_eof, '', 'closed') for @open;
};

done_testing;
