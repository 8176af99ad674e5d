# SPDX-License-Identifier: MIT
# Bodies of clients of HTTP/2 that are held and sent again: windows, frames, trailers, and streams beside them.
use lib 't/lib';
use Weir::Test;
use Weir::Http2Backend;
use Weir::Http2Client;
use Digest::MD5 qw(md5_hex);

my %does = (
    good => sub {
        my ($c, $head) = @_;
        do {
            my ($body, $trailer, $is_whole) = $c->read_body($head);
            $c->write(simple_response(join ' ', length $body, md5_hex($body), $is_whole, $trailer =~ s/\r\n/;/gr));
        } while $head = $c->read_head;
    },
    unread => sub { $_[0]->reset },
    middle => sub { $_[0]->read_exactly(4) },
    whole  => sub { my ($c, $head) = @_; $c->read_body($head) },
    early  => sub { my ($c) = @_; $c->write(simple_response('busy', status => '503 Busy')); $c->wait_close },
    hold   => sub { my ($c) = @_; $c->note('hold'); select undef, undef, undef, 60 },    # takes what the kernel takes
);
my $one = backend(sub { my $c = shift; my $head = $c->read_head or return; $does{ $c->case_of($head) }->($c, $head) }, name => 'one');
my $two = Weir::Http2Backend->start;

my $log = temp_path('attempts.log');
my %router = (module => router_so('attempts'), log => $log, backends => [ $one->address, $one->address, map { 'h2:' . $two->address } 1 .. 2 ]);
my $proxy = proxy(router => \%router);

sub calls_of { my ($path) = @_; return recorded_calls($log, $path, qr/^terminate/m) }
sub asked { my ($path) = @_; return scalar(() = calls_of($path) =~ /^retry/mg) }

my $client = Weir::Http2Client->connect($proxy->port);
$client->wait(settings => 1);

# What the tool uploads, and what it is once it has arrived.
my $alphabet = join '', map { chr } 0 .. 255;
sub uploaded { my ($bytes) = @_; return substr $alphabet x ($bytes / 256 + 1), 0, $bytes }
sub said { my ($body, $trailer) = @_; return join ' ', length $body, md5_hex($body), 1, $trailer // '' }

# Waits until the router was asked, reading what comes meanwhile.
sub await_retry { my ($path) = @_; return wait_for { $client->tell('pump', 0); recorded_calls($log, $path) =~ /^retry/m } }

# An upload of so many bytes, a part of them before the first backend fails.
sub upload {
    my ($path, $do, $before, $behind, %option) = @_;
    my $id = $client->request(path => $path, method => 'POST', is_open => 1, headers => [ [ 'x-do', $do ], @{ $option{headers} // [] } ]);
    $client->tell('upload', $id, $before, JSON::PP::false(), wait_seconds()) if $before;
    await_retry($path) if $behind;
    $client->tell('upload', $id, $behind, JSON::PP::true(), wait_seconds()) if $behind;
    $client->frame(DATA => 1, $id, '') if !$behind && !$option{trailers};
    $client->tell('headers', $id, $option{trailers}) if $option{trailers};
    return $client->response($id);
}

# ── framings ──

my @trailers = ([ 'x-sum', '42' ], [ 'x-b', 'c' ]);
for my $how (qw(0=/unread 0=/middle 0=/whole 0=/early 2=/first-rst 2=/middle-rst 2=/middle-goaway 2=/middle-busy 2=/rst_2 2=/close)) {
    my ($first) = $how =~ /^(\d)/;
    my $do = "first=$first second=1 retries=1 hold=1048576 to$how to1=/good";
    my $name = $how =~ s/^\d=//r;
    my $r = upload("/length-$first$name", $do, 50_000, 0, headers => [ [ 'content-length', '50000' ] ]);
    is("$r->{status} $r->{body}", '200 ' . said(uploaded(50_000)), "$name: a body with a length");
    $r = upload("/none-$first$name", $do, 50_000, 0);
    is("$r->{status} $r->{body}", '200 ' . said(uploaded(50_000)), "$name: a body without one");
    $r = upload("/trailers-$first$name", $do, 50_000, 0, trailers => \@trailers);
    is("$r->{status} $r->{body}", '200 ' . said(uploaded(50_000), 'x-sum: 42;x-b: c;'), "$name: with trailers");
    $r = upload("/large-$first$name", $do, 700_000, 0);
    is("$r->{status} $r->{body}", '200 ' . said(uploaded(700_000)), "$name: longer than every window");
    next if $name =~ /whole|rst_2|close/;
    $r = upload("/slow-$first$name", $do, 100_000, 600_000);
    is("$r->{status} $r->{body}", '200 ' . said(uploaded(700_000)), "$name: while it is on its way");
}

subtest 'no bytes at all' => sub {
    my $do = 'retries=1 hold=10 to0=/whole to1=/good';
    my $r = $client->response($client->request(path => '/empty', method => 'POST', body => '', headers => [ [ 'x-do', $do ] ]));
    is($r->{body}, said(''), 'an empty frame');
    $r = $client->response($client->request(path => '/end', method => 'POST', headers => [ [ 'x-do', $do ] ]));
    is($r->{body}, '0 ' . md5_hex('') . ' 1 ', 'the end with the head');
    $r = upload('/only-trailers', $do, 0, 0, trailers => \@trailers);
    is($r->{body}, said('', 'x-sum: 42;x-b: c;'), 'nothing but trailers');
};

subtest 'to a backend of HTTP/2' => sub {
    my $r = upload('/to-http2', 'second=3 retries=1 hold=1048576 to0=/middle to3=/echo', 100_000, 600_000);
    my $told = JSON::PP::decode_json($r->{body});
    my $body = uploaded(700_000);
    my $sum = 0;
    $sum += ord substr $body, 97 * $_, 1 for 0 .. 699_999 / 97;
    is("$told->{length} $told->{sum}", "700000 $sum", 'from HTTP/1');
    $r = upload('/both-http2', 'first=2 retries=1 hold=1048576 to2=/middle-rst to3=/echo', 300_000, 0, trailers => \@trailers);
    $told = JSON::PP::decode_json($r->{body});
    is("$told->{length} " . join(' ', map { "@$_" } @{ $told->{trailers} }), '300000 x-sum 42 x-b c', 'from HTTP/2, with trailers');
};

# ── how much ──

for my $case ([ 100_000 => 1 ], [ 99_999 => 0 ]) {
    my ($hold, $is_repeated) = @$case;
    my $r = upload("/hold-$hold", "retries=1 hold=$hold to0=/whole to1=/good", 100_000, 0);
    is($r->{status}, $is_repeated ? 200 : 503, "100000 bytes where $hold may be held");
    is(asked("/hold-$hold"), $is_repeated, 'the router is asked, or is not');
}
is(upload('/most', 'retries=1 hold=2000000 to0=/whole to1=/good', 1_048_576, 0)->{body}, said(uploaded(1_048_576)), 'as much as ever can be held');
is(upload('/beyond', 'retries=1 hold=2000000 to0=/whole to1=/good', 1_048_577, 0)->{status}, 503, 'one byte more passes, and is gone');
is(upload('/far', 'retries=1 hold=1000 to0=/good', 3_000_000, 0)->{body}, said(uploaded(3_000_000)), 'far more passes as ever');

# ── beside others ──

subtest 'a stream whose body is held at a backend that takes nothing' => sub {
    my $id = $client->request(path => '/stuck', method => 'POST', is_open => 1, headers => [ [ 'x-do', 'retries=1 hold=1048576 try=' . ms(1500) . ' to0=/hold to1=/good' ] ]);
    $client->tell('upload', $id, 200_000, JSON::PP::false(), wait_seconds());
    ok($one->wait_event('note \d+ hold'), 'waits');
    is(upload("/beside-$_", 'retries=1 hold=1048576 to0=/middle to1=/good', 100_000, 200_000)->{body}, said(uploaded(300_000)), 'others of its connection do not') for 1 .. 3;
    $client->tell('upload', $id, 800_000, JSON::PP::true(), wait_seconds());
    is($client->response($id)->{body}, said(uploaded(1_000_000)), 'when its time is up, the second backend gets it all');
};

subtest 'clients that take it back' => sub {
    for my $case ([ 'at the first', 'to0=/hold', qr/^backend s0/m ], [ 'between two', 'to0=/middle checkin=' . ms(100), qr/^checkin s0/m ], [ 'at the second', 'to0=/middle to1=/hold', qr/^backend s1/m ]) {
        my ($name, $do, $until) = @$case;
        my $path = '/reset-' . $name =~ s/ /-/gr;
        my $id = $client->request(path => $path, method => 'POST', is_open => 1, headers => [ [ 'x-do', "retries=1 hold=1048576 $do" ] ]);
        $client->tell('upload', $id, 100_000, JSON::PP::false(), wait_seconds());
        wait_for { $client->tell('pump', 0); recorded_calls($log, $path) =~ $until };
        $client->reset_stream($id);
        $client->tell('flush', wait_seconds());
        like(calls_of($path), qr/^terminate client_closed 499 /m, "$name");
    }
    is(upload('/behind-resets', 'retries=1 hold=1048576 to0=/whole to1=/good', 700_000, 0)->{body}, said(uploaded(700_000)), 'the connection goes on, with all of its window');
};

subtest 'an answer before the body is whole' => sub {
    my $id = $client->request(path => '/early', method => 'POST', is_open => 1, headers => [ [ 'x-do', 'retries=1 hold=1048576 to0=/early to1=/early' ] ]);
    $client->tell('upload', $id, 100_000, JSON::PP::false(), wait_seconds());
    my $r = $client->response($id);
    is("$r->{status}$r->{body}", '503busy', 'that of the second goes to the client');
    ok($client->wait(reset => $id), 'which is told that the rest is not wanted');
    is(upload('/behind-early', 'to0=/good', 700_000, 0)->{body}, said(uploaded(700_000)), 'the connection goes on');
};

done_testing;
