package admin

import (
	"context"
	"fmt"
	"strings"

	"github.com/elasticjob-go/elastic/internal/fleet"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/status"
)

// Instances returns the live instances, the oldest first. It sends two lists.
func (c *Client) Instances(ctx context.Context) ([]status.Instance, error) {
	read, err := c.lists(ctx, layout.Instances, layout.Assignments)
	if err != nil {
		return nil, fmt.Errorf("read the instances: %w", err)
	}
	ns := fleet.NewNamespace(read[0])
	owned := fleet.Owned(read[1])
	all := make([]status.Instance, len(ns.Instances))
	for i, instance := range ns.Instances {
		all[i] = instance.Status(owned[instance.ID])
	}
	return all, nil
}

// matches reports whether a text has all words of a search, in any case.
func matches(text, search string) bool {
	text = strings.ToLower(text)
	for word := range strings.FieldsSeq(strings.ToLower(search)) {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}
