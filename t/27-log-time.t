# SPDX-License-Identifier: MIT
# The time at the beginning of lines: of requests, and of words to the operator.
use lib 't/lib';
use Weir::Test;
use Time::HiRes qw(time);
use Time::Local qw(timegm);

my $time    = qr/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/;
my $backend = ok_backend('ok');
my @on      = (backends => [$backend], global => { 'weir.log-time' => 'ON' });

# Milliseconds since 1970.
sub milliseconds {
    my ($text) = @_;
    my ($year, $month, $day, $hour, $minute, $second, $ms) = $text =~ /^(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)\.(\d+)Z/ or return;
    return 1000 * timegm($second, $minute, $hour, $day, $month - 1, $year) + $ms;
}

subtest 'lines of requests' => sub {
    my $proxy = proxy(@on);
    my $begin = int(1000 * time);
    $proxy->get('/first');
    my $line = $proxy->log_where(path => '/first');
    my $end  = int(1000 * time);
    like($line->{''}, qr/^$time at=info method=GET /, 'begin with the time');
    my $at = milliseconds($line->{''});
    ok($begin <= $at && $at <= $end, 'which it was') or diag("$begin, $at, $end");
    $proxy->ask("GET nothing\r\n\r\n");
    like($proxy->log_where(at => 'error')->{''}, qr/^$time at=error code=\w+ /, 'also where no path was found');
};

subtest 'words to the operator' => sub {
    my $proxy = proxy(@on, env => { JOURNAL_STREAM => '' });
    $proxy->signal('HUP');
    ok((wait_for { $proxy->stderr =~ /^$time weir: reload: \S+ is in use$/m }), 'begin with the time') or diag($proxy->stderr);
    write_file($proxy->config, read_file($proxy->config) =~ s/^num-threads/weir.no-such-thing: 1\nnum-threads/mr);
    $proxy->signal('HUP');
    ok((wait_for { $proxy->stderr =~ /^$time weir: reload: nothing has changed$/m }), 'a reload that fails') or diag($proxy->stderr);
    like($proxy->stderr, qr/^$time \S+:\d+: .*weir\.no-such-thing/m, 'its complaint, too');
    write_file($proxy->config, read_file($proxy->config) =~ s/^weir\.no-such-thing: 1$/weir.via: x/mr =~ s/^(weir\.log-time:) .*$/$1 OFF/mr);
    $proxy->signal('HUP');
    ok((wait_for { $proxy->stderr =~ /^weir: reload: \S+ is in use$/m }), 'OFF, by a reload') or diag($proxy->stderr);
    $proxy->get('/off');
    like($proxy->log_where(path => '/off')->{''}, qr/^at=info /, 'and lines of requests');
    is($proxy->stop, 0, 'the end');
    write_file($proxy->{err}, $proxy->stderr =~ s/^$time //mgr);
};

subtest 'what is said before the configuration is read' => sub {
    my $run = run_command({ env => { JOURNAL_STREAM => '' } }, build_dir() . '/weir', 'check', '-c', '/nonexistent');
    unlike($run->{err}, qr/^$time/m, 'weir check tells no time');
};

subtest 'systemd\'s journal' => sub {
    my $error_log = temp_path('error.log');
    my $proxy = proxy(@on);
    $proxy->signal('HUP');
    ok((wait_for { $proxy->stderr =~ /^weir: reload: /m }), 'knows the time itself');
    $proxy->get('/file');
    like($proxy->log_where(path => '/file')->{''}, qr/^$time at=/, 'a file beside it does not');

    my $both = proxy(@on, global => { 'weir.log-time' => 'ON', 'weir.access-log' => '/dev/stderr' });
    $both->get('/journal');
    ok((wait_for { $both->stderr =~ m{^at=info .* path="/journal"}m }), 'lines of requests that go there') or diag($both->stderr);

    my $elsewhere = proxy(@on, global => { 'weir.log-time' => 'ON', 'error-log' => $error_log });
    $elsewhere->signal('HUP');
    ok((wait_for { read_file($error_log) =~ /^$time weir: reload: /m }), 'an error log is not the journal') or diag(read_file($error_log));
    is($elsewhere->stop, 0, 'the end');
    write_file($elsewhere->{err}, read_file($error_log) =~ s/^$time //mgr);
};

subtest 'at one path' => sub {
    my $router = router_so('small');
    my $proxy = proxy(global => { 'weir.log-time' => 'ON' },
        paths => { '/with' => { 'weir.router' => $router }, '/without' => { 'weir.router' => $router, 'weir.log-time' => 'OFF' } });
    $proxy->get($_) for qw(/with /without);
    like($proxy->log_where(path => '/without')->{''}, qr/^at=/, 'OFF');
    like($proxy->log_where(path => '/with')->{''}, qr/^$time at=/, 'ON for another');
};

done_testing;
