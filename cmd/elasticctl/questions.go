package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/admin"
	"github.com/spf13/cobra"
)

func (a *app) newWhy() *cobra.Command {
	var fire string
	cmd := &cobra.Command{
		Use:   "why JOB[/SHARD] [--fire TIME] | why instance ID",
		Short: "Say why something runs where it does, or does not run",
		Example: `  elasticctl why report
  elasticctl why report/1
  elasticctl why report --fire 03:00
  elasticctl why instance web-1@k3f9`,
		Args:              cobra.RangeArgs(1, 2),
		ValidArgsFunction: a.completeJobs,
		RunE: func(cmd *cobra.Command, args []string) error {
			q, err := a.question(args, fire)
			if err != nil {
				return err
			}
			return a.read(cmd, func(ctx context.Context, c admin.API) (*answer, error) {
				w, err := c.Why(ctx, q)
				if err != nil {
					return nil, err
				}
				return a.why(w), nil
			})
		},
	}
	a.flags(cmd)
	cmd.Flags().
		StringVar(&fire, "fire", "", "ask about this scheduled time, as 2006-01-02T15:04:05Z or, of today, 15:04:05")
	a.watching(cmd)
	return cmd
}

// question reads the arguments of why.
func (a *app) question(args []string, fire string) (admin.WhyQuery, error) {
	if args[0] == "instance" && len(args) == 2 {
		return admin.WhyQuery{Instance: args[1]}, nil
	}
	if len(args) == 2 {
		return admin.WhyQuery{}, usage("want JOB, JOB/SHARD or instance ID, got %.40q and %.40q", args[0], args[1])
	}
	job, number, one := strings.Cut(args[0], "/")
	q := admin.WhyQuery{Job: job, Shard: admin.AllShards}
	if one {
		shard, err := strconv.Atoi(number)
		if err != nil || shard < 0 {
			return q, usage("the shard must be a number from 0, is %.40q", number)
		}
		q.Shard = shard
	}
	if fire != "" {
		at, err := a.fireTime(fire)
		if err != nil {
			return q, err
		}
		q.Fire = at
	}
	return q, nil
}

func (a *app) why(w admin.Answer) *answer {
	var b strings.Builder
	fmt.Fprintln(&b, plain(w.Summary))
	for _, d := range w.Details {
		fmt.Fprintf(&b, "%-10s %s\n", plain(d.Head), plain(d.Text))
	}
	fmt.Fprintf(&b, "%-10s %s, read %s\n", "basis", plain(strings.Join(w.Basis, ", ")), a.at(w.AsOf))
	return &answer{whole: w, names: []string{w.Reason.Code}, text: b.String()}
}

func (a *app) newDoctor() *cobra.Command {
	var q admin.DoctorQuery
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what keeps jobs from running; exit code 10 if something does",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.read(cmd, func(ctx context.Context, c admin.API) (*answer, error) {
				r, err := c.Doctor(ctx, q)
				if err != nil {
					return nil, err
				}
				return a.report(r), nil
			})
		},
	}
	a.flags(cmd)
	cmd.Flags().
		BoolVar(&q.Write, "write", false, "also test whether the store takes writes, with one key that is deleted again")
	a.watching(cmd)
	return cmd
}

func (a *app) report(r admin.Report) *answer {
	var b strings.Builder
	answer := &answer{whole: r, items: []any{}}
	for _, f := range r.Findings {
		answer.items = append(answer.items, f)
		answer.names = append(answer.names, f.Code)
		level := strings.ToUpper(string(f.Level))
		if f.Level != admin.LevelError {
			level = string(f.Level)
		}
		fmt.Fprintf(&b, "%-6s %s\n", level, plain(strings.TrimSpace(f.Subject+"  "+f.Text)))
		if !f.Since.IsZero() {
			fmt.Fprintf(&b, "       since %s, for %s\n", a.at(f.Since), a.ago(f.Since))
		}
		if f.Command != "" {
			fmt.Fprintf(&b, "       → %s\n", plain(f.Command))
		}
	}
	answer.text = b.String()
	if r.Errors() > 0 {
		answer.err = &exitError{code: exitFindings}
	}
	return answer
}

func (a *app) newAudit() *cobra.Command {
	var q admin.AuditQuery
	var since string
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "List what operators did, the latest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if since != "" {
				d, err := duration(since)
				if err != nil {
					return err
				}
				q.Since = a.now().Add(-d)
			}
			return a.read(cmd, func(ctx context.Context, c admin.API) (*answer, error) {
				page, err := c.Audit(ctx, q)
				if err != nil {
					return nil, err
				}
				return a.entries(page), nil
			})
		},
	}
	a.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&q.By, "by", "", "only acts of this user")
	f.StringVar(&q.Target, "target", "", "only acts on this job or instance")
	f.StringVar(&q.Act, "act", "", "only acts of this kind, such as disable")
	f.StringVar(&since, "since", "", "only acts of the last time, such as 24h or 7d")
	f.IntVar(&q.Limit, "limit", admin.DefaultPage, "how many to show")
	f.StringVar(&q.Cursor, "cursor", "", "show the page that begins here; a page names the next one")
	a.watching(cmd)
	return cmd
}

// duration reads a time such as 90m or 7d.
func duration(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.Atoi(days)
		if err == nil && n > 0 && n < 10_000 {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, usage("--since %.40q: want a time such as 90m or 7d", text)
	}
	return d, nil
}

func (a *app) entries(page admin.AuditPage) *answer {
	t := &table{
		head: []string{"AT", "BY", "ACT", "TARGET", "CHANGES", "WHY"},
		wide: []string{"REV", "OP"},
	}
	answer := &answer{whole: page, items: []any{}, table: t}
	for _, r := range page.Entries {
		answer.items = append(answer.items, r)
		answer.names = append(answer.names, r.ID)
		t.add(
			a.at(r.At),
			r.By,
			r.Act,
			dash(r.Target),
			dash(inShort(r.Changes)),
			dash(r.Why),
			strconv.FormatUint(r.Rev, 10),
			r.ID,
		)
	}
	switch {
	case page.Total == 0:
		answer.note = "no acts"
	case page.Cursor != "":
		answer.note = fmt.Sprintf("%d of %d acts; the next: --cursor %s", len(page.Entries), page.Total, page.Cursor)
	}
	return answer
}

func (a *app) newPause() *cobra.Command {
	return a.wholeAct("pause", "Begin nothing in the namespace until resume; what runs goes on", confirmYes,
		func(c admin.API) wholeAct { return c.Pause })
}

func (a *app) newResume() *cobra.Command {
	return a.wholeAct("resume", "End pause", confirmNothing, func(c admin.API) wholeAct { return c.Resume })
}

// wholeAct is an act on the namespace.
type wholeAct = func(ctx context.Context, o ...admin.ActOption) (admin.Receipt, error)

func (a *app) wholeAct(use, short string, level int, f func(admin.API) wholeAct) *cobra.Command {
	var x *acting
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			act := func(ctx context.Context, c admin.API, o ...admin.ActOption) (admin.Receipt, error) {
				return f(c)(ctx, o...)
			}
			return x.do(cmd, level, use, act)
		},
	}
	a.flags(cmd)
	x = a.actFlags(cmd, "")
	return cmd
}

func (a *app) newStore() *cobra.Command {
	var x *acting
	repair := &cobra.Command{
		Use:   "repair KEY",
		Short: "Replace a value that can't be read; it is kept in the audit",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			act := func(ctx context.Context, c admin.API, o ...admin.ActOption) (admin.Receipt, error) {
				return c.Repair(ctx, args[0], o...)
			}
			return x.do(cmd, confirmName, args[0], act)
		},
	}
	x = a.actFlags(repair, "")
	return a.group("store", "Look after the keys of the store", repair)
}
