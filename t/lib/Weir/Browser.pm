# SPDX-License-Identifier: MIT
package Weir::Browser;

# A browser without a window (chromium, or $CHROMIUM), steered over two pipes (the DevTools protocol).
#
#   my $browser = Weir::Browser->start(dir => temp_path('profile')) or plan skip_all => 'no chromium';
#   $browser->visit('http://localhost:8081/');
#   is($browser->value('document.title'), 'weir');
#   $browser->shows('document.title === "weir"');   # waits until it is true
use strict;
use warnings;
use JSON::PP ();
use MIME::Base64 qw(decode_base64);
use POSIX ();
use Time::HiRes qw(time);
use Weir::Client ();

use constant { AWAY => 100 };

my $json = JSON::PP->new->utf8->allow_nonref;

# The program; undef: there is none.
sub program {
    for my $name (grep { defined && length } $ENV{CHROMIUM}, 'chromium') {
        return $name if system("command -v '$name' >/dev/null 2>&1") == 0;
    }
    return;
}

sub start {
    my ($class, %option) = @_;
    my $program = program() // return;
    my $self = bless { id => 0, buffer => '', events => [] }, $class;
    pipe my $orders, $self->{to} or die "pipe: $!";
    pipe $self->{from}, my $answers or die "pipe: $!";
    defined($self->{pid} = fork) or die "fork: $!";
    if ($self->{pid} == 0) {
        POSIX::dup2(fileno $orders,  AWAY);    # whatever has 3 and 4 now
        POSIX::dup2(fileno $answers, AWAY + 1);
        POSIX::dup2(AWAY, 3);
        POSIX::dup2(AWAY + 1, 4);
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', '/dev/null';
        setpgrp;
        { exec $program, qw(--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-component-update --disable-sync
            --disable-dev-shm-usage --remote-debugging-pipe), '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost',
            "--user-data-dir=$option{dir}", 'about:blank' }
        POSIX::_exit(127);
    }
    close $_ for $orders, $answers;
    $self->{to}->autoflush(1);
    my $target = $self->ask('Target.createTarget', url => 'about:blank');
    $self->{session} = $self->ask('Target.attachToTarget', targetId => $target->{targetId}, flatten => JSON::PP::true())->{sessionId};
    $self->ask("$_.enable") for qw(Page Runtime Log);
    return $self;
}

# The next message; undef at the deadline.
sub _message {
    my ($self, $until) = @_;
    while ($self->{buffer} !~ /\0/) {
        vec(my $ready = '', fileno $self->{from}, 1) = 1;
        my $left = $until - time;
        return if $left <= 0 || !select $ready, undef, undef, $left;
        sysread $self->{from}, $self->{buffer}, 65536, length $self->{buffer} or return;
    }
    $self->{buffer} =~ s/^([^\0]*)\0//;
    return $json->decode($1);
}

# Asks for something, and returns what is answered. What else happens meanwhile is kept.
sub ask {
    my ($self, $method, %parameters) = @_;
    my $id = ++$self->{id};
    my %message = (id => $id, method => $method, params => \%parameters, defined $self->{session} ? (sessionId => $self->{session}) : ());
    print { $self->{to} } $json->encode(\%message) . "\0";
    my $until = time + 6 * Weir::Client::wait_seconds();
    while (my $got = $self->_message($until)) {
        if (($got->{id} // 0) == $id) {
            die "$method: $got->{error}{message}\n" if $got->{error};
            return $got->{result};
        }
        push @{ $self->{events} }, $got if $got->{method};
    }
    die "$method: the browser does not answer\n";
}

sub visit {
    my ($self, $url) = @_;
    $self->ask('Page.navigate', url => $url);
    return;
}

# What an expression is worth; of a promise what it comes to.
sub value {
    my ($self, $expression) = @_;
    my $got = $self->ask('Runtime.evaluate', expression => $expression, awaitPromise => JSON::PP::true(), returnByValue => JSON::PP::true());
    die "$expression: $got->{exceptionDetails}{exception}{description}\n" if $got->{exceptionDetails};
    return $got->{result}{value};
}

# Waits until an expression is true, also where it fails before; undef at the deadline.
sub shows {
    my ($self, $expression) = @_;
    my $until = time + 3 * Weir::Client::wait_seconds();
    while (time < $until) {
        return 1 if eval { $self->value("!!($expression)") };
        select undef, undef, undef, 0.05;
    }
    return;
}

# Presses a key, as its name in the DOM.
sub press {
    my ($self, $key, $code, $text) = @_;
    my %more = (key => $key, code => $key, windowsVirtualKeyCode => $code, defined $text ? (text => $text) : ());
    $self->ask('Input.dispatchKeyEvent', type => $_, %more) for qw(keyDown keyUp);
    return;
}

sub light { my ($self, $scheme) = @_; $self->ask('Emulation.setEmulatedMedia', features => [ { name => 'prefers-color-scheme', value => $scheme } ]); return }

sub size {
    my ($self, $width, $height) = @_;
    $self->ask('Emulation.setDeviceMetricsOverride', width => $width, height => $height, deviceScaleFactor => 1, mobile => JSON::PP::false());
    return;
}

# A picture of all of the page (PNG).
sub picture { my ($self) = @_; return decode_base64($self->ask('Page.captureScreenshot', captureBeyondViewport => JSON::PP::true())->{data}) }

# What has gone wrong on pages: exceptions, and what the policy or the network has refused.
sub troubles {
    my ($self) = @_;
    return map { $_->{method} eq 'Runtime.exceptionThrown' ? $_->{params}{exceptionDetails}{exception}{description} // 'an exception'
        : $_->{method} eq 'Log.entryAdded' ? "$_->{params}{entry}{text} " . ($_->{params}{entry}{url} // '') : () } @{ $self->{events} };
}

sub DESTROY {
    my ($self) = @_;
    return unless $self->{pid};
    local $?;
    kill 'KILL', -$self->{pid};
    waitpid $self->{pid}, 0;
    return;
}

1;
