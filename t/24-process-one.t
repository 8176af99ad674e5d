# SPDX-License-Identifier: MIT
# As the first process of a container: orphans are buried, signals arrive, the last lines of log commands are written.
use lib 't/lib';
use Weir::Test;

plan skip_all => 'needs root, and unshare(1)' unless $> == 0 && system('unshare -p -f --mount-proc true 2>/dev/null') == 0;
plan skip_all => 'under valgrind there is another program' if Weir::Client::is_valgrind();

my $one = ok_backend('one');

# unshare(1) waits for process 1 and ends as it does; it passes no signals on.
sub first {
    my (%option) = @_;
    my $proxy = proxy(backends => [$one], prefix => [qw(unshare -p -f --mount-proc)], %option);
    my ($child) = map { children_of($_) } $proxy->pid;
    my $signal = sub { kill $_[0], $child };
    return ($proxy, $signal, $child);
}

sub children_of {
    my ($parent) = @_;
    return map { my $text = eval { read_file($_) } // ''; $text =~ /^(\d+) \(.*\) \w $parent / ? $1 : () } glob '/proc/[0-9]*/stat';
}

sub zombies_of { my ($parent) = @_; return grep { (eval { read_file("/proc/$_/stat") } // '') =~ /\) Z/ } children_of($parent) }

subtest 'signals, and the exit status' => sub {
    my ($proxy, $signal, $init) = first(global => { 'weir.access-log' => my $log = temp_path('log') });
    is($proxy->get('/')->body, 'one', 'it serves');
    like(read_file("/proc/$init/comm"), qr/weir-init/, 'below a process 1 that does nothing else');
    my $before = $proxy->reloads;
    $signal->('HUP');
    ok(wait_for { $proxy->reloads > $before }, 'HUP reloads');
    ok(wait_for { read_file($log) =~ m{/} }, 'a line');
    rename $log, "$log.1" or die $!;
    $signal->('USR1');
    ok(wait_for { -e $log }, 'USR1 opens the logs anew');
    $signal->('USR2');
    ok(wait_for { $proxy->stderr =~ /^weir: upgrade: not below process 1/m }, 'USR2 is refused');
    $signal->('TERM');
    is($proxy->wait_exit, 0, 'TERM ends it, with its status');
};

subtest 'orphans' => sub {
    my ($proxy, $signal, $init) = first(global => { 'access-log' => '| (sleep 0.2; exit 7) & exec cat > /dev/null' });
    my @pids = map { children_of($_) } children_of($init);
    # An orphan of somebody who has entered the container
    my ($ns) = children_of($init);
    run_command('nsenter', '-t', $ns, '-p', 'sh', '-c', '(sleep 0.1 &) ; (sh -c "sleep 0.1 & sleep 0.1" &)');
    select undef, undef, undef, 0.6;
    ok(wait_for { !zombies_of($init) }, 'nobody is left unburied');
    is($proxy->get('/')->body, 'one', 'it serves');
    $signal->('TERM');
    is($proxy->wait_exit, 0, 'the end');
};

subtest 'the last lines of a log command' => sub {
    my $lines = temp_path('lines');
    my ($proxy, $signal) = first(global => { 'access-log' => "| while read -r line; do sleep 0.1; echo \"\$line\" >> $lines; done; echo end >> $lines" });
    $proxy->get("/$_") for 1 .. 5;
    $signal->('TERM');
    is($proxy->wait_exit, 0, 'the end');
    my $text = -e $lines ? read_file($lines) : '';
    is(scalar(() = $text =~ m{"GET /\d}g), 5, 'all of them are there');
    like($text, qr/^end$/m, 'and it has ended by itself');
};

subtest 'how the proxy ends is told' => sub {
    my ($proxy, $signal, $init) = first(exit => 137);
    my ($pid) = children_of($init);
    kill 'KILL', $pid;
    is($proxy->wait_exit, 137, 'by a signal');
    $proxy->{is_checked} = 1;
    my $run = run_command(qw(unshare -p -f --mount-proc), Weir::Test::build_dir() . '/weir', 'run', '-c', '/no/such/file');
    is($run->{exit}, 1, 'not at all');
};

done_testing;
