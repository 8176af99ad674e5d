# SPDX-License-Identifier: MIT
# A body that is held may be sent again: whatever its length and framing, and whenever the first backend fails, the second gets
# each byte of it once. Clients of HTTP/1; backends of HTTP/1 and HTTP/2.
use lib 't/lib';
use Weir::Test;
use Weir::Http2Backend;
use Digest::MD5 qw(md5_hex);

# Says what it was sent.
sub told { my ($body, $trailer, $is_whole) = @_; return simple_response(join ' ', length $body, md5_hex($body), $is_whole, $trailer =~ s/\r\n/;/gr) }

my %does = (
    good   => sub { my ($c, $head) = @_; do { $c->write(told($c->read_body($head))) } while $head = $c->read_head },
    unread => sub { my ($c) = @_; $c->reset },
    middle => sub { my ($c) = @_; $c->read_exactly(4) },
    whole  => sub { my ($c, $head) = @_; $c->read_body($head) },
    early  => sub { my ($c) = @_; $c->write(simple_response('busy', status => '503 Busy')); $c->wait_close },
    busy   => sub { my ($c, $head) = @_; $c->read_body($head); $c->write(simple_response('busy', status => '503 Busy')); $c->wait_close },
    short  => sub { my ($c, $head) = @_; $c->read_body($head); $c->write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc") },
    half   => sub { my ($c) = @_; $c->read_exactly(4); $c->write("HTTP/1.1 200 OK\r\nX-A: ") },
    deaf   => sub { my ($c) = @_; $c->note('deaf'); select undef, undef, undef, 60 },    # reads nothing
    large  => sub { my ($c, $head) = @_; my ($body) = $c->read_body($head); $c->write(simple_response('x' x 100_000)) },
);
my $one = backend(sub { my $c = shift; my $head = $c->read_head or return; $does{ $c->case_of($head) }->($c, $head) }, name => 'one');
my $two = Weir::Http2Backend->start;

my $log = temp_path('attempts.log');
my %router = (module => router_so('attempts'), log => $log, backends => [ $one->address, $one->address, map { 'h2:' . $two->address } 1 .. 2 ]);
my $proxy = proxy(router => \%router);

sub calls_of { my ($path) = @_; return recorded_calls($log, $path, qr/^terminate/m) }
sub checked_in { my ($path) = @_; return join ' ', calls_of($path) =~ /^checkin (s\d)/mg }
sub asked { my ($path) = @_; return scalar(() = calls_of($path) =~ /^retry/mg) }

# A body in which each byte tells where it stands.
sub body_of { my ($bytes) = @_; my $body = join '', map { pack 'n', $_ * 31 % 65521 } 0 .. $bytes / 2; return substr $body, 0, $bytes }

# The sum of some of its bytes, as HTTP/2 backends tell it.
sub sum_of { my ($body) = @_; my $sum = 0; $sum += ord substr $body, 97 * $_, 1 for 0 .. (length($body) - 1) / 97; return $sum }

sub chunked { my ($trailers, @pieces) = @_; return join '', (map { sprintf "%x\r\n%s\r\n", length, $_ } grep { length } @pieces), "0\r\n$trailers\r\n" }

# A request; `pieces` are written one after the other, and behind the first the next waits until the router has decided.
sub send_pieces {
    my ($path, $do, $framing, @pieces) = @_;
    my $client = $proxy->connect;
    $client->write("POST $path HTTP/1.1\r\nHost: a.test\r\nX-Do: $do\r\n$framing\r\n" . shift @pieces);
    if (@pieces) {
        wait_for { recorded_calls($log, $path) =~ /^retry/m };
        $client->write($_) for @pieces;
    }
    return $client->read_response;
}

# What `good` says of a body.
sub said { my ($body, $trailer) = @_; return join ' ', length $body, md5_hex($body), 1, $trailer // '' }

# ── framings, and the ways to fail when all of it is there ──

# name, framing, bytes on the wire, body, trailers as told
my $large = body_of(300_000);
my @bodies = (
    [ 'a short body'        => "Content-Length: 5\r\n",           'hello',                                  'hello' ],
    [ 'a long body'         => "Content-Length: 300000\r\n",      $large,                                   $large ],
    [ 'chunks'              => "Transfer-Encoding: chunked\r\n",  chunked('', 'hel', 'lo'),                 'hello' ],
    [ 'many chunks'         => "Transfer-Encoding: chunked\r\n",  chunked('', $large =~ /(.{1,1000})/gs),   $large ],
    [ 'chunks and trailers' => "Transfer-Encoding: chunked\r\n",  chunked("X-Sum: 42\r\nX-B: c\r\n", 'hello'), 'hello', 'X-Sum: 42;X-B: c;' ],
    [ 'no chunk'            => "Transfer-Encoding: chunked\r\n",  chunked(''),                              '' ],
    [ 'nothing but trailers' => "Transfer-Encoding: chunked\r\n", chunked("X-Sum: 42\r\n"),                 '', 'X-Sum: 42;' ],
    [ 'a length of 0'       => "Content-Length: 0\r\n",           '',                                       '' ],
);
for my $case (@bodies) {
    my ($name, $framing, $bytes, $body, $trailer) = @$case;
    for my $how (qw(unread middle whole early busy short)) {
        next if $how eq 'middle' && length $body < 5;
        my $path = "/$how-" . $name =~ s/ /-/gr;
        my $r = send_pieces($path, "retries=1 hold=300000 to0=/$how to1=/good", $framing, $bytes);
        is($r->status . ' ' . $r->body, '200 ' . said($body, $trailer), "$name, $how: the second backend gets it all");
        is(checked_in($path), 's0 s1', 'in two attempts');
    }
}

# ── a body that is still on its way ──

my ($begin, $end) = (substr($large, 0, 100_000), substr $large, 100_000);
for my $how (qw(unread middle early half)) {
    my $path = "/slow-$how";
    my $r = send_pieces($path, "retries=1 hold=300000 to0=/$how to1=/good", "Content-Length: 300000\r\n", $begin, $end);
    is($r->status . ' ' . $r->body, '200 ' . said($large), "$how, while the body is on its way: the second backend gets it all");
    $path = "/slow-chunks-$how";
    my $cut = 10 + length chunked('', $begin);    # in the middle of a chunk
    my $bytes = chunked("X-Sum: 42\r\n", $begin, $end);
    $r = send_pieces($path, "retries=1 hold=300000 to0=/$how to1=/good", "Transfer-Encoding: chunked\r\n", substr($bytes, 0, $cut), substr $bytes, $cut);
    is($r->status . ' ' . $r->body, '200 ' . said($large, 'X-Sum: 42;'), "$how, between two chunks: the same");
}

subtest 'before a byte of it' => sub {
    my $r = send_pieces('/nothing-yet', 'retries=1 hold=300000 to0=/unread to1=/good', "Content-Length: 300000\r\n", '', $large);
    is($r->body, said($large), 'the second backend gets it all');
};

subtest 'a byte now and then, through four backends' => sub {
    my $client = $proxy->connect;
    my $body = body_of(4096);
    $client->write("POST /drops HTTP/1.1\r\nHost: a.test\r\nX-Do: retries=3 hold=4096 to0=/middle to1=/middle to2=/middle-rst to3=/echo\r\nContent-Length: 4096\r\n\r\n");
    for my $at (0 .. 3) {
        $client->write(substr $body, 1024 * $at, 1024);
        wait_for { scalar(() = recorded_calls($log, '/drops') =~ /^retry/mg) > $at } if $at < 3;
    }
    my $told = $two->told($client->read_response);
    is($told->{length}, 4096, 'the last has all of it');
    is($told->{sum}, sum_of($body), 'as it was');
    is(checked_in('/drops'), 's0 s1 s2 s3', 'four attempts');
};

# ── backends of HTTP/2 ──

for my $case (@bodies) {
    my ($name, $framing, $bytes, $body, $trailer) = @$case;
    for my $how (qw(first-rst first-busy middle-rst middle-close middle-goaway middle-busy rst_2 close busy)) {
        next if $how =~ /^middle/ && length $body < 5;
        my $path = "/$how-" . $name =~ s/ /-/gr;
        my $r = send_pieces($path, "first=2 second=1 retries=1 hold=300000 to2=/$how to1=/good", $framing, $bytes);
        is($r->status . ' ' . $r->body, '200 ' . said($body, $trailer), "$name, HTTP/2, $how: the second backend gets it all");
    }
    my $path = '/to-http2-' . $name =~ s/ /-/gr;
    my $r = send_pieces($path, 'retries=1 hold=300000 second=3 to0=/whole to3=/echo', $framing, $bytes);
    my $told = $two->told($r);
    is("$told->{length} " . join('', map { "\u$_->[0]: $_->[1];" =~ s/-(\w)/-\u$1/gr } @{ $told->{trailers} }), length($body) . ' ' . ($trailer // ''),
        "$name: from HTTP/1 to HTTP/2");
}
for my $how (qw(first-rst first-busy middle-rst middle-close middle-goaway middle-busy)) {
    my $r = send_pieces("/slow-$how", "first=2 second=1 retries=1 hold=300000 to2=/$how to1=/good", "Content-Length: 300000\r\n", $begin, $end);
    is($r->body, said($large), "HTTP/2, $how, while the body is on its way: the second backend gets it all");
}
is(calls_of('/slow-middle-goaway') =~ /^retry s2 yes backend_goaway .* untouched=1/m, 1, 'a GOAWAY that does not count the request says that nothing was done');

# ── how much is held ──

for my $case ([ 1000, 1000 => 1 ], [ 1001, 1000 => 0 ], [ 999, 1000 => 1 ], [ 1, 1 => 1 ], [ 2, 1 => 0 ], [ 100_000, 100_000 => 1 ], [ 100_001, 100_000 => 0 ],
    [ 1_048_576, 1_048_576 => 1 ], [ 1_048_577, 1_048_577 => 0 ], [ 1_048_576, 2_000_000_000 => 1 ]) {
    my ($bytes, $hold, $is_repeated) = @$case;
    my $body = body_of($bytes);
    subtest "$bytes bytes where $hold may be held" => sub {
        my $r = send_pieces("/held-$bytes-$hold", "retries=1 hold=$hold to0=/whole to1=/good", "Content-Length: $bytes\r\n", $body);
        is($r->status, $is_repeated ? 200 : 503, $is_repeated ? 'are sent again' : 'are not');
        is($r->body, said($body), 'whole') if $is_repeated;
        is(asked("/held-$bytes-$hold"), $is_repeated, 'and so the router is asked, or is not');
        like(calls_of("/held-$bytes-$hold"), qr/^terminate .* body=$bytes /m, 'the body counts once');
        $r = send_pieces("/passed-$bytes-$hold", "retries=1 hold=$hold to0=/good", "Content-Length: $bytes\r\n", $body);
        is($r->body, said($body), 'where nothing fails they pass as ever');
    };
}

subtest 'a body that becomes too long at the second backend' => sub {
    my $body = body_of(3000);
    my $r = send_pieces('/grows', 'retries=9 hold=2000 to0=/middle to1=/good', "Content-Length: 3000\r\n", substr($body, 0, 1000), substr $body, 1000);
    is($r->body, said($body), 'arrives there whole');
    $r = send_pieces('/grows-fails', 'retries=9 hold=2000 to0=/middle to1=/whole', "Content-Length: 3000\r\n", substr($body, 0, 1000), substr $body, 1000);
    is($r->status, 503, 'but cannot be sent a third time');
    is(asked('/grows-fails'), 1, 'the router is asked once');
};

subtest 'a service that holds, then one that does not' => sub {
    my $body = body_of(3000);
    my $r = send_pieces('/first-only', 'retries=9 hold1=3000 to0=/whole to1=/good', "Content-Length: 3000\r\n", $body);
    is($r->body, said($body), 'gets all that is held');
    $r = send_pieces('/first-only-slow', 'retries=9 hold1=3000 to0=/middle to1=/good', "Content-Length: 3000\r\n", substr($body, 0, 1000), substr $body, 1000);
    is($r->body, said($body), 'and what comes behind it');
};

# ── what else may happen meanwhile ──

subtest 'a body longer than the path allows' => sub {
    my $own = proxy(router => \%router, global => { 'limit-request-body' => 2000 });
    my $client = $own->connect;
    $client->write("POST /limit HTTP/1.1\r\nHost: a.test\r\nX-Do: retries=9 hold=1000000 to0=/middle to1=/deaf\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n" . 'a' x 1000 . "\r\n");
    wait_for { recorded_calls($log, '/limit') =~ /^backend s1/m };
    $client->write("3e9\r\n" . 'a' x 1001 . "\r\n");
    is($client->read_response->status, 413, 'is refused, the held part included');
    like(calls_of('/limit'), qr/^checkin s1 connected body_too_large /m, 'by its reason');
};

subtest 'a client that stops sending' => sub {
    my $own = proxy(router => \%router, path => { 'weir.idle-timeout' => ms(300) });
    my $client = $own->connect;
    $client->write("POST /stops HTTP/1.1\r\nHost: a.test\r\nX-Do: retries=9 hold=1000 to0=/middle to1=/good\r\nContent-Length: 1000\r\n\r\nbegin");
    my $r = $client->read_response;
    is($r->status, 503, 'gets a page');
    like(calls_of('/stops'), qr/^checkin s1 connected client_timeout /m, 'for its own fault, at the second backend');
    is(asked('/stops'), 1, 'about which nobody is asked');
};

for my $moment ([ 'at the first backend', 'to0=/deaf', qr/^backend s0/m ], [ 'between two', 'checkin=' . ms(200) . ' to0=/middle', qr/^checkin s0/m ],
    [ 'at the second', 'to0=/middle to1=/deaf', qr/^backend s1/m ]) {
    my ($name, $do, $until) = @$moment;
    my $path = '/leaves-' . $name =~ s/ /-/gr;
    my $client = $proxy->connect;
    $client->write("POST $path HTTP/1.1\r\nHost: a.test\r\nX-Do: retries=9 hold=300000 $do\r\nContent-Length: 300000\r\n\r\n$begin");
    wait_for { recorded_calls($log, $path) =~ $until };
    $client->reset;
    like(calls_of($path), qr/^terminate client_closed 499 /m, "a client that leaves $name");
}

subtest 'a backend that takes nothing for a while' => sub {
    my $body = body_of(1_000_000);
    my $r = send_pieces('/deaf', 'retries=1 hold=1000000 try=' . ms(300) . ' to0=/deaf to1=/good', "Content-Length: 1000000\r\n", $body);
    is($r->body, said($body), 'costs its time, and no byte');
};

subtest 'an answer before the body is whole' => sub {
    my $r = send_pieces('/early-both', 'retries=1 hold=300000 to0=/early to1=/early', "Content-Length: 300000\r\n", $begin);
    is($r->status . $r->body, '503busy', 'that of the second goes to the client, which need not send the rest');
    ok($r->says_close, 'its connection ends');
    like(calls_of('/early-both'), qr/^checkin s1 connected - .* reach=whole /m, 'and all went well');
};

subtest 'a stage that goes back once the connection is there' => sub {
    my $stage_log = write_file(temp_path('stage.log'), '');
    my $own = proxy(router => \%router, path => { 'weir.stages' => router_so('stage', '-DNUMBER=65', qq(-DLOG="$stage_log")) });
    my $client = $own->connect;
    $client->write("POST /back HTTP/1.1\r\nHost: a.test\r\nX-Do-65: back\r\nX-Do: retries=1 hold=300000 to1=/middle second=1 to2=/body\r\n"
        . "Content-Length: 300000\r\n\r\n$begin");
    wait_for { recorded_calls($log, '/back') =~ /^retry/m };
    $client->write($end);
    ok($client->read_response->body eq $large, 'and then a backend that fails: the next one gets it all');
    is(checked_in('/back'), 's0 s1 s2', 'three picks come back');
    is(read_file($stage_log), "/back +65\n/back -65\n" x 2 . "/back +65\n/back -65\n", 'the stage is left as often as it was entered');
};

subtest 'requests behind it' => sub {
    my $client = $proxy->connect;
    my @bodies = map { body_of(1000 * $_) } 1 .. 3;
    my $text = join '', map { "POST /behind-$_ HTTP/1.1\r\nHost: a.test\r\nX-Do: retries=1 hold=5000 to0=/whole to1=/good\r\nContent-Length: ${_}000\r\n\r\n$bodies[$_ - 1]" } 1 .. 3;
    $client->write($text . "GET /behind-4 HTTP/1.1\r\nHost: a.test\r\nX-Do: to0=/large\r\n\r\n");
    is($client->read_response->body, said($_), 'have bodies of their own') for @bodies;
    is(length $client->read_response->body, 100_000, 'or none');
};

done_testing;
