# SPDX-License-Identifier: MIT
# Six incidents, each found and mended by the commands that "When something is wrong" of docs/operations.md has for it, word for word.
use lib 't/lib';
use Weir::Test;
use Weir::Admin;
use Weir::TLS;

admin_path(temp_path('admin.sock'));
my $bin = temp_path('bin');
mkdir $bin or die $!;
write_file("$bin/weir", "#!/bin/sh\ncase \"\$1\" in check) exec '@{[ build_dir() ]}/weir' \"\$@\" ;; esac\nexec '@{[ build_dir() ]}/weir' \"\$@\" -s '@{[ admin_path() ]}'\n");
chmod 0755, "$bin/weir" or die $!;
$ENV{PATH} = "$bin:$ENV{PATH}";
plan skip_all => 'curl or openssl is missing' if grep { system("command -v $_ >/dev/null 2>&1") } qw(curl openssl);

# The commands of each heading below the section, a list for each block: [ command, what is in its output or undef ].
sub read_stories {
    my ($heading, $is_open, %stories) = ('');
    my ($section) = read_file(root_dir() . '/docs/operations.md') =~ /^## When something is wrong\n(.*?)^## /ms or die 'no section';
    for (split /\n/, $section) {
        $heading = $1 if /^### (.*)/;
        if    (/^ *```(sh)?/) { $is_open = defined $1; push @{ $stories{$heading} }, [] if $is_open }
        elsif ($is_open)      { my ($command, $text) = /^\s*(.*?)(?:\s+# => (.*))?$/; push @{ $stories{$heading}[-1] }, [ $command, $text ] }
    }
    return \%stories;
}
my $stories = read_stories();
my %is_told;

sub filled { my ($text, $names) = @_; return $text =~ s/\b(APP|ID|URL|REQUEST|LOG|ERRORS|METRICS|NEW|ADDRESS|CONFIG|PID|AT)\b/$names->{$1} \/\/ die "no $1"/ger }

# Follows one block of a story; what was said, all in one.
sub follows {
    my ($story, $names) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $block = $stories->{$story}[ $is_told{$story}++ ] // die "$story has no more steps";
    my $said = '';
    for (@$block) {
        my ($command, $text) = ($_->[0], $_->[1]);
        my $run = run_command('/bin/sh', '-c', filled($command, $names));
        is($run->{exit}, 0, $command) or diag "$run->{out}$run->{err}";
        like($run->{out}, qr/\Q@{[ filled($text, $names) ]}/, "says: $text") if defined $text;
        $said .= $run->{out};
    }
    return $said;
}

sub is_over { my ($story) = @_; return is($is_told{$story}, scalar @{ $stories->{$story} }, 'these were all steps') }

my $ok = ok_backend('new');
my %more = (paths => { '/metrics' => { 'weir.metrics' => 'ON' } }, global => { 'weir.admin' => { path => admin_path() } });

# A proxy with one app, shop, and the names of the document that follow from it.
sub begin {
    my ($app, %option) = @_;
    my $proxy = proxy(%more, router => { module => 'table', apps => { shop => { domains => ['shop.test'], %$app } } }, %option);
    ok(wait_for { -S admin_path() }, 'the endpoint is there');
    return ($proxy, { APP => 'shop', ID => 'web-1', NEW => 'web-9', ADDRESS => $ok->address, URL => 'http://shop.test/cart', LOG => $proxy->{out},
        ERRORS => $proxy->{err}, METRICS => 'http://127.0.0.1:' . $proxy->port . '/metrics', CONFIG => $proxy->config, PID => $proxy->pid });
}

my $number = 0;
sub begin_request {
    my ($proxy, $names, $path, $more) = @_;
    my $client = $proxy->connect;
    $names->{REQUEST} = sprintf 'incident-%012d', ++$number;
    $client->write('GET ' . ($path // '/cart') . " HTTP/1.1\r\nHost: shop.test\r\nX-Request-Id: $names->{REQUEST}\r\nConnection: close\r\n" . ($more // '') . "\r\n");
    return $client;
}

sub request { return begin_request(@_)->read_response }

# Clients are well: each of some requests has the answer of a backend that is well.
sub all_are_well {
    my ($proxy, $names) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @wrong = grep { $_->status != 200 || $_->body ne 'new' } map { request($proxy, {%$names}) } 1 .. 10;
    return is(scalar @wrong, 0, 'clients are well again');
}

subtest 'what to look at' => sub {
    my ($proxy, $names) = begin({ backends => [ { at => '127.0.0.1:' . refusing_port(), id => 'web-1' } ] });
    request($proxy, $names);
    ok($proxy->log_where(request_id => $names->{REQUEST})->{code}, 'a line tells of it');
    like(follows('', $names), qr/^shop .*^ +1 +code=backend_refused$/ms, 'the app, and why');
    is_over('');
    $proxy->ends_well;
};

subtest 'a dead backend' => sub {
    my ($proxy, $names) = begin({ backends => [ { at => '127.0.0.1:' . refusing_port(), id => 'web-1' } ] });
    is(request($proxy, $names)->status, 503, 'clients are refused') for 1 .. 3;
    my $said = follows('A backend is dead', $names);
    like($said, qr/^web-1 .* up +connect /m, 'who it is');
    follows('A backend is dead', $names);
    follows('A backend is dead', $names);
    is_over('A backend is dead');
    all_are_well($proxy, $names);
    $proxy->ends_well;
};

subtest 'a slow backend' => sub {
    my $slow = backend(sub { $_[0]->serve(sub { select undef, undef, undef, 0.25; simple_response('slow') }) });
    my ($proxy, $names) = begin({ balance => 'round-robin', backends => [ { at => $slow->address, id => 'web-1' }, { at => $ok->address, id => 'web-2' } ] });
    my @clients = map { begin_request($proxy, $names) } 1 .. 16;
    $_->read_response for @clients;
    like($proxy->log_where(request_id => $names->{REQUEST})->{dyno}, qr/^web-[12]$/, 'the log has them');
    my %head_ms = follows('A backend is slow', $names) =~ /^(web-[12]) .* (\d+)\.\d+ +\d+ +\d+$/mg;
    cmp_ok($head_ms{'web-1'}, '>=', 200, 'how slow it is');
    cmp_ok($head_ms{'web-1'}, '>', $head_ms{'web-2'}, 'and that the other one is not');
    follows('A backend is slow', $names);
    like(follows('A backend is slow', $names), qr/^outcome +pick web-2 /m, 'all go to the other one');
    is_over('A backend is slow');
    all_are_well($proxy, $names);
    $proxy->ends_well;
};

subtest 'a flapping backend' => sub {
    my $port = free_port();
    my ($proxy, $names) = begin({ backends => [ { at => "127.0.0.1:$port", id => 'web-1' }, { at => $ok->address, id => 'web-2' } ] });
    for my $time (1, 2) {
        ok(wait_for { request($proxy, $names); (() = $proxy->stderr =~ /backend web-1 is down/g) == $time }, 'it is down');
        my $backend = ok_backend('flapping', port => $port);
        ok(wait_for { request($proxy, $names); (() = $proxy->stderr =~ /backend web-1 is up again/g) == $time }, 'it is up again');
        ok(wait_for { request($proxy, $names)->body eq 'flapping' }, 'and answers');
        $backend->stop;
    }
    my $said = follows('A backend flaps', $names);
    is((() = $said =~ /backend web-1 is up again, after \d+ failures? in [\d.]+ s/g), 2, 'how often, and for how long');
    cmp_ok(($said =~ /result="refused"\} (\d+)/)[0], '>=', 2, 'in the metrics, too');
    follows('A backend flaps', $names);
    follows('A backend flaps', $names);
    is_over('A backend flaps');
    my $backend = ok_backend('flapping', port => $port);
    all_are_well($proxy, $names);
    $proxy->ends_well;
};

subtest 'a full queue' => sub {
    my $gate  = temp_path('gate');
    my $gated = backend(sub { $_[0]->serve(sub { wait_for { -e $gate } 60; simple_response('new') }) });
    my ($proxy, $names) = begin({ 'max-requests' => 1, queue => { length => 2, timeout => ms(60_000) }, backends => [ { at => $gated->address, id => 'web-1' } ] });
    my @clients;
    for my $n (1 .. 3) {
        push @clients, begin_request($proxy, $names);
        ok(wait_for { my $app = call(GET => '/v1/apps/shop')->{document}; $app->{in_flight} + $app->{queue}{waiting} == $n }, "$n are there");
    }
    like(request($proxy, $names)->body, qr/^backlog_too_deep: /m, 'one more is refused');
    my $said = follows('The queue is full', $names);
    like($said, qr/^shop +up +1 +2 +1 +1$/m, 'two wait, with one under way');
    like($said, qr{^ +web-1 .* 1/1 .* skipped: full$}m, 'the backend is full');
    like($said, qr/^weir_queue_waiting\{cause="busy"\} 2$/m, 'in the metrics, too');
    follows('The queue is full', $names);
    is($_->read_response->body, 'new', 'who waits is served') for @clients[ 1, 2 ];
    follows('The queue is full', $names);
    is_over('The queue is full');
    all_are_well($proxy, $names);
    write_file($gate, '');
    is($clients[0]->read_response->status, 200, 'and the first one');
    $proxy->ends_well;
};

subtest 'a wrong certificate' => sub {
    my $ca = authority('test authority');
    my ($wrong, $right) = map { my $name = $_; tls_backend(sub { $_[0]->serve(sub { simple_response('new') }) }, cert => certificate($name, ca => $ca)) } qw(elsewhere.test 127.0.0.1);
    my ($proxy, $names) = begin({ tls => { 'ca-file' => $ca->{cert} }, backends => [ { at => 'https://127.0.0.1:' . $wrong->port, id => 'web-1' } ] });
    @$names{qw(ADDRESS AT)} = ('https://127.0.0.1:' . $right->port, $wrong->address);
    is(request($proxy, $names)->status, 502, 'clients are refused');
    follows('A certificate is wrong', $names);
    like(follows('A certificate is wrong', $names), qr/DNS:elsewhere\.test/, 'whose it is');
    follows('A certificate is wrong', $names);
    is_over('A certificate is wrong');
    all_are_well($proxy, $names);
    $proxy->ends_well;
};

subtest 'a blocked callback' => sub {
    my $gate = temp_path('gate');
    my ($port) = $ok->address =~ /:(\d+)$/;
    my %global = (%{ $more{global} }, 'weir.watchdog' => 100, 'weir.callback-warn' => 20);
    my ($proxy, $names) = begin({}, router => { module => router_so('stuck', qq(-DGATE="$gate")), port => $port }, global => \%global);
    my $client = begin_request($proxy, $names, '/cart', "X-Stuck: checkout_service\r\n");
    ok(wait_for { $proxy->stderr =~ /has been stuck/ }, 'a loop is stuck');
    my $other = begin_request($proxy, {}, '/other');
    like(follows('A callback blocks', $names), qr/in checkout_service of router stuck \(request $names->{REQUEST}\)$/m, 'where, and for whom');
    write_file($gate, '');
    is($_->read_response->status, 200, 'it goes on') for $client, $other;
    ok(wait_for { $proxy->stderr =~ /was stuck/ }, 'which is told');
    like(follows('A callback blocks', $names), qr/^weir_callback_stalls_total\{callback="checkout_service"\} [1-9]/m, 'and counted');
    $proxy->configure(%more, global => \%global, backends => [$ok]);
    follows('A callback blocks', $names);
    is_over('A callback blocks');
    ok(wait_for { $proxy->reloads == 1 }, 'it is loaded');
    is(begin_request($proxy, $names, '/cart', "X-Stuck: checkout_service\r\n")->read_response->body, 'new', 'the same request blocks nothing');
    all_are_well($proxy, $names);
    $proxy->ends_well;
};

done_testing;
