package main

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/elasticjob-go/elastic/admin"
	"github.com/elasticjob-go/elastic/status"
	"github.com/spf13/cobra"
)

func (a *app) newJob() *cobra.Command {
	return a.group("job", "Read and change jobs",
		a.newJobList(),
		a.newJobShow(),
		a.newJobApply(),
		a.newJobDiff(),
		a.newJobDisable(),
		a.newJobEnable(),
		a.newJobTrigger(),
		a.newJobCancel(),
		a.newJobRemove(),
		a.newJobRestore(),
		a.newJobRollback(),
		a.newJobRevisions(),
	)
}

// watching adds the flags of commands that can go on.
func (a *app) watching(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&a.watch, "watch", "w", false, "go on, and show what changes")
	cmd.Flags().DurationVar(&a.every, "every", 2*time.Second, "with --watch, the time between two reads")
}

func (a *app) newJobList() *cobra.Command {
	var q admin.JobQuery
	var states []string
	var sort string
	cmd := &cobra.Command{
		Use:     "ls [flags]",
		Aliases: []string{"list"},
		Short:   "List jobs: state, schedule, last and next fire",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, s := range states {
				q.States = append(q.States, status.JobState(s))
			}
			q.Sort = admin.JobSort(sort)
			return a.read(cmd, func(ctx context.Context, c admin.API) (*answer, error) {
				page, err := c.Jobs(ctx, q)
				if err != nil {
					return nil, err
				}
				return a.jobs(page), nil
			})
		},
	}
	f := cmd.Flags()
	f.StringVarP(&q.Text, "text", "l", "", "only jobs with all these words in name, description or schedule")
	f.StringSliceVar(&states, "state", nil,
		"only jobs in these states: unreadable, removed, disabled, stuck, unowned, late, failed, running, idle")
	f.StringVar(&q.Instance, "instance", "", "only jobs of which this instance owns a shard, by ID or name")
	f.StringToStringVar(
		&q.Requires,
		"label",
		nil,
		"only jobs that require this label, as name=value; may be repeated",
	)
	f.StringVar(&sort, "sort", "name", "name, next, last or state")
	f.IntVar(&q.Limit, "limit", admin.DefaultPage, "how many jobs to show")
	f.StringVar(&q.Cursor, "cursor", "", "show the page that begins here; a page names the next one")
	a.watching(cmd)
	return cmd
}

// jobs shows a page.
func (a *app) jobs(page admin.JobPage) *answer {
	t := &table{
		head: []string{"NAME", "STATE", "SCHEDULE", "SHARDS", "RUNNING", "OWNERS", "LAST", "NEXT", "LATE"},
		wide: []string{"ZONE", "EXPRESSION", "REASON"},
	}
	answer := &answer{whole: page, items: []any{}, table: t}
	for _, j := range page.Jobs {
		answer.items = append(answer.items, j)
		answer.names = append(answer.names, j.Name)
		late := "-"
		if j.State == status.JobLate || j.State == status.JobStuck || j.State == status.JobUnowned {
			late = a.ago(j.Due)
		}
		t.add(j.Name, string(j.State), cut(cmp.Or(j.Words, j.Schedule, "-"), 40), strconv.Itoa(j.Shards),
			strconv.Itoa(j.Running), strconv.Itoa(j.Owners), a.last(j), a.next(j), late,
			cmp.Or(j.TimeZone, "UTC"), dash(j.Schedule), j.Reason.Text)
	}
	switch {
	case page.Total == 0:
		answer.note = "no jobs"
	case page.Cursor != "":
		answer.note = fmt.Sprintf("%d of %d jobs; the next: --cursor %s", len(page.Jobs), page.Total, page.Cursor)
	}
	if page.Unread > 0 {
		answer.note += fmt.Sprintf(
			"\n%d jobs have too many shards for one look; their runs were not read",
			page.Unread,
		)
	}
	return answer
}

// last says how the last fire of a job went.
func (a *app) last(j status.Job) string {
	switch {
	case j.Last.IsZero():
		return "-"
	case j.LastEnded.IsZero():
		return "running " + a.ago(j.Last)
	case j.Failed > 0 && j.Shards > 1:
		return fmt.Sprintf("%s %d/%d %s", j.LastResult, j.Failed, j.Shards, a.ago(j.LastEnded))
	}
	return j.LastResult + " " + a.ago(j.LastEnded)
}

// next says when a job runs next.
func (a *app) next(j status.Job) string {
	if !j.Due.IsZero() && a.now().Sub(j.Due) > status.LateAfter && j.Running == 0 {
		return "overdue " + a.ago(j.Due)
	}
	return a.when(j.Next)
}
