package worker

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/observe/health"
	"github.com/elasticjob-go/elastic/observe/prom"
)

// headerTimeout bounds how long a client takes to send its request.
const headerTimeout = 10 * time.Second

// server serves /metrics, /livez, /readyz and /startupz. The zero value serves
// nothing.
type server struct{ http *http.Server }

// serve listens on an address; an empty one means that nothing is served.
func serve(address string, metrics *prom.Collector, s *elastic.Scheduler, log *slog.Logger) (server, error) {
	if address == "" {
		return server{}, nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return server{}, fmt.Errorf("serve metrics and health: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics.Handler())
	mux.Handle("/", health.Handler(s))
	h := &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: headerTimeout,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	go func() {
		if err := h.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("metrics and health are no longer served", "error", err)
		}
	}()
	log.Info("serving /metrics, /livez, /readyz and /startupz", "address", listener.Addr().String())
	return server{h}, nil
}

func (s server) close() {
	if s.http != nil {
		_ = s.http.Close() // nothing is left to answer: the process ends
	}
}
