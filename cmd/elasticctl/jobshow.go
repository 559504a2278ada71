package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/elasticjob-go/elastic/admin"
	"github.com/spf13/cobra"
)

func (a *app) newJobShow() *cobra.Command {
	var asFile bool
	cmd := &cobra.Command{
		Use:               "show JOB",
		Short:             "Show a job: its settings, next fires, and what waits",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeJobs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.read(cmd, func(ctx context.Context, c admin.API) (*answer, error) {
				d, err := c.Job(ctx, args[0])
				if err != nil {
					return nil, err
				}
				return a.jobDetail(d, asFile)
			})
		},
	}
	cmd.Flags().BoolVar(&asFile, "yaml", false, "show the settings as a job file, which job apply takes")
	a.watching(cmd)
	return cmd
}

// jobDetail shows a job.
func (a *app) jobDetail(d admin.JobDetail, asFile bool) (*answer, error) {
	settings, err := json.Marshal(d.Config)
	if err != nil {
		return nil, err
	}
	if asFile {
		text, err := asYAML(fmt.Appendf(nil, `{"jobs":[%s]}`, settings))
		return &answer{whole: d, names: []string{d.Name}, text: string(text)}, err
	}
	var b strings.Builder
	line := func(head, format string, x ...any) {
		fmt.Fprintf(&b, "%-11s %s\n", head, plain(fmt.Sprintf(format, x...)))
	}
	line("name", "%s", d.Name)
	line("state", "%s: %s", d.State, d.Reason.Text)
	line("revision", "%d, by %s at %s (%s)", d.Rev, d.Changed.By, a.at(d.Changed.At), d.Changed.Via)
	if d.Changed.Why != "" {
		line("why", "%s", d.Changed.Why)
	}
	if d.Words != "" {
		line("schedule", "%s", d.Words)
	}
	line(
		"shards",
		"%d on %s; %d run, %d late, %d failed",
		d.Shards,
		counted(d.Owners, "instance"),
		d.Running,
		d.Late,
		d.Failed,
	)
	line("last", "%s", a.last(d.Job))
	for i, fire := range d.Fires {
		head := ""
		if i == 0 {
			head = "next"
		}
		line(head, "%s", a.at(fire))
	}
	for _, t := range d.Waiting {
		line(
			"trigger",
			"%d by %s at %s, waits on %s",
			t.Number,
			t.By,
			a.at(t.At),
			dash(admin.FormatShards(t.Waiting)),
		)
	}
	for _, c := range d.Cancels {
		what := "fire " + a.at(c.Fire)
		if c.Trigger != 0 {
			what = fmt.Sprintf("trigger %d", c.Trigger)
		}
		line("cancel", "%s, by %s at %s", what, c.By, a.at(c.At))
	}
	text, err := asYAML(settings)
	if err != nil {
		return nil, err
	}
	b.WriteString("\n")
	b.Write(text)
	return &answer{whole: d, names: []string{d.Name}, text: b.String()}, nil
}

func (a *app) newJobRevisions() *cobra.Command {
	return &cobra.Command{
		Use:               "revisions JOB",
		Short:             "List the revisions of a job that are kept, and what each changed",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeJobs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.read(cmd, func(ctx context.Context, c admin.API) (*answer, error) {
				all, err := c.Revisions(ctx, args[0])
				if err != nil {
					return nil, err
				}
				t := &table{head: []string{"REV", "BY", "AT", "VIA", "CHANGES", "WHY"}}
				answer := &answer{
					whole: struct {
						Revisions []admin.Revision `json:"revisions"`
					}{all},
					items: []any{},
					table: t,
				}
				for _, r := range all {
					answer.items = append(answer.items, r)
					answer.names = append(answer.names, fmt.Sprint(r.Rev))
					t.add(
						fmt.Sprint(r.Rev),
						r.Changed.By,
						a.at(r.Changed.At),
						r.Changed.Via,
						dash(inShort(r.Changes)),
						dash(r.Changed.Why),
					)
				}
				return answer, nil
			})
		},
	}
}

// inShort returns changes on a line.
func inShort(changes []admin.Change) string {
	var all []string
	for _, c := range changes {
		all = append(all, fmt.Sprintf("%s %s → %s", c.Field, dash(c.Old), dash(c.New)))
	}
	return strings.Join(all, ", ")
}
