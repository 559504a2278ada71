package history

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"time"
)

const (
	// MaxLog is how much of the output of a run is kept, in bytes, before
	// compression: the first 16 KiB and the last 48 KiB.
	MaxLog = logHead + logTail

	logHead = 16 << 10
	logTail = 48 << 10
)

// Text returns the text of the log.
func (l *Log) Text() ([]byte, error) {
	if len(l.Gzip) == 0 {
		return nil, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(l.Gzip))
	if err != nil {
		return nil, fmt.Errorf("read the log of %s: %w", l.RunKey, err)
	}
	text, err := io.ReadAll(io.LimitReader(z, 2*MaxLog))
	if err != nil {
		return nil, fmt.Errorf("read the log of %s: %w", l.RunKey, err)
	}
	return text, nil
}

// output is a log that is compressed when it is written first: the engine has
// no time for that.
type output struct {
	log  Log
	text []byte
}

// AddOutput records the log of an attempt that ended at a time. size is how
// many bytes the attempt wrote, and text the part that is kept. text must not
// be changed afterwards.
func (r *Recorder) AddOutput(key RunKey, ended time.Time, size int64, text []byte) {
	o := &output{log: Log{RunKey: key.clean(), Ended: moment(ended), Bytes: size}, text: text}
	r.add(o)
}

func (o *output) clean() Row    { return o }
func (o *output) class() class  { return classLog }
func (o *output) size() int     { return o.log.size() + len(o.text) }
func (o *output) into(b *Batch) { o.compress().into(b) }
func (o *output) compress() *Log {
	if o.log.Gzip == nil {
		var b bytes.Buffer
		z, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed)
		_, _ = z.Write(o.text)
		_ = z.Close()
		o.log.Gzip = b.Bytes()
	}
	return &o.log
}
