# SPDX-License-Identifier: MIT
# Apps of sources that nobody has asked for yet: they serve from the first request on, whoever sends it, and whatever happens meanwhile.
use lib 't/lib';
use Weir::Admin;
use Weir::Load;
use Weir::Test;
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;

use constant APPS => 120;

my ($one, $two) = map { ok_backend($_) } qw(one two);

sub put { my ($directory, $name, $text) = @_; rename write_file("$directory/.$name.new", $text), "$directory/$name" or die "$name: $!"; return }

sub app { my ($backend, $i, $more) = @_; return "domains: [ a$i.test ]\nbackends: [ \"" . $backend->address . "\" ]\n" . ($more // '') }

# A proxy with that many apps, and the directory of their files.
sub follow {
    my $directory = temp_path('apps.d');
    mkdir $directory;
    put($directory, "a$_.yaml", app($one, $_)) for 1 .. APPS;
    admin_path(temp_path('admin.sock'));
    my $own = proxy(configured($directory, 1));
    wait_for { IO::Socket::UNIX->new(Peer => admin_path()) } or die 'no admin endpoint';
    return ($own, $directory);
}

# Another number makes it another configuration.
sub configured {
    my ($directory, $number) = @_;
    return (router => { module => 'table', name => 'main', state => 'ON' },
        global => { 'num-threads' => 2, 'weir.admin' => { path => admin_path() }, 'weir.state' => { files => $directory }, 'weir.queue-max' => 5000 + $number });
}

sub who { my ($own, $host) = @_; my $r = $own->ask("GET / HTTP/1.1\r\nHost: $host\r\nConnection: close\r\n\r\n"); return $r->status == 200 ? $r->body : $r->status }

# Backends in a state, as the metrics have it.
sub members { my ($state) = @_; return call(GET => '/metrics')->{body} =~ /^weir_members\{state="$state"\} (\d+)/m ? $1 : -1 }

subtest 'many at once, from several connections' => sub {
    my ($own) = follow();
    is(members('asleep'), APPS, 'all sleep');
    is(members('up'), 0, 'so that none is up');
    my @sockets = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $own->{port}) } 1 .. 8;
    for my $socket (@sockets) { print {$socket} map { "GET / HTTP/1.1\r\nHost: a$_.test\r\n\r\n" } 1 .. APPS }
    my %text = map { $_ => '' } @sockets;
    my $select = IO::Select->new(@sockets);
    while ($select->count) {
        my @ready = $select->can_read(20) or last;
        for my $socket (@ready) {
            sysread($socket, $text{$socket}, 65536, length $text{$socket}) or $select->remove($socket);
            $select->remove($socket) if (() = $text{$socket} =~ m{HTTP/1\.1 }g) >= APPS && $text{$socket} =~ /one\z/;
        }
    }
    is((() = $text{$_} =~ m{HTTP/1\.1 200 }g) + 0, APPS, 'each was answered') for @sockets;
    is(members('asleep'), 0, 'none sleeps any more');
    is(members('up'), APPS, 'each has the one backend that it should');
};

subtest 'looked at, changed, and over a reload' => sub {
    my ($own, $directory) = follow();
    my $seen = call(GET => '/v1/apps/a1')->{document};
    is($seen->{backends}[0]{state}, 'up', 'whoever looks at one sees all of it');
    is(members('asleep'), APPS - 1, 'and it is awake');
    is_deeply($seen->{domains}, ['a1.test'], 'with its domains');
    is(call(PATCH => '/v1/apps/a2', { settings => { hold => 1000 } })->{status}, 200, 'an operator changes one that sleeps');
    is(call(GET => '/v1/apps/a2?effective=1')->{document}{settings}{hold}, 1000, 'which holds');
    is(call(POST => '/v1/apps/a3/stop')->{status}, 200, 'and stops another');
    is(who($own, 'a3.test'), 503, 'which is stopped');
    put($directory, 'a4.yaml', app($two, 4));
    ok(wait_for { who($own, 'a4.test') eq 'two' }, 'its file changes one');
    unlink "$directory/a5.yaml";
    ok(wait_for { who($own, 'a5.test') eq '404' }, 'one goes that nobody has asked for');
    my $asleep = members('asleep');
    cmp_ok($asleep, '<', APPS, 'some are awake') and ok($asleep == 0 || members('up') > 0, 'which is counted');
    is(who($own, 'a7.test'), 'one', 'one that serves');
    my $before = members('asleep');
    ok($own->reload(configured($directory, 2)), 'a reload');
    is(members('asleep'), $before, 'who was awake still is after a reload, and who slept sleeps');
    is(who($own, 'a7.test') . who($own, 'a8.test') . who($own, 'a4.test'), 'oneonetwo', 'all of them serve');
    is(who($own, 'a3.test'), 503, 'but the one that is stopped');
    is(call(GET => '/v1/apps/a2?effective=1')->{document}{settings}{hold}, 1000, 'and what operators say holds');
};

subtest 'no request fails while they wake, change and reload' => sub {
    my ($own, $directory) = follow();
    my $load = Weir::Load->start($own, kinds => [qw(get post h2)], host => 'a1.test', body => qr/^(?:one|two)$/);
    my %wrong;
    for my $i (2 .. APPS) {
        put($directory, "a$i.yaml", app($two, $i, $i % 9 == 0 ? "affinity: ON\n" : '')) if $i % 2;
        $wrong{$_}++ for grep { !/^(?:one|two)$/ } who($own, "a$i.test");
        $own->reload(configured($directory, $i)) if $i % 40 == 0;
    }
    is_deeply(\%wrong, {}, 'each first request was answered by a backend');
    ok(wait_for { who($own, 'a' . (APPS - 1) . '.test') eq 'two' }, 'and the changes are in force');
    ok($load->goes_on(5), 'the others go on');
    is(join("\n", @{ $load->finish->{wrong} }), '', 'every answer was right');
};

done_testing();
