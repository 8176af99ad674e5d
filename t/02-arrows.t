# SPDX-License-Identifier: MIT
# Rooms and arrows: every #include, held against the table of docs/architecture.md.
use lib 't/lib';
use Weir::Test;
use File::Find;

chdir root_dir();

# Files in <left> may include <right> and their own folder, nothing else of ours.
my %may = (
    'lib/base'       => [],
    'lib/http'       => [qw(lib/base/)],
    'lib/walk'       => [qw(lib/base/ lib/http/)],
    'lib/wire'       => [qw(lib/base/ lib/http/ lib/walk/)],
    'router'         => [qw(lib/base/ lib/http/ lib/walk/)],
    'router/builtin' => [qw(router/weir_router.h lib/walk/weir_request.h lib/base/weir_types.h)],
    'handlers'       => [qw(lib/base/ lib/http/ lib/walk/ router/ask.h)],
    'conf'           => [qw(lib/ router/ handlers/)],
    'examples'       => [qw(conf/weir.h conf/weir_h2o.h lib/walk/weir_ lib/base/weir_ router/weir_)],
);

# A foreign header and the folders that may open it.
my @seals = (
    [ qr{^h2o(?:\.h|/configurator\.h)$} => [qw(lib/wire conf examples)] ],
    [ qr{^h2o}                          => [qw(lib/wire)] ],
    [ qr{^openssl/}                     => [qw(lib/wire)] ],
    [ qr{^nghttp2/}                     => [qw(lib/wire)] ],
    [ qr{^<yaml\.h>$}                   => [qw(conf)] ],
    [ qr{^(?:sys/)?epoll|^netdb\.h$}    => [qw(lib/wire conf)] ],
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
        return if grep { $_ eq $home } @{ $seal->[1] };
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

my $files = 0;
find({
    no_chdir => 1,
    wanted   => sub {
        return unless m{^((?:lib|router)/\w+|router|handlers|conf|examples)/[^/]+\.[ch]$};
        my ($file, $home) = ($_, $1);
        my ($line, @wrong) = 0;
        for (split /\n/, read_file($file)) {
            $line++;
            next unless m{^\s*#\s*include\s*([<"])([^>"]+)[>"]};
            my $text = complaint($home, $2, $1 eq '<');
            push @wrong, "line $line: $text" if defined $text;
        }
        is(join('; ', @wrong), '', $file);
        $files++;
    },
}, grep { -d } qw(lib router handlers conf examples));
cmp_ok($files, '>', 20, 'files were looked at');

subtest 'the table of arrows would notice' => sub {
    ok(defined complaint('lib/http', 'lib/walk/front.h'), 'http must not know the walk');
    ok(defined complaint('lib/walk', 'h2o.h', 1), 'the walk must not know libh2o');
    ok(defined complaint('conf', 'h2o/http2.h', 1), 'conf knows no more of libh2o than its configurators');
    ok(!defined complaint('conf', 'h2o/configurator.h', 1), 'those it knows');
    ok(defined complaint('handlers', 'handlers/60_connect.c'), 'a stage must not know a stage');
    ok(defined complaint('handlers', 'router/module.h'), 'a stage asks; it loads nothing');
    ok(defined complaint('router/builtin', 'lib/walk/exchange.h'), 'a built-in router sees what any router sees');
    ok(!defined complaint('router/builtin', 'weir_request.h'), 'by its bare name, too');
    ok(defined complaint('lib/wire', 'yaml.h', 1), 'the wire reads no YAML');
};

done_testing;
