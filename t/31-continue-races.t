# SPDX-License-Identifier: MIT
# Expect: 100-continue, and every order in which the three may speak, leave or keep silent.
use lib 't/lib';
use Weir::Test;
use Time::HiRes qw(time);

my $continue = "HTTP/1.1 100 Continue\r\n\r\n";
my $ok       = simple_response('ok');
my $switch   = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n";

sub say { my ($c, @pieces) = @_; $c->write_pieces(@pieces); return }
sub body_of { my ($c, $head) = @_; return ($c->read_body($head))[0] }
sub echo { my ($c) = @_; while (defined(my $bytes = $c->read_until(qr/.+/s))) { $c->write($bytes) } return }

# The first word of the path: what the backend does behind the head. True: and then the next request.
my %does = (
    polite    => sub { my ($c, $head) = @_; say($c, $continue); say($c, simple_response('got ' . body_of($c, $head))); 1 },
    wordless  => sub { my ($c, $head) = @_; say($c, simple_response('got ' . body_of($c, $head))); 1 },
    late      => sub { my ($c, $head) = @_; my $body = body_of($c, $head); say($c, $continue, simple_response("got $body")); 1 },
    twice     => sub { my ($c, $head) = @_; say($c, $continue, $continue); say($c, simple_response('got ' . body_of($c, $head))); 1 },
    refuse    => sub { my ($c) = @_; say($c, "HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno"); $c->wait_close },
    chunks    => sub { my ($c) = @_; say($c, "HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n"); $c->wait_close },
    leave     => sub { 0 },
    reset     => sub { $_[0]->reset; 0 },
    'half'    => sub { say($_[0], 'HTTP/1.1 10'); 0 },
    silent    => sub { $_[0]->note('asked'); $_[0]->wait_close },
    'leave-2' => sub { say($_[0], $continue); 0 },
    silent2   => sub { my ($c, $head) = @_; say($c, $continue); body_of($c, $head); $c->note('taken'); $c->wait_close },
    close     => sub { my ($c, $head) = @_; say($c, "HTTP/1.1 100 Continue\r\nConnection: close\r\n\r\n"); say($c, simple_response('got ' . body_of($c, $head))); 1 },
    dressed   => sub { my ($c, $head) = @_; say($c, "HTTP/1.0 100 Whatever you like\r\nServer: x\r\nX-Own: 1\r\n\r\n"); say($c, simple_response('got ' . body_of($c, $head))); 1 },
    hints     => sub { my ($c, $head) = @_; say($c, "HTTP/1.1 102 Processing\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", $continue); say($c, simple_response('got ' . body_of($c, $head))); 1 },
    between   => sub { my ($c, $head) = @_; say($c, $continue); my $body = body_of($c, $head); say($c, "HTTP/1.1 103 Early Hints\r\n\r\n", simple_response("got $body")); 1 },
    'hint-no' => sub { my ($c) = @_; say($c, "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno"); $c->wait_close },
    split     => sub { my ($c, $head) = @_; my ($at) = $head =~ m{/split/(\d+)}; my $all = $continue . $ok; say($c, substr($all, 0, $at), substr($all, $at)); body_of($c, $head); 1 },
    switch    => sub { my ($c) = @_; say($c, $switch); echo($c) },
    both      => sub { my ($c, $head) = @_; say($c, $continue); my $body = body_of($c, $head); say($c, "${switch}$body,"); echo($c) },
    many      => sub { my ($c) = @_; say($c, $continue x 3 . $ok); 1 },
);
my $backend = backend(sub {
    my $c = shift;
    while (my $head = $c->read_head) {
        $does{ $c->case_of($head) }->($c, $head) or return;
    }
});
my $proxy = proxy(
    apps => {
        here => { domains => ['here'], backends => [ $backend->address ] },
        deep => { domains => ['deep'], backends => [ $backend->address ], features => ['deep-continue'] },
        dead => { domains => ['dead'], backends => [ '127.0.0.1:' . refusing_port() ] },
    },
    path => { 'weir.idle-timeout' => ms(500), 'weir.first-byte-timeout' => ms(500) },
);

sub head_of {
    my ($path, %option) = @_;
    my $framing = $option{framing} // "Content-Length: 4\r\n";
    return ($option{method} // 'POST') . " /$path HTTP/" . ($option{version} // '1.1') . "\r\nHost: " . ($option{host} // 'deep')
        . "\r\n$framing" . ($option{expect} // "Expect: 100-continue\r\n") . ($option{more} // '') . "\r\n";
}

# Sends a head and then does what a client does: waits for 100 before the body. Every status heard, then the response.
sub ask {
    my ($path, %option) = @_;
    my $client = $option{client} // $proxy->connect;
    $client->write(head_of($path, %option) . ($option{early} // ''));
    my @heard;
    while (1) {
        my $r = $client->read_response(interim => 1);
        push @heard, $r->status;
        $client->write($option{body} // 'body') if $r->status == 100 && !defined $option{early} && 1 == grep { $_ == 100 } @heard;
        return ("@heard", $r, $client) if $r->status == 101 || $r->status >= 200 || !$r->status;
    }
}

my @paths = (    # name, path, options, statuses heard, body, the client's connection lives
    [ 'a 100, the body, the answer',                     'polite/1',   {},                                      '100 200', 'got body', 1 ],
    [ 'the same with a chunked body',                    'polite/2',   { framing => "Transfer-Encoding: chunked\r\n", body => "4\r\nbody\r\n0\r\n\r\n" }, '100 200', 'got body', 1 ],
    [ 'a 100 that says Connection: close',               'close/1',    {},                                      '100 200', 'got body', 1 ],
    [ 'a body that comes in the packet of its head',     'wordless/1', { early => 'body' },                     '200',     'got body', 1 ],
    [ 'a body that came early, and a 100 all the same',  'late/1',     { early => 'body' },                     '100 200', 'got body', 1 ],
    [ 'half a body early, and nobody says 100',          'wordless/2', { early => 'bo', later => 'dy' },        '200',     'got body', 1 ],
    [ 'a final status instead of 100',                   'refuse/1',   {},                                      '403',     'no',       0 ],
    [ 'a final status in chunks',                        'chunks/1',   {},                                      '403',     'no',       0 ],
    [ '102 and 103 before the 100',                      'hints/1',    {},                                      '102 103 100 200', 'got body', 1 ],
    [ '103 between the 100 and the answer',              'between/1',  {},                                      '100 103 200', 'got body', 1 ],
    [ '103 and a refusal in one packet',                 'hint-no/1',  {},                                      '103 403', 'no',       0 ],
    [ 'a second 100',                                    'twice/1',    {},                                      '100 200', 'got body', 1 ],
    [ 'a backend that leaves while it is asked',         'leave/1',    {},                                      '503',     qr/backend_closed/, 0 ],
    [ 'a backend that resets while it is asked',         'reset/1',    {},                                      '503',     qr/backend_reset/, 0 ],
    [ 'a backend that leaves in the middle of a word',   'half/1',     {},                                      '503',     qr/backend_truncated/, 0 ],
    [ 'a backend that leaves behind its 100',            'leave-2/1',  {},                                      '100 503', qr/backend_(?:closed|truncated|reset)/, 0 ],
    [ 'a backend that is silent behind its 100',         'silent2/1',  {},                                      '100 503', qr/backend_timeout/, 0 ],
    [ 'an expectation without a body',                   'wordless/3', { method => 'GET', framing => '' },      '200',     'got ',     1 ],
    [ 'an expectation with Content-Length: 0',           'wordless/4', { framing => "Content-Length: 0\r\n" },  '200',     'got ',     1 ],
    [ 'the answer to both: a switch at once',            'switch/1',   { more => "Connection: Upgrade\r\nUpgrade: x\r\n" }, '101', undef, 0 ],
    [ 'the answer to both: 100, then a switch',          'both/1',     { more => "Connection: Upgrade\r\nUpgrade: x\r\n" }, '100 101', undef, 0 ],
    [ 'the answer to both: no',                          'refuse/2',   { more => "Connection: Upgrade\r\nUpgrade: x\r\n" }, '403', 'no', 0 ],
    [ 'a switch that nobody asked for',                  'switch/2',   {},                                      '502', qr/backend_unsolicited_upgrade/, 0 ],
);
for my $case (@paths) {
    my ($name, $path, $option, $statuses, $body, $lives) = @$case;
    subtest "end to end: $name" => sub {
        my $client = $proxy->connect;
        my %later = (client => $client, %$option);
        if (my $rest = delete $later{later}) {
            $client->write(head_of($path) . $option->{early});
            $backend->wait_event(qr/^accept /);
            select undef, undef, undef, 0.02;
            $client->write($rest);
            my $r = $client->read_response(interim => 1);
            is($r->status . ' ' . $r->body, "200 $body", 'the answer');
            return is((ask('polite/next', client => $client))[0], '100 200', 'the next request is fine');
        }
        my ($heard, $r) = ask($path, %later);
        is($heard, $statuses, "hears $statuses");
        ref $body ? like($r->body, $body, 'the reason') : is($r->body, $body, 'the body') if defined $body;
        my ($head) = grep { m{ /\Q$path\E } } $backend->heads;
        like($head, qr/^Expect: 100-continue\r$/m, 'the backend was asked');
        return if $r->status == 101;
        is($r->says_close ? 0 : 1, $lives, $lives ? 'the connection lives on' : 'Connection: close');
        return is($client->read_eof, '', 'closed') unless $lives;
        is((ask('polite/next', client => $client))[0], '100 200', 'the next request is fine');
    };
}

subtest 'end to end: a 100 is plain, whatever the backend wrote' => sub {
    my $client = $proxy->connect;
    $client->write(head_of('dressed/1'));
    is($client->read_head, $continue, 'version, reason and headers are ours');
    $client->write('body');
    is($client->read_response->body, 'got body', 'the answer');
};

subtest 'end to end: the switch behind the expectation is a tunnel' => sub {
    my @upgrade = (more => "Connection: Upgrade\r\nUpgrade: x\r\n");
    my (undef, undef, $client) = ask('both/2', @upgrade);
    is($client->read_exactly(5), 'body,', 'the body had arrived before the switch');
    $client->write('ping');
    is($client->read_exactly(4), 'ping', 'bytes pass');
    (undef, undef, $client) = ask('switch/3', @upgrade);
    $client->write('ping');
    is($client->read_exactly(4), 'ping', 'a switch without a 100 makes the body void: what follows is the tunnel\'s');
};

subtest 'end to end: 100 and answer, cut anywhere' => sub {
    my @wrong;
    for my $at (1 .. length($continue . $ok) - 1) {
        my ($heard, $r) = ask("split/$at");
        push @wrong, "$at: $heard " . $r->body if $heard ne '100 200' || $r->body ne 'ok';
    }
    is_deeply(\@wrong, [], 'are heard in their order');
};

subtest 'end to end: nobody speaks' => sub {
    my $begin = time;
    my ($heard, $r, $client) = ask('silent/nobody');
    my $took = time - $begin;
    is($heard, '503', 'ends in a page');
    like($r->body, qr/(?:client|backend)_timeout/, 'that says so');
    ok($took >= 0.45 * ms(1000) / 1000 && $took < 2 * ms(1000) / 1000, 'after weir.idle-timeout') or diag($took);
    is($client->read_eof, '', 'closed');
};

for my $how (qw(reset close)) {
    subtest "end to end: the client leaves ($how) while the backend is asked" => sub {
        my $client = $proxy->connect;
        my $before = grep { /asked/ } $backend->events;
        $client->write(head_of("silent/$how"));
        wait_for { $before < grep { /asked/ } $backend->events };
        my $begin = time;
        $client->$how;
        is($proxy->log_where(path => "/silent/$how")->{code}, 'client_closed', 'it is noticed');
        cmp_ok(time - $begin, '<', ms(400) / 1000, 'at once');
    };
}

subtest 'end to end: a POST that waits for its 100 may be sent again' => sub {
    my $once = backend(sub { my $c = shift; $c->read_head; say($c, $c->index == 0 ? $ok : simple_response('fresh')); $c->read_head if $c->index == 0 });
    my $own = proxy(backends => [$once], app => { features => ['deep-continue'] });
    is($own->get('/first')->body, 'ok', 'a request that fills the pool');
    my $r = $own->ask(head_of('second'), interim => 1);
    is($r->body, 'fresh', 'the pooled connection was dead: another one was dialled');
    is($once->connections, 2, 'two connections');
};

subtest 'HTTP/1.0: no interim response at all' => sub {
    for my $host (qw(here deep)) {
        for my $path (qw(polite wordless hints between many)) {
            my $client = $proxy->connect;
            $client->write(head_of("$path/old-$host", host => $host, version => '1.0') . 'body');
            my $r = $client->read_response(interim => 1);
            is($r->status, 200, "$host, $path: the answer is the first it hears");
        }
    }
};

subtest 'answered here: every Expect is taken out' => sub {
    my ($heard, $r) = ask('wordless/here', host => 'here', expect => "Expect: 100-continue\r\nexpect: 100-continue\r\n");
    is($heard . $r->body, '100 200got body', 'answered');
    my ($head) = grep { m{/wordless/here} } $backend->heads;
    unlike($head, qr/^expect:/mi, 'the backend sees none');
};

subtest 'answered here: the backend adds a 100 of its own' => sub {
    is((ask('polite/here', host => 'here'))[0], '100 100 200', 'the first one of the backend passes');
    is((ask('twice/here', host => 'here'))[0], '100 100 200', 'its second is skipped');
};

subtest 'answered here: 100 comes before the backend is known to be dead' => sub {
    my ($heard, $r, $client) = ask('x', host => 'dead');
    is($heard, '100 503', '100, then the page');
    is($client->read_eof, '', 'closed, as a body may follow');
};

subtest 'answered here: a body that does not wait' => sub {
    my ($heard, $r, $client) = ask('wordless/early', host => 'here', early => 'body');
    like($heard, qr/^(?:100 )?200$/, 'is answered');
    is($r->body, 'got body', 'and forwarded');
    ok(!$r->says_close, 'the connection lives on');
};

subtest '100 without any expectation' => sub {
    is((ask('polite/plain', expect => '', early => 'body'))[0], '100 200', 'is forwarded');
    is((ask('twice/plain', expect => '', early => 'body'))[0], '100 200', 'a second one is skipped');
    is((ask('many/old', expect => '', early => 'body', version => '1.0'))[0], '200', 'HTTP/1.0 hears none of any number');
};

done_testing;
