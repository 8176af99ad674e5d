# SPDX-License-Identifier: MIT
# Upgrade, edge by edge: who may ask, how it is refused, how a tunnel moves, ends, and what the log says about it.
use lib 't/lib';
use Weir::Test;
use Weir::Http2Client;
use Digest::MD5 qw(md5_hex);
use Time::HiRes qw(time);

my $switch = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n";
my $block  = join '', map { pack 'N', ($_ * 2654435761) % 4294967296 } 1 .. 65536;    # 256 KiB

sub echo { my ($c) = @_; while (defined(my $bytes = $c->read_until(qr/.+/s, 60))) { $c->write($bytes) } return }
sub pause { select undef, undef, undef, ms($_[0]) / 1000; return }

my $headers = "HTTP/1.1 101 Fine by me\r\nVia: 1.1 inner\r\nX-One: 1\r\nConnection: upgrade, x-hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nContent-Length: 5\r\n"
    . "Transfer-Encoding: chunked\r\nProxy-Connection: x\r\nUPGRADE: x/2\r\nx-one: 2\r\n\r\n";
my %does = (
    echo    => sub { $_[0]->write($switch); echo($_[0]) },
    headers => sub { $_[0]->write($headers); echo($_[0]) },
    split   => sub { my ($c, $head) = @_; my ($at) = $head =~ m{/split/(\d+)}; my $all = $switch . 'early'; $c->write_pieces(substr($all, 0, $at), substr($all, $at)); echo($c) },
    hints   => sub { $_[0]->write("HTTP/1.1 103 Early Hints\r\n\r\n$switch"); echo($_[0]) },
    # ends first, takes what comes, and says how much it was
    listen  => sub { my ($c) = @_; $c->write("${switch}bye"); $c->shutdown_write; my $all = $c->read_eof(60); $c->note('heard ' . length($all) . ' ' . md5_hex($all)) },
    # takes everything to the client's end, and then talks for a while
    talk    => sub { my ($c) = @_; $c->write($switch); $c->read_eof; for (1 .. 4) { pause(200); $c->write('word') } },
    silent  => sub { my ($c) = @_; $c->write($switch); $c->note('up'); $c->wait_close },
    half    => sub { my ($c) = @_; $c->write($switch); $c->shutdown_write; $c->wait_close },
    reset   => sub { my ($c) = @_; $c->write($switch); $c->read_exactly(4); $c->reset },
    flood   => sub { my ($c) = @_; $c->write($switch); $c->write($block x 16, 60); $c->note('flooded'); my $all = $c->read_exactly(4 * length $block, 60) // ''; $c->write(md5_hex($all)); $c->close },
    deaf    => sub { my ($c) = @_; $c->write($switch); pause(700); my $all = $c->read_eof(60); $c->note('deaf ' . length($all) . ' ' . md5_hex($all)) },
    one     => sub { my ($c) = @_; $c->write($switch . 'x' x 1000); $c->read_eof },
    no      => sub { $_[0]->write(simple_response('no')); 1 },
    chunks  => sub { $_[0]->write("HTTP/1.1 200 OK\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n"); 1 },
    must    => sub { $_[0]->write("HTTP/1.1 426 Upgrade Required\r\nUpgrade: y/1\r\nConnection: upgrade\r\nContent-Length: 0\r\n\r\n"); 1 },
    'no-body' => sub { $_[0]->write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"); 1 },
    bare    => sub { $_[0]->write("HTTP/1.1 304 Not Modified\r\n\r\n"); 1 },
    unknown => sub { $_[0]->write("HTTP/1.1 200 OK\r\n\r\nno"); 0 },
);
my $backend = backend(sub {
    my $c = shift;
    while (my ($head) = $c->read_request) {
        ($does{ $c->case_of($head) }->($c, $head) // 0) eq '1' or return;
    }
});
my $proxy = proxy(backends => [$backend], path => { 'weir.idle-timeout' => ms(500) });

sub upgrade {
    my ($path, %option) = @_;
    return ($option{method} // 'GET') . " /$path HTTP/" . ($option{version} // '1.1') . "\r\nHost: a\r\n"
        . ($option{headers} // "Connection: Upgrade\r\nUpgrade: x\r\n") . "\r\n" . ($option{more} // '');
}

sub tunnel {
    my ($path, %option) = @_;
    my $client = $proxy->connect(%option);
    $client->write(upgrade($path, %option));
    return ($client, $client->read_head // '');
}

sub is_tunnel {
    my ($client) = @_;
    $client->write('ping');
    return is($client->read_exactly(4), 'ping', 'bytes pass');
}

for my $method (qw(GET HEAD POST PUT DELETE OPTIONS PURGE)) {
    subtest "$method may switch" => sub {
        my ($client, $head) = tunnel("echo/$method", method => $method);
        like($head, qr{^HTTP/1\.1 101 }, 'it switches');
        is_tunnel($client);
        my ($seen) = grep { m{/echo/$method } } $backend->heads;
        like($seen, qr{^$method /echo/$method HTTP/1\.1\r\nHost: a\r\nConnection: Upgrade\r\n}, 'the backend was asked');
    };
}

my %good = (
    'a protocol with a version'        => "Connection: Upgrade\r\nUpgrade: foo/1\r\n",
    'a list of protocols'              => "Connection: Upgrade\r\nUpgrade: foo/1, bar, , baz/2.0\r\n",
    'protocols in several fields'      => "Connection: Upgrade\r\nUpgrade: foo\r\nUpgrade: bar/1\r\n",
    'the word among others'            => "Connection: foo, UPGRADE ,bar\r\nUpgrade: x\r\n",
    'the word in a second field'       => "Connection: keep-alive\r\nConnection: Upgrade\r\nUpgrade: x\r\n",
    'the word without a comma'         => "Connection: Upgrade Keep-Alive\r\nUpgrade: x\r\n",
    'the word behind close'            => "Connection: close, Upgrade\r\nUpgrade: x\r\n",
);
for my $how (sort keys %good) {
    subtest "asked for with $how" => sub {
        my ($client, $head) = tunnel('echo/good', headers => $good{$how});
        like($head, qr{^HTTP/1\.1 101 }, 'it switches');
        is_tunnel($client);
        my ($seen) = (grep { m{/echo/good } } $backend->heads)[-1];
        my ($asked, $got) = map { join '|', /^Upgrade: *(.*)\r$/mg } $good{$how}, $seen;
        is($got, $asked, 'Upgrade is forwarded as it came');
        is(join('|', $seen =~ /^Connection: (.*)\r$/mg), 'Upgrade', 'Connection is our own');
    };
}

subtest 'HTTP/1.0 may switch, as in Vegur' => sub {
    my ($client, $head) = tunnel('echo/old', version => '1.0');
    like($head, qr{^HTTP/1\.1 101 }, 'it switches');
    is_tunnel($client);
};

subtest 'the head of a switch' => sub {
    my ($client, $head) = tunnel('headers');
    is($head, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nVia: 1.1 inner, 1.1 weir\r\nX-One: 1\r\nUPGRADE: x/2\r\nx-one: 2\r\n\r\n",
        'our reason, Connection first, the backend\'s fields in order, nothing of the hop, nothing that frames');
    is_tunnel($client);
};

subtest 'a switch cut anywhere' => sub {
    my @wrong;
    for my $at (1 .. length($switch) + 4) {
        my ($client, $head) = tunnel("split/$at", more => 'soon');
        my $bytes = ($client->read_exactly(9) // 'nothing');
        push @wrong, "$at: $bytes" if $head !~ m{^HTTP/1\.1 101 } || $bytes ne 'earlysoon';
    }
    is_deeply(\@wrong, [], 'loses nothing');
};

subtest 'interim responses before the switch' => sub {
    my ($client, $head) = tunnel('hints');
    like($head, qr{^HTTP/1\.1 103 }, '103 passes');
    like($client->read_head, qr{^HTTP/1\.1 101 }, 'then 101');
    is_tunnel($client);
};

my @refusals = (    # path, method, status, body
    [ 'no', 'GET', 200, 'no' ], [ 'chunks', 'GET', 200, 'no' ], [ 'must', 'GET', 426, '' ], [ 'bare', 'GET', 304, '' ], [ 'unknown', 'GET', 200, 'no' ],
    [ 'no-body', 'HEAD', 200, '' ],
);
for my $case (@refusals) {
    my ($path, $method, $status, $body) = @$case;
    subtest "no switch but $path" => sub {
        my $client = $proxy->connect;
        for my $n (1, 2) {
            $client->write(upgrade("$path/$n", method => $method));
            my $r = $client->read_response(head => $method eq 'HEAD');
            is($r->status . $r->body, $status . $body, "an ordinary response, $n");
            is($r->header('Connection') // '', $status == 426 ? 'keep-alive, Upgrade' : 'keep-alive', 'the connection lives on');
        }
    };
}

subtest 'a 426 keeps its Upgrade' => sub {
    my $r = $proxy->ask("GET /must/10 HTTP/1.0\r\nHost: a\r\n\r\n");
    is($r->header('Upgrade'), 'y/1', 'it says to what');
    is($r->header('Connection'), 'close, Upgrade', 'and that it is for the next hop alone');
    is($proxy->ask("GET /chunks/10 HTTP/1.1\r\nHost: a\r\n\r\n")->header('Upgrade'), undef, 'other answers keep none');
    return unless Weir::Http2Client::is_possible();
    my $h2 = Weir::Http2Client->connect($proxy->port);
    my $answer = $h2->get('/must/2', pseudo => { ':authority' => 'a' });
    is($answer->{status} . ($answer->{headers}{upgrade} // ''), '426', 'HTTP/2 has no word for it');
};

subtest 'the backend\'s connection after a refused switch is used again' => sub {
    my $own_backend = ok_backend('ok');
    my $own = proxy(backends => [$own_backend]);
    is($own->ask(upgrade("x$_"))->body, 'ok', "request $_") for 1 .. 3;
    is($own_backend->connections, 1, 'one connection');
};

subtest 'a tunnel\'s connections serve nothing else' => sub {
    my ($client) = tunnel('one');
    $client->read_exactly(1000);
    my $before = $backend->connections;
    $client->write(upgrade('no/behind', headers => ''));
    $client->shutdown_write;
    is($client->read_eof, '', 'a request in the tunnel is the tunnel\'s');
    ok((grep { m{x: \S+\r\n\r\nGET /no/behind HTTP}i || m{GET /one .*GET /no/behind}s } $backend->received), 'and arrives there as it is');
    $proxy->get('/no/after');
    is($backend->connections, $before + 1, 'the next request has a connection of its own');
};

subtest 'the client ends first and hears on, beyond the idle time' => sub {
    my ($client) = tunnel('talk');
    $client->shutdown_write;
    is($client->read_eof, 'word' x 4, 'all that is said');
    my $line = $proxy->log_where(path => '/talk');
    is($line->{status} . ($line->{code} // ''), 101, 'no error');
    cmp_ok($line->{service} =~ s/ms//r, '>=', ms(780), 'service is the whole session');
};

subtest 'the backend ends first and hears on, beyond the idle time' => sub {
    my ($client) = tunnel('listen/1');
    is($client->read_until(qr/bye/), 'bye', 'its last word');
    ok(wait_for { !$client->_more(0) && $client->is_eof }, 'its end');
    for (1 .. 4) {
        pause(200);
        $client->write($block);
    }
    $client->shutdown_write;
    my $all = $block x 4;
    ok($backend->wait_event('heard ' . length($all) . ' ' . md5_hex($all)), 'everything is heard');
    is($proxy->log_where(path => '/listen/1')->{at}, 'info', 'no error');
};

my %idle = ('silent' => 'nobody says a word', 'half' => 'the backend has ended its side');
for my $path (sort keys %idle) {
    subtest "idle: $idle{$path}" => sub {
        my $begin = time;
        my ($client) = tunnel("$path/idle");
        1 while $client->_more(time + 0.01) && !$client->is_eof;
        ok(wait_for { $proxy->log_where(path => "/$path/idle")->{code} }, 'it ends');
        my $took = time - $begin;
        is($proxy->log_where(path => "/$path/idle")->{code}, 'tunnel_idle', 'tunnel_idle');
        ok($took > ms(480) / 1000 && $took < ms(1500) / 1000, 'in time') or diag($took);
        ok(defined $client->read_eof, 'both sides are closed');
    };
}

subtest 'idle: the client has ended its side' => sub {
    my ($client) = tunnel('silent/ended');
    $client->shutdown_write;
    is($client->read_eof, '', 'closed');
    like($proxy->log_where(path => '/silent/ended')->{status}, qr/^101$/, 'in the log');
};

subtest 'a reset by the client in a silent tunnel' => sub {
    my ($client) = tunnel('silent/reset');
    my $begin = time;
    $client->reset;
    is($proxy->log_where(path => '/silent/reset')->{status}, 101, 'it is over');
    cmp_ok(time - $begin, '<', ms(300) / 1000, 'at once');
};

subtest 'a reset by the client that had ended its side' => sub {
    my $own = proxy(backends => [$backend], path => { 'weir.idle-timeout' => ms(20_000) });
    my $client = $own->connect;
    $client->write(upgrade('talk/gone'));
    $client->read_head;
    $client->shutdown_write;
    $client->read_until(qr/word/);
    my $begin = time;
    $client->reset;
    is($own->log_where(path => '/talk/gone')->{status}, 101, 'it is over');
    cmp_ok(time - $begin, '<', ms(3000) / 1000, 'soon');
};

subtest 'a reset by the backend' => sub {
    my ($client) = tunnel('reset/x');
    my $begin = time;
    $client->write('ping');
    ok(defined $client->read_eof, 'the client hears the end');
    cmp_ok(time - $begin, '<', ms(300) / 1000, 'at once');
    is($proxy->log_where(path => '/reset/x')->{status}, 101, 'in the log');
};

subtest 'much in both directions at once, with a client that reads slowly' => sub {
    my $own = proxy(backends => [$backend], path => { 'weir.idle-timeout' => ms(5000) });
    my $client = $own->connect(receive_buffer => 8192);
    $client->write(upgrade('flood'));
    $client->read_head;
    my $sent = $client->write_until_stuck($block x 4, 0.3);    # reads nothing yet
    pause(300);
    $client->write(substr($block x 4, $sent), 60);
    my $all = $client->read_exactly(16 * length $block, 60) // '';
    ok($all eq $block x 16, '4 MiB down');
    is($client->read_eof(60), md5_hex($block x 4), '1 MiB up');
    my $line = $own->log_where(path => '/flood');
    is($line->{bytes}, 16 * length($block) + 32, 'bytes in the log');
};

subtest 'a backend that reads slowly holds the client back' => sub {
    my $own = proxy(backends => [$backend], path => { 'weir.idle-timeout' => ms(5000) });
    my $client = $own->connect;
    $client->write(upgrade('deaf'));
    $client->read_head;
    my $all = $block x 80;
    is($client->write($all, 60), length $all, '20 MiB go out');
    $client->shutdown_write;
    ok($backend->wait_event('deaf ' . length($all) . ' ' . md5_hex($all), 60), 'and arrive');
};

subtest 'what the log says of a tunnel' => sub {
    my ($client) = tunnel('one/log');
    $client->read_exactly(1000);
    pause(100);
    $client->close;
    my $line = $proxy->log_where(path => '/one/log');
    is($line->{at}, 'info', 'at=info');
    is($line->{status}, 101, 'status');
    is($line->{bytes}, 1000, 'bytes for the client');
    is($line->{dyno}, $backend->address, 'dyno');
    cmp_ok($line->{service} =~ s/ms//r, '>=', ms(95), 'service');
};

done_testing;
