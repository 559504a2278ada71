package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// build says of which version a program is.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Time     string `json:"time,omitempty"`
	Modified bool   `json:"modified,omitempty"` // built from changed files
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func thisBuild() build {
	b := build{Version: "unknown", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.Version = info.Main.Version
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

func (a *app) newVersion() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			format, err := a.format()
			if err != nil {
				return err
			}
			b := thisBuild()
			text := fmt.Sprintf("elasticctl %s, %s, %s\n", b.Version, b.Go, b.Platform)
			if b.Revision != "" {
				text = fmt.Sprintf("elasticctl %s (%.12s of %s), %s, %s\n", b.Version, b.Revision, b.Time, b.Go, b.Platform)
			}
			answer := &answer{whole: b, text: text, names: []string{b.Version}}
			return answer.write(cmd.OutOrStdout(), cmd.ErrOrStderr(), format)
		},
	}
	cmd.Flags().StringVarP(&a.output, "output", "o", "", "table, json, yaml or name; table if not given")
	return cmd
}
