package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/elasticjob"
	"github.com/elasticjob-go/elastic/elasticjob/tracing"
	"github.com/spf13/cobra"
)

// importer is the command's flags.
type importer struct {
	source
	runs                             runImport
	out, report, zone, check, result string
	rename                           map[string]string
	unclaimed                        bool
	horizon                          time.Duration
	now                              func() time.Time
}

func newImport() *cobra.Command {
	i := &importer{now: time.Now}
	cmd := &cobra.Command{
		Use:   "import --from URL [--tracing FILE]",
		Short: "Turn ElasticJob's jobs into a job file and a report",
		Long: `Turn ElasticJob's jobs into a job file and a report of what is not the same.

Nothing is written to the store. All jobs of the file are disabled.

With --tracing, the runs that ElasticJob has recorded in a database are written
to --history, too; without --from, nothing else is done. Each run is written
once, however often it is imported.

Exit code 0: everything is exact. 10: something differs. 5: something can't be
moved. 2: wrong usage. 6: the store can't be reached.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return i.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	i.source.flags(cmd)
	i.runs.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&i.out, "out", "",
		"write the job file there, and the report to stdout; otherwise the file goes to stdout and the report to stderr")
	f.StringVar(&i.report, "report", "text", "text or json")
	f.StringVar(&i.zone, "zone", "", "the time zone of the JVMs, for jobs without a timeZone")
	f.StringToStringVar(&i.rename, "rename", nil, "old=new, for a job whose name can't stay; may be repeated")
	f.BoolVar(&i.unclaimed, "unclaimed", false, "import jobs without monitorExecution as unclaimed")
	f.DurationVar(&i.horizon, "horizon", elasticjob.DefaultHorizon,
		"how far ahead the fires of each expression are computed")
	f.StringVar(&i.check, "quartz-check", "",
		"write a Java program and its input to this directory: it computes the same fires with your Quartz")
	f.StringVar(&i.result, "quartz-result", "", "compare with this output of that program")
	return cmd
}

// longestHorizon bounds the time that a job of each second takes.
const longestHorizon = 10 * 366 * 24 * time.Hour

func (i *importer) run(ctx context.Context, stdout, stderr io.Writer) error {
	switch {
	case i.report != "text" && i.report != "json":
		return usage("--report %q: want text or json", i.report)
	case i.horizon <= 0 || i.horizon > longestHorizon:
		return usage("--horizon %v: want a duration up to ten years, such as 8784h", i.horizon)
	}
	since, err := i.runs.check(i.from, i.now())
	if err != nil {
		return err
	}
	if i.from == "" && i.runs.wanted() {
		return i.onlyRuns(ctx, stdout, since)
	}
	options := elasticjob.ImportOptions{
		Match:     i.match,
		Zone:      i.zone,
		Rename:    i.rename,
		Unclaimed: i.unclaimed,
		Now:       i.now(),
		Horizon:   i.horizon,
	}
	result := ""
	if i.result != "" {
		text, err := os.ReadFile(i.result)
		if err != nil {
			return usage("--quartz-result: %w", err)
		}
		result = string(text)
		from, until, err := elasticjob.Horizon(result)
		if err != nil {
			return usage("--quartz-result: %w", err)
		}
		options.Now, options.Horizon = from, until.Sub(from)
	}
	client, err := i.source.open(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	imported, err := client.ReadJobs(ctx, options)
	if err != nil {
		return err
	}
	if result != "" {
		differences, err := elasticjob.Compare(imported.Checks, strings.NewReader(result))
		if err != nil {
			return usage("--quartz-result: %w", err)
		}
		for _, text := range differences {
			remark := elasticjob.Remark{What: "cron", Fidelity: elasticjob.Differs, Text: text}
			imported.Remarks = append(imported.Remarks, remark)
		}
	}
	if err := i.write(imported, stdout, stderr); err != nil {
		return err
	}
	if i.runs.wanted() {
		report, err := i.runs.run(ctx, i, since)
		if err == nil || report.Runs > 0 {
			fmt.Fprint(stderr, runsText(report))
		}
		if err != nil {
			return err
		}
		if err := verdict(imported); err != nil {
			return err
		}
		return runsVerdict(report)
	}
	return verdict(imported)
}

// onlyRuns imports the tracing tables and no jobs.
func (i *importer) onlyRuns(ctx context.Context, stdout io.Writer, since time.Time) error {
	report, err := i.runs.run(ctx, i, since)
	if err != nil && report.Runs == 0 {
		return err
	}
	return errors.Join(err, i.showRuns(stdout, report), runsVerdict(report))
}

func (i *importer) showRuns(w io.Writer, report tracing.Report) error {
	if i.report != "json" {
		_, err := io.WriteString(w, runsText(report))
		return err
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(struct {
		APIVersion string `json:"apiVersion"`
		tracing.Report
	}{"elasticctl/v1", report})
}

// verdict is the exit code of the worst remark.
func verdict(imported *elasticjob.Import) error {
	has := func(f elasticjob.Fidelity) bool {
		return slices.ContainsFunc(imported.Remarks, func(r elasticjob.Remark) bool { return r.Fidelity == f })
	}
	switch {
	case has(elasticjob.Cannot):
		return &exitError{code: exitRefused}
	case has(elasticjob.Differs):
		return &exitError{code: exitFindings}
	}
	return nil
}

func (i *importer) write(imported *elasticjob.Import, stdout, stderr io.Writer) error {
	file, err := imported.File()
	if err != nil {
		return err
	}
	report := stdout
	if i.out == "" {
		report = stderr
		if _, err := stdout.Write(file); err != nil {
			return err
		}
	} else if err := os.WriteFile(i.out, file, 0o600); err != nil {
		return usage("--out: %w", err)
	}
	if i.check != "" {
		if err := i.writeCheck(imported, stderr); err != nil {
			return usage("--quartz-check: %w", err)
		}
	}
	if i.report == "json" {
		if imported.Checks == nil {
			imported.Checks = []elasticjob.Check{}
		}
		enc := json.NewEncoder(report)
		enc.SetIndent("", "  ")
		return enc.Encode(struct {
			APIVersion string              `json:"apiVersion"`
			Jobs       int                 `json:"jobs"`
			Remarks    []elasticjob.Remark `json:"remarks"`
			Checks     []elasticjob.Check  `json:"checks"`
		}{"elasticctl/v1", len(imported.Jobs), imported.Remarks, imported.Checks})
	}
	_, err = io.WriteString(report, reportText(imported))
	return err
}

func (i *importer) writeCheck(imported *elasticjob.Import, stderr io.Writer) error {
	if err := os.MkdirAll(i.check, 0o755); err != nil {
		return err
	}
	for name, text := range map[string]string{
		"QuartzCheck.java": elasticjob.QuartzProgram,
		"expressions.tsv":  elasticjob.QuartzInput(imported.Checks),
	} {
		if err := os.WriteFile(filepath.Join(i.check, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(stderr, `To ask your Quartz, run this in %s, then import again with --quartz-result result.tsv:
  javac -cp quartz.jar QuartzCheck.java
  java -cp quartz.jar:slf4j-api.jar:. QuartzCheck < expressions.tsv > result.tsv
`, i.check)
	return err
}

// reportText groups what is the same for several jobs, the worst first.
func reportText(imported *elasticjob.Import) string {
	type group struct {
		elasticjob.Remark
		jobs []string
	}
	var groups []*group
	index := map[elasticjob.Remark]*group{}
	for _, r := range imported.Remarks {
		key := r
		key.Job = ""
		if index[key] == nil {
			index[key] = &group{Remark: key}
			groups = append(groups, index[key])
		}
		if r.Job != "" {
			index[key].jobs = append(index[key].jobs, r.Job)
		}
	}
	order := []elasticjob.Fidelity{elasticjob.Cannot, elasticjob.Differs, elasticjob.NotNeeded, elasticjob.Exact}
	slices.SortStableFunc(groups, func(a, b *group) int {
		return slices.Index(order, a.Fidelity) - slices.Index(order, b.Fidelity)
	})
	var b strings.Builder
	for _, g := range groups {
		fmt.Fprintf(&b, "%s  %s%s\n    %s\n", g.Fidelity, g.What, shownJobs(g.jobs), g.Text)
	}
	fires := 0
	for _, c := range imported.Checks {
		fires += c.Count
	}
	fmt.Fprintf(&b, "%s imported, all disabled; %s checked, %s", counted(len(imported.Jobs), "job"),
		counted(len(imported.Checks), "expression"), counted(fires, "fire"))
	if len(imported.Checks) > 0 {
		c := imported.Checks[0]
		fmt.Fprintf(&b, " from %s to %s", c.From.Format(time.DateOnly), c.Until.Format(time.DateOnly))
	}
	return b.String() + "\n"
}

func shownJobs(jobs []string) string {
	const most = 10
	switch {
	case len(jobs) == 0:
		return ""
	case len(jobs) > most:
		return fmt.Sprintf("  %s and %d more", strings.Join(jobs[:most], ", "), len(jobs)-most)
	}
	return "  " + strings.Join(jobs, ", ")
}
