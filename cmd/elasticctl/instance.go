package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/elasticjob-go/elastic/admin"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/status"
	"github.com/spf13/cobra"
)

func (a *app) newInstance() *cobra.Command {
	return a.group(
		"instance",
		"Read and change instances",
		a.newInstanceList(),
		a.newInstanceShow(),
		a.newInstanceAct("cordon TARGET", "Give instances no shards; what runs goes on", "", confirmYes,
			func(c admin.API) jobAct { return c.Cordon }),
		a.newInstanceAct(
			"drain TARGET",
			"Cordon instances, and tell running handlers that their shards move",
			"",
			confirmYes,
			func(c admin.API) jobAct { return c.Drain },
		),
		a.newInstanceAct("uncordon TARGET", "End cordon and drain", "", confirmNothing,
			func(c admin.API) jobAct { return c.Uncordon }),
		a.newInstanceAct("leave ID", "Make an instance end as on SIGTERM", "", confirmName,
			func(c admin.API) jobAct { return c.Leave }),
		a.newInstanceAct("evict ID", "Declare an instance dead", "also if it has given a sign of life", confirmName,
			func(c admin.API) jobAct { return c.Evict }),
	)
}

func (a *app) newInstanceAct(use, short, forceFor string, level int, f func(admin.API) jobAct) *cobra.Command {
	var x *acting
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			act := func(ctx context.Context, c admin.API, o ...admin.ActOption) (admin.Receipt, error) {
				return f(c)(ctx, args[0], o...)
			}
			return x.do(cmd, level, args[0], act)
		},
	}
	if strings.HasSuffix(use, "TARGET") {
		cmd.Long = short + ".\n\nTARGET is the name of instances, host:NAME for those of a host, or the ID of one."
	}
	x = a.actFlags(cmd, forceFor)
	return cmd
}

func (a *app) newInstanceShow() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show an instance and its shards",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.read(cmd, func(ctx context.Context, c admin.API) (*answer, error) {
				d, err := c.Instance(ctx, args[0])
				if err != nil {
					return nil, err
				}
				answer := a.shards(d.Shards)
				answer.whole = d
				head := fmt.Sprintf("%s is %s on %s, started %s", d.ID, d.State, dash(d.Host), a.at(d.Started))
				if d.Reason.Text != "" {
					head += ": " + d.Reason.Text
				}
				answer.note = plain(head)
				return answer, nil
			})
		},
	}
	a.watching(cmd)
	return cmd
}

func (a *app) newInstanceList() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "ls",
		Aliases: []string{"list"},
		Short:   "List the live instances, the oldest first",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.read(cmd, func(ctx context.Context, c admin.API) (*answer, error) {
				all, err := c.Instances(ctx)
				if err != nil {
					return nil, err
				}
				return a.instances(all), nil
			})
		},
	}
	a.watching(cmd)
	return cmd
}

func (a *app) instances(all []status.Instance) *answer {
	t := &table{
		head: []string{"ID", "STATE", "HOST", "SHARDS", "JOBS", "LABELS", "STARTED"},
		wide: []string{"PID", "WEIGHT", "REASON"},
	}
	answer := &answer{
		whole: struct {
			Instances []status.Instance `json:"instances"`
		}{all},
		items: []any{},
		table: t,
	}
	for _, i := range all {
		answer.items = append(answer.items, i)
		answer.names = append(answer.names, i.ID)
		t.add(i.ID, string(i.State), dash(i.Host), strconv.Itoa(i.Owned), strconv.Itoa(i.Jobs),
			dash(layout.Labels(i.Labels)), a.when(i.Started),
			strconv.Itoa(i.PID), strconv.Itoa(i.Weight), dash(i.Reason.Text))
	}
	if len(all) == 0 {
		answer.note = "no live instances"
	}
	return answer
}
