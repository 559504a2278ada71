package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/elasticjob-go/elastic/admin"
	"github.com/elasticjob-go/elastic/jobfile"
	"github.com/elasticjob-go/elastic/status"
	"github.com/spf13/cobra"
)

// applying is the commands job apply and job diff.
type applying struct {
	*acting
	file  string
	prune bool
}

func (a *app) newJobApply() *cobra.Command {
	var p applying
	cmd := &cobra.Command{
		Use:   "apply -f FILE",
		Short: "Make the stored jobs those of a job file",
		Long: `Make the stored jobs those of a job file: create those that are missing, and
replace those that differ. Jobs that are not in the file stay, unless --prune
removes them. The "run" sections of a file are not stored.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.run(cmd) },
	}
	p.acting = a.actFlags(cmd, "")
	p.ifRevision(cmd)
	cmd.Flags().StringVarP(&p.file, "file", "f", "", "the job file, in YAML or JSON; - is the standard input")
	cmd.Flags().BoolVar(&p.prune, "prune", false, "remove the jobs that are not in the file; asks for the word prune, or --yes=prune")
	return cmd
}

func (a *app) newJobDiff() *cobra.Command {
	p := applying{acting: &acting{app: a, dryRun: true}}
	cmd := &cobra.Command{
		Use:   "diff -f FILE",
		Short: "Show what job apply would change; exit code 10 if something",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return p.run(cmd) },
	}
	cmd.Flags().StringVarP(&p.file, "file", "f", "", "the job file, in YAML or JSON; - is the standard input")
	return cmd
}

func (p *applying) read() (*jobfile.File, error) {
	switch p.file {
	case "":
		return nil, usage("say which file: -f FILE, or -f - for the standard input")
	case "-":
		f, err := jobfile.Read(p.in, os.LookupEnv)
		if err != nil {
			return nil, &exitError{exitRefused, err}
		}
		return f, nil
	}
	f, err := jobfile.Load(p.file)
	var path *os.PathError
	switch {
	case errors.As(err, &path):
		return nil, usage("%w", err)
	case err != nil:
		return nil, &exitError{exitRefused, err}
	}
	return f, nil
}

// outcome is the result for the jobs of a file.
type outcome struct {
	Receipts []admin.Receipt `json:"receipts"`
	Changed  int             `json:"changed"`
	Kept     int             `json:"unchanged"`
	Failed   []failure       `json:"failed,omitempty"`
	Others   []string        `json:"notInFile,omitempty"`
}

type failure struct {
	Job   string `json:"job"`
	Error string `json:"error"`
}

func (p *applying) run(cmd *cobra.Command) error {
	format, err := p.format()
	if err != nil {
		return err
	}
	file, err := p.read()
	if err != nil {
		return err
	}
	if p.revision != 0 && len(file.Jobs) != 1 {
		return usage("--if-rev is for a file of one job; this one has %d", len(file.Jobs))
	}
	return p.with(cmd, p.by(), func(c admin.API, ns namespace) error {
		var o outcome
		var text strings.Builder
		var last error
		for _, job := range file.Jobs {
			if job.Run != nil {
				fmt.Fprintf(cmd.ErrOrStderr(), "%s: its run section is not stored\n", job.Name)
			}
			act := func(ctx context.Context, c admin.API, o ...admin.ActOption) (admin.Receipt, error) {
				return c.Apply(ctx, job.Job, o...)
			}
			r, err := p.one(cmd, c, ns, job.Name, changesRuns, act)
			if isNo(err) {
				return err
			}
			if err != nil {
				last = err
				o.Failed = append(o.Failed, failure{job.Name, err.Error()})
				fmt.Fprintln(cmd.ErrOrStderr(), "elasticctl:", err)
				continue
			}
			p.note(&o, &text, r, job.Name)
		}
		if err := p.others(cmd, c, ns, file, &o, &text); err != nil {
			return err
		}
		return p.sum(o, &text, last).write(cmd.OutOrStdout(), cmd.ErrOrStderr(), format)
	})
}

// isNo reports whether an error ends the command: the person said no, or could
// not be asked.
func isNo(err error) bool {
	var coded *exitError
	return errors.As(err, &coded)
}

// changesRuns returns the confirmation that a change of a job needs.
func changesRuns(r admin.Receipt) int {
	for _, c := range r.Changes {
		if slices.Contains([]string{"schedule", "timeZone", "shards", "after", "disabled"}, c.Field) {
			return confirmYes
		}
	}
	if r.Act == "" { // not known yet
		return confirmYes
	}
	return confirmNothing
}

func (p *applying) note(o *outcome, text *strings.Builder, r admin.Receipt, job string) {
	o.Receipts = append(o.Receipts, r)
	if !r.Differs {
		o.Kept++
		fmt.Fprintf(text, "%s  unchanged\n", job)
		return
	}
	o.Changed++
	text.WriteString(p.planned(r))
}

// others finds the jobs that are not in the file, and removes them if that was
// asked for.
func (p *applying) others(
	cmd *cobra.Command,
	c admin.API,
	ns namespace,
	file *jobfile.File,
	o *outcome,
	text *strings.Builder,
) error {
	q := admin.JobQuery{Limit: admin.MaxPage}
	for {
		page, err := c.Jobs(cmd.Context(), q)
		if err != nil {
			return err
		}
		for _, j := range page.Jobs {
			in := slices.ContainsFunc(file.Jobs, func(f jobfile.Job) bool { return f.Name == j.Name })
			if !in && j.State != status.JobRemoved {
				o.Others = append(o.Others, j.Name)
			}
		}
		if page.Cursor == "" {
			break
		}
		q.Cursor = page.Cursor
	}
	for _, name := range o.Others {
		if !p.prune {
			fmt.Fprintf(text, "%s  not in the file; --prune would remove it\n", name)
			continue
		}
		act := func(ctx context.Context, c admin.API, o ...admin.ActOption) (admin.Receipt, error) {
			return c.Remove(ctx, name, o...)
		}
		r, err := p.one(cmd, c, ns, "prune", func(admin.Receipt) int { return confirmName }, act)
		if err != nil {
			return err
		}
		p.note(o, text, r, name)
	}
	return nil
}

func (p *applying) sum(o outcome, text *strings.Builder, last error) *answer {
	a := &answer{whole: o, items: []any{}}
	for _, r := range o.Receipts {
		a.items = append(a.items, r)
		a.names = append(a.names, r.Target)
	}
	verb, end := "changed", "\n"
	if p.dryRun {
		verb, end = "would change", ". Nothing was written.\n"
	}
	fmt.Fprintf(text, "%d %s, %d unchanged", o.Changed, verb, o.Kept)
	if len(o.Failed) > 0 {
		fmt.Fprintf(text, ", %d failed", len(o.Failed))
	}
	text.WriteString(end)
	a.text = text.String()
	switch {
	case last != nil:
		a.err = &exitError{code: codeOf(last)}
	case p.dryRun && o.Changed > 0:
		a.err = &exitError{code: exitFindings}
	}
	return a
}
