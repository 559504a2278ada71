package elasticjob

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// File returns the jobs as a job file that jobfile.Read reads. All jobs are
// disabled, so that applying the file runs nothing. Alarms are below x-alarms,
// which is ignored.
func (i *Import) File() ([]byte, error) {
	root := &yaml.Node{Kind: yaml.MappingNode}
	var alarms []*yaml.Node
	jobs := &yaml.Node{Kind: yaml.SequenceNode}
	for _, j := range i.Jobs {
		n := jobNode(j)
		jobs.Content = append(jobs.Content, n)
		for _, a := range j.Alarms {
			entry := &yaml.Node{Kind: yaml.MappingNode}
			put(entry, "job", quote(escape(a.Job)))
			put(entry, "target", quote(a.Kind))
			for _, key := range a.Keys {
				put(entry, key, quote(a.Text[key]))
			}
			alarms = append(alarms, entry)
		}
	}
	if len(alarms) > 0 {
		put(root, "x-alarms", &yaml.Node{Kind: yaml.SequenceNode, Content: alarms})
	}
	put(root, "jobs", jobs)
	var b bytes.Buffer
	b.WriteString("# Imported from ElasticJob. Each job is disabled: enable it here when no Java program runs it any " +
		"more.\n")
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(root); err != nil {
		return nil, fmt.Errorf("write job file: %w", err)
	}
	return b.Bytes(), enc.Close()
}

// escape doubles the dollar signs, which begin variables in a job file.
func escape(text string) string { return strings.ReplaceAll(text, "$", "$$") }

func quote(text string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle, Value: text}
}

func plain(text string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Value: text} }

func put(n *yaml.Node, key string, value *yaml.Node) {
	n.Content = append(n.Content, plain(key), value)
}

func jobNode(i Imported) *yaml.Node {
	j := i.Job
	n := &yaml.Node{Kind: yaml.MappingNode}
	text := func(key, value string) {
		if value != "" {
			put(n, key, quote(escape(value)))
		}
	}
	whole := func(key string, value int) {
		if value != 0 {
			put(n, key, plain(strconv.Itoa(value)))
		}
	}
	truth := func(key string, value bool) {
		if value {
			put(n, key, plain("true"))
		}
	}
	text("name", j.Name)
	text("description", j.Description)
	text("schedule", j.Schedule)
	text("timeZone", j.TimeZone)
	whole("shards", j.Shards)
	text("parameter", j.Parameter)
	if len(j.ShardParameters) > 0 {
		list := &yaml.Node{Kind: yaml.MappingNode}
		var items []int
		for item := range j.ShardParameters {
			items = append(items, item)
		}
		slices.Sort(items)
		for _, item := range items {
			put(list, strconv.Itoa(item), quote(escape(j.ShardParameters[item])))
		}
		put(n, "shardParameters", list)
	}
	text("sharding", j.Sharding)
	truth("failover", j.Failover)
	whole("maxAttempts", j.MaxAttempts)
	text("misfire", string(j.Misfire))
	text("overlap", string(j.Overlap))
	whole("maxConcurrent", j.MaxConcurrent)
	if len(j.DisabledShards) > 0 {
		list := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, item := range j.DisabledShards {
			list.Content = append(list.Content, plain(strconv.Itoa(item)))
		}
		put(n, "disabledShards", list)
	}
	truth("unclaimed", j.Unclaimed)
	truth("disabled", j.Disabled)
	if len(i.Comments) > 0 {
		n.HeadComment = strings.Join(i.Comments, "\n")
	}
	return n
}
