# SPDX-License-Identifier: MIT
# GET /v1/top, and `weir top`: numbers that are the requests', once, line by line, and on a terminal that gets back what it had.
use lib 't/lib';
use Weir::Test;
use Weir::Terminal;
use IO::Socket::UNIX;
use JSON::PP ();

my $path = temp_path('admin.sock');

# The answer to a GET: status, document.
sub call {
    my ($target) = @_;
    my $socket = IO::Socket::UNIX->new(Peer => $path) // die "no admin endpoint: $!";
    print {$socket} "GET $target HTTP/1.1\r\nHost: weir\r\nConnection: close\r\n\r\n";
    local $/;
    my ($head, $body) = split /\r\n\r\n/, <$socket> // '', 2;
    if ($head =~ /^transfer-encoding: chunked/mi) {
        my $whole = '';
        while ($body =~ s/^([0-9a-f]+)\r\n//i && hex $1) { $whole .= substr $body, 0, hex $1, ''; $body =~ s/^\r\n// }
        $body = $whole;
    }
    return ($head =~ m{^HTTP/1\.1 (\d+)}, JSON::PP::decode_json($body));
}

sub top    { my ($query) = @_; return (call('/v1/top' . ($query // '')))[1] }
sub app_of { my ($document, $name) = @_; return (grep { $_->{app} eq $name } @{ $document->{routers}[0]{apps} })[0] }
sub names  { my ($document) = @_; return join ' ', map { $_->{app} } @{ $document->{routers}[0]{apps} } }

my $ok    = ok_backend('ok');
my $bad   = backend(sub { $_[0]->serve(sub { simple_response('no', status => '500 No') }) });
my $apps  = {
    shop => { domains => ['shop.test'], backends => [ { at => $ok->address, id => 'well' }, { at => '127.0.0.1:' . refusing_port(), id => 'gone' } ] },
    blog => { domains => ['blog.test'], backends => [ $bad->address ], quarantine => 'OFF' },
    idle => { domains => ['idle.test'], backends => [ $ok->address ] },
};
my $proxy = proxy(
    global => { 'weir.admin' => { path => $path }, 'num-threads' => 2, 'weir.metrics-apps' => 'ON' },
    router => { module => 'table', name => 'main', apps => $apps },
);
ok(wait_for { -S $path }, 'the endpoint is there');

sub ask_app { my ($app) = @_; return $proxy->ask("GET / HTTP/1.1\r\nHost: $app.test\r\nConnection: close\r\n\r\n")->status }

subtest 'one document' => sub {
    my $before;
    ok(wait_for { $before = top(); @{ $before->{loops} } == 2 }, 'all loops are there');
    is("$before->{requests_total} $before->{requests_in_flight} $before->{waiting} $before->{generation}", '0 0 0 1', 'nothing has come');
    is($before->{pid}, $proxy->pid, 'the process');
    is(join(' ', map { $_->{index} } @{ $before->{loops} }), '1 2', 'its loops, in order');
    cmp_ok($before->{memory}{rss_bytes}, '>', 1_000_000, 'its memory');
    ask_app('shop') for 1 .. 6;
    is(ask_app('blog'), 500) for 1 .. 12;
    is(ask_app('none'), 404);
    my $after;
    ok(wait_for { $after = top(); $after->{requests_total} == 19 && app_of($after, 'shop')->{requests} >= 6 && app_of($after, 'blog')->{requests} == 12 }, 'requests are counted');
    is(join(' ', map { "$_ $after->{statuses}{$_}" } grep { $after->{statuses}{$_} } sort keys %{ $after->{statuses} }), '2xx 6 4xx 1 5xx 12', 'by their status');
    my $total = 0;
    $total += $_ for @{ $after->{stages}{total}{counts} };
    is($total, 19, 'and by how long they took');
    is(scalar @{ $after->{stages}{total}{counts} }, 1 + @{ $after->{stages}{bounds_us} }, 'a count for each bound, and one above');
    is(app_of($after, 'blog')->{failures}, 12, 'what failed');
    is(app_of($after, 'blog')->{statuses}{'5xx'}, 12, 'what clients got of it');
    ok(wait_for { ask_app('shop'); (app_of(top(), 'shop')->{members}{connect} // 0) == 1 }, 'who is ill');
    is(app_of(top(), 'shop')->{members}{up}, 1, 'and who is not');
    cmp_ok(app_of(top(), 'shop')->{retries}, '>=', 1, 'what was sent again');
    cmp_ok($after->{uptime_ms}, '>', $before->{uptime_ms}, 'time goes by');
    is($after->{connections}{client}, 0, 'no client is there');
    my $client = $proxy->connect;
    ok(wait_for { top()->{connections}{client} == 1 }, 'one is');
    my ($sum) = (0);
    $sum += $_->{connections} for @{ top()->{loops} };
    is($sum, 1, 'with one of the loops');
};

subtest 'which apps, in which order' => sub {
    is(names(top('?sort=errors')), 'blog shop idle', 'errors');
    is(names(top('?sort=errors&limit=1')), 'blog', 'the first of them');
    is(top('?limit=1')->{routers}[0]{total}, 3, 'of so many');
    is((split ' ', names(top('?sort=latency')))[2], 'idle', 'who has answered nothing is last');
    my ($status, $problem) = call('/v1/top?sort=size');
    is("$status $problem->{type}", '400 urn:weir:problem:invalid-value', 'no such order');
    is((call('/v1/routers/main/top?sort=size'))[0], 400, 'nor of a router');
    is((call('/v1/routers/main/top?limit=1'))[1]{apps}[0]{app}, (split ' ', names(top()))[0], 'a router has its part');
};

subtest 'who waits is counted' => sub {
    my $run = weir('pause', 'idle', '-s', $path);
    is($run->{exit}, 0, 'an app is paused');
    my $client = $proxy->connect;
    $client->write("GET / HTTP/1.1\r\nHost: idle.test\r\nConnection: close\r\n\r\n");
    ok(wait_for { top()->{waiting} == 1 && app_of(top(), 'idle')->{waiting} == 1 }, 'its request waits');
    is(names(top('?sort=queue&limit=1')), 'idle', 'it is first');
    is(app_of(top(), 'idle')->{state}, 'paused', 'and told to be paused');
    cmp_ok(top()->{requests_in_flight}, '>=', 1, 'it is in flight');
    weir('resume', 'idle', '-s', $path);
    is($client->read_response->status, 200, 'it goes on');
};

subtest 'what was changed' => sub {
    my $list = sub { my ($changes) = @_; return join "\n", map { "$_->{op} $_->{path}" } @$changes };
    my $newest = "resume /apps/idle\npause /apps/idle";    # of the app whose requests waited
    my $seq = (call('/v1/apps'))[1]{seq};
    my $id = $ok->address;
    is($list->(top()->{routers}[0]{changes}), $newest, 'is there, the newest first');
    is(weir('weight', 'idle', $id, $_, '-s', $path)->{exit}, 0, "a weight, $_") for 1 .. 4;
    my $changes = top()->{routers}[0]{changes};
    is($list->($changes), join("\n", ("patch /apps/idle/backends/$id") x 4, 'resume /apps/idle'), 'the last five');
    is(join(' ', map { $_->{seq} - $seq } @$changes), '4 3 2 1 0', 'with their numbers');
    is_deeply([ sort keys %{ $changes->[0] } ], [qw(at op path seq who)], 'and no more than a line has room for');
    is($changes->[0]{who}{uid}, $<, 'who it was');
    like($changes->[0]{at}, qr/^\d{4}-\d\d-\d\dT[\d:.]+Z$/, 'and when');
    is($list->((call('/v1/routers/main/top'))[1]{changes}), $list->($changes), 'a router tells of its own');
    my $line = qr/^change: \d\d:\d\d:\d\d uid $< \(pid \d+\): patch \/apps\/idle\/backends\/\S+$/m;
    my $text = weir('top', '--once', '--interval', '0.1', '-s', $path)->{out};
    is(scalar(() = $text =~ /$line/g), 4, 'they are printed');
    like($text, qr/: resume \/apps\/idle\n\z/, 'to the last');
    my $json = JSON::PP::decode_json(weir('top', '--once', '--json', '-s', $path)->{out});
    is($list->($json->{routers}[0]{changes}), $list->($changes), 'they are in the document');
    return if !Weir::Terminal->new(command => ['true'], columns => 80, rows => 24);
    my $terminal = terminal();
    ok($terminal->shows(qr/(?:^change: .*patch \/apps\/idle\/backends\/\S+\s*\n){4}^change: .*resume .*\n^by requests/m), 'and at the foot of the screen');
    is(weir('pause', 'shop', '-s', $path)->{exit}, 0, 'an app is paused');
    ok($terminal->shows(qr/^change: .*pause \/apps\/shop\s*\n(?:^change: .*patch \/apps\/idle\/backends\/\S+\s*\n){4}^by requests/m), 'which is shown');
    weir('resume', 'shop', '-s', $path);
    $terminal->resize(100, 14);
    ok($terminal->shows(qr/\A(?!.*change:).*^shop .*^by requests/ms), 'they give way where it is low');
    $terminal->type('q');
    is($terminal->finish, 0, 'q ends it');
};

subtest 'once' => sub {
    my $run = weir('top', '--once', '--interval', '0.2', '-s', $path);
    is("$run->{exit} $run->{err}", '0 ', 'fine');
    like($run->{out}, qr/\Aweir \S+  \d\d:\d\d:\d\d  process @{[ $proxy->pid ]}, up \d+s, configuration 1, memory \d/, 'the process');
    like($run->{out}, qr/^p99 .*\nloops  1: [\d.<]+%  2: [\d.<]+%\n\nAPP +REQ\/S/m, 'its loops, and headings');
    like($run->{out}, qr/^shop +[\d.]+ +0 +0 .* 1 +1 +0$/m, 'an app');
    unlike($run->{out}, qr/\e/, 'no orders to a terminal');
    is(weir('top', '--once', '--interval', 'soon', '-s', $path)->{exit}, 2, 'no interval');
    is(weir('top', '--once', '-s', temp_path('nobody'))->{exit}, 6, 'nobody answers');
    my $json = weir('top', '--once', '--json', '-s', $path);
    is(JSON::PP::decode_json($json->{out})->{pid}, $proxy->pid, 'as a document');
    is(scalar(() = $json->{out} =~ /\n/g), 1, 'of one line');
};

subtest 'where there is no terminal' => sub {
    my $pid = open my $lines, '-|', build_dir() . '/weir', 'top', '--interval', '0.1', '-s', $path or die "fork: $!";
    my @uptimes = map { JSON::PP::decode_json(scalar <$lines>)->{uptime_ms} } 1 .. 3;
    ok($uptimes[0] < $uptimes[1] && $uptimes[1] < $uptimes[2], 'a document a line');
    kill 'TERM', $pid;
    close $lines;
    is($? & 127, 15, 'until it is ended');
};

# ── a terminal ──

sub terminal {
    my (%option) = @_;
    return Weir::Terminal->new(command => [ build_dir() . '/weir', 'top', '--interval', '0.2', '-s', $path ], columns => 100, rows => 24, %option);
}

sub is_given_back {
    my ($terminal) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok($terminal->is_as_before, 'the terminal is set as before');
    return like($terminal->output, qr/\e\[\?25h\e\[\?1049l\z/, 'with its cursor, and what was on it');
}

my $is_there = Weir::Terminal->new(command => ['true'], columns => 80, rows => 24);

subtest 'on a terminal' => sub {
    plan skip_all => 'no pseudo terminals' unless $is_there;
    my $terminal = terminal();
    ok($terminal->shows(qr/^shop .*^by requests: /ms), 'the list is there');
    like($terminal->output, qr/\A\e\[\?1049h/, 'on a screen of its own');
    is(scalar @{ $terminal->lines }, 24, 'which is full');
    $terminal->type('e');
    ok($terminal->shows(qr/^APP .*\nblog.*\n.*^by errors: /ms), 'e: by errors');
    $terminal->type('w');
    ok($terminal->shows(qr/^by waiting: /m), 'w: by who waits');
    $terminal->type('l');
    ok($terminal->shows(qr/^by latency: /m), 'l: by latency');
    $terminal->type('/SHO');
    ok($terminal->shows(qr/^APP .*\nshop.*\n\s*\n.*^\/SHO_$/ms), 'a filter');
    $terminal->type("\r\r");
    ok($terminal->shows(qr/^backends of shop\nID .*^well .*^gone +\S+ +up +connect /ms), 'Enter: its backends, and why they are ill');
    $terminal->type("\e");
    ok($terminal->shows(qr/^by latency: .*filter: SHO/m), 'Esc: back');
    $terminal->type("\e");
    ok($terminal->shows(qr/^blog .*^by latency: (?!.*SHO)/ms), 'Esc: without the filter');
    $terminal->type('?');
    ok($terminal->shows(qr/^weir top\n.*Ctrl-C/s), 'help');
    $terminal->type('x');
    ok($terminal->shows(qr/^by latency/m), 'any key leaves it');
    $terminal->type('r');
    ok($terminal->shows(qr/^by requests/m), 'r: by requests');
    $terminal->resize(60, 12);
    ok($terminal->shows(qr/\A(?:.{0,60}\n){11}.{0,60}\z/), 'it follows the size');
    is(scalar @{ $terminal->lines }, 12, 'in both directions');
    $terminal->resize(140, 40);
    ok($terminal->shows(qr/^APP +REQ\/S .* HEAD .* RETRY\/S /m), 'and back');
    $terminal->type('q');
    is($terminal->finish, 0, 'q ends it');
    is_given_back($terminal);
};

subtest 'arrows keep to an app' => sub {
    plan skip_all => 'no pseudo terminals' unless $is_there;
    my $terminal = terminal();
    ok($terminal->shows(qr/\A(?!.*since the start).*^by requests/ms), 'the list is there, and its order is that of names, as nobody asks');
    ok(wait_for { $terminal->output =~ /\e\[7m(\w+)/ }, 'somebody is selected');
    my $selected = sub { my @all = $terminal->output =~ /\e\[7m(\w+)/g; return $all[-1] };
    my $first = $selected->();
    $terminal->type("\e[B");
    ok(wait_for { $selected->() ne $first }, 'an arrow: the next one');
    my $next = $selected->();
    $terminal->type("j");
    ok(wait_for { $selected->() ne $next }, 'j, too');
    $terminal->type("k");
    ok(wait_for { $selected->() eq $next }, 'k: back');
    $terminal->type("\e");
    is($terminal->finish, 0, 'Esc ends it');
    is_given_back($terminal);
};

for my $signal (qw(TERM HUP INT)) {
    subtest "SIG$signal ends it" => sub {
        plan skip_all => 'no pseudo terminals' unless $is_there;
        my $terminal = terminal();
        ok($terminal->shows(qr/^by requests/m), 'it is there');
        kill $signal, $terminal->pid;
        is(($terminal->finish // 0) & 127, { TERM => 15, HUP => 1, INT => 2 }->{$signal}, 'by that signal');
        is_given_back($terminal);
    };
}

subtest 'Ctrl-Z' => sub {
    plan skip_all => 'no pseudo terminals' unless $is_there;
    my $terminal = terminal();
    ok($terminal->shows(qr/^by requests/m), 'it is there');
    $terminal->type("\x1a");
    my $pid = $terminal->pid;
    ok(wait_for { read_file("/proc/$pid/stat") =~ /\) T / }, 'stops it');
    is_given_back($terminal);
    kill 'CONT', $pid;
    ok(wait_for { $terminal->output =~ /\e\[\?1049l.*\e\[\?1049h.*by requests/s }, 'it comes back');    # what is typed before is dropped
    $terminal->type('e');
    ok(wait_for { $terminal->output =~ /\e\[\?1049l.*\e\[\?1049h.*by errors/s }, 'and it goes on where it was');
    $terminal->type('q');
    is($terminal->finish, 0, 'to its end');
    is_given_back($terminal);
};

subtest 'while nobody answers' => sub {
    plan skip_all => 'no pseudo terminals' unless $is_there;
    my $terminal = terminal();
    ok($terminal->shows(qr/^by requests/m), 'it is there');
    $proxy->stand_still;
    $terminal->type('?');
    ok($terminal->shows(qr/^weir top\n/), 'keys are answered');
    $terminal->type("x\x03");
    is($terminal->finish, 0, 'Ctrl-C ends it');
    is_given_back($terminal);
    $proxy->signal('CONT');
};

subtest 'what was slow' => sub {
    my $gate = temp_path('gate');
    my ($port) = $ok->address =~ /:(\d+)$/;
    $path = temp_path('stuck.sock');
    my $stuck = proxy(
        router => { module => router_so('stuck', qq(-DGATE="$gate")), port => $port },
        global => { 'weir.callback-warn' => 20, 'weir.watchdog' => 100, 'weir.admin' => { path => $path } },
        paths  => { '/metrics' => { 'weir.metrics' => 'ON' } },
    );
    my $client = $stuck->connect;
    $client->write("GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\nX-Request-Id: this-one-is-slow-indeed\r\nX-Stuck: checkout_service\r\n\r\n");
    ok(wait_for { $stuck->stderr =~ /has been stuck/ }, 'a router keeps its loop');
    is_deeply(top()->{slow}, [], 'it is not slow yet');
    write_file($gate, '');
    is($client->read_response->status, 200, 'it goes on');
    my ($slow) = @{ top()->{slow} };
    is(join(' ', map { $_ // '' } @$slow{qw(kind name callback loop request)}), 'router stuck checkout_service 1 this-one-is-slow-indeed', 'it was slow');
    cmp_ok($slow->{us}, '>', 20_000, 'for so long');
    is(scalar @{ top()->{routers} }, 0, 'a router that cannot be asked has no part');
    like(weir('top', '--once', '--interval', '0.1', '-s', $path)->{out}, qr/^slow: \d\d:\d\d:\d\d checkout_service of router stuck: \S+ on loop 1, request this-one/m, 'a line of it');
    my $terminal = $is_there ? terminal() : undef;
    ok(!$terminal || $terminal->shows(qr/^slow: .*checkout_service/m), 'at the foot of the screen');
    like($stuck->get('/metrics')->body, qr/^weir_callback_stalls_total\{callback="checkout_service"\} 1$/m, 'and a number');
};

subtest 'when it has ended' => sub {
    plan skip_all => 'no pseudo terminals' unless $is_there;
    $path = temp_path('short.sock');
    my $short = proxy(backends => [$ok], global => { 'weir.admin' => { path => $path } });
    my $terminal = terminal();
    ok($terminal->shows(qr/^by requests/m), 'it is there');
    is($short->stop, 0, 'the proxy ends');
    ok($terminal->shows(qr/^\S+short\.sock: No such file/m), 'which is said');
    $terminal->type('q');
    is($terminal->finish, 0, 'q ends it');
};

done_testing;
