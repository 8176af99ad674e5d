# SPDX-License-Identifier: MIT
# The admin endpoint: what operators see of the table's apps, what they change while it serves, and what bad clients of it get.
use lib 't/lib';
use Weir::Test;
use Weir::Admin;
use IO::Socket::UNIX;
use JSON::PP ();
use Time::HiRes qw(time);

my $path = admin_path(temp_path('admin.sock'));

sub backend_of {
    my ($app, $id) = @_;
    my ($one) = grep { $_->{id} eq $id } @{ call(GET => "/v1/apps/$app")->{document}{backends} };
    return $one;
}

my ($one, $two, $three) = map { ok_backend($_) } qw(one two three);

sub configuration {
    my (%app) = @_;
    return (
        global => { 'weir.admin' => { path => $path, permission => '0600' } },
        router => { module => 'table', name => 'main', apps => {
            shop => { domains => ['shop.test'], backends => [ { at => $one->address, id => 'one' }, { at => $two->address, id => 'two' } ], %app },
            blog => { domains => ['blog.test'], backends => [ $three->address ] } } },
    );
}

sub answer_of { return $_[0]->ask("GET / HTTP/1.1\r\nHost: $_[1].test\r\nConnection: close\r\n\r\n") }

# Who has answered so many requests.
sub answers {
    my ($proxy, $count) = @_;
    my %by;
    $by{ answer_of($proxy, 'shop')->{body} }++ for 1 .. $count;
    return \%by;
}

my $proxy = proxy(configuration());
ok(wait_for { -S $path }, 'the endpoint is there');

subtest 'what there is' => sub {
    is(sprintf('%04o', (stat $path)[2] & 07777), '0600', 'the socket is for its owner');
    is(call(GET => '/v1/version')->{document}{pid}, $proxy->pid, 'the process');
    my $routers = call(GET => '/v1/routers')->{document}{routers};
    is(scalar @$routers, 1);
    is("$routers->[0]{name} $routers->[0]{router} $routers->[0]{generation}", 'main table 1', 'its router');
    my $apps = call(GET => '/v1/apps');
    is(join(' ', map { $_->{app} } @{ $apps->{document}{apps} }), 'blog shop', 'its apps, in order');
    is($apps->{fields}{'weir-seq'}, 0, 'nothing was changed');
    is(join(' ', map { $_->{app} } @{ call(GET => '/v1/apps?prefix=s')->{document}{apps} }), 'shop', 'by a prefix');
    my $page = call(GET => '/v1/apps?limit=1')->{document};
    is("$page->{apps}[0]{app} $page->{after}", 'blog blog', 'a page at a time');
    is(call(GET => '/v1/apps?limit=1&after=blog')->{document}{apps}[0]{app}, 'shop', 'and the next');
    my $shop = call(GET => '/v1/routers/main/apps/shop')->{document};
    is($shop->{state}, 'up');
    is_deeply([ map { $_->{id} } @{ $shop->{backends} } ], [qw(one two)], 'the same by the name of its router');
    is($shop->{backends}[0]{health}, 'well');
    is(call(GET => '/v1/apps/shop?effective=1')->{document}{settings}{choices}, 3, 'with all settings');
};

subtest 'backends change while it serves' => sub {
    is_deeply([ sort keys %{ answers($proxy, 40) } ], [qw(one two)], 'both at first');
    is(call(POST => '/v1/apps/shop/backends/two/off')->{document}{state}, 'off');
    is_deeply(answers($proxy, 20), { one => 20 }, 'one is off: from the answer on nobody goes there');
    is(call(POST => '/v1/apps/shop/backends', { at => $three->address, id => 'three', weight => 100 })->{status}, 201, 'another is added');
    is_deeply([ sort keys %{ answers($proxy, 40) } ], [qw(one three)], 'and has its share');
    is(call(PATCH => '/v1/apps/shop/backends/one', { weight => 0 })->{document}{weight}, 0);
    is_deeply(answers($proxy, 20), { three => 20 }, 'a weight of 0');
    my $gone = call(DELETE => '/v1/apps/shop/backends/three');
    is($gone->{status}, 204, 'removed');
    is(call(POST => '/v1/apps/shop/backends/two/up')->{document}{state}, 'up');
    is_deeply(answers($proxy, 20), { two => 20 }, 'up again');
    is(call(PATCH => '/v1/apps/shop/backends/one', { weight => undef })->{document}{weight}, 100, 'null: what the configuration says');
    is(call(PATCH => '/v1/apps/shop/backends/one', { max_requests => 7, tier => 2 })->{document}{max_requests}, 7, 'by the names of documents');
    is(backend_of('shop', 'one')->{tier}, 2);
    is(call(PUT => '/v1/apps/shop/backends/one', { at => $one->address })->{document}{tier}, 0, 'PUT replaces all');
    is(call(PUT => '/v1/apps/shop/backends/one', { at => $one->address, zone => 'z' })->{document}{zone}, 'z');
    is(call(PUT => '/v1/apps/shop/backends/one', { at => $one->address })->{document}{zone}, undef, 'what is not said, too');
    like($proxy->stderr, qr/change \d+ by uid \d+ \(pid \d+\): patch \/apps\/shop\/backends\/two \{"state":"off"\}/, 'who it was is written down');
};

subtest 'settings' => sub {
    my $changed = call(PATCH => '/v1/apps/shop', { settings => { hold => 1234, queue => { length => 5 } } });
    is($changed->{document}{settings}{hold}, 1234, 'are changed');
    is($changed->{document}{settings}{queue}{length}, 5);
    is(call(PATCH => '/v1/apps/shop', { settings => { hold => undef, queue => undef } })->{document}{settings}{hold}, undef, 'and given up');
    is_problem(call(PATCH => '/v1/apps/shop', { settings => { hold => 'long' } }), 422, 'invalid-value', 'a word for a time');
    is_problem(call(PATCH => '/v1/apps/shop', { settings => { bold => 1 } }), 422, 'invalid-value', 'an unknown one');
};

subtest 'pause, resume, stop' => sub {
    is(call(POST => '/v1/apps/shop/pause', { max_ms => 60000 })->{document}{state}, 'paused');
    my $client = $proxy->connect;
    $client->write("GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n");
    ok(wait_for { call(GET => '/v1/apps/shop')->{document}{queue}{waiting} == 1 }, 'a request waits');
    is(answer_of($proxy, 'blog')->{body}, 'three', 'that of another app does not');
    is(call(POST => '/v1/apps/shop/resume')->{document}{state}, 'up');
    is($client->read_response->{status}, 200, 'it goes on');
    is(call(POST => '/v1/apps/shop/stop')->{document}{state}, 'stopped');
    my $refused = answer_of($proxy, 'shop');
    is($refused->{status}, 503);
    like($refused->{body}, qr/maintenance/, 'with its reason');
    is(call(POST => '/v1/apps/shop/resume')->{document}{state}, 'up');
};

subtest 'two who change the same' => sub {
    my $tag = call(GET => '/v1/apps/shop')->{fields}{etag};
    is(call(PATCH => '/v1/apps/shop/backends/one', { weight => 50 }, 'If-Match' => $tag)->{status}, 200, 'the first');
    my $second = call(PATCH => '/v1/apps/shop/backends/one', { weight => 60 }, 'If-Match' => $tag);
    is_problem($second, 412, 'precondition-failed', 'the second');
    is($second->{fields}{etag}, call(GET => '/v1/apps/shop')->{fields}{etag}, 'is told what it is now');
    is(backend_of('shop', 'one')->{weight}, 50, 'and has changed nothing');
};

subtest 'what is refused' => sub {
    my $seq = call(GET => '/v1/apps')->{document}{seq};
    is_problem(call(GET => '/v1/apps/none'), 404, 'unknown-app', 'no such app');
    is_problem(call(GET => '/v1/apps/%ff'), 404, 'unknown-app', 'a name that is no text');
    is_problem(call(GET => '/v1/apps/shop/backends/none'), 404, 'unknown-backend', 'no such backend');
    is_problem(call(DELETE => '/v1/apps/shop/backends/none'), 404, 'unknown-backend', 'not even to be removed');
    is_problem(call(POST => '/v1/apps/shop/backends/none/off'), 404, 'unknown-backend', 'nor off');
    is_problem(call(GET => '/v1/what'), 404, 'unknown-path', 'no such path');
    is_problem(call(GET => '/v1/routers/other/apps'), 404, 'unknown-router', 'no such router');
    is_problem(call(GET => '/v1/%zz'), 400, 'malformed', 'a path that is none');
    is_problem(call(POST => '/v1/apps/shop'), 405, 'method-not-allowed', 'no such method');
    is(call(POST => '/v1/apps/shop')->{fields}{allow}, 'GET, PUT, PATCH, DELETE', 'says which there are');
    is_problem(call(POST => '/v1/apps/shop/backends', '{"at":'), 400, 'malformed', 'half a document');
    is_problem(call(POST => '/v1/apps/shop/backends', '[]'), 400, 'malformed', 'a list');
    is_problem(call(POST => '/v1/apps/shop/backends', { id => 'x' }), 422, 'invalid-value', 'no address');
    is_problem(call(POST => '/v1/apps/shop/backends', { at => 'nowhere' }), 422, 'invalid-value', 'an address that is none');
    is_problem(call(POST => '/v1/apps/shop/backends', { at => 'https://a.test' }), 422, 'invalid-value', 'TLS that the app does not speak');
    is_problem(call(POST => '/v1/apps/shop/backends', { at => $one->address, id => 'one' }), 409, 'backend-exists', 'one that is there');
    is_problem(call(PATCH => '/v1/apps/shop/backends/one', { weight => 1001 }), 422, 'invalid-value', 'too much weight');
    like(call(PATCH => '/v1/apps/shop/backends/one', { wight => 1 })->{document}{detail}, qr/did you mean `weight`/, 'and what was meant');
    is(call(GET => '/v1/apps')->{document}{seq}, $seq, 'none of it has changed anything');
};

subtest 'a reload' => sub {
    call(PATCH => '/v1/apps/shop/backends/one', { weight => 33 });
    call(POST => '/v1/apps/shop/backends', { at => $three->address, id => 'three' });
    $proxy->configure(configuration(hold => 100));
    ok($proxy->reload, 'another configuration');
    is(backend_of('shop', 'one')->{weight}, 33, 'what was changed stays on top');
    is(backend_of('shop', 'three')->{state}, 'up', 'what was added stays');
    $proxy->configure(configuration(backends => [ { at => $one->address, id => 'one', weight => 70 }, { at => $two->address, id => 'two' } ]));
    ok($proxy->reload, 'one that says something new of a backend');
    is(backend_of('shop', 'one')->{weight}, 70, 'wins');
    like($proxy->stderr, qr/app shop: backend one: what was changed while the proxy ran is dropped: the configuration says something new/, 'and says so');
};

subtest 'clients that behave badly' => sub {
    my @stalled = map { my $s = open_socket(); print {$s} "GET /v1/version HTTP/1.1\r\nHost: x\r\n"; $s->flush; $s } 1 .. 40;
    my $half = open_socket();
    print {$half} "POST /v1/apps/shop/backends HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"at\":";
    $half->flush;
    is(call(GET => '/v1/version')->{status}, 200, 'forty that stall do not stop the next');
    my $rubbish = open_socket();
    print {$rubbish} "\x16\x03\x01\x02\x00" . "\xff" x 4096 . "\r\n\r\n";
    $rubbish->flush;
    is(call(GET => '/v1/version')->{status}, 200, 'nor does rubbish');
    my $large = open_socket();
    local $SIG{PIPE} = 'IGNORE';
    print {$large} "POST /v1/apps/shop/backends HTTP/1.1\r\nHost: x\r\nContent-Length: 104857600\r\n\r\n";
    my $sent = 0;
    for (1 .. 100) { my $count = syswrite $large, ' ' x 1048576; last if !$count; $sent += $count }
    cmp_ok($sent, '<', 20 << 20, 'a hundred megabytes are not taken');
    is(answer_of($proxy, 'blog')->{status}, 200, 'and clients of the proxy do not notice');
    my @many = map { IO::Socket::UNIX->new(Peer => $path) } 1 .. 100;
    is(answer_of($proxy, 'blog')->{status}, 200, 'nor do they of a hundred connections');
    is(call(GET => '/v1/version')->{status}, 200, 'which keep nobody out');
    ok(wait_for { my $got = sysread $stalled[0], my $byte, 1; defined $got && $got == 0 }, 'the oldest are cut for that');
    is(scalar(grep { defined } @many), 100, 'all were let in');
};

subtest 'many changes' => sub {
    my $socket = open_socket();
    my $count = 300;
    for my $n (1 .. $count) {
        my $text = JSON::PP->new->utf8->encode({ weight => $n % 100 + 1 });
        print {$socket} "PATCH /v1/apps/shop/backends/two HTTP/1.1\r\nHost: x\r\nContent-Length: " . length($text) . "\r\n\r\n$text";
        $socket->flush;
        local $/ = "\r\n\r\n";
        my $head = <$socket>;
        like($head, qr/^HTTP\/1\.1 200/, 'changed') if $n == $count;
        my $body = '';
        while ($body !~ /\r\n0\r\n\r\n\z/ && defined(my $piece = readline $socket)) { $body .= $piece }
        answer_of($proxy, 'shop')->{status} == 200 or fail('a request failed') if $n % 30 == 0;
    }
    is(backend_of('shop', 'two')->{weight}, $count % 100 + 1, 'on one connection');
};

$proxy->ends_well;
ok(!-e $path, 'the socket goes with the process');

subtest 'two routers' => sub {
    my %table = (module => 'table', apps => { a => { domains => ['*'], backends => [ $one->address ] } });
    my $both = proxy(global => { 'weir.admin' => { path => $path } }, paths => { '/' => { 'weir.router' => {%table} }, '/x' => { 'weir.router' => { %table, name => 'x' } } });
    ok(wait_for { -S $path }, 'the endpoint is there');
    is_problem(call(GET => '/v1/apps'), 409, 'ambiguous', 'which one');
    is(call(GET => '/v1/routers/x/apps')->{document}{apps}[0]{app}, 'a', 'by its name');
    is(call(GET => '/v1/routers/default%20%2F/apps')->{document}{apps}[0]{app}, 'a', 'by its place');
};

my $file = write_file(temp_path('no-socket'), 'mine');
my $port = free_port();
my $run = weir('run', '-c', write_file(temp_path('weir.yaml'), <<"YAML"));
listen: $port
weir.admin: { path: $file }
hosts: { default: { paths: { /: { weir.router: { module: table, apps: { a: { domains: [ a ], backends: [ "127.0.0.1:1" ] } } } } } } }
YAML
is($run->{exit}, 1, 'a file that is no socket is not replaced');
like($run->{err}, qr/weir\.admin: \Q$file\E: there is something that is no socket/, 'and is named');
is(read_file($file), 'mine');

subtest 'require-if-match' => sub {
    admin_path(temp_path('careful.sock'));
    my %option = configuration();
    $option{global} = { 'weir.admin' => { path => admin_path(), 'require-if-match' => 'ON' } };
    my $careful = proxy(%option);
    ok(wait_for { -S admin_path() }, 'the endpoint is there');
    is_problem(call(PATCH => '/v1/apps/shop/backends/one', { weight => 5 }), 428, 'precondition-required', 'who has not looked');
    is_problem(call(DELETE => '/v1/routers/main/apps/shop'), 428, 'precondition-required', 'nor this one');
    my $tag = call(GET => '/v1/apps/shop')->{fields}{etag};
    is(call(PATCH => '/v1/apps/shop/backends/one', { weight => 5 }, 'If-Match' => $tag)->{status}, 200, 'who has may change it');
    is(call(PUT => '/v1/domains/new.test', { app => 'shop' }, 'If-None-Match' => '*')->{status}, 201, 'or make what is not there');
    is(call(POST => '/v1/apps/shop/backends/one/off')->{status}, 200, 'a verb needs none');
};

refuses_config(<<"YAML", qr/\d+: weir\.admin: `require-if-match` is ON or OFF/, 'a flag that is none');
listen: 8080
weir.admin: { path: /x, require-if-match: maybe }
hosts: { default: { paths: { /: { weir.router: stub } } } }
YAML
refuses_config(<<"YAML", qr/\d+: weir\.admin: `path` is missing/, 'an endpoint nowhere');
listen: 8080
weir.admin: { permission: 0660 }
hosts: { default: { paths: { /: { weir.router: stub } } } }
YAML
refuses_config(<<"YAML", qr/\d+: .*unknown key pfad/, 'an unknown key');
listen: 8080
weir.admin: { pfad: /x }
hosts: { default: { paths: { /: { weir.router: stub } } } }
YAML

done_testing;
