# SPDX-License-Identifier: MIT
# Files as responses: what is served, conditions, ranges, and files that change under way.
use lib 't/lib';
use Weir::Test;
use Weir::Http2Client;
use IO::Socket::UNIX;
use POSIX qw(mkfifo);

my $files = temp_path('files');
mkdir $_ or die "$_: $!" for $files, map { "$files/$_" } qw(sub bare listed listed/inner index-is-a-directory index-is-a-directory/index.html);
write_file("$files/index.html", "<p>index</p>\n");
write_file("$files/sub/index.htm", "sub\n");
write_file("$files/note.txt", "<script>1</script>\n");
write_file("$files/digits", join '', 0 .. 9);
write_file("$files/empty.txt", '');
write_file("$files/listed/a&b <c>:d", '');
write_file("$files/-x", 'dash');
write_file("$files/large.bin", join '', map { chr(33 + $_ % 90) } 1 .. 300_000);
my $large = read_file("$files/large.bin");
symlink '/dev/zero', "$files/zero" or die $!;
symlink 'loop', "$files/loop" or die $!;
symlink "$files/note.txt", "$files/link.txt" or die $!;
mkfifo("$files/pipe", 0644) or die $!;
my $socket = IO::Socket::UNIX->new(Local => "$files/socket", Listen => 1) or die $!;

sub gzipped { my ($name) = @_; system("gzip -nkf '$name'") == 0 or die; return read_file("$name.gz") }
write_file("$files/packed.txt", "a line\n" x 5000);
my $packed = gzipped("$files/packed.txt");
write_file("$files/only.txt", "only as gzip\n" x 20_000);
gzipped("$files/only.txt");
unlink "$files/only.txt";
write_file("$files/two.txt.gz", read_file("$files/packed.txt.gz") . read_file("$files/only.txt.gz"));
write_file("$files/broken.txt.gz", "this is no gzip at all\n");
write_file("$files/short.txt.gz", substr read_file("$files/only.txt.gz"), 0, 60);

my $proxy = proxy(
    paths => {
        '/'         => { 'file.dir' => $files },
        '/listing'  => { 'file.dir' => "$files/listed", 'file.dirlisting' => 'ON' },
        '/variants' => { 'file.dir' => $files, 'file.send-compressed' => 'ON' },
        '/gunzip'   => { 'file.dir' => $files, 'file.send-compressed' => 'gunzip' },
        '/untagged' => { 'file.dir' => $files, 'file.etag' => 'OFF' },
        '/one'      => { 'file.file' => "$files/note.txt" },
        '/pipe-one' => { 'file.file' => "$files/pipe" },
    },
    global => { 'weir.idle-timeout' => 2000 },
);

sub ask { my ($method, $path, @fields) = @_; return $proxy->ask(join("\r\n", "$method $path HTTP/1.1", 'Host: a', @fields) . "\r\n\r\n") }
sub get { return ask('GET', @_) }

subtest 'only regular files' => sub {
    is(get("/$_")->status, 403, $_) for qw(pipe socket zero loop);
    is(get('/pipe-one')->status, 403, 'file.file, too');
    is(get('/link.txt')->body, "<script>1</script>\n", 'a link leads to one');
    is(get('/digits')->body, '0123456789', 'and others go on');
};

subtest 'names' => sub {
    for my $path (qw(/note.txt%00.html /note.txt%00 /note.txt%00/x /sub%00x/ /sub/%00 /%00/note.txt)) {
        is(get($path)->status, 404, $path);
    }
    for my $path ('/..%2f..%2f..%2fetc/passwd', '/sub/..%2f..%2f..%2f..%2fetc/passwd', '/sub/%2e%2e/%2e%2e/%2e%2e/etc/passwd', '/' . 'a/' x 3000) {
        my $r = get($path);
        is($r->status, 404, substr $path, 0, 50);
    }
    is(get('/' . 'n' x 300)->status, 404, 'a name longer than any');
    is(get('/note.txt/')->status, 404, 'a file is no directory');
    is(get('/none')->status, 404, 'nothing there');
    is(get('/index-is-a-directory/')->status, 404, 'an index that is a directory is none');
    like(get('/note.txt')->header('Content-Type'), qr{^text/plain}, 'the type');
    is(get('/one/whatever')->body, "<script>1</script>\n", 'file.file, whatever is below it');
};

subtest 'directories' => sub {
    for my $case ([ '/sub' => '/sub/' ], [ '//sub?q=1' => '/sub/?q=1' ], [ '///sub' => '/sub/' ], [ '/listing' => '/listing/' ], [ '/listing/inner' => '/listing/inner/' ]) {
        my $r = get($case->[0]);
        is($r->status . ' ' . $r->header('Location'), "301 $case->[1]", $case->[0]);
    }
    is(get('/sub/')->body, "sub\n", 'an index');
    is(get('/bare/')->status, 404, 'no index');
    my $r = get('/listing/');
    like($r->body, qr{<A HREF="a&amp;b%20%3Cc%3E%3Ad">a&amp;b &lt;c&gt;:d</A>\n<LI><A HREF="inner">inner</A>}, 'a listing, in order');
    like($r->header('Content-Type'), qr{^text/html}, 'is a page');
    my $head = ask('HEAD', '/listing/');
    is($head->header('Content-Length'), length $r->body, 'HEAD has the length of GET');
    is(ask('POST', '/listing/', 'Content-Length: 0')->status, 405, 'POST');
};

subtest 'methods' => sub {
    my $r = ask('HEAD', '/large.bin');
    is($r->status . ' ' . $r->header('Content-Length'), '200 300000', 'HEAD');
    is($r->header('Accept-Ranges'), 'bytes', 'offers ranges');
    $r = ask('POST', '/note.txt', 'Content-Length: 0');
    is($r->status . ' ' . $r->header('Allow'), '405 GET, HEAD', 'POST');
    is(get('/empty.txt')->header('Content-Length'), 0, 'an empty file');
    is(get('/large.bin')->body, $large, 'a large one');
};

subtest 'conditions' => sub {
    utime 1_000_000_000, 1_000_000_000, "$files/digits" or die $!;
    my $r = get('/digits');
    my ($tag, $date) = map { $r->header($_) } 'ETag', 'Last-Modified';
    like($tag, qr/^"[^"]+"$/, 'a strong ETag');
    is($date, 'Sun, 09 Sep 2001 01:46:40 GMT', 'Last-Modified');
    my ($before, $behind) = ('Sun, 09 Sep 2001 01:46:39 GMT', 'Sunday, 09-Sep-01 01:46:41 GMT');
    for my $case (
        [ 304, "If-None-Match: $tag" ],
        [ 304, "If-None-Match: W/$tag" ],
        [ 304, "If-None-Match: \"x\", $tag" ],
        [ 304, 'If-None-Match: "x"', "If-None-Match: $tag" ],
        [ 304, 'If-None-Match: *' ],
        [ 200, 'If-None-Match: "x"' ],
        [ 200, 'If-None-Match: "x"', "If-Modified-Since: $date" ],
        [ 304, "If-Modified-Since: $date" ],
        [ 304, "If-Modified-Since: $behind" ],
        [ 200, "If-Modified-Since: $before" ],
        [ 200, 'If-Modified-Since: yesterday' ],
        [ 200, "If-Match: $tag" ],
        [ 200, 'If-Match: *' ],
        [ 412, 'If-Match: "x"' ],
        [ 412, "If-Match: W/$tag" ],
        [ 200, "If-Unmodified-Since: $date" ],
        [ 412, "If-Unmodified-Since: $before" ],
        [ 412, 'If-Match: "x"', "If-None-Match: $tag" ],
    ) {
        my ($status, @fields) = @$case;
        is(get('/digits', @fields)->status, $status, "@fields");
    }
    $r = get('/digits', "If-None-Match: $tag");
    is($r->header('ETag'), $tag, '304 says the ETag');
    is(get('/untagged/digits')->header('ETag'), undef, 'file.etag: OFF');
    is(get('/untagged/digits', "If-None-Match: $tag")->status, 200, 'and then there is nothing to compare');
    utime 4_000_000_000, 4_000_000_000, "$files/note.txt" or die $!;
    unlike(get('/note.txt')->header('Last-Modified'), qr/2096/, 'no date in the future');
};

subtest 'ranges' => sub {
    utime 1_000_000_000, 1_000_000_000, "$files/digits" or die $!;
    my ($tag, $date) = map { get('/digits')->header($_) } 'ETag', 'Last-Modified';
    for my $case (
        [ '0-0' => '0', 'bytes 0-0/10' ],
        [ '3-' => '3456789', 'bytes 3-9/10' ],
        [ '-3' => '789', 'bytes 7-9/10' ],
        [ '0-3,2-5' => '012345', 'bytes 0-5/10' ],
        [ '0-,' x 2000 . '0-', '0123456789', undef ],
    ) {
        my ($range, $body, $said) = @$case;
        my $r = get('/digits', "Range: bytes=" . $range);
        is($r->status . ' ' . $r->body, ($said ? 206 : 200) . " $body", 'bytes=' . substr $range, 0, 20);
        is($r->header('Content-Range'), $said, 'Content-Range');
    }
    for my $range ('items=0-5', 'bytes=5-2', 'bytes=x', 'bytes=') {
        is(get('/digits', "Range: $range")->status, 200, "$range is none");
    }
    is(get('/digits', 'Range: bytes=0-1', 'Range: bytes=2-3')->status, 200, 'two fields are none');
    my $r = get('/digits', 'Range: bytes=10-');
    is($r->status . ' ' . $r->header('Content-Range'), '416 bytes */10', 'behind the end');
    is(ask('HEAD', '/digits', 'Range: bytes=0-1')->status, 200, 'ranges are of GET alone');
    for my $case ([ 206, "If-Range: $tag" ], [ 200, 'If-Range: "x"' ], [ 200, "If-Range: W/$tag" ], [ 206, "If-Range: $date" ], [ 200, 'If-Range: Sun, 09 Sep 2001 01:46:41 GMT' ], [ 200, 'If-Range: x' ]) {
        is(get('/digits', 'Range: bytes=0-1', $case->[1])->status, $case->[0], $case->[1]);
    }
    is(get('/digits', 'Range: bytes=0-1', "If-None-Match: $tag")->status, 304, 'other conditions come first');
};

subtest 'several ranges' => sub {
    my $r = get('/digits', 'Range: bytes=0-1,5-6,-1');
    is($r->status, 206, 'the status');
    my ($boundary) = $r->header('Content-Type') =~ m{^multipart/byteranges; boundary=(\w+)$};
    ok($boundary, 'a boundary') or return;
    my $type = get('/digits')->header('Content-Type');
    my $part = sub { "--$boundary\r\nContent-Type: $type\r\nContent-Range: bytes $_[0]/10\r\n\r\n$_[1]\r\n" };
    is($r->body, $part->('0-1', '01') . $part->('5-6', '56') . $part->('9-9', '9') . "--$boundary--\r\n", 'the parts');
    $r = get('/large.bin', 'Range: bytes=0-99999,200000-');
    is(length($r->body) - 200_000 > 0 && length($r->body) < 200_500, 1, 'large ones');
    ok(index($r->body, substr $large, 200_000) > 0, 'are whole');
};

subtest 'files that lie there compressed' => sub {
    my $r = get('/variants/packed.txt', 'Accept-Encoding: br, gzip');
    is($r->header('Content-Encoding') . ' ' . $r->header('Vary'), 'gzip accept-encoding', 'gzip, if it is taken');
    is($r->body, $packed, 'is the file itself');
    like($r->header('Content-Type'), qr{^text/plain}, 'of the type of what is in it');
    my $plain = get('/variants/packed.txt', 'Accept-Encoding: gzip;q=0');
    is($plain->header('Content-Encoding'), undef, 'not if it is refused');
    is($plain->header('Vary'), 'accept-encoding', 'caches are told');
    isnt($plain->header('ETag'), $r->header('ETag'), 'other bytes, another ETag');
    is(get('/packed.txt', 'Accept-Encoding: gzip')->header('Content-Encoding'), undef, 'OFF');
    is(get('/variants/only.txt')->status, 404, 'ON decompresses nothing');
    is(get('/gunzip/only.txt')->body, "only as gzip\n" x 20_000, 'gunzip does');
    is(get('/gunzip/two.txt')->body, "a line\n" x 5000 . "only as gzip\n" x 20_000, 'all members of it');
    is(get('/gunzip/only.txt', 'Range: bytes=0-1')->status, 200, 'without ranges');
    is(ask('HEAD', '/gunzip/only.txt')->status, 200, 'HEAD');
    for my $name (qw(broken short)) {
        my $client = $proxy->connect;
        $client->write("GET /gunzip/$name.txt HTTP/1.1\r\nHost: a\r\n\r\n");
        my $r = $client->read_response;
        ok(!$r || !$r->is_complete, "$name: the client sees that it is broken");
    }
    like($proxy->stderr, qr/broken\.txt: cannot be decompressed/, 'and a line says why');
    is(get('/digits')->status, 200, 'others go on');
};

# Seconds of CPU that the proxy has used.
sub cpu_seconds {
    my @fields = split ' ', read_file('/proc/' . $proxy->pid . '/stat') =~ s/^.*\) //sr;
    return ($fields[11] + $fields[12]) / POSIX::sysconf(POSIX::_SC_CLK_TCK());
}

subtest 'a file that shrinks under way' => sub {
    my $name = "$files/shrinks.bin";
    write_file($name, 'x' x 24_000_000);
    my $client = $proxy->connect(receive_buffer => 16384);
    $client->write("GET /shrinks.bin HTTP/1.1\r\nHost: a\r\n\r\n");
    like($client->read_head, qr/^Content-Length: 24000000\r$/mi, 'the whole is promised');
    truncate $name, 100 or die $!;
    ok($client->read_eof, 'the connection ends');
    wait_for { $proxy->stderr =~ /shrinks\.bin: has become shorter/ };
    like($proxy->stderr, qr/shrinks\.bin: has become shorter/, 'a line says why');
    my $before = cpu_seconds();
    is(get('/digits')->status, 200, 'others go on') for 1 .. 5;
    cmp_ok(cpu_seconds() - $before, '<', 1, 'nobody spins');
    return unless Weir::Http2Client::is_possible();
    write_file($name, 'x' x 24_000_000);
    my $h2 = Weir::Http2Client->connect($proxy->port);
    my $id = $h2->request(path => '/shrinks.bin');
    $h2->wait(headers => $id);
    truncate $name, 100 or die $!;
    $h2->wait(reset => $id);
    my $stream = $h2->stream($id);
    ok($stream->{reset} && !$stream->{end}, 'HTTP/2: the stream is reset');
};

subtest 'descriptors are closed' => sub {
    my $before = $proxy->open_files;
    for (1 .. 3) {
        get($_) for '/digits', '/large.bin', '/pipe', '/variants/packed.txt', '/gunzip/only.txt';
        get('/digits', 'If-None-Match: *');
        get('/digits', 'Range: bytes=20-');
        ask($_, '/digits', 'Content-Length: 0') for qw(HEAD POST);
    }
    wait_for { $proxy->open_files <= $before };
    cmp_ok($proxy->open_files, '<=', $before, 'no more than before');
};

done_testing;
