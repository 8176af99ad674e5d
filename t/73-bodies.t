# SPDX-License-Identifier: MIT
# Bodies in both directions: streamed, split anywhere, large, slow, and abandoned.
use lib 't/lib';
use Weir::Test;
use Digest::MD5 qw(md5_hex);
use Time::HiRes qw(time);

my $megabytes = 20;
my $block = join '', map { pack 'N', ($_ * 2654435761) % 4294967296 } 1 .. 262144;    # 1 MiB that does not repeat in itself
my $large = $block x $megabytes;

sub sum_of { my ($head, $body) = @_; return simple_response(length($body) . ' ' . md5_hex($body)) }

my %does = (
    # answers with length and checksum of what came
    sum => sub { my ($c, $head) = @_; $c->write(sum_of($head, ($c->read_body($head))[0])) },
    # tells when the first bytes of the body are there, then as sum
    stream => sub {
        my ($c, $head) = @_;
        $c->read_until(qr/first/) and $c->note('first');
        $c->read_until($head =~ /chunked/ ? qr/last\r\n0\r\n\r\n/ : qr/last/) and $c->note('last');
        $c->write(simple_response('streamed'));
    },
    large => sub { $_[0]->write("HTTP/1.1 200 OK\r\nContent-Length: " . length($large) . "\r\n\r\n$large") },
    'large-chunked' => sub {
        $_[0]->write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        $_[0]->write(sprintf "%x\r\n%s\r\n", length $block, $block) for 1 .. $megabytes;
        $_[0]->write("0\r\n\r\n");
    },
    'large-close' => sub { $_[0]->write("HTTP/1.1 200 OK\r\n\r\n$large"); $_[0]->close },
    # the response in two packets, split where the path says
    split => sub {
        my ($c, $head) = @_;
        my $bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=\"y\"\r\nabc\r\n0a\r\n0123456789\r\n0\r\nX-Late: 1\r\n\r\n";
        my ($at) = $head =~ m{/split/(\d+)};
        $c->write_pieces(substr($bytes, 0, $at), substr($bytes, $at));
    },
    trickle => sub {
        my ($c) = @_;
        $c->write("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nfirst");
        $c->wait_close;
    },
    # does not wait for the body
    early => sub { $_[0]->write("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"); $_[0]->note('answered'); $_[0]->wait_close },
    'early-close' => sub { $_[0]->write("HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno"); $_[0]->note('answered'); $_[0]->shutdown_write; $_[0]->wait_close },
    # takes nothing of the body
    deaf => sub { $_[0]->note('deaf'); $_[0]->{socket} && select undef, undef, undef, Weir::Client::slow() * 1.5; $_[0]->write(sum_of('', ($_[0]->read_body($_[1]))[0])) },
    watch => sub { my ($c) = @_; $c->note('head'); $c->wait_close },
);
my $backend = backend(sub {
    my $c = shift;
    while (my $head = $c->read_head) {
        $does{ $c->case_of($head) }->($c, $head);
    }
});
my $proxy = proxy(backends => [$backend], path => { 'weir.idle-timeout' => ms(8000) });

sub post { my ($path, $framing) = @_; return "POST /$path HTTP/1.1\r\nHost: a\r\n$framing\r\n\r\n" }

subtest 'an upload is forwarded as it comes' => sub {
    for my $framing ('Content-Length: 12', 'Transfer-Encoding: chunked') {
        my $chunked = $framing =~ /chunked/;
        my $client = $proxy->connect;
        $client->write(post('stream', $framing) . ($chunked ? "5\r\nfirst\r\n" : 'first'));
        my $before = grep { /first/ } $backend->events;
        ok($backend->wait_event(qr/^note \d+ first/), "$framing: the first bytes arrive before the last are sent");
        $client->write($chunked ? "4\r\nlast\r\n0\r\n\r\n" : '...last');
        is($client->read_response->body, 'streamed', "$framing: then the rest");
    }
};

subtest 'a chunked request, split at each byte' => sub {
    my $bytes = post('sum', 'Transfer-Encoding: chunked') . "3;x=\"y\"\r\nabc\r\n0A\r\n0123456789\r\n0\r\nX-Late: 1\r\n\r\n";
    my $want = '13 ' . md5_hex('abc0123456789');
    my $client = $proxy->connect;
    my @wrong;
    for my $at (1 .. length($bytes) - 1) {
        $client->write_pieces(substr($bytes, 0, $at), substr($bytes, $at));
        my $body = $client->read_response->body;
        push @wrong, "$at: $body" if $body ne $want;
        $client = $proxy->connect if $client->is_eof;
    }
    is_deeply(\@wrong, [], 'the backend gets the same payload');
    $client = $proxy->connect;
    $client->write_pieces(split //, $bytes);
    is($client->read_response->body, $want, 'also in single bytes');
};

subtest 'a chunked response, split at each byte' => sub {
    for my $version ('1.1', '1.0') {
        my @wrong;
        for my $at (1 .. 92) {
            my $r = $proxy->ask("GET /split/$at HTTP/$version\r\nHost: a\r\n\r\n");
            push @wrong, "$at: " . $r->body if $r->body ne 'abc0123456789' || !$r->is_complete;
        }
        is_deeply(\@wrong, [], "HTTP/$version gets the same payload");
    }
};

subtest "$megabytes MiB each way" => sub {
    my $want = length($large) . ' ' . md5_hex($large);
    my $client = $proxy->connect;
    $client->write(post('sum', 'Content-Length: ' . length $large) . $large, 6 * wait_seconds());
    is($client->read_response(seconds => 6 * wait_seconds())->body, $want, 'upload of a known length');
    $client->write(post('sum', 'Transfer-Encoding: chunked'));
    $client->write(sprintf("%x\r\n%s\r\n", length $block, $block), 6 * wait_seconds()) for 1 .. $megabytes;
    $client->write("0\r\n\r\n");
    is($client->read_response(seconds => 6 * wait_seconds())->body, $want, 'upload in chunks');
    for my $path (qw(large large-chunked large-close)) {
        $client->write("GET /$path HTTP/1.1\r\nHost: a\r\n\r\n");
        my $r = $client->read_response(seconds => 6 * wait_seconds());
        ok($r->is_complete, "download: $path: complete");
        ok($r->body eq $large, "download: $path: the same bytes");
    }
    my $r = $proxy->ask("GET /large-chunked HTTP/1.0\r\nHost: a\r\n\r\n", seconds => 6 * wait_seconds());
    ok($r->body eq $large, 'download: chunks for HTTP/1.0');
};

subtest 'a final response during the upload reaches the client' => sub {
    for my $path (qw(early early-close)) {
        my $client = $proxy->connect;
        $client->write(post($path, 'Content-Length: 5000000') . 'some of it');
        my $r = $client->read_response;
        is($r->status . $r->body, '403no', "$path: the answer");
        ok($r->is_complete, "$path: complete");
        $client->write('x' x 100000);
        $client->close;
    }
    my $client = $proxy->connect;
    $client->write(post('early-close', 'Content-Length: 5000000'));
    $client->write_until_stuck('x' x 16384, 0.1) for 1 .. 100;
    is($client->read_response->status, 403, 'also when the client looks up late');
};

subtest 'what is held per connection is bounded' => sub {
    plan skip_all => 'not measured under sanitizers' if is_sanitized();
    my $before = $proxy->memory_kb('VmRSS');
    my $slow = $proxy->connect(receive_buffer => 4096);
    $slow->write("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
    my $deaf = $proxy->connect;
    $deaf->write(post('deaf', 'Content-Length: ' . length $large));
    $deaf->write_until_stuck($large, 0.5);
    select undef, undef, undef, 0.5;
    cmp_ok($proxy->memory_kb('VmHWM') - $before, '<', 6000, 'a client that does not read and a backend that does not: less than 6 MB');
};

subtest 'a backend that takes its time with the body' => sub {
    my $client = $proxy->connect;
    $client->write(post('deaf', 'Content-Length: ' . length $large) . $large, 6 * wait_seconds());
    is($client->read_response(seconds => 6 * wait_seconds())->body, length($large) . ' ' . md5_hex($large), 'gets it whole');
};

subtest 'a client that takes its time with the response' => sub {
    my $client = $proxy->connect(receive_buffer => 4096);
    $client->write("GET /large-chunked HTTP/1.1\r\nHost: a\r\n\r\n");
    select undef, undef, undef, 0.5;
    $client->read_head;
    $client->read_exactly(100000);
    select undef, undef, undef, 0.2;
    $client->reset;
    is($proxy->log_where(path => '/large-chunked', code => 'client_closed')->{status}, 200, 'and then leaves: it is in the log');
};

# The path is new in each case, so that the events are.
sub connection_of { my ($line) = @_; return $line =~ /^note (\d+)/ ? $1 : -1 }

subtest 'the client leaves, and the backend is told' => sub {
    my %leave = (reset => sub { $_[0]->reset }, close => sub { $_[0]->close });
    for my $how (sort keys %leave) {
        my $watched = backend(sub { my $c = shift; my $head = $c->read_head; $c->note('head'); $does{trickle}->($c) if $head =~ m{/down}; $c->wait_close });
        my $own = proxy(backends => [$watched], path => { 'weir.idle-timeout' => ms(8000) });
        my %bytes = (
            "/up-$how"    => post("up-$how", 'Content-Length: 1000') . 'some',
            "/chunk-$how" => post("chunk-$how", 'Transfer-Encoding: chunked') . "5\r\nab",
            "/down-$how"  => "GET /down-$how HTTP/1.1\r\nHost: a\r\n\r\n",
            "/wait-$how"  => "GET /wait-$how HTTP/1.1\r\nHost: a\r\n\r\n",
        );
        my $index = 0;
        for my $path (sort keys %bytes) {
            next if $path =~ m{^/(?:wait|down)-close};    # it looks like one that still wants its answer
            my $client = $own->connect;
            $client->write($bytes{$path});
            $watched->wait_event(qr/^note $index head/);
            $client->read_until(qr/first/) if $path =~ /down/;
            my $begin = time;
            $leave{$how}->($client);
            ok($watched->wait_event(qr/^(?:eof|reset) $index$/), "$path: its connection is closed");
            cmp_ok(time - $begin, '<', 3 * Weir::Client::slow(), "$path: soon");
            is($own->log_where(path => $path)->{code}, 'client_closed', "$path: in the log");
            $index++;
        }
    }
};

subtest 'a client that goes silent in its body' => sub {
    my $own = proxy(backends => [$backend], path => { 'weir.idle-timeout' => ms(300) }, global => { 'weir.idle-timeout' => ms(300) });
    my $client = $own->connect;
    $client->write(post('watch', 'Content-Length: 1000') . 'some');
    my $r = $client->read_response;
    is($r->status, 503, 'the status');
    is($own->log_where(path => '/watch')->{code}, 'client_timeout', 'client_timeout');
    is($client->read_eof, '', 'closed');
};

done_testing;
