package dev

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// The ports that are tried if none is given, from etcd's own on.
const (
	firstPort = 2379
	lastPort  = firstPort + 100
)

// start starts etcd and notes its address in the directory.
func (s *Server) start(ctx context.Context, port int) error {
	address, err := s.address(port)
	if err != nil {
		return err
	}
	log, err := newLog(filepath.Join(s.dir, "etcd.log"))
	if err != nil {
		return err
	}
	e, err := startEtcd(configOf(s.dir, address, log), log)
	if err != nil {
		log.close()
		return fmt.Errorf("start etcd in %s: %w; see etcd.log there", s.dir, err)
	}
	stop := func() {
		log.close() // an orderly end logs errors that are none
		e.Close()
	}
	select {
	case <-e.Server.ReadyNotify():
	case err := <-e.Err():
		stop()
		return fmt.Errorf("start etcd in %s: %w; see etcd.log there", s.dir, err)
	case <-ctx.Done():
		stop()
		return ctx.Err()
	}
	s.State = State{Address: address, API: s.lastAPI(), PID: os.Getpid()}
	if err := s.State.write(s.dir); err != nil {
		stop()
		return err
	}
	s.stop, s.failed = stop, e.Err()
	return nil
}

// startEtcd is embed.StartEtcd, which panics about data that it can't read, in
// a goroutine of its own. Then it never returns; the process is about to end.
func startEtcd(c *embed.Config, log *etcdLog) (*embed.Etcd, error) {
	type result struct {
		etcd *embed.Etcd
		err  error
	}
	started := make(chan result, 1)
	go func() {
		e, err := embed.StartEtcd(c)
		started <- result{e, err}
	}()
	select {
	case r := <-started:
		return r.etcd, r.err
	case err := <-log.gaveUp:
		return nil, err
	}
}

// configOf returns the configuration of a single etcd. Its peer port, which
// nothing uses, is any that is free.
func configOf(dir, address string, log *etcdLog) *embed.Config {
	c := embed.NewConfig()
	c.Name = "dev"
	c.Dir = filepath.Join(dir, "etcd")
	clients := url.URL{Scheme: "http", Host: address}
	peers := url.URL{Scheme: "http", Host: "127.0.0.1:0"}
	c.ListenClientUrls = []url.URL{clients}
	c.AdvertiseClientUrls = []url.URL{clients}
	c.ListenPeerUrls = []url.URL{peers}
	c.AdvertisePeerUrls = []url.URL{peers}
	c.InitialCluster = c.InitialClusterFromName(c.Name)
	c.AutoCompactionMode = embed.CompactorModePeriodic
	c.AutoCompactionRetention = "10m"
	c.ZapLoggerBuilder = embed.NewZapLoggerBuilder(log.logger)
	return c
}

// address chooses the address: a port that was asked for, or else that of the
// last time, or the first that is free.
func (s *Server) address(port int) (string, error) {
	if port != 0 {
		address := local(port)
		if !free(address) {
			return "", fmt.Errorf("port %d is taken by another program; choose another, or leave --port out", port)
		}
		return address, nil
	}
	if last, err := readState(s.dir); err == nil && free(last.Address) {
		return last.Address, nil
	}
	for port := firstPort; port <= lastPort; port++ {
		if address := local(port); free(address) {
			return address, nil
		}
	}
	return "", fmt.Errorf("all ports from %d to %d are taken; choose one with --port", firstPort, lastPort)
}

// The ports that are tried for the HTTP API.
const (
	firstAPIPort = 7080
	lastAPIPort  = firstAPIPort + 100
)

// lastAPI is the address of the HTTP API at the last time.
func (s *Server) lastAPI() string {
	last, err := readState(s.dir)
	if err != nil {
		return ""
	}
	return last.API
}

// ListenAPI listens for the HTTP API, at the address of the last time or the
// first that is free, and notes the address.
func (s *Server) ListenAPI() (net.Listener, error) {
	addresses := []string{s.State.API}
	for port := firstAPIPort; port <= lastAPIPort; port++ {
		addresses = append(addresses, local(port))
	}
	for _, address := range addresses {
		if address == "" {
			continue
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		s.State.API = address
		if err := s.State.write(s.dir); err != nil {
			return nil, errors.Join(err, l.Close())
		}
		return l, nil
	}
	return nil, fmt.Errorf("listen for the HTTP API: all ports from %d to %d are taken", firstAPIPort, lastAPIPort)
}

func local(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

func free(address string) bool {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return false
	}
	return l.Close() == nil
}

// etcdLog writes etcd's warnings and errors to a file, which each start
// empties.
type etcdLog struct {
	logger *zap.Logger
	file   *os.File
	gaveUp giveUp
}

func newLog(path string) (*etcdLog, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open etcd's log: %w", err)
	}
	config := zap.NewProductionEncoderConfig()
	config.EncodeTime = zapcore.RFC3339TimeEncoder
	core := zapcore.NewCore(zapcore.NewConsoleEncoder(config), zapcore.Lock(file), zapcore.WarnLevel)
	gaveUp := make(giveUp, 1)
	logger := zap.New(core,
		zap.WithFatalHook(gaveUp),
		zap.WithPanicHook(gaveUp),
		zap.ErrorOutput(zapcore.AddSync(io.Discard)),
	)
	return &etcdLog{logger, file, gaveUp}, nil
}

// close ends the log. What etcd says later is lost.
func (l *etcdLog) close() { _ = l.file.Close() }

// giveUp receives the first message with which etcd would have panicked or
// ended the process.
type giveUp chan error

// OnWrite implements zapcore.CheckWriteHook. It ends the goroutine.
func (g giveUp) OnWrite(e *zapcore.CheckedEntry, _ []zapcore.Field) {
	select {
	case g <- fmt.Errorf("etcd gave up: %s", e.Message):
	default:
	}
	runtime.Goexit()
}
