package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/elasticjob-go/elastic/admin"
	"github.com/elasticjob-go/elastic/status"
	"github.com/spf13/cobra"
)

func (a *app) newShard() *cobra.Command {
	return a.group("shard", "Read and change shards of a job",
		a.newShardList(),
		a.newShardAct("disable", "Stop shards of a job from beginning runs", confirmYes,
			func(c admin.API) shardAct { return c.DisableShards }),
		a.newShardAct("enable", "Let shards of a job begin runs again", confirmNothing,
			func(c admin.API) shardAct { return c.EnableShards }),
	)
}

// shardAct is an act on shards of a job.
type shardAct = func(ctx context.Context, job string, shards []int, o ...admin.ActOption) (admin.Receipt, error)

func (a *app) newShardAct(use, short string, level int, f func(admin.API) shardAct) *cobra.Command {
	var x *acting
	cmd := &cobra.Command{
		Use:               use + " JOB SHARDS",
		Short:             short + "; SHARDS is a list such as 0,3-5",
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: a.completeJobs,
		RunE: func(cmd *cobra.Command, args []string) error {
			shards, err := admin.ParseShards(args[1])
			if err != nil {
				return usage("%w", err)
			}
			act := func(ctx context.Context, c admin.API, o ...admin.ActOption) (admin.Receipt, error) {
				return f(c)(ctx, args[0], shards, o...)
			}
			return x.do(cmd, level, args[0], act)
		},
	}
	x = a.actFlags(cmd, "")
	x.ifRevision(cmd)
	return cmd
}

func (a *app) newShardList() *cobra.Command {
	var by string
	cmd := &cobra.Command{
		Use:     "ls JOB",
		Aliases: []string{"list"},
		Short:   "List the shards of a job: owner, run, result, next fire and why",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if by != "number" && by != "instance" && by != "state" {
				return usage("--by %.40q: want number, instance or state", by)
			}
			return a.read(cmd, func(ctx context.Context, c admin.API) (*answer, error) {
				shards, err := c.Shards(ctx, args[0])
				if err != nil {
					return nil, err
				}
				slices.SortStableFunc(shards, func(a, b status.Shard) int {
					switch by {
					case "instance":
						return strings.Compare(a.Owner, b.Owner)
					case "state":
						return strings.Compare(string(a.State), string(b.State))
					}
					return 0
				})
				return a.shards(shards), nil
			})
		},
	}
	cmd.Flags().StringVar(&by, "by", "number", "the order: number, instance or state")
	a.watching(cmd)
	return cmd
}

func (a *app) shards(shards []status.Shard) *answer {
	t := &table{
		head: []string{"SHARD", "STATE", "OWNER", "FIRE", "ATTEMPT", "RESULT", "TOOK", "NEXT", "REASON"},
		wide: []string{"RUNS ON", "FENCE", "STARTED", "ENDED", "ERROR"},
	}
	answer := &answer{
		whole: struct {
			Shards []status.Shard `json:"shards"`
		}{shards},
		items: []any{},
		table: t,
	}
	for _, s := range shards {
		answer.items = append(answer.items, s)
		answer.names = append(answer.names, fmt.Sprintf("%s/%d", s.Job, s.Shard))
		result, took := dash(s.Result), "-"
		switch {
		case s.RunsOn != "":
			result, took = "running", a.ago(s.Started)
		case !s.Ended.IsZero():
			took = short(s.Ended.Sub(s.Started))
		}
		attempt := "-"
		if s.Attempt > 0 {
			attempt = strconv.Itoa(s.Attempt)
		}
		fire := a.when(s.Fire)
		if s.Trigger != 0 {
			fire = fmt.Sprintf("trigger %d", s.Trigger)
		}
		t.add(strconv.Itoa(s.Shard), string(s.State), dash(s.Owner), fire, attempt, result, took,
			a.when(s.Next), s.Reason.Text,
			dash(s.RunsOn), strconv.FormatUint(s.Fence, 10), a.at(s.Started), a.at(s.Ended), dash(s.Error))
	}
	if len(shards) == 0 {
		answer.note = "no shards: the job has no assignment yet"
	}
	return answer
}
