# SPDX-License-Identifier: MIT
# Responses that are compressed on their way: which of them, and what their heads say.
use lib 't/lib';
use Weir::Test;
use Weir::Http2Client;
use IO::Uncompress::Gunzip qw(gunzip);

my $text = 'the quick brown fox jumps over the lazy dog ' x 500;
my %fields = (
    '/plain'      => "ETag: \"v1\"\r\n",
    '/weak'       => "ETag: W/\"v1\"\r\n",
    '/kept'       => "Cache-Control: max-age=60, no-transform\r\n",
    '/kept-too'   => "Cache-Control: public\r\nCache-Control: No-Transform\r\n",
    '/coded'      => "Content-Encoding: x-own\r\n",
    '/digest'     => "Content-Digest: sha-256=:AAAA:\r\n",
    '/hint-off'   => "X-Compress-Hint: off\r\n",
    '/hint-on'    => "X-Compress-Hint: on\r\nContent-Type: image/png\r\n",
    '/image'      => "Content-Type: image/png\r\n",
    '/vary'       => "Vary: Origin\r\n",
);
my $backend = backend(sub {
    $_[0]->serve(sub {
        my ($path) = $_[0] =~ m{^\w+ (\S+)};
        my $fields = $fields{$path} // '';
        my $type = $fields =~ /Content-Type/ ? '' : "Content-Type: text/plain\r\n";
        return "HTTP/1.1 200 OK\r\n$type$fields" . 'Content-Length: ' . length($text) . "\r\n\r\n" . ($_[0] =~ /^HEAD/ ? '' : $text)
            if $path ne '/chunked';
        return "HTTP/1.1 200 OK\r\n${type}Transfer-Encoding: chunked\r\n\r\n" . ($_[0] =~ /^HEAD/ ? '' : sprintf("%x\r\n%s\r\n0\r\n\r\n", length $text, $text));
    });
});
my $files = temp_path('files');
mkdir $files or die $!;
write_file("$files/a.txt", $text);
write_file("$files/short.txt", 'short');
my $proxy = proxy(
    backends => [$backend],
    path  => { compress => 'ON' },
    paths => {
        '/files' => { 'file.dir' => $files, compress => 'ON' },
        '/high'  => { 'file.dir' => $files, 'compress-minimum-size' => 1_000_000, compress => 'ON' },
        '/off'   => { 'file.dir' => $files },
        '/said'  => { 'file.dir' => $files, compress => 'ON', 'header.set' => 'Cache-Control: no-transform' },
    },
);

sub ask { my ($method, $path, @more) = @_; return $proxy->ask(join("\r\n", "$method $path HTTP/1.1", 'Host: a', @more) . "\r\n\r\n") }
sub zipped { return ask('GET', $_[0], 'Accept-Encoding: gzip', @_[ 1 .. $#_ ]) }
sub coding { return $_[0]->header('Content-Encoding') // 'none' }

subtest 'what is compressed' => sub {
    for my $path ('/plain', '/weak', '/chunked', '/hint-on', '/vary', '/files/a.txt') {
        my $r = zipped($path);
        is(coding($r), 'gzip', $path);
        gunzip(\$r->body => \my $body);
        is($body, $text, "$path: what is in it");
        cmp_ok(length $r->body, '<', length($text) / 5, "$path: is smaller");
    }
};

subtest 'what is not' => sub {
    for my $path ('/kept', '/kept-too', '/digest', '/hint-off', '/image', '/said/a.txt', '/high/a.txt', '/off/a.txt') {
        my $r = zipped($path);
        is(coding($r), 'none', $path);
        is($r->body, $text, "$path: as it was");
    }
    is(coding(zipped('/coded')), 'x-own', 'what is coded already');
    is(coding(zipped('/files/short.txt')), 'none', 'what is short');
    is(coding(zipped('/plain', 'Cache-Control: no-transform')), 'none', 'the request may say no-transform, too');
    is(coding(ask('GET', '/plain', 'Accept-Encoding: gzip;q=0, br')), 'none', 'a weight of 0');
    is(coding(zipped('/files/a.txt', 'Range: bytes=0-9999')), 'none', 'a part');
    my $old = $proxy->ask("GET /plain HTTP/1.0\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
    is(coding($old), 'none', 'HTTP/1.0');
};

subtest 'heads' => sub {
    is(zipped('/plain')->header('ETag'), 'W/"v1"', 'a strong ETag becomes weak');
    is(ask('GET', '/plain')->header('ETag'), '"v1"', 'and stays strong on the bytes it was made for');
    is(zipped('/weak')->header('ETag'), 'W/"v1"', 'a weak one stays');
    is(zipped('/kept')->header('Vary'), undef, 'what is never compressed does not vary');
    is(ask('GET', '/plain')->header('Vary'), 'accept-encoding', 'what might have been does');
    like(zipped('/vary')->header('Vary'), qr/^Origin, *accept-encoding$/i, 'beside what it varied by');
    is(zipped($_)->header('X-Compress-Hint'), undef, "$_: the hint goes no further") for '/hint-on', '/hint-off';
    is(ask('GET', '/hint-off')->header('X-Compress-Hint'), undef, 'whatever the client takes');
    my $tag = zipped('/files/a.txt')->header('ETag');
    is(zipped('/files/a.txt', "If-None-Match: $tag")->status, 304, 'a weak ETag revalidates');
    is(zipped('/files/a.txt', 'Range: bytes=0-1', "If-Range: $tag")->status, 200, 'and continues nothing');
};

subtest 'HEAD is answered like GET' => sub {
    for my $path (sort(keys %fields), '/chunked', '/files/a.txt', '/files/short.txt') {
        for my $accept ('gzip', 'br') {
            my $client = $proxy->connect;
            my %said;
            for my $method (qw(HEAD GET)) {
                $client->write("$method $path HTTP/1.1\r\nHost: a\r\nAccept-Encoding: $accept\r\n\r\n");
                my $r = $client->read_response($method eq 'HEAD' ? (head => 1) : ());
                $said{$method} = join ' ', map { "$_=" . ($r->header($_) // '') } qw(Content-Type Content-Encoding ETag Vary Accept-Ranges);
            }
            is($said{HEAD}, $said{GET}, "$path, $accept");
        }
    }
};

# They share what zlib works with: whose turn it is goes on where it was.
subtest 'responses that come in pieces beside each other' => sub {
    my @pieces = map { my $n = $_; join '', map { "event: $n, the same again and again, $_\n" } 1 .. 1 + $n % 7 * 40 } 1 .. 40;
    my $go     = temp_path('go');
    my $events = backend(sub {
        my $c = shift;
        $c->read_head;
        $c->write("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n");
        for my $n (0 .. $#pieces) {
            my $piece = $pieces[ ($n + $c->index) % @pieces ];
            $c->write(sprintf("%x\r\n%s\r\n", length $piece, $piece));
            select undef, undef, undef, 0.005;
        }
        $c->write("0\r\n\r\n");
    });
    my $own     = proxy(backends => [$events], path => { compress => 'ON' }, global => { 'num-threads' => 1 });
    my @clients = map { my $c = $own->connect; $c->write("GET /$_ HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n"); $c } 0 .. 7;
    my %wanted  = map { my $first = $_; join('', map { $pieces[ ($_ + $first) % @pieces ] } 0 .. $#pieces) => 1 } 0 .. 7;
    my ($right, $bytes, $plain) = (0, 0, 0);
    for my $client (@clients) {
        my $r = $client->read_response;
        gunzip(\$r->body => \my $body, Strict => 1) or diag($IO::Uncompress::Gunzip::GunzipError);
        $right++ if delete $wanted{ $body // '' };
        $bytes += length $r->body;
        $plain += length($body // '');
    }
    is($right, 8, 'each is whole, its checksum and its length are right');
    cmp_ok($bytes, '<', $plain / 8, "$bytes bytes of $plain");
};

subtest 'HTTP/2' => sub {
    plan skip_all => 'python3-h2 is not installed' unless Weir::Http2Client::is_possible();
    my $h2 = Weir::Http2Client->connect($proxy->port);
    my $get = sub { $h2->response($h2->request(path => $_[0], headers => [ [ 'accept-encoding', 'gzip' ] ])) };
    my $r = $get->('/plain');
    is(join(' ', map { $r->{headers}{$_} // '-' } 'content-encoding', 'etag'), 'gzip W/"v1"', 'compressed');
    $r = $get->('/kept');
    is($r->{headers}{'content-encoding'}, undef, 'no-transform');
    is($r->{body}, $text, 'as it was');
};

done_testing;
