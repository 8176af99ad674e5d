# SPDX-License-Identifier: MIT
# What a gigabyte costs, in each direction and framing, and a hundred clients that read slowly. For release builds only.
use lib 't/lib';
use Weir::Test;
use Time::HiRes qw(time);

plan skip_all => 'memory is not measured under sanitizers and valgrind' if is_sanitized();

my $piece  = 'x' x 1_048_576;
my $pieces = 1024;                # 1 GiB
my $chunk  = sprintf("%x\r\n", length $piece) . "$piece\r\n";

# Reads a body and counts; no more of it is kept than one read brings. The number of bytes of payload.
sub swallow {
    my ($c, $bytes) = @_;
    my $left = $bytes - length $c->{in};
    $c->{in} = '';
    my $buffer;
    while ($left > 0) {
        my ($readable) = $c->_ready(1, 0, time + wait_seconds()) or last;
        my $n = sysread $c->{socket}, $buffer, 1_048_576;
        $n ? $left -= $n : (defined $n || !$!{EAGAIN}) && last;
    }
    return $bytes - $left;
}

my %does = (
    'up-length'    => sub { my ($c) = @_; $c->write(simple_response(swallow($c, $pieces * length $piece))) },
    'up-chunked'   => sub { my ($c) = @_; my $n = 0; while ((my $line = $c->read_until(qr/\r\n/)) ne "0\r\n") { my $size = hex($line =~ s{\r\n}{}r); $n += $size; $c->read_exactly(2 + $size) } $c->read_until(qr/\r\n/); $c->write(simple_response($n)) },
    'down-length'  => sub { my ($c) = @_; $c->write("HTTP/1.1 200 OK\r\nContent-Length: " . $pieces * length($piece) . "\r\n\r\n"); $c->write($piece) for 1 .. $pieces },
    'down-chunked' => sub { my ($c) = @_; $c->write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"); $c->write($chunk) for 1 .. $pieces; $c->write("0\r\n\r\n") },
    'slow'         => sub { my ($c) = @_; $c->write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"); $c->write($chunk, 60) for 1 .. 20; $c->write("0\r\n\r\n") },
    'slow-length'  => sub { my ($c) = @_; $c->write("HTTP/1.1 200 OK\r\nContent-Length: " . 20 * length($piece) . "\r\n\r\n"); $c->write($piece, 60) for 1 .. 20 },
);
{
    no warnings 'redefine';    # a backend that writes down a gigabyte measures the disk
    *Weir::Backend::Connection::on_bytes = sub { };
}
my $backend = backend(sub {
    my $c = shift;
    while (my $head = $c->read_head) {
        $does{ $c->case_of($head) }->($c);
    }
});

sub start { return proxy(backends => [$backend], path => { 'weir.idle-timeout' => 60_000 }) }
sub get { my ($path) = @_; return "GET /$path HTTP/1.1\r\nHost: a\r\n\r\n" }
sub post { my ($path, $framing) = @_; return "POST /$path HTTP/1.1\r\nHost: a\r\n$framing\r\n\r\n" }

# Reads chunks and keeps none of them; the bytes of payload, or -1 if they do not end as they should.
sub swallow_chunked {
    my ($c) = @_;
    my $bytes = 0;
    while (defined(my $line = $c->read_until(qr/\r\n/))) {
        my $size = hex($line =~ s{\r\n}{}r);
        return $c->read_until(qr/\r\n/) ? $bytes : -1 if $size == 0;
        defined $c->read_exactly($size + 2) or last;
        $bytes += $size;
    }
    return -1;
}

my %transfer = (
    'up-length'    => sub { my ($c) = @_; $c->write(post('up-length', 'Content-Length: ' . $pieces * length $piece)); $c->write($piece) for 1 .. $pieces; return $c->read_response->body },
    'up-chunked'   => sub { my ($c) = @_; $c->write(post('up-chunked', 'Transfer-Encoding: chunked')); $c->write($chunk) for 1 .. $pieces; $c->write("0\r\n\r\n"); return $c->read_response->body },
    'down-length'  => sub { my ($c) = @_; $c->write(get('down-length')); $c->read_head; return swallow($c, $pieces * length $piece) },
    'down-chunked' => sub { my ($c) = @_; $c->write(get('down-chunked')); $c->read_head; return swallow_chunked($c) },
);
for my $name (sort keys %transfer) {
    subtest "a gigabyte, $name" => sub {
        my $proxy = start();
        my $begin = time;
        is($transfer{$name}->($proxy->connect), $pieces * length $piece, 'arrives');
        my $seconds = time - $begin;
        my $kb = $proxy->memory_kb('VmHWM');
        diag(sprintf '%s: %.1f s, VmHWM %d kB', $name, $seconds, $kb);
        cmp_ok($kb, '<', 24 * 1024, 'VmHWM below 24 MiB');
    };
}

for my $path (qw(slow slow-length)) {
    subtest "a hundred clients that read slowly, $path" => sub {
        my $proxy = start();
        my @clients = map { $proxy->connect(receive_buffer => 4096) } 1 .. 100;
        $_->write(get($path)) for @clients;
        $_->read_head for @clients;
        select undef, undef, undef, 2;    # until everything that can be buffered is
        my $before = $proxy->memory_kb('VmHWM');
        diag("$path: VmHWM $before kB");
        cmp_ok($before, '<', 24 * 1024 + 100 * 256, 'VmHWM below 24 MiB and 256 KiB each');
        $clients[$_]->reset for 1 .. 99;
        my $bytes = $path eq 'slow' ? swallow_chunked($clients[0]) : swallow($clients[0], 20 * length $piece);
        is($bytes, 20 * length $piece, 'one that goes on reading gets it whole');
    };
}

for my $case ([ 'small heads', '', 7 ], [ 'heads of 14 KB', join('', map { "X-$_: " . 'v' x 3400 . "\r\n" } 1 .. 4), 20 ]) {
    my ($name, $fields, $most) = @$case;
    subtest "requests that wait for a silent backend: $name" => sub {
        my $silent = backend(sub { my $c = shift; $c->read_head; $c->note('head'); $c->wait_close(60) });
        my $proxy = proxy(backends => [$silent], global => { 'num-threads' => 1 });
        my $ask = sub { my $c = $proxy->connect; $c->write("GET / HTTP/1.1\r\nHost: a\r\n$fields\r\n"); return $c };
        my @first = map { $ask->() } 1 .. 20;
        wait_for { 20 == grep { /head$/ } $silent->events };
        my $before = $proxy->memory_kb('RssAnon');
        my @more = map { $ask->() } 1 .. 200;
        wait_for { 220 == grep { /head$/ } $silent->events };
        my $each = ($proxy->memory_kb('RssAnon') - $before) / @more;
        diag("$name: $each KiB each");
        cmp_ok($each, '<=', $most, "at most $most KiB each");
        $_->reset for @first, @more;
    };
}

subtest 'a hundred compressed downloads that nobody reads' => sub {
    my $text  = join '', map { sprintf "%d %s\n", $_, join '', map { chr 33 + rand 90 } 1 .. 60 } 1 .. 60_000;
    my $large = backend(sub { my $c = shift; $c->read_head; $c->write(simple_response($text, headers => "Content-Type: text/plain\r\n"), 60) });
    my $proxy = proxy(backends => [$large], path => { compress => 'ON', 'weir.idle-timeout' => 60_000 }, global => { 'num-threads' => 1 });
    my $before = $proxy->memory_kb('RssAnon');
    my @clients = map { my $c = $proxy->connect(receive_buffer => 4096); $c->write("GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n"); $c } 1 .. 100;
    select undef, undef, undef, 2;    # until everything that can be buffered is
    my $each = ($proxy->memory_kb('RssAnon') - $before) / @clients;
    diag("$each KiB each");
    cmp_ok($each, '<', 40, 'less than 40 KiB each');
    $_->reset for @clients;
};

subtest 'a hundred uploads to a backend that reads slowly' => sub {
    my $deaf = backend(sub { my $c = shift; $c->read_head; $c->note('head'); select undef, undef, undef, 30 }, receive_buffer => 4096);
    my $proxy = proxy(backends => [$deaf], path => { 'weir.idle-timeout' => 60_000 });
    my @clients = map { $proxy->connect } 1 .. 100;
    for my $client (@clients) {
        $client->write(post('deaf', 'Transfer-Encoding: chunked'));
        $client->write_until_stuck($chunk x 4, 0.02);
    }
    select undef, undef, undef, 1;
    my $kb = $proxy->memory_kb('VmHWM');
    diag("VmHWM $kb kB");
    cmp_ok($kb, '<', 24 * 1024 + 100 * 256, 'VmHWM below 24 MiB and 256 KiB each');
    $_->reset for @clients;
};

done_testing;
