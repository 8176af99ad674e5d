# SPDX-License-Identifier: MIT
# The admin endpoint over TCP: tokens, certificates, who is kept out, and how much that costs the others.
use lib 't/lib';
use Weir::Test;
use Weir::TLS;
use Weir::Admin;
use JSON::PP ();

admin_path(temp_path('admin.sock'));
my ($right, $other) = ('r' x 40, 'o' x 40);
my $tokens = tokens("# who may\n\ndeploy: $right\n$other\n");
my $ok   = ok_backend('ok');
my %main = (module => 'table', name => 'main', apps => { shop => { domains => ['shop.test'], backends => [ { at => $ok->address, id => 'one' } ] } });

# A file of them, as it is to be: none of the world's.
sub tokens { my ($text, $path) = @_; $path //= temp_path('tokens'); write_file("$path.new", $text); chmod 0640, "$path.new"; rename "$path.new", $path or die "rename: $!"; return $path }

sub steered {
    my (%admin) = @_;
    my $proxy = proxy(global => { 'weir.admin' => \%admin }, paths => { '/' => { 'weir.router' => \%main } });
    ok(wait_for { Weir::Client->connect($admin{listen}) && (!$admin{path} || -S $admin{path}) }, 'the endpoint is there');
    return $proxy;
}

# The request for a target: a text.
sub request {
    my ($method, $target, $token, %fields) = @_;
    %fields = (Host => 'localhost', 'Content-Length' => length($fields{body} // ''), ($token ? (Authorization => "Bearer $token") : ()), %fields);
    my $body = delete $fields{body} // '';
    return join('', "$method $target HTTP/1.1\r\n", (map { "$_: $fields{$_}\r\n" } sort keys %fields), "\r\n$body");
}

sub over { my ($client, @request) = @_; $client->write(request(@request)); return $client->read_response }
sub plainly { my ($port, @request) = @_; return over(Weir::Client->connect($port), @request) }

my $port  = free_port();
my $proxy = steered(path => admin_path(), listen => "127.0.0.1:$port", 'token-file' => $tokens, host => 'weir-1.example');

subtest 'tokens' => sub {
    is(plainly($port, GET => '/v1/version', $right)->status, 200, 'the right one');
    is(plainly($port, GET => '/v1/version', $other)->status, 200, 'the other one');
    for my $wrong (undef, 'x' x 40, substr($right, 1), "${right}r", '') {
        my $got = plainly($port, GET => '/v1/version', $wrong);
        is($got->status, 401, 'not ' . ($wrong // 'none'));
        is($got->header('WWW-Authenticate'), 'Bearer realm="weir"', 'and which would be');
        is(JSON::PP::decode_json($got->body)->{type}, 'urn:weir:problem:unauthorized', 'as a problem') if $got->framing ne 'chunked';
    }
    is(plainly($port, GET => '/v1/version', undef, Authorization => "Basic $right")->status, 401, 'nor another scheme');
    is(plainly($port, GET => '/', undef)->status, 401, 'the page is not for others either');
    is(call(GET => '/v1/version')->{status}, 200, 'none is needed at the socket');
    like($proxy->stderr, qr/^weir: weir\.admin: 127\.0\.0\.1:\d+: no token$/m, 'it is told');
    like($proxy->stderr, qr/^weir: weir\.admin: 127\.0\.0\.1:\d+: a token that is not known$/m, 'and what was wrong');
    unlike($proxy->stderr, qr/rrrrrrrr|oooooooo|xxxxxxxx/, 'without the token');
};

subtest 'by which names' => sub {
    is(plainly($port, GET => '/v1/version', $right, Host => $_)->status, 200, $_) for "127.0.0.1:$port", "localhost:$port", 'weir-1.example', "WEIR-1.example:$port";
    is(plainly($port, GET => '/v1/version', $right, Host => 'evil.example')->status, 403, 'none whose name leads here');
    is(plainly($port, POST => '/v1/apps/shop/stop', $right, Host => 'weir-1.example', Origin => 'http://evil.example')->status, 403, 'nor a page of it');
    is(call(GET => '/v1/version', undef, Host => 'weir-1.example')->{status}, 403, 'it is no name of the socket');
};

subtest 'who it was' => sub {
    my $seq = call(GET => '/v1/apps')->{document}{seq};
    is(plainly($port, POST => '/v1/apps/shop/backends/one/up', $right)->status, 200, 'a change');
    is(plainly($port, POST => '/v1/apps/shop/backends/one/up', $other)->status, 200, 'and another');
    like($proxy->stderr, qr{change \d+ by token deploy \(127\.0\.0\.1:\d+\): patch /apps/shop/backends/one}, 'by its name');
    like($proxy->stderr, qr{change \d+ by token of line 4 \(127\.0\.0\.1:\d+\): patch}, 'or its line');
    my ($told) = lines_of(call(GET => "/v1/watch?once=1&after=$seq")->{body});
    is($told->{who}{name}, 'token deploy', 'who watches is told');
    like($told->{who}{address}, qr/^127\.0\.0\.1:\d+$/, 'from where');
};

subtest 'tokens are exchanged' => sub {
    my $new = 'n' x 40;
    my $kept = Weir::Client->connect($port);
    is(over($kept, GET => '/v1/version', $other)->status, 200, 'a connection with the old one');
    tokens("fresh: $new\ndeploy: $right\n", $tokens);
    my $seen = sub { my ($what) = @_; return wait_for { plainly($port, GET => '/v1/version', $right); $proxy->stderr =~ $what } };
    ok($seen->(qr/weir\.admin: \Q$tokens\E: 2 tokens are known now/), 'which is seen by and by');
    is(plainly($port, GET => '/v1/version', $new)->status, 200, 'a new one is known');
    is(plainly($port, GET => '/v1/version', $right)->status, 200, 'what stayed is');
    is(over($kept, GET => '/v1/version', $other)->status, 401, 'what has gone is not, on the old connection either');
    tokens("short\n", $tokens);
    ok($seen->(qr/weir\.admin: \Q$tokens\E:1: a token has 16 to 255 .*; the tokens that were known stay$/m), 'one that is none');
    is(plainly($port, GET => '/v1/version', $new)->status, 200, 'changes nothing');
    chmod 0644, $tokens;
    ok($seen->(qr/\Q$tokens\E: others than its owner and its group may open it.*stay$/m), 'nor does one that all may read');
    unlink $tokens;
    ok($seen->(qr/\Q$tokens\E: No such file.*stay$/m), 'nor one that is gone');
    tokens("deploy: $right\n$other\n", $tokens);
    ok($seen->(qr/2 tokens are known now.*2 tokens are known now/s), 'and it is there again');
    is(plainly($port, GET => '/v1/version', $other)->status, 200, 'with the old one');
};

subtest 'whoever guesses' => sub {
    my $many = sub {
        my $client = Weir::Client->connect($port);
        $client->write(request(GET => '/v1/version', 'guess' x 8) x 40);
        my @status;
        while (my $status = $client->read_response->status) { push @status, $status }
        return @status;
    };
    my @first;
    ok(wait_for { @first = $many->(); scalar @first }, 'is told why');
    cmp_ok(scalar @first, '<=', 20, 'is cut behind ten in a second, and once more if another second has begun');
    is_deeply([ grep { $_ != 401 } @first ], [], 'and nothing else');
    my $told = () = $proxy->stderr =~ /a token that is not known/g;
    $many->() for 1 .. 20;
    is(plainly($port, GET => '/v1/version', $right)->status, 200, 'nobody is locked out by that');
    is(call(GET => '/v1/version')->{status}, 200, 'nor at the socket');
    my $now = () = $proxy->stderr =~ /a token that is not known/g;
    cmp_ok($now - $told, '<', 400, 'and the log is not filled');
};

subtest 'commands' => sub {
    my @at = ('-s', "http://127.0.0.1:$port");
    my $got = weir('apps', @at, '--token-file', $tokens);
    is($got->{exit}, 0, 'with the first token of a file') or diag $got->{err};
    like($got->{out}, qr/^shop\s/m, 'they do what they do');
    my $none;
    ok(wait_for { ($none = weir('apps', @at))->{exit} == 1 }, 'without one they are refused');
    like($none->{err}, qr/a token is needed/, 'and say why');
    my $by = run_command({ env => { WEIR_ADMIN => "http://localhost:$port", WEIR_ADMIN_TOKEN_FILE => $tokens } }, build_dir() . '/weir', 'weight', 'shop', 'one', '7');
    is($by->{exit}, 0, 'by the environment') or diag $by->{err};
    is(call(GET => '/v1/apps/shop/backends/one')->{document}{weight}, 7, 'it is done');
    is(weir('explain', 'http://shop.test/', @at, '--token-file', $tokens)->{exit}, 0, 'explain');
    is(weir('top', '--once', '--interval', '0.5', @at, '--token-file', $tokens)->{exit}, 0, 'top');
    is(weir('apps', '-s', 'http://127.0.0.1:' . refusing_port(), '--token-file', $tokens)->{exit}, 6, 'nobody is there');
    is(weir('apps', '-s', 'http://', '--token-file', $tokens)->{exit}, 6, 'nor where this is');
    like(weir('apps', @at, '--token-file', temp_path('none'))->{err}, qr/No such file/, 'no file');
};

subtest 'more who are known than there is room for' => sub {
    my (@kept, @status);
    for (1 .. 70) {
        push @kept, Weir::Client->connect($port);
        push @status, over($kept[-1], GET => '/v1/version', $right)->status;
    }
    is_deeply([ grep { $_ != 200 } @status ], [], 'whoever comes is let in');
    is(call(GET => '/v1/version')->{status}, 200, 'at the socket, too');
};

subtest 'an upgrade' => sub {
    my $first = $proxy->pid;
    my $held = $proxy->connect;
    $held->write("GET / HTTP/1.1\r\nHost: shop.test\r\n");
    is($proxy->upgrade, $first, 'there is a successor') or return;
    my $who = sub { return plainly($port, GET => '/v1/version', $right)->body =~ /"pid":(\d+)/ ? $1 : 0 };
    ok(wait_for { 20 == grep { $who->() == $proxy->pid } 1 .. 20 }, 'its predecessor lets nobody in any more');
    is_deeply([ grep { $who->() != $proxy->pid } 1 .. 20 ], [], 'whoever comes gets to the successor');
    $held->close;
    is(wait_for_pid($first), 0, 'its predecessor ends well');
};

$proxy->ends_well;

subtest 'certificates' => sub {
    my ($ca, $stranger) = (authority('ours'), authority('theirs'));
    my $server = certificate('weir-1.example', ca => $ca, names => [ 'weir-1.example', '127.0.0.1', 'localhost' ]);
    my $ops    = certificate('ops-1', ca => $ca);
    my $wrong  = certificate('ops-1', ca => $stranger);
    my %tls    = ('certificate-file' => $server->{cert}, 'key-file' => $server->{key}, 'client-ca-file' => $ca->{cert});
    my $secure = free_port();
    my $steered = steered(path => admin_path(), listen => "127.0.0.1:$secure", %tls);
    my $ask = sub { my ($cert, @request) = @_; my $client = tls_client($secure, ca => $ca, $cert ? (cert => $cert) : ()) or return 0; return over($client, @request)->status };

    is($ask->($ops, GET => '/v1/version'), 200, 'the right one');
    is($ask->($ops, POST => '/v1/apps/shop/backends/one/up'), 200, 'may change');
    like($steered->stderr, qr{change \d+ by certificate CN=ops-1 \(127\.0\.0\.1:\d+\): patch}, 'by its name');
    is($ask->($wrong, GET => '/v1/version'), 0, 'one of another authority');
    is($ask->(undef, GET => '/v1/version'), 0, 'none');
    ok(wait_for { $steered->stderr =~ /weir\.admin: 127\.0\.0\.1:\d+: there was no TLS handshake: / }, 'is told');
    is(plainly($secure, GET => '/v1/version')->status, 0, 'and no TLS is none');
    is($ask->($ops, POST => '/v1/apps/shop/stop', undef, Origin => 'https://evil.example'), 403, 'a page that has a browser show it');
    my $client = tls_client($secure, ca => $ca, cert => $ops, alpn => [ 'h2', 'http/1.1' ]);
    is(over($client, GET => '/v1/version')->version, '1.1', 'HTTP/2 is not spoken');
    is(over($client, GET => '/v1/apps', undef)->status, 200, 'a connection is kept');
    $client->write(request(PUT => '/v1/state', undef, body => call(GET => '/v1/state')->{body} =~ s/\}$/, "x": "@{[ ' ' x 300000 ]}"}/r));
    like($client->read_response->status, qr/^(?:200|4\d\d)$/, 'a large body comes whole');

    my @files = ('--ca-file', $ca->{cert}, '--certificate-file', $ops->{cert}, '--key-file', $ops->{key});
    my $got = weir('apps', '-s', "https://127.0.0.1:$secure", @files);
    is($got->{exit}, 0, 'commands') or diag $got->{err};
    like($got->{out}, qr/^shop\s/m, 'do what they do');
    is(weir('apps', '-s', "https://localhost:$secure/", @files)->{exit}, 0, 'by a name, too');
    my $none = weir('apps', '-s', "https://127.0.0.1:$secure", '--ca-file', $ca->{cert});
    is($none->{exit}, 6, 'not without a certificate');
    my $doubt = weir('apps', '-s', "https://127.0.0.1:$secure", '--ca-file', $stranger->{cert}, @files[2 .. 5]);
    is($doubt->{exit}, 6, 'nor to who is not believed');
    like($doubt->{err}, qr/127\.0\.0\.1 is not believed: /, 'and why');

    my $watching = open_socket();
    print {$watching} "GET /v1/watch HTTP/1.1\r\nHost: localhost\r\n\r\n";
    my $text = '';
    ok(wait_for { sysread $watching, $text, 4096, length $text; $text =~ /\r\n\r\n/ }, 'somebody watches');
    my @silent = map { Weir::Client->connect($secure) } 1 .. 100;
    is($ask->($ops, GET => '/v1/version'), 200, 'a hundred handshakes that do not begin keep nobody out');
    is(call(GET => '/v1/version')->{status}, 200, 'at the socket either');
    ok(wait_for { $silent[0]->read_eof || $silent[0]->is_eof }, 'the oldest strangers are cut');
    is($ask->($ops, POST => '/v1/apps/shop/backends/one/off'), 200, 'a change');
    ok(wait_for { sysread $watching, $text, 4096, length $text; $text =~ m{"certificate CN=ops-1"} }, 'is told to who watched before');
    $steered->ends_well;
};

subtest 'both, and TLS with a token alone' => sub {
    my $ca = authority('ours');
    my $server = certificate('127.0.0.1', ca => $ca);
    my $ops = certificate('ops-1', ca => $ca, subject => "/O=Ops, Inc./CN=ops\n1");
    my ($both, $alone) = (free_port(), free_port());
    my %tls = ('certificate-file' => $server->{cert}, 'key-file' => $server->{key}, 'token-file' => $tokens);
    my $steered = steered(listen => "127.0.0.1:$both", %tls, 'client-ca-file' => $ca->{cert});
    is(over(tls_client($both, ca => $ca, cert => $ops), GET => '/v1/version')->status, 401, 'a certificate is not enough');
    is(over(tls_client($both, ca => $ca, cert => $ops), POST => '/v1/apps/shop/backends/one/up', $right)->status, 200, 'with a token it is');
    like($steered->stderr, qr{by certificate CN=\S+\\, Inc\. and token deploy \(|by certificate CN=.* and token deploy \(}, 'both are told');
    unlike($steered->stderr, qr/^1/m, 'in one line');
    $steered->ends_well;
    my $second = steered(listen => "127.0.0.1:$alone", %tls);
    is(over(tls_client($alone, ca => $ca), GET => '/v1/version', $right)->status, 200, 'a token, kept secret');
    is(weir('apps', '-s', "https://127.0.0.1:$alone", '--ca-file', $ca->{cert}, '--token-file', $tokens)->{exit}, 0, 'a command');
    $second->ends_well;
};

# What root alone may open stays in use when the proxy has become somebody else.
subtest 'a file of root\'s' => sub {
    plan skip_all => 'needs root to begin with, and the user nobody' unless $> == 0 && getpwnam 'nobody' && !Weir::Client::is_valgrind();
    my $folder = temp_path('folder');
    (my $above = $folder) =~ s{/[^/]*$}{};
    chmod 0755, $above or die $!;
    mkdir $folder, 0755 or die $!;
    my $secret = tokens("deploy: $right\n", "$folder/tokens");
    chmod 0600, $secret or die $!;
    my $at = free_port();
    my $rooted = proxy(global => { user => 'nobody', 'weir.admin' => { listen => "127.0.0.1:$at", 'token-file' => $secret } }, paths => { '/' => { 'weir.router' => \%main } });
    ok(wait_for { plainly($at, GET => '/v1/version', $right)->status == 200 }, 'is read at the start');
    tokens("deploy: $right\nbob: $other\n", $secret);
    chmod 0600, $secret or die $!;
    ok(wait_for { plainly($at, GET => '/v1/version', $right); $rooted->stderr =~ /2 tokens are known now/ }, 'and when it has changed') or diag $rooted->stderr;
    is(plainly($at, GET => '/v1/version', $other)->status, 200, 'and known');
    my $first = $rooted->pid;
    is($rooted->upgrade, $first, 'there is a successor') or diag $rooted->stderr;
    ok(wait_for { plainly($at, GET => '/v1/version', $other)->body =~ /"pid":@{[ $rooted->pid ]}\D/ }, 'with the same address');
    is(wait_for_pid($first), 0, 'its predecessor ends well');
    $rooted->ends_well;
};

# The second of two that know nothing of each other.
subtest 'an address that is in use' => sub {
    my $taken = free_port();
    my $holder = steered(listen => "127.0.0.1:$taken", 'token-file' => $tokens);
    my $run = weir('run', '-c', write_file(temp_path('weir.yaml'), 'listen: ' . free_port() . "\nweir.admin: { listen: \"127.0.0.1:$taken\", token-file: $tokens }\nhosts: { default: { paths: { /: { weir.router: stub } } } }\n"));
    is($run->{exit}, 1, 'is not shared');
    like($run->{err}, qr/weir\.admin: 127\.0\.0\.1:$taken: cannot listen: Address already in use/, 'and is named');
    $holder->ends_well;
};

sub refused { my ($admin, $why, $name) = @_; refuses_config("listen: 8080\nweir.admin: { $admin }\nhosts: { default: { paths: { /: { weir.router: stub } } } }\n", $why, $name); return }
my $certificate = certificate('a.test');
my $files = "certificate-file: $certificate->{cert}, key-file: $certificate->{key}";
refused('listen: "127.0.0.1:9101"', qr/2:.*weir\.admin: .*needs `token-file`, or `client-ca-file`/, 'an address for all');
refused("listen: \"127.0.0.1:9101\", $files", qr/2:.*needs `token-file`, or `client-ca-file`/, 'TLS for all');
refused("listen: \"0.0.0.0:9101\", token-file: $tokens", qr/2:.*in the clear/, 'a token in the clear');
refused("listen: \"[::]:9101\", token-file: $tokens", qr/2:.*in the clear/, 'by IPv6, too');
refused("listen: \"$_\", token-file: $tokens", qr/2:.*`listen` is an address and a port/, "`$_`") for '9101', 'weir.example:9101', '127.0.0.1:', '::1:9101', '127.0.0.1:0';
refused("listen: \"127.0.0.1:9101\", client-ca-file: $certificate->{cert}", qr/2:.*`client-ca-file` needs TLS/, 'certificates without TLS');
refused("listen: \"127.0.0.1:9101\", token-file: $tokens, certificate-file: $certificate->{cert}", qr/2:.*belong together/, 'no key');
refused("listen: \"127.0.0.1:9101\", token-file: $tokens, certificate-file: $tokens, key-file: $tokens", qr/2:.*weir\.admin: \Q$tokens\E/, 'no certificate');
refused("listen: \"127.0.0.1:9101\", token-file: $tokens, host: \"a.test:9101\"", qr/2:.*`host` is a name, without a port/, 'a port of a name');
refused("path: /x, token-file: $tokens", qr/2:.*without `listen`/, 'a token for the socket');
refused('listen: "127.0.0.1:9101", token-file: /none', qr/2:.*\/none: No such file/, 'no file');
refused('listen: "127.0.0.1:9101", token-file: ' . tokens("a: b\n"), qr/2:.*:1: a token has 16 to 255/, 'a short token');
refused('listen: "127.0.0.1:9101", token-file: ' . tokens("# none\n"), qr/2:.*there is no token in it/, 'no token');
refused('listen: "127.0.0.1:9101", token-file: ' . tokens("a b: $right\n"), qr/2:.*the name of a token/, 'no name');
my $open = tokens("$right\n");
chmod 0644, $open;
refused("listen: \"127.0.0.1:9101\", token-file: $open", qr/2:.*others than its owner and its group may open it/, 'a file for all');

done_testing;
