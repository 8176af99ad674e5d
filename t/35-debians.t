# SPDX-License-Identifier: MIT
# What ./dev does on a Debian that has no libh2o: a source for it, pinned to it, after asking.
use lib 't/lib';
use Weir::Test;

chdir root_dir();

# add_source on a system whose /etc is a directory of this test. What it says, its exit status, and that directory.
sub add_source {
    my (%option) = @_;
    my $etc = temp_path('etc');
    mkdir $_ or die "$_: $!" for $etc, "$etc/apt", "$etc/apt/sources.list.d", "$etc/apt/preferences.d";
    write_file("$etc/os-release", "ID=debian\nVERSION_CODENAME=$option{codename}\n");
    my $targets = $option{targets} // "$option{codename} main http://mirror.test/debian/";
    my $run = run_command('bash', '-euc', <<'SH', 'bash', $etc, $targets, $option{yes} // '');
. deps/apt.sh
etc=$1 known=$2 yes=$3
as_root() { "$@"; }
apt-get() { case $1 in indextargets) echo "$known" ;; *) echo "apt-get $*" ;; esac }
add_source libh2o </dev/null
add_source libh2o </dev/null
SH
    my %files = map { (split m{/})[-1] => read_file($_) } glob "$etc/apt/*/*";
    return { %$run, files => \%files };
}

subtest 'Debian 13' => sub {
    my $run = add_source(codename => 'trixie', yes => 1);
    is($run->{exit}, 0, 'with --yes') or diag($run->{err});
    is(join(' ', sort keys %{ $run->{files} }), 'weir-libh2o.pref weir-libh2o.sources', 'a source, and its pins');
    my $source = $run->{files}{'weir-libh2o.sources'} // '';
    like($source, qr{^URIs: http://mirror\.test/debian/$}m, "from the machine's own mirror");
    like($source, qr{^Suites: bookworm$}m, 'Debian 12');
    like($source, qr{^Signed-By: }m, "signed by Debian's keys");
    my @pins = ($run->{files}{'weir-libh2o.pref'} // '') =~ /^Package: (.*)\nPin: release n=bookworm\nPin-Priority: (.*)$/mg;
    is("@pins", '* -1 src:h2o 500', 'nothing but h2o comes from it');
    is($run->{out}, "apt-get update\n", 'lists are fetched, once: what is there is left alone');
};

subtest 'nothing happens' => sub {
    my $run = add_source(codename => 'trixie');
    isnt($run->{exit}, 0, 'when nobody can be asked');
    like($run->{err}, qr/no libh2o.*deps\/trixie\/.*--yes/, 'but is told how to agree');
    is_deeply($run->{files}, {}, 'no file');
    $run = add_source(codename => 'trixie', yes => 1, targets => 'sid contrib http://mirror.test/other/');
    isnt($run->{exit}, 0, 'without a mirror');
    like($run->{err}, qr/no Debian mirror.*WEIR_MIRROR/, 'but is told how to name one');
    ok(!$run->{files}{'weir-libh2o.sources'}, 'no source');
    $run = add_source(codename => 'bookworm', yes => 1);
    is($run->{exit}, 0, 'on Debian 12') or diag($run->{err});
    is_deeply($run->{files}, {}, 'which has libh2o itself');
};

subtest './dev elsewhere' => sub {
    my $run = run_command('./dev', 'elsewhere', 'nowhere');
    isnt($run->{exit}, 0, 'a Debian that is not known');
    like($run->{err}, qr/bookworm and trixie are known, 'nowhere' is not/, 'is refused by name');
    SKIP: {
        skip 'it takes root to be somebody else', 2 if $> != 0;
        $run = run_command('setpriv', '--reuid=65534', '--clear-groups', './dev', 'elsewhere', 'trixie');
        isnt($run->{exit}, 0, 'without root');
        like($run->{err}, qr/need root: sudo \.\/dev elsewhere trixie/, 'is refused with a way out');
    }
};

done_testing;
