# SPDX-License-Identifier: MIT
# TLS with clients: handshakes, their ends, and everything that HTTP/1 does, through it.
use lib 't/lib';
use Weir::Test;
use Weir::TLS;
use IO::Select;
use IO::Socket::INET;
use Time::HiRes qw(time);

my $ca   = authority('test authority');
my $cert = certificate('a.test', ca => $ca);
my $echo = echo_backend();

sub ssl {
    my ($c, %more) = @_;
    return { 'certificate-file' => $c->{cert}, 'key-file' => $c->{key}, %more };
}

my $log = temp_path('h2o.log');
my $proxy = proxy(
    backends => [$echo],
    global   => {
        'access-log' => { path => $log, format => '%U %{ssl.protocol-version}x %{ssl.cipher}x %{ssl.cipher-bits}x %{ssl.session-reused}x %{ssl.session-id}x' },
    },
    listen => [ map { { host => '127.0.0.1', port => $_->[0], %{ $_->[1] } } } (
        [ my $tls = free_port(), { ssl => ssl($cert) } ],
        [ my $old = free_port(), { ssl => ssl($cert, 'maximum-version' => 'TLSv1.2', 'cipher-preference' => 'server', 'cipher-suite' => 'ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256') } ],
        [ my $new = free_port(), { ssl => ssl($cert, 'minimum-version' => 'TLSv1.3', 'cipher-suite-tls1.3' => 'TLS_AES_128_GCM_SHA256') } ],
        [ my $proxied = free_port(), { ssl => ssl($cert), 'proxy-protocol' => 'ON' } ],
    ) ],
);

sub get { my ($path, $more) = @_; return "GET $path HTTP/1.1\r\nHost: a.test\r\n" . ($more // '') . "\r\n" }

sub ask {
    my ($client, $bytes) = @_;
    return unless $client;
    $client->write($bytes);
    return $client->read_response;
}

sub plain { my ($bytes) = @_; my $client = $proxy->connect(to => $tls); $client->write($bytes); return $client->read_eof }

# ── handshakes ──

subtest 'versions' => sub {
    for my $version (qw(TLSv1_2 TLSv1_3)) {
        my $client = tls_client($tls, ca => $ca, hostname => 'a.test', versions => $version);
        ok($client, "$version is spoken") or diag(tls_error());
        is($client->version, $version, 'and nothing else');
        is(ask($client, get("/$version"))->status, 200, 'a request goes through');
    }
    is(tls_client($old, versions => 'TLSv1_3'), undef, 'maximum-version');
    is(tls_client($new, versions => 'TLSv1_2'), undef, 'minimum-version');
    like(s_client($tls, qw(-tls1_1 -cipher DEFAULT@SECLEVEL=0)), qr/alert protocol version/, 'TLS 1.1 is not spoken');
};

subtest 'ciphers' => sub {
    like(s_client($old, qw(-cipher ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305)), qr/Cipher is ECDHE-ECDSA-CHACHA20-POLY1305/, 'ours in our order');
    like(s_client($new), qr/Cipher is TLS_AES_128_GCM_SHA256/, 'those of TLS 1.3');
    like(s_client($old, qw(-cipher ECDHE-ECDSA-AES256-GCM-SHA384)), qr/handshake failure/, 'and no others');
};

subtest 'ALPN' => sub {
    is(tls_client($tls, alpn => ['http/1.1'])->alpn, 'http/1.1', 'http/1.1');
    is(tls_client($tls, alpn => [ 'acme-tls/1', 'http/1.1' ])->alpn, 'http/1.1', 'beside something else');
    is(tls_client($tls)->alpn, undef, 'none, if none is offered');
    is(tls_client($tls, alpn => ['acme-tls/1']), undef, 'nothing in common ends the handshake');
};

subtest 'no compression, no renegotiation' => sub {
    my $said = s_client($tls, '-tls1_2');
    like($said, qr/Compression: NONE/, 'no compression');
    my $client = tls_client($tls, versions => 'TLSv1_2');
    Net::SSLeay::renegotiate($client->ssl);
    $client->{socket}->blocking(1);
    Net::SSLeay::do_handshake($client->ssl);
    $client->{socket}->blocking(0);
    my $r = ask($client, get('/'));
    ok(!$r || $r->status == 200, 'a client that wants to begin anew does not get it');
};

subtest 'what is no handshake' => sub {
    like(plain(get("/")), qr{^HTTP/1\.1 400 .*This address speaks HTTPS}s, 'plain HTTP is told so');
    my $client = $proxy->connect(to => $tls);
    $client->write("\x16\x03\x01\x00\x05hello");
    ok(defined $client->read_eof, 'rubbish is closed');
    is(ask(tls_client($tls), get('/'))->status, 200, 'others do not feel it');
};

subtest 'who connects and goes leaves no line, who says something does' => sub {
    my $port = free_port();
    my $own  = proxy(backends => [$echo], listen => [ { host => '127.0.0.1', port => $port, ssl => ssl($cert) } ]);
    $own->connect(to => $port)->close for 1 .. 3;
    my $client = $own->connect(to => $port);
    $client->write("\x16\x03\x01\x00\x05hello");
    ok(defined $client->read_eof, 'rubbish is closed');
    my $said = wait_for { $own->stderr =~ /handshake with/ ? $own->stderr : undef };
    is(() = $said =~ /handshake with/g, 1, 'one line');
    like($said, qr/and 0 others since/, 'of the only one that has failed');
};

subtest 'handshakes that stall' => sub {
    my ($port, $behind) = (free_port(), free_port());
    my $quick = proxy(backends => [$echo], global => { 'handshake-timeout' => 1 }, listen => [
        { host => '127.0.0.1', port => $port, ssl => ssl($cert) },
        { host => '127.0.0.1', port => $behind, ssl => ssl($cert), 'proxy-protocol' => 'ON' },
    ]);
    my $client = $quick->connect(to => $port);
    $client->write("\x16");
    my $at = time;
    ok(defined $client->read_eof, 'are closed by handshake-timeout');
    ok(time - $at > 0.8, 'not before it');
    $client = $quick->connect(to => $behind);
    $client->write("PROXY TCP4 192.0.2.9 198.51.100.2 4711 443\r\n");
    ok(defined $client->read_eof, 'behind a PROXY header, too');
};

subtest 'a handshake-timeout of more milliseconds than 32 bits hold' => sub {
    my $port = free_port();
    my $slow = proxy(backends => [$echo], global => { 'handshake-timeout' => 4294968 }, listen => [ { host => '127.0.0.1', port => $port, ssl => ssl($cert) } ]);
    my $client = $slow->connect(to => $port);
    $client->write("\x16");
    ok($client->is_silent(1.5), 'is not one of 704');
};

subtest 'the beginning of a record is waited behind, not asked for again and again' => sub {
    my $ticks = sub { my @f = split ' ', read_file('/proc/' . $proxy->pid . '/stat') =~ s/^.*\) //sr; $f[11] + $f[12] };
    my $whole = hello();
    my $client = $proxy->connect(to => $tls);
    $client->write(substr $whole, 0, 11);
    is(ask(tls_client($tls), get('/'))->status, 200, 'others are served');
    my $before = $ticks->();
    select undef, undef, undef, 1;
    cmp_ok($ticks->() - $before, '<', 30, 'and the loop sleeps');
    $client->write(substr $whole, 11);
    is(ord($client->read_exactly(1) // ''), 0x16, 'the rest of it is answered');
};

# ── requests ──

subtest 'what backends and logs see' => sub {
    my $r = ask(tls_client($tls), get('/seen', "X-Forwarded-Proto: http\r\n"));
    like($r->body, qr/^X-Forwarded-Proto: https\r$/m, 'X-Forwarded-Proto');
    like($r->body, qr/^X-Forwarded-Port: $tls\r$/m, 'X-Forwarded-Port');
    is($proxy->log_where(path => '/seen')->{protocol}, 'https', 'the access line');
    $proxy->get('/plain');
    my $lines = wait_for { my $text = read_file($log); $text =~ m{^/plain}m ? $text : undef };
    like($lines, qr{^/seen TLSv1\.3 TLS_AES_256_GCM_SHA384 256 0 \S+$}m, 'libh2o can log TLS');
    like($lines, qr{^/plain - - - - -$}m, 'and its absence');
};

subtest 'many requests on one connection' => sub {
    my $client = tls_client($tls);
    for my $i (1 .. 20) {
        my $r = ask($client, get("/again/$i"));
        like($r->body, qr{^GET /again/$i }, "request $i") or last;
    }
    $client->write(join '', map { get("/pipelined/$_") } 1 .. 5);
    like($client->read_response->body, qr{^GET /pipelined/$_ }, "pipelined $_") for 1 .. 5;
};

subtest 'records of every size' => sub {
    my $client = tls_client($tls);
    my $request = get('/pieces', 'X: ' . 'y' x 300 . "\r\n");
    $client->write($_) for map { substr $request, $_, 1 } 0 .. length($request) - 1;
    like($client->read_response->body, qr{^GET /pieces }, 'a byte a record');
    my $body = join '', map { chr(int rand 256) } 1 .. 100_000;
    my $r = ask($client, "POST /both HTTP/1.1\r\nHost: a.test\r\nContent-Length: 100000\r\n\r\n$body");
    is(length $r->body, length($body) + index($r->body, "\r\n\r\n") + 4, 'full ones');
    ok(substr($r->body, -100_000) eq $body, 'byte by byte');
};

subtest 'a client that reads slowly gets every byte' => sub {
    my $body = join '', map { pack 'N', $_ * 2654435761 % 4294967296 } 1 .. 1_000_000;
    my $client = tls_client($tls, receive_buffer => 4096);
    $client->write("POST /slowly HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4000000\r\n\r\n");
    $client->write($body, 30);
    my $r = $client->read_response(seconds => 30);
    is(length $r->body, length($body) + index($r->body, "\r\n\r\n") + 4, 'all of them');
    ok(substr($r->body, -4_000_000) eq $body, 'in their order');
};

subtest 'new keys in the middle' => sub {
    my $request = 'GET /keys HTTP/1.1\r\nHost: a.test\r\n\r\n';
    my $r = run_command('/bin/sh', '-c', "(printf '$request'; sleep 0.5; echo K; sleep 0.5; printf '$request'; sleep 0.5) | openssl s_client -connect 127.0.0.1:$tls -tls1_3");
    like($r->{out} . $r->{err}, qr/KEYUPDATE/, 'the client asks for them');
    is(scalar(() = $r->{out} =~ m{^HTTP/1\.1 200 }mg), 2, 'requests before and after');
};

subtest 'an upload whose TLS ends without close_notify is an abort' => sub {
    my $client = tls_client($tls);
    $client->write("POST /torn HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1000\r\n\r\nhalf");
    $client->close;
    is($proxy->log_where(path => '/torn')->{code}, 'client_closed', 'the log says so');
};

subtest 'ends' => sub {
    my $client = tls_client($tls);
    my $r = ask($client, get('/close', "Connection: close\r\n"));
    is($r->status, 200, 'Connection: close');
    ok(defined $client->read_eof, 'is closed');
    ok($client->was_notified, 'with close_notify');

    $client = tls_client($tls);
    $client->write(get('/half'));
    $client->notify;
    is($client->read_response->status, 200, 'a client that has said close_notify behind its request still gets its answer');

    $client = tls_client($tls);
    $client->notify;
    ok(defined $client->read_eof, 'close_notify instead of a request closes');

    for (1 .. 5) {
        $client = tls_client($tls);
        $client->write(get('/leaves'));
        $client->close;
    }
    is(ask(tls_client($tls), get('/'))->status, 200, 'clients that leave at once leave nothing behind');
};

# ── PROXY ──

subtest 'a PROXY header before the handshake' => sub {
    my $v2 = "\r\n\r\n\0\r\nQUIT\n" . pack('CCn', 0x21, 0x11, 12) . pack('C4C4nn', 192, 0, 2, 9, 198, 51, 100, 2, 4711, 80);
    for my $case ([ 'version 1', "PROXY TCP4 192.0.2.9 198.51.100.2 4711 80\r\n" ], [ 'version 2', $v2 ]) {
        my ($name, $header) = @$case;
        my $client = tls_client($proxied, first => $header, ca => $ca);
        ok($client, $name) or next;
        my $r = ask($client, get('/proxied'));
        like($r->body, qr/^X-Forwarded-For: 192\.0\.2\.9\r$/m, 'who it is');
        like($r->body, qr/^X-Forwarded-Proto: https\r$/m, 'TLS is TLS, whatever port the header names');
        like($r->body, qr/^X-Forwarded-Port: 80\r$/m, 'the port is the header\'s');
    }
    is(tls_client($proxied), undef, 'without it there is no handshake');
};

subtest 'a client that says nothing behind its handshake' => sub {
    my $port  = free_port();
    my $quick = proxy(backends => [$echo], global => { 'weir.header-timeout' => ms(400) }, listen => [ { host => '127.0.0.1', port => $port, ssl => ssl($cert) } ]);
    my $client = tls_client($port);
    ok(defined $client->read_eof(5), 'is closed by weir.header-timeout');
    ok($client->was_notified, 'with close_notify');
};

# ── configuration ──

subtest 'what cannot be' => sub {
    my $other = certificate('other.test');
    my @cases = (
        [ 'no key',            { 'certificate-file' => $cert->{cert} }, qr/ssl: key-file is missing/ ],
        [ 'no certificate',    { 'key-file' => $cert->{key} }, qr/ssl: certificate-file is missing/ ],
        [ 'no such file',      ssl($cert, 'certificate-file' => '/nowhere.crt'), qr{ssl: /nowhere\.crt cannot be read: No such file} ],
        [ 'not a certificate', ssl($cert, 'certificate-file' => $proxy->config), qr/is no PEM file of certificates/ ],
        [ 'another key',       ssl($cert, 'key-file' => $other->{key}), qr/is not the key of the certificate/ ],
        [ 'a version',         ssl($cert, 'minimum-version' => 'TLSv2'), qr/ssl: a version is TLSv1, TLSv1\.1, TLSv1\.2 or TLSv1\.3/ ],
        [ 'an old version',    ssl($cert, 'minimum-version' => 'SSLv3'), qr/OpenSSL does not speak it any more/ ],
        [ 'crossed versions',  ssl($cert, 'minimum-version' => 'TLSv1.3', 'maximum-version' => 'TLSv1.2'), qr/minimum-version is above maximum-version/ ],
        [ 'a cipher',          ssl($cert, 'cipher-suite' => 'NONSENSE'), qr/cipher-suite names no cipher/ ],
        [ 'a cipher of 1.3',   ssl($cert, 'cipher-suite-tls1.3' => 'NONSENSE'), qr/cipher-suite-tls1\.3 names a cipher/ ],
        [ 'a preference',      ssl($cert, 'cipher-preference' => 'both'), qr/cipher-preference must be client or server/ ],
        [ 'a mode',            ssl($cert, 'verify-mode' => 'sometimes'), qr/verify-mode must be none, optional or require/ ],
        [ 'no authority',      ssl($cert, 'verify-mode' => 'require'), qr/verify-mode needs client-ca-file/ ],
        [ 'dh',                ssl($cert, 'dh-file' => $cert->{cert}), qr/is no PEM file of Diffie-Hellman parameters/ ],
        [ 'a key of ours',     ssl($cert, 'certificates' => 'x'), qr/ssl: unknown key certificates/ ],
    );
    for my $case (@cases) {
        my ($name, $ssl, $complaint) = @$case;
        my $file = temp_path('bad.yaml');
        write_file($file, "listen:\n  port: 1\n  ssl:\n", (map { "    $_: \"$ssl->{$_}\"\n" } sort keys %$ssl), "hosts:\n  default:\n    paths:\n      /:\n        weir.router: stub\n");
        my $r = weir('check', '-c', $file);
        is($r->{exit}, 1, "$name is refused");
        like($r->{err}, qr/^\Q$file\E:\d+: .*$complaint/m, 'with its place') or diag($r->{err});
    }
    my $file = temp_path('mixed.yaml');
    write_file($file, "listen:\n  - port: 1\n    ssl:\n      certificate-file: $cert->{cert}\n      key-file: $cert->{key}\n  - 1\nhosts:\n  default:\n    paths:\n      /:\n        weir.router: stub\n");
    like(weir('check', '-c', $file)->{err}, qr/one address cannot be plain and have ssl/, 'one address is one thing');
};

# What a client says first, as openssl says it.
sub hello {
    my $trap = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1) or die $!;
    my $pid = open my $client, '-|', 'sh', '-c', "exec openssl s_client -connect 127.0.0.1:@{[ $trap->sockport ]} </dev/null 2>&1" or die $!;
    sysread $trap->accept, my $bytes, 16_384;
    close $trap;
    close $client;
    return $bytes;
}

subtest 'a request does not wait behind many handshakes' => sub {
    my $slow  = certificate('slow.test', ca => $ca, rsa => 4096);
    my $port  = free_port();
    my $own   = proxy(backends => [$echo], global => { 'handshake-timeout' => wait_seconds() }, listen => [ { host => '127.0.0.1', port => $port, ssl => ssl($slow) } ]);
    my $hello = hello();
    my $client = $own->connect;
    is(ask($client, get('/before'))->status, 200, 'a connection is open');
    my $files = $own->open_files;
    my @hands = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) // die $! } 1 .. 64;
    ok((wait_for { $own->open_files >= $files + @hands }), 'and 64 others, in silence');
    $own->stand_still;
    syswrite $_, $hello for @hands;
    $client->write(get('/among'));
    $own->signal('CONT');
    is($client->read_response->status, 200, 'they all want to shake hands before a request comes');
    my $answered = IO::Select->new(@hands)->can_read(0);
    cmp_ok($answered, '<', @hands / 2, "$answered of them have been answered when the request is");
    my $all = IO::Select->new(@hands);
    ok((wait_for { $all->can_read(0) == @hands }), 'all of them are in the end');
    close $hands[$_] for 0 .. 31;
    is(ask($client, get('/after'))->status, 200, 'and it goes on');
};

subtest 'records that carry nothing' => sub {
    my $port = free_port();
    my $own  = proxy(backends => [$echo], listen => [ { host => '127.0.0.1', port => $port, ssl => ssl($cert) } ]);
    for my $protocol ('http/1.1', 'h2') {
        is(run_command(key_updates(), 2, 'client', $port, 2000, $protocol)->{out}, "open\n", "$protocol: 2,000 KeyUpdates are suffered");
        like(run_command(key_updates(), 2 * wait_seconds(), 'client', $port, 20_000, $protocol)->{out}, qr/^closed/, "$protocol: of 20,000 it has had enough");
    }
    my @told = grep { ($_->{code} // '') eq 'client_tls_flood' } $own->log_lines(2);
    is(scalar @told, 2, 'and the log says why');
};

done_testing;
