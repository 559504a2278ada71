package file

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/elasticjob-go/elastic/store"
)

// Commits of one key with 200 bytes each: one writer after the other, and 64 at
// a time.
func BenchmarkCommit(b *testing.B) {
	for _, fsync := range []bool{true, false} {
		for _, writers := range []int{1, 64} {
			b.Run(fmt.Sprintf("fsync=%t/writers=%d", fsync, writers), func(b *testing.B) {
				c, err := connect(b.TempDir(), fsync)
				if err != nil {
					b.Fatal(err)
				}
				defer closeNow(c)
				value := make([]byte, 200)
				for i := range writers {
					do(b, c, nil, store.Create(fmt.Sprintf("k/%d", i), value))
				}
				b.ReportAllocs()
				b.ResetTimer()
				var n, writer atomic.Int64
				done := make(chan error, writers)
				for range writers {
					go func() {
						key := fmt.Sprintf("k/%d", writer.Add(1)-1)
						for n.Add(1) <= int64(b.N) {
							if _, err := c.Commit(b.Context(), store.Txn{Do: []store.Op{store.Set(key, value)}}); err != nil {
								done <- err
								return
							}
						}
						done <- nil
					}()
				}
				for range writers {
					if err := <-done; err != nil {
						b.Error(err)
					}
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
			})
		}
	}
}

// Opening a directory with 100,000 keys of 200 bytes.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	c, err := connect(dir, false)
	if err != nil {
		b.Fatal(err)
	}
	value := make([]byte, 200)
	for i := range 1000 {
		var ops []store.Op
		for k := range 100 {
			ops = append(ops, store.Create(fmt.Sprintf("runs/%03d/%03d", i, k), value))
		}
		do(b, c, nil, ops...)
	}
	closeNow(c)
	b.ResetTimer()
	for b.Loop() {
		c, err := connect(dir, true)
		if err != nil {
			b.Fatal(err)
		}
		closeNow(c)
	}
}

// Writing the log of 100,000 keys of 200 bytes again: what commits wait for now
// and then.
func BenchmarkRewrite(b *testing.B) {
	h, err := takeHold(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer h.release()
	j := newJournal(h, true)
	if err := j.load(); err != nil {
		b.Fatal(err)
	}
	defer func() { j.file.Close() }()
	value := make([]byte, 200)
	for i := range 100_000 {
		key := fmt.Sprintf("runs/%06d", i)
		j.content.entries[key] = store.Entry{Key: key, Value: value, Version: 1, Created: 1}
	}
	j.content.rev = 1
	for b.Loop() {
		if _, err := j.rewrite(); err != nil {
			b.Fatal(err)
		}
	}
}
