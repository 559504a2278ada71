package history

const (
	// bufferRows and bufferBytes bound the rows in memory.
	bufferRows  = 10_000
	bufferBytes = 8 << 20
)

// buffer holds the rows that wait, oldest first. When it is full, it drops the
// oldest success, or the oldest row if there is no success. It is not safe for
// concurrent use.
type buffer struct {
	rows  []Row // nil where a row was dropped
	head  int   // of the oldest row; those before it were taken
	scan  int   // no success is before it
	live  int   // rows that are not nil
	bytes int
}

// push adds a row. It returns the rows that had to be dropped for it, which can
// be the row itself.
func (b *buffer) push(row Row) (dropped []Row) {
	size := row.size()
	for b.live > 0 && (b.live >= bufferRows || b.bytes+size > bufferBytes) {
		i := b.oldestSuccess()
		if i < 0 && row.class().isSuccess() {
			return append(dropped, row)
		}
		if i < 0 {
			i = b.oldest()
		}
		dropped = append(dropped, b.remove(i))
	}
	b.compact()
	b.rows = append(b.rows, row)
	b.live++
	b.bytes += size
	return dropped
}

// take removes at most n rows, oldest first.
func (b *buffer) take(n int) []Row {
	rows := make([]Row, 0, min(n, b.live))
	for len(rows) < n && b.live > 0 {
		rows = append(rows, b.remove(b.oldest()))
	}
	return rows
}

// oldest returns the index of the oldest row. There must be one.
func (b *buffer) oldest() int {
	for b.rows[b.head] == nil {
		b.head++
	}
	return b.head
}

// oldestSuccess returns the index of the oldest row that is a success; −1 if
// there is none.
func (b *buffer) oldestSuccess() int {
	for b.scan = max(b.scan, b.head); b.scan < len(b.rows); b.scan++ {
		if row := b.rows[b.scan]; row != nil && row.class().isSuccess() {
			return b.scan
		}
	}
	return -1
}

func (b *buffer) remove(i int) Row {
	row := b.rows[i]
	b.rows[i] = nil
	b.live--
	b.bytes -= row.size()
	return row
}

// compact removes the places of rows that are gone, once they are half of the
// slice: so a push takes constant time on average.
func (b *buffer) compact() {
	if len(b.rows) < 64 || len(b.rows) < 2*b.live {
		return
	}
	kept := b.rows[:0]
	for _, row := range b.rows[b.head:] {
		if row != nil {
			kept = append(kept, row)
		}
	}
	clear(b.rows[len(kept):])
	b.rows = kept
	b.head = 0
	b.scan = 0
}

// putBack adds rows before all others. They were taken just before.
func (b *buffer) putBack(rows []Row) {
	all := make([]Row, 0, len(rows)+len(b.rows)-b.head)
	all = append(all, rows...)
	for _, row := range rows {
		b.live++
		b.bytes += row.size()
	}
	b.rows = append(all, b.rows[b.head:]...)
	b.head, b.scan = 0, 0
}
