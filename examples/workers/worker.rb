#!/usr/bin/ruby
# SPDX-License-Identifier: MIT
#
# A worker in Ruby: an ordinary WEBrick server whose connections are dialled to Weir. It speaks HTTP/1.1 (ALPN: http%2F1.1):
# each of its connections takes one request at a time, as an idle connection to a backend does; so there are some more.
#
#   ruby worker.rb                                ROUTER=127.0.0.1:9001 APP=demo      Debian: ruby, ruby-webrick
#   TOKEN=secret-of-the-app CA=/etc/weir/ca.pem ROUTER=router.internal:9001 ruby worker.rb             with TLS
#
# SIGTERM: it finishes what runs, and exits. HTTP/1.1 has no word for leaving, as HTTP/2 has: what Weir sends at that very
# moment is lost, unless it may be sent twice.
require 'openssl'
require 'socket'
require 'webrick'

ROUTER = ENV.fetch('ROUTER', '127.0.0.1:9001')
APP, TOKEN, CA = ENV.fetch('APP', 'demo'), ENV['TOKEN'], ENV['CA']
CONNECTIONS = 4

# ---- the application: nothing in it knows of Weir ----

class App < WEBrick::HTTPServlet::AbstractServlet
  def do_GET(request, response)
    response['Content-Type'] = 'text/plain'
    return response.body = "hello from ruby #{Process.pid}\n" unless request.path == '/slow'

    response.chunked = true
    response.body = proc do |out|
      out.write('slow...')
      sleep 1
      out.write(" and done\n")
    end
  end

  def do_POST(request, response)
    response.body = request.body # back it goes
  end
end

# ---- the server ----

class Server < WEBrick::HTTPServer
  def service(request, response)
    super
    response.keep_alive = false if $stopping # its connection ends behind it
  end
end

# ---- the dialler ----

WORDS = "GET /workers/v1/#{APP} HTTP/1.1\r\nHost: #{ROUTER}\r\nConnection: Upgrade\r\nUpgrade: ptth\r\nALPN: http%2F1.1\r\n" \
        "Worker-Protocol: 1\r\nWorker-Id: ruby-#{Process.pid}\r\nWorker-Capacity: 1\r\n" \
        "#{"Authorization: Bearer #{TOKEN}\r\n" if TOKEN}\r\n".freeze

# A registered connection. The answer is read byte by byte: what comes behind the 101 is for the server.
def dial
  host, _, port = ROUTER.rpartition(':')
  socket = TCPSocket.new(host.delete('[]'), port.to_i, connect_timeout: 15)
  socket.setsockopt(:SOCKET, :KEEPALIVE, 1) # HTTP/1.1 has no PING: that the other end is there is for TCP to find out, in 15 s
  { KEEPIDLE: 5, KEEPINTVL: 5, KEEPCNT: 2, NODELAY: 1 }.each { |name, value| socket.setsockopt(:TCP, name, value) }
  if CA
    context = OpenSSL::SSL::SSLContext.new.tap { |it| it.set_params(ca_file: CA, verify_mode: OpenSSL::SSL::VERIFY_PEER, verify_hostname: true) }
    socket = OpenSSL::SSL::SSLSocket.new(socket, context)
    socket.hostname, socket.sync_close = host.delete('[]'), true
    socket.connect
  end
  socket.write(WORDS)
  raise 'silence' unless socket.to_io.wait_readable(15)

  head = +''
  head << socket.sysread(1) until head.end_with?("\r\n\r\n")
  raise head unless head.start_with?('HTTP/1.1 101 ')

  socket.tap { warn "registered with #{ROUTER}" }
end

def keep_dialling(server)
  wait = 0.2
  until $stopping
    begin
      socket = dial
      wait = 0.2
      server.run(socket) # until the connection ends
      why = 'the connection has ended'
    rescue SystemCallError, IOError, RuntimeError, OpenSSL::SSL::SSLError => e
      why = e.message.strip
    ensure
      socket&.close
      socket = nil
    end
    pause, wait = wait * rand(0.5..1.5), [wait * 2, 2].min
    warn "#{ROUTER}: #{why}; again in #{pause.round(1)} s" unless $stopping
    $stopped.wait_readable(pause)
  end
end

# ---- main ----

$stopped, stop = IO.pipe
log = WEBrick::Log.new($stderr, WEBrick::Log::WARN)
server = Server.new(DoNotListen: true, AccessLog: [], Logger: log, RequestTimeout: 86_400)
server.mount('/', App)
trap('TERM') do
  $stopping = true
  stop.close       # wakes those who wait to dial
  server.shutdown  # those that serve end behind what they are at
end
Thread.new { server.start }
Thread.pass until server.status == :Running
CONNECTIONS.times.map { Thread.new { keep_dialling(server) } }.each(&:join)
