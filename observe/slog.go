package observe

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"
)

// Log returns an observer that writes each event to l as one line. The message
// is a sentence for people, such as "instance a@1 took over shard 5 of report
// (attempt 2)"; its wording can change in any version. The attribute kind and
// the others are for programs.
//
// Events that need a person ([Event.Alarm]) have level Warn. The begin of a
// run, the end of one without a claim, and shards that come and go have level
// Debug. All others have level Info: of a run with a claim, one line. If l is
// nil, Log returns nil.
func Log(l *slog.Logger) func(Event) {
	if l == nil {
		return nil
	}
	return func(e Event) {
		level := e.level()
		if !l.Enabled(context.Background(), level) {
			return
		}
		l.LogAttrs(context.Background(), level, e.sentence(), e.attrs()...)
	}
}

func (e Event) level() slog.Level {
	if e.Alarm() {
		return slog.LevelWarn
	}
	withoutClaim := e.Fence == 0 // such runs can be very many, as they cost the store nothing
	switch {
	case e.Kind == Began, e.Kind == Gained, e.Kind == Dropped, e.Kind == Ended && withoutClaim:
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// attrs returns the attributes of the fields that the event has.
func (e Event) attrs() []slog.Attr {
	a := make([]slog.Attr, 0, 18)
	text := func(key, value string) {
		if value != "" {
			a = append(a, slog.String(key, value))
		}
	}
	text("kind", string(e.Kind))
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
	if e.Trigger != 0 {
		a = append(a, slog.Uint64("trigger", e.Trigger))
	}
	text("result", e.Result)
	if e.Took != 0 {
		a = append(a, slog.Duration("took", e.Took))
	}
	if e.Late != 0 {
		a = append(a, slog.Duration("late", e.Late))
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
