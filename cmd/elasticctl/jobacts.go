package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/admin"
	"github.com/elasticjob-go/elastic/status"
	"github.com/spf13/cobra"
)

// simple is a command that does one act on a job.
func (a *app) simple(use, short, forceFor string, level int, f func(admin.API) jobAct) *cobra.Command {
	var x *acting
	cmd := &cobra.Command{
		Use:               use + " JOB",
		Short:             short,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeJobs,
		RunE: func(cmd *cobra.Command, args []string) error {
			act := func(ctx context.Context, c admin.API, o ...admin.ActOption) (admin.Receipt, error) {
				return f(c)(ctx, args[0], o...)
			}
			return x.do(cmd, level, args[0], act)
		},
	}
	x = a.actFlags(cmd, forceFor)
	x.ifRevision(cmd)
	return cmd
}

// jobAct is an act on a job that needs no more than its name.
type jobAct = func(ctx context.Context, job string, o ...admin.ActOption) (admin.Receipt, error)

func (a *app) newJobDisable() *cobra.Command {
	return a.simple("disable", "Stop a job from beginning runs; what runs finishes", "", confirmYes,
		func(c admin.API) jobAct { return c.Disable })
}

func (a *app) newJobEnable() *cobra.Command {
	return a.simple("enable", "Let a job begin runs again, the fires from now on", "", confirmNothing,
		func(c admin.API) jobAct { return c.Enable })
}

func (a *app) newJobRemove() *cobra.Command {
	return a.simple(
		"remove",
		"Remove a job; it can be restored for seven days",
		"also if other jobs follow it",
		confirmName,
		func(c admin.API) jobAct { return c.Remove },
	)
}

func (a *app) newJobRestore() *cobra.Command {
	return a.simple("restore", "Bring a removed job back, disabled", "restore it as it was, enabled", confirmYes,
		func(c admin.API) jobAct { return c.Restore })
}

func (a *app) newJobRollback() *cobra.Command {
	var x *acting
	cmd := &cobra.Command{
		Use:               "rollback JOB REVISION",
		Short:             "Give a job the settings of an earlier revision, as a new one",
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: a.completeJobs,
		RunE: func(cmd *cobra.Command, args []string) error {
			rev, err := strconv.ParseUint(args[1], 10, 64)
			if err != nil {
				return usage("the revision must be a number, is %.40q", args[1])
			}
			act := func(ctx context.Context, c admin.API, o ...admin.ActOption) (admin.Receipt, error) {
				return c.Rollback(ctx, args[0], rev, o...)
			}
			return x.do(cmd, confirmYes, args[0], act)
		},
	}
	x = a.actFlags(cmd, "")
	x.ifRevision(cmd)
	return cmd
}

// triggering is the command job trigger.
type triggering struct {
	*acting
	shards string
	failed bool
	wait   time.Duration
	r      admin.TriggerRequest
}

func (a *app) newJobTrigger() *cobra.Command {
	var t triggering
	cmd := &cobra.Command{
		Use:               "trigger JOB",
		Short:             "Run a job now, outside its schedule",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeJobs,
		RunE:              func(cmd *cobra.Command, args []string) error { return t.run(cmd, args[0]) },
	}
	t.acting = a.actFlags(cmd, "also if no live instance has the job")
	t.ifRevision(cmd)
	f := cmd.Flags()
	f.StringVar(&t.shards, "shards", "", "only these shards, such as 0,3-5")
	f.BoolVar(&t.failed, "failed", false, "only the shards whose last run failed or was lost")
	f.StringVar(&t.r.Parameter, "param", "", "in place of the parameters of the shards")
	f.DurationVar(&t.wait, "wait", 0, "wait until it has run, at most this long; exit code 9 if a run failed")
	f.Lookup("wait").NoOptDefVal = "1h"
	return cmd
}

func (t *triggering) run(cmd *cobra.Command, job string) error {
	if t.shards != "" && t.failed {
		return usage("--shards and --failed exclude each other")
	}
	if t.shards != "" {
		var err error
		t.r.Shards, err = admin.ParseShards(t.shards)
		if err != nil {
			return usage("--shards: %w", err)
		}
	}
	format, err := t.format()
	if err != nil {
		return err
	}
	return t.with(cmd, t.by(), func(c admin.API, ns namespace) error {
		if t.failed {
			t.r.Shards, err = t.failedShards(cmd.Context(), c, job)
			if err != nil {
				return err
			}
			if len(t.r.Shards) == 0 {
				fmt.Fprintln(cmd.OutOrStdout(), "no shard failed")
				return nil
			}
		}
		act := func(ctx context.Context, c admin.API, o ...admin.ActOption) (admin.Receipt, error) {
			return c.Trigger(ctx, job, t.r, o...)
		}
		r, err := t.one(cmd, c, ns, job, func(admin.Receipt) int { return confirmNothing }, act)
		if err != nil {
			return err
		}
		if err := t.answer(r).write(cmd.OutOrStdout(), cmd.ErrOrStderr(), format); err != nil || t.wait == 0 {
			return err
		}
		return t.await(cmd, c, job, r.Number)
	})
}

func (t *triggering) failedShards(ctx context.Context, c admin.API, job string) ([]int, error) {
	shards, err := c.Shards(ctx, job)
	if err != nil {
		return nil, err
	}
	var failed []int
	for _, s := range shards {
		if s.Result == "failed" || s.Result == "lost" {
			failed = append(failed, s.Shard)
		}
	}
	return failed, nil
}

// await waits until no shard waits for a trigger, and none runs it.
func (t *triggering) await(cmd *cobra.Command, c admin.API, job string, number uint64) error {
	ctx, cancel := context.WithTimeout(cmd.Context(), t.wait)
	defer cancel()
	t.every = 500 * time.Millisecond
	results := map[int]string{}
	for {
		d, err := c.Job(ctx, job)
		var shards []status.Shard
		if err == nil {
			shards, err = c.Shards(ctx, job)
		}
		if err == nil && ran(d, shards, number, results) {
			break
		}
		if err != nil && ctx.Err() == nil {
			fmt.Fprintln(cmd.ErrOrStderr(), "elasticctl:", err)
		}
		if !t.pause(ctx) {
			return &exitError{exitWaited, fmt.Errorf("trigger %d has not run within %s", number, t.wait)}
		}
	}
	var failed []int
	for shard, result := range results {
		if result != "ok" && result != "skipped" {
			failed = append(failed, shard)
		}
	}
	slices.Sort(failed)
	if len(failed) > 0 {
		return &exitError{exitWaited, fmt.Errorf("it failed on the shards %s", admin.FormatShards(failed))}
	}
	fmt.Fprintf(cmd.OutOrStdout(), "it ran on %s\n", counted(len(results), "shard"))
	return nil
}

// ran reports whether a trigger has run, and notes how it ended on each shard.
func ran(d admin.JobDetail, shards []status.Shard, number uint64, results map[int]string) bool {
	over := true
	for _, s := range shards {
		if s.Trigger != number {
			continue
		}
		if s.Result == "" {
			over = false
			continue
		}
		results[s.Shard] = s.Result
	}
	for _, w := range d.Waiting {
		over = over && (w.Number != number || len(w.Waiting) == 0)
	}
	return over
}

func (a *app) newJobCancel() *cobra.Command {
	var x *acting
	var r admin.CancelRequest
	var fire, shards string
	cmd := &cobra.Command{
		Use:               "cancel JOB --fire TIME | --trigger NUMBER",
		Short:             "End the runs of a fire or a trigger, never those of the next",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeJobs,
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if shards != "" {
				r.Shards, err = admin.ParseShards(shards)
				if err != nil {
					return usage("--shards: %w", err)
				}
			}
			if fire != "" {
				r.Fire, err = a.fireTime(fire)
				if err != nil {
					return err
				}
			}
			act := func(ctx context.Context, c admin.API, o ...admin.ActOption) (admin.Receipt, error) {
				return c.Cancel(ctx, args[0], r, o...)
			}
			return x.do(cmd, confirmYes, args[0], act)
		},
	}
	x = a.actFlags(cmd, "")
	x.ifRevision(cmd)
	f := cmd.Flags()
	f.StringVar(&fire, "fire", "", "the scheduled time, as 2006-01-02T15:04:05Z or, of today, 15:04:05")
	f.Uint64Var(&r.Trigger, "trigger", 0, "the number of the trigger")
	f.StringVar(&shards, "shards", "", "only these shards, such as 0,3-5")
	return cmd
}

// fireTime reads a scheduled time. One without a date is of today.
func (a *app) fireTime(text string) (time.Time, error) {
	for _, form := range []string{time.RFC3339Nano, "2006-01-02 15:04:05 -0700"} {
		if t, err := time.Parse(form, text); err == nil {
			return t, nil
		}
	}
	for _, form := range []string{"2006-01-02 15:04:05", "2006-01-02 15:04"} {
		if t, err := time.ParseInLocation(form, text, a.zone); err == nil {
			return t, nil
		}
	}
	today := a.now().In(a.zone).Format(time.DateOnly)
	for _, form := range []string{"15:04:05", "15:04"} {
		if t, err := time.ParseInLocation(time.DateOnly+" "+form, today+" "+text, a.zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usage("the time %.60q: want 2006-01-02T15:04:05Z, or 15:04:05 for one of today", text)
}

// completeJobs completes the names of jobs.
func (a *app) completeJobs(cmd *cobra.Command, args []string, start string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	err := a.with(cmd, "", func(c admin.API, _ namespace) error {
		page, err := c.Jobs(cmd.Context(), admin.JobQuery{Limit: admin.MaxPage})
		for _, j := range page.Jobs {
			if strings.HasPrefix(j.Name, start) {
				names = append(names, j.Name+"\t"+j.Words)
			}
		}
		return err
	})
	if err != nil {
		return nil, cobra.ShellCompDirectiveError | cobra.ShellCompDirectiveNoFileComp
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
