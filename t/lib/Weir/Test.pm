# SPDX-License-Identifier: MIT
package Weir::Test;

# The end-to-end harness: starts the proxy on a free port with a configuration of the test's, talks to it in bytes, and asks
# of each proxy at the end: a clean exit, no sanitizer report, every service checked in, every request ended.
#
#   WEIR_BUILD     the build directory, relative to the repository (default build/asan)
#   WEIR_SLOW      multiplies every deadline
#   WEIR_VALGRIND  runs each proxy under valgrind
#   WEIR_KEEP      keeps the temporary directories and says where they are
use strict;
use warnings;
use Carp qw(croak);
use Cwd ();
use Fcntl qw(F_SETLK F_WRLCK SEEK_SET);
use File::Basename qw(dirname);
use File::Spec;
use File::Temp ();
use IO::Select;
use IO::Socket::IP;
use IO::Socket::UNIX;
use POSIX ();
use Socket qw(SOCK_STREAM SOMAXCONN);
use Test::More import => [qw(diag is like note ok)];
use Time::HiRes qw(time);
use Weir::Backend;
use Weir::Client;
use Weir::Dns;
use Weir::Http2Backend ();

our @EXPORT = qw(
    proxy dns_server dns_server_at backend ok_backend echo_backend silent_backend fast_backend refusing_port stuck_port free_port
    router_so recorded_calls weir refuses_config shows_fault command_server valgrind_command run_command
    write_file read_file temp_path wait_for wait_for_pid wait_seconds ms is_sanitized build_dir root_dir simple_response done_testing
);

my $root  = Cwd::abs_path(dirname(__FILE__) . '/../../..');
my $build = $ENV{WEIR_BUILD} // 'build/asan';
$build = "$root/$build" unless $build =~ m{^/};

my $dir     = File::Temp::tempdir('weir-XXXXXX', TMPDIR => 1, CLEANUP => !$ENV{WEIR_KEEP});
my $owner   = $$;
my @proxies;
my $notify_sockets = 0;
my @held;    # sockets that keep a port busy

# Everything of Test::More, ours in place of done_testing.
sub import {
    strict->import;
    warnings->import;
    my $to = caller;
    no strict 'refs';
    my %seen;
    for my $name (grep { !$seen{$_}++ } @EXPORT, grep { /^\w+$/ } @Test::More::EXPORT) {
        *{"${to}::$name"} = defined &{"Weir::Test::$name"} ? \&{"Weir::Test::$name"} : \&{"Test::More::$name"};
    }
    *{"${to}::TODO"} = \${"${to}::TODO"};
    return;
}

sub build_dir    { return $build }
sub root_dir     { return $root }
sub wait_seconds { return Weir::Client::wait_seconds() }

# A duration for the proxy's configuration, longer on slow builds.
sub ms { return int($_[0] * Weir::Client::slow()) }

# Whether the build or valgrind makes measures of memory and time meaningless.
sub is_sanitized {
    return 1 if Weir::Client::is_valgrind();
    return (-e "$build/CMakeCache.txt" && read_file("$build/CMakeCache.txt") =~ /^CMAKE_C_FLAGS:.*-fsanitize=/m) ? 1 : 0;
}

sub read_file {
    my ($path) = @_;
    open my $in, '<:raw', $path or croak "$path: $!";
    local $/;
    return <$in> // '';
}

sub write_file {
    my ($path, @text) = @_;
    open my $out, '>:raw', $path or croak "$path: $!";
    print $out @text or croak "$path: $!";
    close $out or croak "$path: $!";
    return $path;
}

my $paths = 0;

# A name nobody uses yet, in the test's own directory.
sub temp_path { return "$dir/" . $paths++ . '-' . ($_[0] // 'file') }

# Waits until the sub returns something true, and returns that; undef at the deadline.
sub wait_for(&;$) {
    my ($is_true, $seconds) = @_;
    my $until = time + ($seconds // wait_seconds());
    while (1) {
        my $value = $is_true->();
        return $value if $value;
        return if time > $until;
        select(undef, undef, undef, 0.005);
    }
}

# ── ports ──

# A port nobody listens on now, and that the kernel gives to no outgoing connection.
my $next_port = 10000 + ($$ * 61) % 20000;
sub free_port {
    for (1 .. 2000) {
        my $port = $next_port++;
        $next_port = 10000 if $next_port > 30000;
        claim_port($port) or next;
        my $probe = IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => $port, Listen => 1) or next;
        close $probe;
        return $port;
    }
    croak 'no free port';
}

# Test files run beside each other: what one has found free is not given to another as long as it runs. A byte of one file stands
# for each port, and a lock on it for the claim; it ends with the process.
my $claims;

sub claim_port {
    my ($port) = @_;
    $claims ||= do { open my $file, '>>', File::Spec->tmpdir . "/weir-ports-$>" or croak "claims on ports: $!"; $file };
    return fcntl($claims, F_SETLK, pack('s s x4 q q i x4', F_WRLCK, SEEK_SET, $port, 1, 0));
}

# A port that is taken, on which nobody listens: connecting is refused as long as the test runs.
sub refusing_port {
    my $socket = IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => 0, Type => SOCK_STREAM) or croak "bind: $@";
    push @held, $socket;
    return $socket->sockport;
}

# A port whose queue of connections is full: connecting never ends.
sub stuck_port {
    my $listener = IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => 0, Listen => 1) or croak "listen: $@";
    listen $listener, 0;
    push @held, $listener;
    for (1 .. 8) {
        push @held, IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $listener->sockport, Blocking => 0);
    }
    select(undef, undef, undef, 0.05);    # until the handshakes of those that fit are over
    return $listener->sockport;
}

# ── backends ──

sub backend {
    my ($serve, %option) = @_;
    return Weir::Backend->start(serve => $serve, dir => $dir, %option);
}

# A whole response with a length.
sub simple_response {
    my ($body, %option) = @_;
    my $status = $option{status} // '200 OK';
    return "HTTP/1.1 $status\r\nContent-Length: " . length($body) . "\r\n" . ($option{headers} // '') . "\r\n$body";
}

# Answers 200 with its name.
sub ok_backend {
    my ($name, %option) = @_;
    return backend(sub { $_[0]->serve(sub { simple_response($name) }) }, name => $name, %option);
}

# Answers 200 with what it was sent.
sub echo_backend {
    my (%option) = @_;
    return backend(sub { $_[0]->serve(sub { simple_response($_[0] . $_[1]) }) }, name => 'echo', %option);
}

# Reads a head and then says nothing until the proxy closes.
sub silent_backend {
    my (%option) = @_;
    return backend(sub { my $c = shift; $c->read_head; $c->note('head'); $c->wait_close }, name => 'silent', %option);
}

# One process, one fixed answer; for load.
sub fast_backend {
    my ($name, %option) = @_;
    return Weir::Backend->start(fast => simple_response($name), dir => $dir, name => $name, %option);
}

# A name server that knows these names: see Weir::Dns.
sub dns_server {
    my (%names) = @_;
    return Weir::Dns->start(dir => $dir, names => \%names);
}

# The same on port 53 of another address of loopback, where resolv.conf can lead; undef where that is not allowed.
sub dns_server_at {
    my ($host, %names) = @_;
    return eval { Weir::Dns->start(dir => $dir, names => \%names, host => $host, port => 53) };
}

# ── routers ──

my %compiled;

# Compiles t/routers/NAME.c as a user would; the path of the shared object.
sub router_so {
    my ($name, @flags) = @_;
    return $compiled{"$name @flags"} //= do {
        my $so = temp_path("$name.so");
        my @cc = ($ENV{CC} // 'cc', qw(-shared -fPIC -O1 -g -Wall -pthread), "-I$build/include", @flags,
            "$root/t/routers/$name.c", '-o', $so);
        system(@cc) == 0 or croak "cannot compile t/routers/$name.c";
        $so;
    };
}

# What t/routers/record.c has written down for a path, a line a callback; with `$until` once that matches.
sub recorded_calls {
    my ($log, $path, $until) = @_;
    my $calls;
    wait_for {
        $calls = join '', map { "$_\n" } map { s{^/\S* }{}r } grep { m{^\Q$path\E } && !/ feature peer_port$/ } split /\n/, read_file($log);
        !defined $until || $calls =~ $until;
    };
    return $calls;
}

# ── commands ──

# Runs a command to its end: { exit, signal, out, err }. exit is undef if it had to be killed, and 128 and the signal if one ended
# it: a program that aborts has not ended well.
sub run_command {
    my (@command) = @_;
    my %option = ref $command[0] ? %{ shift @command } : ();
    my ($out, $err) = (temp_path('out'), temp_path('err'));
    my $pid = _spawn($out, $err, %option, command => \@command);
    my $status = _reap($pid, $option{seconds} // 3 * wait_seconds());
    if (!defined $status) {
        kill 'KILL', $pid;
        waitpid $pid, 0;
    }
    return {
        exit   => !defined $status ? undef : $status & 127 ? 128 + ($status & 127) : $status >> 8,
        signal => defined $status ? $status & 127 : undef,
        out    => read_file($out),
        err    => read_file($err),
    };
}

# The command `weir` with these arguments.
sub weir { return run_command({ env => _proxy_env(temp_path('sanitizer')) }, "$build/weir", @_) }

# Checks that a configuration is refused; `$why` matches what the complaint says behind the file's name, a line and a column.
sub refuses_config {
    my ($yaml, $why, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $file = write_file(temp_path('weir.yaml'), $yaml);
    my $run = weir('check', '-c', $file);
    is($run->{exit}, 1, "$name is refused");
    like($run->{err}, qr/^\Q$file\E:$why/m, 'with its place');
    return;
}

# Checks what a client gets of a backend that fails: a whole page of this status that names the reason, or where it is 'cut' a 200 that
# is incomplete, and the connection's end. `$code` is a pattern.
sub shows_fault {
    my ($client, $r, $status, $code) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    if ($status eq 'cut') {
        is($r->status, 200, 'the response had begun');
        ok(!$r->is_complete, 'the client sees that it is incomplete');
        ok(defined $client->read_eof, 'the connection is closed');
        return;
    }
    is($r->status, $status, 'status');
    ok($r->is_complete, 'the page is complete');
    like($r->body, qr/\b(?:$code)\b/, 'it names the reason') if $status >= 500;
    return;
}

# A command that serves a port until the test ends; waits until it listens.
my @servers;

sub command_server {
    my ($port, @command) = @_;
    push @servers, _spawn(temp_path('out'), temp_path('err'), command => \@command);
    wait_for { IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $port) } or croak "@command does not listen";
    return;
}

sub _spawn {
    my ($out, $err, %option) = @_;
    defined(my $pid = fork) or croak "fork: $!";
    return $pid if $pid;
    eval {
        open STDIN,  '<',  '/dev/null' or die $!;
        open STDOUT, '>>', $out or die $!;
        open STDERR, '>>', $err or die $!;
        chdir $option{cwd} or die $! if $option{cwd};
        @SIG{qw(PIPE CHLD TERM INT HUP)} = ('DEFAULT') x 5;
        # as systemd's journal, for which words begin with `weir:`, and not with the time
        local %ENV = (%ENV, JOURNAL_STREAM => join(':', (stat STDERR)[ 0, 1 ]), %{ $option{env} // {} });
        exec { $option{command}[0] } @{ $option{command} };
    };
    print STDERR "cannot run $option{command}[0]: $!\n";
    POSIX::_exit(127);
}

# What a successor's predecessor leaves behind becomes a child of the test: prctl(PR_SET_CHILD_SUBREAPER).
sub _adopt_orphans {
    my %number = (x86_64 => 157, aarch64 => 167);
    my $call = $number{ (POSIX::uname())[4] } // croak 'no prctl(2) known for this machine';
    return syscall($call, 36, 1, 0, 0, 0) == 0;
}

# The exit status of a process (negative: the signal) at its end, or undef at the deadline.
sub wait_for_pid {
    my ($pid, $seconds) = @_;
    my $status = _reap($pid, $seconds // wait_seconds()) // return;
    return $status & 127 ? -($status & 127) : $status >> 8;
}

# Waits for a child; its status, or undef at the deadline.
sub _reap {
    my ($pid, $seconds) = @_;
    my $status;
    wait_for { waitpid($pid, POSIX::WNOHANG()) == $pid ? do { $status = $?; 1 } : 0 } $seconds;
    return $status;
}

# ── the proxy ──

sub _proxy_env {
    my ($report) = @_;
    return {
        ASAN_OPTIONS  => "detect_leaks=1:abort_on_error=0:exitcode=77:log_path=$report",
        UBSAN_OPTIONS => "halt_on_error=1:print_stacktrace=1:log_path=$report",
        TSAN_OPTIONS  => "halt_on_error=0:exitcode=77:log_path=$report",
        WEIR_BOOKS    => 1,
    };
}

# libh2o's configurators forget what they were made of, the C library its resolv.conf; that is theirs, and once. And the count of
# dynamic types in a MIME map that libh2o has cloned is never set: its file handler looks at it before it says 404. The
# dynamic linker compares strings eight bytes at a time.
sub valgrind_command {
    my $suppressions = temp_path('suppressions');
    my $libh2o = 'obj:*/libh2o-evloop.so.*';
    write_file($suppressions,
        (map { "{\n   $_\n   Memcheck:Leak\n   ...\n   fun:$_\n   ...\n}\n" } 'h2o_*configurator*', 'h2o_config_*', 'h2o_vector__expand', '__res*'),
        (map { "{\n   mimemap $_\n   Memcheck:Cond\n   $libh2o\n   $libh2o\n   fun:$_\n}\n" } 'process_head', 'h2o_process_request'),
        "{\n   linker\n   Memcheck:Addr8\n   fun:strncmp\n   fun:is_dst\n}\n");
    return (qw(valgrind -q --vgdb=no --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite --error-exitcode=77), "--suppressions=$suppressions");
}

# Block YAML of hashes, lists and texts; every text that could be read as anything else is quoted.
sub _yaml {
    my ($value, $indent) = @_;
    my $in = '  ' x $indent;
    if (ref $value eq 'HASH') {
        return " {}\n" unless %$value;
        return "\n" . join '', map { $in . _scalar($_) . ':' . _yaml($value->{$_}, $indent + 1) } sort keys %$value;
    }
    if (ref $value eq 'ARRAY') {
        return " []\n" unless @$value;
        return "\n" . join '', map { "$in-" . _yaml($_, $indent + 1) } @$value;
    }
    return ' ' . _scalar($value) . "\n";
}

sub _scalar {
    my ($text) = @_;
    return $text if $text =~ m{^[A-Za-z0-9/_.]([\w./:+-]*[\w./+-])?$};
    $text =~ s/(["\\])/\\$1/g;
    $text =~ s/\n/\\n/g;
    return qq("$text");
}

# Starts a proxy and waits until it listens. Of these, all optional:
#   backends => [ port | address | backend, … ]   one app for every domain
#   apps => { … }                     the table router's
#   router => { module => …, … }      any other router
#   path, global => { directive => value }        at the path "/", and at the top
#   paths, hosts => { … }             beside "/", and beside "default"
#   listen => [ … ]                   beside the loopback port
#   yaml => 'text with @PORT@'        everything at once
#   nofile => N                       RLIMIT_NOFILE
#   prefix => [ word, … ]             a command that runs it
#   env => { name => value }          beside the environment
#   handed => [ socket, … ]           its descriptors from 3 on, as systemd's
#   exit => N                         how it will end, if not with 0
#   crashes => 'SEGV'                 it will end by this signal, and balances no books
sub proxy {
    my (%option) = @_;
    croak "there is no $build/weir: build it first" unless -x "$build/weir";
    my $self = bless { exit => $option{exit} // 0, crashes => $option{crashes}, port => free_port() }, 'Weir::Proxy';
    $self->{name}   = 'proxy ' . (@proxies + 1);
    $self->{config} = temp_path('weir.yaml');
    $self->{out}    = temp_path('access.log');
    $self->{err}    = temp_path('stderr');
    $self->{report} = temp_path('sanitizer');
    my @workers = _workers(\%option);
    my $yaml = $option{yaml} // _config($self->{port}, %option);
    $yaml =~ s/\@PORT\@/$self->{port}/g;
    write_file($self->{config}, $yaml);

    my @command = ("$build/weir", 'run', '-c', $self->{config});
    unshift @command, valgrind_command(), "--log-file=$self->{report}.%p" if Weir::Client::is_valgrind();
    unshift @command, @{ $option{prefix} // [] };
    @command = _hand_over(@{ $option{handed} }, @command) if $option{handed};
    @command = ('/bin/sh', '-c', "ulimit -n $option{nofile}; exec \"\$@\"", 'sh', @command) if $option{nofile};
    my %env = (%{ _proxy_env($self->{report}) }, %{ $option{env} // {} });
    my $told = $env{NOTIFY_SOCKET} ? undef : _notify_socket(\%env);
    $self->{pid} = _spawn($self->{out}, $self->{err}, command => \@command, env => \%env);
    push @proxies, $self;
    $self->_wait_ready($told);
    $_->dial($option{workers_port}, 'main', 'b-' . $_->port) for @workers;
    return $self;
}

# With WEIR_WORKERS set, backends of HTTP/2 that can do so dial the proxy instead of being dialled.
sub _workers {
    my ($option) = @_;
    my $app = $option->{app} // {};
    return () unless $ENV{WEIR_WORKERS} && $option->{backends} && ($app->{protocol} // '') eq 'h2c' && !exists $app->{hold};
    my @workers = map { Weir::Http2Backend->at(ref $_ ? $_->address : $_) } @{ $option->{backends} };
    return () if @workers != @{ $option->{backends} } || grep { !defined } @workers;
    $option->{workers_port} = free_port();
    my %settings = (listen => "127.0.0.1:$option->{workers_port}", auth => 'none', 'hand-over' => $ENV{WEIR_WORKERS});
    $option->{global} = { 'weir.workers' => \%settings, %{ $option->{global} // {} } };
    my %rest = map { $_ => $app->{$_} } grep { $_ ne 'protocol' } keys %$app;
    $option->{app} = { workers => 'ON', hold => 10_000, %rest };
    $option->{backends} = [];
    note('workers dial in');
    return @workers;
}

# Where it says that it is ready: its port takes connections before its other doors are open. No file, so that anybody may write.
sub _notify_socket {
    my ($env) = @_;
    my $name = "weir-test-$$-" . ++$notify_sockets;
    $env->{NOTIFY_SOCKET} = "\@$name";
    return IO::Socket::UNIX->new(Type => Socket::SOCK_DGRAM(), Local => "\0$name") // croak("no socket to be told by: $!");
}

# A command that gets sockets in the manner of sd_listen_fds(3).
sub _hand_over {
    my @command = grep { !ref } @_;
    my @sockets = grep { ref } @_;
    fcntl($_, Fcntl::F_SETFD(), 0) or croak "fcntl: $!" for @sockets;
    my @from = map { fileno $_ } @sockets;
    # Where they are may be where they shall be: first all out of the way
    my $script = 'my @away = map { my $fd = $_; $fd = POSIX::dup($fd) while $fd < 300; $fd } split /,/, shift; my $at = 3;'
        . ' POSIX::dup2($_, $at++) for @away; POSIX::close($_) for $at .. 700; @ENV{qw(LISTEN_FDS LISTEN_PID)} = (scalar @away, $$); exec @ARGV';
    return ($^X, '-MPOSIX', '-e', $script, join(',', @from), @command);
}

sub _config {
    my ($port, %option) = @_;
    my $apps = $option{apps};
    if ($option{backends}) {
        my @at = map { ref $_ ? $_->address : /^\d+$/ ? "127.0.0.1:$_" : $_ } @{ $option{backends} };
        $apps = { main => { domains => ['*'], backends => \@at, %{ $option{app} // {} } } };
    }
    my $router = $option{router} // ($apps && { module => 'table', apps => $apps });
    my %path = (($router ? ('weir.router' => $router) : ()), %{ $option{path} // {} });
    my %paths = ((%path ? ('/' => \%path) : ()), %{ $option{paths} // {} });
    my %global = (
        # the last to be opened: where it answers, the others do
        listen => [ @{ $option{listen} // [] }, { host => '127.0.0.1', port => $port, %{ $option{listen_with} // {} } } ],
        hosts => { default => { paths => \%paths }, %{ $option{hosts} // {} } },
        'num-threads' => 1,
        'weir.log-time' => 'OFF',
        'weir.watchdog' => 30000,     # on a loaded machine a loop may be stuck for no reason of its own
        'weir.callback-warn' => 0,
        'weir.backend-yield-after' => 0, # else on a slow machine connections are given up that a test counts
        %{ $option{global} // {} },
    );
    (my $yaml = _yaml(\%global, 0)) =~ s/^\n//;
    return $yaml;
}

sub _say_stderr {
    my ($self) = @_;
    my $text = -e $self->{err} ? read_file($self->{err}) : '';
    $text .= read_file($_) for glob "$self->{report}*";
    $text = substr($text, 0, 6000) . "\n[…]\n" if length $text > 6000;
    diag("$self->{name} said:\n$text") if length $text;
    return;
}

# Ends what still runs, without tests: for files that died.
sub _clean_up {
    for my $proxy (@proxies) {
        my $pid = delete $proxy->{pid} or next;
        kill 'TERM', $pid;
        next if defined _reap($pid, 2);
        kill 'KILL', $pid;
        waitpid $pid, 0;
        _say_stderr($proxy);
    }
    kill 'TERM', @servers if @servers;
    waitpid $_, 0 for splice @servers;
    Weir::Backend::stop_all();
    Weir::Dns::stop_all();
    return;
}

END {
    if ($$ == $owner) {
        my $exit = $?;
        _clean_up();
        diag("kept $dir") if $ENV{WEIR_KEEP};
        $? = $exit;
    }
}
$SIG{$_} = sub { exit 1 } for qw(INT TERM HUP);
$SIG{ALRM} = sub { diag('this file takes too long'); exit 1 };
alarm int 180 * Weir::Client::slow();

# In place of Test::More's: ends every proxy first and looks how it went.
sub done_testing {
    $_->ends_well for @proxies;
    Weir::Backend::stop_all();
    Weir::Dns::stop_all();
    return Test::More::done_testing();
}

package Weir::Proxy;

use Test::More import => [qw(fail is ok subtest unlike)];
use Time::HiRes qw(time);

BEGIN { *wait_for = \&Weir::Test::wait_for }

sub port   { return $_[0]{port} }
sub pid    { return $_[0]{pid} }
sub config { return $_[0]{config} }
sub stderr { return Weir::Test::read_file($_[0]{err}) }

sub _wait_ready {
    my ($self, $told) = @_;
    my $until = time + 2 * Weir::Client::wait_seconds();
    while (1) {
        my $is_ready = !$told || IO::Select->new($told)->can_read(0);
        my $probe = $is_ready && IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $self->{port});
        return close $probe if $probe;
        my $gone = waitpid($self->{pid}, POSIX::WNOHANG()) == $self->{pid};
        if ($gone || time > $until) {
            delete $self->{pid} if $gone;
            Carp::croak("$self->{name} did not start:\n" . $self->stderr . Weir::Test::read_file($self->{config}));
        }
        select(undef, undef, undef, 0.01);
    }
}

# A raw connection to it: Weir::Client.
sub connect {
    my ($self, %option) = @_;
    return Weir::Client->connect($option{to} // $self->{port}, %option) // Carp::croak("cannot connect to $self->{name}: $!");
}

# Sends bytes on a new connection; the first response as Weir::Response.
sub ask {
    my ($self, $bytes, %option) = @_;
    my $client = $self->connect;
    $client->write($bytes);
    return $client->read_response(head => $bytes =~ /^HEAD / ? 1 : 0, %option);
}

# A GET of `$path` on a new connection, with more header lines if given.
sub get {
    my ($self, $path, $headers, %option) = @_;
    return $self->ask("GET $path HTTP/1.1\r\nHost: a.test\r\n" . ($headers // '') . "\r\n", %option);
}

# Sends bytes on a new connection; the raw bytes of the first complete response, or everything until the close.
sub raw {
    my ($self, $bytes) = @_;
    my $client = $self->connect;
    $client->write($bytes);
    my $head = $client->read_head // return $client->{in};
    my $no_body = $bytes =~ /^HEAD / || $head =~ m{^HTTP/1\.1 (?:1..|204|304)};
    my $rest = $client->{in};
    if (!$no_body && $head =~ /^content-length: *(\d+)/mi) {
        $rest = $client->read_exactly($1) // $client->{in};
    } elsif (!$no_body && $head =~ /^transfer-encoding: *chunked/mi) {
        $rest = $client->read_until(qr/(?:^|\r\n)0\r\n(?:.*\r\n)?\r\n/) // $client->{in};
    } elsif (!$no_body) {
        $rest = $client->read_eof // $client->{in};
    }
    return $head . $rest;
}

# One logfmt line as a hash, the raw text under ''. It may begin with the time.
sub parse_line {
    my ($line) = @_;
    my %field = ('' => $line);
    $line =~ /\A\d[\d-]+T[\d:.]+Z/gc;
    while ($line =~ /\G\s*([\w.-]+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))/gc) {
        my ($key, $quoted, $plain) = ($1, $2, $3);
        $quoted =~ s/\\(["\\])/$1/g if defined $quoted;
        $field{$key} = $quoted // $plain;
    }
    return \%field;
}

sub _log_now {
    my ($self) = @_;
    return map { parse_line($_) } grep { length } split /\n/, Weir::Test::read_file($self->{log} // $self->{out});
}

# The access log as hashes, once it has so many lines (or at the deadline, whatever there is).
sub log_lines {
    my ($self, $count) = @_;
    my @lines;
    wait_for { @lines = $self->_log_now; @lines >= ($count // 1) };
    return @lines;
}

# The first access line with these fields; an empty hash at the deadline.
sub log_where {
    my ($self, %want) = @_;
    my $line;
    wait_for {
        ($line) = grep {
            my $l = $_;
            !grep { ($l->{$_} // '') ne $want{$_} } keys %want
        } $self->_log_now;
    };
    return $line // {};
}

# The process's memory in kB: VmRSS, or VmHWM for its peak.
sub memory_kb {
    my ($self, $which) = @_;
    my ($kb) = Weir::Test::read_file("/proc/$self->{pid}/status") =~ /^\Q$which\E:\s+(\d+)/m;
    return $kb;
}

sub open_files {
    my ($self) = @_;
    return scalar(() = glob "/proc/$self->{pid}/fd/*");
}

sub signal {
    my ($self, $name) = @_;
    return kill $name, $self->{pid} if $self->{pid};
}

# Stops every thread, and returns when all of them stand: one that was on its way out of epoll_wait() would still take what comes
# into its turn.
sub stand_still {
    my ($self) = @_;
    $self->signal('STOP');
    return Weir::Test::wait_for { !grep { !m{\) [Tt] } } map { eval { Weir::Test::read_file($_) } // () } glob "/proc/$self->{pid}/task/*/stat" };
}

# Waits for the process's end; its exit status (negative: the signal), or undef at the deadline.
sub wait_exit {
    my ($self, $seconds) = @_;
    return $self->{ended} if defined $self->{ended};
    my $status = Weir::Test::_reap($self->{pid}, $seconds // Weir::Client::wait_seconds());
    return unless defined $status;
    delete $self->{pid};
    return $self->{ended} = $status & 127 ? -($status & 127) : $status >> 8;
}

# { picks, checkins, begun, ended, counted } once the process has ended, and those before it if it is a successor.
sub books {
    my ($self) = @_;
    my @lines = $self->stderr =~ /^weir: books (.*)$/mg or return;
    my %books;
    for my $line (@lines) {
        my %of_one = $line =~ /(\w+)=(\d+)/g;
        $books{$_} += $of_one{$_} for keys %of_one;
    }
    return \%books;
}

# Has it start a successor, which is the proxy from then on. Returns the pid of the one that drains, to be given to wait_for_pid();
# undef if there is no successor.
sub upgrade {
    my ($self) = @_;
    Weir::Test::_adopt_orphans();
    my $ends = sub { scalar(() = $self->stderr =~ /^weir: upgrade: (?:nothing has changed|process \d+ serves)/mg) };
    my $before = $ends->();
    $self->signal('USR2');
    wait_for { $ends->() > $before } or return;
    my ($said) = (reverse grep { /^weir: upgrade: (?:nothing|process)/ } split /\n/, $self->stderr);
    my ($pid) = $said =~ /process (\d+) serves/ or return;
    my $old = $self->{pid};
    $self->{pid} = $pid;
    return $old;
}

# Writes the configuration anew, with the options of proxy(); nobody is told.
sub configure {
    my ($self, %option) = @_;
    my $yaml = $option{yaml} // Weir::Test::_config($self->{port}, %option);
    $yaml =~ s/\@PORT\@/$self->{port}/g;
    Weir::Test::write_file("$self->{config}.new", $yaml);
    rename "$self->{config}.new", $self->{config} or Carp::croak("rename: $!");
    return $self;
}

# How many reloads have ended, well or not.
sub reloads { return scalar(() = $_[0]->stderr =~ /^weir: reload: .* in use$|^weir: reload: nothing has changed$/mg) }

# Reloads (a new configuration if options are given) and waits until that is over: true if the new one is in use.
sub reload {
    my ($self, %option) = @_;
    my $before = $self->reloads;
    $self->configure(%option) if %option;
    $self->signal('HUP');
    wait_for { $self->reloads > $before } or return;
    my @lines = $self->stderr =~ /^weir: reload: (.*)$/mg;
    return $lines[-1] =~ /in use$/ ? 1 : 0;
}

sub stop { my ($self) = @_; $self->signal('TERM'); return $self->wait_exit }

# The oracle at the end of every proxy.
sub ends_well {
    my ($self) = @_;
    return if $self->{is_checked}++;
    return ok(defined $self->{ended} && $self->{ended} < 0, "$self->{name} has crashed") if $self->{crashes};
    return subtest "$self->{name} ends well" => sub {
        my $exit = $self->{ended} // $self->stop;
        is($exit, $self->{exit}, "exits with $self->{exit}");
        my $text = $self->stderr;
        my @reports = glob "$self->{report}*";
        ok(!(grep { -s } @reports) && $text !~ /Sanitizer|runtime error:/, 'no sanitizer report');
        unlike($text, qr/\bmust hold\b/, 'every invariant held');
        my $books = $self->books;
        if ($books) {
            is($books->{checkins}, $books->{picks}, "services checked in = picked ($books->{picks})");
            is($books->{ended}, $books->{begun}, "requests ended = begun ($books->{begun})");
            is($books->{counted}, 0, 'no connection is counted any more');
        } else {
            fail('the books are on standard error');
        }
        $self->Weir::Test::_say_stderr unless Test::More->builder->is_passing;
    };
}

1;
