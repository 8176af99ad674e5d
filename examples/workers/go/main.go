// SPDX-License-Identifier: MIT

// A worker in Go: an ordinary net/http handler whose connections are dialled to Weir.
//
//	go run .                                      ROUTER=127.0.0.1:9001 APP=demo
//	TOKEN=secret-of-the-app CA=/etc/weir/ca.pem ROUTER=router.internal:9001 go run .                   with TLS
//
// With Debian's packages golang-go and golang-golang-x-net-dev, and no network:
//
//	GOPATH=/usr/share/gocode GO111MODULE=off go build -o worker main.go
//
// SIGTERM: it takes nothing new, finishes what runs, and exits.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/http2"
)

const (
	connections = 2
	capacity    = 100              // each of the connections takes so many requests at once
	dead        = 15 * time.Second // Weir sends a PING every five seconds: three are missing
)

// ---- the application: nothing in it knows of Weir ----

func app() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			io.Copy(w, r.Body) // back it goes
			return
		}
		fmt.Fprintf(w, "hello from go %d\n", os.Getpid())
	})
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "slow...")
		w.(http.Flusher).Flush()
		time.Sleep(time.Second)
		io.WriteString(w, " and done\n")
	})
	return mux
}

// ---- the server ----

// A connection of which some bytes may have been read already, and which is dead when nothing comes.
type link struct {
	net.Conn
	read *bufio.Reader
}

func (l link) Read(p []byte) (int, error) {
	l.SetReadDeadline(time.Now().Add(dead))
	return l.read.Read(p)
}

// ---- the dialler ----

// A registered connection. HTTP/2 begins right behind the 101, as a rule in one piece: those bytes are in the reader.
func dial(connect func() (net.Conn, error), words string) (net.Conn, error) {
	conn, err := connect()
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(dead))
	io.WriteString(conn, words)
	reader := bufio.NewReader(conn)
	answer, err := http.ReadResponse(reader, &http.Request{Method: "GET"})
	if err == nil && answer.StatusCode != http.StatusSwitchingProtocols {
		err = errors.New(answer.Status)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	conn.SetDeadline(time.Time{})
	log.Printf("registered with %v", conn.RemoteAddr())
	return link{conn, reader}, nil
}

func keepDialling(stopping context.Context, dial func() (net.Conn, error), serve func(net.Conn)) {
	for wait := 200 * time.Millisecond; stopping.Err() == nil; wait *= 2 {
		conn, err := dial()
		if err == nil {
			wait = 200 * time.Millisecond
			serve(conn) // until the connection ends
			err = io.EOF
		}
		if wait > 2*time.Second {
			wait = 2 * time.Second
		}
		pause := time.Duration(float64(wait) * (0.5 + rand.Float64()))
		log.Printf("%v; again in %v", err, pause)
		select {
		case <-stopping.Done():
		case <-time.After(pause):
		}
	}
}

// ---- main ----

func setting(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

// How to get to Weir: by TLS, if there are authorities to believe.
func way(router, authorities string) func() (net.Conn, error) {
	dialer := &net.Dialer{Timeout: dead}
	if authorities == "" {
		return func() (net.Conn, error) { return dialer.Dial("tcp", router) }
	}
	pem, err := os.ReadFile(authorities)
	roots := x509.NewCertPool()
	if err != nil || !roots.AppendCertsFromPEM(pem) {
		log.Fatalf("no certificates in %s", authorities)
	}
	return func() (net.Conn, error) {
		return tls.DialWithDialer(dialer, "tcp", router, &tls.Config{RootCAs: roots})
	}
}

func main() {
	router := setting("ROUTER", "127.0.0.1:9001")
	connect := way(router, os.Getenv("CA"))
	words := fmt.Sprintf("GET /workers/v1/%s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: ptth\r\nALPN: h2\r\n"+
		"Worker-Protocol: 1\r\nWorker-Id: go-%d\r\nWorker-Capacity: %d\r\n", setting("APP", "demo"), router, os.Getpid(), capacity)
	if token := os.Getenv("TOKEN"); token != "" {
		words += "Authorization: Bearer " + token + "\r\n"
	}
	rand.Seed(time.Now().UnixNano() + int64(os.Getpid()))
	server := &http.Server{Handler: app()}
	h2 := &http2.Server{MaxConcurrentStreams: capacity}
	if err := http2.ConfigureServer(server, h2); err != nil { // so that Shutdown reaches what ServeConn serves
		log.Fatal(err)
	}
	stopping, _ := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	var diallers sync.WaitGroup
	for i := 0; i < connections; i++ {
		diallers.Add(1)
		go func() {
			defer diallers.Done()
			keepDialling(stopping, func() (net.Conn, error) { return dial(connect, words+"\r\n") }, func(conn net.Conn) {
				h2.ServeConn(conn, &http2.ServeConnOpts{BaseConfig: server})
			})
		}()
	}
	<-stopping.Done()
	go func() {
		for ; ; time.Sleep(time.Second) { // again for those that were just registering
			server.Shutdown(context.Background()) // a GOAWAY on each of the connections; what runs goes on
		}
	}()
	diallers.Wait()
}
