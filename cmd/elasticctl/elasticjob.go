package main

import (
	"context"
	"time"

	"github.com/elasticjob-go/elastic/elasticjob"
	"github.com/spf13/cobra"
)

// source is where a command reads ElasticJob's jobs.
type source struct {
	from    string
	match   string
	timeout time.Duration
}

func (s *source) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&s.from, "from", "", "the namespace of the Java programs: zookeeper://[user[:password]@]host[:port],…/[chroot/]namespace[?tls=true&ca=FILE&password_file=FILE]")
	f.StringVar(&s.match, "job", "", "only jobs whose name matches this pattern, such as 'report-*'")
	f.DurationVar(&s.timeout, "timeout", 15*time.Second, "how long to wait for the store")
}

func (s *source) open(ctx context.Context) (*elasticjob.Client, error) {
	if s.from == "" {
		return nil, usage("say where the jobs are: --from zookeeper://host/namespace")
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	return elasticjob.Open(ctx, s.from)
}

func newElasticJob() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "elasticjob",
		Short: "Look after the jobs of Apache ShardingSphere ElasticJob",
		Args:  cobra.ArbitraryArgs,
		RunE:  group,
	}
	cmd.AddCommand(newDoctor(), newImport())
	return cmd
}
