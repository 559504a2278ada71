package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/elasticjob-go/elastic/cron"
	"github.com/elasticjob-go/elastic/elasticjob"
	"github.com/spf13/cobra"
)

// doctor is the command's flags.
type doctor struct {
	source
	tables
	repair, watch, rerun, verbose bool
	yes                           []string
	settle, every, olderThan      time.Duration
	zone, output, audit           string
}

func newDoctor() *cobra.Command {
	d := &doctor{}
	cmd := &cobra.Command{
		Use:   "doctor --from URL",
		Short: "Find what keeps ElasticJob's shards from running, and repair it",
		Long: `Find what keeps ElasticJob's shards from running, and repair it.

Without --repair nothing is written, and the right to read is enough. With it,
findings of the class auto are repaired; those of the class ask need --yes RULE,
too. The class tell is for people.

An owner counts as dead when its instance was absent for the time to settle, so
a look that finds something takes that long. Java's own failover goes first.

Exit code 0: nothing is wrong. 10: there are findings. 6: the store can't be
reached.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return d.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	d.source.flags(cmd)
	d.tables.flags(cmd, "ask the tracing tables of ElasticJob whether a run has ended")
	f := cmd.Flags()
	f.BoolVar(&d.repair, "repair", false, "repair what is marked auto")
	f.StringSliceVar(&d.yes, "yes", nil,
		"with --repair, repair findings of this rule of the class ask, too; may be repeated")
	f.BoolVar(&d.watch, "watch", false, "go on looking; several may run beside each other")
	f.BoolVar(&d.rerun, "rerun", false, "have Java repeat the run of a dead owner, if no later fire has come due")
	f.DurationVar(&d.settle, "settle", elasticjob.DefaultSettle,
		"how long an owner must be absent; at least the longest session time-out of the servers, up to a minute")
	f.DurationVar(&d.every, "every", elasticjob.DefaultSettle, "with --watch, the time between two looks")
	f.DurationVar(&d.olderThan, "older-than", 0, "repair marks of the rule reused-id that are older")
	f.StringVar(&d.zone, "zone", "", "the time zone of the JVMs, for jobs without a timeZone")
	f.StringVar(&d.audit, "audit", "", "append a line for each write to this file; otherwise they go to stderr")
	f.StringVarP(&d.output, "output", "o", "table", "table or json")
	f.BoolVarP(&d.verbose, "verbose", "v", false, "show the facts that each finding rests on")
	return cmd
}

// check refuses bad flags before anything is read.
func (d *doctor) check() error {
	asks := []elasticjob.Rule{
		elasticjob.ReusedID, elasticjob.OldRunning, elasticjob.DeadRunning, elasticjob.LateItem,
		elasticjob.StrayProcessing, elasticjob.OldMisfire, elasticjob.OldGuarantee, elasticjob.OldServer,
		elasticjob.BlockedClaimer,
	}
	var names []string
	for _, rule := range asks {
		names = append(names, string(rule))
	}
	for _, rule := range d.yes {
		if !slices.Contains(names, rule) {
			return usage("--yes %q: there is no such rule that asks; there are %s", rule, strings.Join(names, ", "))
		}
	}
	switch {
	case d.output != "table" && d.output != "json":
		return usage("--output %q: want table or json", d.output)
	case !d.repair && (len(d.yes) > 0 || d.rerun || d.olderThan != 0 || d.audit != ""):
		return usage("--yes, --rerun, --older-than and --audit are for --repair")
	case d.settle <= 0 || d.every <= 0 || d.olderThan < 0:
		return usage("--settle, --every and --older-than: want a positive duration, such as 30s")
	}
	if _, err := cron.LoadLocation(d.zone); err != nil {
		return usage("--zone: %v", err)
	}
	return nil
}

func (d *doctor) run(ctx context.Context, stdout, stderr io.Writer) error {
	if err := d.check(); err != nil {
		return err
	}
	audit, done, err := d.auditor(stderr)
	if err != nil {
		return err
	}
	defer done()
	client, err := d.source.open(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	doc := &elasticjob.Doctor{
		Client: client,
		Options: elasticjob.Options{
			Settle:    max(d.settle, client.Granted()),
			Zone:      d.zone,
			Rerun:     d.rerun,
			OlderThan: d.olderThan,
		},
		Match:  d.match,
		Repair: d.repair,
		Audit:  audit,
		Every:  d.every,
	}
	for _, rule := range d.yes {
		doc.Yes = append(doc.Yes, elasticjob.Rule(rule))
	}
	if d.tracing() {
		database, err := d.ends(ctx, doc)
		if err != nil {
			return err
		}
		defer database.Close()
	}
	if d.watch {
		return d.keepWatching(ctx, doc, stdout, stderr)
	}
	report, err := doc.Look(ctx)
	if err != nil {
		return err
	}
	if err := d.show(stdout, report); err != nil {
		return err
	}
	if report.Findings() > 0 {
		return &exitError{code: exitFindings}
	}
	return nil
}

func (d *doctor) tracing() bool { return d.tables.source != "" }

// ends lets the doctor ask the tracing tables.
func (d *doctor) ends(ctx context.Context, doc *elasticjob.Doctor) (io.Closer, error) {
	zone, err := location(d.zone)
	if err != nil {
		return nil, err
	}
	database, err := d.tables.open(ctx, d.timeout)
	if err != nil {
		return nil, err
	}
	doc.Ended = func(
		ctx context.Context, job string, shard int, instance string, since time.Time,
	) (time.Time, bool, error) {
		return database.Ended(ctx, zone, job, shard, instance, since)
	}
	return database, nil
}

// auditor returns where writes are reported before they are sent.
func (d *doctor) auditor(stderr io.Writer) (audit func(elasticjob.Audit), done func(), err error) {
	w, done := stderr, func() {}
	if d.audit != "" {
		f, err := os.OpenFile(d.audit, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, nil, &exitError{exitUsage, fmt.Errorf("--audit: %w", err)}
		}
		w, done = f, func() { f.Close() }
	}
	var mu sync.Mutex
	return func(a elasticjob.Audit) {
		line, err := json.Marshal(a)
		if err != nil {
			line = fmt.Appendf(nil, "%+v", a)
		}
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(w, "%s\n", line)
	}, done, nil
}

// keepWatching shows each finding once, and again when what became of it
// changes.
func (d *doctor) keepWatching(ctx context.Context, doc *elasticjob.Doctor, stdout, stderr io.Writer) error {
	var fatal error
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	shown := map[string]bool{}
	looks := 0
	err := doc.Watch(ctx, func(r *elasticjob.Report, err error) {
		looks++
		if err != nil {
			if looks == 1 {
				fatal = err
				cancel()
				return
			}
			fmt.Fprintln(stderr, "elasticctl: look:", err)
			return
		}
		now := map[string]bool{}
		fresh := &elasticjob.Report{Jobs: r.Jobs, Unreadable: r.Unreadable}
		for _, o := range r.Outcomes {
			key := fmt.Sprint(o.Job, shard(o), o.Rule, o.Since, o.Holder, o.Repaired)
			now[key] = true
			if !shown[key] {
				fresh.Outcomes = append(fresh.Outcomes, o)
			}
		}
		shown = now
		if len(fresh.Outcomes) == 0 && looks > 1 {
			return
		}
		if err := d.show(stdout, fresh); err != nil {
			fatal = err
			cancel()
		}
	})
	return errors.Join(fatal, err)
}

func shard(o elasticjob.Outcome) string {
	if o.Shard == nil {
		return ""
	}
	return fmt.Sprintf("/%d", *o.Shard)
}

func (d *doctor) show(w io.Writer, r *elasticjob.Report) error {
	if d.output == "json" {
		if r.Outcomes == nil {
			r.Outcomes = []elasticjob.Outcome{}
		}
		out := struct {
			APIVersion string `json:"apiVersion"`
			*elasticjob.Report
		}{"elasticctl/v1", r}
		enc := json.NewEncoder(w)
		if !d.watch { // one line for each report otherwise
			enc.SetIndent("", "  ")
		}
		return enc.Encode(out)
	}
	var b strings.Builder
	for _, o := range r.Outcomes {
		d.showFinding(&b, o)
	}
	fmt.Fprintf(&b, "%s read, %s\n", counted(r.Jobs, "job"), d.summary(r))
	_, err := io.WriteString(w, b.String())
	return err
}

func (d *doctor) showFinding(b *strings.Builder, o elasticjob.Outcome) {
	fmt.Fprintf(b, "%s%s  %s  %s\n    %s\n", o.Job, shard(o), o.Rule, o.Class, o.What)
	var facts []string
	if !o.Fire.IsZero() {
		facts = append(facts, "fire of "+o.Fire.Format(time.RFC3339))
	}
	if !o.Since.IsZero() {
		facts = append(facts, "since "+o.Since.UTC().Format(time.RFC3339))
	}
	if o.Holder != "" {
		facts = append(facts, "held by "+o.Holder)
	}
	if len(facts) > 0 {
		fmt.Fprintf(b, "    %s\n", strings.Join(facts, ", "))
	}
	if d.verbose {
		for _, why := range o.Why {
			fmt.Fprintf(b, "    because %s\n", why)
		}
	}
	if o.Frees != "" {
		fmt.Fprintf(b, "    frees it: %s\n", o.Frees)
	}
	switch {
	case o.Repaired:
		b.WriteString("    repaired\n")
	case o.Left != "":
		fmt.Fprintf(b, "    not repaired: %s\n", o.Left)
	case o.Waits != "":
		fmt.Fprintf(b, "    waits: %s\n", o.Waits)
	}
}

func counted(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

func (d *doctor) summary(r *elasticjob.Report) string {
	repaired, could := 0, false
	for _, o := range r.Outcomes {
		if o.Repaired {
			repaired++
		}
		could = could || o.Actionable() && !o.Repaired
	}
	text := counted(r.Findings(), "finding")
	switch {
	case d.repair:
		text += fmt.Sprintf(", %d repaired", repaired)
	case could:
		text += "; nothing was changed: --repair does that"
	}
	if r.Unreadable > 0 {
		text += fmt.Sprintf("; %s could not be read whole", counted(r.Unreadable, "job"))
	}
	return text
}
