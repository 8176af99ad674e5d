# SPDX-License-Identifier: MIT
# A second answer, long after the request is gone: it is said and ignored, whoever has the question's place by then.
use lib 't/lib';
use Weir::Test;

my $backend = fast_backend('ok');
my $log     = temp_path('patient.log');
my %router  = (module => router_so('patient'), log => $log, backend => $backend->address);

sub calls { my ($path) = @_; return recorded_calls($log, $path) }
sub get { my ($from, $path, $do) = @_; return $from->get($path, "X-Do: $do\r\n") }

# Opens a question and has it answered by another thread; the status.
sub kept_and_answered {
    my ($proxy, $path, $question, $more) = @_;
    my $client = $proxy->connect;
    $client->write("GET $path HTTP/1.1\r\nHost: a.test\r\nX-Do: keep=$question $more\r\n\r\n");
    wait_for { calls($path) =~ /^$question/m };
    is(get($proxy, '/answer', "answer=$path thread")->status, 200, "$path: the first answer");
    return $client->read_response->status;
}

# So many requests over one connection: their questions have had each place.
sub load {
    my ($proxy, $count) = @_;
    my $client = $proxy->connect;
    my $well = 0;
    while ($count > 0) {
        my $some = $count < 50 ? $count : 50;
        $client->write("GET /load HTTP/1.1\r\nHost: a.test\r\nX-Do: none\r\n\r\n" x $some);
        $client->read_response->status == 200 and $well++ for 1 .. $some;
        $count -= $some;
    }
    return $well;
}

my %callback = (
    init => 'init', lookup => 'lookup_domain_name', checkout => 'checkout_service', backend => 'service_backend',
    checkin => 'checkin_service', page => 'error_page',
);
for my $question (sort keys %callback) {
    subtest "$question, answered again" => sub {
        my $proxy = proxy(router => \%router);
        my $more = $question eq 'page' ? 'refuse' : '';
        is(kept_and_answered($proxy, "/$question-$_", $question, $more), $more ? 503 : 200, 'counts') for 1 .. 5;
        is(load($proxy, 300), 300, 'hundreds of others have come and gone');
        is(get($proxy, '/again', 'again')->body, 5, 'the router answers all of them once more');
        my $line = "a router answered a question of $callback{$question} a second time, which is ignored";
        my $lines = () = $proxy->stderr =~ /^weir: \Q$line\E$/mg;
        is($lines, 5, 'each is said');
        is(load($proxy, 20), 20, 'and ignored');
    };
}

subtest 'while others are open' => sub {
    my $proxy = proxy(router => \%router);
    is(kept_and_answered($proxy, "/old-$_", 'checkout', ''), 200, 'an old one') for 1 .. 3;
    is(load($proxy, 3000), 3000, 'thousands behind it');
    my @clients;
    for my $i (1 .. 100) {    # more than there were places
        push @clients, $proxy->connect;
        $clients[-1]->write("GET /open-$i HTTP/1.1\r\nHost: a.test\r\nX-Do: keep=lookup\r\n\r\n");
    }
    wait_for { calls('/open-100') =~ /^lookup/m };
    my $again = get($proxy, '/again', 'again')->body;
    is($again, 103, 'all are answered: the old ones again, those that are open for the first time');
    is(scalar(grep { $_->read_response->status == 200 } @clients), 100, 'which count');
    my $lines = () = $proxy->stderr =~ /a question of checkout_service a second time/mg;
    is($lines, 3, 'the others are said');
    is(load($proxy, 100), 100, 'all goes on');
    is(scalar(() = calls("/old-$_") =~ /^checkin service/mg), 1, 'what was picked came back once') for 1 .. 3;
};

subtest 'while others come and go on two threads' => sub {
    my $proxy = proxy(router => \%router, global => { 'num-threads' => 2 });
    for my $question (qw(init lookup checkout backend)) {
        is(kept_and_answered($proxy, "/two-$question-$_", $question, ''), 200, 'an old one') for 1 .. 5;
    }
    my @loads = map { $proxy->connect } 1 .. 4;
    for my $round (1 .. 15) {
        $_->write("GET /load HTTP/1.1\r\nHost: a.test\r\nX-Do: none\r\n\r\n" x 20) for @loads;
        my $client = $proxy->connect;
        $client->write("GET /again HTTP/1.1\r\nHost: a.test\r\nX-Do: again\r\n\r\n");
        my $well = 0;
        for my $load (@loads) {
            $load->read_response->body eq 'ok' and $well++ for 1 .. 20;
        }
        is($well . ' ' . $client->read_response->body, '80 20', 'each request has its answer, each answer its line or a count');
    }
    like($proxy->stderr, qr/a second time, which is ignored/, 'it is said');
    ok(wait_for { get($proxy, '/again', 'again'); $proxy->stderr =~ /ignored \(\d+ more\)$/m }, 'not more than ten times a second');
};

done_testing;
