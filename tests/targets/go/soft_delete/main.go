// SPDX-License-Identifier: Apache-2.0

// Soft_delete is a server with a leak that many Go services have had: what its users
// delete stays reachable, so no collection frees it, and nothing can be given back to
// the kernel. With -fixed it is the same server without the leak.
//
//	GET /fill?mib=N  creates projects until they hold N MiB more
//	GET /delete      deletes all projects
//	GET /collect     runtime.GC
//	GET /release     debug.FreeOSMemory: collects, and gives back what is free
//	GET /stats       runtime.MemStats as JSON, with Projects, Deleted and Goroutines
//
// Prints one JSON line, {"ready":true,"pid":N,"addr":"127.0.0.1:P","fixed":false}, and
// ends with status 0 on SIGTERM and SIGINT.
//
// Watch it: after /fill and /delete, /release takes HeapInuse (and RSS) down with
// -fixed, and does nothing without. A server that only releases late would look the same
// until /release: the heap is what tells the two apart.
package main

import (
	"context"
	"encoding/json"
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
	mib          = 1 << 20
	projectBytes = 4 * mib
	entryBytes   = 64 << 10
	pageBytes    = 4 << 10
	largestMiB   = 16 << 10
	refreshEvery = time.Hour // often enough for a test: it is there to hold on to things
)

// project has a cache, and a goroutine that keeps it fresh.
type project struct {
	deleted bool
	cache   [][]byte
	cancel  context.CancelFunc
	done    chan struct{} // closed when the goroutine has ended
}

// newCache writes to every page, so that all of it is resident.
func newCache() [][]byte {
	cache := make([][]byte, 0, projectBytes/entryBytes)
	for len(cache) < cap(cache) {
		entry := make([]byte, entryBytes)
		for at := 0; at < len(entry); at += pageBytes {
			entry[at] = 1
		}
		cache = append(cache, entry)
	}
	return cache
}

func (p *project) refresh() {
	for _, entry := range p.cache {
		entry[0]++
	}
}

// keepFreshForEver is the second half of the leak. It is told to end, and does not
// listen: while it waits, its stack refers to the project, and so to the cache. Even if
// the project were in no map any more, the collector would find it from here.
func (p *project) keepFreshForEver(context.Context) {
	defer close(p.done)
	for range time.Tick(refreshEvery) {
		p.refresh()
	}
}

// keepFresh ends with its context. Then nothing on a stack refers to the project.
func (p *project) keepFresh(ctx context.Context) {
	defer close(p.done)
	ticker := time.NewTicker(refreshEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			p.refresh()
		}
	}
}

type server struct {
	fixed    bool
	mu       sync.Mutex
	nextID   int
	projects map[int]*project // also the deleted ones, without -fixed
}

func (s *server) fill(bytes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ; bytes > 0; bytes -= projectBytes {
		ctx, cancel := context.WithCancel(context.Background())
		p := &project{cache: newCache(), cancel: cancel, done: make(chan struct{})}
		s.nextID++
		s.projects[s.nextID] = p
		if s.fixed {
			go p.keepFresh(ctx)
		} else {
			go p.keepFreshForEver(ctx)
		}
	}
}

func (s *server) deleteAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, p := range s.projects {
		p.deleted = true
		p.cancel()
		if s.fixed {
			// Both references to the project are gone after this: the map's, and the
			// goroutine's.
			<-p.done
			delete(s.projects, id)
		}
		// Else the flag is all that has changed: "we keep them for a while, in case
		// somebody wants them back". Nobody ever looks at them again.
	}
}

type stats struct {
	runtime.MemStats
	Projects   int // that users can see
	Deleted    int // that are still in memory
	Goroutines int
}

func (s *server) stats() *stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	var now stats
	for _, p := range s.projects {
		if p.deleted {
			now.Deleted++
		} else {
			now.Projects++
		}
	}
	now.Goroutines = runtime.NumGoroutine()
	runtime.ReadMemStats(&now.MemStats)
	return &now
}

func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	does := func(path string, what func()) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			what()
			fmt.Fprintln(w, "ok")
		})
	}
	mux.HandleFunc("/fill", func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.URL.Query().Get("mib"))
		if err != nil || n <= 0 || n > largestMiB {
			http.Error(w, fmt.Sprintf("mib: a number from 1 to %d", largestMiB), http.StatusBadRequest)
			return
		}
		s.fill(n * mib)
		fmt.Fprintln(w, "ok")
	})
	does("/delete", s.deleteAll)
	does("/collect", runtime.GC)
	does("/release", debug.FreeOSMemory)
	mux.HandleFunc("/stats", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s.stats())
	})
	return mux
}

func run() error {
	fixed := flag.Bool("fixed", false, "really delete")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()

	listener, err := net.Listen("tcp", "127.0.0.1:0") // the kernel chooses the port
	if err != nil {
		return err
	}
	s := &server{fixed: *fixed, projects: make(map[int]*project)}
	served := make(chan error, 1)
	go func() { served <- http.Serve(listener, s.handler()) }()
	ready := map[string]any{"ready": true, "pid": os.Getpid(), "addr": listener.Addr().String(), "fixed": *fixed}
	if err := json.NewEncoder(os.Stdout).Encode(ready); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-served:
		return err
	}
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "soft_delete:", err)
		os.Exit(1)
	}
}
