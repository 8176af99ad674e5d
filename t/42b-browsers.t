# SPDX-License-Identifier: MIT
# Affinity with clients that are not ours: curl with its cookie jar, and a browser where there is one (chromium, or $CHROMIUM).
use lib 't/lib';
use Weir::Test;
use MIME::Base64 qw(decode_base64url);

plan skip_all => 'no curl' unless run_command('sh', '-c', 'command -v curl')->{exit} == 0;

my $page = read_file(root_dir() . '/t/tools/affinity.html');
my (%up, %port);
$port{$_} = free_port() for 1 .. 4;

sub up {
    my ($n) = @_;
    $up{$n} = backend(sub {
        $_[0]->serve(sub { $_[0] =~ m{^GET /page } ? simple_response($page, headers => "Content-Type: text/html\r\n") : simple_response("b$n ") });
    }, port => $port{$n});
    return;
}
sub down { my ($n) = @_; (delete $up{$n})->stop; return }
up($_) for 1 .. 3;

sub at  { my ($n, %more) = @_; return { at => "127.0.0.1:$port{$n}", id => "web-$n", %more } }

# In turn, so that a new browser gets to each of them; `best` may leave out one that was slow once.
sub app {
    my ($backends, %more) = @_;
    return { shop => { domains => ['*'], backends => $backends, affinity => 'ON', balance => 'round-robin', %more } };
}
my @three = map { at($_) } 1 .. 3;

sub keys_file {
    my ($file, @numbers) = @_;
    write_file("$file.new", 'id ' . 'ab' x 32 . "\n", map { "$_ " . sprintf('%02x', $_) x 32 . "\n" } @numbers);
    chmod 0600, "$file.new";
    rename "$file.new", $file or die $!;
    return $file;
}

# What curl gets for these paths, with a cookie jar that it keeps: whole words.
sub curl {
    my ($proxy, $jar, @paths) = @_;
    my $run = run_command('curl', qw(-s -S --max-time), wait_seconds(), '-b', $jar, '-c', $jar, map { 'http://127.0.0.1:' . $proxy->port . $_ } @paths);
    is($run->{exit}, 0, 'curl has its answers') or diag $run->{err};
    return split ' ', $run->{out};
}

# Six at once, of one jar, which keeps what it has. Chunks of an address with [1-6] are asked for in parallel.
sub six_at_once {
    my ($proxy, $jar) = @_;
    my $run = run_command(qw(curl -s -S -Z --parallel-immediate --max-time), wait_seconds(), '-b', $jar, 'http://127.0.0.1:' . $proxy->port . '/at-once-[1-6]');
    is($run->{exit}, 0, 'curl has six answers at once') or diag $run->{err};
    my %seen;
    $seen{$_}++ for split ' ', $run->{out};
    return \%seen;
}

sub value_in { return read_file($_[0]) =~ /\tweir-affinity\t(\S+)$/m ? $1 : '' }

# A jar whose cookie leads to this backend.
sub jar_of {
    my ($proxy, $n) = @_;
    for (1 .. 100) {
        my $jar = temp_path('jar');
        return $jar if run_command(qw(curl -s -b), $jar, '-c', $jar, 'http://127.0.0.1:' . $proxy->port . '/')->{out} eq "b$n ";
    }
    die "nobody gets to b$n";
}

# ── curl ──

subtest 'curl: a kill that is short' => sub {
    my $proxy = proxy(apps => app(\@three, affinity => { grace => ms(60_000) }));
    my $jar = jar_of($proxy, 2);
    my $value = value_in($jar);
    like(read_file($jar), qr/^#HttpOnly_127\.0\.0\.1\tFALSE\t\/\tFALSE\t[1-9]\d+\tweir-affinity\t[\w-]{51}$/m, 'the jar has the cookie, with its attributes');
    is_deeply([ curl($proxy, $jar, ('/') x 10) ], [ ('b2') x 10 ], 'it leads to one backend');
    down(2);
    my $seen = six_at_once($proxy, $jar);
    is((values %$seen)[0], 6, 'six at once behind the kill end on one other') or diag explain $seen;
    is_deeply([ curl($proxy, $jar, '/') ], [ keys %$seen ], 'and so does the next');
    is(value_in($jar), $value, 'the jar keeps its cookie');
    up(2);
    ok(wait_for { (curl($proxy, $jar, '/'))[0] eq 'b2' }, 'which leads home again');
};

subtest 'curl: a kill that is long' => sub {
    my $proxy = proxy(apps => app(\@three, affinity => { grace => 0 }));
    my $jar = jar_of($proxy, 2);
    my $value = value_in($jar);
    down(2);
    my $seen = six_at_once($proxy, $jar);
    is((values %$seen)[0], 6, 'six at once end on one other') or diag explain $seen;
    ok(wait_for { curl($proxy, $jar, '/'); value_in($jar) ne $value }, 'the cookie is replaced');
    up(2);
    is_deeply([ curl($proxy, $jar, ('/') x 5) ], [ (keys %$seen) x 5 ], 'and leads to that one from then on');
    is(substr(decode_base64url(value_in($jar)), 14, 8), substr(decode_base64url($value), 14, 8), 'the session has the same key');
};

subtest 'curl: a drain' => sub {
    my $proxy = proxy(apps => app(\@three, 'drain-timeout' => ms(2000)));
    my $jar = jar_of($proxy, 3);
    ok($proxy->reload(apps => app([ at(1), at(2) ], 'drain-timeout' => ms(2000))), 'its backend is taken away');
    is_deeply([ curl($proxy, $jar, '/', '/') ], [ 'b3', 'b3' ], 'and serves it for a while');
    ok(wait_for { (curl($proxy, $jar, '/'))[0] ne 'b3' }, 'then no more');
    my $seen = six_at_once($proxy, $jar);
    is((values %$seen)[0], 6, 'six at once go to one backend') or diag explain $seen;
};

subtest 'curl: growth, weights, reloads' => sub {
    my $proxy = proxy(apps => app(\@three));
    my %jars = map { $_ => jar_of($proxy, $_) } 1 .. 3;
    up(4);
    for my $backends ([ @three, at(4) ], [ at(4, weight => 900), at(3, weight => 1), at(2), at(1) ], [ @three ]) {
        ok($proxy->reload(apps => app($backends)), 'a reload');
        is_deeply([ map { curl($proxy, $jars{$_}, '/') } 1 .. 3 ], [qw(b1 b2 b3)], 'moves nobody');
    }
    down(4);
};

subtest 'curl: restarts, other keys' => sub {
    my $file = keys_file(temp_path('keys'), 1);
    my $apps = app(\@three, affinity => { 'key-file' => $file });
    my $proxy = proxy(apps => $apps);
    my %jars = map { $_ => jar_of($proxy, $_) } 1 .. 3;
    is($proxy->stop, 0, 'the proxy ends');
    $proxy = proxy(apps => $apps); # at another port, of which cookies know nothing
    is_deeply([ map { curl($proxy, $jars{$_}, '/') } 1 .. 3 ], [qw(b1 b2 b3)], 'another one knows the same browsers');

    keys_file($file, 2, 1);
    my $jar;
    my $is_new = sub { $jar = jar_of($proxy, 1); return ord(substr decode_base64url(value_in($jar)), 1, 1) == 2 };
    ok((wait_for { $is_new->() } 3 * wait_seconds()), 'a new first key signs soon');
    is_deeply([ map { curl($proxy, $jars{$_}, '/') } 1 .. 3 ], [qw(b1 b2 b3)], 'what the old one has signed is believed');
    keys_file($file, 2);
    $proxy = proxy(apps => $apps);
    my $before = value_in($jars{3});
    curl($proxy, $jars{3}, '/forgotten');
    isnt(value_in($jars{3}), $before, 'as long as it stands in the file');
    is($proxy->log_where(path => '/forgotten')->{affinity}, 'invalid', 'the log says so');
    is_deeply([ curl($proxy, $jar, '/') ], ['b1'], 'the new one is believed');
};

subtest 'curl: a bit that was flipped' => sub {
    my $proxy = proxy(apps => app(\@three));
    my $jar = jar_of($proxy, 1);
    my ($text, $value) = (read_file($jar), value_in($jar));
    for my $bit (map { 8 * $_ + $_ % 8 } 0 .. 37) {
        my $bytes = decode_base64url($value);
        vec($bytes, $bit, 1) ^= 1;
        my $other = MIME::Base64::encode_base64url($bytes);
        write_file($jar, $text =~ s/\Q$value\E/$other/r);
        run_command(qw(curl -s -b), $jar, '-c', $jar, 'http://127.0.0.1:' . $proxy->port . "/flipped-$bit");
        my $new = value_in($jar);
        fail("bit $bit does not matter") if $new eq $value || $new eq $other;
    }
    is((grep { ($_->{affinity} // '') eq 'invalid' } $proxy->log_lines(39)), 38, 'is a new pin, wherever it stands');
};

# ── a browser ──

my ($chromium) = grep { defined && length && run_command('sh', '-c', "command -v '$_'")->{exit} == 0 } $ENV{CHROMIUM}, 'chromium';

subtest 'a browser' => sub {
    plan skip_all => 'no chromium' unless $chromium;
    my $gate = temp_path('gate');
    mkdir $gate or die $!;
    my $control = backend(sub {
        $_[0]->serve(sub {
            my ($head) = @_;
            my ($what, $word) = $head =~ m{^GET /control/(wait|say)/(\S*)};
            write_file("$gate/" . ($what eq 'say' ? 'said' : 'waits') . "-$word", '');
            select undef, undef, undef, 0.01 until $what eq 'say' || -e "$gate/go-$word";
            return simple_response('done');
        });
    });
    my $apps = { %{ app(\@three, affinity => { grace => ms(60_000) }) }, control => { domains => ['127.0.0.1/control'], backends => [ $control->address ] } };
    my $proxy = proxy(apps => $apps);
    my $waits = sub { my ($word) = @_; return wait_for(sub { -e "$gate/waits-$word" }, 6 * wait_seconds()) };
    my $go    = sub { my ($word) = @_; return write_file("$gate/go-$word", '') };

    defined(my $pid = fork) or die "fork: $!";
    if ($pid == 0) {
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', '/dev/null';
        setpgrp;
        { exec $chromium, qw(--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-component-update --disable-sync
            --disable-dev-shm-usage --virtual-time-budget=600000), '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1',
            '--user-data-dir=' . temp_path('profile'), '--dump-dom', 'http://127.0.0.1:' . $proxy->port . '/page' }
        POSIX::_exit(127);
    }
    my $is_there = ok($waits->('kill'), 'the page has asked six times at once');
    my ($first) = map { m{/said-first-(\S+)$} } glob "$gate/said-first-*";
    my ($home) = ($first // '') =~ /^(?:b(\d)-){6}$/;
    like($first // '', qr/^(b\d-)\1{5}$/, 'all came from one backend');
    if ($is_there && $home) {
        down($home);
        $go->('kill');
        ok($waits->('back'), 'its backend is killed');
        my ($away) = map { m{/said-away-(\S+)$} } glob "$gate/said-away-*";
        like($away // '', qr/^(b[^$home]-)\1{5}$/, 'six at once come from one other');
        up($home);
        my $is_back = sub { return scalar grep { $_ eq "b$home " } map { $proxy->get('/')->body } 1 .. 10 };
        ok((wait_for { $is_back->() }), 'it is back');
        $go->('back');
        ok($waits->('end'), 'the page asks again');
        my ($back) = map { m{/said-back-(\S+)$} } glob "$gate/said-back-*";
        like($back // '', qr/^(b$home-){6}$/, 'the browser is at home');
        $go->('end');
    }
    kill 'KILL', -$pid;
    waitpid $pid, 0;
};

done_testing;
