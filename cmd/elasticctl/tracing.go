package main

import (
	"context"
	"io"
	"os"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/cron"
	"github.com/elasticjob-go/elastic/elasticjob/tracing"
	"github.com/spf13/cobra"
)

// tables are the tracing tables of ElasticJob.
type tables struct {
	source string // --tracing
}

func (t *tables) flags(cmd *cobra.Command, purpose string) {
	cmd.Flags().StringVar(&t.source, "tracing", "", purpose+
		": a file with the data source, or env:NAME of a variable with it, such as "+tracing.Forms)
}

const (
	envPrefix     = "env:"
	maxDataSource = 64 << 10
)

// open connects to the database. The data source is a secret, so that errors
// name the file or the variable that has it.
func (t *tables) open(ctx context.Context, limit time.Duration) (*tracing.Source, error) {
	text, err := t.dataSource()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return tracing.Open(ctx, text)
}

func (t *tables) dataSource() (string, error) { return dataSource("--tracing", t.source) }

// dataSource reads the data source that a flag names.
func dataSource(flag, from string) (string, error) {
	if strings.ContainsAny(from, "@") || strings.Contains(from, "://") {
		return "", usage("%s: it looks like a data source, which all users of the machine can see on a "+
			"command line; write it to a file, or to a variable and say env:NAME", flag)
	}
	if name, ok := strings.CutPrefix(from, envPrefix); ok {
		text := os.Getenv(name)
		if text == "" {
			return "", usage("%s: the variable %.100s is not set", flag, name)
		}
		return text, nil
	}
	file, err := os.Open(from)
	if err != nil {
		return "", usage("%s: %w", flag, err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxDataSource))
	if err != nil {
		return "", usage("%s: %w", flag, err)
	}
	if strings.TrimSpace(string(text)) == "" {
		return "", usage("%s: the file %.200s is empty", flag, from)
	}
	return strings.TrimSpace(string(text)), nil
}

// location returns the time zone of a flag; nil if it is not given.
func location(name string) (*time.Location, error) {
	if name == "" {
		return nil, nil
	}
	loc, err := cron.LoadLocation(name)
	if err != nil {
		return nil, usage("--zone: %v", err)
	}
	return loc, nil
}
