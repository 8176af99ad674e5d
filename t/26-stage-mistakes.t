# SPDX-License-Identifier: MIT
# What stages of one's own do wrong costs the request, with a reason and a line; the proxy stays.
use lib 't/lib';
use Weir::Test;

my $echo  = echo_backend();
my $wrong = router_so('wrong_stage', '-DCANCEL');
my $proxy = proxy(backends => [$echo], path => { 'weir.stages' => $wrong, 'weir.stage-timeout' => ms(300) });

# The line of a mistake, in the request's own words.
sub line_of {
    my ($proxy, $path) = @_;
    my $id = $proxy->log_where(path => $path)->{request_id};
    my ($line) = grep { /request \Q$id\E$/ } split /\n/, $proxy->stderr;
    return ($line // '') =~ s/^weir: //r =~ s/; request .*//r;
}

my %mistakes = (
    '/nothing'    => 'stage wrong (25) returned without a verdict',
    '/twice'      => 'stage wrong (25) spoke two verdicts',
    '/unentered'  => 'stage wrong (25) wanted to go back to where the walk has not been',
    '/no-fault'   => 'stage wrong (25) refused without a named fault',
    '/nameless'   => 'stage wrong (25) refused without a named fault',
    '/elsewhere'  => 'stage wrong (25) spoke a verdict on another thread',
    '/both'       => 'stage wrong (25) spoke a verdict on another thread',
);
for my $path (sort keys %mistakes) {
    subtest "$path is a mistake" => sub {
        my $client = $proxy->connect;
        $client->write("GET $path HTTP/1.1\r\nHost: a.test\r\n\r\n");
        my $r = $client->read_response;
        is($r->status, 500, 'the client gets a 500');
        like($r->body, qr/stage_bad_verdict/, 'which names the reason');
        is($proxy->get('/behind')->status, 200, 'the next request is served');
        is($proxy->log_where(path => $path)->{code}, 'stage_bad_verdict', 'the log names it, too');
        is(line_of($proxy, $path), $mistakes{$path}, 'and a line says who did what');
    };
}

subtest 'an answer that a verdict follows' => sub {
    my $r = $proxy->get('/reply-and-next');
    is($r->status . $r->body, "203mine\n", 'stands: it is out');
    is(line_of($proxy, '/reply-and-next'), 'stage wrong (25) spoke two verdicts', 'and a line says so');
};

subtest 'a stage that goes back to itself' => sub {
    my $r = $proxy->get('/itself');
    is($r->status, 503, 'is ended');
    is($proxy->log_where(path => '/itself')->{code}, 'too_many_attempts', 'by the count of its ways back');
};

subtest 'a stage that does not decide' => sub {
    my $r = $proxy->get('/forever');
    is($r->status, 503, 'is waited for no longer than weir.stage-timeout');
    like($r->body, qr/stage_timeout/, 'which the page names');
    is($proxy->log_where(path => '/forever')->{code}, 'stage_timeout', 'and the log');
    is(line_of($proxy, '/forever'), 'stage wrong (25) did not decide in time', 'and a line says who it was');
};

subtest 'a fault with a status that is none' => sub {
    is($proxy->get('/strange-status')->status, 500, 'is a 500');
    is($proxy->log_where(path => '/strange-status')->{code}, 'strange_status', 'with its own name');
};

subtest 'a refusal with headers' => sub {
    my $r = $proxy->get('/tell');
    is($r->status, 401, 'its status');
    is($r->header('WWW-Authenticate'), 'Bearer', 'what it asks for');
    is(join('', $r->all('Transfer-Encoding'), $r->all('X-Split')), '', 'what it may not say is left out');
    is($r->header('Content-Length'), length $r->body, 'the length is ours');
};

subtest 'a stage that decides too late and cannot be cancelled' => sub {
    my $log     = write_file(temp_path('late.log'), '');
    my $patient = proxy(
        backends => [$echo],
        path => { 'weir.stages' => router_so('stage', '-DNUMBER=25', qq(-DLOG="$log")), 'weir.stage-timeout' => 100 },
    );
    is($patient->get('/late', "X-Do-25: wait\r\n")->status, 503, 'the client does not wait for it');
    is($patient->log_where(path => '/late')->{code}, 'stage_timeout', 'the request is over');
    is(read_file($log), "/late +25\n", 'the stage is not: it is left when it has spoken');
    wait_for { read_file($log) eq "/late +25\n/late -25 stage_timeout\n" };
    is(read_file($log), "/late +25\n/late -25 stage_timeout\n", 'with the reason');
};

subtest 'mistakes without end' => sub {
    my $count  = 0;
    my $before = () = $proxy->stderr =~ /returned without a verdict/g;
    wait_for { $count++; $proxy->get('/nothing')->status == 500 && $proxy->stderr =~ /\(\d+ more\)$/m };
    my $lines = () = $proxy->stderr =~ /returned without a verdict/g;
    cmp_ok($lines - $before, '<', $count, 'each costs its request, and not always a line');
    like($proxy->stderr, qr/\(\d+ more\)$/m, 'those that were held back are counted');
};

done_testing;
