# SPDX-License-Identifier: MIT
# Rooms and arrows: every #include, held against the table of docs/architecture.md.
use lib 't/lib';
use Weir::Test;
use File::Find;
use File::Path qw(make_path);

chdir root_dir();

# Files in <left> may include <right> and their own folder, nothing else of ours.
my %may = (
    'lib/base'       => [],
    'lib/http'       => [qw(lib/base/)],
    'lib/walk'       => [qw(lib/base/ lib/http/)],
    'lib/admin'      => [qw(lib/base/ lib/http/ lib/walk/ lib/wire/loop/ lib/wire/tls/)],
    'lib/state'      => [qw(lib/base/ lib/wire/store/)],
    'router'         => [qw(lib/base/ lib/http/ lib/walk/)],
    'router/kit'     => [qw(router/weir_ lib/walk/weir_ lib/base/weir_)],
    'router/builtin' => [qw(router/weir_ router/kit/ lib/walk/weir_ lib/base/weir_)],
    'handlers'       => [qw(lib/base/ lib/http/ lib/walk/ router/ask.h)],
    'conf'           => [qw(lib/ router/ handlers/)],
    'examples'       => [qw(conf/weir.h conf/weir_h2o.h lib/walk/weir_ lib/base/weir_ router/weir_)],
);

# The rooms of lib/wire, floor by floor. Each may include base, http and walk, and of the wire what stands behind it.
my %wire = (
    loop   => [],
    sock   => [qw(loop)],
    tls    => [qw(loop sock)],
    relay  => [qw(loop sock)],
    client => [qw(loop sock)],
    local  => [qw(loop sock relay)],
    back   => [qw(loop sock tls relay)],
    export => [qw(loop sock tls)],
    store  => [qw(loop sock tls)],
    front  => [qw(loop sock relay client)],
    door   => [qw(loop sock tls client front)],
    worker => [qw(loop sock relay client back front)],
    server => [qw(loop sock tls relay client local back front door worker)],
);
$may{"lib/wire/$_"} = [ qw(lib/base/ lib/http/ lib/walk/), map { "lib/wire/$_/" } @{ $wire{$_} } ] for keys %wire;

# Whether a folder is the room, or lies in it: a seal on lib/wire is for all of its rooms.
sub is_in {
    my ($home, $room) = @_;
    return $home eq $room || $home =~ m{^\Q$room\E/};
}

# A foreign header and the folders that may open it.
my @seals = (
    [ qr{^h2o(?:\.h|/configurator\.h)$} => [qw(lib/wire lib/admin conf examples)] ],
    [ qr{^h2o}                          => [qw(lib/wire)] ],
    [ qr{^openssl/}                     => [qw(lib/wire)] ],
    [ qr{^nghttp2/}                     => [qw(lib/wire)] ],
    [ qr{^ares\.h$}                     => [qw(lib/wire)] ],
    [ qr{^zlib\.h$}                     => [qw(lib/wire lib/state router/kit)] ],
    [ qr{^<yaml\.h>$}                   => [qw(conf)] ],
    [ qr{^protobuf-c/|etcd\.pb-c\.h}    => [qw(lib/wire)] ],
    [ qr{^jansson\.h$}                  => [qw(lib/admin lib/state router/kit conf)] ],
    [ qr{^(?:sys/)?epoll|^netdb\.h$}    => [qw(lib/wire conf examples)] ],
);

# Public headers include each other by their bare names: where each of them lives.
my %home;
for my $header (glob 'lib/*/weir*.h router/weir*.h conf/weir*.h') {
    my ($name) = $header =~ m{([^/]+)$};
    is($home{$name}, undef, "there is only one $name");
    $home{$name} = $header;
}
ok(scalar keys %home, 'public headers were found');

sub complaint {
    my ($home, $to, $is_angled) = @_;
    my $foreign = $is_angled && $to eq 'yaml.h' ? '<yaml.h>' : $to;
    for my $seal (@seals) {
        next unless $foreign =~ $seal->[0];
        return if grep { is_in($home, $_) } @{ $seal->[1] };
        return "<$to> is for @{ $seal->[1] } only";
    }
    return if $foreign eq '<yaml.h>';
    $to = $home{$to} // $to;
    return if $to !~ m{^(?:lib|router|handlers|conf|examples)/};
    return "a stage must not know another stage ($to)" if $home eq 'handlers' && $to =~ m{^handlers/\d};
    return "nobody includes a .c file ($to)" if $to =~ /\.c$/;
    return if $to =~ m{^\Q$home\E/[^/]+$};
    return if grep { index($to, $_) == 0 } @{ $may{$home} };
    return "$home -> $to";
}

# What is wrong with one file's includes, as lines of text.
sub wrongs_of {
    my ($path, $home) = @_;
    my ($line, @wrong) = 0;
    push @wrong, "no row of the table is for $home" unless $may{$home};
    for (split /\n/, read_file($path)) {
        $line++;
        next unless m{^\s*#\s*include\s*([<"])([^>"]+)[>"]};
        my $text = complaint($home, $2, $1 eq '<');
        push @wrong, "line $line: $text" if defined $text;
    }
    return @wrong;
}

# Every file of ours below `root`: [ path in the tree, folder ].
sub files_below {
    my ($root) = @_;
    my @found;
    my $look = sub {
        my $file = substr $_, length "$root/";
        push @found, [ $file, $1 ] if $file =~ m{^((?:lib|router)(?:/\w+)+|router|handlers|conf|examples)/[^/]+\.[ch]$};
    };
    find({ no_chdir => 1, wanted => $look }, grep { -d } map { "$root/$_" } qw(lib router handlers conf examples));
    return @found;
}

my %seen;
my @files = files_below('.');
for (@files) {
    my ($file, $home) = @$_;
    is(join('; ', wrongs_of($file, $home)), '', $file);
    $seen{$home}++;
}
cmp_ok(scalar @files, '>', 20, 'files were looked at');
is_deeply([ grep { !$seen{$_} } sort keys %may ], [], 'each row of the table was used');

subtest 'a wrong arrow in a file is found, in whatever room it stands' => sub {
    my $root = temp_path('tree');
    my %wrong = (
        'lib/wire/sock/up.c'     => 'lib/wire/back/back_pool.h',
        'lib/wire/front/side.c'  => 'lib/wire/back/back_http1.h',
        'lib/wire/attic/new.c'   => 'lib/base/list.h',
        'lib/http/up.h'          => 'lib/walk/exchange.h',
        'router/builtin/deep.c'  => 'router/question.h',
        'handlers/41_neighbour.c' => 'handlers/40_upgrade.c',
    );
    for my $file (sort keys %wrong) {
        make_path("$root/$file" =~ s{/[^/]+$}{}r);
        write_file("$root/$file", qq{#include "$wrong{$file}"\n});
    }
    my @found = files_below($root);
    is_deeply([ sort map { $_->[0] } @found ], [ sort keys %wrong ], 'all of them are looked at');
    ok(wrongs_of("$root/$_->[0]", $_->[1]), "$_->[0]: " . join '; ', wrongs_of("$root/$_->[0]", $_->[1])) for @found;
};

subtest 'the table of arrows would notice' => sub {
    ok(defined complaint('lib/http', 'lib/walk/front.h'), 'http must not know the walk');
    ok(defined complaint('lib/walk', 'h2o.h', 1), 'the walk must not know libh2o');
    ok(defined complaint('conf', 'h2o/http2.h', 1), 'conf knows no more of libh2o than its configurators');
    ok(!defined complaint('conf', 'h2o/configurator.h', 1), 'those it knows');
    ok(defined complaint('handlers', 'handlers/60_connect.c'), 'a stage must not know a stage');
    ok(defined complaint('handlers', 'router/module.h'), 'a stage asks; it loads nothing');
    ok(defined complaint('router/builtin', 'lib/walk/exchange.h'), 'a built-in router sees what any router sees');
    ok(!defined complaint('router/builtin', 'weir_request.h'), 'by its bare name, too');
    ok(defined complaint('lib/wire/loop', 'yaml.h', 1), 'the wire reads no YAML');
    ok(!defined complaint('lib/wire/front', 'h2o.h', 1), 'it knows libh2o');
    ok(defined complaint('lib/wire/loop', 'lib/wire/sock/sock.h'), 'the ground floor of the wire knows no other');
    ok(defined complaint('lib/wire/front', 'lib/wire/back/back_pool.h'), "the client's side must not know the backend's");
    ok(defined complaint('lib/wire/back', 'lib/wire/front/front_http1.h'), "nor the backend's the client's");
    ok(!defined complaint('lib/wire/front', 'lib/wire/relay/relay.h'), 'they meet in the relay');
    ok(defined complaint('lib/wire/client', 'lib/wire/door/start.h'), 'no arrow leads up');
    ok(defined complaint('lib/wire/attic', 'lib/wire/loop/loop.h'), 'a room that is not in the table includes nothing');
};

done_testing;
