package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/store"
)

func TestWhatWasAcknowledgedIsThereAfterReopening(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there")
	c := openAt(t, dir)
	do(t, c, nil, store.Create("a/1", []byte("x")), store.Create("a/2", nil))
	do(t, c, nil, store.Set("a/1", []byte("y")))
	do(t, c, nil, store.Delete("a/2"))
	do(t, c, nil, store.Create("a/2", []byte{0, 255}))
	want := dump(t, c)
	mustClose(t, c)
	c = openAt(t, dir)
	if got := dump(t, c); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestSessionsAndTheirKeysEndWithTheProcessAndTheirNumbersDoNotComeBack(t *testing.T) {
	dir := t.TempDir()
	c := openAt(t, dir)
	ss, err := c.NewSession(t.Context(), store.SessionOptions{TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	do(t, c, nil, store.Create("lasting", nil))
	v := do(t, c, ss, store.CreateEphemeral("eph", nil), store.Set("lasting", []byte("1")))
	v = max(v, do(t, c, ss, store.Set("eph", []byte("2"))))
	crashed := put(t, logOf(t, dir)) // a copy, for which nobody has closed the session

	c = openAt(t, crashed)
	all, err := c.List(t.Context(), "")
	if err != nil || len(all) != 1 || all[0].Key != "lasting" || string(all[0].Value) != "1" {
		t.Errorf("after the crash: %s, %v; want the lasting key", show(all), err)
	}
	if held := c.dir.server.Sessions(); len(held) > 0 {
		t.Errorf("sessions %v are there", held)
	}
	again, err := c.NewSession(t.Context(), store.SessionOptions{})
	if err != nil || again.Token() <= ss.Token() || again.Token() <= uint64(v) || again.ID() == ss.ID() {
		t.Errorf("session %s, token %d after %s, token %d, version %d: %v", again.ID(), again.Token(), ss.ID(), ss.Token(), v, err)
	}
	if next := do(t, c, nil, store.Create("eph", nil)); next <= v {
		t.Errorf("version %d after %d", next, v)
	}
}

func TestStoresOfOneProcessShareTheDirectory(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Skip(err)
	}
	a, b := openAt(t, dir), openAt(t, link)
	do(t, a, nil, store.Create("k", []byte("v")))
	if e, err := b.Get(t.Context(), "k"); err != nil || string(e.Value) != "v" {
		t.Fatalf("got %v, %v", e, err)
	}
	mustClose(t, a)
	do(t, b, nil, store.Set("k", []byte("w")))
	mustClose(t, b)
	mustClose(t, b)
	if len(opened.dirs) > 0 && opened.dirs[dir] != nil {
		t.Error("the directory is still open")
	}
	if _, err := connect(dir, true); err != nil {
		t.Fatal(err)
	}
	if _, err := connect(dir, false); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("with another fsync: %v", err)
	}
}

func openChild(dir string) {
	c, err := connect(dir, true)
	fmt.Println(err)
	if err == nil {
		closeNow(c)
	}
	os.Exit(0)
}

// openElsewhere opens and closes a directory in another process, and returns
// the error that Open gave there.
func openElsewhere(t *testing.T, dir string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "FILE_TEST_OPEN="+dir)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func TestSecondProcessIsToldWhoHoldsTheDirectory(t *testing.T) {
	dir := t.TempDir()
	c := openAt(t, dir)
	if got := openElsewhere(t, dir); !strings.Contains(got, dir) || !strings.Contains(got, fmt.Sprintf("process %d;", os.Getpid())) {
		t.Errorf("the second process is told: %s", got)
	}
	mustClose(t, c)
	if got := openElsewhere(t, dir); got != "<nil>" {
		t.Errorf("after the first has closed: %s", got)
	}
	openAt(t, dir)
}

func TestURLs(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "notes.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		url, want string
	}{
		{"file:///", "needs a directory"},
		{"file://", "needs a directory"},
		{"file://var/lib/jobs", "three slashes"},
		{"file://u@/jobs", "three slashes"},
		{"file://" + dir + "/ok?fsync=maybe", "want on or off"},
		{"file://" + dir + "/ok?sync=off", "does not know"},
		{"file://" + dir, `holds something else, such as "notes.txt"`},
		{"file://" + dir + "/notes.txt", "not a directory"},
		{"file://" + dir + "/a/../b", `".."`},
	} {
		_, err := store.Open(t.Context(), row.url)
		if !errors.Is(err, store.ErrInvalid) || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: error %v, want an ErrInvalid that says %s", row.url, err, row.want)
		}
	}
	for _, query := range []string{"", "?fsync=on", "?fsync=off&session_ttl=30s"} {
		p, err := store.Open(t.Context(), "file://"+dir+"/new%20app/jobs/"+query)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Caps().Driver; got != "file" {
			t.Errorf("driver %q", got)
		}
		p.Close(t.Context())
	}
	for name, want := range map[string]os.FileMode{"new app": 0o700, "new app/jobs": 0o700, "new app/jobs/" + logName: 0o600, "new app/jobs/" + lockName: 0o600} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want %v", name, info.Mode(), err, want)
		}
	}
}

// A disk that fails is made of a log that is open for reading only.
func TestStoreIsLostWhenTheLogCanNotBeWritten(t *testing.T) {
	dir := t.TempDir()
	c := openAt(t, dir)
	do(t, c, nil, store.Create("before", nil))
	ss, err := c.NewSession(t.Context(), store.SessionOptions{TTL: 3 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	w, err := c.Watch(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if u, err := w.Next(t.Context()); err != nil || len(u.Entries) != 1 {
		t.Fatal(u, err)
	}
	readOnly, err := os.Open(filepath.Join(dir, logName))
	if err != nil {
		t.Fatal(err)
	}
	c.dir.journal.file.Close()
	c.dir.journal.file = readOnly

	start := time.Now()
	_, err = c.Commit(t.Context(), store.Txn{Session: ss, Do: []store.Op{store.Create("during", nil)}})
	if !errors.Is(err, store.ErrUnknown) || !strings.Contains(err.Error(), dir) {
		t.Errorf("the commit that could not be written: %v, want ErrUnknown and the directory", err)
	}
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("it took %v to say so", d)
	}
	if u, err := w.Next(t.Context()); err != nil || !u.Stale {
		t.Errorf("the watch says %+v, %v; want Stale", u, err)
	}
	for what, f := range map[string]func() error{
		"get":  func() error { _, err := c.Get(t.Context(), "before"); return err },
		"list": func() error { _, err := c.List(t.Context(), ""); return err },
		"commit": func() error {
			_, err := c.Commit(t.Context(), store.Txn{Do: []store.Op{store.Create("x", nil)}})
			return err
		},
		"session": func() error { _, err := c.NewSession(t.Context(), store.SessionOptions{}); return err },
		"open":    func() error { _, err := connect(dir, true); return err },
	} {
		err := f()
		if !errors.Is(err, store.ErrEnded) || !errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrUnknown) {
			t.Errorf("%s afterwards: %v, want ErrEnded, which is an ErrUnavailable", what, err)
		}
	}
	select {
	case <-ss.Done():
	case <-time.After(20 * time.Second):
		t.Error("the session goes on")
	}
	closeNow(c)
	c = openAt(t, dir)
	if got := dump(t, c); !strings.HasPrefix(got, "before=") || strings.Contains(got, "during") {
		t.Errorf("after opening again: %s", got)
	}
}

func TestCommitsThatWaitShareAnFsync(t *testing.T) {
	const n = 200
	dir := t.TempDir()
	c := openAt(t, dir)
	errs := make(chan error, n)
	for i := range n {
		go func() {
			_, err := c.Commit(context.Background(), store.Txn{Do: []store.Op{store.Create(fmt.Sprintf("k/%03d", i), nil)}})
			errs <- err
		}()
	}
	for range n {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	log := logOf(t, dir)
	if got := len(frames(t, log)); got >= n {
		t.Errorf("%d commits made %d frames", n, got)
	}
	mustClose(t, c)
	if all, err := openAt(t, dir).List(t.Context(), ""); err != nil || len(all) != n {
		t.Errorf("%d keys after reopening, %v", len(all), err)
	}
}

// frames returns the offsets at which the frames of a good log begin, and its
// end.
func frames(t testing.TB, log []byte) []int {
	t.Helper()
	_, salt, _, good, err := replay("log", log)
	if err != nil || good != len(log) {
		t.Fatalf("log of %d bytes: %d good, %v", len(log), good, err)
	}
	at := []int{headSize}
	for at[len(at)-1] < len(log) {
		n, _, _ := frameAt(log[at[len(at)-1]:], salt)
		at = append(at, at[len(at)-1]+frameHead+n)
	}
	return at
}

func TestLargeValuesSurvive(t *testing.T) {
	dir := t.TempDir()
	c := openAt(t, dir)
	value := bytes.Repeat([]byte("0123456789abcdef"), c.Caps().MaxValue/16)
	for i := range 4 {
		do(t, c, nil, store.Create(fmt.Sprintf("a/%d", i), value), store.Create(fmt.Sprintf("b/%d", i), value[:len(value)/2]))
	}
	want := dump(t, c)
	mustClose(t, c)
	if got := dump(t, openAt(t, dir)); got != want {
		t.Error("the content differs")
	}
}
