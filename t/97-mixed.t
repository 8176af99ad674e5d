# SPDX-License-Identifier: MIT
# Many requests of every kind at once, with backends that misbehave and clients that leave: t/tools/mixed.c plays both and looks
# at every byte. Afterwards nothing is left open, nothing is owed, and each request has its line in the log, once.
#
#   WEIR_MIXED  how many requests (200000; 20000 with sanitizers)
#   WEIR_SEED   which ones (1)
use lib 't/lib';
use Weir::Test;
use IPC::Open2 qw(open2);
use Time::HiRes qw(time);

my $requests = $ENV{WEIR_MIXED} // (Weir::Client::slow() > 1 ? 2_000 : is_sanitized() ? 20_000 : 200_000);
my $seed     = $ENV{WEIR_SEED} // 1;
my $seconds  = int(140 * Weir::Client::slow());

my $tool = temp_path('mixed');
system($ENV{CC} // 'cc', '-O2', '-g', '-Wall', '-o', $tool, glob root_dir() . '/t/tools/mixed*.c') == 0 or die 'cannot compile t/tools/mixed*.c';
my $ledger = temp_path('ledger');
my $pid = open2(my $from, my $to, $tool, $seed, $requests, 64, $seconds, $ledger);
my ($port, $stale, $dead) = map { "127.0.0.1:$_" } (readline($from) =~ /^ports (\d+) (\d+) (\d+)/) or die 'no ports';

my %apps = (
    plain => { domains => ['plain'], backends => [$port] },
    deep  => { domains => ['deep'],  backends => [$port], features => ['deep-continue'] },
    none  => { domains => ['none'],  backends => [$port], keepalive => 'none' },
    retry => { domains => ['retry'], backends => [ $dead, $port ] },
    dead  => { domains => ['dead'],  backends => [$dead] },
    stale => { domains => ['stale'], backends => [$stale] },
    quiet => { domains => ['quiet'], backends => [$port] },
);
my $router = { module => 'table', apps => \%apps };
my $access = temp_path('access.log');
my $proxy  = proxy(
    apps   => \%apps,
    global => { 'weir.access-log' => $access, 'num-threads' => 2, 'weir.first-byte-timeout' => ms(20_000), 'weir.idle-timeout' => ms(20_000) },
    hosts  => { quiet => { paths => { '/' => {
        'weir.router' => $router, 'weir.first-byte-timeout' => ms(300), 'weir.idle-timeout' => ms(300) } } } },
);

sub in_seconds { my ($begin) = @_; return sprintf '%.1f s', time - $begin }

# How many files of a kind the proxy has open.
sub open_now { my ($kind) = @_; return scalar grep { (readlink($_) // '') =~ /^$kind:/ } glob '/proc/' . $proxy->pid . '/fd/*' }

# One of each address, so that what the first request costs once is not counted.
$proxy->ask("GET / HTTP/1.1\r\nHost: nobody\r\nConnection: close\r\n\r\n");
my ($sockets, $rss) = (open_now('socket'), $proxy->memory_kb('VmRSS'));

my $begin = time;
print {$to} $proxy->port, "\n";
$to->flush;
my $summary = readline($from) // '';
waitpid $pid, 0;
my $exit = $? >> 8;
chomp $summary;
diag(in_seconds($begin) . " $summary");

subtest "$requests mixed requests" => sub {
    is($exit, 0, 'every response was right to the byte, or cut so that its client could see it');
    my %count = $summary =~ /(\w+)=(\d+)/g;
    is($count{requests}, $requests, 'all of them were made');
    cmp_ok($count{$_}, '>', $requests / 200, "some were $_") for qw(complete pages cut aborted tunnels);
};

subtest 'nothing is left' => sub {
    ok((wait_for { open_now('socket') <= $sockets } 60), 'no more sockets are open than before') or diag(open_now('socket') . " of $sockets");
    cmp_ok(open_now('pipe'), '<=', 2 * 2 * 16, 'pipes are kept for the next, but not many');
    SKIP: {
        skip 'memory is not measured under sanitizers', 1 if is_sanitized();
        my $grown = $proxy->memory_kb('VmHWM') - $rss;
        diag("VmHWM is $grown kB more than at the start");
        cmp_ok($grown, '<', 48 * 1024, 'memory grew by less than 48 MiB');
    }
    is($proxy->ask("GET / HTTP/1.1\r\nHost: nobody\r\n\r\n")->status, 404, 'it serves on');
};

subtest 'a clean end' => sub {
    is($proxy->stop, 0, 'exit status');
    my $books = $proxy->books // {};
    is($books->{checkins}, $books->{picks}, 'checkouts = check-ins');
    is($books->{ended}, $books->{begun}, 'requests begun = ended');
    cmp_ok($books->{begun}, '>=', 0.8 * $requests, 'and these were the requests');
};

subtest 'each request has its line, once' => sub {
    my (%lines, %status);
    open my $in, '<', $access or die "$access: $!";
    while (<$in>) {
        my ($id) = m{ path="/r/(\d+)" } or next;
        $lines{$id}++;
        ($status{$id}) = / status=(\d+) /;
    }
    close $in;
    my (@missing, @twice, @other);
    open $in, '<', $ledger or die "$ledger: $!";
    while (<$in>) {
        my ($id, $how, $told) = split;
        my $count = delete $lines{$id} // 0;
        push @missing, $id if $how eq 'must' && $count == 0;
        push @twice, $id if $count > 1;
        push @other, "$id: $status{$id}, not $told" if $count == 1 && $told && $status{$id} != $told;
    }
    close $in;
    is(scalar @missing, 0, 'none is missing that has reached a backend or was answered') or diag("@missing[0 .. 9]");
    is(scalar @twice, 0, 'none is there twice') or diag("@twice[0 .. 9]");
    is(scalar keys %lines, 0, 'none that was not made');
    is(scalar @other, 0, 'each says the status that its client was told') or diag(join "\n", @other[0 .. 9]);
};

done_testing;
