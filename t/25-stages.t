# SPDX-License-Identifier: MIT
# Stages of one's own: where they stand, what they may say, and how they are cleaned up.
use lib 't/lib';
use Weir::Test;

my $build = build_dir();
my $echo  = echo_backend();
my $log   = temp_path('stages.log');
write_file($log, '');
my %so = map { $_ => router_so('stage', "-DNUMBER=$_", qq(-DLOG="$log"), $_ % 20 == 5 ? '-DCANCEL' : ()) } 5, 25, 45, 55, 65;
my $record = temp_path('record.log');
my $proxy = proxy(
    router => { module => router_so('record'), log => $record, backends => [ '127.0.0.1:' . refusing_port(), $echo->address ] },
    path => { 'weir.stages' => [ @so{ 65, 5, 45, 25, 55 } ] },
);

# What the stages wrote down for a path, once the request is over (the first of them is left last).
sub diary {
    my ($path) = @_;
    my $text = sub { join ' ', map { s{^\Q$path\E }{}r } grep { /^\Q$path\E / } split /\n/, read_file($log) };
    wait_for { $text->() =~ /-5\b/ };
    return $text->();
}

sub calls {
    my ($path) = @_;
    my @calls;
    wait_for { @calls = map { m{^\Q$path\E (\w+)} } split /\n/, read_file($record); grep { $_ eq 'terminate' } @calls };
    return "@calls";
}

my $down = '-65 -55 -45 -25 -5';

subtest 'they stand between the others, by their numbers' => sub {
    is($proxy->get('/order', "X-Do: first=1\r\n")->status, 200, 'the request goes through');
    is(diary('/order'), "+5 +25 +45 +55 +65 $down", 'entered by number, left in reverse');
    is($proxy->get('/retry')->status, 200, 'with a retry');
    is(diary('/retry'), "+5 +25 +45 +55 -55 +55 +65 $down", 'what stands behind the stage that is repeated is left and entered again');
};

subtest 'a stage that adds a header' => sub {
    my $r = $proxy->get('/header', "X-Do: first=1\r\nX-Do-25: header\r\nX-Do-65: header\r\n");
    like($r->body, qr/^X-Stage-25: yes\r$/m, 'early');
    like($r->body, qr/^X-Stage-65: yes\r$/m, 'or just before the head is made');
};

for my $number (5, 25, 45, 55, 65) {
    subtest "stage $number" => sub {
        my $before = join ' ', map { "+$_" } grep { $_ <= $number } 5, 25, 45, 55, 65;
        my $after = join ' ', map { "-$_" } grep { $_ <= $number } 65, 55, 45, 25, 5;
        my %ask = (path => sub { "/$_[0]-$number" }, head => sub { "X-Do: first=1\r\nX-Do-$number: $_[0]\r\n" });
        my $checkin = 'checkin_service terminate';

        my $r = $proxy->get($ask{path}->('refuse'), $ask{head}->('refuse'));
        is($r->status, 403, 'refuses');
        like($r->body, qr/stage_fault: The stage says no/, 'with its own reason');
        is(diary("/refuse-$number"), "$before " . $after =~ s/(-\d+)/$1 stage_fault/gr, 'which its leave sees');
        like(calls("/refuse-$number"), qr/ error_page $checkin$/, 'through error_page');
        is($proxy->log_where(path => "/refuse-$number")->{code}, 'stage_fault', 'and the log');

        for my $how (qw(reply late)) {
            $r = $proxy->get($ask{path}->($how), $ask{head}->($how));
            is($r->status . ' ' . $r->body, "202 from a stage\n", "answers by itself: $how");
            is($r->header('X-Reply'), $number, 'with a header');
            is($r->header('Content-Length'), 13, 'and a length of ours');
            is(diary("/$how-$number"), "$before $after", 'no other stage runs');
            unlike(calls("/$how-$number"), qr/error_page/, 'nothing is wrong');
            my $line = $proxy->log_where(path => "/$how-$number");
            is("$line->{at} $line->{status} $line->{bytes}", 'info 202 13', 'the log says so');
        }

        $r = $proxy->get($ask{path}->('done'), $ask{head}->('done'));
        is($r->status . $r->body, 204, 'halts: an empty 204');
        is($proxy->log_where(path => "/done-$number")->{status}, 204, 'the log says so');
        like(calls("/done-$number"), qr/(?<!error_page )$checkin$/, 'the service comes back');

        is($proxy->get($ask{path}->('pass'), $ask{head}->('pass'))->status, 200, 'goes on from a thread');
        is($proxy->get($ask{path}->('bad'), $ask{head}->('bad'))->status, 500, 'a status that is none is a 500');
        is($proxy->log_where(path => "/bad-$number")->{code}, 'stage_bad_verdict', 'and has a reason');
    };
}

subtest 'a stage that goes back' => sub {
    is($proxy->get('/back', "X-Do: first=1 endless\r\nX-Do-65: back\r\n")->status, 200, 'the request goes through');
    is(diary('/back'), "+5 +25 +45 +55 +65 -65 -55 +55 +65 $down", 'what it goes back over is left, newest first, and entered again');
    is(calls('/back'), 'init lookup_domain_name checkout_service service_backend checkin_service checkout_service service_backend '
        . 'additional_headers additional_headers checkin_service terminate', 'the service in hand comes back before another is asked for');
};

subtest 'a halt, and the body behind the request' => sub {
    my $post = "POST /halt HTTP/1.1\r\nHost: a.test\r\nX-Do: first=1\r\nX-Do-25: done\r\n";
    my $client = $proxy->connect;
    $client->write("${post}Content-Length: 4\r\n\r\nbodyGET /behind HTTP/1.1\r\nHost: a.test\r\nX-Do: first=1\r\n\r\n");
    my $r = $client->read_response;
    is($r->status . join('', $r->all('Content-Length')), 204, 'a 204, without a length');
    like($client->read_response->body, qr{^GET /behind }, 'a body that has arrived is skipped, and the next request read');
    $client = $proxy->connect;
    $client->write("${post}Content-Length: 1000\r\n\r\nbody");
    ok($client->read_response->says_close, 'a body that has not: Connection: close');
    $client->shutdown_write;
    is($client->read_eof, '', 'closed');
};

subtest 'an answer keeps the connection' => sub {
    my $client = $proxy->connect;
    for my $how (qw(reply late done)) {
        $client->write("GET /keep-$how HTTP/1.1\r\nHost: a.test\r\nX-Do: first=1\r\nX-Do-25: $how\r\n\r\n");
        ok($client->read_response, $how);
    }
    $client->write("HEAD /head HTTP/1.1\r\nHost: a.test\r\nX-Do: first=1\r\nX-Do-25: reply\r\n\r\n");
    my $r = $client->read_response(head => 1);
    is($r->header('Content-Length') . $r->body, 13, 'HEAD gets the length only');
    $client->write("GET /after HTTP/1.1\r\nHost: a.test\r\nX-Do: first=1\r\n\r\n");
    is($client->read_response->status, 200, 'and the next request is read');
};

subtest 'the client leaves' => sub {
    for my $number (5, 25, 45, 55, 65) {
        my $client = $proxy->connect;
        $client->write("GET /left-$number HTTP/1.1\r\nHost: a.test\r\nX-Do: first=1\r\nX-Do-$number: wait\r\n\r\n");
        wait_for { read_file($log) =~ m{^/left-$number \+$number$}m };
        $client->reset;
        my $before = join ' ', map { "+$_" } grep { $_ <= $number } 5, 25, 45, 55, 65;
        my $after = join ' ', map { "-$_ client_closed" } grep { $_ <= $number } 65, 55, 45, 25, 5;
        my $cancel = $number % 20 == 5 ? " !$number" : '';    # the others are awaited
        is(diary("/left-$number"), "$before$cancel $after", $cancel ? "$number is cancelled" : "$number is awaited");
        like(calls("/left-$number"), qr/ checkin_service terminate$/, 'the walk ends');
    }
};

subtest 'the example' => sub {
    my $so = "$build/examples/auth_stage.so";
    plan skip_all => 'no example' unless -e $so;
    my $guarded = proxy(
        router => { module => router_so('record'), log => temp_path('auth.log'), backends => [ $echo->address ] },
        path => { 'weir.stages' => $so },
    );
    my $r = $guarded->get('/closed', "X-Do: own-page\r\n");
    is($r->status . $r->header('X-Page'), '418own', 'refuses through the router\'s error_page');
    is($guarded->get('/closed')->status, 401, 'which may leave it to the fault');
    is($guarded->log_where(path => '/closed', status => 401)->{code}, 'token_missing', 'the log names its reason');
    is($guarded->get('/open', "Authorization: Bearer abc\r\n")->status, 200, 'with a token the request goes through');
    is($guarded->get('/closed')->header('WWW-Authenticate'), 'Bearer realm="weir"', 'without, the client reads what is wanted');
    my $shop = proxy(backends => [$echo], path => { 'weir.stages' => [ { module => $so, realm => 'shop', open => ['/health'] }, $so{55} ] },
        paths => { '/api' => { 'weir.stages' => { module => $so, realm => 'api' }, 'weir.router' => { module => 'stub', backends => [ $echo->address ] } } });
    is($shop->get('/')->header('WWW-Authenticate'), 'Bearer realm="shop"', 'a stage is configured');
    is($shop->get('/health')->status, 200, 'key by key');
    is($shop->get('/api/health')->header('WWW-Authenticate'), 'Bearer realm="api"', 'at each place by itself');
    for my $case ([ 'raelm: shop', '`raelm`.*`realm`' ], [ 'realm: [ a ]', 'realm' ], [ 'open: /health', 'open: must be a list' ], [ 'open: [ health ]', 'a path begins with /' ]) {
        refuses_config("listen: 1\nhosts:\n  default:\n    paths:\n      /:\n        weir.router: stub\n        weir.stages:\n          module: $so\n          $case->[0]\n",
            qr/9: .*$case->[1]/, $case->[0]);
    }
};

subtest 'what cannot be a stage is refused at start, with file and line' => sub {
    my %wrong = (
        'the number of a built-in one'   => [ [ stage(50) ],            qr/stage_50 both have the number 50|both have the number 50/ ],
        'the number of another'          => [ [ stage(25), $so{25} ],   qr/both have the number 25/ ],
        'a number from 75 on'            => [ [ stage(75) ],            qr/has the number 75; from 75 on/ ],
        'a number far beyond'            => [ [ stage(200) ],           qr/has the number 200/ ],
        'no symbol'                      => [ [ router_so('record') ],  qr/exports no .*weir_stage/ ],
        'no file'                        => [ ['./no/such/stage.so'],   qr/no such file|cannot open/i ],
    );
    for my $how (sort keys %wrong) {
        my ($stages, $sentence) = @{ $wrong{$how} };
        my $port = free_port();
        my $list = join ', ', map { qq("$_") } @$stages;
        refuses_config("listen: $port\nhosts:\n  default:\n    paths:\n      /:\n        weir.router: stub\n        weir.stages: [ $list ]\n",
            qr/7: weir\.stages: .*$sentence/, $how);
    }
    my $port = free_port();
    my $run = weir('check', '-c', write_file(temp_path('weir.yaml'),
        "listen: $port\nhosts:\n  default:\n    paths:\n      /:\n        weir.router: stub\n        weir.stages: [ \"$so{25}\", \"" . stage(74) . "\" ]\n"));
    is($run->{exit}, 0, '74 is the last that is taken') or diag($run->{err});
};

sub stage { return router_so('stage', "-DNUMBER=$_[0]", qq(-DLOG="$log"), '-DTWIN') }

done_testing;
