package file

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"strings"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// ErrDamaged says that a log can't be read as a whole and that what is wrong is
// not the trace of a crash.
var ErrDamaged = errors.New("store/file: log is damaged")

// A log is a head and then frames. All numbers are little-endian; checksums are
// CRC-32C.
//
//	head:  magic, salt (8 bytes), base (8 bytes), checksum of these
//	frame: length of the payload (4 bytes), its checksum, checksum of salt, length and checksum, payload
//
// The payload of a frame is one record or more. The frames up to the offset
// base were on disk before the file got its name. Each later one is written
// when the one before it is on disk, so a crash can spoil the last one only.
// The salt, new with each file, keeps what an earlier file left on the disk
// from being taken for a frame of this one.
const (
	magic     = "elastic store log 1\n"
	headSize  = len(magic) + 8 + 8 + 4
	frameHead = 4 + 4 + 4

	// A frame takes records until it has frameFull bytes. One record more than
	// that is below frameMost: a store takes transactions of 1 MiB.
	frameFull = 1 << 20
	frameMost = 4 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

func appendHead(b []byte, salt, base uint64) []byte {
	from := len(b)
	b = append(b, magic...)
	b = binary.LittleEndian.AppendUint64(b, salt)
	b = binary.LittleEndian.AppendUint64(b, base)
	return binary.LittleEndian.AppendUint32(b, checksum(b[from:]))
}

func headSum(salt uint64, length, sum uint32) uint32 {
	b := binary.LittleEndian.AppendUint64(make([]byte, 0, 16), salt)
	b = binary.LittleEndian.AppendUint32(b, length)
	return checksum(binary.LittleEndian.AppendUint32(b, sum))
}

func appendFrame(b []byte, salt uint64, records ...memory.Record) []byte {
	from := len(b)
	b = append(b, make([]byte, frameHead)...)
	for _, r := range records {
		b = appendRecord(b, r)
	}
	sealFrame(b[from:], salt)
	return b
}

// sealFrame fills in the head of a frame.
func sealFrame(b []byte, salt uint64) {
	length, sum := uint32(len(b)-frameHead), checksum(b[frameHead:])
	binary.LittleEndian.PutUint32(b, length)
	binary.LittleEndian.PutUint32(b[4:], sum)
	binary.LittleEndian.PutUint32(b[8:], headSum(salt, length, sum))
}

// frameAt reads the head of a frame.
func frameAt(b []byte, salt uint64) (length int, sum uint32, ok bool) {
	if len(b) < frameHead {
		return 0, 0, false
	}
	n, sum := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
	if n == 0 || n > frameMost || binary.LittleEndian.Uint32(b[8:]) != headSum(salt, n, sum) {
		return 0, 0, false
	}
	return int(n), sum, true
}

func appendRecord(b []byte, r memory.Record) []byte {
	b = binary.AppendUvarint(b, r.Rev)
	b = binary.AppendUvarint(b, uint64(len(r.Put)))
	for _, e := range r.Put {
		b = appendBytes(b, e.Key)
		b = appendBytes(b, e.Value)
		b = binary.AppendUvarint(b, uint64(e.Version))
		b = binary.AppendUvarint(b, e.Created)
	}
	b = binary.AppendUvarint(b, uint64(len(r.Delete)))
	for _, key := range r.Delete {
		b = appendBytes(b, key)
	}
	return b
}

func appendBytes[T string | []byte](b []byte, x T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(x))), x...)
}

// size is about what a record takes in a frame, and never less.
func size(r memory.Record) int {
	n := 3 * binary.MaxVarintLen64
	for _, e := range r.Put {
		n += len(e.Key) + len(e.Value) + 4*binary.MaxVarintLen64
	}
	for _, key := range r.Delete {
		n += len(key) + binary.MaxVarintLen64
	}
	return n
}

// decoder takes a payload apart. After a fault everything it returns is zero.
type decoder struct {
	rest  []byte
	fault bool
}

func (d *decoder) number() uint64 {
	x, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.rest, d.fault = nil, true
		return 0
	}
	d.rest = d.rest[n:]
	return x
}

func (d *decoder) bytes() []byte {
	n := d.number()
	if n > uint64(len(d.rest)) {
		d.rest, d.fault = nil, true
		return nil
	}
	x := d.rest[:n]
	d.rest = d.rest[n:]
	return x
}

func (d *decoder) record() memory.Record {
	r := memory.Record{Rev: d.number()}
	for n := d.number(); n > 0 && !d.fault; n-- {
		key, value := string(d.bytes()), bytes.Clone(d.bytes())
		r.Put = append(r.Put, store.Entry{Key: key, Value: value, Version: store.Version(d.number()), Created: d.number()})
	}
	for n := d.number(); n > 0 && !d.fault; n-- {
		r.Delete = append(r.Delete, string(d.bytes()))
	}
	return r
}

// content is the state of the store that a log describes.
type content struct {
	rev     uint64
	entries map[string]store.Entry
}

func (c *content) apply(r memory.Record) {
	c.rev = r.Rev
	for _, key := range r.Delete {
		delete(c.entries, key)
	}
	for _, e := range r.Put {
		c.entries[e.Key] = e
	}
}

// record returns the whole content, sorted by key.
func (c *content) record() memory.Record {
	r := memory.Record{Rev: c.rev, Put: slices.Collect(maps.Values(c.entries))}
	slices.SortFunc(r.Put, func(a, b store.Entry) int { return strings.Compare(a.Key, b.Key) })
	return r
}

// replay reads a log. It returns its content, its salt, and how many of its
// bytes are good: the rest is the torn last write of a crash. name is the
// file's, for errors.
func replay(name string, log []byte) (c content, salt uint64, base, good int, err error) {
	c.entries = map[string]store.Entry{}
	if !bytes.HasPrefix(log, []byte(magic)) {
		return c, 0, 0, 0, fmt.Errorf("%w: %s is not a log of this version: it does not begin with %q", ErrDamaged, name, magic)
	}
	if len(log) < headSize || binary.LittleEndian.Uint32(log[headSize-4:]) != checksum(log[:headSize-4]) {
		return c, 0, 0, 0, fmt.Errorf("%w: the head of %s, at offset 0: restore the directory from a copy", ErrDamaged, name)
	}
	salt = binary.LittleEndian.Uint64(log[len(magic):])
	wide := binary.LittleEndian.Uint64(log[len(magic)+8:])
	if wide > uint64(len(log)) {
		return c, 0, 0, 0, fmt.Errorf("%w: %s ends at offset %d, and was at least %d bytes long: restore the directory from a copy", ErrDamaged, name, len(log), wide)
	}
	base = int(wide)
	damaged := func(at int, what string) error {
		cure := "restore the directory from a copy"
		if at >= base {
			cure += fmt.Sprintf("; or, to give up everything from there on, cut the file: truncate -s %d '%s'", at, name)
		}
		return fmt.Errorf("%w: %s at offset %d: %s: %s", ErrDamaged, name, at, what, cure)
	}
	if base < headSize {
		return c, 0, 0, 0, damaged(headSize, "impossible head")
	}
	for good = headSize; good < len(log); {
		rest := log[good:]
		n, sum, ok := frameAt(rest, salt)
		if !ok || frameHead+n > len(rest) || checksum(rest[frameHead:frameHead+n]) != sum {
			if good < base || !torn(rest, salt) {
				return c, 0, 0, 0, damaged(good, "checksum does not match")
			}
			break
		}
		d := decoder{rest: rest[frameHead : frameHead+n]}
		for len(d.rest) > 0 {
			r := d.record()
			if d.fault || r.Rev < c.rev || r.Rev == c.rev && good >= base {
				return c, 0, 0, 0, damaged(good, "records make no sense")
			}
			c.apply(r)
		}
		good += frameHead + n
	}
	if good < base {
		return c, 0, 0, 0, damaged(good, "frames end too early")
	}
	return c, salt, base, good, nil
}

// torn reports whether the rest of a log, which does not begin with a good
// frame, can be what a crash left of one write. In doubt it is not: then
// acknowledged records may be lost.
func torn(rest []byte, salt uint64) bool {
	if n, _, ok := frameAt(rest, salt); ok {
		return frameHead+n >= len(rest) // else something was written after it, so it was on disk once
	}
	if len(rest) > frameHead+frameMost {
		return false
	}
	for i := 1; i < len(rest); i++ {
		if _, _, ok := frameAt(rest[i:], salt); ok {
			return false
		}
	}
	return true
}
