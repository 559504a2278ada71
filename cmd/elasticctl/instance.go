package main

import (
	"context"
	"strconv"

	"github.com/elasticjob-go/elastic/admin"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/status"
	"github.com/spf13/cobra"
)

func (a *app) newInstance() *cobra.Command {
	return a.group("instance", "Read and change instances", a.newInstanceList())
}

func (a *app) newInstanceList() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "ls",
		Aliases: []string{"list"},
		Short:   "List the live instances, the oldest first",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.read(cmd, func(ctx context.Context, c *admin.Client) (*answer, error) {
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
