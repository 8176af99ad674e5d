// SPDX-License-Identifier: MIT
//
// A worker in Node (18 or later): an ordinary handler for Node's http2 whose connections are dialled to Weir.
//
//   node examples/worker.mjs                      ROUTER=127.0.0.1:9001 APP=demo
//   DEAD_MS=15000: a connection without a PING for so long is dead; Weir sends one every five seconds
//   TOKEN=secret-of-the-app CA=/etc/weir/ca.pem ROUTER=router.internal:9001 node worker.mjs        with TLS
//
// SIGTERM: it takes nothing new, finishes what runs, and exits.
import fs from 'node:fs'
import http2 from 'node:http2'
import net from 'node:net'
import tls from 'node:tls'

const { ROUTER = '127.0.0.1:9001', APP = 'demo', DEAD_MS = 15000, TOKEN, CA } = process.env
const CONNECTIONS = 2, CAPACITY = 100 // each of the connections takes so many requests at once

// ---- the application: nothing in it knows of Weir ----

function app(req, res) {
  if (req.method === 'POST') {
    req.pipe(res) // back it goes
  } else if (req.url === '/slow') {
    res.write('slow...')
    setTimeout(() => res.end(' and done\n'), 1000)
  } else {
    res.setHeader('content-type', 'text/plain')
    res.end(`hello from node ${process.pid}\n`)
  }
}

// ---- the server ----

// Many clients share a session: by Node's own measure of 10 MB a few hundred slow ones would end it, and all its requests.
const server = http2.createServer({ settings: { maxConcurrentStreams: CAPACITY }, maxSessionMemory: 1000 }, app)
const sessions = new Set()

// ---- the dialler ----

const at = new URL(`tcp://${ROUTER}`), host = at.hostname.replace(/^\[|\]$/g, '')
const peer = { host, port: at.port, ...(CA && { ca: fs.readFileSync(CA) }), ...(!net.isIP(host) && { servername: host }) }
const words = `GET /workers/v1/${APP} HTTP/1.1\r\nHost: ${ROUTER}\r\nConnection: Upgrade\r\nUpgrade: ptth\r\nALPN: h2\r\n` +
  `Worker-Protocol: 1\r\nWorker-Id: node-${process.pid}\r\nWorker-Capacity: ${CAPACITY}\r\n` +
  `${TOKEN ? `Authorization: Bearer ${TOKEN}\r\n` : ''}\r\n`
let stopping = false

function dial(wait) {
  const socket = CA ? tls.connect(peer) : net.connect(peer)
  const dead = setTimeout(() => socket.destroy(new Error('silence')), +DEAD_MS)
  let head = Buffer.alloc(0), why = 'the connection has ended'
  socket.setNoDelay(true).once(CA ? 'secureConnect' : 'connect', () => socket.write(words))
  socket.on('data', function answer(bytes) {
    head = Buffer.concat([head, bytes])
    const end = head.indexOf('\r\n\r\n')
    if (end < 0) return
    socket.off('data', answer).pause()
    const is_in = head.toString('latin1').startsWith('HTTP/1.1 101 ')
    if (stopping || !is_in) return socket.destroy(new Error(head.toString('latin1')))
    wait = 200
    if (head.length > end + 4) socket.unshift(head.subarray(end + 4)) // HTTP/2 begins right behind the 101, often in one piece
    if (CA) Object.defineProperty(socket, 'alpnProtocol', { value: 'h2' }) // Node refuses TLS that has not agreed on h2
    server.once('session', session => {
      sessions.add(session)
      session.on('ping', () => dead.refresh()).on('error', () => {}).on('close', () => sessions.delete(session))
    })
    server.emit('connection', socket) // as if it had been accepted
    console.error(`registered with ${ROUTER}`)
  })
  socket.on('error', error => { why = error.message.trim() }).on('close', () => {
    clearTimeout(dead)
    if (stopping) return sessions.size || process.exit()
    const pause = wait * (0.5 + Math.random())
    console.error(`${ROUTER}: ${why}; again in ${Math.round(pause)} ms`)
    setTimeout(dial, pause, Math.min(wait * 2, 2000))
  })
}

// ---- main ----

for (let i = 0; i < CONNECTIONS; i++) dial(200)
process.on('SIGTERM', () => {
  stopping = true
  const leave = () => sessions.size || process.exit()
  for (const session of sessions) session.on('close', leave).close() // a GOAWAY; what runs goes on
  leave()
})
