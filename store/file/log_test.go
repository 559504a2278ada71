package file

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// ledger is a log with what it held after each commit.
type ledger struct {
	log  []byte
	base int
	ends []int    // of the log, when commit i was acknowledged; ends[0] is before the first
	want []string // the content then
}

// written returns a ledger whose log begins with a rewritten part, followed by
// n commits of all kinds.
func written(t testing.TB, n int) ledger {
	t.Helper()
	dir := t.TempDir()
	c := openAt(t, dir)
	c.dir.journal.grow = 1 // the next commit has the log written again
	do(t, c, nil, store.Create("base/1", []byte("one")), store.Create("base/other", bytes.Repeat([]byte("."), 40)))
	mustClose(t, c)
	c = openAt(t, dir)
	ss, err := c.NewSession(t.Context(), store.SessionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var l ledger
	note := func() {
		l.log = logOf(t, dir)
		l.ends = append(l.ends, len(l.log))
		lasting, err := c.List(t.Context(), "base")
		if err != nil {
			t.Fatal(err)
		}
		l.want = append(l.want, show(lasting))
	}
	note()
	for i := range n {
		key := fmt.Sprintf("base/%d", i%5)
		_, err := c.Get(t.Context(), key)
		switch there := err == nil; {
		case !there && i%2 == 0:
			do(t, c, nil, store.Create(key, bytes.Repeat([]byte{byte(i)}, i%40)))
		case !there:
			do(t, c, ss, store.Create(key, nil), store.CreateEphemeral(fmt.Sprintf("eph/%d", i), nil))
		case i%3 == 0:
			do(t, c, nil, store.Delete(key))
		default:
			do(t, c, nil, store.Set(key, fmt.Appendf(nil, "value %d", i)), store.Set("base/other", nil))
		}
		note()
	}
	_, _, base, _, err := replay("log", l.log)
	if err != nil {
		t.Fatal(err)
	}
	if l.base = base; base <= headSize {
		t.Fatal("the log was not written anew")
	}
	return l
}

// upTo returns the content after the last commit that was acknowledged when the
// log had n bytes.
func (l ledger) upTo(n int) (want string, end int) {
	want, end = l.want[0], l.base
	for i, e := range l.ends {
		if e <= n {
			want, end = l.want[i], e
		}
	}
	return want, end
}

func (l ledger) check(t *testing.T, what string, log []byte, n int) {
	t.Helper()
	want, end := l.upTo(n)
	c, _, _, good, err := replay("log", log)
	if err != nil {
		t.Errorf("%s: %v", what, err)
	} else if got := show(c.record().Put); got != want && n >= l.ends[0] || good > n || good < end && n >= l.ends[0] {
		t.Errorf("%s: %d bytes are good\ngot  %s\nwant %s", what, good, got, want)
	}
}

func TestLogCutAtAnyByteHoldsWhatWasAcknowledgedBefore(t *testing.T) {
	l := written(t, 40)
	last := l.ends[len(l.ends)-2]
	for n := l.base; n <= len(l.log); n++ {
		cut := l.log[:n]
		l.check(t, fmt.Sprintf("cut at %d", n), cut, n)
		if n <= last {
			continue
		}
		// A file may have got its length before its content, or only some
		// blocks of it.
		for what, fill := range map[string]byte{"zeros": 0, "ones": 255, "text": 'x'} {
			spoilt := append(bytes.Clone(cut), bytes.Repeat([]byte{fill}, len(l.log)-n)...)
			if !bytes.Equal(spoilt, l.log) {
				l.check(t, fmt.Sprintf("%s from %d", what, n), spoilt, n)
			}
		}
	}
	for n := 0; n < l.base; n++ {
		if _, _, _, _, err := replay("log", l.log[:n]); !errors.Is(err, ErrDamaged) {
			t.Fatalf("cut at %d, in what was on disk before the file had its name: %v, want ErrDamaged", n, err)
		}
	}
}

func TestStoreOpensOnALogThatWasCutAndGoesOn(t *testing.T) {
	l := written(t, 30)
	cuts := map[int]bool{}
	for _, end := range l.ends {
		cuts[end], cuts[end-1], cuts[min(end+1, len(l.log))], cuts[min(end+frameHead, len(l.log))] = true, true, true, true
	}
	for n := l.ends[len(l.ends)-4]; n <= len(l.log); n++ {
		cuts[n] = true
	}
	for n := range cuts {
		if n < l.ends[0] {
			continue
		}
		want, _ := l.upTo(n)
		dir := put(t, l.log[:n])
		c := openAt(t, dir)
		if got := dump(t, c); got != want {
			t.Fatalf("cut at %d:\ngot  %s\nwant %s", n, got, want)
		}
		do(t, c, nil, store.Create("base/after", nil))
		want = dump(t, c)
		mustClose(t, c)
		c = openAt(t, dir)
		if got := dump(t, c); got != want {
			t.Fatalf("cut at %d, after one more commit:\ngot  %s\nwant %s", n, got, want)
		}
		mustClose(t, c)
	}
}

func TestDamageBeforeTheLastWriteIsRefused(t *testing.T) {
	l := written(t, 25)
	at := frames(t, l.log)
	last := at[len(at)-2]
	frame := 0
	for i := range l.log {
		for frame+1 < len(at) && i >= at[frame+1] {
			frame++
		}
		for _, flip := range []byte{1, 0x80, 0xff} {
			spoilt := bytes.Clone(l.log)
			spoilt[i] ^= flip
			if i >= last {
				l.check(t, fmt.Sprintf("byte %d of the last write changed", i), spoilt, last)
				continue
			}
			_, _, _, _, err := replay("/dir/elastic.log", spoilt)
			if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "/dir/elastic.log") {
				t.Fatalf("byte %d changed: %v, want ErrDamaged with the file's name", i, err)
			}
			if offset := fmt.Sprintf("offset %d:", at[frame]); i >= headSize && !strings.Contains(err.Error(), offset) {
				t.Fatalf("byte %d changed: %v, want %s", i, err, offset)
			}
			if cure := fmt.Sprintf("truncate -s %d '/dir/elastic.log'", at[frame]); i >= l.base && !strings.Contains(err.Error(), cure) {
				t.Fatalf("byte %d changed: %v, want %s", i, err, cure)
			}
		}
	}
	// What was there before the file had its name can't be torn, though nothing
	// comes after it.
	for i := range l.base {
		spoilt := bytes.Clone(l.log[:l.base])
		spoilt[i] ^= 1
		if _, _, _, _, err := replay("log", spoilt); !errors.Is(err, ErrDamaged) {
			t.Fatalf("byte %d of the last rewrite changed: %v, want ErrDamaged", i, err)
		}
	}
	// The end of a long log is more than a crash can spoil.
	long := append(bytes.Clone(l.log), make([]byte, frameHead+frameMost+1)...)
	if _, _, _, _, err := replay("log", long); !errors.Is(err, ErrDamaged) {
		t.Errorf("%d zeros at the end: %v, want ErrDamaged", len(long)-len(l.log), err)
	}
	// What a frame holds may be a frame of another log.
	dir := t.TempDir()
	c := openAt(t, dir)
	do(t, c, nil, store.Create("copy", l.log))
	mustClose(t, c)
	spoilt := logOf(t, dir)
	spoilt = spoilt[:len(spoilt)-5]
	spoilt[headSize] ^= 1
	if _, _, _, good, err := replay("log", spoilt); err != nil || good != headSize {
		t.Errorf("the log of a log, torn: %d bytes good, %v", good, err)
	}
}

func TestDamagedLogIsNeitherOpenedNorChanged(t *testing.T) {
	l := written(t, 5)
	l.log[l.base+frameHead] ^= 1
	dir := put(t, l.log)
	_, err := connect(dir, true)
	if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), filepath.Join(dir, logName)) {
		t.Errorf("error %v", err)
	}
	if !bytes.Equal(logOf(t, dir), l.log) {
		t.Error("the log has changed")
	}
	// The cure that the error names.
	if err := os.Truncate(filepath.Join(dir, logName), int64(l.base)); err != nil {
		t.Fatal(err)
	}
	openAt(t, dir)
	if _, err := connect(put(t, []byte("something else")), true); !errors.Is(err, ErrDamaged) {
		t.Errorf("a file that is no log: %v", err)
	}
}

func FuzzReplay(f *testing.F) {
	l := written(f, 20)
	f.Add(l.log)
	f.Add(l.log[:len(l.log)-3])
	f.Add(l.log[:l.base])
	f.Add(appendHead(nil, 0, uint64(headSize)))
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, log []byte) {
		c, _, base, good, err := replay("log", log)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatalf("error %v, want ErrDamaged", err)
			}
			return
		}
		if good > len(log) || good < base {
			t.Fatalf("%d of %d bytes good, base %d", good, len(log), base)
		}
		again, _, _, _, err := replay("log", log[:good])
		if err != nil || show(again.record().Put) != show(c.record().Put) || again.rev != c.rev {
			t.Fatalf("what is good of it reads otherwise: %v", err)
		}
	})
}

// Payloads whose checksums are right.
func FuzzPayload(f *testing.F) {
	f.Add(appendRecord(nil, memory.Record{Rev: 3, Put: []store.Entry{{Key: "k", Value: []byte("v"), Version: 3, Created: 2}}, Delete: []string{"x"}}))
	f.Add([]byte{1, 255, 255, 255, 255, 255, 255, 255, 255, 127, 0})
	f.Fuzz(func(t *testing.T, payload []byte) {
		if len(payload) == 0 || len(payload) > frameMost {
			return
		}
		log := appendHead(nil, 42, uint64(headSize))
		head := appendFrame(nil, 42)[:frameHead]
		log = append(append(log, head...), payload...)
		sealFrame(log[headSize:], 42)
		c, _, _, good, err := replay("log", log)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatal(err)
			}
			return
		}
		if good != len(log) {
			t.Fatalf("%d of %d bytes good", good, len(log))
		}
		var frames []byte
		for _, r := range pieces(c.record()) {
			frames = appendFrame(frames, 7, r)
		}
		again := append(appendHead(nil, 7, uint64(headSize+len(frames))), frames...)
		if d, _, _, _, err := replay("log", again); err != nil || show(d.record().Put) != show(c.record().Put) || d.rev != c.rev {
			t.Fatalf("written anew it reads otherwise: %v", err)
		}
	})
}
