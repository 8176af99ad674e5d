# SPDX-License-Identifier: MIT
# The command line, and what it says about a configuration.
use lib 't/lib';
use Weir::Test;

my $good = <<'YAML';
listen: 127.0.0.1:1
hosts:
  default:
    paths:
      /:
        weir.router:
          module: table
          apps:
            shop:
              domains: [ shop.example, "*.shop.example" ]
              backends: [ "127.0.0.1:8081", "[::1]:8082", "unix:/run/shop.sock", "backend.internal:80" ]
YAML

sub file { my ($yaml) = @_; return write_file(temp_path('weir.yaml'), $yaml) }

subtest 'check' => sub {
    for my $words ([ 'check', '-c' ], [ '-t', '-c' ]) {
        my $run = weir(@$words, file($good));
        is($run->{exit}, 0, "@$words: exit 0") or diag($run->{err});
        like($run->{out}, qr/\Q$_\E/, "@$words: the pipeline names $_")
            for qw(begin validate lookup continue upgrade checkout connect relay refuse checkin end table);
    }
    my $broken = file($good . "\n\"");
    is(weir('check', '-c', $broken)->{exit}, 1, 'broken YAML: exit 1');
    my $busy = proxy(yaml => $good =~ s/127\.0\.0\.1:1\n/\@PORT\@\n/r);
    is(weir('check', '-c', $busy->config)->{exit}, 0, 'check binds nothing');
};

subtest 'mistakes are told with file and line' => sub {
    my @cases = (    # name, what to change, line, words
        [ 'an unknown directive',         sub { s/^hosts/weir.conect-timeout: 5\nhosts/m },            2,  qr/weir\.conect-timeout/ ],
        [ 'a number that is none',        sub { s/^hosts/weir.connect-timeout: soon\nhosts/m },        2,  qr/soon|number/ ],
        [ 'one out of range',             sub { s/^hosts/weir.connect-timeout: 0\nhosts/m },           2,  qr/connect-timeout/ ],
        [ 'a negative one',               sub { s/^hosts/weir.idle-timeout: -1\nhosts/m },             2,  qr/idle-timeout/ ],
        [ 'a flag that is none',          sub { s/^hosts/weir.proxy-status: MAYBE\nhosts/m },          2,  qr/ON.*OFF/ ],
        [ 'a choice that is none',        sub { s/^hosts/weir.header-case: upper\nhosts/m },           2,  qr/preserve.*canonical/ ],
        [ 'a header name that is none',   sub { s/^hosts/weir.request-id-header: "a b"\nhosts/m },     2,  qr/request-id-header/ ],
        [ 'a directive at a wrong level', sub { s/weir\.router:/weir.router: table\n        num-threads: 3\n        x:/ }, 7, qr/num-threads/ ],
        [ 'an unknown key of the table',  sub { s/domains:/domainz:/ },                                10, qr/domainz/ ],
        [ 'a backend without port',       sub { s/"127\.0\.0\.1:8081"/"127.0.0.1"/ },                  11, qr/127\.0\.0\.1/ ],
        [ 'a backend of a bad port',      sub { s/127\.0\.0\.1:8081/127.0.0.1:99999/ },                11, qr/99999/ ],
        [ 'an app without backends',      sub { s/^ *backends.*\n//m },                                undef, qr/shop|backends/ ],
        [ 'a domain of two apps',         sub { $_ .= "            blog: { domains: [ shop.example ], backends: [ \"127.0.0.1:1\" ] }\n" }, 12, qr/shop\.example/ ],
        [ 'an unknown feature',           sub { $_ .= "              features: [ deep-contine ]\n" },  12, qr/deep-contine/ ],
        [ 'an unknown keepalive',         sub { $_ .= "              keepalive: forever\n" },          12, qr/forever|keepalive/ ],
        [ 'a module that is not there',   sub { s/module: table/module: .\/none.so/ },                 7,  qr/none\.so/ ],
        [ 'a bad listen address',         sub { s/127\.0\.0\.1:1\n/127.0.0.1:port\n/ },                1,  qr/port/ ],
        [ 'a tab in the YAML',            sub { s/^  default/\tdefault/m },                            3,  qr/there is a tab in front/ ],
        [ 'a key of a router twice',      sub { s/( *domains:)/$1 [ x ]\n$1/ },                        11, qr/domains stands on line 10 already/ ],
        [ 'a listen host that is none',   sub { s/127\.0\.0\.1:1\n/nowhere.invalid:1\n/ },             1,  qr/host nowhere\.invalid: / ],
        [ 'a word for another\'s help',   sub { s/^hosts/expires: 3 parsecs\nhosts/m },                2,  qr/unknown unit:`parsecs`$/ ],
    );
    for my $case (@cases) {
        my ($name, $change, $line, $words) = @$case;
        my $yaml = $good;
        $change->() for $yaml;
        my $path = file($yaml);
        for my $verb ('check', 'run') {
            my $run = weir($verb, '-c', $path);
            is($run->{exit}, 1, "$verb: $name: exit 1");
            my $at = defined $line ? qr/^\Q$path\E:$line: / : qr/^\Q$path\E:\d+: /;
            like($run->{err}, qr/$at.*(?:$words)/m, "$verb: $name: " . (defined $line ? "line $line" : 'a line') . ' and why');
        }
    }
};

# CPU seconds that `weir check` takes for so many hosts, each with a router of its own; the best of three.
sub cost_of {
    my ($hosts) = @_;
    my $path = file("listen: 127.0.0.1:1\nhosts:\n" . join '', map { "  h$_.test: { paths: { /: { proxy.reverse.url: \"http://127.0.0.1:9/\", weir.stages: [] } } }\n" } 1 .. $hosts);
    my $best;
    for (1 .. 3) {
        my @before = times;
        is(weir('check', '-c', $path)->{exit}, 0, "$hosts hosts");
        my @after = times;
        my $cost = $after[2] + $after[3] - $before[2] - $before[3];
        $best = $cost if !defined $best || $cost < $best;
    }
    return $best;
}

subtest 'many hosts are loaded in time that grows with their number alone' => sub {
    my ($few, $many) = (cost_of(2500), cost_of(10000));
    ok($many / $few < 7, sprintf 'four times as many: %.2f s and %.2f s', $few, $many);
};

subtest 'a file that is not there' => sub {
    for my $verb ('run', 'check') {
        my $run = weir($verb, '-c', './no/such/file.yaml');
        is($run->{exit}, 1, "$verb: exit 1");
        like($run->{err}, qr{no/such/file\.yaml}, "$verb: its name");
    }
};

subtest 'version and help' => sub {
    for my $word (qw(version -v --version)) {
        my $run = weir($word);
        is($run->{exit}, 0, "$word: exit 0");
        like($run->{out}, qr/\bweir\b.*\d+\.\d+/i, "$word: ours");
        like($run->{out}, qr/\Q$_\E/i, "$word: $_") for qw(libh2o OpenSSL nghttp2 c-ares ABI);
    }
    for my $word (qw(help -h --help)) {
        my $run = weir($word);
        is($run->{exit}, 0, "$word: exit 0");
        like($run->{out}, qr/\b$_\b/, "$word: names $_") for qw(run check version);
    }
};

subtest 'wrong usage' => sub {
    for my $words ([], ['runn'], [ 'run', '--frobnicate' ], ['run'], [ 'run', '-c' ], [ 'check', 'x', 'y' ]) {
        my $run = weir(@$words);
        is($run->{exit}, 2, "weir @$words: exit 2");
        like($run->{err}, qr/\S/, "weir @$words: says something");
        is($run->{out}, '', "weir @$words: on standard error");
    }
};

subtest 'an address that is taken' => sub {
    my $one = proxy(yaml => $good =~ s/127\.0\.0\.1:1\n/127.0.0.1:\@PORT\@\n/r);
    my $run = weir('run', '-c', $one->config);
    is($run->{exit}, 1, 'exit 1');
    like($run->{err}, qr/in use/i, 'and why');
};

subtest 'ways to listen' => sub {
    my $backend = ok_backend('ok');
    my $path = temp_path('weir.sock');
    my $proxy = proxy(
        backends => [$backend],
        listen => [ { type => 'unix', port => $path, permission => 666 } ],
    );
    my $client = Weir::Client->connect("unix:$path");
    ok($client, 'a unix socket');
    if ($client) {
        $client->write("GET /unix HTTP/1.1\r\nHost: a\r\n\r\n");
        is($client->read_response->body, 'ok', 'is served');
        is(sprintf('%o', (stat $path)[2] & 07777), '666', 'with its permission');
    }
    is($proxy->get('/')->body, 'ok', 'beside a port');
    $proxy->stop;
    ok(!-e $path, 'its file is removed at the end');
};

subtest 'short forms' => sub {
    my $backend = ok_backend('ok');
    my $short = proxy(
        paths => { '/' => { 'weir.router' => router_so('small') } },
    );
    is($short->get('/')->status, 502, 'weir.router: PATH');
};

done_testing;
