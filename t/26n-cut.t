# SPDX-License-Identifier: MIT
# A backend that is taken away from the requests that it has: those end at once, in a way that can be read, and nobody else's do.
use lib 't/lib';
use Weir::Test;
use Weir::Admin;
use Weir::Http2Client;

admin_path(temp_path('admin.sock'));
my $switch = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n";

# What a path asks for: nothing at all, half of a response, a tunnel.
sub stuck {
    my ($name) = @_;
    return backend(sub {
        my $c = shift;
        my ($head) = $c->read_request or return;
        my ($path) = $head =~ m{^\S+ (\S+)};
        $c->note("at $path");
        $c->write($switch) if $path =~ /tunnel/;
        $c->write("HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\nhalf") if $path =~ /half/;
        $c->wait_close;
    });
}
my ($sick, $fine) = map { stuck($_) } qw(sick fine);
my $whole = ok_backend('whole');

sub platform {
    my $app = sub { my ($name, %more) = @_; return { domains => ["$name.test"], %more } };
    return proxy(
        global => { 'weir.admin' => { path => admin_path(), permission => '0600' }, 'num-threads' => 2, 'weir.trace' => 'OFF' },
        router => { module => 'table', name => 'main', apps => {
            sick => $app->('sick', backends => [ { at => $sick->address, id => 'sick' }, { at => $whole->address, id => 'whole', tier => 1 } ]),
            fine => $app->('fine', backends => [ { at => $fine->address, id => 'fine' } ]),
        } },
    );
}

my $n = 0;
sub asks {
    my ($proxy, $app, $path, %option) = @_;
    my $client = $proxy->connect;
    my $target = "/$path/" . ++$n;
    my $method = $option{method} // 'GET';
    my $more   = $path eq 'tunnel' ? "Connection: Upgrade\r\nUpgrade: x\r\n" : $method eq 'POST' ? "Content-Length: 4\r\n" : '';
    $client->write("$method $target HTTP/1.1\r\nHost: $app.test\r\n$more\r\n" . ($method eq 'POST' ? 'body' : ''));
    ok(($app eq 'sick' ? $sick : $fine)->wait_event(qr/at \Q$target\E$/), "$target is there");
    ok($client->read_until($path eq 'half' ? qr/half/ : qr/\r\n\r\n/), 'and what comes has come') if $path ne 'nothing';
    return ($client, $target);
}

for my $how ([ 'over the socket', sub { call(DELETE => '/v1/apps/sick/backends/sick?cut=true')->{status} }, 204 ],
    [ 'by the command', sub { weir(qw(remove sick sick --cut -s), admin_path())->{exit} }, 0 ],
    [ 'when a drain ends', sub { call(DELETE => '/v1/apps/sick/backends/sick?drain_ms=300&cut=true')->{status} }, 200 ],
    [ 'by the command, when a drain ends', sub { weir(qw(remove sick sick --drain 300ms --cut -s), admin_path())->{exit} }, 0 ]) {
    my ($name, $remove, $status) = @$how;
    subtest $name => sub {
        my $proxy = platform();
        my ($half, $half_at)     = asks($proxy, 'sick', 'half');
        my ($tunnel, $tunnel_at) = asks($proxy, 'sick', 'tunnel');
        my ($post, $post_at)     = asks($proxy, 'sick', 'nothing', method => 'POST');
        my ($get)                = asks($proxy, 'sick', 'nothing');
        my ($other)              = asks($proxy, 'fine', 'half');
        my ($other_tunnel)       = asks($proxy, 'fine', 'tunnel');
        is($remove->(), $status, 'the backend is removed');
        my $page = $post->read_response;
        is($page->status, 503, 'a POST that waits has its page');
        is($proxy->log_where(path => $post_at)->{code}, 'backend_cut', 'which has a reason');
        is($get->read_response->status =~ /^(?:200|503)$/ ? 1 : 0, 1, 'so has a GET, or another backend');
        $half->read_eof;
        ok($half->is_eof, 'half a response is cut');
        is($proxy->log_where(path => $half_at)->{code}, 'backend_cut', 'for that reason');
        $tunnel->read_eof;
        is($proxy->log_where(path => $tunnel_at)->{code}, 'backend_cut', 'a tunnel, too');
        ok($_->is_silent(0.2), 'what is not its stays') for $other, $other_tunnel;
        is($proxy->ask("GET / HTTP/1.1\r\nHost: sick.test\r\nConnection: close\r\n\r\n")->body, 'whole', 'another backend serves');
        $_->reset for $half, $tunnel, $post, $get, $other, $other_tunnel; # a client that only ends its side may still read
    };
}

subtest 'HTTP/2' => sub {
    plan skip_all => 'no h2' unless Weir::Http2Client::is_possible();
    my $proxy = platform();
    my $client = Weir::Http2Client->connect($proxy->port);
    $client->request(path => '/half/h2', pseudo => { ':authority' => 'sick.test' });
    ok($sick->wait_event(qr{at /half/h2$}), 'it is there');
    is(call(DELETE => '/v1/apps/sick/backends/sick?cut=true')->{status}, 204, 'the backend is removed');
    ok(wait_for { my $line = $proxy->log_where(path => '/half/h2'); ($line->{code} // '') eq 'backend_cut' }, 'its stream is cut');
    $client->close;
};

subtest 'without it' => sub {
    my $proxy = platform();
    is_problem(call(DELETE => '/v1/apps/sick/backends/sick?cut=maybe'), 422, 'invalid-value', 'neither');
    my ($half) = asks($proxy, 'sick', 'half');
    is(call(DELETE => '/v1/apps/sick/backends/sick')->{status}, 204, 'the backend is removed');
    ok($half->is_silent(0.3), 'and its request goes on');
    $half->reset;
};

done_testing;
