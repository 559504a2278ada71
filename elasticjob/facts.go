package elasticjob

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/cron"
)

// facts is a snapshot in the words of the rules.
type facts struct {
	s         *Snapshot
	config    *Config // nil if it can't be read
	configErr error
	instances map[string]*Node // live, by ID
	servers   map[string]*Node // by IP
	items     []int            // children of sharding, sorted
}

func factsOf(s *Snapshot) *facts {
	f := &facts{s: s, instances: map[string]*Node{}, servers: map[string]*Node{}}
	class := ""
	if n := s.at(""); n != nil {
		class = n.Data
	}
	if n := s.at("config"); n != nil {
		f.config, f.configErr = ReadConfig(n.Data, class)
	}
	for _, id := range s.below("instances") {
		f.instances[id] = s.at("instances/" + id)
	}
	for _, ip := range s.below("servers") {
		f.servers[ip] = s.at("servers/" + ip)
	}
	items := map[int]bool{}
	for path := range s.Nodes {
		if rest, ok := strings.CutPrefix(path, "sharding/"); ok {
			name, _, _ := strings.Cut(rest, "/")
			if item, ok := itemNumber(name); ok {
				items[item] = true
			}
		}
	}
	for item := range items {
		f.items = append(f.items, item)
	}
	slices.Sort(f.items)
	return f
}

func shardPath(item int, mark string) string {
	return "sharding/" + strconv.Itoa(item) + "/" + mark
}

// unread reports whether something at or below a path could not be read, so
// that its absence says nothing.
func (f *facts) unread(path string) bool {
	return slices.ContainsFunc(f.s.Unread, func(u Unread) bool {
		return u.Path == "" || u.Path == path || strings.HasPrefix(u.Path, path+"/")
	})
}

func (f *facts) alive(id string) bool { return f.instances[id] != nil }

// isID reports whether a text is an instance's ID as ElasticJob makes them.
func isID(text string) bool {
	ip, token, ok := strings.Cut(text, "@-@")
	return ok && ip != "" && token != "" && !strings.ContainsAny(text, "/\x00") && !strings.Contains(token, "@-@")
}

func ipOf(id string) string {
	ip, _, _ := strings.Cut(id, "@-@")
	return ip
}

// mentioned returns the IDs that marks name.
func (f *facts) mentioned() (ids []string) {
	add := func(path string) {
		if n := f.s.at(path); n != nil && isID(n.Data) {
			ids = append(ids, n.Data)
		}
	}
	for _, item := range f.items {
		for _, mark := range []string{"instance", "running", "failover", "failovering"} {
			add(shardPath(item, mark))
		}
	}
	add("leader/election/instance")
	for _, id := range f.s.below("trigger") {
		if isID(id) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// enabled reports whether Java gives shards to an instance.
func (f *facts) enabled(id string) bool {
	server := f.servers[ipOf(id)]
	return f.alive(id) && server != nil && server.Data != "DISABLED"
}

func (f *facts) shards() int {
	if f.config == nil {
		return 0
	}
	return f.config.Shards
}

// schedule returns when the job fires in its zone; nil when it is not known.
func (f *facts) schedule(zone string) cron.Schedule {
	if f.config == nil || f.config.Cron == "" {
		return nil
	}
	name := zone
	if f.config.TimeZone != "" {
		name, _ = javaZone(f.config.TimeZone)
	}
	if name == "" {
		return nil
	}
	loc, err := cron.LoadLocation(name)
	if err != nil {
		return nil
	}
	s, err := cron.Parse(f.config.Cron, loc)
	if err != nil {
		return nil
	}
	return s
}

// period returns the longest gap between the next fires; zero for a job that
// has no schedule, or one that can't be read.
func (f *facts) period(now time.Time, zone string) time.Duration {
	if zone == "" {
		zone = "UTC" // gaps hardly depend on it
	}
	s := f.schedule(zone)
	if s == nil {
		return 0
	}
	const looked = 8
	var longest time.Duration
	last := s.Next(now)
	for range looked {
		next := s.Next(last)
		if last.IsZero() || next.IsZero() {
			break
		}
		longest = max(longest, next.Sub(last))
		last = next
	}
	return longest
}

// fireBefore returns the last fire at or before a moment; zero when it is not
// known.
func fireBefore(s cron.Schedule, t time.Time) time.Time {
	if s == nil {
		return time.Time{}
	}
	const day = 24 * time.Hour
	for _, back := range []time.Duration{time.Minute, time.Hour, day, 32 * day, 366 * day} {
		var last time.Time
		next := s.Next(t.Add(-back))
		for steps := 0; !next.IsZero() && !next.After(t) && steps < 100_000; steps++ {
			last, next = next, s.Next(next)
		}
		if !last.IsZero() {
			return last.UTC()
		}
	}
	return time.Time{}
}
