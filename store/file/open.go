package file

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

func init() {
	store.Register("file", store.Driver{Open: open, Params: []string{"fsync"}})
}

// opened holds the directories that this process has open, by their real paths.
var opened = struct {
	sync.Mutex
	dirs map[string]*directory
}{dirs: map[string]*directory{}}

// directory is the state that all stores on one directory share.
type directory struct {
	path    string
	hold    *hold
	journal *journal
	server  *memory.Server
	clients int // open now
	ever    int
}

// client is one store on a directory: a memory store that lets go of the
// directory in the end.
type client struct {
	*memory.Client
	dir  *directory
	once sync.Once
	err  error
}

// Caps tells what the store can do.
func (c *client) Caps() store.Caps {
	caps := c.Client.Caps()
	caps.Driver = "file"
	return caps
}

// Close ends the client's sessions and watches; the last one closes the
// directory.
func (c *client) Close(ctx context.Context) error {
	err := c.Client.Close(ctx)
	c.once.Do(func() { c.err = c.dir.release() })
	return errors.Join(err, c.err)
}

func open(_ context.Context, c store.Config) (store.Store, error) {
	path, err := directoryOf(c)
	if err != nil {
		return nil, err
	}
	fsync := true
	switch c.Params["fsync"] {
	case "", "on":
	case "off":
		fsync = false
	default:
		return nil, fmt.Errorf("%w: parameter fsync=%q: want on or off", store.ErrInvalid, c.Params["fsync"])
	}
	return connect(path, fsync)
}

func directoryOf(c store.Config) (string, error) {
	if len(c.Hosts) > 0 || c.User != "" || c.Password != "" {
		return "", fmt.Errorf("%w: a file store has no host and no user: write file:///path/of/directory, with three slashes", store.ErrInvalid)
	}
	path := c.Path
	if runtime.GOOS == "windows" && len(path) > 2 && path[2] == ':' {
		path = path[1:] // file:///C:/jobs
	}
	path = filepath.Clean(filepath.FromSlash(path))
	if c.Path == "" || filepath.Dir(path) == path {
		return "", fmt.Errorf("%w: a file store needs a directory: write file:///path/of/directory", store.ErrInvalid)
	}
	return path, nil
}

// connect returns a store on a directory. It reads the log if this process does
// not have the directory open.
func connect(path string, fsync bool) (*client, error) {
	opened.Lock() // also while the log is read: others who want the directory have to wait for that anyway
	defer opened.Unlock()
	path, err := makeDir(path)
	if err != nil {
		return nil, classify(err)
	}
	d := opened.dirs[path]
	if d == nil {
		if d, err = openDirectory(path, fsync); err != nil {
			return nil, classify(err)
		}
		opened.dirs[path] = d
	}
	if err := d.journal.failure(); err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrEnded, err)
	}
	if d.journal.fsync != fsync {
		return nil, fmt.Errorf("%w: this process has %s open with another fsync", store.ErrInvalid, path)
	}
	d.clients++
	d.ever++
	return &client{Client: d.server.Connect(fmt.Sprintf("%s#%d", path, d.ever)), dir: d}, nil
}

// classify gives an error of the operating system the sentinel that callers
// look for.
func classify(err error) error {
	switch {
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%w: %w", store.ErrPermission, err)
	case errors.Is(err, store.ErrInvalid), errors.Is(err, store.ErrUnavailable), errors.Is(err, ErrDamaged):
		return err
	default:
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
}

// makeDir makes sure that there is a directory and returns its real path.
func makeDir(path string) (string, error) {
	if link, err := os.Lstat(path); err == nil && link.Mode()&os.ModeSymlink != 0 {
		if err := trusted(path, link); err != nil {
			return "", err
		}
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		if err := makeDirs(path); err != nil {
			return "", err
		}
	case err != nil:
		return "", err
	case !info.IsDir():
		return "", fmt.Errorf("%w: %s is not a directory", store.ErrInvalid, path)
	}
	return filepath.EvalSymlinks(path)
}

// makeDirs creates a directory and what is missing above it, durably.
func makeDirs(path string) error {
	err := os.Mkdir(path, 0o700)
	if errors.Is(err, os.ErrNotExist) && filepath.Dir(path) != path {
		if err := makeDirs(filepath.Dir(path)); err != nil {
			return err
		}
		err = os.Mkdir(path, 0o700)
	}
	if err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	above, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer above.Close()
	return syncDir(above)
}

func openDirectory(path string, fsync bool) (*directory, error) {
	h, err := takeHold(path)
	if err != nil {
		return nil, err
	}
	j := newJournal(h, fsync)
	if err := j.load(); err != nil {
		h.release()
		return nil, err
	}
	d := &directory{path: path, hold: h, journal: j, server: memory.NewServer(memory.Journaled(j, j.content.record()))}
	j.ended = d.server.Fail
	go j.run() // until release
	return d, nil
}

// release closes the directory when its last client goes.
func (d *directory) release() error {
	opened.Lock()
	defer opened.Unlock()
	if d.clients--; d.clients > 0 {
		return nil
	}
	delete(opened.dirs, d.path)
	err := d.journal.close()
	return errors.Join(err, d.hold.release())
}
