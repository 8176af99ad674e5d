# SPDX-License-Identifier: MIT
# weir explain: what would become of a request, with nothing taken for it.
use lib 't/lib';
use Weir::Test;
use IO::Socket::UNIX;
use JSON::PP ();

my $json = JSON::PP->new->utf8->canonical;
my $path = temp_path('admin.sock');
my $gate = temp_path('gate');

# The status and the document, or the text, of a call.
sub call {
    my ($method, $target, $body, $accept) = @_;
    my $socket = IO::Socket::UNIX->new(Peer => $path) // die "no admin endpoint: $!";
    my $text = defined $body ? (ref $body ? $json->encode($body) : $body) : '';
    print {$socket} "$method $target HTTP/1.1\r\nHost: x\r\nConnection: close\r\n", $accept ? "Accept: $accept\r\n" : (),
      'Content-Length: ' . length($text) . "\r\n\r\n$text";
    local $/;
    my ($head, $rest) = split /\r\n\r\n/, <$socket> // '', 2;
    if ($head =~ /^transfer-encoding: chunked/mi) {
        my $whole = '';
        while ($rest =~ s/^([0-9a-f]+)\r\n//i && hex $1) { $whole .= substr $rest, 0, hex $1, ''; $rest =~ s/^\r\n// }
        $rest = $whole;
    }
    my $is_json = $head =~ m{^content-type: application/(?:problem\+)?json}mi;
    return { status => $head =~ m{^HTTP/1\.1 (\d+)} ? $1 : 0, document => $is_json ? $json->decode($rest) : undef, text => $rest };
}

sub explained {
    my ($url, %more) = @_;
    my $got = call(POST => '/v1/explain', { url => $url, %more });
    is($got->{status}, 200, "$url is explained") or diag $got->{text};
    return $got->{document};
}

sub said { my $run = weir('explain', '-s', $path, @_); return ($run->{exit}, $run->{out}, $run->{err}) }

sub member { my ($document, $id) = @_; my ($one) = grep { $_->{id} eq $id } @{ $document->{members} }; return $one // {} }
sub verdict { my $one = member(@_); return join ' ', $one->{verdict} // 'none', $one->{because} // () }

# Answers by the name of its place; a request for /slow when the gate is open.
sub named {
    my ($name) = @_;
    return backend(sub {
        my $c = shift;
        $c->serve(sub {
            my $case = $c->case_of($_[0]);
            $c->note("at $case");
            if ($case =~ /^slow/) { select undef, undef, undef, 0.01 until -e $gate }
            return simple_response($name);
        });
    });
}

my ($one, $two, $three) = map { named($_) } qw(one two three);
my $dead = '127.0.0.1:' . refusing_port();
my @pair = ({ at => $one->address, id => 'one' }, { at => $two->address, id => 'two' });
my $explaining = router_so('explaining');
my $silent = router_so('explaining', '-DSILENT');

my $proxy = proxy(
    global => { 'weir.admin' => { path => $path }, 'num-threads' => 2 },
    paths => {
        '/own' => { 'weir.router' => { module => $explaining } },
        '/silent' => { 'weir.router' => { module => $silent } },
        '/moved' => { redirect => { status => 301, url => 'https://elsewhere.test/' } },
    },
    router => { module => 'table', name => 'main', apps => {
        shop => { domains => [ 'shop.test', '*.wild.test', 'both.test/api' ], backends => \@pair, affinity => 'ON' },
        keyed => { domains => ['keyed.test'], backends => [ @pair, { at => $three->address, id => 'three' } ], balance => 'hash', 'hash-on' => 'path' },
        turns => { domains => ['turns.test'], backends => [ @pair, { at => $three->address, id => 'three' } ], balance => 'round-robin' },
        tiers => { domains => ['tiers.test'], backends => [ $pair[0], { %{ $pair[1] }, tier => 1 }, { at => $three->address, id => 'three', weight => 0 } ] },
        tight => { domains => ['tight.test'], backends => [ $pair[0] ], 'max-requests' => 1, queue => { length => 2, timeout => ms(30_000) } },
        ill => { domains => ['ill.test'], backends => [ { at => $dead, id => 'lost' }, $pair[1] ], balance => 'round-robin', 'quarantine-base' => 60_000 },
        alone => { domains => ['alone.test'], backends => [ { at => $dead, id => 'lost' } ] },
        old => { domains => ['old.test'], 'redirect-to' => 'shop.test' },
    } },
);
ok(wait_for { -S $path }, 'the endpoint is there');

sub get {
    my ($host, $target, $headers) = @_;
    my $text = join '', map { "$_\r\n" } @{ $headers // [] };
    return $proxy->ask("GET $target HTTP/1.1\r\nHost: $host.test\r\n${text}Connection: close\r\n\r\n");
}

subtest 'the way there' => sub {
    my $known = explained('https://shop.test/cart?size=3', method => 'POST', from => '192.0.2.1', headers => { 'X-User' => 'bob' }, seed => 5);
    is_deeply($known->{request}, { method => 'POST', url => 'https://shop.test/cart?size=3', from => '192.0.2.1', seed => 5 }, 'the question');
    is("$known->{path}{host} $known->{path}{path}", 'default /', 'the path of the configuration');
    like($known->{path}{at}, qr/:\d+\z/, 'and where it stands');
    is("$known->{router}{name} $known->{router}{router} $known->{router}{generation}", 'main table 1', 'its router');
    is("$known->{lookup}{entry} $known->{lookup}{match} $known->{lookup}{app}", 'shop.test exact shop', 'an exact name');
    is($known->{lookup}{entries}, 10, 'of so many');
    ok((grep { $_ eq 'X-Forwarded-For: 192.0.2.1' } @{ $known->{headers}{to_backend} }), 'whom the backend is told of');
    ok((grep { $_ eq 'X-Forwarded-Proto: https' } @{ $known->{headers}{to_backend} }), 'and how it came');
    ok((grep { $_ eq 'Host: shop.test' } @{ $known->{headers}{to_backend} }), 'the host that it sees');
    my $wild = explained('http://a.b.wild.test/');
    is("$wild->{lookup}{entry} $wild->{lookup}{match}", '*.wild.test suffix', 'a wildcard');
    my $prefix = explained('http://both.test:8080/api/v1');
    is("$prefix->{lookup}{entry} $prefix->{lookup}{prefix}", 'both.test /api', 'a prefix');
    my $none = explained('http://both.test/apis');
    is_deeply([ @{ $none->{outcome} }{qw(what reason status)}, $none->{lookup}{app} ], [ 'refuse', 'not_found', 404, undef ], 'no app');
    ok(!$none->{headers}, 'then nothing is sent');
    my $old = explained('http://old.test/');
    is("$old->{outcome}{what} $old->{outcome}{to}", 'redirect shop.test', 'a redirect of the table');
    my $moved = explained('http://shop.test/moved/x');
    is($moved->{path}{path}, '/moved', 'a path without a router');
    is($moved->{router}, undef);
    like($moved->{unknown}, qr/no router/, 'is said to have none');
};

subtest 'who gets it is who gets the next one' => sub {
    for my $n (1 .. 10) {
        my $document = explained("http://keyed.test/p$n");
        is(get('keyed', "/p$n")->{body}, $document->{pick}{id}, "the key of /p$n");
        is(scalar(grep { $_->{verdict} eq 'picked' } @{ $document->{members} }), 1, 'and one of them is it');
    }
    for my $n (1 .. 6) {
        my $told = explained('http://turns.test/')->{pick}{id};
        is(explained('http://turns.test/')->{pick}{id}, $told, "turn $n is nobody's by being asked about");
        is(get('turns', '/')->{body}, $told, "turn $n");
    }
    my $spare = explained('http://tiers.test/');
    is(verdict($spare, 'one'), 'picked', 'of the first tier');
    is(verdict($spare, 'two'), 'passed tier', 'not of the next');
    is(verdict($spare, 'three'), 'skipped weight', 'nor whoever has no weight');
    is(explained('http://shop.test/', seed => 7)->{pick}{id}, explained('http://shop.test/', seed => 7)->{pick}{id}, 'the same dice')
      for 1 .. 5;
};

subtest 'affinity' => sub {
    my $first = get('shop', '/');
    my ($cookie) = $first->header('set-cookie') =~ /^(weir-affinity=[^;]+)/;
    my $at = $first->{body};
    my $kept = explained('http://shop.test/', headers => { Cookie => $cookie });
    is_deeply([ @{ $kept->{affinity} }{qw(cookie member verdict set_cookie)} ], [ 'valid', $at, 'kept', undef ], 'a cookie that holds');
    is("$kept->{pick}{id} $kept->{pick}{how}", "$at pin", 'leads to its member');
    my $new = explained('https://shop.test/');
    is("$new->{affinity}{cookie} $new->{affinity}{verdict}", 'absent new', 'none');
    like($new->{affinity}{set_cookie}, qr/^weir-affinity=\.\.\.; Path=\/; .*Secure/, 'gets one');
    like($new->{headers}{to_client}[0], qr/^Set-Cookie: weir-affinity=/, 'which is among the headers');
    is(explained('http://shop.test/', headers => { Cookie => 'weir-affinity=x' })->{affinity}{cookie}, 'malformed', 'one of somebody else');
    is(call(POST => "/v1/apps/shop/backends/$at/off")->{status}, 200);
    my $moved = explained('http://shop.test/', headers => { Cookie => $cookie });
    is("$moved->{affinity}{verdict} " . verdict($moved, $at), 'moved skipped off', 'its member is off');
    is(call(POST => "/v1/apps/shop/backends/$at/drain")->{status}, 200);
    is(explained('http://shop.test/', headers => { Cookie => $cookie })->{pick}{id}, $at, 'one that drains keeps its browsers');
    is(verdict(explained('http://shop.test/'), $at), 'skipped draining', 'and gets no others');
    is(call(POST => "/v1/apps/shop/backends/$at/up")->{status}, 200);
};

subtest 'full, a queue, and a queue that is full' => sub {
    my @clients = map { my $client = $proxy->connect; $client->write("GET /slow$_ HTTP/1.1\r\nHost: tight.test\r\nConnection: close\r\n\r\n"); $client } 1 .. 1;
    ok($one->wait_event(qr/at slow1$/), 'one is under way');
    my $full = explained('http://tight.test/');
    is("$full->{outcome}{what} " . verdict($full, 'one'), 'queue skipped full', 'the next would wait');
    is(member($full, 'one')->{in_flight}, 1);
    for my $n (2, 3) {
        my $client = $proxy->connect;
        $client->write("GET /q$n HTTP/1.1\r\nHost: tight.test\r\nConnection: close\r\n\r\n");
        push @clients, $client;
        ok(wait_for { explained('http://tight.test/')->{app}{queue}{waiting} == $n - 1 }, "number $n waits");
    }
    my $deep = explained('http://tight.test/');
    is("$deep->{outcome}{what} $deep->{outcome}{reason}", 'refuse backlog_too_deep', 'there is no place for another');
    is(get('tight', '/')->{status}, 503, 'indeed');
    write_file($gate, '');
    is($_->read_response->{status}, 200, 'served') for @clients;
};

subtest 'paused and stopped' => sub {
    is(call(POST => '/v1/apps/shop/pause', { max_ms => 60_000 })->{status}, 200);
    my $paused = explained('http://shop.test/');
    is("$paused->{outcome}{what} $paused->{app}{state} " . verdict($paused, 'one'), 'pause paused passed paused', 'it would wait');
    is(call(POST => '/v1/apps/shop/stop')->{status}, 200);
    is(explained('http://shop.test/')->{outcome}{reason}, 'maintenance', 'it would be refused');
    is(call(POST => '/v1/apps/shop/resume')->{status}, 200);
};

subtest 'ill members' => sub {
    my $ill;    # it is ill for a time only: the explanation that has seen it is the one that counts
    for (1 .. 60) { $ill = explained('http://ill.test/'); last if verdict($ill, 'lost') eq 'skipped connect'; get('ill', '/') }
    is(verdict($ill, 'lost'), 'skipped connect', 'the reason');
    like(member($ill, 'lost')->{until}, qr/^\d{4}-\d\d-\d\dT[\d:.]+Z\z/, 'and until when');
    is($ill->{pick}{id}, 'two', 'another is taken');
    is($ill->{retry}{more}, 0, 'and none is left for a retry');
};

subtest 'routers of others' => sub {
    my $mine = explained('http://shop.test/own/a/b', method => 'PUT', from => '2001:db8::7', seed => 42,
        headers => { Connection => 'Upgrade', Upgrade => 'websocket' });
    is($mine->{asked}, 'PUT shop.test /own/a/b 2001:db8::7', 'what it is asked');
    is($mine->{below}, '/own /a/b', 'where it stands');
    is($mine->{upgrade}, JSON::PP::true, 'an upgrade');
    is($mine->{explained}, JSON::PP::true, 'it knows that nobody has sent it');
    is($mine->{router}{router}, 'explaining', 'it cannot speak for us');
    is(explained('http://shop.test/own', seed => 42)->{dice}, $mine->{dice}, 'the dice are the seed');
    isnt(explained('http://shop.test/own', seed => 43)->{dice}, $mine->{dice}, 'another seed');
    is(explained('http://shop.test/own', headers => { 'X-Do' => 'unknown' })->{unknown}, 'the weather decides', 'it does not know');
    like(explained('http://shop.test/own', headers => { 'X-Do' => 'broken' })->{unknown}, qr/no JSON object/, 'it speaks no JSON');
    like(explained('http://shop.test/own', headers => { 'X-Do' => 'nothing' })->{unknown}, qr/no JSON object/, 'it says nothing');
    like(explained('http://shop.test/silent')->{unknown}, qr/no weir_router_explain/, 'a module without the function');
};

subtest 'nothing is taken' => sub {
    my $apps = sub { my $all = call(GET => '/v1/apps?limit=100')->{document}; delete @{$_}{qw(seq)} for @{ $all->{apps} }; return $all };
    my $before = $apps->();
    explained("http://$_.test/") for (qw(shop keyed turns tiers tight ill alone)) x 5;
    my $behind = $apps->();
    for my $all ($before, $behind) {
        for my $app (@{ $all->{apps} }) { delete @{$_}{qw(until since answers_10s failures_10s head_ms health handicap)} for @{ $app->{backends} } }
    }
    is_deeply($behind, $before, 'no slot, no counter');
    my $proxied = $proxy->raw("GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n");
    like($proxied, qr{^HTTP/1\.1 200}, 'and it serves on');
};

subtest 'as text' => sub {
    my $text = call(POST => '/v1/explain?text=1', { url => 'http://tiers.test/' })->{text};
    like($text, qr{^path      default / \(\S+:\d+\) → router main \(table\), generation 1$}m, 'the path');
    like($text, qr{^lookup    tiers\.test → app tiers \(configuration\); entry tiers\.test, exact; prefix none; of 10 entries$}m, 'the lookup');
    like($text, qr{^members   ID     TIER  WEIGHT  STATE  IN-FLIGHT  HANDICAP  COST  VERDICT$}m, 'columns');
    like($text, qr{^          two    1     100     up     \d+ +\d +\d+\.\d +passed: tier$}m, 'in line');
    like($text, qr{^outcome   pick one at \S+ \(best\)$}m, 'what comes of it');
    my ($exit, $out, $err) = said('http://tiers.test/', '--seed', '1');
    my $same = sub { $_[0] =~ s/^ +\S.*//gmr =~ s/\d+\.\d+ *//gr };
    is("$exit $err", '0 ', 'the command');
    is($same->($out), $same->($text), 'says the same');
    like(call(POST => '/v1/explain', { url => 'http://old.test/' }, 'text/plain')->{text}, qr/^outcome   redirect to shop\.test$/m, 'by Accept');
    my $document = $json->decode((said('POST', 'http://keyed.test/x', '--json', '--from', '192.0.2.9', '-H', 'X-A: 1', '-H', 'X-A: 2'))[1]);
    is("$document->{request}{method} $document->{request}{from}", 'POST 192.0.2.9', 'for programs');
    is(scalar(grep { /^X-A: [12]$/ } @{ $document->{headers}{to_backend} }), 2, 'fields that come twice');
};

subtest 'what is refused' => sub {
    for (
        [ { url => 'shop.test' }, qr/begins with http/, 'no scheme' ], [ {}, qr/URL is needed/, 'no URL' ],
        [ { url => 'http://' }, qr/names no host/, 'no host' ], [ { url => 'http://a b/' }, qr/names no host/, 'a host that is none' ],
        [ { url => "http://a/\n" }, qr/stands a path/, 'two lines' ], [ { url => 'http://a/', method => 'a b' }, qr/method is a word/, 'no method' ],
        [ { url => 'http://a/', from => '10.0.0.0/8' }, qr/an address/, 'a network' ], [ { url => 'http://a/', from => 'bob' }, qr/an address/, 'no address' ],
        [ { url => 'http://a/', headers => { 'a b' => 'c' } }, qr/fields/, 'no name' ], [ { url => 'http://a/', headers => { a => "b\r\nc" } }, qr/fields/, 'two lines in a field' ],
        [ { url => 'http://a/', headers => { Host => 'b' } }, qr/names the host/, 'another host' ], [ { url => 'http://a/', seed => -1 }, qr/number/, 'no seed' ],
        [ { url => 'http://a/', seeds => 1 }, qr/there are/, 'an unknown key' ], [ { url => 'http://a/', headers => { map { ("a$_" => 'x') } 1 .. 101 } }, qr/100 fields/, 'too many fields' ],
    ) {
        my ($body, $why, $what) = @$_;
        my $got = call(POST => '/v1/explain', $body);
        is($got->{status}, 422, "$what: refused");
        like($got->{document}{detail}, $why, "$what: says why");
    }
    is(call(POST => '/v1/explain', '{')->{status}, 400, 'no JSON');
    is(call(GET => '/v1/explain')->{status}, 404, 'no question');
    for ([ [], qr/usage/, 2 ], [ [qw(GET http://a/ more)], qr/one word too many/, 2 ], [ ['http://a/', '-H', 'x'], qr/a field is written/, 2 ], [ [ 'http://a/', '--seed', 'x' ], qr/a number/, 2 ],
        [ [ 'http://a/', '--loud' ], qr/unknown option/, 2 ], [ [qw(http://a/ --from)], qr/a value must follow/, 2 ], [ ['a'], qr/begins with http/, 1 ]) {
        my ($words, $why, $status) = @$_;
        my ($exit, $out, $err) = said(@$words);
        is("$exit $out", "$status ", "weir explain @$words: exit status");
        like($err, $why, "weir explain @$words: says why");
    }
    is(weir('explain', 'http://a/', '-s', temp_path('nobody.sock'))->{exit}, 6, 'nobody is there');
};

subtest 'behind a reload' => sub {
    write_file($proxy->config, read_file($proxy->config) =~ s/shop\.test/shop2.test/r);
    $proxy->signal('HUP');
    ok(wait_for { $proxy->stderr =~ /reload: .* is in use/ }, 'another configuration');
    is(explained('http://shop2.test/')->{router}{generation}, 2, 'is the one that is explained');
};

like(weir('help')->{out}, qr/weir explain \[METHOD\] URL/, 'the help has it');
done_testing;
