// SPDX-License-Identifier: Apache-2.0

// Demo is a small Go server to trace: it builds a cache, drops it, and lets the
// runtime give the memory back. Driven over HTTP on loopback (-addr), or by itself
// (-auto).
//
//	GET /alloc?mb=N  adds N MiB to the cache      GET /free     drops it and collects
//	GET /release     debug.FreeOSMemory           GET /stats    runtime.MemStats as JSON
//
// Prints one JSON line, {"ready":true,"pid":N,"addr":"127.0.0.1:P"}, and ends with
// status 0 on SIGTERM and SIGINT.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const (
	cycle           = 2 * time.Second
	cacheMiB        = 96
	largestMiB      = 16 << 10
	smallestBytes   = 8 << 10
	largestBytes    = 64 << 10
	pageBytes       = 4 << 10
	freeOSEvery     = 3 // cycles
	shutdownTimeout = 2 * time.Second
)

// cache holds objects of 8 to 64 KiB, every page of them written.
type cache struct {
	mu      sync.Mutex
	objects [][]byte
}

func (c *cache) add(mib int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	size := smallestBytes
	for left := mib << 20; left > 0; left -= size {
		object := make([]byte, size)
		for at := 0; at < size; at += pageBytes {
			object[at] = 1
		}
		c.objects = append(c.objects, object)
		if size *= 2; size > largestBytes {
			size = smallestBytes
		}
	}
}

func (c *cache) drop() {
	c.mu.Lock()
	c.objects = nil
	c.mu.Unlock()
	runtime.GC()
}

func (c *cache) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/alloc", func(w http.ResponseWriter, r *http.Request) {
		mib, err := strconv.Atoi(r.URL.Query().Get("mb"))
		if err != nil || mib <= 0 || mib > largestMiB {
			http.Error(w, fmt.Sprintf("mb: a number from 1 to %d", largestMiB), http.StatusBadRequest)
			return
		}
		c.add(mib)
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("/free", func(w http.ResponseWriter, _ *http.Request) {
		c.drop()
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("/release", func(w http.ResponseWriter, _ *http.Request) {
		debug.FreeOSMemory()
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("/stats", func(w http.ResponseWriter, _ *http.Request) {
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(&stats)
	})
	return mux
}

// driveItself leaves the releases to the background scavenger, but for every third
// cycle, which asks for them.
func (c *cache) driveItself(ctx context.Context) {
	ticker := time.NewTicker(cycle)
	defer ticker.Stop()
	for round := 1; ; round++ {
		c.add(cacheMiB)
		c.drop()
		if round%freeOSEvery == 0 {
			debug.FreeOSMemory()
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func loopbackOnly(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("%q is not a loopback address", host)
	}
	return nil
}

func run() error {
	addr := flag.String("addr", "127.0.0.1:0", "loopback `address` to serve on")
	auto := flag.Bool("auto", false, "drive itself: build a cache, drop it, every two seconds")
	duration := flag.Duration("duration", 0, "end after this long; 0: when told to")
	flag.Parse()
	if err := loopbackOnly(*addr); err != nil {
		return fmt.Errorf("-addr: %w", err)
	}

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if *duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, *duration)
		defer cancel()
	}

	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	var c cache
	server := &http.Server{Handler: c.handler(), ReadHeaderTimeout: shutdownTimeout}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	ready := map[string]any{"ready": true, "pid": os.Getpid(), "addr": listener.Addr().String()}
	if err := json.NewEncoder(os.Stdout).Encode(ready); err != nil {
		return err
	}

	if *auto {
		go c.driveItself(ctx)
	}
	select {
	case <-ctx.Done():
	case err := <-served:
		return err
	}
	end, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(end); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}
