package store

import (
	"fmt"
	"slices"
	"strings"
)

// ourSchemes are the schemes of the drivers in this repository, which may not
// be linked into the program.
var ourSchemes = []string{"consul", "etcd", "file", "memory", "zookeeper"}

// otherNames are names that people give to stores, and the schemes that they
// mean.
var otherNames = map[string]string{
	"zk":      "zookeeper",
	"zoo":     "zookeeper",
	"mem":     "memory",
	"inmem":   "memory",
	"dir":     "file",
	"disk":    "file",
	"etcdv2":  "etcd",
	"etcdv3":  "etcd",
	"etcdctl": "etcd",
}

// meantScheme returns the scheme that a wrong one was probably meant to be, and
// whether TLS was meant, too. It returns "" if there is none.
func meantScheme(wrong string) (scheme string, secure bool) {
	known := slices.Concat(ourSchemes, Schemes())
	name := strings.ToLower(wrong)
	if slices.Contains(known, name) {
		return name, false
	}
	for _, ending := range []string{"+https", "+tls", "+ssl", "-tls", "+http", "s"} {
		if base, ok := strings.CutSuffix(name, ending); ok && (slices.Contains(known, base) || otherNames[base] != "") {
			scheme, _ = meantScheme(base)
			return scheme, ending != "+http" && scheme != "file" && scheme != "memory"
		}
	}
	if scheme = otherNames[name]; scheme != "" {
		return scheme, false
	}
	for _, s := range known {
		most := 2
		if len(name) < 4 {
			most = len(name) / 3
		}
		if distance(name, s) <= most {
			return s, false
		}
	}
	return "", false
}

// noDriver is the error of a URL whose scheme has no driver.
func noDriver(c Config) error {
	linked := strings.Join(Schemes(), ", ")
	if linked == "" {
		linked = "none"
	}
	meant, secure := meantScheme(c.Scheme)
	hint := ""
	switch {
	case meant == "" && (c.Scheme == "http" || c.Scheme == "https"):
		hint = "; the scheme is the store's name, such as etcd:// or consul://, and TLS is asked for by tls=true"
	case meant == "":
		hint = fmt.Sprintf("; import its package, such as _ %q", packageOf(c.Scheme))
	case meant != c.Scheme:
		hint = fmt.Sprintf("; did you mean %s://?", meant)
		if secure {
			hint = fmt.Sprintf("; did you mean %s://…?tls=true?", meant)
		}
		if !slices.Contains(Schemes(), meant) {
			hint += fmt.Sprintf(" Then import its package, _ %q", packageOf(meant))
		}
	default:
		hint = fmt.Sprintf("; import its package, such as _ %q", packageOf(c.Scheme))
	}
	return fmt.Errorf("%w: store URL %q: no driver for %q is linked in (there are: %s)%s", ErrInvalid, c, c.Scheme, linked, hint)
}

// noScheme returns what to write in place of a URL that has no "://".
func noScheme(raw string) string {
	const usual = "want scheme://host/namespace, such as etcd://127.0.0.1:2379/demo"
	switch {
	case strings.HasPrefix(raw, "/"):
		return usual + "; for a directory write " + Redact("file://"+raw)
	case strings.HasPrefix(raw, "./"), strings.HasPrefix(raw, "../"), strings.HasPrefix(raw, "~/"):
		return usual + "; for a directory write file:// and its whole path, such as file:///var/lib/jobs"
	}
	scheme, rest, ok := strings.Cut(raw, ":")
	if !ok {
		if scheme, rest, ok = strings.Cut(raw, "//"); !ok {
			scheme, rest, ok = raw, "", true
		}
	}
	meant, _ := meantScheme(scheme)
	if meant == "" || scheme == "" {
		return usual
	}
	rest = strings.TrimLeft(rest, "/")
	if meant == "file" {
		rest = "/" + rest
	}
	return "write " + Redact(meant+"://"+rest)
}

// distance is the number of letters to insert, to remove or to replace to get
// from one word to another.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := last
			if a[i] != b[j] {
				cost++
			}
			last = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
