package observe

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"
)

// Log returns a function that writes events to l, one line each: events that
// need a person ([Event.Alarm]) at level Warn, what happens at each fire at
// Debug, all others at Info. If l is nil the function is, too.
func Log(l *slog.Logger) func(Event) {
	if l == nil {
		return nil
	}
	return func(e Event) {
		level := e.level()
		if !l.Enabled(context.Background(), level) {
			return
		}
		l.LogAttrs(context.Background(), level, string(e.Kind), e.attrs()...)
	}
}

func (e Event) level() slog.Level {
	if e.Alarm() {
		return slog.LevelWarn
	}
	switch e.Kind {
	case Began, Ended, Gained, Dropped:
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// attrs names only what the event has.
func (e Event) attrs() []slog.Attr {
	a := make([]slog.Attr, 0, 12)
	text := func(key, value string) {
		if value != "" {
			a = append(a, slog.String(key, value))
		}
	}
	text("instance", e.Instance)
	text("job", e.Job)
	if e.Job != "" && e.Shard >= 0 {
		a = append(a, slog.Int("shard", e.Shard))
	}
	if !e.Fire.IsZero() {
		a = append(a, slog.String("fire", e.Fire.Format(time.RFC3339)))
	}
	if !e.Until.IsZero() {
		a = append(a, slog.String("until", e.Until.Format(time.RFC3339)))
	}
	if e.Count != 0 {
		a = append(a, slog.Int("count", e.Count))
	}
	if e.Fence != 0 {
		a = append(a, slog.Int("attempt", e.Attempt), slog.Uint64("fence", e.Fence))
	}
	text("result", e.Result)
	if e.Took != 0 {
		a = append(a, slog.Duration("took", e.Took))
	}
	text("subject", e.Subject)
	text("code", e.Code)
	if len(e.Args) > 0 {
		a = append(a, slog.GroupAttrs("args", e.argAttrs()...))
	}
	text("detail", e.Detail)
	if e.Err != nil {
		a = append(a, slog.Any("error", e.Err))
	}
	return a
}

// argAttrs returns the arguments in the order of their names, so that equal
// events give equal lines.
func (e Event) argAttrs() []slog.Attr {
	attrs := make([]slog.Attr, 0, len(e.Args))
	for _, name := range slices.Sorted(maps.Keys(e.Args)) {
		attrs = append(attrs, slog.String(name, e.Args[name]))
	}
	return attrs
}
