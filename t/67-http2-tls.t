# SPDX-License-Identifier: MIT
# HTTP/2 with backends over TLS: ALPN, what the backend gets, and backends that agree to something else.
use lib 't/lib';
use Weir::Test;
use Weir::TLS;
use Weir::Http2Backend;

sub serve { my ($port, @command) = @_; command_server($port, @command); return "https://127.0.0.1:$port" }

my $ca   = authority('test authority');
my $cert = certificate('127.0.0.1', ca => $ca);
my $node = write_file(temp_path('server.js'), <<'JS');
const fs = require('fs');
const http2 = require('http2');
const [, , port, key, cert, protocol] = process.argv;
const server = http2.createSecureServer({ key: fs.readFileSync(key), cert: fs.readFileSync(cert), ALPNProtocols: [protocol] });
server.on('stream', (stream, headers) => {
    if (headers[':path'] === '/told') {
        stream.respond({ ':status': 200, 'x-scheme': headers[':scheme'], 'x-authority': headers[':authority'],
            'x-session': String(stream.session.socket.remotePort) }, { waitForTrailers: true });
        stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '42' }));
        stream.end('told');
    } else {
        stream.respond({ ':status': 200 });
        stream.pipe(stream);
    }
});
server.listen(Number(port), '127.0.0.1');
JS
my $port = free_port();
my $at = serve($port, 'node', $node, $port, $cert->{key}, $cert->{cert}, 'h2');
my $proxy = proxy(apps => {
    good => { domains => ['good'], backends => [$at], protocol => 'h2', tls => { 'ca-file' => $ca->{cert} } },
    also => { domains => ['also'], backends => [$at], protocol => 'h2', tls => { 'ca-file' => $ca->{cert} } },
    doubt => { domains => ['doubt'], backends => [$at], protocol => 'h2' },
});
sub ask { my ($host, $path, $more) = @_; return $proxy->ask("GET $path HTTP/1.1\r\nHost: $host\r\n" . ($more // '') . "\r\n") }

subtest 'requests, trailers, sharing' => sub {
    my $r = ask('good', '/told');
    is($r->body, 'told', 'an answer');
    like($r->trailer, qr/^x-sum: 42\r$/m, 'trailers');
    is($r->header('x-scheme'), 'https', ':scheme says how this hop is made');
    is($r->header('x-authority'), 'good', ':authority');
    my %session = map { ask('good', '/told')->header('x-session') => 1 } 1 .. 5;
    is(join(' ', keys %session), $r->header('x-session'), 'all over one connection');
};

subtest 'long bodies both ways' => sub {
    my $long = join '', map { chr(($_ * 31 + ($_ >> 8)) % 256) } 1 .. 2_000_000;
    my $r = $proxy->ask("POST /echo HTTP/1.1\r\nHost: good\r\nContent-Length: 2000000\r\n\r\n$long");
    ok($r->body eq $long, 'two megabytes there and back');
};

subtest 'a backend that is not believed' => sub {
    is(ask('doubt', '/doubt')->status, 502, 'a page');
    is($proxy->log_where(path => '/doubt')->{code}, 'backend_tls_untrusted', 'code=');
};

subtest 'a backend that agrees to HTTP/1.1, or to nothing' => sub {
    for my $alpn ([ ['http/1.1'], 'http/1.1' ], [ undef, 'nothing' ]) {
        my ($protocols, $name) = @$alpn;
        my $backend = tls_backend(sub { $_[0]->serve(sub { simple_response('h1') }) }, cert => $cert, ($protocols ? (alpn => $protocols) : ()));
        my $own = proxy(backends => [ 'https://127.0.0.1:' . $backend->port ], app => { protocol => 'h2', tls => { 'ca-file' => $ca->{cert} } });
        is($own->get('/x')->status, 502, "$name: a page");
        like($own->log_where(path => '/x')->{code}, qr/^backend_(?:not_http2|tls_failed)$/, 'code=');
        is($backend->heads, 0, 'nothing was said to it');
    }
};

subtest 'configuration' => sub {
    for my $case ([ 'h2', '127.0.0.1:1', qr/h2c/ ], [ 'h2c', 'https://127.0.0.1:1', qr/\bh2\b/ ]) {
        my ($protocol, $backend, $hint) = @$case;
        refuses_config(<<"YAML", qr/9: .*$hint/, "$protocol with $backend");
listen: 1
hosts:
  default:
    paths:
      /:
        weir.router:
          module: table
          apps:
            a: { domains: ["*"], backends: ["$backend"], protocol: $protocol }
YAML
    }
};

done_testing;
