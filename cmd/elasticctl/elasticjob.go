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
	rate    int
}

// maxRate is the greatest --rate. A small ensemble does not answer more.
const maxRate = 50_000

func (s *source) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&s.from, "from", "", "the namespace of the Java programs: "+
		"zookeeper://[user[:password]@]host[:port],…/[chroot/]namespace[?tls=true&ca=FILE&password_file=FILE]")
	f.StringVar(&s.match, "job", "", "only jobs whose name matches this pattern, such as 'report-*'")
	f.DurationVar(&s.timeout, "timeout", 15*time.Second, "how long to wait for the store")
	f.IntVar(&s.rate, "rate", elasticjob.DefaultRate, "how many reads a second are made at most, 1 to 50000")
}

func (s *source) open(ctx context.Context) (*elasticjob.Client, error) {
	if s.from == "" {
		return nil, usage("say where the jobs are: --from zookeeper://host/namespace")
	}
	if s.rate < 1 || s.rate > maxRate {
		return nil, usage("--rate %d: want 1 to %d reads a second", s.rate, maxRate)
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	client, err := elasticjob.Open(ctx, s.from)
	if err != nil {
		return nil, err
	}
	client.Limit(s.rate)
	return client, nil
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
