package elasticjob

import (
	"bufio"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/cron"
)

// DefaultHorizon is how far expressions are checked if ImportOptions do not
// say.
const DefaultHorizon = 366 * 24 * time.Hour

// Check is all fires of an expression in a zone between two moments.
type Check struct {
	Expr     string    `json:"expr"`
	Zone     string    `json:"zone"`
	From     time.Time `json:"from"`
	Until    time.Time `json:"until"`
	Count    int       `json:"count"`
	First    time.Time `json:"first,omitzero"`
	Last     time.Time `json:"last,omitzero"`
	SHA256   string    `json:"sha256"` // over the instants in seconds since 1970, a line each
	days     []uint32  // a checksum of the instants of each day since From; 0 for none
	schedule cron.Schedule
}

// checker keeps each expression once.
type checker struct {
	from, until time.Time
	checks      map[[2]string]*Check
}

// newChecker checks from the midnight before now.
func newChecker(now time.Time, horizon time.Duration) *checker {
	if horizon <= 0 {
		horizon = DefaultHorizon
	}
	from := now.UTC().Truncate(24 * time.Hour)
	return &checker{from, from.Add(horizon), map[[2]string]*Check{}}
}

func (c *checker) add(expr, zone string, s cron.Schedule) {
	key := [2]string{expr, zone}
	if c.checks[key] == nil {
		c.checks[key] = &Check{Expr: expr, Zone: zone, From: c.from, Until: c.until, schedule: s}
	}
}

func (c *checker) done() []Check {
	var list []Check
	for _, check := range c.checks {
		check.compute()
		list = append(list, *check)
	}
	slices.SortFunc(list, func(a, b Check) int {
		if n := strings.Compare(a.Expr, b.Expr); n != 0 {
			return n
		}
		return strings.Compare(a.Zone, b.Zone)
	})
	return list
}

func (c *Check) compute() {
	sum := sha256.New()
	var line []byte
	for t := c.schedule.Next(c.From.Add(-time.Second)); !t.IsZero() && t.Before(c.Until); t = c.schedule.Next(t) {
		if c.Count++; c.Count == 1 {
			c.First = t.UTC()
		}
		c.Last = t.UTC()
		line = append(strconv.AppendInt(line[:0], t.Unix(), 10), '\n')
		sum.Write(line)
		day := int(t.Sub(c.From) / (24 * time.Hour))
		for len(c.days) <= day {
			c.days = append(c.days, 0)
		}
		c.days[day] = crc32.Update(c.days[day], crc32.IEEETable, line)
	}
	c.SHA256 = hex.EncodeToString(sum.Sum(nil))
}

// QuartzProgram is a Java program that computes the same with Quartz. It is
// compiled against the jar of the Java programs.
//
//go:embed QuartzCheck.java
var QuartzProgram string

// QuartzInput is the program's input: a line for each check.
func QuartzInput(checks []Check) string {
	var b strings.Builder
	for _, c := range checks {
		fmt.Fprintf(&b, "%d\t%d\t%s\t%s\n", c.From.Unix(), c.Until.Unix(), c.Expr, quartzZone(c.Zone))
	}
	return b.String()
}

// quartzZone returns a zone in Java's form.
func quartzZone(zone string) string { return strings.Replace(zone, "UTC", "GMT", 1) }

// Horizon returns the span that a result of the program was computed for, so
// that it is compared with the same instants.
func Horizon(result string) (from, until time.Time, err error) {
	fields := strings.Split(strings.SplitN(result, "\n", 2)[0], "\t")
	if len(fields) < 2 {
		return from, until, fmt.Errorf("read the result of QuartzCheck: it has no line that begins with two numbers")
	}
	first, err1 := strconv.ParseInt(fields[0], 10, 64)
	last, err2 := strconv.ParseInt(fields[1], 10, 64)
	if err1 != nil || err2 != nil || last <= first {
		return from, until, fmt.Errorf("read the result of QuartzCheck: the first line begins with %.60q", fields[0])
	}
	return time.Unix(first, 0).UTC(), time.Unix(last, 0).UTC(), nil
}

// Compare compares checks with the output of the program and returns what
// differs, by date.
func Compare(checks []Check, result io.Reader) (differences []string, err error) {
	theirs := map[string][]string{}
	lines := bufio.NewScanner(result)
	const longest = 1 << 20
	lines.Buffer(nil, longest)
	for lines.Scan() {
		fields := strings.Split(lines.Text(), "\t")
		const want = 9
		if len(fields) < want {
			return nil, fmt.Errorf("read the result of QuartzCheck: line %.60q has %d fields, want %d", lines.Text(),
				len(fields), want)
		}
		theirs[strings.Join(fields[:4], "\t")] = fields[4:]
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the result of QuartzCheck: %w", err)
	}
	for _, c := range checks {
		input := strings.TrimSuffix(QuartzInput([]Check{c}), "\n")
		fields := theirs[input]
		switch {
		case fields == nil:
			differences = append(differences, fmt.Sprintf("%q in %s: the result lacks it", c.Expr, c.Zone))
		case fields[3] == c.SHA256:
		case fields[0] == "-1":
			differences = append(differences,
				fmt.Sprintf("%q in %s: Quartz refuses it: %.200s", c.Expr, c.Zone, fields[4]))
		default:
			differences = append(differences, fmt.Sprintf("%q in %s: %d fires here, %s in Quartz; they differ on %s",
				c.Expr, c.Zone, c.Count, fields[0], c.differing(fields[4])))
		}
	}
	return differences, nil
}

// differing names the days (in UTC) whose checksums differ.
func (c *Check) differing(days string) string {
	theirs := map[int]uint32{}
	for entry := range strings.SplitSeq(days, ",") {
		day, sum, _ := strings.Cut(entry, ":")
		n, err1 := strconv.Atoi(day)
		crc, err2 := strconv.ParseUint(sum, 16, 32)
		if err1 == nil && err2 == nil {
			theirs[n] = uint32(crc)
		}
	}
	var dates []string
	const most = 10
	for day := range int(c.Until.Sub(c.From)/(24*time.Hour)) + 1 {
		ours := uint32(0)
		if day < len(c.days) {
			ours = c.days[day]
		}
		if ours != theirs[day] {
			dates = append(dates, c.From.AddDate(0, 0, day).Format(time.DateOnly))
		}
	}
	if len(dates) > most {
		return fmt.Sprintf("%s and %d more days (UTC)", strings.Join(dates[:most], ", "), len(dates)-most)
	}
	return strings.Join(dates, ", ") + " (UTC)"
}
