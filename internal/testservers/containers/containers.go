// Package containers runs test servers in containers, if an engine answers.
// Import it for its effect:
//
//	import _ "github.com/elasticjob-go/elastic/internal/testservers/containers"
//
// It is a nested module, because the client of the engine has many dependencies
// that drivers must not have. Its containers publish their ports on 127.0.0.1
// and see the directories of the test that starts them. They are removed when
// that test ends; those of a test process that died are removed by the next
// one.
//
// The images are the official ones where a registry answers, and otherwise
// those of `make images`. ELASTIC_TEST_IMAGES forces either: official or built.
package containers

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/elasticjob-go/elastic/internal/testservers"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	tclog "github.com/testcontainers/testcontainers-go/log"
)

func init() {
	// The reaper is another container, which would have to be pulled. sweep
	// does the same.
	os.Setenv("TESTCONTAINERS_RYUK_DISABLED", "true")
	tclog.SetDefault(quiet)
	testservers.RegisterContainers(engine{})
}

// quiet discards the log of the library. Its errors are returned too.
var quiet = log.New(io.Discard, "", 0)

// engine is the container engine of the environment, found as docker's own
// client does.
type engine struct{}

// patience bounds one request to the engine; pulling an image has more.
const (
	patience = time.Minute
	pulling  = 5 * time.Minute
)

// image is the image of a server, with the command to start it.
type image struct {
	ref     string
	program []string
}

var (
	official = officialImages(os.Getenv)
	built    = map[string]image{
		"consul":    {"elastic-test/consul", []string{"/consul"}},
		"etcd":      {"elastic-test/etcd", []string{"/etcd"}},
		"zookeeper": {"elastic-test/zookeeper", []string{"/opt/java/bin/java", "-cp", "/opt/zookeeper/*"}},
	}
)

// dial connects to the engine, once.
var dial = sync.OnceValues(func() (*testcontainers.DockerClient, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return testcontainers.NewDockerClientWithOpts(ctx)
})

// images returns the images to use, with a description.
var images = sync.OnceValues(func() (map[string]image, string) {
	switch os.Getenv("ELASTIC_TEST_IMAGES") {
	case "official":
		return official, "official images, because ELASTIC_TEST_IMAGES says so"
	case "built":
		return built, "images of make images, because ELASTIC_TEST_IMAGES says so"
	}
	if err := registry(); err != nil {
		return built, "images of make images, because no registry answers"
	}
	return official, "official images"
})

// registry checks that the registry of most images answers.
func registry() error {
	c := http.Client{Timeout: 2 * time.Second}
	answer, err := c.Get("https://registry-1.docker.io/v2/")
	if err != nil {
		return err
	}
	return answer.Body.Close() // 401, and that is fine
}

// Check reports whether an engine answers and there are images, and removes the
// containers of dead test processes.
func (engine) Check() (string, error) {
	c, err := dial()
	if err != nil {
		return "", fmt.Errorf("no container engine answers: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	version, err := c.ServerVersion(ctx, client.ServerVersionOptions{})
	if err != nil {
		return "", fmt.Errorf("no container engine answers: %w", err)
	}
	set, about := images()
	for name := range set {
		if _, err := c.ImageInspect(ctx, set[name].ref); err != nil && set[name].ref == built[name].ref {
			return "", fmt.Errorf("no image of %s: run `make images` at the root of the repository: %w", name, err)
		}
	}
	swept, err := sweep(c)
	if err != nil {
		return "", fmt.Errorf("remove what test processes have left that died: %w", err)
	}
	if swept > 0 {
		about += fmt.Sprintf("; removed %d containers and networks of test processes that died", swept)
	}
	return fmt.Sprintf("engine %s, %s", version.Version, about), nil
}
