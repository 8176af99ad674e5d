# SPDX-License-Identifier: MIT
# What bad clients of the admin endpoint cannot do: harm clients of the proxy, keep others out, or fill its memory.
use lib 't/lib';
use Weir::Test;
use Weir::Admin;
use Weir::Client;
use Weir::Load;
use IO::Socket::UNIX;
use JSON::PP ();
use Time::HiRes ();

use constant { MIB => 1 << 20, CONNECTIONS => 64, BODY => 8 << 20, BEHIND => 4 << 20, LEFT => 20 };

$SIG{PIPE} = 'IGNORE';
admin_path(temp_path('admin.sock'));
my $ok   = fast_backend('ok');
my $gate = temp_path('gate');
my $slow = backend(sub { $_[0]->serve(sub { wait_for { -e $gate } 60; simple_response('slow') }) });
my $proxy = proxy(
    global => { 'weir.admin' => { path => admin_path(), permission => '0600' } },
    router => { module => 'table', apps => {
        live => { domains => ['live.test'], backends => [ { at => $ok->address, id => 'one' } ] },
        slow => { domains => ['slow.test'], backends => [ { at => $slow->address, id => 'one' } ] } } },
);
ok(wait_for { -S admin_path() }, 'the endpoint is there');
my $load = Weir::Load->start($proxy, kinds => [qw(get post)], host => 'live.test', body => qr/^ok$/);

sub client { return Weir::Client->connect('unix:' . admin_path()) // die "no admin endpoint: $!" }

# The bytes of a call on a connection that stays.
sub text_of {
    my ($method, $target, $body) = @_;
    return "$method $target HTTP/1.1\r\nHost: localhost\r\n" . (defined $body ? 'Content-Length: ' . length($body) . "\r\n\r\n$body" : "\r\n");
}

# Whoever comes next is answered, and clients of the proxy go on.
sub all_is_well {
    my ($behind) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is(call(GET => '/v1/version')->{status}, 200, "$behind: the next call is answered");
    return ok($load->goes_on(3), 'and clients are');
}

# What it may have in memory more than before. Sanitizers keep what was freed.
sub has_grown_by {
    my ($before, $most_mib) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $grown = int(($proxy->memory_kb('VmRSS') - $before) / 1024);
    note "grown by $grown MiB";
    return cmp_ok($grown, '<', is_sanitized() ? $most_mib + 200 : $most_mib, 'and are not in its memory');
}

subtest 'a hundred megabytes of JSON' => sub {
    my $before = $proxy->memory_kb('VmRSS');
    my $piece  = '[' . '1,' x ((MIB - 2) / 2) . '1';
    for my $framing ('Content-Length: 104857600', 'Transfer-Encoding: chunked') {
        for my $target ('POST /v1/changes', 'PUT /v1/state', 'PATCH /v1/apps/live') {
            my $client = client();
            $client->write("$target HTTP/1.1\r\nHost: localhost\r\n$framing\r\n\r\n");
            my $text = $framing =~ /chunked/ ? sprintf("%x\r\n%s\r\n", length $piece, $piece) : $piece;
            my $sent = 0;
            while ($sent < 100 * MIB && !length $client->{in} && !$client->is_eof && !$client->{broken}) { $sent += $client->write($text) }
            cmp_ok($sent, '<', BODY + 3 * MIB, "$target, $framing: what is more than 8 MiB is not taken");
            is($client->read_response->status, 413, 'and it says so');
        }
    }
    has_grown_by($before, 40);
    all_is_well('behind it');
};

subtest 'JSON that is odd' => sub {
    my $before = $proxy->memory_kb('VmRSS');
    my @calls = ([ POST => '/v1/changes' ], [ PUT => '/v1/state' ], [ PATCH => '/v1/apps/live' ], [ PUT => '/v1/apps/new' ], [ POST => '/v1/explain' ],
        [ PUT => '/v1/domains/new.test' ], [ POST => '/v1/apps/live/backends' ]);
    for my $call (@calls) {
        is(call(@$call, $_->[1])->{status}, 413, "@$call: $_->[0]") for [ 'deep lists' => '[' x 1_000_000 ], [ 'deep objects' => '{"a":' x 500_000 ],
            [ 'deep, and closed' => ('[' x 101) . (']' x 101) ];
        is(call(@$call, $_->[1])->{status}, 400, "@$call: $_->[0]") for [ 'no UTF-8' => "\"\xff\xfe\"" ], [ 'a NUL' => "{\"a\0\":1}" ],
            [ 'a number too large' => '{"a":1e999999}' ], [ 'two documents' => '{} {}' ], [ 'half a string' => '{"a' ], [ 'half of an escape' => '{"a\\' ];
    }
    my $keys = join ',', map { sprintf '"%x":1', $_ } 0x10000 .. 0x10000 + 800_000;
    cmp_ok(length $keys, '<', BODY, 'as many keys as there is room for');
    for my $text ("{$keys}", "{\"settings\":{$keys}}", "{\"labels\":{$keys}}", '[' . join(',', ('{}') x 2_000_000) . ']') {
        is_problem(call(@$_, $text), 413, 'too-large', "@$_: " . substr($text, 0, 20) . '…') for @calls;
    }
    my $some = join ',', map {"\"k$_\":1"} 1 .. 900;
    is(call(@$_, "{$some}")->{status}, 422, "@$_: hundreds of keys") for grep { "@$_" !~ /changes/ } @calls;
    is(call(GET => '/v1/apps/live')->{fields}{etag}, '"0"', 'nothing is changed');
    has_grown_by($before, 120);
    all_is_well('behind it');
};

subtest 'who keeps still' => sub {
    my @idle = map { my $c = client(); $c->write(text_of(GET => '/v1/version')); is($c->read_response->status, 200) if $_ == 1; $c } 1 .. CONNECTIONS;
    $_->read_response for @idle[ 1 .. $#idle ];
    all_is_well('beside 64 that are idle');
    ok(defined $idle[0]->read_eof, 'the oldest was cut for it');
    $idle[-1]->write(text_of(GET => '/v1/version'));
    is($idle[-1]->read_response->status, 200, 'and not the latest');
    my @halves = map { my $c = client(); $c->write('GET /v1/version HTTP/1.1' . ($_ % 2 ? '' : "\r\nHost: lo")); $c } 1 .. CONNECTIONS;
    all_is_well('beside 64 halves of heads');
    my $bodies = join '', 'POST /v1/changes HTTP/1.1', "\r\nHost: localhost\r\nContent-Length: 8000000\r\n\r\n[";
    my @bodies = map { my $c = client(); $c->write($bodies . ' ' x 1000); $c } 1 .. CONNECTIONS;
    all_is_well('beside 64 beginnings of bodies');
    my @deaf = map { my $c = client(); $c->write_until_stuck(text_of(GET => '/') x 200, 0.2); $c } 1 .. 4;
    all_is_well('beside those that ask and do not read');
};

subtest 'rubbish' => sub {
    my $random = join '', map { chr int rand 256 } 1 .. 4096;
    for my $n (1 .. 400) {
        my $client = client();
        $client->write(substr $random, $n % 100, 1 + $n * 10 % 3900);
        $n % 3 == 0 ? $client->reset : $client->close;
    }
    all_is_well('behind 400 of random bytes');
    for my $flood ('x', "\r\n", "GET / HTTP/1.1\r\nX: " . 'y' x 60000, "GET /v1/apps HTTP/1.1\r\n\r\n", "\x16\x03\x01\x02\x00\x01", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") {
        my $client = client();
        $client->write_until_stuck($flood x (2 * MIB / length $flood), 0.2);
        all_is_well('beside a flood');
    }
};

subtest 'watchers that do not read' => sub {
    my $before = $proxy->memory_kb('VmRSS');
    my @deaf = map { my $c = client(); $c->write(text_of(GET => '/v1/watch')); ok(defined $c->read_head, 'a watcher') if $_ == 1; $c } 1 .. 4;
    my $reader = client();
    $reader->write(text_of(GET => '/v1/watch'));
    $reader->read_head;
    my $files = $proxy->open_files;
    my @steps = map { { op => 'patch', path => '/apps/live/backends/one', value => { labels => { long => $_ . 'x' x 2000 } } } } 1 .. 200;
    for (1 .. 4 * BEHIND / (200 * 4000)) {
        is(call(POST => '/v1/changes', \@steps)->{status}, 200, 'many changes');
        $reader->{in} = '' while $reader->_more(Time::HiRes::time() + 0.01);
        last if $proxy->open_files <= $files - @deaf;
    }
    is($proxy->open_files, $files - @deaf, 'they are cut');
    ok(!$reader->is_eof, 'and not who reads');
    for my $client (@deaf) {
        my $rest = $client->read_eof;
        ok(defined $rest, 'what is under way comes, and the end');
        cmp_ok(length($rest // ''), '<', 3 * BEHIND, 'and no more than that');
    }
    has_grown_by($before, 80);
    all_is_well('behind it');
};

subtest 'watchers that come and go' => sub {
    for my $n (1 .. 1000) {
        my $client = client();
        $client->write(text_of(GET => '/v1/watch?after=' . ($n % 2 ? 0 : 999_999_999)));
        $client->read_head if $n % 4 == 0;
        $n % 3 == 0 ? $client->reset : $client->close;
        call(PATCH => '/v1/apps/live/backends/one', { weight => $n % 100 + 1 }) if $n % 50 == 0;
    }
    all_is_well('behind a thousand');
    ok(wait_for { $proxy->open_files < 60 }, 'none of them is open any more');
};

subtest 'who waits, and goes' => sub {
    my $client = $proxy->connect;
    $client->write("GET /slow HTTP/1.1\r\nHost: slow.test\r\nConnection: close\r\n\r\n");
    ok(wait_for { call(GET => '/v1/apps/slow')->{document}{in_flight} == 1 }, 'a request is under way');
    for my $n (1 .. 200) {
        my $waiter = client();
        $waiter->write(text_of(PATCH => '/v1/apps/slow/backends/one?wait=' . ($n % 4 ? 'idle' : 'grace'), "{\"weight\":$n}"));
        $n % 3 == 0 ? $waiter->reset : $waiter->close;
    }
    my $patient = client();
    $patient->write(text_of(POST => '/v1/apps/slow/backends/one/drain?wait=idle'));
    all_is_well('behind two hundred who wait no more');
    write_file($gate, '');
    is($client->read_response->body, 'slow', 'the request is answered');
    is($patient->read_response->status, 200, 'and so is the one who waits');
    all_is_well('behind it');
};

# Some of each are there when the process ends.
my @left = map { my $c = client(); $c->write($_); $c } map { ($_) x 4 } text_of(GET => '/v1/watch'), "GET /v1", text_of(POST => "/v1/apps/slow/pause?wait=idle"), '';
my $seen = $load->finish;
is_deeply($seen->{wrong}, [], "none of $seen->{answers} requests of clients has failed");

done_testing;
