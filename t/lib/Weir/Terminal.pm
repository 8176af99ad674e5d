# SPDX-License-Identifier: MIT
package Weir::Terminal;

# A command on a terminal of its own: a pseudo terminal (pty(7)), keys that are typed, and the screen as it was painted last.
#
#   my $terminal = Weir::Terminal->new(command => [...], columns => 100, rows => 24);
#   $terminal->type("r");
#   my $lines = $terminal->lines;      # of the last whole screen: from the upper left corner to the last line
#   my $status = $terminal->finish;    # what waitpid says
use strict;
use warnings;
use POSIX ();
use Time::HiRes qw(time);
use Weir::Client ();

# asm-generic/ioctls.h; the same on the machines that Debian has, but for alpha, mips, powerpc and sparc
use constant { TIOCSPTLCK => 0x40045431, TIOCGPTN => 0x80045430, TIOCSCTTY => 0x540E, TIOCSWINSZ => 0x5414 };

sub new {
    my ($class, %option) = @_;
    my $self = bless { output => '' }, $class;
    sysopen my $master, '/dev/ptmx', POSIX::O_RDWR() | POSIX::O_NOCTTY() or return;
    my ($number, $locked) = (pack('I', 0), pack 'i', 0);
    ioctl $master, TIOCSPTLCK, $locked or die "TIOCSPTLCK: $!";
    ioctl $master, TIOCGPTN, $number or die "TIOCGPTN: $!";
    my $name = '/dev/pts/' . unpack 'I', $number;
    sysopen my $slave, $name, POSIX::O_RDWR() | POSIX::O_NOCTTY() or die "$name: $!";
    @$self{qw(master slave)} = ($master, $slave);
    $self->resize(@option{qw(columns rows)});
    $self->{before} = $self->settings;
    defined($self->{pid} = fork) or die "fork: $!";
    $self->_become($name, @{ $option{command} }) if $self->{pid} == 0;
    return $self;
}

# In the child.
sub _become {
    my ($self, $name, @command) = @_;
    POSIX::setsid();
    close $self->{master};
    for my $fd (0 .. 2) { POSIX::dup2(fileno $self->{slave}, $fd) }
    ioctl STDIN, TIOCSCTTY, my $none = 0;
    $ENV{TERM} = 'xterm';
    { exec { $command[0] } @command }
    POSIX::_exit(127);
}

sub pid { return $_[0]{pid} }

sub resize {
    my ($self, $columns, $rows) = @_;
    my $size = pack 'S4', $rows, $columns, 0, 0;
    ioctl $self->{slave}, TIOCSWINSZ, $size or die "TIOCSWINSZ: $!";
    return;
}

# The terminal's settings as text: flags, and what its keys are.
sub settings {
    my ($self) = @_;
    my $termios = POSIX::Termios->new;
    $termios->getattr(fileno $self->{slave}) or die "tcgetattr: $!";
    return join ' ', map { $termios->$_ } qw(getiflag getoflag getcflag getlflag);
}

sub is_as_before { return $_[0]->settings eq $_[0]{before} }

sub type {
    my ($self, $keys) = @_;
    syswrite $self->{master}, $keys;
    return;
}

# Takes what is there now.
sub _read {
    my ($self, $seconds) = @_;
    vec(my $wanted = '', fileno $self->{master}, 1) = 1;
    while (select(my $ready = $wanted, undef, undef, $seconds)) {
        sysread $self->{master}, $self->{output}, 65536, length $self->{output} or last;
        $seconds = 0;
    }
    return;
}

sub output { $_[0]->_read(0); return $_[0]{output} }

# The lines of the last screen that was painted as a whole, without looks.
sub lines {
    my ($self) = @_;
    my ($frame) = $self->output =~ /.*\e\[H(?!\e\[2J)(.*?)\e\[J/s or return [];
    return [ map { s/\e\[\d*[mK]//gr } split /\r\n/, $frame ];
}

sub text { return join "\n", @{ $_[0]->lines } }

# Waits until the screen is so; undef at the deadline.
sub shows {
    my ($self, $pattern) = @_;
    my $until = time + Weir::Client::wait_seconds();
    while (time < $until) {
        return 1 if $self->text =~ $pattern;
        $self->_read(0.05);
    }
    return;
}

# Waits for its end. Returns what waitpid says; undef at the deadline.
sub finish {
    my ($self) = @_;
    my $until = time + Weir::Client::wait_seconds();
    while (time < $until) {
        $self->_read(0.02);
        next unless waitpid($self->{pid}, POSIX::WNOHANG()) == $self->{pid};
        $self->{pid} = undef;
        my $status = $?;
        $self->_read(0);
        return $status;
    }
    return;
}

sub DESTROY {
    my ($self) = @_;
    return unless $self->{pid};
    local $?;
    kill 'KILL', $self->{pid};
    waitpid $self->{pid}, 0;
    return;
}

1;
