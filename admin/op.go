package admin

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/internal/layout"
)

// NewOp returns a new name for an act: a UUID of version 7, which begins with
// the time.
func NewOp() string { return uuid(time.Now(), randomly()) }

func randomly() (b [8]byte) {
	_, _ = rand.Read(b[:]) // it never fails: see crypto/rand
	return b
}

// uuid returns the UUID of version 7 of a time, with the given random part. Its
// first 60 bits are the time in parts of a millisecond, so that acts that
// follow each other are in that order.
func uuid(at time.Time, random [8]byte) string {
	var b [16]byte
	parts := uint64(at.Nanosecond()%1e6) << 12 / 1e6 // 4096 a millisecond
	binary.BigEndian.PutUint64(b[:8], uint64(max(at.UnixMilli(), 0))<<16|parts)
	copy(b[8:], random[:])
	b[6] |= 0x70
	b[8] = b[8]&0x3f | 0x80
	text := hex.EncodeToString(b[:])
	return fmt.Sprintf("%s-%s-%s-%s-%s", text[:8], text[8:12], text[12:16], text[16:20], text[20:])
}

// opTime returns the time in a name of an act.
func opTime(op string) (time.Time, error) {
	if id, ok := layout.AuditID(layout.AuditKey(op)); !ok || id[14] != '7' {
		return time.Time{}, invalid("the op must be a UUID of version 7 in lower case, is %.60q", op)
	}
	ms, err := strconv.ParseInt(strings.ReplaceAll(op, "-", "")[:12], 16, 64)
	if err != nil {
		return time.Time{}, invalid("the op must be a UUID of version 7, is %.60q", op)
	}
	return time.UnixMilli(ms), nil
}
