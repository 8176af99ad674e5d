# SPDX-License-Identifier: MIT
# What a malformed request is answered: the exact status and reason, a close, and not a byte for the backend.
use lib 't/lib';
use Weir::Test;

my $backend = echo_backend();
my $proxy   = proxy(backends => [$backend], global => { 'limit-request-body' => 100000 });

sub line_of { my ($bytes) = @_; return "GET /" . 'a' x ($bytes - length 'GET / HTTP/1.1') . ' HTTP/1.1' }

# The shapes most cases share: one odd request line, one odd header line, one odd body header.
sub request_line { return "$_[0]\r\nHost: a\r\n\r\n" }
sub header       { return "GET / HTTP/1.1\r\nHost: a\r\n$_[0]\r\n\r\n" }
sub host         { return "GET / HTTP/1.1\r\nHost: $_[0]\r\n\r\n" }
sub post         { return "POST / HTTP/1.1\r\nHost: a\r\n$_[0]\r\n\r\n" . ($_[1] // 'abc') }

my @cases = (
    # the request line
    [ 'HTTP/0.9',                      "GET /\r\n\r\n",                            400, 'bad_request_line' ],
    [ 'no version',                    request_line('GET / '),                     400, 'bad_request_line' ],
    [ 'two spaces before the target',  request_line('GET  / HTTP/1.1'),            400, 'bad_request_line' ],
    [ 'two spaces before the version', request_line('GET /  HTTP/1.1'),            400, 'bad_request_line' ],
    [ 'a space at the end',            request_line('GET / HTTP/1.1 '),            400, 'bad_request_line' ],
    [ 'two targets',                   request_line('GET / / HTTP/1.1'),           400, 'bad_request_line' ],
    [ 'HTTP/1.2',                      request_line('GET / HTTP/1.2'),             505, 'unsupported_version' ],
    [ 'HTTP/1.10',                     request_line('GET / HTTP/1.10'),            505, 'unsupported_version' ],
    [ 'HTTP/0.9 by name',              request_line('GET / HTTP/0.9'),             505, 'unsupported_version' ],
    [ 'HTTP/2.0',                      request_line('GET / HTTP/2.0'),             505, 'unsupported_version' ],
    [ 'http/1.1',                      request_line('GET / http/1.1'),             400, 'bad_request_line' ],
    [ 'LF only',                       "GET / HTTP/1.1\nHost: a\n\n",              505, 'unsupported_version' ],
    [ 'a tab for a space',             request_line("GET /\tHTTP/1.1"),            400, 'bad_target' ],
    [ 'a tab behind the method',       request_line("GET\t/ HTTP/1.1"),            400, 'bad_method' ],
    [ 'the sixth empty line',          "\r\n" x 6 . request_line('GET / HTTP/1.1'), 400, 'bad_request_line' ],
    [ 'a bare LF before the line',     "\n" . request_line('GET / HTTP/1.1'),      400, 'bad_request_line' ],
    # the method
    [ 'a space before the method',     request_line(' GET / HTTP/1.1'),            400, 'bad_method' ],
    [ 'a method that is no token',     request_line('G@T / HTTP/1.1'),             400, 'bad_method' ],
    [ 'a NUL in the method',           request_line("G\0T / HTTP/1.1"),            400, 'bad_method' ],
    [ 'a method of 128 characters',    request_line('M' x 128 . ' / HTTP/1.1'),    400, 'bad_method' ],
    [ 'CONNECT',                       request_line('CONNECT a:443 HTTP/1.1'),     400, 'connect_refused' ],
    [ 'a TLS hello',                   "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, 'bad_method' ],
    # the target
    [ '* for GET',                     request_line('GET * HTTP/1.1'),             400, 'bad_target' ],
    [ 'a relative target',             request_line('GET foo HTTP/1.1'),           400, 'bad_target' ],
    [ 'an absolute one without host',  request_line('GET http:///x HTTP/1.1'),     400, 'bad_target' ],
    [ 'an absolute one with userinfo', request_line('GET http://u@h/ HTTP/1.1'),   400, 'bad_target' ],
    [ 'a control in the target',       request_line("GET /\x01 HTTP/1.1"),         400, 'bad_target' ],
    [ 'DEL in the target',             request_line("GET /\x7f HTTP/1.1"),         400, 'bad_target' ],
    [ 'NUL in the target',             request_line("GET /\0 HTTP/1.1"),           400, 'bad_target' ],
    # header lines
    [ 'obs-fold',                      header("X: a\r\n b"),                       400, 'bad_header' ],
    [ 'a blank before the first name', "GET / HTTP/1.1\r\n Host: a\r\n\r\n",       400, 'bad_header' ],
    [ 'no colon',                      header('foo'),                              400, 'bad_header' ],
    [ 'no colon hides a framing field', header("foo\r\nTransfer-Encoding: chunked"), 400, 'bad_header' ],
    [ 'an empty name',                 header(': x'),                              400, 'bad_header' ],
    [ 'a blank in a name',             header('X Y: 1'),                           400, 'bad_header' ],
    [ 'a blank before the colon',      header('X : 1'),                            400, 'bad_header' ],
    [ 'a tab before the colon',        header("Transfer-Encoding\t: chunked"),     400, 'bad_header' ],
    [ 'a name that is no token',       header("X\x80: 1"),                         400, 'bad_header' ],
    [ 'a bare LF in a value',          header("X: a\nEvil: 1"),                    400, 'bad_header' ],
    [ 'a bare CR in a value',          header("X: a\rb"),                          400, 'bad_header' ],
    [ 'a NUL in a value',              header("X: a\0b"),                          400, 'bad_header' ],
    [ 'a control in a value',          header("X: a\x01b"),                        400, 'bad_header' ],
    [ 'DEL in a value',                header("X: a\x7fb"),                        400, 'bad_header' ],
    [ 'the head ends with LF LF',      "GET / HTTP/1.1\r\nHost: a\r\n\n",          400, 'bad_header' ],
    # Host
    [ 'no Host',                       "GET / HTTP/1.1\r\n\r\n",                   400, 'missing_host' ],
    [ 'no Host beside an absolute target', "GET http://a/ HTTP/1.1\r\n\r\n",       400, 'missing_host' ],
    [ 'two Hosts',                     header('Host: b'),                          400, 'duplicate_host' ],
    [ 'the same Host twice',           header('host: a'),                          400, 'duplicate_host' ],
    [ 'an empty Host in HTTP/1.0',     "GET / HTTP/1.0\r\nHost:\r\n\r\n",          400, 'empty_host' ],
    [ 'an empty Host',                 host(''),                                   400, 'empty_host' ],
    [ 'a Host of a port alone',        host(':80'),                                400, 'empty_host' ],
    ( map { [ "Host: $_", host($_), 400, 'bad_host' ] }
        'a b', 'a/b', 'u@a', 'a:x', 'a:-1', 'a:+1', 'a:65536', 'a:80:80', '[::1', '[gg]', '[::1]x', '::1', 'a%zz', '<a>', "a\tb" ),
    # the body's framing
    ( map { [ "Content-Length: $_", post("Content-Length: $_"), 400, 'bad_content_length' ] }
        'abc', '-3', '+3', '3 3', '', '3,3', '0x3', '3e0', '9223372036854775808', '99999999999999999999' ),
    [ 'two Content-Lengths',           post("Content-Length: 3\r\nContent-Length: 4"), 400, 'bad_content_length' ],
    [ '3 and 03',                      post("Content-Length: 3\r\nContent-Length: 03"), 400, 'bad_content_length' ],
    [ 'both framings',     post("Content-Length: 3\r\nTransfer-Encoding: chunked", "0\r\n\r\n"), 400, 'conflicting_framing' ],
    [ 'both, length 0',    post("Transfer-Encoding: chunked\r\nContent-Length: 0", "0\r\n\r\n"), 400, 'conflicting_framing' ],
    ( map { [ "Transfer-Encoding: $_", post("Transfer-Encoding: $_", "0\r\n\r\n"), 400, 'invalid_transfer_encoding' ] }
        '', 'identity', 'chunked, chunked', 'chunked, gzip', 'chunked;a=b', ',', 'chunked,', '"chunked"', 'chun ked', 'gzip',
        'xchunked', 'chunked-not' ),
    ( map { [ "Transfer-Encoding: $_", post("Transfer-Encoding: $_", "0\r\n\r\n"), 501, 'unsupported_transfer_coding' ] }
        'gzip, chunked', 'xchunked, chunked' ),
    [ 'two Transfer-Encodings', post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n"), 400, 'invalid_transfer_encoding' ],
    [ 'one of them hidden',     post("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", "0\r\n\r\n"), 400, 'invalid_transfer_encoding' ],
    [ 'a control hides it',     post("Transfer-Encoding: \x0bchunked", "0\r\n\r\n"), 400, 'bad_header' ],
    [ 'chunked in HTTP/1.0', "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, 'invalid_transfer_encoding' ],
    [ 'a body too large',       post('Content-Length: 100001', ''), 413, 'body_too_large' ],
    # limits, one byte beyond
    [ 'a request line of 8193',        line_of(8193) . "\r\nHost: a\r\n\r\n",      414, 'request_line_too_long' ],
    [ 'one of 100000 without an end',  'GET /' . 'a' x 100_000,                    414, 'request_line_too_long' ],
    [ 'a name of 1001',                header('N' x 1001 . ': x'),                 431, 'header_name_too_long' ],
    [ 'a value of 8193',               header('X: ' . 'v' x 8193),                 431, 'header_value_too_long' ],
    [ '1001 headers',                  header(join "\r\n", map { "H$_: x" } 1 .. 1000), 431, 'too_many_headers' ],
    [ 'a head of 33000',               header(join "\r\n", map({ "H$_: " . 'v' x 8000 } 1 .. 4), 'N: ' . 'v' x 1000), 431, 'head_too_large' ],
    [ 'a head of 300000',              header(join "\r\n", map { "H$_: " . 'v' x 8000 } 1 .. 38), 431, 'head_too_large' ],
);

cmp_ok(scalar @cases, '>=', 60, scalar(@cases) . ' malformed requests');
my $number = 0;
for my $case (@cases) {
    my ($name, $bytes, $status, $code) = @$case;
    $name =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ge;
    $number++;
    subtest "$status: $name" => sub {
        my $client = $proxy->connect;
        $client->write($bytes);
        my $r = $client->read_response or return fail('there is a response');
        is($r->status, $status, 'status');
        ok($r->says_close, 'Connection: close');
        ok($r->is_complete, 'the page is complete');
        like($r->body, qr/\b(?:$code)\b/, 'the page names the reason');
        is($client->read_eof, '', 'then the connection is closed');
        ok(!$client->was_reset, 'in peace');
    };
}

subtest 'each has its line in the access log' => sub {
    my @lines = $proxy->log_lines($number);
    is(scalar @lines, $number, 'one each');
    my (%want, %got);
    $want{ $_->[3] }++ for @cases;
    $got{ $_->{code} // '-' }++ for @lines;
    is_deeply(\%got, \%want, 'with its reason');
    is(scalar(grep { $_->{at} ne 'error' } @lines), 0, 'at=error');
};

is($backend->connections, 0, 'nothing has reached the backend');

subtest 'at the limits, and other odd things that are right' => sub {
    my @fine = (
        [ 'a request line of 8192', line_of(8192) . "\r\nHost: a\r\n\r\n" ],
        [ 'a name of 1000',         header('N' x 1000 . ': x') ],
        [ 'a value of 8192',        header('X: ' . 'v' x 8192) ],
        [ 'one among blanks',       header('X: ' . ' ' x 50 . 'v' x 8192 . " \t") ],
        [ '1000 headers',           header(join "\r\n", map { "H$_: x" } 1 .. 999) ],
        [ 'a method of 127',        request_line('M' x 127 . ' / HTTP/1.1') ],
        [ 'five empty lines',       "\r\n" x 5 . request_line('GET / HTTP/1.1') ],
        [ 'an empty value',         header('X:') ],
        [ 'a tab in a value',       header("X: a\tb") ],
        [ 'bytes beyond ASCII',     header("X: \xe4\xf6\xff") ],
        [ 'OPTIONS *',              request_line('OPTIONS * HTTP/1.1') ],
        [ 'Host: [::1]:80',         host('[::1]:80') ],
        [ 'Host: a:65535',          host('a:65535') ],
        [ 'a port that is empty',   host('a:') ],
        [ 'Host: A.B-c_d~',         host('A.B-c_d~') ],
        [ 'equal Content-Lengths',  post("Content-Length: 3\r\nContent-Length: 3") ],
        [ 'Content-Length: 00',     post('Content-Length: 00', '') ],
        [ 'chunked among blanks',   post("Transfer-Encoding:  CHUNKED ", "0\r\n\r\n") ],
        [ 'a body of 100000',       post('Content-Length: 100000', 'x' x 100_000) ],
        [ 'HTTP/1.0 with Host',     "GET / HTTP/1.0\r\nHost: a\r\n\r\n" ],
    );
    for my $case (@fine) {
        my $r = $proxy->ask($case->[1]);
        is($r ? $r->status : 'nothing', 200, $case->[0]);
    }
};

subtest 'what of a target reaches the backend' => sub {
    my %forwarded = (
        '/a%2F..//b?c=%zz&d'      => '/a%2F..//b?c=%zz&d',
        '/a#fragment'             => '/a',
        '/a?b#fragment?c'         => '/a?b',
        '/a?'                     => '/a',
        'http://other/abs?x'      => '/abs?x',
        'HTTPS://other:1/abs'     => '/abs',
        'http://other'            => '/',
        'http://other?x=1'        => '/?x=1',
        'http://other?x#y'        => '/?x',
        'http://other?'           => '/',
        "/\xc3\xa4"               => "/\xc3\xa4",
    );
    for my $target (sort keys %forwarded) {
        my ($echo) = $proxy->ask(request_line("GET $target HTTP/1.1"))->body =~ /^(.*)\r\n/;
        is($echo, "GET $forwarded{$target} HTTP/1.1", $target =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ger);
    }
};

subtest 'weir.path-bytes: strict' => sub {
    my $strict = proxy(backends => [$backend], path => { 'weir.path-bytes' => 'strict' });
    for my $target ('/', '/a-._~!$&\'()*+,;=:@/b//c?d=/?e%20%fF', '*') {
        my $method = $target eq '*' ? 'OPTIONS' : 'GET';
        is($strict->ask(request_line("$method $target HTTP/1.1"))->status, 200, $target);
    }
    for my $target ('/<', '/>', '/"', '/\\', '/^', '/`', '/{', '/|', '/}', '/[', '/a?b[]', '/%', '/%2', '/%zz', '/%2g', "/\xc3\xa4", "/\x80") {
        my $name = $target =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ger;
        is($strict->ask(request_line("GET $target HTTP/1.1"))->status, 400, $name);
        is($proxy->ask(request_line("GET $target HTTP/1.1"))->status, 200, "$name passes where it is lenient");
    }
};

subtest 'OPTIONS of a whole server' => sub {
    for my $target ('*', 'http://other') {
        my ($echo) = $proxy->ask(request_line("OPTIONS $target HTTP/1.1"))->body =~ /^(.*)\r\n/;
        is($echo, 'OPTIONS * HTTP/1.1', $target);
    }
};

subtest 'a chunked body beyond the limit is cut, or refused with a page' => sub {
    my $client = $proxy->connect;
    $client->write("POST /big HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    $client->write(sprintf "%x\r\n%s\r\n", 60000, 'x' x 60000) for 1 .. 2;
    $client->write("0\r\n\r\n");
    my $r = $client->read_response;
    is($r && $r->status, 413, 'is refused');
    is($proxy->log_where(path => '/big')->{code}, 'body_too_large', 'body_too_large');
};

subtest 'a broken chunk of a request' => sub {
    my %broken = (
        'no-size'     => "\r\n",       'not-hex'  => "g\r\n",         'bare-lf'    => "3\nabc\r\n",
        'blank-size'  => " 3\r\nabc",  'overrun'  => "3\r\nabcd\r\n", 'too-large'  => "fffffffffffffffff\r\n",
        'bad-trailer' => "0\r\na b: c\r\n\r\n", 'bare-cr' => "3\rabc", 'minus'     => "-3\r\nabc\r\n",
    );
    for my $name (sort keys %broken) {
        my $client = $proxy->connect;
        $client->write("POST /chunk-$name HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n$broken{$name}");
        my $r = $client->read_response;
        is($r && $r->status, 400, "$name: 400");
        is($client->read_eof, '', "$name: and a close");
        is($proxy->log_where(path => "/chunk-$name")->{code}, 'client_bad_chunk', "$name: client_bad_chunk");
    }
};

subtest 'trailers of a request that are too long' => sub {
    my $longer = proxy(backends => [$backend], global => { 'weir.max-trailers' => 40_000 });
    my $line = 'X: ' . 'v' x 1000 . "\r\n";
    my %long = (one => 'X: ' . 'v' x 16_384 . "\r\n", all => "$line" x 17, many => "X: v\r\n" x 101);
    for my $name (sort keys %long) {
        my $request = "POST /trailers-$name HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n$long{$name}\r\n";
        my $client = $proxy->connect;
        $client->write($request);
        is($client->read_response->status, 431, "$name: 431");
        is($client->read_eof, '', "$name: and a close");
        is($proxy->log_where(path => "/trailers-$name")->{code}, 'client_trailer_length', "$name: client_trailer_length");
        is($longer->ask($request)->status, $name eq 'many' ? 431 : 200, "$name: weir.max-trailers allows more bytes");
    }
};

subtest 'the page arrives though the client is still sending' => sub {
    for my $case ([ 'an endless head', 'GET /' . 'a' x 9000, 414 ], [ 'an endless body', post('Content-Length: 90000000', ''), 413 ]) {
        my ($name, $bytes, $status) = @$case;
        my $client = $proxy->connect;
        $client->write($bytes);
        for (1 .. 40) {    # as a client that does not look up while it sends
            $client->write_until_stuck('y' x 16384, 0.2);
        }
        my $r = $client->read_response;
        is($r && $r->status, $status, "$name: $status");
        ok($r && $r->is_complete, "$name: complete");
        $client->shutdown_write;
        is($client->read_eof, '', "$name: closed when the client is through");
    }
};

subtest 'the time for a head' => sub {
    my $impatient = proxy(backends => [$backend], global => { 'weir.header-timeout' => ms(400) });
    my %silent = ('nothing' => '', 'half a line' => 'GET / HT', 'empty lines' => "\r\n\r\n");
    my %client = map { $_ => $impatient->connect } keys %silent, 'late';
    $client{$_}->write($silent{$_}) for keys %silent;
    $client{late}->write("GET / HTTP/1.1\r\nHost: a\r\nX-");
    for my $name (sort keys %silent) {
        is($client{$name}->read_eof, '', "after $name: closed without a word");
    }
    my $r = $client{late}->read_response;
    is($r && $r->status, 408, 'after the request line: 408');
    ok($r && $r->says_close, 'Connection: close');
    is(($impatient->log_lines)[0]{code}, 'header_timeout', 'named in the log');
    is($client{late}->read_eof, '', 'closed');

    my $slow = $impatient->connect;
    $slow->write("GET / HTTP/1.1\r\nHost: a\r\n");
    wait_for { $slow->write('X'); $slow->is_eof } ;
    $r = $slow->read_response;
    is($r && $r->status, 408, 'bytes do not prolong it');

    my $idle = $impatient->connect;
    $idle->write(host('a'));
    is($idle->read_response->status, 200, 'a request in time');
    is($idle->read_eof, '', 'the connection is closed after as long a silence');
};

subtest 'whoever leaves in the middle of a head costs nothing' => sub {
    for my $part ('', 'GE', "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: a\r\nX") {
        my $client = $proxy->connect;
        $client->write($part);
        $client->reset;
    }
    is($proxy->ask(host('a'))->status, 200, 'the next request is fine');
};

done_testing;
