package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os/user"
	"strings"

	"github.com/elasticjob-go/elastic/admin"
	"github.com/spf13/cobra"
)

// The levels of confirmation, by what an act costs.
const (
	confirmNothing = 0
	confirmYes     = 1 // y/N
	confirmName    = 2 // the name of the target must be typed
)

// acting has the flags of commands that change something.
type acting struct {
	*app
	why, as, op, yes          string
	dryRun, force, fleetClock bool
	revision                  uint64
}

// actFlags adds the flags of acts to a command. forceFor says what --force is
// for; empty: the act has none.
func (a *app) actFlags(cmd *cobra.Command, forceFor string) *acting {
	x := &acting{app: a}
	f := cmd.Flags()
	f.StringVar(&x.why, "why", "", "the reason; it is stored with the act")
	f.StringVar(&x.as, "as", "", "who acts; otherwise ELASTIC_USER, or the name of the user")
	f.StringVar(&x.op, "op", "", "a name for the act, a UUID of version 7: sent again, it is done once")
	f.BoolVar(
		&x.dryRun,
		"dry-run",
		false,
		"show what would change, and write nothing; exit code 10 if something would",
	)
	f.BoolVar(&x.fleetClock, "fleet-clock", false, "use the clock of the fleet where that of this computer is wrong")
	f.StringVar(&x.yes, "yes", "", "do not ask; for what can't be undone, the name of the target: --yes=NAME")
	f.Lookup("yes").NoOptDefVal = "yes"
	if forceFor != "" {
		f.BoolVar(&x.force, "force", false, forceFor)
	}
	return x
}

// ifRevision adds the flag of acts on jobs.
func (x *acting) ifRevision(cmd *cobra.Command) {
	cmd.Flags().Uint64Var(&x.revision, "if-rev", 0, "only if the job has this revision")
}

func (x *acting) options() []admin.ActOption {
	options := []admin.ActOption{admin.Why(x.why)}
	if x.op != "" {
		options = append(options, admin.Op(x.op))
	}
	if x.force {
		options = append(options, admin.Force())
	}
	if x.fleetClock {
		options = append(options, admin.FleetClock())
	}
	if x.revision != 0 {
		options = append(options, admin.IfRevision(x.revision))
	}
	return options
}

// by returns who acts.
func (x *acting) by() string {
	name := cmp.Or(x.as, x.getenv("ELASTIC_USER"))
	if name != "" {
		return name
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "unknown"
}

// act is one call of the API.
type act func(ctx context.Context, c admin.API, o ...admin.ActOption) (admin.Receipt, error)

// do looks at what an act would do, asks if it costs something, and does it.
func (x *acting) do(cmd *cobra.Command, level int, target string, f act) error {
	return x.doIf(cmd, target, func(admin.Receipt) int { return level }, f)
}

// doIf is do with a level that depends on what would change.
func (x *acting) doIf(cmd *cobra.Command, target string, level func(admin.Receipt) int, f act) error {
	format, err := x.format()
	if err != nil {
		return err
	}
	return x.with(cmd, x.by(), func(c admin.API, t namespace) error {
		r, err := x.one(cmd, c, t, target, level, f)
		if err != nil {
			return err
		}
		return x.answer(r).write(cmd.OutOrStdout(), cmd.ErrOrStderr(), format)
	})
}

// one does one act. The receipt of a dry run is returned where that was asked
// for, or where there is nothing to change.
func (x *acting) one(
	cmd *cobra.Command,
	c admin.API,
	t namespace,
	target string,
	level func(admin.Receipt) int,
	f act,
) (admin.Receipt, error) {
	call := func(o ...admin.ActOption) (admin.Receipt, error) {
		ctx, cancel := context.WithTimeout(cmd.Context(), x.timeout)
		defer cancel()
		return f(ctx, c, append(x.options(), o...)...)
	}
	if x.dryRun {
		return call(admin.DryRun())
	}
	need := level(admin.Receipt{})
	if need == confirmNothing && !t.Protected {
		return call()
	}
	planned, err := call(admin.DryRun())
	if err != nil || planned.Earlier || !planned.Differs {
		return planned, err
	}
	need = level(planned)
	if t.Protected {
		need = min(need+1, confirmName)
	}
	if err := x.confirm(cmd, need, target, x.planned(planned)); err != nil {
		return admin.Receipt{}, err
	}
	return call()
}

// confirm asks the person, as far as the act needs it.
func (x *acting) confirm(cmd *cobra.Command, need int, target, what string) error {
	switch {
	case need == confirmNothing, need == confirmYes && x.yes != "", need == confirmName && x.yes == target:
		return nil
	case need == confirmName && x.yes != "" && x.yes != "yes":
		return usage("--yes=%s: the target is %s", x.yes, target)
	case !x.interactive() && need == confirmYes:
		return usage("this needs --yes, because there is no terminal to ask on")
	case !x.interactive():
		return usage("this needs --yes=%s, because there is no terminal to ask on", target)
	}
	out := cmd.ErrOrStderr()
	fmt.Fprint(out, what)
	if need == confirmName {
		fmt.Fprintf(out, "Type %s to go on: ", plain(target))
	} else {
		fmt.Fprint(out, "Go on? [y/N] ")
	}
	line, err := bufio.NewReader(x.in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the answer: %w", err)
	}
	line = strings.TrimSpace(line)
	if need == confirmName && line == target || need == confirmYes && (line == "y" || line == "yes") {
		return nil
	}
	fmt.Fprintln(out, "nothing was changed")
	return &exitError{code: exitDone}
}

// planned shows what an act would do.
func (x *acting) planned(r admin.Receipt) string {
	var b strings.Builder
	head := plain(r.Act)
	if r.Target != "" {
		head += " " + plain(r.Target)
	}
	if r.Rev > 1 {
		head += fmt.Sprintf(" (rev %d → %d)", r.Rev-1, r.Rev)
	}
	fmt.Fprintln(&b, head)
	for _, c := range r.Changes {
		if c.Old != "" {
			fmt.Fprintf(&b, "  - %s: %s\n", c.Field, plain(c.Old))
		}
		if c.New != "" {
			fmt.Fprintf(&b, "  + %s: %s\n", c.Field, plain(c.New))
		}
	}
	for _, text := range r.Consequences {
		fmt.Fprintf(&b, "  > %s\n", plain(text))
	}
	for _, text := range r.Warnings {
		fmt.Fprintf(&b, "  ! %s\n", plain(text))
	}
	return b.String()
}

// answer says what an act did.
func (x *acting) answer(r admin.Receipt) *answer {
	a := &answer{whole: r, names: []string{r.ID}}
	switch {
	case r.Earlier:
		a.text = fmt.Sprintf("done before, at %s, by %s\n", x.at(r.At), plain(r.By))
	case !r.Differs:
		a.text = "unchanged: it is so already\n"
	case !r.Applied:
		a.text = x.planned(r) + "Nothing was written.\n"
		a.err = &exitError{code: exitFindings}
	default:
		a.text = x.planned(r) + "done\n"
		if r.Number != 0 {
			a.text = x.planned(r) + fmt.Sprintf("done: number %d\n", r.Number)
		}
	}
	return a
}
