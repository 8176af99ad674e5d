# SPDX-License-Identifier: MIT
# Which service takes a request: retries over dead ones, routers that refuse, answer late, or are left alone with their question.
use lib 't/lib';
use Weir::Test;
use Time::HiRes qw(time);

my $ok   = ok_backend('ok');
my $dead = sub { '127.0.0.1:' . refusing_port() };

subtest 'dead backends are tried, and nobody notices' => sub {
    my $proxy = proxy(backends => [ $dead->(), $dead->(), $ok ]);
    my $good = grep { $_->status == 200 } map { $proxy->get('/') } 1 .. 20;
    is($good, 20, 'every request is answered');
    my $sent = $proxy->ask("POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
    is($sent->body, 'ok', 'one with a body, too');
    is($proxy->log_where(path => '/post')->{dyno}, $ok->address, 'the log names who answered');
    $proxy->stop;
    cmp_ok($proxy->books->{picks}, '>', 21, 'more services were picked than requests made');
};

subtest 'all dead' => sub {
    my $proxy = proxy(backends => [ map { $dead->() } 1 .. 3 ]);
    my $client = $proxy->connect;
    $client->write("GET /all-dead HTTP/1.1\r\nHost: a\r\n\r\n");
    my $r = $client->read_response;
    is($r->status, 503, 'the status');
    like($r->body, qr/backend_refused/, 'the page names the reason of the last connect');
    ok($r->says_close, 'Connection: close');
    is($client->read_eof, '', 'closed');
    is($proxy->log_where(path => '/all-dead')->{code}, 'backend_refused', 'the log names it too');
    $proxy->stop;
    is($proxy->books->{picks}, 3, 'each was tried once');
};

subtest 'a router that never gives up' => sub {
    my $proxy = proxy(router => router_so('stubborn'));
    my $r = $proxy->get('/for-ever');
    is($r->status, 503, 'the status');
    like($r->body, qr/too_many_attempts/, 'the page names the reason');
    $proxy->stop;
    is($proxy->books->{picks}, 1000, 'after a thousand attempts');
};

my $log = temp_path('record.log');
my $record = proxy(
    router => { module => router_so('record'), log => $log, backends => [ $dead->(), $ok->address ] },
    path => { 'weir.router-timeout' => ms(300) },
);

sub do_that { my ($path, $what, %option) = @_; return $record->get($path, "X-Do: $what\r\n", %option) }
sub calls { my ($path) = @_; return map { s/^\Q$path\E //r } grep { /^\Q$path\E / } split /\n/, read_file($log) }
sub ended { my ($path) = @_; return wait_for { grep { /^terminate/ } calls($path) } }

subtest 'the service that failed is checked in before the next is asked for' => sub {
    is(do_that('/retry', '')->body, 'ok', 'answered');
    ended('/retry');
    is_deeply([ grep { /^(?:checkout|checkin)/ } calls('/retry') ], [
        'checkout_service main', 'checkin_service main s0 connecting backend_refused',
        'checkout_service main', 'checkin_service main s1 connected -',
    ], 'in this order');
};

subtest 'the router refuses' => sub {
    my $r = do_that('/refuse', 'checkout-refuse');
    is($r->status, 503, 'with its own status');
    like($r->body, qr/maintenance/, 'and its own reason on the page');
    is($record->log_where(path => '/refuse')->{code}, 'maintenance', 'and in the log');
};

subtest 'an address that is none counts as a failed connect' => sub {
    my $r = do_that('/bad', 'bad-address');
    is($r->status, 502, 'every service was tried, then the router refused');
    ended('/bad');
    is_deeply([ grep { /^checkin/ } calls('/bad') ], [
        'checkin_service main s0 connecting backend_bad_address', 'checkin_service main s1 connecting backend_bad_address',
        'checkin_service main - checkout all_tried',
    ], 'each was checked in with the reason');
};

subtest 'answers from another thread' => sub {
    for my $question (qw(init lookup checkout backend checkin)) {
        is(do_that("/later-$question", "first=1 $question=" . ms(50))->body, 'ok', "$question: answered");
        ok(ended("/later-$question"), "$question: and ended");
    }
    my $r = do_that('/later-page', 'checkout-refuse own-page page=' . ms(50));
    is($r->status . $r->body, "418a page of its own\n", 'error_page: sent');
    is(do_that('/later-all', 'first=1 ' . join ' ', map { "$_=" . ms(10) } qw(init lookup checkout backend checkin))->body,
        'ok', 'all of them');
    ok(ended('/later-all'), 'and ended');
};

subtest 'two answers to one question' => sub {
    is(do_that('/twice', 'first=1 twice')->body, 'ok', 'the first counts');
    ended('/twice');
    is(scalar(grep { /^checkin/ } calls('/twice')), 1, 'one service, one check-in');
};

subtest 'a router that takes too long' => sub {
    for my $question (qw(init lookup checkout backend)) {
        my $begin = time;
        my $r = do_that("/slow-$question", "first=1 $question=" . ms(900));
        my $took = time - $begin;
        is($r->status, 503, "$question: 503");
        like($r->body, qr/router_timeout/, "$question: the page names the reason");
        ok($took >= 0.29 && $took < 0.8 * ms(1000) / 1000, "$question: after the timeout") or diag($took);
        is($record->log_where(path => "/slow-$question")->{code}, 'router_timeout', "$question: in the log");
        ok(ended("/slow-$question"), "$question: terminate waits for the answer");
        is(scalar(grep { /^error_page/ } calls("/slow-$question")), 0, "$question: no error page was asked for");
    }
    is_deeply([ grep { /^checkin.* s1/ } calls('/slow-checkout') ], ['checkin_service main s1 checkout router_timeout'],
        'the service picked too late is checked in');
};

subtest 'a slow page is replaced by the plain one' => sub {
    my $r = do_that('/slow-page', 'checkout-refuse own-page page=' . ms(900));
    is($r->status, 503, 'with the status of the reason');
    like($r->body, qr/maintenance/, 'and its name');
    ended('/slow-page');
};

subtest 'the client leaves while the router thinks' => sub {
    for my $question (qw(init lookup checkout backend)) {
        my $client = $record->connect;
        $client->write("GET /left-$question HTTP/1.1\r\nHost: a\r\nX-Do: first=1 $question=" . ms(200) . "\r\n\r\n");
        my $callback = { init => 'init', lookup => 'lookup_domain_name', checkout => 'checkout_service', backend => 'service_backend' }->{$question};
        wait_for { grep { /^$callback/ } calls("/left-$question") };
        $client->reset;
        ok(ended("/left-$question"), "$question: it ends");
        my ($end) = grep { /^terminate/ } calls("/left-$question");
        like($end, qr/^terminate client_closed/, "$question: because of the client");
        is($record->log_where(path => "/left-$question")->{code}, 'client_closed', "$question: in the log");
    }
    is(do_that('/after', 'first=1')->body, 'ok', 'the next request is fine');
};

done_testing;
