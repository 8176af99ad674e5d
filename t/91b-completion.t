# SPDX-License-Identifier: MIT
# weir completion: what shells put in for half a word, with the names that the running process knows, and without one.
use lib 't/lib';
use Weir::Test;
use IO::Socket::UNIX;

my $path = temp_path('admin.sock');
my $ok   = ok_backend('ok');
my $proxy = proxy(
    global => { 'weir.admin' => { path => $path } },
    router => { module => 'table', name => 'main', apps => {
        shop => { domains => [ 'shop.test', 'www.shop.test' ], backends => [ { at => $ok->address, id => 'web-1' }, { at => $ok->address, id => 'web-2' }, '127.0.0.1:8081' ] },
        shed => { domains => ['shed.test'], backends => [ $ok->address ] },
        blog => { domains => ['blog.test'], backends => [ $ok->address ] } } },
);
ok(wait_for { -S $path }, 'the endpoint is there');

# What is offered for the last of these words.
sub offered { return [ sort split /\n/, weir('complete', @_)->{out} ] }

subtest 'what is offered' => sub {
    is_deeply(offered('re'), [qw(reload remove resume revert)], 'commands');
    is_deeply(offered('shop-is-no-command', ''), [], 'nothing for what is none');
    is_deeply(offered('drain', '--'), [qw(--conf --json --max --ramp --router --socket --wait)], 'options');
    is_deeply(offered('pause', '--m'), ['--max'], 'of a command of its own');
    is_deeply(offered('drain', '-s', $path, 'sh'), [qw(shed shop)], 'apps');
    is_deeply(offered('drain', '-c', $proxy->config, 'b'), ['blog'], 'of the process of a configuration');
    is_deeply(offered('drain', '-s', $path, 'shop', 'web'), [qw(web-1 web-2)], 'backends of an app');
    is_deeply(offered('drain', '-s', $path, 'nobody', ''), [], 'none of one that is not there');
    is_deeply(offered('drain', '-s', $path, 'shop', 'web-1', ''), [], 'and no word too many');
    is_deeply(offered('drain', '-s', $path, '--router', ''), ['main'], 'routers');
    is_deeply(offered('drain', '-s', $path, '--router', 'main', 'bl'), ['blog'], 'and what they have');
    is_deeply(offered('explain', '-s', $path, 'GET', 'https://sh'), [qw(https://shed.test/ https://shop.test/)], 'domains');
    is_deeply(offered('domain', 'add', '-s', $path, 'w'), ['www.shop.test'], 'of commands about them');
    is_deeply(offered('domain', '-s', $path, 'add', 'new.test', 'sh'), [qw(shed shop)], 'and the app behind');
    is_deeply(offered('revert', '-s', $path, 'sho'), [qw(shop shop.test)], 'either');
    is_deeply(offered('explain', '-s', $path, 'PO'), ['POST'], 'methods');
    is_deeply(offered('completion', ''), [qw(bash fish zsh)], 'shells');
    is_deeply(offered('state', ''), [qw(accept delete diff export import put)], 'what is asked of a source, and done to a store');
    is_deeply(offered('state', 'put', '--p'), [qw(--password-file --prefix)], 'with its options');
    is_deeply(offered('run', '-c', ''), [], 'files are the shell\'s');
    my %known = map { $_ => 1 } @{ offered('') };
    my @told  = map { split /\|/ } weir('help')->{out} =~ /^(?:usage:)? +weir ([a-z|]+)/mg;
    cmp_ok(scalar @told, '>', 20, 'the help tells of commands');
    is_deeply([ grep { !$known{$_} } @told ], [], 'all of which are offered');
};

subtest 'nobody answers' => sub {
    my $run = weir('complete', 'drain', '-s', temp_path('nobody'), 'sh');
    is("$run->{exit} $run->{out}$run->{err}", '0 ', 'nothing is offered, and nothing is said');
    is_deeply(offered('drain', '-c', temp_path('none.yaml'), 'sh'), [], 'nor without the file');
    my $silent = IO::Socket::UNIX->new(Local => my $still = temp_path('still'), Listen => 1) or die "listen: $!";
    is_deeply(offered('drain', '-s', $still, 'sh'), [], 'one who keeps silent holds nobody up');
};

# What bash puts in for the last word of a line.
sub in_bash {
    my ($line) = @_;
    my $build  = $ENV{WEIR_BUILD} // 'build/release';
    my $script = write_file(temp_path('complete.sh'), weir('completion', 'bash')->{out}, <<'END');
[[ $(complete -p weir) == *_weir* ]] || echo 'not taught'
COMP_LINE=$1; COMP_POINT=${#COMP_LINE}; _weir
printf '%s\n' "${COMPREPLY[@]}"
END
    my $bin = temp_path('bin');
    mkdir $bin;
    symlink root_dir() . "/$build/weir", "$bin/weir";
    local $ENV{PATH} = "$bin:$ENV{PATH}";
    my $run = run_command('bash', '--norc', $script, $line);
    is($run->{err}, '', 'bash has nothing to say');
    return [ sort grep { length } split /\n/, $run->{out} ];
}

SKIP: {
    skip 'there is no bash', 1 unless grep { -x "$_/bash" } split /:/, $ENV{PATH};
    subtest 'bash' => sub {
        is_deeply(in_bash('weir dra'), ['drain'], 'a command');
        is_deeply(in_bash("weir drain -s $path sh"), [qw(shed shop)], 'apps');
        is_deeply(in_bash("weir drain -s $path shop "), [ '127.0.0.1:8081', qw(web-1 web-2) ], 'backends');
        is_deeply(in_bash("weir drain -s $path shop 127.0.0.1:80"), ['8081'], 'behind the colon, at which bash cuts');
        is_deeply(in_bash("weir explain -s $path https://sho"), ['//shop.test/'], 'URLs, too');
        is_deeply(in_bash('weir run -c '), [], 'files are left to bash');
    };
}

for my $shell (qw(zsh fish)) {
    my ($program) = grep { -x } map { "$_/$shell" } split /:/, $ENV{PATH};
    SKIP: {
        skip "there is no $shell", 1 unless $program;
        my $script = write_file(temp_path("complete.$shell"), weir('completion', $shell)->{out});
        is(run_command($program, '-n', $script)->{exit}, 0, "$shell can read its script");
    }
}
is(weir('completion', 'csh')->{exit}, 2, 'a shell that is not known');

done_testing;
